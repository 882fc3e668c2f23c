/** What a probe has done so far, as plain data for `--json` and metrics, and as lines for people. */
import { cpuSeconds, formatBytes, formatCount, formatDuration, readVersion, systemClock, type Clock } from '#base';
import type { InterfaceState } from '#capture/live';
import type { Sampling } from '#flow';
import type { ExportOutletCounts } from './export-outlet.ts';
import type { Probe } from './probe.ts';

export type ProbeHealthCode = 'interface-lost' | 'kernel-drops' | 'export-failing';

/** Documented in docs/commands/probe.md. */
export type ProbeStatus = {
  readonly source: string;
  readonly seconds: number;
  readonly health: readonly { readonly code: ProbeHealthCode; readonly detail: string }[];
  /** Frames = packets + those rejected before the meter. */
  readonly frames: number;
  /** Null for files. `dropped` are those for which the kernel had no room, beside `frames`. */
  readonly kernel: {
    readonly packets: number; readonly dropped: number; readonly ringFreezes: number; readonly vlanRestored: number;
    readonly cutFrames: number; readonly joinedFrames: number; readonly interfaceLosses: number;
    readonly state: InterfaceState;
  } | null;
  /** frames = meteredPackets + unsampledPackets + sum of `rejected`. */
  readonly meteredPackets: number;
  readonly unsampledPackets: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly octets: number;
  /** Ended, and open now. */
  readonly flows: number;
  readonly openFlows: number;
  readonly flowsEndedForRoom: number;
  readonly latePackets: number;
  readonly clockSteps: number;
  readonly unresolvedFragments: number;
  readonly sampling: Sampling | null;
  readonly l7: { readonly source: string; readonly version: string; readonly counts: Readonly<Record<string, number>> };
  readonly export: ExportOutletCounts | null;
  /** Flows that were written to a file, or handed to the detector. */
  readonly output: string | null;
  readonly detector: string | null;
  readonly versions: { readonly natlens: string; readonly node: string };
  readonly residentBytes: number;
  readonly cpuSeconds: number;
};

export type StatusParts = {
  readonly probe: Probe;
  readonly sampling: Sampling | undefined;
  readonly exportCounts: () => ExportOutletCounts | undefined;
  readonly output: string | undefined;
  readonly detector: string | undefined;
  readonly clock?: Clock;
};

/** What was wrong within this time still is. */
const recentMs = 60_000;

/** Looks at a probe now and then: what is wrong shows in what has changed. */
export class ProbeWatch {
  readonly #parts: StatusParts;
  readonly #clock: Clock;
  readonly #startMs: number;
  #drops = 0;
  #dropsMs = -Infinity;
  #lost = 0;
  #lostMs = -Infinity;
  #last: { ms: number; frames: number; flows: number } | undefined;

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#startMs = this.#clock.monotonicMs();
  }

  status(): ProbeStatus {
    const { probe, sampling, exportCounts, output, detector } = this.#parts;
    const { source, unsampled, meter, openFlows, l7 } = probe.counts();
    const sent = exportCounts() ?? null;
    const rejected = source.rejected.toJSON();
    for (const [code, count] of Object.entries(meter.rejected.toJSON())) rejected[code] = (rejected[code] ?? 0) + count;
    const { live } = source;
    return {
      source: probe.source.name,
      seconds: (this.#clock.monotonicMs() - this.#startMs) / 1_000,
      health: this.#judge(live?.kernelDrops ?? 0, live?.state ?? 'up', sent),
      frames: source.frames,
      kernel: live === undefined ? null : {
        packets: live.kernelPackets, dropped: live.kernelDrops, ringFreezes: live.ringFreezes,
        vlanRestored: live.vlanRestored, cutFrames: live.cutFrames, joinedFrames: live.joinedFrames,
        interfaceLosses: live.interfaceLosses,
        state: live.state,
      },
      meteredPackets: meter.packets, unsampledPackets: unsampled, rejected, octets: meter.octets,
      flows: meter.flows, openFlows, flowsEndedForRoom: meter.flowsEndedForRoom, latePackets: meter.latePackets,
      clockSteps: meter.clockSteps, unresolvedFragments: meter.unresolvedFragments,
      sampling: sampling ?? null,
      l7: { source: probe.namer.source, version: probe.namer.version, counts: l7 },
      export: sent, output: output ?? null, detector: detector ?? null,
      versions: { natlens: readVersion(), node: process.version },
      residentBytes: process.memoryUsage.rss(), cpuSeconds: cpuSeconds(),
    };
  }

  /** One line: what came since the line before. */
  line(): string {
    const status = this.status();
    const nowMs = this.#clock.monotonicMs();
    const last = this.#last ?? { ms: this.#startMs, frames: 0, flows: 0 };
    this.#last = { ms: nowMs, frames: status.frames, flows: status.flows };
    const seconds = Math.max((nowMs - last.ms) / 1_000, 1e-3);
    const parts = [
      `${formatCount((status.frames - last.frames) / seconds)} packets/s`,
      `${formatCount((status.flows - last.flows) / seconds)} flows/s`, `${formatCount(status.openFlows)} open`,
    ];
    if (status.kernel !== null) parts.push(`${formatCount(status.kernel.dropped)} dropped by the kernel`);
    if (status.export !== null) parts.push(describeExport(status.export));
    if (status.kernel !== null && status.kernel.state !== 'up') parts.push(`the interface is ${status.kernel.state}`);
    return `natlens: ${status.source}: ${parts.join(', ')}`;
  }

  #judge(drops: number, state: InterfaceState, sent: ExportOutletCounts | null): ProbeStatus['health'] {
    const nowMs = this.#clock.monotonicMs();
    if (drops > this.#drops) this.#dropsMs = nowMs;
    if (sent !== null && sent.lostRecords > this.#lost) this.#lostMs = nowMs;
    this.#drops = drops;
    this.#lost = sent?.lostRecords ?? 0;
    const health: { code: ProbeHealthCode; detail: string }[] = [];
    if (state !== 'up') health.push({ code: 'interface-lost', detail: `The interface is ${state}.` });
    if (nowMs - this.#dropsMs < recentMs) health.push({ code: 'kernel-drops',
      detail: `The kernel had no room for ${drops} packets so far.` });
    if (nowMs - this.#lostMs < recentMs || sent?.isConnected === false) health.push({ code: 'export-failing',
      detail: sent?.lastFailure ?? 'The collector is not connected.' });
    return health;
  }
}

function describeExport({ to, sentRecords, lostRecords, waitingRecords, isConnected }: ExportOutletCounts): string {
  const parts = [`${formatCount(sentRecords)} records sent to ${to}`];
  if (waitingRecords > 0) parts.push(`${formatCount(waitingRecords)} wait`);
  if (lostRecords > 0) parts.push(`${formatCount(lostRecords)} LOST`);
  if (isConnected === false) parts.push('NOT CONNECTED');
  return parts.join(', ');
}

/** The summary for people. @param notes  further sentences */
export function formatProbe(status: ProbeStatus, notes: readonly string[]): string {
  const { kernel, l7 } = status;
  const took = formatDuration(status.seconds * 1_000);
  const lines = [`${formatCount(status.frames)} packets of ${status.source} in ${took}: ` +
    `${formatCount(status.meteredPackets)} metered into ${formatCount(status.flows)} flows, ` +
    `${formatBytes(status.octets)} of IP`];
  if (kernel !== null) {
    const more = [`${formatCount(kernel.dropped)} dropped by the kernel`];
    if (kernel.vlanRestored > 0) more.push(`${formatCount(kernel.vlanRestored)} VLAN tags restored`);
    if (kernel.cutFrames > 0) more.push(`${formatCount(kernel.cutFrames)} frames cut`);
    if (kernel.interfaceLosses > 0) more.push(`the interface was lost ${formatCount(kernel.interfaceLosses)} times`);
    lines.push(`of ${formatCount(kernel.packets)} that the kernel saw: ${more.join(', ')}`);
    if (kernel.joinedFrames > 0) lines.push(`${formatCount(kernel.joinedFrames)} frames are several packets that the ` +
      `card joined: for exact counts of packets ethtool -K ${status.source} gro off lro off gso off tso off`);
  }
  if (status.sampling !== null) {
    lines.push(`sampled 1:${formatCount(status.sampling.interval)} (${status.sampling.way}): ` +
      `${formatCount(status.unsampledPackets)} left out`);
  }
  const rejected = Object.entries(status.rejected).map(([code, count]) => `${formatCount(count)} ${code}`);
  if (rejected.length > 0) lines.push(`rejected: ${rejected.join(', ')}`);
  const odd: readonly [number, string][] = [
    [status.latePackets, 'packets came too late to be put in order'], [status.clockSteps, 'steps back of the clock'],
    [status.unresolvedFragments, 'fragments without their first'],
    [status.flowsEndedForRoom, 'flows ended because the table was full'],
  ];
  const told = odd.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  if (told.length > 0) lines.push(told.join('; '));
  const named = Object.entries(l7.counts).map(([name, count]) => `${formatCount(count)} ${name}`).join(', ');
  const version = l7.version === '' ? '' : ` (${l7.version})`;
  lines.push(`layer-7 names: ${l7.source}${version}${named === '' ? '' : `: ${named}`}`);
  if (status.export !== null) {
    const { format, transport, messages, bytes, lastFailure } = status.export;
    lines.push(`${describeExport(status.export)} as ${format} by ${transport.toUpperCase()}: ` +
      `${formatCount(messages)} ${transport === 'tcp' ? 'messages' : 'datagrams'}, ${formatBytes(bytes)}`);
    if (lastFailure !== undefined) lines.push(lastFailure);
  }
  return [...lines, ...notes].join('\n');
}
