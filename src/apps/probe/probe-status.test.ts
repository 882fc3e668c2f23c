/** What a probe says of itself: the summary, the line, what is wrong and for how long, and the metrics. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counts, VirtualClock, type ProblemCode } from '#base';
import { createNoneNamer } from '#flow';
import { batchFrames } from '#sim';
import type { ExportOutletCounts } from './export-outlet.ts';
import type { PacketSource, SourceCounts } from './packet-source.ts';
import { createProbeMetrics, probeMetricDefinitions } from './probe-metrics.ts';
import { formatProbe, ProbeWatch } from './probe-status.ts';
import { Probe } from './probe.ts';

type Live = NonNullable<SourceCounts['live']>;

/** A watched probe at an interface whose counts the test sets. */
async function watch(): Promise<{ clock: VirtualClock; live: { -readonly [K in keyof Live]: Live[K] };
  sent: { -readonly [K in keyof ExportOutletCounts]: ExportOutletCounts[K] }; watched: ProbeWatch; }> {
  const clock = new VirtualClock(1_000);
  const live = {
    kernelPackets: 0, kernelDrops: 0, ringFreezes: 0, vlanRestored: 0, cutFrames: 0, joinedFrames: 0,
    interfaceLosses: 0, state: 'up' as Live['state'],
  };
  const sent = {
    to: '192.0.2.9:4739', transport: 'tcp' as const, format: 'IPFIX' as const, flows: 0, records: 0, sentRecords: 0,
    lostRecords: 0, waitingRecords: 0, messages: 0, bytes: 0, isConnected: true, connections: 1,
    lastFailure: undefined as string | undefined,
  };
  const source: PacketSource = {
    name: 'eth0', isTimed: true, problems: [], nowMs: () => clock.nowMs(), stop: () => undefined,
    close: async () => undefined,
    async *batches() { yield batchFrames([]); },
    counts: () => ({ frames: live.kernelPackets - live.kernelDrops, rows: live.kernelPackets - live.kernelDrops,
      rejected: new Counts<ProblemCode>(), live: { ...live } }),
  };
  const probe = await Probe.open({ meter: {}, sampling: undefined, seed: 1 },
    { openSource: () => source, openNamer: async (emit) => createNoneNamer(emit), onFlows: () => undefined, clock });
  const watched = new ProbeWatch({ probe, sampling: { way: 'random', interval: 10 }, exportCounts: () => ({ ...sent }),
    output: undefined, detector: undefined, clock });
  return { clock, live, sent, watched };
}

const codes = (watched: ProbeWatch): string[] => watched.status().health.map(({ code }) => code);

test('what is wrong is said, and for a minute after it was', async () => {
  const { clock, live, sent, watched } = await watch();
  assert.deepEqual(codes(watched), []);
  live.kernelDrops = 5;
  assert.deepEqual(codes(watched), ['kernel-drops']);
  clock.advance(59_000);
  assert.deepEqual(codes(watched), ['kernel-drops']);
  clock.advance(2_000);
  assert.deepEqual(codes(watched), []);
  live.state = 'away';
  sent.isConnected = false;
  sent.lastFailure = 'Sending to 192.0.2.9:4739: nobody listens there.';
  assert.deepEqual(codes(watched), ['interface-lost', 'export-failing']);
  assert.match(watched.status().health[1]?.detail ?? '', /nobody listens/);
  live.state = 'up';
  sent.isConnected = true;
  sent.lostRecords = 3;
  assert.deepEqual(codes(watched), ['export-failing']);
});

test('the line tells what came since the line before, the summary of all', async () => {
  const { clock, live, sent, watched } = await watch();
  live.kernelPackets = 30_000;
  clock.advance(10_000);
  assert.match(watched.line(),
    /^natlens: eth0: 3,000 packets\/s, 0 flows\/s, 0 open, 0 dropped by the kernel, 0 records/);
  live.kernelPackets = 31_000;
  Object.assign(live, { kernelDrops: 10, vlanRestored: 7, joinedFrames: 2, interfaceLosses: 1, state: 'down' });
  Object.assign(sent, { records: 20, sentRecords: 12, lostRecords: 5, waitingRecords: 3, isConnected: false });
  clock.advance(10_000);
  assert.match(watched.line(), /99 packets\/s.* 12 records sent to 192\.0\.2\.9:4739, 3 wait, 5 LOST, NOT CONNECTED, /);
  const text = formatProbe(watched.status(), ['a note']);
  for (const part of ['30,990 packets of eth0 in 20.0 s', 'of 31,000 that the kernel saw: 10 dropped by the kernel, ' +
    '7 VLAN tags restored, the interface was lost 1 times', 'ethtool -K eth0', 'sampled 1:10 (random)',
    'as IPFIX by TCP',
  'a note']) assert.ok(text.includes(part), `${part} is not in:\n${text}`);
});

test('metrics: all that is known, by names of their own', async () => {
  const { live, sent, watched } = await watch();
  Object.assign(live, { kernelPackets: 100, kernelDrops: 4 });
  sent.lostRecords = 9;
  const text = await createProbeMetrics().format(watched.status());
  assert.match(text, /^natlens_probe_frames_total 96$/m);
  assert.match(text, /^natlens_probe_kernel_drops_total 4$/m);
  assert.match(text, /^natlens_probe_export_records_lost_total 9$/m);
  assert.match(text, /^natlens_probe_unhealthy\{reason="kernel-drops"\} 1$/m);
  assert.equal(new Set(probeMetricDefinitions.map(({ name }) => name)).size, probeMetricDefinitions.length);
});
