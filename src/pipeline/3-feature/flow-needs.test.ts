/** Flows that are made otherwise than a classifier's, or of which that is not known, are refused with one sentence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowSetInfo } from '#flow';
import type { FlowNeeds } from './feature-matrix.ts';
import { checkNeeds, needsOf } from './flow-needs.ts';

const info: FlowSetInfo = {
  origin: 'natlens meter', l7Source: 'prefix', l7Version: '2026-06', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000,
  isBiflow: true,
};
const needs = needsOf(info) as FlowNeeds;

test('what flows say of themselves becomes the need of a classifier that is fitted on them', () => {
  assert.deepEqual(needs, { l7Source: 'prefix', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000, isBiflow: true });
  assert.equal(checkNeeds(needs, info), undefined);
  assert.equal(checkNeeds(needs, { ...info, origin: 'another', l7Version: '2026-07' }), undefined);
});

const { isBiflow: _, ...ofUnknownDirection } = info;
const refusals: readonly (readonly [string, FlowSetInfo | undefined, RegExp])[] = [
  ['a file that says nothing', undefined, /does not say how they were made/],
  ['flows of unknown direction', ofUnknownDirection, /not known whether .* both directions/],
  ['one-way flows', { ...info, isBiflow: false }, /needs both directions .* one record for each direction.*--pair/],
  ["the exporter's names", { ...info, l7Source: 'exporter' }, /from natlens \(prefix\).* those from the exporter/],
  ['no names', { ...info, l7Source: 'none' }, /the flows have none\./],
  ['another active timeout', { ...info, activeTimeoutMs: 60_000 }, /active timeout of 120 s .* of 60 s/],
  ['another idle timeout', { ...info, idleTimeoutMs: 15_000 }, /idle timeout of 60 s, .* of 15 s/],
  ['an unknown timeout', { ...info, activeTimeoutMs: 0 }, /an active timeout that is not known/],
];

for (const [name, flows, expected] of refusals) {
  test(`refused: ${name}`, () => {
    const sentence = checkNeeds(needs, flows);
    assert.match(sentence ?? '', expected);
    assert.match(sentence ?? '', /^[A-Z].*\.$/);
  });
}

test('a classifier of one-way flows refuses biflows, and does not ask to pair them', () => {
  const sentence = checkNeeds({ ...needs, isBiflow: false }, info);
  assert.match(sentence ?? '', /needs one record for each direction/);
  assert.doesNotMatch(sentence ?? '', /--pair/);
});

test('timeouts that were not known in training match only such', () => {
  const unknown = { ...info, activeTimeoutMs: 0, idleTimeoutMs: 0 };
  const ofUnknown = needsOf(unknown) as FlowNeeds;
  assert.equal(checkNeeds(ofUnknown, unknown), undefined);
  assert.match(checkNeeds(ofUnknown, info) ?? '', /needs flows with an active timeout that is not known/);
});

test('nothing is needed of flows of which nothing is known', () => {
  assert.match(needsOf(undefined) as string, /does not say/);
  assert.match(needsOf(ofUnknownDirection) as string, /not known/);
});
