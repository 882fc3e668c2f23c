/**
 * `natlens demo`: what `npm start` runs. Until the lab exists: simulates a home, meters its capture, shows the flows.
 */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { meterDefaults } from '#flow';
import { writeHomeCapture } from '#sim';
import { formatSummary } from './flow-summary.ts';
import { runFlows } from './flows-run.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { ReportExit } from './main.ts';
import { describeCapture } from './simulate-command.ts';

const demoSeed = 2019;
const demoMinutes = 30;

/** Gives the verb its options and its action. */
export function configureDemo(command: Command, reportExit: ReportExit): void {
  command
    .description('Simulates half an hour of a small home behind one gateway, meters the capture and shows its flows. ' +
      'Ends by itself; nothing is left behind.')
    .option('--once', 'end after one run (it always does)')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', '\nExample:\n  natlens demo --json\n')
    .action(async (options: { json?: boolean }) => {
      const folder = await mkdtemp(join(tmpdir(), 'natlens-demo-'));
      const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
      const forgetCleanUp = cleanUpOnSignal(removeFolder);
      try {
        const path = join(folder, 'home.pcap');
        const capture = await writeHomeCapture(path,
          { seed: demoSeed, durationS: demoMinutes * 60, servers: 'clouds' });
        const { summary, tally, isComplete } = await runFlows([path], {
          active: meterDefaults.activeTimeoutMs / 1000,
          idle: meterDefaults.idleTimeoutMs / 1000,
          home: [],
          quiet: options.json === true,
        });
        if (options.json === true) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
        else {
          process.stdout.write(`A simulated home (seed ${demoSeed}, ${demoMinutes} minutes)\n\n` +
            `${describeCapture('home.pcap', capture)}\n\n` +
            `${tally.format()}\n\n${formatSummary(summary)}\n\n` +
            'Next: natlens flows YOUR.pcap -o flows.parquet, or natlens simulate home.pcap to keep a capture like ' +
            'this one.\n');
        }
        if (!isComplete) reportExit(1);
      } finally {
        forgetCleanUp();
        removeFolder();
      }
    });
}
