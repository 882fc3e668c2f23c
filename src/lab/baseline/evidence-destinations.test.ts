/** Evidence with dedicated destinations: the contract, and what many of them together are worth. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { fingerprintDefaults } from '#classifier/train';
import { noToken } from '#evidence';
import { checkHomeMethod, methodWindows } from '../../../test/support/home-method-contract.ts';
import { contextOf, makeWorld, unitOf } from '../../../test/support/made-world.ts';
import { trainModel } from '../homes/home-trial.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import { evidenceDestinations } from './evidence-destinations.ts';
import { evidence } from './evidence.ts';
import type { FlowMethod, LearnContext } from './home-method.ts';

let world: LabWorld;

before(async () => {
  world = await makeWorld();
});

function learn(deviceModel: string): LearnContext {
  return contextOf(world, trainModel(world, deviceModel, { seed: 1, natlensVersion: '0.0.0' }));
}

/** Score of all flows of a unit together. */
function scoreOf(method: FlowMethod, context: LearnContext, name: string): number {
  const fitted = method.learn(context, methodWindows);
  const score = fitted.createScore();
  for (const token of fitted.tokensOf(unitOf(world, name))) if (token !== noToken) score.add(token);
  return score.read();
}

test('the contract of a method', () => {
  // One has a server of its own, the other shares it with siblings.
  for (const name of ['plug.Ash.A', 'camera.Test.One']) checkHomeMethod(evidenceDestinations, learn(name));
});

test('a server that no other device model goes to is worth one token more', () => {
  const context = learn('plug.Ash.A');
  const name = 'plug.Ash.A';
  assert.equal(scoreOf(evidenceDestinations, context, name),
    scoreOf(evidence, context, name) + fingerprintDefaults.weightMax);
  for (const other of ['bulb.Birch.B', 'laptop-1']) {
    assert.equal(scoreOf(evidenceDestinations, context, other), scoreOf(evidence, context, other), other);
  }
});

test('what siblings share is worth nothing more', () => {
  const context = learn('camera.Test.One');
  for (const name of ['camera.Test.One', 'camera.Test.Two']) {
    assert.equal(scoreOf(evidenceDestinations, context, name), scoreOf(evidence, context, name), name);
  }
});

test('it goes when the last flow to the destination has gone', () => {
  const fitted = evidenceDestinations.learn(learn('plug.Ash.A'), methodWindows);
  const tokens = fitted.tokensOf(unitOf(world, 'plug.Ash.A')).filter((token) => token !== noToken);
  const score = fitted.createScore();
  for (const token of tokens.slice(0, 20)) score.add(token);
  const before20 = score.read();
  for (const token of tokens.slice(0, 20)) score.add(token);
  for (const token of tokens.slice(0, 20)) score.remove(token);
  assert.equal(score.read(), before20);
  for (const token of tokens.slice(0, 20)) score.remove(token);
  assert.equal(score.read(), 0);
});
