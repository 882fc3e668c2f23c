/** `natlens probe`: packets of an interface in; flow records out to a collector, a file or the detector. */
import type { Command } from 'commander';
import { formatCount, OperatorError, parseDuration } from '#base';
import { l7Sources, meterDefaults, samplingWays, type SamplingWay } from '#flow';
import { formatProbe } from '#probe';
import { parseDomain, parsePlace, parseRate } from './export-command.ts';
import type { CollectorPlace } from './export-run.ts';
import { parseHome, parseL7, parseSeconds } from './flows-command.ts';
import type { ReportExit } from './main.ts';
import type { ProbeCommandOptions } from './probe-options.ts';
import { runProbe } from './probe-run.ts';

/** Sampling rarer than that leaves nothing of a home. */
const sampleMax = 1_000_000;
const ringMiBMax = 1_024;

/** Gives the verb its options and its action. */
export function configureProbe(command: Command, reportExit: ReportExit): void {
  command
    .description('Meters the packets of an interface live, as `natlens flows` meters captures: biflow records with ' +
      'layer-7 names, sent to a collector as IPFIX or NetFlow v9, written to a file, or handed to a detector in the ' +
      'same process. Needs the right to see packets (root, or CAP_NET_RAW), which it gives up once the interface is ' +
      'open. A capture file in place of the interface is played at its own pace.')
    .argument('<source>', 'interface, such as eth0; or a capture file; - for standard input')
    .option('--to <host:port>', 'send flows to this collector; an IPv6 address in brackets', parseCollector)
    .option('--tcp', 'send IPFIX over TCP: nothing is lost on the way, and a collector that is away is waited for')
    .option('--v9', 'send NetFlow v9 instead of IPFIX')
    .option('--rate <number>', 'records a second over UDP; 0 for as fast as possible', parseRate, 20_000)
    .option('--domain <number>', 'observation domain or source id', parseDomain, 0)
    .option('-o, --output <file>',
      'write flows to FILE (.parquet, .csv, .jsonl, .ipfix or .nf9.pcap; - for CSV on standard output)')
    .option('--detector <config>', 'hand flows to a detector with this config, in the same process')
    .option('--l7 <source>', `who names layer 7: ${l7Sources.filter((name) => name !== 'exporter').join(', ')} ` +
      '(default: prefix, or what the detector wants)', parseL7)
    .option('--home <cidr...>', 'prefixes of the home: the side inside is the initiator (default: private addresses ' +
      'and the IPv6 networks of the interface)', parseHome)
    .option('--active <seconds>', `active timeout (default: ${meterDefaults.activeTimeoutMs / 1_000})`, parseSeconds)
    .option('--idle <seconds>', `idle timeout (default: ${meterDefaults.idleTimeoutMs / 1_000})`, parseSeconds)
    .option('--keep-duplicates', 'count second copies of a packet, as mirrored ports make them, like packets')
    .option('--promiscuous', 'see packets that are addressed to others, as at a mirror port')
    .option('--ring <MiB>', 'memory in which the kernel keeps packets until they are read', parseRing)
    .option('--sample <1:N>', 'meter one packet of N, and tell collectors so', parseSample)
    .option('--sample-way <way>', `how: ${samplingWays.join(' or ')}`, parseSampleWay, 'systematic')
    .option('--seed <number>', 'of random sampling', parseSeed, 1)
    .option('--user <name>', 'whom root becomes once the interface is open; or UID:GID', 'nobody')
    .option('--metrics <address:port>', 'Prometheus metrics and health there', parseMetrics)
    .option('--for <duration>', 'stop after this time, such as 10m', parseFor)
    .option('--fast', 'read a capture file as fast as it goes')
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no status lines')
    .addHelpText('after', '\nExamples:\n' +
      '  sudo natlens probe eth0 --to collector.example:4739 --tcp\n' +
      '  sudo natlens probe br-lan --l7 ndpi -o flows.parquet --for 1h --user $USER\n' +
      '  natlens probe home.pcap --fast --sample 1:100 --to 127.0.0.1:2055 --v9\n')
    .action(async (source: string, options: ProbeCommandOptions) => {
      checkOptions(options);
      const { status, notes, tally, isComplete, exitCode } = await runProbe(source, options);
      const out = options.output === '-' ? process.stderr : process.stdout;
      if (options.json === true) out.write(`${JSON.stringify({ ...status, notes }, null, 2)}\n`);
      else {
        if (tally !== undefined) out.write(`${tally}\n\n`);
        out.write(`${formatProbe(status, notes)}\n`);
      }
      if (exitCode !== 0) reportExit(exitCode);
      else if (!isComplete) reportExit(1);
    });
}

function checkOptions({ to, tcp, v9, l7 }: ProbeCommandOptions): void {
  const refuse = (text: string): never => {
    throw new OperatorError('bad-option', text);
  };
  if (tcp === true && to === undefined) refuse('--tcp says how to send; --to HOST:PORT says where to.');
  if (v9 === true && to === undefined) refuse('--v9 says what to send; --to HOST:PORT says where to.');
  if (tcp === true && v9 === true) refuse('NetFlow v9 goes by UDP only: leave out --tcp or --v9.');
  if (l7 === 'exporter') refuse('--l7 exporter takes the names of exporters, and packets have none: ' +
    'name prefix, ndpi or none.');
}

function parseCollector(text: string): CollectorPlace {
  return parsePlace(text);
}

function parseMetrics(text: string): CollectorPlace {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts !== null && port <= 0xffff) return { host: (parts[1] ?? parts[2]) as string, port };
  throw new OperatorError('bad-option', `--metrics wants ADDRESS:PORT, such as 127.0.0.1:9466, not '${text}'.`);
}

function parseSample(text: string): number {
  const count = Number(/^1:(\d{1,7})$/.exec(text)?.[1]);
  if (count >= 1 && count <= sampleMax) return count;
  throw new OperatorError('bad-option',
    `--sample is 1:N with N up to ${formatCount(sampleMax)}, such as 1:100, not '${text}'.`);
}

function parseSampleWay(text: string): SamplingWay {
  const way = samplingWays.find((known) => known === text);
  if (way !== undefined) return way;
  throw new OperatorError('bad-option', `--sample-way is ${samplingWays.join(' or ')}, not '${text}'.`);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d{1,10}$/.test(text) && seed <= 0xffffffff) return seed;
  throw new OperatorError('bad-option', `--seed is a whole number from 0 to ${0xffffffff}, not '${text}'.`);
}

function parseRing(text: string): number {
  const size = Number(text);
  if (/^\d{1,4}$/.test(text) && size >= 1 && size <= ringMiBMax) return size;
  throw new OperatorError('bad-option', `--ring is a number of MiB from 1 to ${ringMiBMax}, not '${text}'.`);
}

function parseFor(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new OperatorError('bad-option', `--for is a time such as 30s, 10m or 1h30m, not '${text}'.`);
}
