/** What a run of `natlens flows` counted: gathers it, checks that it balances, and shows it. */
import {
  assertInvariant, formatAddress, formatBytes, formatCount, formatDuration, formatTable, protocolSctp, protocolTcp,
  protocolUdp, type Problem,
} from '#base';
import type { Dictionary, ExportCounts, FlowBatch, FlowPairerCounts } from '#flow';
import { formatExports, formatPairing } from './export-summary.ts';

/** Flows shown when there is no output. */
const shownFlowsMax = 20;

/** The summary as `--json` prints it; documented in docs/commands/flows.md. */
export type FlowSummary = {
  readonly inputs: readonly {
    readonly name: string; readonly kind: string; readonly packets: number; readonly records: number;
  }[];
  /** Frames read from captures. */
  readonly packets: number;
  /** Rows read from flow files. */
  readonly records: number;
  /** Packets counted in flows; packets + records = meteredPackets + exportPackets + importedFlows +
   * sum of `rejected`. */
  readonly meteredPackets: number;
  readonly importedFlows: number;
  /** Packets of captures that carried an export datagram (`--exports`). */
  readonly exportPackets: number;
  /** Flows decoded from exports. */
  readonly decodedFlows: number;
  readonly rejected: Record<string, number>;
  readonly flows: number;
  /** What decoding exports counted: datagrams, records, templates, waiting, rejections, gaps of each exporter. */
  readonly exports: ExportCounts | null;
  /** What `--pair` counted; a pair is one flow of two records. */
  readonly pairing: FlowPairerCounts | null;
  /** IP total length of the metered packets. */
  readonly octets: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly l7: { readonly source: string; readonly version: string; readonly counts: Record<string, number> };
  readonly activeTimeoutSeconds: number;
  readonly idleTimeoutSeconds: number;
  readonly latePackets: number;
  readonly clockSteps: number;
  readonly unresolvedFragments: number;
  readonly flowsEndedForRoom: number;
  /** Texts that found a dictionary full and became `(other)`. */
  readonly dictionaryOverflows: number;
  readonly dnsQueries: number | null;
  readonly output: string | null;
  /** Where inputs broke off, and the first rows that were rejected. */
  readonly problems: readonly {
    readonly input: string; readonly code: string; readonly detail: string; readonly offsetBytes: number;
  }[];
  /** What was repaired or guessed in the records taken over. */
  readonly notes: readonly string[];
};

/** Flow records as they pass to the output: counts them by layer-7 name and keeps the largest for show. */
export class FlowTally {
  flowCount = 0;
  packetCount = 0;
  octetCount = 0;
  readonly #byName = new Map<string, { flows: number; octets: number }>();
  readonly #largest: { octets: number; cells: string[] }[] = [];

  add(flows: FlowBatch): void {
    const { columns, rowCount, dictionaries } = flows;
    this.flowCount += rowCount;
    for (let rowIndex = 0; rowIndex < rowCount; rowIndex++) {
      const octets = (columns.initiatorOctets[rowIndex] as number) + (columns.responderOctets[rowIndex] as number);
      this.octetCount += octets;
      this.packetCount += (columns.initiatorPackets[rowIndex] as number) +
        (columns.responderPackets[rowIndex] as number);
      this.#countName(dictionaries.applicationName, columns.applicationName[rowIndex] as number, octets);
      const least = this.#largest.at(-1);
      if (this.#largest.length < shownFlowsMax || least === undefined || octets > least.octets) {
        this.#keep(octets, describeFlow(flows, rowIndex));
      }
    }
  }

  #countName(names: Dictionary, code: number, octets: number): void {
    const name = names.decode(code);
    const entry = this.#byName.get(name);
    if (entry === undefined) this.#byName.set(name, { flows: 1, octets });
    else {
      entry.flows++;
      entry.octets += octets;
    }
  }

  #keep(octets: number, cells: string[]): void {
    let place = this.#largest.length;
    while (place > 0 && (this.#largest[place - 1]?.octets ?? 0) < octets) place--;
    this.#largest.splice(place, 0, { octets, cells });
    if (this.#largest.length > shownFlowsMax) this.#largest.pop();
  }

  /** The largest flows and the names by flows, as two tables. */
  format(): string {
    const parts: string[] = [];
    if (this.#largest.length > 0) {
      const title = this.flowCount > this.#largest.length
        ? `The ${this.#largest.length} largest of ${formatCount(this.flowCount)} flows` : 'Flows';
      parts.push(`${title}\n\n${formatTable(flowHeading, this.#largest.map((flow) => flow.cells))}`);
    }
    const names = [...this.#byName].sort(([, a], [, b]) => b.flows - a.flows).slice(0, 15);
    if (names.length > 0) {
      parts.push(formatTable(['layer-7 name', 'flows', 'bytes'],
        names.map(([name, { flows, octets }]) =>
          [name === '' ? '(none)' : name, formatCount(flows), formatBytes(octets)])));
    }
    return parts.join('\n\n');
  }
}

const flowHeading = ['start', 'duration', 'initiator', 'responder', 'protocol', 'name', 'packets out', 'in',
  'bytes out', 'in'];

function describeFlow(flows: FlowBatch, rowIndex: number): string[] {
  const { columns, dictionaries } = flows;
  const startMs = columns.flowStartMilliseconds[rowIndex] as number;
  const durationMs = (columns.flowEndMilliseconds[rowIndex] as number) - startMs;
  const protocol = columns.protocolIdentifier[rowIndex] as number;
  const hasPorts = protocol === protocolTcp || protocol === protocolUdp || protocol === protocolSctp;
  const at = (words: Uint32Array, port: number): string => {
    const address = formatAddress(words, rowIndex * 4);
    if (!hasPorts) return address;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  };
  return [
    Number.isFinite(startMs) && Math.abs(startMs) < 8.64e15
      ? new Date(startMs).toISOString().slice(0, 23) : String(startMs),
    formatDuration(durationMs),
    at(columns.sourceAddress, columns.sourceTransportPort[rowIndex] as number),
    at(columns.destinationAddress, columns.destinationTransportPort[rowIndex] as number),
    ({ 1: 'icmp', 2: 'igmp', 6: 'tcp', 17: 'udp', 58: 'icmp6' } as Record<number, string>)[protocol]
      ?? String(protocol),
    dictionaries.applicationName.decode(columns.applicationName[rowIndex] as number),
    formatCount(columns.initiatorPackets[rowIndex] as number),
    formatCount(columns.responderPackets[rowIndex] as number),
    formatBytes(columns.initiatorOctets[rowIndex] as number),
    formatBytes(columns.responderOctets[rowIndex] as number),
  ];
}

/**
 * Stops when packets or rows went missing between input and output.
 *
 * @throws InvariantError  the counts do not balance
 */
export function assertBalance(summary: FlowSummary, tally: FlowTally): void {
  const rejected = Object.values(summary.rejected).reduce((sum, count) => sum + count, 0);
  assertInvariant(summary.packets + summary.records ===
    summary.meteredPackets + summary.exportPackets + summary.importedFlows + rejected,
    `${summary.packets} packets and ${summary.records} records came in, but ${summary.meteredPackets} metered, ` +
    `${summary.importedFlows} imported and ${rejected} rejected do not add up to them`);
  assertInvariant(tally.flowCount === summary.flows,
    `${summary.flows} flows were made, but ${tally.flowCount} were written`);
}

/** The summary for people. */
export function formatSummary(summary: FlowSummary): string {
  const lines: string[] = [];
  const joined = summary.pairing === null ? 0 : summary.pairing.paired + summary.pairing.joined;
  const madeCount = summary.flows - summary.importedFlows - summary.decodedFlows + joined;
  if (summary.meteredPackets > 0 || (summary.records === 0 && summary.exports === null)) {
    const perSecond = summary.seconds > 0 ? ` (${formatCount(summary.packets / summary.seconds)} packets/s)` : '';
    lines.push(`${formatCount(summary.packets)} packets in ${formatDuration(summary.seconds * 1000)}${perSecond}: ` +
      `${formatCount(summary.meteredPackets)} metered into ` +
      `${formatCount(madeCount)} flows, ` +
      `${formatBytes(summary.octets)} of IP`);
  }
  if (summary.records > 0) lines.push(
    `${formatCount(summary.records)} records read, ${formatCount(summary.importedFlows)} flows taken over`);
  if (summary.exports !== null) lines.push(...formatExports(summary.exports));
  if (summary.pairing !== null) lines.push(formatPairing(summary.pairing));
  const rejected = Object.entries(summary.rejected);
  if (rejected.length > 0) lines.push(
    `rejected: ${rejected.map(([code, count]) => `${formatCount(count)} ${code}`).join(', ')}`);
  const notes: string[] = [];
  if (summary.latePackets > 0) notes.push(
    `${formatCount(summary.latePackets)} packets came too late to be put in order`);
  if (summary.clockSteps > 0) notes.push(`the clock stepped back ${formatCount(summary.clockSteps)} times`);
  if (summary.unresolvedFragments > 0) notes.push(
    `${formatCount(summary.unresolvedFragments)} fragments without their first`);
  if (summary.flowsEndedForRoom > 0) notes.push(
    `${formatCount(summary.flowsEndedForRoom)} flows ended because the table was full`);
  if (summary.dictionaryOverflows > 0) notes.push(`${formatCount(summary.dictionaryOverflows)} texts became (other)`);
  if (notes.length > 0) lines.push(notes.join('; '));
  const named = Object.entries(summary.l7.counts).map(([name, count]) => `${formatCount(count)} ${name}`).join(', ');
  const version = summary.l7.version === '' ? '' : ` (${summary.l7.version})`;
  lines.push(`layer-7 names: ${summary.l7.source}${version}${named === '' ? '' : `: ${named}`}`);
  if (summary.dnsQueries !== null) lines.push(`${formatCount(summary.dnsQueries)} DNS queries written`);
  if (summary.output !== null) lines.push(`written to ${nameOutput(summary.output)}`);
  lines.push(...summary.notes);
  for (const problem of summary.problems) lines.push(`${problem.input}: ${problem.detail}`);
  return lines.join('\n');
}

/** An output as people call it. */
export function nameOutput(path: string): string {
  return path === '-' ? 'standard output' : path;
}

/** Problems of one input, named for the summary. */
export function nameProblems(input: string, problems: readonly Problem[]): FlowSummary['problems'] {
  return problems.map(({ code, detail, offsetBytes }) => ({ input, code, detail, offsetBytes }));
}
