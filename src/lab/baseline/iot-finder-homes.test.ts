/** IoTFinder as methods for homes: the contract, whom they find, and siblings, known and unknown. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { checkHomeMethod, methodWindows } from '../../../test/support/home-method-contract.ts';
import { addTraces } from '../../../test/support/made-traces.ts';
import { contextOf, findSiblingSeed, makeWorld } from '../../../test/support/made-world.ts';
import { runTrial, trainModel, type TrainedModel, type TrialOptions } from '../homes/home-trial.ts';
import type { MethodOutcome } from '../homes/judge-method.ts';
import type { CalibrationInput, HomeDecision, HomeMethod } from './home-method.ts';
import { iotFinderFlows, iotFinderNames } from './iot-finder-homes.ts';

const deviceModel = 'camera.Test.One';
const methods: readonly HomeMethod[] = [iotFinderNames, iotFinderFlows];

let world: ReturnType<typeof addTraces>;
let trained: TrainedModel;

before(async () => {
  world = addTraces(await makeWorld());
  trained = trainModel(world, deviceModel, { seed: 1, natlensVersion: '0.0.0' });
});

test('the contract of a method', () => {
  for (const method of methods) checkHomeMethod(method, contextOf(world, trained));
});

function tryHomes(seed: number): readonly MethodOutcome[] {
  const options: TrialOptions = {
    methods, budget: { perMonth: 0.3 }, ...methodWindows, horizonsMs: [3_600_000, 86_400_000], calibrationHomes: 300,
    nullHomes: 100, positiveHomes: 20, knowsAllModels: false, countsLooks: false,
  };
  return runTrial(world, trained, { deviceModel, seed, libraryShare: 1 }, options).methods;
}

test('in homes: found within an hour, and in no other home where nobody is like it', () => {
  const seed = findSiblingSeed(world, deviceModel, (roles) => roles.every((role) => role === 'library'));
  for (const { method, unfit, falseAlarms, found } of tryHomes(seed)) {
    assert.deepEqual([unfit, falseAlarms.at(-1), found], [undefined, 0, [20, 20]], method);
  }
});

test('siblings that calibrate: one server is not told apart, names of one\'s own are', () => {
  const seed = findSiblingSeed(world, deviceModel, (roles) => roles.includes('calibration'));
  const [names, flows] = tryHomes(seed);
  assert.deepEqual([names?.unfit, names?.found.at(-1)], [undefined, 20]);
  assert.deepEqual([flows?.unfit, flows?.found.at(-1)], ['not-told-apart', 0]);
});

test('siblings that nobody knows are taken for the device model, by their server or by the one name they share', () => {
  const seed = findSiblingSeed(world, deviceModel, (roles) => roles.every((role) => role === 'test'));
  for (const { method, unfit, falseAlarms } of tryHomes(seed)) {
    assert.equal(unfit, undefined, method);
    assert.ok((falseAlarms.at(-1) ?? 0) > 30, method);
  }
});

test('of a device model that shows no term nothing can be said', () => {
  const context = contextOf(world, trained);
  const silent = { ...world.traces, namesOf: (...asked: Parameters<typeof world.traces.namesOf>) =>
    ({ ...world.traces.namesOf(...asked), ...asked[1] === 'training' ? { windows: [] } : {} }) };
  const input = { nullScores: () => new Float64Array(1_000), budget: { perMonth: 0.3 } } as CalibrationInput;
  const decide = (traces: typeof silent): HomeDecision =>
    iotFinderNames.learn(context, methodWindows, traces).decide(input);
  assert.deepEqual([decide(silent).unfit, decide(world.traces).unfit], ['no-names', undefined]);
  const untrained = context.ownUnits.map((unit) => ({ ...unit, device: { ...unit.device, train: 0 } }));
  const fitted = iotFinderFlows.learn({ ...context, ownUnits: untrained }, methodWindows);
  assert.equal(fitted.decide(input).unfit, 'no-destinations');
});
