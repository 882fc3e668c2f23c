/** `natlens lab nat`: captures of devices in, what a tap outside their router would have captured out. */
import type { Command } from 'commander';
import { formatCount, formatTable, OperatorError, parseAddress, parsePrefix, type Prefix } from '#base';
import { openByteSource, type ByteSource } from '#capture';
import { dropTemporaryFiles, openTableSink, openTarget, type OutputTarget, type TableSink } from '#flow/files';
import { natCaptures, natPortPolicies, natTruthColumns, type NatPortPolicy, type NatSummary } from '#lab';
import { cleanUpOnSignal } from './interruption.ts';
import type { ReportExit } from './main.ts';
import { Progress } from './progress.ts';

export type LabNatOptions = {
  readonly router: number;
  readonly ports: NatPortPolicy;
  readonly seed: number;
  readonly output: string;
  readonly inside?: string;
  readonly truth?: string;
  readonly home?: readonly Prefix[];
  readonly align?: boolean;
  readonly offset: number;
  readonly drift: number;
  readonly jitter: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Gives the verb its options and its action. */
export function configureLabNat(command: Command, reportExit: ReportExit): void {
  command
    .description('Merges captures taken inside (pcap, pcapng) into one home behind one address: writes what a tap ' +
      'outside the router would have captured, and which port was whose. IPv4 TCP, UDP and ICMP; everything else is ' +
      'counted and left out.')
    .argument('<captures...>', 'captures of devices')
    .requiredOption('--router <address>', 'IPv4 address of the router outside', parseRouter)
    .requiredOption('-o, --output <file>', 'capture outside to write (pcap)')
    .option('--ports <policy>', `source ports: ${natPortPolicies.join(', ')}`, parsePorts, 'keep')
    .option('--seed <number>', 'of random ports and delays', parseWhole, 1)
    .option('--truth <file>', 'write the bindings to FILE (.csv or .jsonl)')
    .option('--inside <file>', 'also write the merged captures as a tap inside would have them (pcap)')
    .option('--home <cidr...>', 'prefixes inside (default: private addresses)', parseHome)
    .option('--align', 'move every capture in time so that it begins when the first one does')
    .option('--offset <seconds>', 'what the clock outside is ahead', parseNumber, 0)
    .option('--drift <ppm>', 'by how many millionths it runs fast', parseNumber, 0)
    .option('--jitter <ms>', 'longest stay of a packet in the router', parseNotNegative, 0.3)
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExample:\n' +
      '  natlens lab nat camera.pcap plug.pcap --router 203.0.113.7 -o outside.pcap --truth truth.csv\n')
    .action(async (captures: string[], options: LabNatOptions) => {
      const summary = await runLabNat(captures, options);
      process.stdout.write(options.json === true ? `${JSON.stringify(summary, null, 2)}\n` : `${format(summary)}\n`);
      if (summary.problems.length > 0) reportExit(1);
    });
}

/**
 * Runs the verb.
 *
 * @throws OperatorError     an input is no capture, an output cannot be written
 * @throws EnvironmentError  the disk failed
 */
export async function runLabNat(captures: readonly string[], options: LabNatOptions): Promise<NatSummary> {
  const outputs = [options.output, options.truth, options.inside].filter((name) => name !== undefined);
  if (new Set(outputs).size < outputs.length || outputs.includes('-')) {
    throw new OperatorError('bad-option', '--output, --truth and --inside are different files.');
  }
  const sources: ByteSource[] = [];
  const targets: OutputTarget[] = [];
  let truth: TableSink | undefined;
  const progress = new Progress(options.quiet === true);
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  try {
    for (const capture of captures) sources.push(await openByteSource(capture));
    const outside = await openTarget(options.output);
    targets.push(outside);
    const inside = options.inside === undefined ? undefined : await openTarget(options.inside);
    if (inside !== undefined) targets.push(inside);
    truth = options.truth === undefined ? undefined : await openTableSink(options.truth, natTruthColumns);
    const summary = await natCaptures(sources, { outside, inside, truth }, {
      routerAddress: options.router, ports: options.ports, seed: options.seed, home: options.home ?? [],
      isAligned: options.align === true, offsetMs: options.offset * 1_000, driftPpm: options.drift,
      jitterMs: options.jitter,
    }, (packets) => progress.tick(() =>
      `natlens: ${formatCount(packets)} packets, ${formatCount(progress.seconds)} s`));
    for (const target of targets.splice(0)) await target.finish();
    await truth?.end();
    truth = undefined;
    return summary;
  } finally {
    progress.end();
    for (const target of targets) await target.abandon();
    await truth?.abandon();
    for (const source of sources) await source.close();
    forgetCleanUp();
  }
}

function format(summary: NatSummary): string {
  const { frames, outward, inward, bindings, leftOut, rejected, portCollisions, devices, problems } = summary;
  const reasons = Object.entries({ ...leftOut, ...rejected });
  return [
    `${formatCount(frames)} frames: ${formatCount(outward)} outward, ${formatCount(inward)} inward; ` +
      `${formatCount(bindings)} bindings, ${formatCount(portCollisions)} port collisions`,
    ...(reasons.length === 0 ? [] : [`left out: ${reasons.map(([reason, count]) =>
      `${reason} ${formatCount(count)}`).join(', ')}`]),
    ...problems.map(({ input, detail }) => `${input}: ${detail}`),
    '', formatTable(['device', 'packets'], Object.entries(devices).map(([name, count]) => [name, formatCount(count)])),
  ].join('\n');
}

/** @throws OperatorError */
function parseRouter(text: string): number {
  const words = parseAddress(text);
  if (words !== undefined && words[2] === 0xffff && words[0] === 0) return words[3];
  throw new OperatorError('bad-option', `--router is an IPv4 address such as 203.0.113.7, not '${text}'.`);
}

function parsePorts(text: string): NatPortPolicy {
  const policy = natPortPolicies.find((known) => known === text);
  if (policy !== undefined) return policy;
  throw new OperatorError('bad-option', `--ports is one of ${natPortPolicies.join(', ')}, not '${text}'.`);
}

function parseHome(text: string, before: readonly Prefix[] = []): readonly Prefix[] {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return [...before, prefix];
  throw new OperatorError('bad-option', `--home is a prefix such as 192.168.0.0/16, not '${text}'.`);
}

function parseNumber(text: string): number {
  if (/^[+-]?\d{1,9}(?:\.\d+)?$/.test(text)) return Number(text);
  throw new OperatorError('bad-option', `'${text}' is no number.`);
}

function parseNotNegative(text: string): number {
  const value = parseNumber(text);
  if (value >= 0) return value;
  throw new OperatorError('bad-option', `'${text}' is below zero.`);
}

function parseWhole(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= 0xffff_ffff) return seed;
  throw new OperatorError('bad-option', `--seed is a whole number from 0 to 4294967295, not '${text}'.`);
}
