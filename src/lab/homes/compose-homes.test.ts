/** Homes: every flow of a placement is one of its recording, moved and no more; sizes and rhythm are as said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { createDictionaries, createFlowBatch } from '#flow';
import {
  composeHome, composeHomeWith, dayMs, devicesMax, devicesMin, type ComposedHome, type ComposeOptions,
} from './compose-homes.ts';
import { createRecording, lowerBound, sessionPauseMs, type Recording } from './recording.ts';
import type { RoleUnit } from './roles.ts';

const hourMs = 3_600_000;
const day: ComposeOptions = { lengthMs: dayMs, leadMs: hourMs };

/** Flows that start at these times, a second long. */
function record(device: string, starts: readonly number[], kind: RoleUnit['kind'] = 'iot'): Recording {
  const batch = createFlowBatch(starts.length, createDictionaries());
  for (const [row, startMs] of starts.entries()) {
    batch.columns.flowStartMilliseconds[row] = startMs;
    batch.columns.flowEndMilliseconds[row] = startMs + 1_000;
  }
  batch.rowCount = starts.length;
  const recording = createRecording({ device, deviceModel: `model.${device}`, kind }, batch, 0, starts.length);
  assert.ok(recording !== undefined);
  return recording;
}

const every = (ms: number, hours: number): number[] =>
  Array.from({ length: Math.floor(hours * hourMs / ms) }, (_, i) => 1e12 + i * ms);
/** Three set-ups of five flows, weeks apart. */
const setUps = [0, 1, 2].flatMap((week) => [0, 1, 5, 9, 30].map((second) => 1e12 + week * 7 * dayMs + second * 1_000));
const others: Recording[] = [
  record('pc', every(7 * 60_000, 9), 'non-iot'), record('bulb', setUps), record('hub', every(10 * 60_000, 100)),
  ...Array.from({ length: 30 }, (_, i) => record(`plug${i}`, every(hourMs / 2, 30 + i))),
];

/** Times in the home of all flows that it has of a recording. */
function timesOf({ placements }: ComposedHome, wanted: Recording): number[] {
  return placements.filter(({ recording }) => recording === wanted).flatMap(({ first, end, shiftMs }) =>
    [...wanted.endMs.subarray(first, end)].map((endMs) => endMs + shiftMs));
}

test('flows are conserved: each of a placement once, in its time, none outside of the home', () => {
  fc.assert(fc.property(fc.nat(), (seed) => {
    const home = composeHome(others, day, new Random(seed));
    const units = home.placements.map(({ recording }) => recording.unit.device);
    assert.ok(home.devices >= devicesMin && home.devices <= devicesMax);
    assert.ok(new Set(units).size <= home.devices);
    let inDay = 0;
    for (const recording of new Set(home.placements.map((placement) => placement.recording))) {
      const places = home.placements.filter((placement) => placement.recording === recording);
      const flows = places.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, i) => first + i));
      assert.equal(new Set(flows).size, flows.length, 'no flow twice');
      const times = timesOf(home, recording);
      assert.equal(times.length, flows.length);
      assert.ok(times.every((at) => at >= -day.leadMs && at < day.lengthMs), recording.unit.device);
      inDay += times.filter((at) => at >= 0).length;
    }
    assert.equal(home.flowsADay, inDay);
  }), { numRuns: 200 });
});

test('every home has a person\'s machine where there is one', () => {
  for (let seed = 0; seed < 100; seed++) {
    const { placements } = composeHome(others, day, new Random(seed));
    assert.ok(placements.some(({ recording }) => recording.unit.kind === 'non-iot'));
  }
});

test('a continuous recording keeps its pauses, a set-up its rhythm, at a time of its own', () => {
  const [bulb, hub] = [others[1] as Recording, others[2] as Recording];
  assert.deepEqual([bulb.isContinuous, bulb.sessions.length, hub.isContinuous], [false, 3, true]);
  const stretch = timesOf(composeHome([hub], day, new Random(1)), hub);
  assert.equal(stretch.length, 150);
  assert.ok(stretch.every((at, i) => i === 0 || at - (stretch[i - 1] as number) === 10 * 60_000));
  const { placements } = composeHome([bulb], day, new Random(2));
  assert.equal(placements.length, 3);
  for (const { first, end } of placements) {
    const steps = [...bulb.endMs.subarray(first, end)].map((endMs) => endMs - (bulb.endMs[first] as number));
    assert.deepEqual(steps, [0, 1_000, 5_000, 9_000, 30_000]);
  }
  assert.equal(new Set(placements.map(({ first, shiftMs }) => (bulb.endMs[first] as number) + shiftMs)).size, 3);
});

test('a home with the device model starts with one of its flows, and never in a pause of its recording', () => {
  const starts = [...every(60_000, 3), ...every(60_000, 3).map((startMs) => startMs + 20 * hourMs)];
  const own = record('own', starts);
  assert.equal(own.sessions.length, 2);
  const seen = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const home = composeHomeWith([own], others, day, new Random(seed));
    const first = home.placements.find(({ recording }) => recording === own);
    assert.ok(first !== undefined && first.shiftMs === -(own.startMs[first.first] as number));
    assert.equal(Math.min(...timesOf(home, own)), 1_000);
    assert.ok(home.devices <= devicesMax);
    seen.add(first.first);
  }
  assert.ok(seen.size > 20);
});

test('a device model of set-ups starts with one of them, the others come later', () => {
  const own = record('own', setUps);
  for (let seed = 0; seed < 50; seed++) {
    const home = composeHomeWith([own], others, day, new Random(seed));
    const times = timesOf(home, own);
    assert.equal(Math.min(...times), 1_000);
    assert.ok(times.length >= 5 && times.length <= 15);
  }
});

test('the same seed gives the same home; flows without a time are no part of a recording', () => {
  const home = (seed: number): string => JSON.stringify(composeHome(others, day, new Random(seed)).placements.map(
    ({ recording, first, end, shiftMs }) => [recording.unit.device, first, end, shiftMs]));
  assert.equal(home(7), home(7));
  assert.notEqual(home(7), home(8));
  assert.equal(record('odd', [1e12, Number.NaN, 1e12 + 5]).endMs.length, 2);
});

test('sessions end with a pause, and times are found by halving', () => {
  const { sessions, endMs } = record('pauses', [0, sessionPauseMs, 2 * sessionPauseMs + 1].map((at) => 1e12 + at));
  assert.deepEqual(sessions, [{ first: 0, end: 2 }, { first: 2, end: 3 }]);
  assert.deepEqual([0, 1e12 + 1_000, 1e12 + 1_001, 2e12].map((at) => lowerBound(endMs, at)), [0, 0, 1, 3]);
});
