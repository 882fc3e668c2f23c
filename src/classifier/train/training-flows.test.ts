/** What is collected of flows, and how it is cut in time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvariantError, OperatorError } from '#base';
import { findCatalog, type Catalog } from '#feature';
import { createDictionaries } from '#flow';
import { batchOf, makeFlows, type MadeFlow } from '../../../test/support/labelled-flows.ts';
import { TrainingFlows, type SplitFlows } from './training-flows.ts';

/** Its first feature is the octets as they are. */
const paper = findCatalog('paper') as Catalog;
const deviceModel = 'webcam.Test.One';

function collect(flows: readonly MadeFlow[], batchRows = flows.length): SplitFlows {
  const dictionaries = createDictionaries();
  const training = new TrainingFlows(paper, { deviceModel });
  for (let at = 0; at < flows.length; at += batchRows) {
    training.add(batchOf(flows.slice(at, at + batchRows), dictionaries));
  }
  return training.split();
}

/** Octets of a part are its flows, as each flow of these tests has its own. */
const octetsOf = ({ matrix }: SplitFlows['training']): number[] => [...matrix.numeric[0] as Float64Array];
const numbered = (count: number, device = 'unit-1'): MadeFlow[] =>
  makeFlows(count, 1, { device }).map((flow, i) => ({ ...flow, octets: 1_000 + i }));
const range = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, i) => 1_000 + first + i);

test('of each device the earliest 70 % train, the next 10 % validate, the latest 20 % are left', () => {
  const split = collect([...numbered(30), ...numbered(10, 'unit-0')]);
  assert.deepEqual(split.devices, ['unit-0', 'unit-1']);
  assert.deepEqual(octetsOf(split.training), [...range(0, 7), ...range(0, 21)]);
  assert.deepEqual(octetsOf(split.validation), [...range(7, 8), ...range(21, 24)]);
  assert.equal(split.testFlows, 8);
  assert.deepEqual([...split.training.age].slice(0, 3), [0, 1 / 8, 2 / 8]);
  assert.equal(split.validation.age[0], 7 / 8);
});

test('time decides, not the order of coming nor the batches', () => {
  const flows = [...numbered(40), ...numbered(20, 'unit-2')];
  const expected = collect(flows);
  fc.assert(fc.property(fc.shuffledSubarray(flows, { minLength: flows.length }), fc.integer({ min: 1, max: 60 }),
    (shuffled, batchRows) => {
      const split = collect(shuffled, batchRows);
      assert.equal(split.digest, expected.digest);
      assert.deepEqual(octetsOf(split.training), octetsOf(expected.training));
      assert.deepEqual(octetsOf(split.validation), octetsOf(expected.validation));
    }), { numRuns: 30 });
});

test('the digest sees every flow that counts, and none of the test', () => {
  const flows = numbered(20);
  const { digest } = collect(flows);
  const change = (at: number, more: Partial<MadeFlow>): string =>
    collect(flows.map((flow, i) => (i === at ? { ...flow, ...more } : flow))).digest;
  assert.notEqual(change(3, { octets: 7 }), digest);
  assert.notEqual(change(15, { name: 'Other' }), digest);
  assert.notEqual(change(5, { startMs: 1_600_000_000_000 + 5 * 60_000 + 1 }), digest);
  assert.equal(change(18, { octets: 7, name: 'Other' }), digest);
});

test('other device models stay out, and are named', () => {
  const others = makeFlows(10, 2, { deviceModel: 'plug.Test.Two' });
  const training = new TrainingFlows(paper, { deviceModel });
  training.add(batchOf([...others, ...makeFlows(3, 3, { deviceModel: '' })]));
  assert.equal(training.rowCount, 0);
  assert.deepEqual(training.otherModels, ['plug.Test.Two']);
  const all = new TrainingFlows(paper, { deviceModel: undefined });
  all.add(batchOf(others));
  assert.equal(all.rowCount, 10);
  assert.equal(training.split().training.matrix.rowCount, 0);
});

test('too many flows are the user\'s to mend, foreign dictionaries are ours', () => {
  const training = new TrainingFlows(paper, { deviceModel, rowsMax: 12 });
  const dictionaries = createDictionaries();
  training.add(batchOf(numbered(10), dictionaries));
  assert.throws(() => training.add(batchOf(numbered(3), dictionaries)), OperatorError);
  assert.throws(() => training.add(batchOf(numbered(1))), InvariantError);
});
