/** Slopes and classes of identifications: each kernel is known by its steps, and devices of one kernel are not told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeIdentifiedHome, type HostOptions, type Numbering } from '../../../test/support/identified-homes.ts';
import type { DeviceTrace } from './device-trace.ts';
import { gatherIncrements } from './ipid-increments.ts';
import {
  chanceOf, classify, fitSlope, idClasses, learnSignature, matchSignature, stepsMin, tickRates, weighClasses,
  type IdClass,
} from './ipid-slope.ts';

const traceOf = (numbering: Numbering, seed: number, rest: Omit<HostOptions, 'numbering' | 'seed'> = {}): DeviceTrace =>
  makeIdentifiedHome([{ numbering, seed, ...rest }]);

const kernels: readonly (readonly [Numbering, IdClass, number])[] = [
  [{ kind: 'zero' }, 'zero', 0],
  [{ kind: 'perDestination' }, 'counter', Number.NaN],
  [{ kind: 'global' }, 'busyCounter', Number.NaN],
  [{ kind: 'random' }, 'random', Number.NaN],
  ...tickRates.map((ticksPerSecond) =>
    [{ kind: 'linux', ticksPerSecond }, `ticks${ticksPerSecond}`, ticksPerSecond / 2] as const),
  ...tickRates.map((ticksPerSecond) =>
    [{ kind: 'clock', ticksPerSecond }, `clock${ticksPerSecond}`, ticksPerSecond] as const),
];

test('every class is known by the queries of two hours, and its slope by those of six devices', () => {
  for (const [numbering, idClass, slope] of kernels) {
    const traces = [1, 2, 3, 4, 5, 6].map((seed) => traceOf(numbering, seed));
    for (const trace of traces) {
      const signature = learnSignature([trace], { queriesOnly: true });
      assert.equal(signature.idClass, idClass, JSON.stringify({ numbering, signature }));
    }
    const ofAll = learnSignature(traces, { queriesOnly: true });
    const isNear = Number.isNaN(slope) || Math.abs(ofAll.slope - slope) <= 0.08 * slope;
    assert.ok(isNear, JSON.stringify({ numbering, ofAll }));
  }
});

test('all packets of a host tell its global counter: its steps are 1', () => {
  const { idClass, nextShare } = learnSignature([traceOf({ kind: 'global' }, 4)], { per: 'host' });
  assert.equal(idClass, 'counter');
  assert.equal(nextShare, 1);
  const linux = learnSignature([traceOf({ kind: 'linux', ticksPerSecond: 250 }, 4)], { per: 'host' });
  assert.notEqual(linux.idClass, 'counter');
});

test('the slope names the kernel, not the device model', () => {
  // Three device models that behave differently, two of them on one kernel.
  const linux: Numbering = { kind: 'linux', ticksPerSecond: 250 };
  const traces: Record<string, DeviceTrace> = {
    'webcam.Test.A': traceOf(linux, 11, { questionMeanMs: 15_000, packetsMax: 60 }),
    'plug.Test.B': traceOf(linux, 12, { questionMeanMs: 40_000, packetsMax: 5 }),
    'hub.Test.C': traceOf({ kind: 'linux', ticksPerSecond: 100 }, 13),
  };
  const signatures = new Map(Object.entries(traces).map(([deviceModel, trace]) =>
    [deviceModel, learnSignature([trace], { queriesOnly: true })]));
  assert.deepEqual([...signatures].map(([deviceModel, { idClass }]) => [deviceModel, idClass]),
    [['webcam.Test.A', 'ticks250'], ['plug.Test.B', 'ticks250'], ['hub.Test.C', 'ticks100']]);
  const matchOf = (model: string, packets: string): string => matchSignature(
    signatures.get(model) as NonNullable<ReturnType<typeof signatures.get>>,
    weighClasses(gatherIncrements(traces[packets] as DeviceTrace, { queriesOnly: true }))).outcome;
  assert.equal(matchOf('webcam.Test.A', 'plug.Test.B'), 'fits');
  assert.equal(matchOf('plug.Test.B', 'webcam.Test.A'), 'fits');
  assert.equal(matchOf('webcam.Test.A', 'hub.Test.C'), 'vetoed');
  assert.equal(matchOf('hub.Test.C', 'webcam.Test.A'), 'vetoed');
});

test('a veto speaks against every other kernel, and hardly ever against its own', () => {
  const signatures = new Map(kernels.map(([numbering, idClass]) =>
    [idClass, learnSignature([traceOf(numbering, 21)], { queriesOnly: true })]));
  const wrong: string[] = [];
  for (const [numbering, idClass] of kernels) {
    for (const seed of [31, 32, 33]) {
      const increments = gatherIncrements(traceOf(numbering, seed, { durationMs: 3_600_000 }), { queriesOnly: true });
      for (const [learned, signature] of signatures) {
        const { outcome } = matchSignature(signature, weighClasses(increments));
        if (outcome !== (learned === idClass ? 'fits' : 'vetoed')) wrong.push(`${learned} of ${idClass}: ${outcome}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('a small random step for each packet is a class of its own, and what fits no class has none', () => {
  const trace = traceOf({ kind: 'randomStep' }, 7);
  assert.equal(learnSignature([trace], { per: 'host' }).idClass, 'randomStep');
  // Two steps in three are 1, and every third is 300: a counter but for far too many strays.
  const ids = Array.from({ length: 300 }, (_, i) => i + 300 * Math.floor(i / 3));
  assert.equal(learnSignature([stepsOf(ids.map((_, i) => i), ids)]).idClass, undefined);
});

test('a busy counter stays far below the ticks, and numbers that do not fill their range are not random', () => {
  // Bursts of queries: steps of a few, in times of 20 to 100 ticks. Linux would have drawn larger ones, too.
  const ids: number[] = [];
  const times: number[] = [];
  for (let i = 0; i < 400; i++) {
    ids.push((ids[i - 1] ?? 0) + (i % 7 === 0 ? 40 : 2 + i % 9));
    times.push((times[i - 1] ?? 0) + (i % 7 === 0 ? 45_000 : 200 + 70 * (i % 11)));
  }
  assert.equal(classify(gatherIncrements(stepsOf(times, ids))), 'busyCounter');
  const low = Array.from({ length: 200 }, (_, i) => i % 2 === 0 ? 7_000 + 13 * i : 40_000 - 17 * i);
  assert.equal(classify(gatherIncrements(stepsOf(low.map((_, i) => 5_000 * i), low))), undefined);
});

test('few steps say nothing', () => {
  const short = traceOf({ kind: 'perDestination' }, 5, { durationMs: 60_000, questionMeanMs: 30_000 });
  const increments = gatherIncrements(short, { queriesOnly: true });
  assert.ok(increments.step.length < stepsMin);
  assert.equal(classify(increments), undefined);
  const signature = learnSignature([traceOf({ kind: 'zero' }, 6)]);
  assert.equal(matchSignature(signature, weighClasses(increments)).outcome, 'undecided');
  assert.equal(learnSignature([]).idClass, undefined);
});

/** Packets to one destination. */
function stepsOf(times: readonly number[], ids: readonly number[]): DeviceTrace {
  const zeros = new Uint32Array(ids.length);
  return { timeMs: Float64Array.from(times), ipId: Uint16Array.from(ids), destination: zeros, name: zeros,
    flow: zeros };
}

test('steps go over the wrap, not over pauses, and a slope stands a fifth of strays', () => {
  const { step, gapMs, begins } = gatherIncrements(stepsOf([0, 1_000, 2_000, 90_000, 91_000], [65_530, 4, 14, 9, 19]));
  assert.deepEqual([[...step], [...gapMs], [...begins]], [[10, 10, 10], [1_000, 1_000, 1_000], [1, 0, 1]]);
  const times = Array.from({ length: 100 }, (_, i) => i * 1_000);
  const slope = (ids: readonly number[]): number => fitSlope(gatherIncrements(stepsOf(times, ids))).slope;
  assert.equal(slope(times.map((_, i) => (65_000 + 50 * i) % 65_536)), 50);
  // Bursts of another process push the counter on by thousands, one packet in twenty.
  const pushed = slope(times.map((_, i) => (50 * i + 700 * Math.floor(i / 20)) % 65_536));
  assert.ok(pushed >= 50 && pushed < 90, String(pushed));
});

test('the chances of a class add up to one', () => {
  for (const idClass of idClasses.filter((name) => name !== 'zero')) {
    let sum = 0;
    for (let step = 0; step < 65_536; step++) sum += chanceOf(idClass, step, 4_000, false);
    assert.ok(Math.abs(sum - 1) < 0.06, `${idClass}: ${sum}`);
  }
});
