/** `natlens score`: flow records and classifiers in, anomaly scores and counts of accepted flows out. */
import type { Command } from 'commander';
import { OperatorError } from '#base';
import type { FlowSetInfo } from '#flow';
import { percentileMax, type ThresholdChoice } from '#score';
import { madeAsOption, parseMadeAs } from './classifier-flows.ts';
import type { ReportExit } from './main.ts';
import { formatScoring, runScoring } from './score-run.ts';
import { parseWorkers, type WorkerChoice } from './score-threads.ts';

export type ScoreOptions = {
  readonly output?: string;
  readonly threshold: ThresholdChoice;
  readonly workers: WorkerChoice;
  readonly allowUnfit?: boolean;
  readonly madeAs?: FlowSetInfo;
  readonly matrix?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** The paper's best on its own data. */
const defaultPercentile = 10;

/** Gives the verb its options and its action. */
export function configureScore(command: Command, reportExit: ReportExit): void {
  command
    .description('Scores flows with classifiers. Arguments that end in .nlc are classifiers, the others flow files or ' +
      'captures. Flows that were made otherwise than a classifier needs are refused, and so are unfit classifiers.')
    .argument('<flows and classifiers...>', 'flow files as natlens flows reads them, and artifacts (.nlc)')
    .option('-o, --output <file>', 'write a row for each flow to FILE (.parquet, .csv, .jsonl; - for CSV)')
    .option('--threshold <choice>', `a percentile of the validation flows, 0 to ${percentileMax}, or default`,
      parseThreshold, defaultPercentile)
    .option('--allow-unfit', 'score with classifiers that are marked unfit, too')
    .option('--workers <n>', 'threads that score, or auto (also 0): one, and all cores once there is enough to do',
      parseWorkers, 'auto')
    .option(madeAsOption[0], madeAsOption[1], parseMadeAs)
    .option('--matrix <file>', 'also write the encoded flows of the one classifier, one-hot, to FILE (.npy or .csv)')
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens score home.parquet webcam.nlc plug.nlc\n' +
      '  natlens score home.parquet webcam.nlc --threshold default -o scores.parquet\n')
    .action(async (args: string[], options: ScoreOptions) => {
      const { summary, isComplete } = await runScoring(args, options);
      const out = options.output === '-' ? process.stderr : process.stdout;
      out.write(options.json === true ? `${JSON.stringify(summary, null, 2)}\n` : `${formatScoring(summary)}\n`);
      if (!isComplete) reportExit(1);
    });
}

function parseThreshold(text: string): ThresholdChoice {
  if (text === 'default') return text;
  if (/^\d{1,2}$/.test(text) && Number(text) <= percentileMax) return Number(text);
  throw new OperatorError('bad-option',
    `--threshold is a whole percentile from 0 to ${percentileMax}, or default, not '${text}'.`);
}
