/** Simulated exporters and networks: every flow is sent or said not to be, restarts and clocks are in the bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { ExportDecoder, type ExportCounts, type FlowBatch } from '#flow';
import { batchOf, makeFlows } from '../../test/support/labelled-flows.ts';
import { exportDay, type ExportedMessage, type ExporterDay } from './exporter-day.ts';
import { sendThrough } from './lossy-network.ts';

const startMs = 1_600_000_000_000;
const hourMs = 3_600_000;
const flows = batchOf(makeFlows(300, 5).map((flow, i) => ({ ...flow, startMs: startMs + i * 24_000 })));
const restart = { atMs: startMs + hourMs, downMs: 90_000 };
const aheadMs = 7 * hourMs;

function open(more: Partial<ExporterDay> = {}): ReturnType<typeof exportDay> {
  return exportDay(flows, {
    version: 10, isOneWay: false, startMs, endMs: startMs + 2 * hourMs + 60_000, restarts: [restart],
    templateEveryMs: 300_000, holdMsMax: 40_000,
    clockAhead: (ms) => (ms > startMs + 1.5 * hourMs ? aheadMs : 0), ...more,
  }, new Random(3));
}

function decode(messages: readonly ExportedMessage[]): { counts: ExportCounts; endsMs: number[] } {
  const endsMs: number[] = [];
  const decoder = new ExportDecoder({}, ({ columns, rowCount }: FlowBatch) => {
    for (let row = 0; row < rowCount; row++) endsMs.push(columns.flowEndMilliseconds[row] as number);
  });
  for (const { bytes, sentMs } of messages) decoder.decode({ bytes, exporter: [0, 0, 0xffff, 1], receivedMs: sentMs });
  decoder.end();
  return { counts: decoder.counts(), endsMs };
}

for (const version of [9, 10] as const) {
  test(`version ${version}: what a decoder reads is what was sent, with a restart and a clock that was set`, () => {
    const { messages, unsentRows } = open({ version });
    const sent = messages.flatMap(({ records }) => records.map(({ row }) => row));
    assert.deepEqual([...sent, ...unsentRows].sort((a, b) => a - b),
      Array.from({ length: flows.rowCount }, (_, i) => i));
    assert.ok(unsentRows.length >= 3, 'the restart costs what was held, and what nobody saw');
    const { counts, endsMs } = decode(messages);
    const expectedMs = messages.flatMap(({ records, clockAheadMs }) => records.map(({ row }) =>
      (flows.columns.flowEndMilliseconds[row] as number) + clockAheadMs));
    assert.deepEqual(endsMs, expectedMs);
    assert.ok(endsMs.some((ms) => ms > startMs + aheadMs));
    const [exporter] = counts.exporters;
    assert.deepEqual([exporter?.restarts, exporter?.lostUnits, exporter?.reordered], [1, 0, 0]);
    assert.equal(exporter?.templates, 8, 'four of each run, under other ids');
    assert.ok(messages.filter(({ hasTemplates }) => hasTemplates).length > 15);
  });
}

test('one-way: two records for each flow, which turned round say the same', () => {
  const { messages } = open({ isOneWay: true });
  const records = messages.flatMap((message) => message.records);
  assert.equal(records.filter(({ direction }) => direction === 'forward').length,
    records.filter(({ direction }) => direction === 'reverse').length);
  assert.equal(decode(messages).counts.flows, records.length);
});

test('the same seed is the same day', () => {
  assert.deepEqual(open(), open());
});

test('a network: what is certain happens, the rest by chance, and each datagram comes, or is lost', () => {
  const { messages } = open();
  const way = {
    lostShare: 0.2, copiedShare: 0.2, delayedShare: 0.3, delayMsMax: 60_000,
    outages: [{ fromMs: startMs, untilMs: startMs + 600_000 }],
    fateOf: ({ index, run }: ExportedMessage) => [5_000, Infinity, undefined][run === 1 ? index : 2],
  };
  const { arrivals, lost } = sendThrough(messages, way, new Random(1));
  const first = arrivals.filter(({ isCopy }) => !isCopy);
  assert.deepEqual(new Set([...first.map(({ message }) => message), ...lost]), new Set(messages));
  assert.equal(first.length + lost.length, messages.length);
  assert.ok(lost.length > 20 && arrivals.length - first.length > 10);
  assert.ok(arrivals.every(({ atMs, message }, i) => atMs > message.sentMs && atMs >= (arrivals[i - 1]?.atMs ?? 0)));
  assert.ok(first.every(({ message: { sentMs } }) => sentMs >= startMs + 600_000), 'nothing comes through an outage');
  assert.ok(first.some(({ message }, i) => message.index < (first[i - 1]?.message.index ?? 0)), 'some overtake others');
  const [announced, second] = messages.filter(({ run }) => run === 1);
  const cameMs = first.find(({ message }) => message === announced)?.atMs ?? 0;
  assert.equal(Math.floor((cameMs - restart.atMs - restart.downMs) / 1_000), 5);
  assert.ok(lost.includes(second as ExportedMessage));
});
