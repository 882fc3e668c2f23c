/**
 * Trees as methods for homes: the contract, that no flow is judged by trees that learned from it, and how much worse
 * they are at homes whose devices they never saw.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { noToken } from '#evidence';
import { checkHomeMethod, methodWindows } from '../../../test/support/home-method-contract.ts';
import {
  contextOf, findSiblingSeed, makeWorld, shownShare, siblingPackets, unitOf,
} from '../../../test/support/made-world.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { runTrial, trainModel, type TrainedModel, type TrialOptions } from '../homes/home-trial.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import type { FlowMethod, LearnContext } from './home-method.ts';
import { flowTrees, flowTreesClosed } from './flow-trees.ts';

const deviceModel = 'camera.Test.One';
const siblings = Object.keys(siblingPackets).map((name) => `camera.Test.${name}`)
  .filter((name) => name !== deviceModel);
const methods: readonly FlowMethod[] = [flowTrees, flowTreesClosed];

let world: LabWorld;
let trained: TrainedModel;

before(async () => {
  world = await makeWorld();
  trained = trainModel(world, deviceModel, { seed: 1, natlensVersion: '0.0.0' });
});

/** Share of a device model's later flows, those of DNS left out, that are taken for those of the one looked for. */
function takenShare(method: FlowMethod, context: LearnContext, name: string): number {
  const unit = unitOf(world, name);
  return shownShare(method.learn(context, methodWindows).tokensOf(unit), unit);
}

test('the contract of a method', () => {
  const context = contextOf(world, trained);
  for (const method of methods) checkHomeMethod(method, context);
  // Closed trees are learned once for each world: another one with the same flows gives the same, too.
  const tokensIn = (same: LabWorld): Uint32Array =>
    flowTreesClosed.learn({ ...context, world: same }, methodWindows).tokensOf(unitOf(world, deviceModel));
  assert.deepEqual(tokensIn({ ...world }), tokensIn(world));
});

test('trees find the device model, and know its siblings when they learned from them', () => {
  const context = contextOf(world, trained);
  for (const method of methods) {
    assert.ok(takenShare(method, context, deviceModel) > 0.97, method.name);
    for (const name of siblings) assert.ok(takenShare(method, context, name) < 0.02, method.name);
  }
});

test('held out, siblings are taken for the device model; closed trees know them whatever the library is', () => {
  const context = contextOf(world, trained, siblings);
  for (const name of siblings) {
    assert.ok(takenShare(flowTrees, context, name) > 0.9, name);
    assert.ok(takenShare(flowTreesClosed, context, name) < 0.02, name);
  }
  assert.ok(takenShare(flowTrees, context, 'hub.Cedar.C') < 0.02, 'the others are still told apart');
});

test('closed trees judge no flow that they learned from', () => {
  const relabelled = { ...world, units: world.units.map((one) => one.unit === unitOf(world, deviceModel)
    ? { ...one, unit: mislabelHalf(one.unit) } : one) };
  // Trees of the later half learned that its flows are somebody else's: so it is the earlier half that shows nothing.
  const fitted = flowTreesClosed.learn({ ...contextOf(world, trained), world: relabelled }, methodWindows);
  const tokens = fitted.tokensOf(unitOf(world, deviceModel));
  const half = tokens.length / 2;
  const shown = (part: Uint32Array): number => part.filter((token) => token !== noToken).length / part.length;
  assert.ok(shown(tokens.subarray(0, half)) < 0.05, `${shown(tokens.subarray(0, half))}`);
  assert.ok(shown(tokens.subarray(half)) > 0.8, `${shown(tokens.subarray(half))}`);
});

/** The later half of the unit's flows goes somewhere else. */
function mislabelHalf(unit: LabUnit): LabUnit {
  const destinationAddress = unit.flows.columns.destinationAddress.slice();
  for (let at = destinationAddress.length / 2 + 3; at < destinationAddress.length; at += 4) {
    destinationAddress[at] = 0x0808_0808;
  }
  return { ...unit, flows: { ...unit.flows, columns: { ...unit.flows.columns, destinationAddress } } };
}

test('in homes: with a sibling that nobody learned, trees raise false alarms that closed trees do not', () => {
  const seed = findSiblingSeed(world, deviceModel, (roles) => roles.every((role) => role === 'test'));
  const options: TrialOptions = {
    methods, budget: { perMonth: 0.3 }, ...methodWindows, horizonsMs: [3_600_000, 86_400_000], calibrationHomes: 300,
    nullHomes: 100, positiveHomes: 20, knowsAllModels: false, countsLooks: false,
  };
  const { methods: outcomes } = runTrial(world, trained, { deviceModel, seed, libraryShare: 1 }, options);
  const outcomeOf = ({ name }: FlowMethod): (typeof outcomes)[number] =>
    outcomes.find(({ method }) => method === name) ?? assert.fail();
  const [open, closed] = [outcomeOf(flowTrees), outcomeOf(flowTreesClosed)];
  assert.ok((closed.found.at(-1) ?? 0) >= 19, JSON.stringify(closed));
  assert.ok((closed.falseAlarms.at(-1) ?? Infinity) <= 3, JSON.stringify(closed));
  assert.ok((open.falseAlarms.at(-1) ?? 0) > 30, JSON.stringify(open));
  for (const { unfit, nullHomes, positiveHomes } of outcomes) {
    assert.deepEqual([unfit, nullHomes, positiveHomes], [undefined, 100, 20]);
  }
});
