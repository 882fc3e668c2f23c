/** `natlens lab evidence`: flows of one home and classifiers in, evidence and verdicts by their definitions out. */
import type { Command, Option } from 'commander';
import { OperatorError, parseDuration, parsePrefix, type Prefix } from '#base';
import { describeUnsoundOptions, evidenceDefaults } from '#evidence';
import type { FlowSetInfo } from '#flow';
import { percentileMax, type ThresholdChoice } from '#score';
import {
  falseAlarmDefaults, presentScoreOf, verdictDefaults, verdictPolicyNames, type VerdictPolicyName,
} from '#verdict';
import { madeAsOption, parseMadeAs } from './classifier-flows.ts';
import { formatLabEvidence, runLabEvidence } from './lab-evidence-run.ts';
import type { ReportExit } from './main.ts';

/** Durations in ms. */
export type LabEvidenceOptions = {
  readonly home: string;
  readonly inside?: readonly Prefix[];
  readonly window: number;
  readonly bucket: number;
  readonly lateness: number;
  readonly policy: VerdictPolicyName;
  /** Of one home, device model and month. */
  readonly falseAlarms: number;
  /** By default that of the policy. */
  readonly present?: number;
  readonly keep?: number;
  readonly expiry: number;
  readonly threshold: ThresholdChoice;
  readonly allowUnfit?: boolean;
  readonly madeAs?: FlowSetInfo;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** The paper's best on its own data, and the detector's default. */
const defaultPercentile = 10;
/** The detector's default, too. */
const defaultPolicy: VerdictPolicyName = 'calibrated';

/** Gives the verb its options and its action. */
export function configureLabEvidence(command: Command, reportExit: ReportExit): void {
  const durationOption = (flag: string, meaning: string, defaultMs: number, shown: string): Option =>
    command.createOption(`${flag} <duration>`, meaning).argParser(readDuration).default(defaultMs, shown);
  command
    .description('Says which device models the flows of one home speak for, by the definitions that the detector ' +
      'follows flow by flow, worked out over all flows at once. Arguments that end in .nlc are classifiers, the ' +
      'others flow files or captures.')
    .argument('<flows and classifiers...>', 'flow files as natlens flows reads them, and artifacts (.nlc)')
    .option('--home <name>', 'name of the home, in what is printed', 'home')
    .option('--inside <cidr...>', "addresses of the home's side (default: private ones, and where there are none " +
      'both sides)', parseInside)
    .addOption(durationOption('--window', 'length of the sliding window', evidenceDefaults.windowMs, '1h'))
    .addOption(durationOption('--bucket', 'windows begin and end at multiples of this', evidenceDefaults.bucketMs,
      '1m'))
    .addOption(durationOption('--lateness', "how much older than the home's latest flow another may be",
      evidenceDefaults.latenessMs, '30m'))
    .option('--policy <name>', `what decides: ${verdictPolicyNames.join(', ')}`, parsePolicy, defaultPolicy)
    .option('--false-alarms <share>', 'share of the homes without a device model that calibrated classifiers may find ' +
      'it in, per month', parseShare, falseAlarmDefaults.perMonth)
    .option('--present <score>', `score of a window from which on the device model is present, of classifiers that are ` +
      `not calibrated (default: ${verdictDefaults.presentScore}, with single-flow 1)`, parseScore)
    .option('--keep <score>', `score from which on a window supports a verdict (default: ${verdictDefaults.keepScore})`,
      parseScore)
    .addOption(durationOption('--expiry', 'a verdict without support for so long ends', verdictDefaults.expiryMs,
      '14d'))
    .option('--threshold <choice>', `a percentile of the validation flows, 0 to ${percentileMax}, or default`,
      parseThreshold, defaultPercentile)
    .option('--allow-unfit', 'use classifiers that are marked unfit, too')
    .option(madeAsOption[0], madeAsOption[1], parseMadeAs)
    .option('--json', 'print everything as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab evidence home.parquet webcam.nlc plug.nlc\n' +
      '  natlens lab evidence home.pcap *.nlc --window 4h --present 5 --json\n')
    .action(async (args: string[], options: LabEvidenceOptions) => {
      checkOptions(options);
      const { summary, isComplete } = await runLabEvidence(args, options);
      process.stdout.write(options.json === true
        ? `${JSON.stringify(summary, null, 2)}\n` : `${formatLabEvidence(summary)}\n`);
      if (!isComplete) reportExit(1);
    });
}

/** @throws OperatorError  options contradict each other */
function checkOptions({ window, bucket, lateness, policy, present, keep }: LabEvidenceOptions): void {
  const fault = describeUnsoundOptions({
    ...evidenceDefaults, windowMs: window, bucketMs: bucket, latenessMs: lateness,
  });
  if (fault !== undefined) throw new OperatorError('bad-option', `${fault} (--window, --bucket, --lateness)`);
  if ((keep ?? verdictDefaults.keepScore) > (present ?? presentScoreOf(policy))) {
    throw new OperatorError('bad-option', '--keep is at most --present: a verdict that stands needs no more.');
  }
}

function readDuration(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new OperatorError('bad-option',
    `A duration is a number with its unit, such as 90s, 10m, 1h or 14d, not '${text}'.`);
}

function parseScore(text: string): number {
  const score = Number(text);
  if (/^\d{1,6}(?:\.\d{1,3})?$/.test(text) && score > 0) return score;
  throw new OperatorError('bad-option', `A score is a number above 0, not '${text}'.`);
}

function parseShare(text: string): number {
  const share = Number(text);
  if (/^\d?\.?\d{1,6}$/.test(text) && share >= 1e-6 && share <= 0.5) return share;
  throw new OperatorError('bad-option', `--false-alarms is a share from 0.000001 to 0.5, not '${text}'.`);
}

function parsePolicy(text: string): VerdictPolicyName {
  const policy = verdictPolicyNames.find((name) => name === text);
  if (policy !== undefined) return policy;
  throw new OperatorError('bad-option',
    `--policy is ${verdictPolicyNames.slice(0, -1).join(', ')} or ${verdictPolicyNames.at(-1)}, not '${text}'.`);
}

function parseInside(text: string, before: readonly Prefix[] = []): readonly Prefix[] {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return [...before, prefix];
  throw new OperatorError('bad-option',
    `--inside is a prefix such as 192.168.0.0/16, not '${text}' (inputs are named before --inside).`);
}

function parseThreshold(text: string): ThresholdChoice {
  if (text === 'default') return text;
  if (/^\d{1,2}$/.test(text) && Number(text) <= percentileMax) return Number(text);
  throw new OperatorError('bad-option',
    `--threshold is a whole percentile from 0 to ${percentileMax}, or default, not '${text}'.`);
}
