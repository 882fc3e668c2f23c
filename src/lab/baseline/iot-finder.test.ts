/**
 * IoTFinder in a made-up world: weights and frequencies by hand, found behind a NAT among other devices at a fixed rate
 * of false positives, and lost where a sibling asks for the same or where nothing but common names is asked for.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeUnit, mergeHome, shareWhere, type UnitPlan } from '../../../test/support/name-world.ts';
import { learnInverseFrequencies, learnProfile, type TermProfile } from './iot-finder.ts';
import type { TermCounts, TermUnit } from './name-windows.ts';
import { createCosine } from './window-scores.ts';

const common = { 'time.org': 0.9, 'cloud.net': 0.9 };
const plans: readonly UnitPlan[] = [
  { name: 'cam', deviceModel: 'webcam.Acme.One', asks: { 'hub.acme': 1, 'log.acme': 0.7, 'fw.acme': 0.1, ...common } },
  { name: 'twin-a', deviceModel: 'socket.Birch.A', asks: { 'a.birch': 1, 'b.birch': 1 } },
  { name: 'twin-b', deviceModel: 'socket.Birch.B', asks: { 'a.birch': 1, 'b.birch': 1 } },
  { name: 'plain', deviceModel: 'hub.Elm.Y', asks: common },
  ...Array.from({ length: 6 }, (_, i): UnitPlan => ({
    name: `pc-${i}`, deviceModel: 'laptop', kind: 'non-iot', asks: { ...common, 'www.page.org': 0.5, [`${i}.org`]: 1 },
  })),
];
const library = plans.map((plan, i) => makeUnit(plan, 100, i));
const calibrating = plans.map((plan, i) => makeUnit(plan, 1_500, 100 + i));
const testing = plans.map((plan, i) => makeUnit(plan, 1_500, 200 + i));
const profileOf = (deviceModel: string): TermProfile => learnProfile(
  library.filter((unit) => unit.deviceModel === deviceModel).flatMap(({ windows }) => windows),
  learnInverseFrequencies(library));

/** Once more, by the definition: the cosine of the profile and the window's terms that are in it. */
function cosineOf({ terms, weights, idf }: TermProfile, window: TermCounts): number {
  const vector = terms.map((term, i) => window.has(term) ? idf[i] as number : 0);
  const length = Math.hypot(...vector);
  return length === 0 ? 0 : vector.reduce((sum, part, i) => sum + part * (weights[i] as number), 0) / length;
}

/** The highest cosine but for a share of the windows of clients without the device model; what is above it has it. */
function thresholdOf(profile: TermProfile, units: readonly TermUnit[], falsePositiveRate: number): number {
  const scores = units.flatMap(({ windows }) => windows.map((window) => cosineOf(profile, window)));
  return scores.sort((a, b) => b - a)[Math.floor(falsePositiveRate * scores.length)] ?? 0;
}

test('weights by hand: share of hours times ln(1 + clients / (clients with it + 1)), of length 1', () => {
  const windows = [['x', 'y'], ['x'], [], ['x', 'common']].map((names) => new Map(names.map((name) => [name, 7])));
  const own: TermUnit = { name: 'd', deviceModel: 'a.B.c', kind: 'iot', windows };
  const other: TermUnit = { name: 'o', deviceModel: 'laptop', kind: 'non-iot', windows: [new Map([['common', 1]])] };
  const idfOf = learnInverseFrequencies([own, other, other]);
  assert.deepEqual(['x', 'common', 'unheard'].map(idfOf), [Math.log(1 + 3 / 2), Math.log(1 + 3 / 4), Math.log(1 + 3)]);
  const { terms, weights, idf } = learnProfile(windows, idfOf);
  const raw = [0.75 * Math.log(2.5), 0.25 * Math.log(2.5), 0.25 * Math.log(1.75)];
  assert.deepEqual([terms, [...idf]], [['x', 'y', 'common'], ['x', 'y', 'common'].map(idfOf)]);
  raw.forEach((weight, i) => assert.ok(Math.abs((weights[i] ?? 0) - weight / Math.hypot(...raw)) < 1e-12));
  assert.deepEqual(learnProfile([new Map(), new Map()], idfOf).terms, []);
  assert.deepEqual(learnProfile([], idfOf).terms, []);
});

test('behind a NAT, among other devices: found in every hour, at about the rate it was set to', () => {
  const profile = profileOf('webcam.Acme.One');
  const isOwn = (unit: TermUnit): boolean => unit.deviceModel === 'webcam.Acme.One';
  const threshold = thresholdOf(profile, calibrating.filter((unit) => !isOwn(unit)), 0.001);
  const has = (window: TermCounts): boolean => cosineOf(profile, window) > threshold;
  assert.equal(shareWhere(mergeHome(testing), has), 1);
  assert.ok(shareWhere(testing.filter((unit) => !isOwn(unit)).flatMap(({ windows }) => windows), has) <= 0.002);
});

test('siblings that ask for the same are not told apart, nor is who asks for nothing of its own', () => {
  for (const deviceModel of ['socket.Birch.A', 'hub.Elm.Y']) {
    const profile = profileOf(deviceModel);
    const threshold = thresholdOf(profile, calibrating.filter((unit) => unit.deviceModel !== deviceModel), 0.001);
    const own = testing.find((unit) => unit.deviceModel === deviceModel) ?? assert.fail();
    assert.equal(shareWhere(own.windows, (window) => cosineOf(profile, window) > threshold), 0, deviceModel);
  }
});

test('a sliding window of tokens scores as the definition does, in whatever order they came', () => {
  const profile = profileOf('webcam.Acme.One');
  const score = createCosine({ profile: profile.weights, idf: profile.idf, weighCount: () => 1 });
  const anyTokens = fc.array(fc.nat({ max: profile.terms.length - 1 }), { maxLength: 30 });
  fc.assert(fc.property(anyTokens, fc.nat({ max: 30 }), (tokens, gone) => {
    score.clear();
    for (const token of tokens) score.add(token);
    for (const token of tokens.slice(0, gone)) score.remove(token);
    const left = tokens.slice(gone);
    const read = score.read();
    const window = new Map(left.map((token) => [profile.terms[token] as string, 1]));
    assert.ok(Math.abs(read - cosineOf(profile, window)) < 1e-9);
    // Steps make windows of the same terms tie, however they came about.
    score.clear();
    for (const token of left.toReversed()) score.add(token);
    assert.equal(score.read(), read);
  }));
});
