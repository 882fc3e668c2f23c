/** `natlens flows`: captures and flow files in, named flow records out. */
import type { Command } from 'commander';
import { OperatorError, parsePrefix, type Prefix } from '#base';
import { l7Sources, meterDefaults, type L7Source } from '#flow';
import { runFlows } from './flows-run.ts';
import { formatSummary } from './flow-summary.ts';
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
};

/** Longest timeout: an hour; longer ones would make records that no exporter makes. */
const timeoutSecondsMax = 3_600;

export function addFlowsCommand(program: Command, reportExit: ReportExit): void {
  program.command('flows')
    .summary('turn captures and flow files into flow records')
    .description('Turns captures (pcap, pcapng; .gz and .zst as they are) into biflow records, and reads flow files (Parquet, CSV, ' +
      'JSON lines,\nnProbe text dumps, Zeek conn.log, the IoT-deNAT table). The kind of input is recognised from its bytes; several ' +
      'inputs are\nread one after the other as one. Without -o the largest flows are shown.')
    .argument('<input...>', 'files to read; - for standard input')
    .option('-o, --output <file>', 'write flows to FILE (.parquet, .csv or .jsonl; - for CSV on standard output)')
    .option('--active <seconds>', 'active timeout', parseSeconds, meterDefaults.activeTimeoutMs / 1000)
    .option('--idle <seconds>', 'idle timeout', parseSeconds, meterDefaults.idleTimeoutMs / 1000)
    .option('--home <cidr...>', 'prefixes of the home: the side inside is the initiator (default: private addresses)')
    .option('--l7 <source>', `who names layer 7: ${l7Sources.join(', ')} (default: prefix for captures, exporter for flow files)`, parseL7)
    .option('--dns <file>', 'also write the DNS queries (time, source, name, IP-ID) to FILE (.csv or .jsonl); lab use only: reads payload')
    .option('--keep-duplicates', 'count second copies of a packet, as mirrored ports make them, like packets')
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens flows home.pcap                           show the largest flows\n' +
      '  natlens flows monday.pcap.gz tuesday.pcap.gz -o week.parquet\n' +
      '  natlens flows home.pcap --l7 ndpi --home 203.0.113.7/32 -o - | head\n')
    .action(async (inputs: string[], raw: FlowsOptions & { home?: string[] }) => {
      const options: FlowsOptions = { ...raw, home: parseHome(raw.home as string[] | undefined) };
      const { summary, tally, isComplete } = await runFlows(inputs, options);
      const out = options.output === '-' ? process.stderr : process.stdout;
      if (options.json === true) out.write(`${JSON.stringify(summary, null, 2)}\n`);
      else {
        if (options.output === undefined && summary.flows > 0) out.write(`${tally.format()}\n\n`);
        out.write(`${formatSummary(summary)}\n`);
      }
      if (!isComplete) reportExit(1);
    });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds > 0 && seconds <= timeoutSecondsMax)) {
    throw new OperatorError('bad-option', `A timeout is a number of seconds above 0 and up to ${timeoutSecondsMax}, not '${text}'.`);
  }
  return seconds;
}

function parseL7(text: string): L7Source {
  const source = l7Sources.find((known) => known === text);
  if (source === undefined) throw new OperatorError('bad-option', `--l7 is one of ${l7Sources.join(', ')}, not '${text}'.`);
  return source;
}

function parseHome(texts: readonly string[] | undefined): Prefix[] {
  return (texts ?? []).flatMap((text) => text.split(',')).map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) {
      throw new OperatorError('bad-option', `--home wants prefixes such as 192.168.0.0/16 or 2001:db8::/48, not '${text}'.`);
    }
    return prefix;
  });
}
