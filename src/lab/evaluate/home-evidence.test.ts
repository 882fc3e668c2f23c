/**
 * The stream of the detector (store, then judge) against the definitions of `home-evidence.ts`, over random flows of
 * several homes and classifiers, in whatever order they come and whatever batches they come in: the same bytes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EvidenceStore, type EvidenceClassifier, type EvidenceCounts } from '#evidence';
import { expire, judge, noVerdict, type Verdict, type VerdictOptions, verdictDefaults } from '#verdict';
import { arbitraryHomeFlow, arriveLate, flowOf, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';
import { HomeFlows } from './home-evidence.ts';

const classifiers: readonly EvidenceClassifier[] = [
  { deviceModel: 'webcam.Test.One', classifier: 'c2', stage: 1 },
  { deviceModel: 'plug.Test.Two', classifier: 'c0', stage: 1 },
  { deviceModel: 'hub.Test.Three', classifier: 'c1', stage: 1 },
];
/** Two of one device model, in the other order than their digests. */
const siblings: readonly EvidenceClassifier[] = [
  ...classifiers.slice(0, 2), { deviceModel: 'webcam.Test.One', classifier: 'c1', stage: 1 },
];
const bucketMs = 1_000;
const evidence = { windowMs: 5_000, bucketMs, latenessMs: 3_000 };
const homeCount = 3;
const nameOf = (home: number): string => `home-${home}`;

type Outcome = {
  /** Texts of verdicts and windows, as JSON. */
  readonly found: string[];
  readonly counts: Pick<EvidenceCounts, 'flows' | 'lateFlows' | 'accepted'>;
};

const ends = (flows: readonly HomeFlow[]): number[] =>
  [...new Set(flows.map(({ endMs }) => (Math.floor(endMs / bucketMs) + 1) * bucketMs))];

/** What a detector finds out. @param lookEvery  batches between two looks at changes, and at the time */
function stream(flows: readonly HomeFlow[], verdict: VerdictOptions, sizes: readonly number[], lookEvery: number,
  used = classifiers): Outcome {
  const store = new EvidenceStore(evidence);
  store.setClassifiers(used);
  const verdicts = new Map<string, Verdict>();
  const latest = new Map<string, number>();
  const look = (): void => {
    for (const change of store.takeChanges()) {
      const key = `${change.home} ${change.deviceModel}`;
      const next = judge(verdicts.get(key), change, verdict, () => {
        const found = store.evidenceOf(change, change.windowEndMs);
        assert.ok(found !== undefined);
        return found;
      });
      if (next !== undefined) verdicts.set(key, next);
    }
    for (const [key, found] of verdicts) {
      const next = expire(found, latest.get(found.home) ?? 0, verdict);
      if (next !== undefined) verdicts.set(key, next);
    }
  };
  for (let first = 0, i = 0; first < flows.length; i++) {
    const end = first + (sizes[i % sizes.length] as number);
    const piece = flows.slice(first, end);
    for (const { home, endMs } of piece) {
      latest.set(nameOf(home), Math.max(latest.get(nameOf(home)) ?? 0, endMs));
    }
    const { batch, rows } = rowsOf(piece, used.length, (home) => store.internHome(nameOf(home)));
    store.add(batch, rows);
    if (i % lookEvery === 0) look();
    first = end;
  }
  look();
  const found: string[] = [];
  for (let home = 0; home < homeCount; home++) {
    const ofHome = flows.filter((flow) => flow.home === home);
    for (const deviceModel of new Set(used.map((classifier) => classifier.deviceModel))) {
      found.push(JSON.stringify(verdicts.get(`${nameOf(home)} ${deviceModel}`)));
    }
    for (const classifier of used) {
      for (const end of windowsOf(ofHome)) {
        found.push(JSON.stringify(store.evidenceOf({ home: nameOf(home), ...classifier }, end)));
      }
      found.push(JSON.stringify(store.evidenceOf({ home: nameOf(home), ...classifier })));
    }
  }
  const { flows: flowCount, lateFlows, accepted } = store.counts();
  return { found, counts: { flows: flowCount, lateFlows, accepted } };
}

/** Ends of windows that a late flow could still change. */
function windowsOf(flows: readonly HomeFlow[]): number[] {
  const last = Math.max(...ends(flows), 0);
  return ends(flows).filter((end) => end >= last - evidence.latenessMs).sort((a, b) => a - b);
}

/** What the definitions say. */
function define(flows: readonly HomeFlow[], verdict: VerdictOptions, used = classifiers): Outcome {
  const found: string[] = [];
  const counts = { flows: 0, lateFlows: 0, accepted: 0 };
  for (let home = 0; home < homeCount; home++) {
    const ofHome = flows.filter((flow) => flow.home === home);
    const reference = new HomeFlows(used, { home: nameOf(home), evidence, verdict });
    const { batch, rows } = rowsOf(flows, used.length);
    reference.add(batch, (row) => rows.homes[row] === home, rows.isAccepted);
    for (const { verdict: last } of reference.verdicts()) {
      // A detector keeps nothing of what was never there.
      found.push(JSON.stringify(last.episode === 0 ? undefined : last));
    }
    for (const i of used.keys()) {
      for (const end of windowsOf(ofHome)) found.push(JSON.stringify(reference.evidenceOf(i, end)));
      found.push(JSON.stringify(reference.evidenceOf(i)));
    }
    const own = reference.counts();
    counts.flows += own.flows;
    counts.lateFlows += own.lateFlows;
    counts.accepted += own.accepted.reduce((sum, count) => sum + count, 0);
  }
  return { found, counts };
}

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
      assert.deepEqual(stream(shuffled, options, sizes, lookEvery), expected);
      presentCount += expected.found.filter((text) => text?.includes('"present"')).length;
      assert.equal(expected.counts.lateFlows, 0);
    }), { numRuns: 400 });
  assert.ok(presentCount > 200, `${presentCount} verdicts`);
});

test('two classifiers of one device model, flows in order: the same in both', () => {
  fc.assert(fc.property(arbitraryFlows, arbitrarySizes, arbitraryLook, arbitraryOptions,
    (flows, sizes, lookEvery, options) => {
      const inOrder = [...flows].sort((a, b) => a.endMs - b.endMs);
      assert.deepEqual(stream(inOrder, options, sizes, lookEvery, siblings), define(inOrder, options, siblings));
    }), { numRuns: 200 });
});

test('flows that come too late are missing in both, and counted the same', () => {
  fc.assert(fc.property(arbitraryFlows, arbitraryDelays, arbitrarySizes, arbitraryLook, arbitraryOptions,
    (flows, delays, sizes, lookEvery, options) => {
      const late = arriveLate([...flows].sort((a, b) => a.endMs - b.endMs), delays, 4 * evidence.latenessMs);
      const expected = define(late, options);
      assert.deepEqual(stream(late, options, sizes, lookEvery), expected);
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
    assert.deepEqual(stream(arriveLate(flows, delays, evidence.latenessMs), options, sizes, lookEvery), expected);
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
