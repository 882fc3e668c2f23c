/** One-class detectors as methods for homes: the contract, what they accept, and what they cannot tell apart. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { noToken } from '#evidence';
import { checkHomeMethod, methodWindows } from '../../../test/support/home-method-contract.ts';
import { contextOf, makeWorld, shownShare, siblingPackets, unitOf } from '../../../test/support/made-world.ts';
import { trainModel } from '../homes/home-trial.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import type { FlowMethod, LearnContext } from './home-method.ts';
import { localOutlierHits, oneClassSvmHits } from './one-class-homes.ts';

const deviceModel = 'camera.Test.One';
const methods: readonly FlowMethod[] = [oneClassSvmHits, localOutlierHits];

let world: LabWorld;
let context: LearnContext;

before(async () => {
  world = await makeWorld();
  context = contextOf(world, trainModel(world, deviceModel, { seed: 1, natlensVersion: '0.0.0' }));
});

test('the contract of a method', () => {
  for (const method of methods) checkHomeMethod(method, context);
});

test('they accept flows of the device model, and of no device that sends other amounts', () => {
  for (const method of methods) {
    const { tokensOf } = method.learn(context, methodWindows);
    const shareOf = (name: string): number => shownShare(tokensOf(unitOf(world, name)), unitOf(world, name));
    // The threshold lets a tenth of validation flows pass, and whatever scores the same: here these are many.
    assert.ok(shareOf(deviceModel) > 0.1, method.name);
    const others = [...Object.keys(siblingPackets).map((name) => `camera.Test.${name}`), 'laptop-1', 'laptop-2']
      .filter((name) => name !== deviceModel);
    for (const name of others) assert.ok(shareOf(name) < 0.02, `${method.name}: ${name}`);
    // It sends nearly as much, to others: the paper's features do not say whom a flow goes to.
    assert.ok(shareOf('plug.Ash.A') > 0.1, method.name);
  }
});

test('every accepted flow counts, and counts alike', () => {
  for (const method of methods) {
    const fitted = method.learn(context, methodWindows);
    const tokens = fitted.tokensOf(unitOf(world, deviceModel)).filter((token) => token !== noToken);
    const score = fitted.createScore();
    for (const token of tokens) score.add(token);
    assert.deepEqual([new Set(tokens).size, score.read()], [1, tokens.length], method.name);
  }
});
