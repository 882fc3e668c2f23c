/** `natlens lab label`: flows from outside a NAT, labelled with the devices of their twins inside. */
import type { Command } from 'commander';
import { OperatorError, parseAddress, parsePrefix, type AddressWords, type Prefix } from '#base';
import { formatLabelling, runLabLabel } from './lab-label-run.ts';
import type { ReportExit } from './main.ts';

export type LabLabelOptions = {
  readonly outside: readonly string[];
  readonly inside: readonly string[];
  readonly output: string;
  readonly router?: AddressWords;
  readonly inventory?: string;
  readonly home?: readonly Prefix[];
  readonly packets?: string;
  readonly offsetMax: number;
  readonly tolerance: number;
  readonly window: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Gives the verb its options and its action. */
export function configureLabLabel(command: Command, reportExit: ReportExit): void {
  command
    .description('Labels the flows that a tap outside a NAT saw, where all come from the router, with the devices of ' +
      'their twins that a tap inside saw at the same time. Offset and drift between the clocks of both are found. ' +
      'What could be more than one device\'s is counted and left out.')
    .requiredOption('--outside <file...>', 'captures or flow files of the tap outside')
    .requiredOption('--inside <file...>', 'captures or flow files of the tap inside, of the same time')
    .requiredOption('-o, --output <file>', 'labelled flows to write (.parquet, .csv, .jsonl)')
    .option('--router <address>', 'address of the router outside (default: the source of most flows)', parseRouter)
    .option('--inventory <file>', 'names of devices by MAC or address (default: labels of flows inside, or the MAC)')
    .option('--home <cidr...>', 'prefixes inside (default: private addresses)', parseHome)
    .option('--packets <file>', 'also label packets, to FILE (.csv or .jsonl); of one capture outside and one inside')
    .option('--offset-max <seconds>', 'largest offset between the clocks', parseSeconds, 60)
    .option('--tolerance <seconds>', 'largest difference of twins in time once the clocks are set', parseSeconds, 1)
    .option('--window <seconds>', 'how late a record may come after others', parseSeconds, 600)
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExample:\n' +
      '  natlens lab label --outside wan.pcap --inside lan.pcap --router 203.0.113.7 -o labelled.parquet\n')
    .action(async (options: LabLabelOptions) => {
      const { summary, isComplete } = await runLabLabel(options);
      process.stdout.write(options.json === true
        ? `${JSON.stringify(summary, null, 2)}\n` : `${formatLabelling(summary)}\n`);
      if (!isComplete) reportExit(1);
    });
}

function parseRouter(text: string): AddressWords {
  const words = parseAddress(text);
  if (words !== undefined) return words;
  throw new OperatorError('bad-option', `--router is an address such as 203.0.113.7, not '${text}'.`);
}

function parseHome(text: string, before: readonly Prefix[] = []): readonly Prefix[] {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return [...before, prefix];
  throw new OperatorError('bad-option', `--home is a prefix such as 192.168.0.0/16, not '${text}'.`);
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d{1,6}(?:\.\d{1,3})?$/.test(text) && seconds > 0) return seconds;
  throw new OperatorError('bad-option', `'${text}' is no number of seconds above 0.`);
}
