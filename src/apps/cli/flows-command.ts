/** `natlens flows`: captures and flow files in, named flow records out. */
import type { Command } from 'commander';
import { OperatorError, parsePrefix, type Prefix } from '#base';
import { customaryExportPorts } from '#capture';
import { l7Sources, meterDefaults, type L7Source } from '#flow';
import { formatSummary } from './flow-summary.ts';
import { runFlows } from './flows-run.ts';
import type { ReportExit } from './main.ts';

export type FlowsOptions = {
  readonly output?: string;
  readonly active: number;
  readonly idle: number;
  readonly home: readonly Prefix[];
  readonly l7?: L7Source;
  readonly dns?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly keepDuplicates?: boolean;
  /** Decode the export datagrams that captures carry, instead of metering their packets. */
  readonly exports?: boolean;
  readonly exportPort?: readonly number[];
  /** Multiply counters of sampled exports by their sampling interval. */
  readonly renormalise?: boolean;
  /** Join one-way records of exports and flow files to biflows. */
  readonly pair?: boolean;
};

/** Longest timeout: an hour; longer ones would make records that no exporter makes. */
const timeoutSecondsMax = 3_600;

/** Gives the verb its options and its action. */
export function configureFlows(command: Command, reportExit: ReportExit): void {
  command
    .description('Turns captures (pcap, pcapng; .gz and .zst as they are) into biflow records, and reads flow files ' +
      '(Parquet, CSV, JSON lines, nProbe text dumps, Zeek conn.log, the IoT-deNAT table), IPFIX files and bare ' +
      'NetFlow or IPFIX datagrams. The kind of input is ' +
      'recognised from its bytes; several inputs are read one after the other as one. Without -o the largest flows ' +
      'are shown.')
    .argument('<input...>', 'files to read; - for standard input')
    .option('-o, --output <file>',
      'write flows to FILE (.parquet, .csv, .jsonl, .ipfix or .nf9.pcap; - for CSV on standard output)')
    .option('--active <seconds>', 'active timeout', parseSeconds, meterDefaults.activeTimeoutMs / 1000)
    .option('--idle <seconds>', 'idle timeout', parseSeconds, meterDefaults.idleTimeoutMs / 1000)
    .option('--home <cidr...>', 'prefixes of the home: the side inside is the initiator (default: private addresses)',
      parseHome)
    .option('--l7 <source>',
      `who names layer 7: ${l7Sources.join(', ')} (default: prefix for captures, exporter for flow files)`, parseL7)
    .option('--dns <file>',
      'also write the DNS queries (time, source, name, IP-ID) to FILE (.csv or .jsonl); lab use only: reads payload')
    .option('--keep-duplicates', 'count second copies of a packet, as mirrored ports make them, like packets')
    .option('--exports', 'decode the NetFlow and IPFIX datagrams that a capture carries, instead of metering its packets')
    .option('--export-port <port...>', `UDP port of exports, besides ${customaryExportPorts.join(', ')}`, parsePort)
    .option('--renormalise', 'multiply the counters of sampled exports by the sampling interval that they told')
    .option('--pair', 'join one-way records of exports and flow files to biflows')
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens flows home.pcap                           show the largest flows\n' +
      '  natlens flows monday.pcap.gz tuesday.pcap.gz -o week.parquet\n' +
      '  natlens flows collector.pcap --exports -o records.parquet\n' +
      '  natlens flows home.pcap --l7 ndpi --home 203.0.113.7/32 -o - | head\n')
    .action(async (inputs: string[], raw: Omit<FlowsOptions, 'home'> & { home?: Prefix[] }) => {
      const options: FlowsOptions = { ...raw, home: raw.home ?? [] };
      const { summary, tally, isComplete } = await runFlows(inputs, options);
      const out = options.output === '-' || options.dns === '-' ? process.stderr : process.stdout;
      if (options.json === true) out.write(`${JSON.stringify(summary, null, 2)}\n`);
      else {
        if (options.output === undefined && summary.flows > 0) out.write(`${tally.format()}\n\n`);
        out.write(`${formatSummary(summary)}\n`);
      }
      if (!isComplete) reportExit(1);
    });
}

/** A timeout. @throws OperatorError */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds > 0 && seconds <= timeoutSecondsMax)) {
    throw new OperatorError('bad-option',
      `A timeout is a number of seconds above 0 and up to ${timeoutSecondsMax}, not '${text}'.`);
  }
  return seconds;
}

/** One value of `--export-port`, put behind those before it. */
function parsePort(text: string, before: number[] = []): number[] {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new OperatorError('bad-option', `--export-port is a port from 1 to 65535, not '${text}'; name inputs first.`);
  }
  return [...before, port];
}

/** Who names layer 7. @throws OperatorError */
export function parseL7(text: string): L7Source {
  const source = l7Sources.find((known) => known === text);
  if (source === undefined) throw new OperatorError('bad-option',
    `--l7 is one of ${l7Sources.join(', ')}, not '${text}'.`);
  return source;
}

/** One value of `--home`, put behind those before it. Commas may stand between prefixes too. */
export function parseHome(texts: string, before: Prefix[] = []): Prefix[] {
  return [...before, ...texts.split(',').map((text) => {
    const prefix = parsePrefix(text);
    if (prefix !== undefined) return prefix;
    throw new OperatorError('bad-option',
      `--home wants prefixes such as 192.168.0.0/16 or 2001:db8::/48, not '${text}' ` +
      '(inputs are named before --home).');
  })];
}
