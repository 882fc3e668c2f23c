/** The reorder window against a sort, and at its limits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createHeaderSlab, headerDoubles, hTime } from './header-slab.ts';
import { ReorderWindow } from './reorder-window.ts';

/** Feeds times (ms) in pieces; gives the times in the order in which they were let go. */
function feed(timesMs: readonly number[], options: ConstructorParameters<typeof ReorderWindow>[0],
  pieceSize = 7): { out: number[]; window: ReorderWindow } {
  const slab = createHeaderSlab(timesMs.length + 1);
  timesMs.forEach((time, slot) => {
    slab.doubles[slot * headerDoubles + hTime] = time * 1000;
  });
  const window = new ReorderWindow(options);
  const ready = new Uint32Array(timesMs.length + options.packetsMax + 2);
  const out: number[] = [];
  const note = (count: number): void => {
    for (let i = 0; i < count;
      i++) out.push((slab.doubles[(ready[i] as number) * headerDoubles + hTime] as number) / 1000);
  };
  for (let first = 0; first < timesMs.length; first += pieceSize) {
    const slots = Uint32Array.from(timesMs.slice(first, first + pieceSize), (_, i) => first + i);
    for (let taken = 0; taken < slots.length; taken = window.takenEnd) {
      note(window.take(slots, taken, slots.length, slab.doubles, ready));
      if (window.takenEnd < slots.length) note(window.restart(ready));
    }
  }
  note(window.restart(ready));
  return { out, window };
}

const wide = { windowMs: 100, packetsMax: 1000, stepMs: 10_000 };

test('packets within the window come out in order', () => {
  const { out, window } = feed([10, 30, 20, 110, 15, 120], wide);
  assert.deepEqual(out, [10, 15, 20, 30, 110, 120]);
  assert.equal(window.lateCount, 0);
});

test('a packet later than the window comes out at once, and is counted', () => {
  const { out, window } = feed([10, 500, 20, 510], wide);
  assert.deepEqual(out, [10, 20, 500, 510]);
  assert.equal(window.lateCount, 0);
  const late = feed([10, 300, 500, 20, 510], wide);
  assert.deepEqual(late.out, [10, 300, 20, 500, 510]);
  assert.equal(late.window.lateCount, 1);
});

test('at the limit of packets the earliest is let go', () => {
  const { out, window } = feed([5, 4, 3, 2, 1], { windowMs: 1000, packetsMax: 2, stepMs: 10_000 }, 1);
  assert.deepEqual(out, [3, 2, 1, 4, 5]);
  assert.equal(window.lateCount, 2);
});

test('a step of the clock lets everything go first', () => {
  const { out } = feed([50_000, 50_001, 5, 6], wide);
  assert.deepEqual(out, [50_000, 50_001, 5, 6]);
});

test('property: disorder within the window is sorted, nothing is lost, in any pieces', () => {
  const times = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 300 });
  fc.assert(fc.property(times, fc.integer({ min: 1, max: 50 }), (jitters, pieceSize) => {
    const timesMs = jitters.map((jitter, i) => i * 10 + jitter);
    const { out, window } = feed(timesMs, wide, pieceSize);
    assert.deepEqual(out, [...timesMs].sort((a, b) => a - b));
    assert.equal(window.lateCount, 0);
  }));
});

test('property: any times come out once each', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 200 }),
    fc.integer({ min: 1, max: 9 }), (timesMs, packetsMax) => {
    const { out } = feed(timesMs, { windowMs: 50, packetsMax, stepMs: 1_000 });
    assert.deepEqual([...out].sort((a, b) => a - b), [...timesMs].sort((a, b) => a - b));
  }));
});

test('time lets packets go that a packet of that time would let go, and a step back is told', () => {
  const slab = createHeaderSlab(8);
  [10, 30, 120].forEach((time, slot) => {
    slab.doubles[slot * headerDoubles + hTime] = time * 1000;
  });
  const window = new ReorderWindow({ windowMs: 100, packetsMax: 4, stepMs: 1_000 });
  const ready = new Uint32Array(8);
  assert.equal(window.passedMicroseconds, -Infinity);
  assert.equal(window.take(Uint32Array.of(0, 1), 0, 2, slab.doubles, ready), 0);
  assert.equal(window.advance(109e3, ready), 0);
  assert.equal(window.advance(110e3, ready), 1);
  assert.equal(ready[0], 0);
  assert.equal(window.passedMicroseconds, 10e3);
  assert.equal(window.heldCount, 1);
  // Time never goes back by less than a step.
  assert.equal(window.advance(50e3, ready), 0);
  assert.equal(window.passedMicroseconds, 10e3);
  assert.equal(window.take(Uint32Array.of(2), 0, 1, slab.doubles, ready), 0);
  assert.equal(window.advance(500e3, ready), 2);
  assert.deepEqual([...ready.subarray(0, 2)], [1, 2]);
  assert.equal(window.lateCount, 0);
  assert.equal(window.advance(-501e3, ready), -1);
});
