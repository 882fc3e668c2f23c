/** `natlens demo`: what `npm start` runs, the main job on the embedded simulated lab. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { dropTemporaryFiles } from '#flow/files';
import { clearOutput, formatDemo, runDemo } from './demo-run.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { ReportExit } from './main.ts';

const defaultOut = join('out', 'demo');

/** Gives the verb its options and its action. */
export function configureDemo(command: Command, reportExit: ReportExit): void {
  command
    .description('The main job on a simulated lab, in under a minute: simulates the lab on both sides of a NAT, labels ' +
      'flows outside by their twins inside, trains and judges a classifier for each device model, draws a report, and ' +
      'tells a home that has a vulnerable camera from the same home without it. Ends by itself.')
    .option('--out <dir>', 'folder for report, results and classifiers; what an earlier run left there is replaced',
      defaultOut)
    .option('--once', 'end after one run (it always does)')
    .option('--json', 'print what was found as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExample:\n  natlens demo --out demo\n')
    .action(async (options: { out: string; json?: boolean; quiet?: boolean }) => {
      const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
      try {
        clearOutput(options.out);
        const summary = await runDemo(options.out, options.quiet === true);
        process.stdout.write(options.json === true
          ? `${JSON.stringify(summary, null, 2)}\n` : `${formatDemo(summary)}\n`);
        // One home has the device and the other has not: anything else is a wrong answer.
        if (summary.homes.some(({ verdict, hasDevice }) => (verdict === 'present') !== hasDevice)) reportExit(1);
      } finally {
        forgetCleanUp();
      }
    });
}
