/**
 * Evidence of fingerprints: matcher, store and judge against the definitions, over random flows and fingerprints; and
 * flows a day, over days. In any order within the lateness, any batches, with restarts: the same bytes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeTokens, tokenFamilies, type EvidenceClassifier, type Fingerprint } from '#evidence';
import { verdictDefaults, type DecisionRule, type VerdictOptions } from '#verdict';
import { defineOutcome, EvidenceStream, type EvidenceWorld } from '../../../test/support/evidence-stream.ts';
import { arbitraryHomeFlow, arriveLate, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';

const homeCount = 2;
const minutes = { windowMs: 5_000, bucketMs: 1_000, latenessMs: 3_000 };

/** Few sizes on both sides of the bounds of quarters, and names that could be taken for something else. */
const arbitraryFlow = (bucketMs: number): fc.Arbitrary<HomeFlow> => fc.record({
  flow: arbitraryHomeFlow({ homes: homeCount, classifiers: 2, bucketMs, buckets: 40 }),
  name: fc.constantFrom('', 'TLS.A', 'TLS.A', 'MQTT', 'private', '-', '"', 'a b accepted', '198.51.100.0/24'),
  octets: fc.constantFrom(0, 1, 222, 222, 1_217, 1_218, 1_448, 1_449, 2 ** 40, 2 ** 53),
  responderOctets: fc.constantFrom(0, 142, 142, 1_722, 1_723),
}).map(({ flow, ...more }) => ({ ...flow, ...more }));

/** Whose flow, of which family, how heavy; some of equal weight. */
const arbitraryPicks = fc.array(fc.record({
  flow: fc.nat({ max: 99 }), family: fc.nat({ max: tokenFamilies.length - 1 }),
  weight: fc.oneof(fc.constantFrom(64, 128), fc.integer({ min: 1, max: 256 })),
}), { maxLength: 25, size: 'max' });
type Picks = typeof arbitraryPicks extends fc.Arbitrary<infer Picked> ? Picked : never;

/** A fingerprint of tokens that the flows could show. */
function fingerprintOf(flows: readonly HomeFlow[], picks: Picks): Fingerprint {
  const { batch } = rowsOf(flows, 0);
  const tokens = new Map(picks.filter(() => flows.length > 0).map(({ flow, family, weight }) => {
    const token = describeTokens(batch, flow % flows.length)[family] as ReturnType<typeof describeTokens>[number];
    return [token.text, { ...token, weight: weight / 64, recall: 0.5, prevalence: 0.01 }];
  }));
  return {
    tokens: [...tokens.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, token]) => token), libraryUnits: 10,
  };
}

function worldOf(flows: readonly HomeFlow[], picks: readonly [Picks, Picks], evidence: EvidenceWorld['evidence'],
  isRefusing: boolean): EvidenceWorld {
  const [camera, plug] = picks.map((ofOne) => fingerprintOf(flows, ofOne));
  const classifiers: readonly EvidenceClassifier[] = [
    { deviceModel: 'webcam.Test.One', classifier: 'c2', stage: 1, fingerprint: camera },
    { deviceModel: 'plug.Test.Two', classifier: 'c0', stage: 1, fingerprint: plug },
    { deviceModel: 'hub.Test.Three', classifier: 'c1', stage: 1 },
  ];
  return { classifiers, evidence, homeCount, ...isRefusing ? { isRefused: ({ endMs }) => endMs % 7 === 0 } : {} };
}

const inOrderOf = (flows: readonly HomeFlow[]): HomeFlow[] => [...flows].sort((a, b) => a.endMs - b.endMs);

const arbitraryDelays = fc.array(fc.nat({ max: 10 }).map((tenths) => tenths / 10),
  { minLength: 1, maxLength: 80, size: 'max' });
const arbitraryPace = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
  lookEvery: fc.integer({ min: 1, max: 4 }),
  restartEvery: fc.constantFrom(undefined, 1, 3),
});
const arbitraryVerdict: fc.Arbitrary<VerdictOptions> = fc.record({
  policy: fc.constant('distinct-tokens' as const), presentScore: fc.constantFrom(1.5, 2, 5),
  keepScore: fc.constantFrom(0.25, 1), expiryMs: fc.constantFrom(8_000, 1_000_000),
});
const ofFlows = (bucketMs: number): fc.Arbitrary<HomeFlow[]> =>
  fc.array(arbitraryFlow(bucketMs), { maxLength: 80, size: 'max' });

/** The stream's outcome is that of the definitions; counts are those since the last restart. */
function assertSame(world: EvidenceWorld, verdict: VerdictOptions, arrived: readonly HomeFlow[],
  inOrder: readonly HomeFlow[], pace: Parameters<EvidenceStream['run']>[1]): readonly (string | undefined)[] {
  const expected = defineOutcome(world, verdict, inOrder);
  const { found, counts } = new EvidenceStream(world, verdict).run(arrived, pace);
  assert.deepEqual(found, expected.found);
  if (counts !== undefined) assert.deepEqual(counts, expected.counts);
  return expected.found;
}

test('whatever the order within the lateness, batches and restarts: the evidence of the definitions', () => {
  let presentCount = 0;
  fc.assert(fc.property(ofFlows(1_000), fc.tuple(arbitraryPicks, arbitraryPicks), arbitraryDelays, arbitraryPace,
    fc.record({ verdict: arbitraryVerdict, isRefusing: fc.boolean() }),
    (flows, picks, delays, pace, { verdict, isRefusing }) => {
      const inOrder = inOrderOf(flows);
      // A verdict that expires while late flows are under way may be two episodes: the other test takes those in order.
      const lasting = { ...verdict, expiryMs: 1_000_000 };
      const world = worldOf(flows, picks, minutes, isRefusing);
      const found = assertSame(world, lasting, arriveLate(inOrder, delays, minutes.latenessMs), inOrder, pace);
      presentCount += found.filter((text) => text?.includes('"present"') === true).length;
    }), { numRuns: 300 });
  assert.ok(presentCount > 200, `${presentCount} verdicts`);
});

test('flows that come too late are missing in both', () => {
  fc.assert(fc.property(ofFlows(1_000), fc.tuple(arbitraryPicks, arbitraryPicks), arbitraryDelays, arbitraryPace,
    (flows, picks, delays, pace) => {
      const late = arriveLate(inOrderOf(flows), delays, 4 * minutes.latenessMs);
      assertSame(worldOf(flows, picks, minutes, true), verdictDefaults, late, late, pace);
    }), { numRuns: 200 });
});

const hourMs = 3_600_000;
/** Buckets that fit a day and buckets that do not; a lateness within a day and beyond. */
const longWindows = [
  { windowMs: 12 * hourMs, bucketMs: 6 * hourMs, latenessMs: 0 },
  { windowMs: 30 * hourMs, bucketMs: 6 * hourMs, latenessMs: 18 * hourMs },
  { windowMs: 10 * hourMs, bucketMs: 5 * hourMs, latenessMs: 15 * hourMs },
  { windowMs: 10 * hourMs, bucketMs: 5 * hourMs, latenessMs: 35 * hourMs },
  { windowMs: 30 * hourMs, bucketMs: 30 * hourMs, latenessMs: 60 * hourMs },
] as const;

/** A rule that asks for less in busier homes, so that a wrong day makes another verdict. */
const arbitraryRule: fc.Arbitrary<DecisionRule> = fc.record({
  unknown: fc.constantFrom(2, Infinity), step: fc.constantFrom(0.5, 1, 4),
  group: fc.constantFrom([], ['a.b.c', 'd.e.f']),
}).map(({ unknown, step, group }) => {
  const presentScoreOf = (flows: number | undefined): number =>
    (flows === undefined ? unknown : step * (1 + 4 / flows));
  return {
    presentScoreOf, keepScoreOf: (flows) => presentScoreOf(flows) / 2,
    pValueOf: (score, flows) => 1 / (1 + score + (flows ?? 0)), group,
  };
});

test('flows a day are those of the definitions, and so are verdicts that depend on them', () => {
  let [knownCount, presentCount] = [0, 0];
  const arbitrary = fc.constantFrom(...longWindows).chain((evidence) =>
    fc.tuple(fc.constant(evidence), ofFlows(evidence.bucketMs)));
  fc.assert(fc.property(arbitrary, arbitraryPicks, arbitraryDelays, arbitraryPace, arbitraryRule,
    ([evidence, flows], picks, delays, pace, rule) => {
      const inOrder = inOrderOf(flows);
      const world = { ...worldOf(flows, [picks, picks], evidence, false), rule };
      const verdict = { ...verdictDefaults, policy: 'calibrated' as const, expiryMs: 10_000 * hourMs };
      const found = assertSame(world, verdict, arriveLate(inOrder, delays, evidence.latenessMs), inOrder, pace);
      presentCount += found.filter((text) => text?.includes('"present"') === true).length;
      knownCount += found.filter((text) => text !== undefined && /\[[\d.]+,\d+\]\]$/.test(text)).length;
    }), { numRuns: 400 });
  assert.ok(knownCount > 1_000, `${knownCount} windows with flows a day`);
  assert.ok(presentCount > 200, `${presentCount} verdicts`);
});
