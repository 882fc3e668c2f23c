/** The sweep over composed homes, against the definition worked out minute by minute. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noToken } from '#evidence';
import type { ComposedHome } from './compose-homes.ts';
import { gatherTokens, HomeWindows, type FlowTokens, type WindowScore } from './home-windows.ts';
import { createCosine, createFlowCount, createHighest, createWeightSum } from './methods/window-scores.ts';
import { ownFloorOf, ownWindowScores } from './own-windows.ts';
import type { Recording } from './recording.ts';

const minuteMs = 60_000;
const options = { windowMs: 5 * minuteMs, bucketMs: minuteMs, horizonsMs: [10 * minuteMs, 40 * minuteMs] };
const weights = [1.5, 0.25, 4, 2];

function recordingOf(endMs: readonly number[]): Recording {
  const times = Float64Array.from(endMs);
  return {
    unit: { device: 'unit', deviceModel: 'model', kind: 'iot' }, startMs: times, endMs: times,
    row: Uint32Array.from(times, (_, i) => i), sessions: [{ first: 0, end: times.length }], isContinuous: true,
  };
}

/** Of each horizon the strongest window that ends with a bucket from 0 on in which a flow with a token ended. */
function byDefinition(events: readonly { readonly atMs: number; readonly token: number }[]): number[] {
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

test('what comes and goes leaves nothing: every score of an emptied window is 0', () => {
  const scores: (() => WindowScore)[] = [
    () => createWeightSum(weights), createFlowCount, () => createHighest(4),
    () => createCosine(Float64Array.of(0.5, 0.5, 0.5, 0.5), Float64Array.of(1, 2, 1, 1)),
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
  const cosine = createCosine(Float64Array.of(0.6, 0.8), Float64Array.of(1, 1));
  assert.equal(read(cosine, [0]), 0.6);
  assert.ok(Math.abs(read(cosine, [0, 1]) - 1.4 / Math.SQRT2) < 1e-12);
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
