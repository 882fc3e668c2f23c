/** Time without packets: flows end by it, and it changes no flow, whenever it is told and by whom they are counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random, type KernelKind } from '#base';
import type { FlowBatch } from '#flow';
import { batchFrames, simulateHome, type CapturedFrame } from '#sim';
import { schema } from '../schema.ts';
import { Meter, meterDefaults, type MeterOptions } from './meter.ts';

/** Every column of every row, as one text. */
function readRows({ columns, rowCount }: FlowBatch): string[] {
  return Array.from({ length: rowCount }, (_, row) => schema.map(({ name }) => {
    const column = columns[name];
    const width = column.length / columns.flowStartMilliseconds.length;
    return `${name}=${column.subarray(row * width, (row + 1) * width).join('.')}`;
  }).join(' '));
}

const homeFrames = [...simulateHome({ seed: 31, durationS: 900 })].map((captured) => ({
  ...captured, timeMicroseconds: Math.round(captured.timeMicroseconds),
}));
const timeoutsMs = { activeTimeoutMs: 5_000, idleTimeoutMs: 4_000 };

/** Frames as a capture brings them: some come late, by less than the reorder window. */
function disorder(frames: readonly CapturedFrame[], seed: number, lateMs: number): CapturedFrame[] {
  const random = new Random(seed);
  return frames.map((frame) => ({ frame, at: frame.timeMicroseconds + random.uniform() * lateMs * 1000 }))
    .sort((a, b) => a.at - b.at).map(({ frame }) => frame);
}

/** Feeds frames in batches; before some of them it is told how late it is, as truthfully as a live capture can. */
function meterInTime(frames: readonly CapturedFrame[], told: ((latestMs: number) => number) | undefined,
  options: Partial<MeterOptions>, batchRows: number): { rows: string[]; meter: Meter } {
  const rows: string[] = [];
  const meter = new Meter(options, (batch) => void rows.push(...readRows(batch)));
  const { reorderWindowMs } = { ...meterDefaults, ...options };
  // What comes from here on is no earlier than this.
  const earliestMs = frames.map((frame) => frame.timeMicroseconds / 1000);
  for (let i = earliestMs.length - 2; i >= 0; i--) {
    earliestMs[i] = Math.min(earliestMs[i] as number, earliestMs[i + 1] as number);
  }
  for (let first = 0; first < frames.length; first += batchRows) {
    if (told !== undefined) meter.advance(told((earliestMs[first] as number) + reorderWindowMs));
    meter.add(batchFrames(frames.slice(first, first + batchRows)));
  }
  meter.end();
  return { rows, meter };
}

for (const kernel of ['wasm', 'none'] as const satisfies readonly KernelKind[]) {
  test(`property: telling the time at any moment changes no flow (${kernel})`, () => {
    const reasons = new Set<string>();
    fc.assert(fc.property(fc.integer(), fc.integer({ min: 1, max: 400 }), fc.constantFrom(0, 300, 1_000),
      (seed, batchRows, lateMs) => {
        const frames = disorder(homeFrames, seed, lateMs);
        const options = { ...timeoutsMs, kernel, reorderWindowMs: lateMs };
        const random = new Random(seed + 1);
        // Mostly as late as it can truthfully be, now and then hardly later than the packets, or not at all.
        const told = (latestMs: number): number => latestMs - random.pick([0, 0, 0, 1, lateMs, lateMs + 1_000]);
        const plain = meterInTime(frames, undefined, options, 1_000);
        const timed = meterInTime(frames, told, options, batchRows);
        const [found, wanted] = [[...timed.rows].sort(), [...plain.rows].sort()];
        const at = found.findIndex((row, i) => row !== wanted[i]);
        assert.equal(found[at], wanted[at]);
        assert.deepEqual(timed.meter.counts(), plain.meter.counts());
        for (const row of plain.rows) reasons.add(/flowEndReason=(\d)/.exec(row)?.[1] ?? '');
      }), { numRuns: 12 });
    // Flows ended in every way that there is: otherwise little was compared.
    assert.deepEqual([...reasons].sort(), ['1', '2', '3', '4']);
  });
}

/** Frames that carry IP: the others never reach a meter. */
function ipFramesOf(frames: readonly CapturedFrame[]): number {
  return batchFrames(frames).rowCount;
}

test('flows end by time alone, in the kernel and in the readable code', () => {
  const frames = homeFrames.slice(0, 400);
  const lastMs = Math.max(...frames.map(({ timeMicroseconds }) => timeMicroseconds)) / 1000;
  for (const kernel of ['wasm', 'none'] as const) {
    const rows: string[] = [];
    const meter = new Meter({ kernel }, (batch) => void rows.push(...readRows(batch)));
    meter.add(batchFrames(frames));
    meter.advance(lastMs);
    const before = rows.length;
    const open = meter.openFlowCount;
    assert.ok(open > 2);
    // The idle timeout, the reorder window, and a millisecond.
    meter.advance(lastMs + 60_000 + 1_000 + 1);
    assert.equal(meter.openFlowCount, 0);
    assert.equal(meter.counts().packets, ipFramesOf(frames));
    assert.ok(rows.length >= before + open);
    assert.ok(rows.every((row) => !row.includes('flowEndReason=4')));
    meter.end();
    assert.equal(rows.length, meter.counts().flows);
  }
});

test('time that steps back ends all flows, as packets that step back do; small steps are no matter', () => {
  const rows: string[] = [];
  const meter = new Meter({}, (batch) => void rows.push(...readRows(batch)));
  const frames = homeFrames.slice(0, 200);
  meter.add(batchFrames(frames));
  const lastMs = (frames.at(-1) as CapturedFrame).timeMicroseconds / 1000;
  meter.advance(lastMs - 50_000);
  assert.equal(meter.counts().clockSteps, 0);
  const open = meter.openFlowCount;
  assert.ok(open > 0);
  meter.advance(lastMs - 3_600_000);
  assert.equal(meter.counts().clockSteps, 1);
  assert.equal(meter.openFlowCount, 0);
  assert.equal(meter.counts().packets, ipFramesOf(frames));
  meter.add(batchFrames(frames.map((frame) => ({ ...frame, timeMicroseconds: frame.timeMicroseconds - 3.6e9 }))));
  meter.end();
  assert.equal(meter.counts().clockSteps, 1);
  assert.equal(meter.counts().packets, 2 * ipFramesOf(frames));
});
