/** Dedicated destinations as a method for homes: the contract, products, makers, and those without any. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { noToken } from '#evidence';
import { checkHomeMethod, methodWindows } from '../../../test/support/home-method-contract.ts';
import {
  contextOf, findSiblingSeed, makeWorld, shownShare, siblingPackets, unitOf,
} from '../../../test/support/made-world.ts';
import { runTrial, trainModel, type TrainedModel } from '../homes/home-trial.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import { dedicatedDestinations } from './dedicated-destinations-homes.ts';
import { destinationsOfFlows, listFlowTokens } from './flow-destinations.ts';
import type { CalibrationInput, HomeDecision, LearnContext } from './home-method.ts';

const deviceModel = 'camera.Test.One';
const siblings = Object.keys(siblingPackets).map((name) => `camera.Test.${name}`)
  .filter((name) => name !== deviceModel);

let world: LabWorld;
let trained: TrainedModel;

before(async () => {
  world = await makeWorld();
  trained = trainModel(world, deviceModel, { seed: 1, natlensVersion: '0.0.0' });
});

function decide(context: LearnContext): HomeDecision {
  // Rules have no use for homes that calibrate.
  return dedicatedDestinations.learn(context, methodWindows).decide({} as CalibrationInput);
}

test('the contract of a method', () => checkHomeMethod(dedicatedDestinations, contextOf(world, trained)));

test('siblings at one server are a group; unknown to the library, they are taken for the device model', () => {
  assert.deepEqual(decide(contextOf(world, trained)).group, [deviceModel, ...siblings].sort());
  const context = contextOf(world, trained, siblings);
  assert.deepEqual([decide(context).group, decide(context).unfit], [[], undefined]);
  const { tokensOf } = dedicatedDestinations.learn(context, methodWindows);
  for (const name of [deviceModel, ...siblings]) {
    assert.equal(shownShare(tokensOf(unitOf(world, name)), unitOf(world, name)), 1, name);
  }
  for (const name of ['plug.Ash.A', 'laptop-1']) {
    assert.ok(tokensOf(unitOf(world, name)).every((token) => token === noToken), name);
  }
});

test('servers that everyone asks are nobody\'s, and with nothing else there is no rule', () => {
  const { deviceModel: laptop, ...unit } = { deviceModel: 'laptop-1', ...unitOf(world, 'laptop-1') };
  const asIot = { ...unit, device: { ...unit.device, kind: 'iot' as const } };
  const context = { ...contextOf(world, { ...trained, deviceModel: laptop, ownUnits: [asIot] }), library: [] };
  // In an empty library all servers are dedicated but for the name server.
  const { tokensOf, decide: decideBy } = dedicatedDestinations.learn(context, methodWindows);
  assert.equal(decideBy({} as CalibrationInput).unfit, undefined);
  const tokens = tokensOf(asIot);
  assert.ok(shownShare(tokens, asIot) > 0.8, `${shownShare(tokens, asIot)}`);
  const { destinationTransportPort } = unit.flows.columns;
  assert.ok(tokens.every((token, row) => destinationTransportPort[row] !== 53 || token === noToken));
  const untrained = { ...asIot, device: { ...asIot.device, train: 0 } };
  assert.equal(decide({ ...context, ownUnits: [untrained] }).unfit, 'no-dedicated-destinations');
});

test('in homes: found within an hour, and so are siblings that nobody knows', () => {
  for (const role of ['library', 'test'] as const) {
    const seed = findSiblingSeed(world, deviceModel, (roles) => roles.every((dealt) => dealt === role));
    const { methods: [outcome] } = runTrial(world, trained, { deviceModel, seed, libraryShare: 1 }, {
      methods: [dedicatedDestinations], budget: { perMonth: 0.3 }, ...methodWindows,
      horizonsMs: [3_600_000, 86_400_000], calibrationHomes: 1, nullHomes: 100, positiveHomes: 20,
      knowsAllModels: false, countsLooks: false,
    });
    assert.deepEqual([outcome?.unfit, outcome?.found, outcome?.nullHomes], [undefined, [20, 20], 100]);
    const falseAlarms = outcome?.falseAlarms.at(-1) ?? 0;
    assert.ok(role === 'library' ? falseAlarms === 0 : falseAlarms > 30, JSON.stringify(outcome));
  }
});

test('flows as terms: hours of the training part and of the whole, and places in a list', () => {
  const unit = unitOf(world, 'plug.Ash.A');
  const text = 'tcp/443 203.0.0.0/24';
  const [training, whole] = (['training', 'whole'] as const).map((part) => destinationsOfFlows(world, unit, part));
  assert.equal(destinationsOfFlows(world, unit, 'whole'), whole);
  const count = (windows: readonly ReadonlyMap<string, number>[] = []): number =>
    windows.reduce((sum, window) => sum + [...window.values()].reduce((flows, of) => flows + of, 0), 0);
  assert.deepEqual([count(training?.windows), count(whole?.windows)], [unit.device.train, unit.flows.rowCount]);
  const tokens = listFlowTokens(world, ['udp/53 9.9.9.0/24', text, 'tcp/1 192.0.2.0/24'])(unit);
  for (const [row, token] of tokens.entries()) {
    assert.equal(token, unit.flows.columns.destinationTransportPort[row] === 53 ? 0 : 1);
  }
});
