/** `natlens export`: sends flow records to a collector, as NetFlow v9 or IPFIX over UDP. */
import type { Command } from 'commander';
import { formatBytes, formatCount, formatDuration, OperatorError } from '#base';
import { runExport, type CollectorPlace, type ExportSummary } from './export-run.ts';
import type { ReportExit } from './main.ts';

type ExportOptions = {
  readonly to: CollectorPlace;
  readonly v9?: boolean;
  readonly ipfix?: boolean;
  readonly rate: number;
  readonly domain: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Slow enough for a collector with Linux's default receive buffer. */
const rateDefault = 20_000;
const rateMax = 100_000_000;

/** Gives the verb its options and its action. */
export function configureExport(command: Command, reportExit: ReportExit): void {
  command
    .description('Sends flow records to a collector over UDP, as NetFlow v9 or IPFIX: everything that `natlens flows` ' +
      'reads, biflows in one record, with layer-7 names. Records keep their own times; ground truth is not sent.')
    .argument('<input...>', 'files to read; - for standard input')
    .requiredOption('--to <host:port>', 'the collector; an IPv6 address in brackets', parsePlace)
    .option('--v9', 'send NetFlow v9')
    .option('--ipfix', 'send IPFIX (the default)')
    .option('--rate <number>', 'records a second; 0 for as fast as possible', parseRate, rateDefault)
    .option('--domain <number>', 'observation domain or source id', parseDomain, 0)
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens export home.parquet --to 127.0.0.1:2055\n' +
      '  natlens export home.pcap --to [::1]:9995 --v9 --rate 1000\n')
    .action(async (inputs: string[], options: ExportOptions) => {
      if (options.v9 === true && options.ipfix === true) {
        throw new OperatorError('bad-option', 'One of --v9 and --ipfix can be sent, not both.');
      }
      const { summary, isComplete } = await runExport(inputs, {
        to: options.to,
        version: options.v9 === true ? 9 : 10,
        domain: options.domain,
        recordsPerSecond: options.rate,
        isQuiet: options.quiet === true,
      });
      process.stdout.write(options.json === true
        ? `${JSON.stringify(summary, null, 2)}\n` : `${formatExport(summary)}\n`);
      if (!isComplete) reportExit(1);
    });
}

/** The summary for people. */
function formatExport(summary: ExportSummary): string {
  const { flows, datagrams, bytes, seconds } = summary;
  const lines = [`${formatCount(flows)} flows sent to ${summary.to} as ${summary.format}, domain ${summary.domain}: ` +
    `${formatCount(datagrams)} datagrams, ${formatBytes(bytes)}, in ${formatDuration(seconds * 1000)}`];
  const rejected = Object.entries(summary.rejected).map(([name, count]) => `${formatCount(count)} ${name}`);
  if (rejected.length > 0) lines.push(`rejected: ${rejected.join(', ')}`);
  lines.push(...summary.notes);
  for (const problem of summary.problems) lines.push(`${problem.input}: ${problem.detail}`);
  return lines.join('\n');
}

/** `HOST:PORT`, `ADDRESS:PORT` or `[IPV6]:PORT`. */
export function parsePlace(text: string): CollectorPlace {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host !== undefined && port >= 1 && port <= 0xffff) return { host, port };
  throw new OperatorError('bad-option',
    `--to wants HOST:PORT, such as 127.0.0.1:2055 or [::1]:2055, not '${text}'.`);
}

export function parseRate(text: string): number {
  const rate = Number(text);
  if (text.trim() !== '' && rate >= 0 && rate <= rateMax) return rate;
  throw new OperatorError('bad-option',
    `--rate is a number of records a second from 0 (no pacing) to ${rateMax}, not '${text}'.`);
}

export function parseDomain(text: string): number {
  const domain = Number(text);
  if (text.trim() !== '' && Number.isInteger(domain) && domain >= 0 && domain <= 0xffffffff) return domain;
  throw new OperatorError('bad-option', `--domain is a whole number from 0 to ${0xffffffff}, not '${text}'.`);
}
