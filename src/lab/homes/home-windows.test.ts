/** The sweep over composed homes, against the definition worked out minute by minute. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noToken } from '#evidence';
import type { ComposedHome } from './compose-homes.ts';
import { gatherTokens, HomeWindows, type FlowTokens, type WindowScore } from './home-windows.ts';
import { createCosine, createFlowCount, createHighest, createWeightSum } from '../baseline/window-scores.ts';
import { ownFloorOf, ownWindowScores } from './own-windows.ts';
import type { Recording } from './recording.ts';

const minuteMs = 60_000;
const options = { windowMs: 5 * minuteMs, bucketMs: minuteMs, horizonsMs: [10 * minuteMs, 40 * minuteMs] };
const weights = [1.5, 0.25, 4, 2];

function recordingOf(endMs: readonly number[], startMs: readonly number[] = endMs): Recording {
  const times = Float64Array.from(endMs);
  return {
    unit: { device: 'unit', deviceModel: 'model', kind: 'iot' }, startMs: Float64Array.from(startMs), endMs: times,
    row: Uint32Array.from(times, (_, i) => i), sessions: [{ first: 0, end: times.length }], isContinuous: true,
  };
}

type Shown = { readonly atMs: number; readonly token: number };

/** Of each horizon the strongest window that ends with a bucket from 0 on in which a flow with a token ended. */
function byDefinition(events: readonly Shown[]): number[] {
  return options.horizonsMs.map((horizonMs) => Math.max(0, ...events.map(({ atMs }) => {
    const last = Math.floor(atMs / minuteMs);
    if (last < 0 || last >= horizonMs / minuteMs) return 0;
    const shown = new Set(events.filter((other) => {
      const bucket = Math.floor(other.atMs / minuteMs);
      return bucket <= last && bucket > last - options.windowMs / minuteMs;
    }).map(({ token }) => token));
    return [...shown].reduce((sum, token) => sum + (weights[token] as number), 0);
  })));
}

const flow = fc.record({
  atMs: fc.integer({ min: -6 * minuteMs, max: 45 * minuteMs }), token: fc.integer({ min: 0, max: 4 }),
});

test('the strongest window is that of the definition, whatever the flows and however they are placed', () => {
  const windows = new HomeWindows(options);
  fc.assert(fc.property(fc.array(flow, { maxLength: 60 }), fc.array(flow, { maxLength: 30 }), (one, other) => {
    const parts = [one, other].map((flows, i) => {
      const sorted = flows.toSorted((a, b) => a.atMs - b.atMs);
      const shiftMs = -1e12 * (i + 1);
      const recording = recordingOf(sorted.map(({ atMs }) => atMs - shiftMs));
      const tokens = gatherTokens(recording, Uint32Array.from(sorted, ({ token }) => token === 4 ? noToken : token));
      return { placement: { recording, first: 0, end: sorted.length, shiftMs }, tokens };
    });
    const home: ComposedHome = { placements: parts.map(({ placement }) => placement), devices: 2, flowsADay: 0 };
    const out = new Float64Array(2);
    const tokensOf = (recording: Recording): FlowTokens =>
      (parts.find(({ placement }) => placement.recording === recording) as (typeof parts)[number]).tokens;
    windows.measure(home, tokensOf, createWeightSum(weights), out);
    assert.deepEqual([...out], byDefinition([...one, ...other].filter(({ token }) => token !== 4)));
  }), { numRuns: 500 });
});

/** Packets of a home that has flows `first` up to `end` of a recording, as the definition has them. */
function placePackets(
  packets: readonly Shown[], { startMs, endMs }: Pick<Recording, 'startMs' | 'endMs'>,
  { first, end, leadMs, shiftMs }: Readonly<Record<'first' | 'end' | 'leadMs' | 'shiftMs', number>>,
): Shown[] {
  if (first === end) return [];
  const startsAtMs = startMs[first] as number;
  return packets.filter(({ atMs }) => atMs >= startsAtMs - leadMs && Math.floor(atMs) <= (endMs[end - 1] as number))
    .map(({ atMs, token }) => ({ atMs: Math.max(atMs, startsAtMs) + shiftMs, token }));
}

test('packets shortly before the first flow come when it starts; none come after the last one\'s millisecond', () => {
  const recording = recordingOf([10, 20, 30, 40].map((minute) => minute * minuteMs + 5_000),
    [10, 20, 30, 40].map((minute) => minute * minuteMs));
  const shiftMs = -20 * minuteMs;
  const strongestOf = (timeMs: readonly number[]): number[] => {
    const tokens: FlowTokens = {
      endMs: Float64Array.from(timeMs), token: Uint32Array.from(timeMs, (_, i) => i), leadMs: 5_000,
    };
    const out = new Float64Array(2);
    const home: ComposedHome = { placements: [{ recording, first: 1, end: 3, shiftMs }], devices: 1, flowsADay: 0 };
    new HomeWindows(options).measure(home, () => tokens, createWeightSum(weights), out);
    return [...out];
  };
  const [startMs, lastMs] = [20 * minuteMs, 30 * minuteMs + 5_000];
  // The first is out, the second counts with the third: all in the first minute of the home.
  assert.deepEqual(strongestOf([startMs - 5_000.5, startMs - 5_000, startMs + 0.25]), [4.25, 4.25]);
  assert.deepEqual(strongestOf([lastMs + 0.999]), [0, 1.5]);
  assert.deepEqual(strongestOf([lastMs + 1]), [0, 0]);
});

test('packets are those of the definition, whatever the flows and wherever they are placed', () => {
  const windows = new HomeWindows(options);
  const time = fc.oneof(fc.integer({ min: 0, max: 40 * minuteMs }), fc.integer({ min: 0, max: 40 }).map((minute) =>
    minute * minuteMs));
  const packet = fc.tuple(time, fc.constantFrom(0, 0.001, 0.5, 0.999), fc.nat(3))
    .map(([atMs, fraction, token]): Shown => ({ atMs: 1e12 + atMs + fraction, token }));
  const ended = fc.tuple(time, fc.integer({ min: 0, max: 3 * minuteMs }));
  fc.assert(fc.property(fc.array(ended, { minLength: 1, maxLength: 12 }), fc.array(packet, { maxLength: 40 }),
    fc.nat(12), fc.nat(12), fc.constantFrom(0, 5_000, minuteMs), time, (flows, packets, one, other, leadMs, shift) => {
      const sorted = flows.toSorted(([a], [b]) => a - b);
      const recording = recordingOf(sorted.map(([endMs]) => 1e12 + endMs),
        sorted.map(([endMs, lengthMs]) => 1e12 + endMs - lengthMs));
      const [first, end] = [Math.min(one, other, flows.length), Math.min(Math.max(one, other), flows.length)];
      const shiftMs = -1e12 - shift;
      const events = packets.toSorted((a, b) => a.atMs - b.atMs);
      const tokens: FlowTokens = {
        endMs: Float64Array.from(events, ({ atMs }) => atMs), token: Uint32Array.from(events, ({ token }) => token),
        leadMs,
      };
      const out = new Float64Array(2);
      windows.measure({ placements: [{ recording, first, end, shiftMs }], devices: 1, flowsADay: 0 }, () => tokens,
        createWeightSum(weights), out);
      assert.deepEqual([...out], byDefinition(placePackets(events, recording, { first, end, leadMs, shiftMs })));
    }), { numRuns: 500 });
});

test('what comes and goes leaves nothing: every score of an emptied window is 0', () => {
  const scores: (() => WindowScore)[] = [
    () => createWeightSum(weights), createFlowCount, () => createHighest(4),
    () => createCosine({
      profile: Float64Array.of(0.5, 0.5, 0.5, 0.5), idf: Float64Array.of(1, 2, 1, 1), weighCount: (count) => count,
    }),
  ];
  for (const create of scores) {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1 }), (tokens) => {
      const score = create();
      for (const token of tokens) score.add(token);
      assert.ok(score.read() > 0);
      for (const token of tokens) score.remove(token);
      assert.equal(score.read(), 0);
    }));
  }
});

test('scores: distinct tokens, flows, the highest, the angle', () => {
  const read = (score: WindowScore, tokens: readonly number[]): number => {
    score.clear();
    for (const token of tokens) score.add(token);
    return score.read();
  };
  assert.equal(read(createWeightSum(weights), [0, 0, 2]), 5.5);
  assert.equal(read(createFlowCount(), [0, 0, 2]), 3);
  assert.equal(read(createHighest(4), [0, 0, 2]), 3);
  const cosine = createCosine({
    profile: Float64Array.of(0.6, 0.8), idf: Float64Array.of(1, 1), weighCount: (count) => count,
  });
  assert.equal(read(cosine, [0]), 0.6);
  assert.ok(Math.abs(read(cosine, [0, 1]) - 1.4 / Math.SQRT2) < 1e-9);
});

test('own windows: as many as fit into a session, and the floor is a share of what nearly all reach', () => {
  const recording = recordingOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((minute) => 1e9 + minute * minuteMs));
  const tokens = gatherTokens(recording, Uint32Array.from(recording.endMs, (_, i) => i % 2));
  const scores = ownWindowScores([{ recording, tokens }], createWeightSum(weights), options);
  assert.equal(scores.length, 6);
  assert.ok(scores.every((score) => score === 1.75));
  assert.equal(ownFloorOf(Float64Array.from({ length: 100 }, (_, i) => i), weights), 4.25);
  assert.equal(ownFloorOf(Float64Array.from({ length: 100 }, () => 50), weights), 30);
  assert.equal(ownFloorOf(new Float64Array(0), weights), Infinity);
});
