/**
 * The stream of the detector (store, then judge) against the definitions of `home-evidence.ts`, over random flows of
 * several homes and classifiers, in whatever order they come and whatever batches they come in: the same bytes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EvidenceClassifier } from '#evidence';
import { noVerdict, type VerdictOptions, verdictDefaults } from '#verdict';
import {
  defineOutcome, EvidenceStream, type EvidenceWorld, type Outcome, type Pace,
} from '../../../test/support/evidence-stream.ts';
import { arbitraryHomeFlow, arriveLate, flowOf, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';
import { HomeFlows } from './home-evidence.ts';

const classifiers: readonly EvidenceClassifier[] = [
  { deviceModel: 'webcam.Test.One', classifier: 'c2', stage: 1 },
  { deviceModel: 'plug.Test.Two', classifier: 'c0', stage: 1 },
  { deviceModel: 'hub.Test.Three', classifier: 'c1', stage: 1 },
];
const bucketMs = 1_000;
const evidence = { windowMs: 5_000, bucketMs, latenessMs: 3_000 };
const homeCount = 3;

const world: EvidenceWorld = { classifiers, evidence, homeCount };
/** Two of one device model, in the other order than their digests. */
const siblings: EvidenceWorld = {
  ...world,
  classifiers: [...classifiers.slice(0, 2), { deviceModel: 'webcam.Test.One', classifier: 'c1', stage: 1 }],
};
const define = (flows: readonly HomeFlow[], options: VerdictOptions, used = world): ReturnType<typeof defineOutcome> =>
  defineOutcome(used, options, flows);
const stream = (flows: readonly HomeFlow[], options: VerdictOptions, pace: Pace, used = world): Outcome =>
  new EvidenceStream(used, options).run(flows, pace);

const arbitraryFlows = fc.array(arbitraryHomeFlow({ homes: homeCount, classifiers: 3, bucketMs, buckets: 40 }),
  { maxLength: 80, size: 'max' });
const arbitraryDelays = fc.array(fc.nat({ max: 10 }).map((tenths) => tenths / 10),
  { minLength: 1, maxLength: 80, size: 'max' });
const arbitrarySizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });
const arbitraryLook = fc.integer({ min: 1, max: 4 });
const arbitraryOptions: fc.Arbitrary<VerdictOptions> = fc.record({
  policy: fc.constantFrom('distinct-tokens', 'distinct-tokens', 'single-flow'),
  presentScore: fc.integer({ min: 2, max: 4 }), keepScore: fc.integer({ min: 1, max: 2 }),
  expiryMs: fc.constant(1_000_000),
});

let presentCount = 0;
let lateCount = 0;

test('whatever the order within the lateness, and whatever the batches: the evidence of the definitions', () => {
  fc.assert(fc.property(arbitraryFlows, arbitraryDelays, arbitrarySizes, arbitraryLook, arbitraryOptions,
    (flows, delays, sizes, lookEvery, options) => {
      const inOrder = [...flows].sort((a, b) => a.endMs - b.endMs);
      const expected = define(inOrder, options);
      const shuffled = arriveLate(inOrder, delays, evidence.latenessMs);
      assert.deepEqual(stream(shuffled, options, { sizes, lookEvery }), expected);
      presentCount += expected.found.filter((text) => text?.includes('"present"')).length;
      assert.equal(expected.counts.lateFlows, 0);
    }), { numRuns: 400 });
  assert.ok(presentCount > 200, `${presentCount} verdicts`);
});

test('two classifiers of one device model, flows in order: the same in both', () => {
  fc.assert(fc.property(arbitraryFlows, arbitrarySizes, arbitraryLook, arbitraryOptions,
    (flows, sizes, lookEvery, options) => {
      const inOrder = [...flows].sort((a, b) => a.endMs - b.endMs);
      assert.deepEqual(stream(inOrder, options, { sizes, lookEvery }, siblings), define(inOrder, options, siblings));
    }), { numRuns: 200 });
});

test('flows that come too late are missing in both, and counted the same', () => {
  fc.assert(fc.property(arbitraryFlows, arbitraryDelays, arbitrarySizes, arbitraryLook, arbitraryOptions,
    (flows, delays, sizes, lookEvery, options) => {
      const late = arriveLate([...flows].sort((a, b) => a.endMs - b.endMs), delays, 4 * evidence.latenessMs);
      const expected = define(late, options);
      assert.deepEqual(stream(late, options, { sizes, lookEvery }), expected);
      lateCount += expected.counts.lateFlows;
    }), { numRuns: 300 });
  assert.ok(lateCount > 1_000, `${lateCount} late flows`);
});

test('verdicts expire and come back as new episodes, the same in both', () => {
  let episodeCount = 0;
  const options: VerdictOptions = { ...verdictDefaults, presentScore: 2, expiryMs: 30_000 };
  // Pauses are clearly shorter or clearly longer than the expiry: docs/evidence.md says why that is asked for.
  const bursts = fc.array(fc.tuple(arbitraryFlows, fc.constantFrom(60_000, 100_000)), { maxLength: 4 });
  fc.assert(fc.property(bursts, arbitraryDelays, arbitrarySizes, arbitraryLook, (given, delays, sizes, lookEvery) => {
    let offsetMs = 0;
    const flows = given.flatMap(([burst, pauseMs]) => {
      offsetMs += pauseMs;
      // Eight buckets of each burst.
      return burst.map((flow) => ({ ...flow, endMs: 1_000_000_000 + flow.endMs % 8_000 + offsetMs }));
    }).sort((a, b) => a.endMs - b.endMs);
    const expected = define(flows, options);
    const late = arriveLate(flows, delays, evidence.latenessMs);
    assert.deepEqual(stream(late, options, { sizes, lookEvery }), expected);
    episodeCount += expected.found.filter((text) => text?.includes('"episode":2')).length;
  }), { numRuns: 200 });
  assert.ok(episodeCount > 30, `${episodeCount} second episodes`);
});

const options = { home: 'home', evidence, verdict: { ...verdictDefaults, presentScore: 2, expiryMs: 20_000 } };
const [camera] = classifiers as [EvidenceClassifier];

function homeOf(flows: readonly (Partial<HomeFlow> & { endMs: number })[], more: object = {}): HomeFlows {
  const home = new HomeFlows([camera], options, more);
  const { batch, rows } = rowsOf(flows.map(flowOf), 1);
  home.add(batch, () => true, rows.isAccepted);
  return home;
}

test('an example by hand: present, kept, expired, present again', () => {
  const home = homeOf([{ endMs: 10_000 }, { endMs: 13_500, port: 80 }, { endMs: 31_000 }, { endMs: 60_000 },
    { endMs: 60_100, port: 80 }, { endMs: 90_000, accepted: [false] }]);
  const [found] = home.verdicts();
  assert.deepEqual(found?.episodes.map(({ state, sinceMs, firstFlowMs, supportedMs, evidence: shown }) =>
    ({ state, sinceMs, firstFlowMs, supportedMs, windowEndMs: shown?.windowEndMs, score: shown?.score })), [
    { state: 'not yet', sinceMs: 52_000, firstFlowMs: 10_000, supportedMs: 32_000, windowEndMs: 14_000, score: 2 },
    { state: 'not yet', sinceMs: 81_000, firstFlowMs: 60_000, supportedMs: 61_000, windowEndMs: 61_000, score: 2 },
  ]);
  assert.equal(found?.verdict, found?.episodes[1]);
  assert.deepEqual(home.counts(), { flows: 6, lateFlows: 0, undatedFlows: 0, accepted: [5] });
});

test('without accepted flows there is nothing to say', () => {
  const [found] = homeOf([{ endMs: 10_000, accepted: [false] }]).verdicts();
  assert.deepEqual(found, {
    deviceModel: camera.deviceModel, verdict: noVerdict({ home: 'home', ...camera }), episodes: [],
  });
  assert.deepEqual(homeOf([]).verdicts()[0]?.episodes, []);
});

test('flows without a time are no evidence', () => {
  const home = homeOf([{ endMs: NaN }, { endMs: 10_000, port: 80 }]);
  assert.deepEqual(home.counts(), { flows: 2, lateFlows: 0, undatedFlows: 1, accepted: [2] });
  assert.equal(home.evidenceOf(0)?.score, 1);
});

test('more accepted flows than are held at once are refused', () => {
  assert.throws(() => homeOf([{ endMs: 1 }, { endMs: 2 }, { endMs: 3 }], { flowsMax: 2 }), /More than 2 flows/);
});
