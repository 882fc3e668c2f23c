/**
 * Drift on simulated devices: a change of firmware is said within 24 hours of it, nothing is said without one, and a
 * classifier of the new firmware beside the old one restores what was lost. Twenty seeds, four device models.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { limits } from '#base';
import type { ShippedClassifier } from '#classifier/artifact';
import {
  createLibraryUnit, fitClassifier, learnHomeEvidence, TrainingFlows, type LibraryUnit, type OwnFlows,
} from '#classifier/train';
import { findCatalog, type Catalog, type FlowNeeds } from '#feature';
import { copyRows, createDictionaries, createFlowBatch, type FlowBatch } from '#flow';
import {
  createRecording, createWeightSum, cutHours, gatherTokens, ownFloorOf, ownWindowScores, readTokens, watchDrift,
  type CalibrationUnit, type DriftHistory,
} from '#lab';
import { labUnits, simulateLab } from '#sim';
import { measureReference, type DriftHour } from '#verdict';
import { meterLab, simulateUnits } from './simulate-null-units.ts';

const needs: FlowNeeds = { l7Source: 'prefix', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000, isBiflow: true };
const dictionaries = createDictionaries();
const deviceModels =
  ['webcam.Amcrest.IPM_HX1B', 'socket.TP_Link.HS110', 'light_bulb.LIFX.A19', 'sensor.D_Link.DCH_S150'];
const dayMs = 86_400_000;
const [referenceDays, changeDay, days] = [2, 3, 5];
const seeds = 20;

let library: readonly LibraryUnit[] = [];
const classifiers = new Map<string, ShippedClassifier>();

/** Rows of a batch in batches that may be scored. */
function cutRows(flows: FlowBatch, first: number, end: number): FlowBatch[] {
  const batches: FlowBatch[] = [];
  for (let from = first; from < end; from += limits.flowBatchRows) {
    const batch = createFlowBatch(Math.min(end - from, limits.flowBatchRows), flows.dictionaries);
    copyRows(flows, from, from + batch.capacity, batch);
    batches.push(batch);
  }
  return batches;
}

function simulate(seed: number, units: readonly string[], lengthDays: number, firmwareDay?: number): CalibrationUnit[] {
  const firmwareChanges = firmwareDay === undefined ? []
    : [...new Set(units)].map((deviceModel) => ({ deviceModel, day: firmwareDay }));
  return meterLab(simulateLab({ seed, days: lengthDays, scale: 1, units, firmwareChanges }), needs, () => undefined,
    dictionaries);
}

/** A classifier with its fingerprint, of the flows of some units from a row on. */
function train(deviceModel: string, units: readonly CalibrationUnit[], firstOf: (unit: CalibrationUnit) => number):
ShippedClassifier {
  const training = new TrainingFlows(findCatalog('portable') as Catalog, { deviceModel });
  const own: { -readonly [P in keyof OwnFlows]: FlowBatch[] } = { training: [], validation: [] };
  for (const unit of units) {
    const [first, end] = [firstOf(unit), unit.flows.rowCount];
    for (const batch of cutRows(unit.flows, first, end)) training.add(batch);
    const at = (tenths: number): number => first + Math.floor((end - first) * tenths / 10);
    own.training.push(...cutRows(unit.flows, first, at(7)));
    own.validation.push(...cutRows(unit.flows, at(7), at(8)));
  }
  const { classifier } = fitClassifier(training.split(),
    { deviceModel, needs, algorithm: 'chow-liu-tree', seed: 1, natlensVersion: '0' });
  const others = library.filter((unit) => unit.deviceModel !== deviceModel);
  const { fingerprint, secondStage } = learnHomeEvidence(classifier, own, others);
  return { classifier, fingerprint, secondStage: secondStage?.trees, calibration: undefined };
}

const rowAfter = (unit: CalibrationUnit, timeMs: number): number => {
  const row = unit.flows.columns.flowStartMilliseconds.findIndex((startMs, i) =>
    i === unit.flows.rowCount || startMs >= timeMs);
  return row === -1 ? unit.flows.rowCount : row;
};

function hoursOf(shipped: ShippedClassifier, unit: CalibrationUnit, first: number, end: number): DriftHour[] {
  const [tokens] = readTokens([shipped], [unit], 10);
  const recording = createRecording(unit, unit.flows, first, end);
  assert.ok(tokens !== undefined && recording !== undefined);
  return cutHours(recording, tokens.rowsOf(unit.device), tokens.weights);
}

/** What is said of one unit whose first days are the reference. */
function watch(shipped: ShippedClassifier, unit: CalibrationUnit, startMs: number): DriftHistory {
  const split = rowAfter(unit, startMs + referenceDays * dayMs);
  const reference = measureReference(hoursOf(shipped, unit, 0, split));
  assert.ok(reference !== undefined);
  return watchDrift(reference, hoursOf(shipped, unit, split, unit.flows.rowCount));
}

const startOf = ({ flows }: CalibrationUnit): number =>
  Math.floor((flows.columns.flowStartMilliseconds[0] as number) / dayMs) * dayMs;

before(() => {
  library = simulate(900, labUnits(1), 1).map(({ device, deviceModel, flows }) =>
    createLibraryUnit({ device, deviceModel, flows: cutRows(flows, 0, flows.rowCount) }));
  for (const [i, deviceModel] of deviceModels.entries()) {
    classifiers.set(deviceModel, train(deviceModel, simulate(901 + i, [deviceModel, deviceModel], 2), () => 0));
  }
});

test(`a change of firmware is said within 24 hours, in each of ${seeds} seeds`, (context) => {
  const delays: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const deviceModel = deviceModels[seed % deviceModels.length] as string;
    const [unit] = simulate(seed, [deviceModel], days, changeDay) as [CalibrationUnit];
    const changeMs = startOf(unit) + changeDay * dayMs;
    const { driftedMs, days: told } = watch(classifiers.get(deviceModel) as ShippedClassifier, unit, startOf(unit));
    assert.ok(driftedMs !== undefined && driftedMs > changeMs && driftedMs <= changeMs + dayMs,
      `seed ${seed}, ${deviceModel}: ${JSON.stringify(told)}`);
    delays.push((driftedMs - changeMs) / 3_600_000);
  }
  context.diagnostic(`said after ${Math.min(...delays)} to ${Math.max(...delays)} hours`);
});

test(`nothing is said without a change, in any of ${seeds} seeds`, (context) => {
  let looked = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const deviceModel = deviceModels[seed % deviceModels.length] as string;
    const [unit] = simulate(seed, [deviceModel], days) as [CalibrationUnit];
    const { driftedMs, days: told } = watch(classifiers.get(deviceModel) as ShippedClassifier, unit, startOf(unit));
    assert.equal(driftedMs, undefined, `seed ${seed}, ${deviceModel}: ${JSON.stringify(told)}`);
    looked += told.length;
  }
  context.diagnostic(`${looked} days`);
});

test('homes with the new firmware are found in each of the next days, by nearly all of their windows', (context) => {
  const windows = { windowMs: 3_600_000, bucketMs: 60_000 };
  for (const [i, deviceModel] of deviceModels.entries()) {
    const shipped = classifiers.get(deviceModel) as ShippedClassifier;
    const shares: number[] = [];
    for (let seed = 1; seed <= 3; seed++) {
      const [unit] = simulate(seed * 7 + i, [deviceModel], days, changeDay) as [CalibrationUnit];
      const [tokens] = readTokens([shipped], [unit], 10);
      assert.ok(tokens !== undefined);
      // Units follow within hours of the day.
      const days24 = [changeDay, changeDay + 0.25, changeDay + 1, days].map((day) =>
        rowAfter(unit, startOf(unit) + day * dayMs)) as [number, number, number, number];
      const scoresOf = (first: number, end: number): Float64Array => {
        const recording = createRecording(unit, unit.flows, first, end);
        assert.ok(recording !== undefined);
        return ownWindowScores([{ recording, tokens: gatherTokens(recording, tokens.rowsOf(unit.device)) }],
          createWeightSum(tokens.weights), windows);
      };
      const floor = ownFloorOf(scoresOf(0, days24[0]), tokens.weights);
      for (const [first, end] of [[days24[1], days24[2]], [days24[2], days24[3]]] as const) {
        const scores = scoresOf(first, end);
        assert.ok((scores.at(-1) as number) >= floor, `${deviceModel} is not found in a day, seed ${seed}`);
        shares.push(scores.filter((score) => score >= floor).length / scores.length);
      }
    }
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    context.diagnostic(`${deviceModel}: ${mean.toFixed(3)} of the windows after the change`);
    assert.ok(mean >= 0.9, `${deviceModel}: ${mean}`);
  }
});

test('a classifier of the new firmware beside the old one restores what was lost', (context) => {
  for (const [i, deviceModel] of deviceModels.entries()) {
    const old = classifiers.get(deviceModel) as ShippedClassifier;
    const changed = simulate(950 + i, [deviceModel, deviceModel], 3, 1);
    const afterChange = (unit: CalibrationUnit): number => rowAfter(unit, startOf(unit) + 1.2 * dayMs);
    const renewed = train(deviceModel, changed, afterChange);
    const [unit] = simulate(970 + i, [deviceModel], 3, 1) as [CalibrationUnit];
    const [usual, first] = [rowAfter(unit, startOf(unit) + dayMs), afterChange(unit)];
    const explained = (shipped: ShippedClassifier, from: number, to: number): number => {
      const hours = hoursOf(shipped, unit, from, to);
      return hours.reduce((sum, hour) => sum + hour.explained / hour.flows, 0) / hours.length;
    };
    const shares = {
      usual: explained(old, 0, usual), old: explained(old, first, unit.flows.rowCount),
      renewed: explained(renewed, first, unit.flows.rowCount),
    };
    context.diagnostic(`${deviceModel}: ${Object.entries(shares).map(([name, share]) =>
      `${name} ${share.toFixed(3)}`).join(', ')}`);
    // A loss, and no more than a third of it left.
    assert.ok(shares.old < shares.usual - 0.1, `${deviceModel}: ${JSON.stringify(shares)}`);
    const lost = shares.usual - shares.old;
    assert.ok(shares.renewed >= shares.usual - lost / 3, `${deviceModel}: ${JSON.stringify(shares)}`);
  }
});

test('the simulator makes units for null homes, and refuses what it cannot name', () => {
  let told = 0;
  const units = simulateUnits(needs,
    { seed: 3, days: 0.1, unitsPerModel: 1, onProgress: (share) => void (told = share) });
  assert.equal(units.length, labUnits(1).length);
  assert.ok(units.every(({ device, isExtra, source, flows }) =>
    device.startsWith('simulated:') && isExtra === true && source === 'simulator' && flows.rowCount > 0));
  assert.ok(told >= 0 && told <= 1);
  assert.throws(() => simulateUnits({ ...needs, l7Source: 'ndpi' },
    { seed: 3, days: 0.1, unitsPerModel: 1, onProgress: () => undefined }), /names from ndpi/);
});
