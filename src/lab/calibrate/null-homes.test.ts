/** Null homes and the rate of false alarms: strata are filled, ties count, and few devices make a wide bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { activityBounds, clopperPearsonUpper, countHomeDays, type DecisionRule } from '#verdict';
import { batchOf, makeFlows } from '../../../test/support/labelled-flows.ts';
import { dayMs } from '../homes/compose-homes.ts';
import { gatherTokens } from '../homes/home-windows.ts';
import { createRecording, type Recording } from '../homes/recording.ts';
import { noToken } from '#evidence';
import type { ClassifierTokens } from './calibration-units.ts';
import { byDeviceModel, measureConfusers } from './find-confusers.ts';
import { countNullHomes, HomeMeter, measureFalseAlarms } from './null-homes.ts';

const flowCount = 2_880;
const windows = { windowMs: 3_600_000, bucketMs: 60_000 };

/** Recordings of two days with a flow a minute; the first ones show a token of weight 3 in every flow. */
function makeUnits(count: number, showing: number): Recording[] {
  return Array.from({ length: count }, (_, i) => {
    const deviceModel = `plug.Test.P${i}`;
    const recording = createRecording({ device: `unit-${i}`, deviceModel, kind: 'iot' },
      batchOf(makeFlows(flowCount, i)), 0, flowCount);
    assert.ok(recording !== undefined);
    shows.set(recording.unit.device, i < showing);
    return recording;
  });
}
const shows = new Map<string, boolean>();

const tokens: ClassifierTokens = {
  weights: [3],
  rowsOf: (device) => new Uint32Array(flowCount).fill(shows.get(device) === true ? 0 : noToken),
  tokensOf: (recording) => gatherTokens(recording, tokens.rowsOf(recording.unit.device)),
};
const ruleFrom = (score: number): DecisionRule => ({
  presentScoreOf: () => score, keepScoreOf: () => score, pValueOf: () => undefined, group: [],
});

test('every home-day is counted once, and the busiest stratum is filled up with homes of homes', () => {
  const table = countNullHomes(new HomeMeter(tokens, windows), makeUnits(6, 0), { count: 300, stratumMin: 500 },
    new Random(1));
  const busiest = countHomeDays(table, activityBounds.length);
  assert.ok(busiest >= 500 && busiest < 800, `${busiest} busy ones`);
  assert.ok(countHomeDays(table) >= 500 && countHomeDays(table) <= 800);
  // Nothing was shown: all are in the lowest bin.
  assert.equal(table.homeDays.reduce((sum, bins) => sum + (bins[0] ?? 0), 0), countHomeDays(table));
});

test('homes too quiet to become busy are not united without end', () => {
  const [recording] = makeUnits(1, 0);
  assert.ok(recording !== undefined);
  // Two flows a day and device: not even 32 homes have 7,500.
  const quiet = createRecording(recording.unit, batchOf(makeFlows(2, 1)), 0, 2);
  assert.ok(quiet !== undefined);
  const table = countNullHomes(new HomeMeter(tokens, windows), [quiet], { count: 20, stratumMin: 100 }, new Random(1));
  assert.deepEqual([countHomeDays(table), countHomeDays(table, 3)], [20, 0]);
});

test('a rate without false alarms has the exact bound, one that a single device model causes a wider one', () => {
  const meter = new HomeMeter(tokens, windows);
  const none = measureFalseAlarms(meter, makeUnits(8, 0), ruleFrom(3), 400, new Random(2));
  assert.deepEqual([none.falseAlarms, none.lower95, none.upper95], [0, 0, clopperPearsonUpper(0, 400)]);
  const one = measureFalseAlarms(meter, makeUnits(8, 1), ruleFrom(3), 400, new Random(2));
  assert.ok(one.falseAlarms > 100 && one.rate === one.falseAlarms / 400);
  assert.ok(one.lower95 > 0.2 && one.lower95 < one.rate);
  assert.ok(one.upper95 > clopperPearsonUpper(one.falseAlarms, 400) + 0.1, JSON.stringify(one));
  // A score that equals the one that decides is enough.
  assert.equal(measureFalseAlarms(meter, makeUnits(8, 1), ruleFrom(3.01), 400, new Random(2)).falseAlarms, 0);
});

test('a day and its lead are looked at; confusers are told by the share of their homes', () => {
  const meter = new HomeMeter(tokens, windows);
  assert.deepEqual(meter.day, { lengthMs: dayMs, leadMs: windows.windowMs });
  const units = makeUnits(6, 1);
  const models = byDeviceModel(units.map((whole) => ({ unit: whole.unit, whole }) as never));
  assert.deepEqual([...models.keys()], [...models.keys()].sort());
  const rates = measureConfusers(meter, models, units.slice(1), { rule: ruleFrom(3), days: 30 }, new Random(3));
  assert.deepEqual(rates, [{ deviceModel: 'plug.Test.P0', rate: 1 }]);
});
