/** Names as methods for homes: the contract, whom they find, and device models that they say nothing about. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { checkHomeMethod, methodWindows } from '../../../test/support/home-method-contract.ts';
import { addTraces, namesAskedBy } from '../../../test/support/made-traces.ts';
import { contextOf, makeWorld, siblingPackets, unitOf } from '../../../test/support/made-world.ts';
import { runTrial, trainModel, type TrainedModel } from '../homes/home-trial.ts';
import { dnsDedicatedName, dnsDomains, dnsDomainsRelaxed } from './dns-domains-homes.ts';
import type { CalibrationInput, HomeDecision, PacketMethod } from './home-method.ts';

const deviceModel = 'camera.Test.One';
const siblings = Object.keys(siblingPackets).map((name) => `camera.Test.${name}`)
  .filter((name) => name !== deviceModel);
const methods: readonly PacketMethod[] = [dnsDomains, dnsDomainsRelaxed, dnsDedicatedName];
/** Rules have no use for homes that calibrate. */
const nothing = {} as CalibrationInput;

let world: ReturnType<typeof addTraces>;
let trained: TrainedModel;

before(async () => {
  world = addTraces(await makeWorld());
  trained = trainModel(world, deviceModel, { seed: 1, natlensVersion: '0.0.0' });
});

function decide(method: PacketMethod, model: string): HomeDecision {
  const context = contextOf(world, { ...trained, deviceModel: model, ownUnits: [unitOf(world, model)] });
  return method.learn(context, methodWindows, world.traces).decide(nothing);
}

test('the contract of a method', () => {
  for (const method of methods) checkHomeMethod(method, contextOf(world, trained));
});

test('each form has windows of its own, and the names that it counts', () => {
  const own = unitOf(world, deviceModel);
  const [first, second, third, shared, time] = namesAskedBy(own);
  const shown = methods.map((method) => {
    const { windowMs, eventsOf } = method.learn(contextOf(world, trained), methodWindows, world.traces);
    const trace = world.traces.traceOf(own, 'whole');
    const { timeMs, token } = eventsOf(trace, own);
    // A token for every question that counts: before each flow those for the names of the rule.
    assert.equal(token.length, new Set(token).size * own.flows.rowCount);
    const texts = [...timeMs].map((at) => world.traces.terms.names[trace.name[trace.timeMs.indexOf(at)] as number]);
    return [windowMs, [...new Set(texts)].sort()];
  });
  const dedicated = [first, second, third].sort();
  assert.deepEqual(shown, [
    [86_400_000, dedicated], [600_000, [...dedicated, shared, time].sort()], [3_600_000, dedicated],
  ]);
});

test('in homes: every home with the device model is found, and no other, siblings or not', () => {
  const { methods: outcomes } = runTrial(world, trained, { deviceModel, seed: 1, libraryShare: 1 }, {
    methods, budget: { perMonth: 0.3 }, ...methodWindows, horizonsMs: [600_000, 86_400_000], calibrationHomes: 1,
    nullHomes: 100, positiveHomes: 20, knowsAllModels: false, countsLooks: false,
  });
  for (const { method, unfit, falseAlarms, found, nullHomes } of outcomes) {
    assert.deepEqual([unfit, nullHomes, falseAlarms.at(-1), found], [undefined, 100, 0, [20, 20]], method);
  }
});

test('who asks for too few names has no rule, and whose names others ask for is one of them', () => {
  const laptop = 'laptop-1';
  for (const method of [dnsDomains, dnsDedicatedName]) {
    const { unfit, isPresent } = decide(method, laptop);
    assert.deepEqual([unfit, isPresent(1_000, 0)], ['few-names', false], method.name);
  }
  // Without its own names nothing but those of its maker's are left.
  const [, , , shared] = namesAskedBy(unitOf(world, deviceModel));
  const context = contextOf(world, trained);
  const traces = { ...world.traces, namesOf: (...asked: Parameters<typeof world.traces.namesOf>) => {
    const unit = world.traces.namesOf(...asked);
    const isSibling = [deviceModel, ...siblings].includes(unit.deviceModel);
    return !isSibling ? unit : { ...unit, windows: unit.windows.map(() =>
      new Map(['a', 'b', 'c'].map((host) => [`${host}.${shared}`, 1]))) };
  } };
  const { group, isPresent, unfit } = dnsDomains.learn(context, methodWindows, traces).decide(nothing);
  assert.deepEqual([group, unfit, isPresent(1, 0), isPresent(2, 0)],
    [[deviceModel, ...siblings].sort(), undefined, false, true]);
});
