/** Packets of homes: each of a placed flow once, moved and no more; questions at home with their flows; windows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { createDictionaries, createFlowBatch } from '#flow';
import { composeHome, dayMs, type Placement } from '../homes/compose-homes.ts';
import { createRecording, type Recording } from '../homes/recording.ts';
import type { RoleUnit } from '../homes/roles.ts';
import { homeResolver, noFlow, type DeviceTrace } from './device-trace.ts';
import { mergeHome, unitsOf } from './home-trace.ts';

const hourMs = 3_600_000;
const secondMs = 1_000;

/** Flows that start at these times, ten seconds long, in rows that ascend with them. */
function record(device: string, starts: readonly number[], kind: RoleUnit['kind'] = 'iot', rowFirst = 0): Recording {
  const batch = createFlowBatch(rowFirst + starts.length, createDictionaries());
  for (let row = 0; row < rowFirst + starts.length; row++) {
    const startMs = row < rowFirst ? 1_000 : starts[row - rowFirst] as number;
    batch.columns.flowStartMilliseconds[row] = startMs;
    batch.columns.flowEndMilliseconds[row] = startMs + 10 * secondMs;
  }
  batch.rowCount = rowFirst + starts.length;
  const recording = createRecording({ device, deviceModel: `model.${device}`, kind }, batch, rowFirst, batch.rowCount);
  assert.ok(recording !== undefined);
  return recording;
}

/** Three packets a flow, and a question at home a second before it. */
function trace({ startMs, row }: Recording): DeviceTrace {
  const packets = [...row].flatMap((flow, i) => [-1_000, 0, 4_000.25, 10_000.75].map((offsetMs, j) => ({
    timeMs: (startMs[i] as number) + offsetMs, id: 4 * i + j,
    flow: j === 0 ? noFlow : flow, name: j === 0 ? 1 + i % 3 : 0,
  }))).sort((a, b) => a.timeMs - b.timeMs || a.id - b.id);
  return {
    timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs), ipId: Uint16Array.from(packets, ({ id }) => id),
    destination: Uint32Array.from(packets, ({ id }) => 1 + id % 5), name: Uint32Array.from(packets, ({ name }) => name),
    flow: Uint32Array.from(packets, ({ flow }) => flow),
  };
}

const every = (ms: number, hours: number): number[] =>
  Array.from({ length: Math.floor(hours * hourMs / ms) }, (_, i) => 1e12 + i * ms);
const setUps = [0, 1, 2].flatMap((week) => [0, 1, 5, 9, 30].map((second) => 1e12 + week * 7 * dayMs + second * 1_000));
const recordings: Recording[] = [
  record('pc', every(7 * 60_000, 9), 'non-iot'), record('bulb', setUps),
  record('hub', every(10 * 60_000, 50), 'iot', 40),
  ...Array.from({ length: 10 }, (_, i) => record(`plug${i}`, every(hourMs / 2, 30 + i))),
];
const traces = new Map(recordings.map((recording) => [recording.unit.device, trace(recording)]));
const traceOf = ({ device }: RoleUnit): DeviceTrace => traces.get(device) as DeviceTrace;

test('a home has the packets of its flows, each once, in its own time; and the questions before them', () => {
  fc.assert(fc.property(fc.nat(), (seed) => {
    const home = composeHome(recordings, { lengthMs: dayMs, leadMs: hourMs }, new Random(seed));
    const merged = mergeHome(home, traceOf);
    const units = unitsOf(home);
    const found = Array.from(merged.timeMs, (timeMs, i) =>
      `${units[merged.device[i] as number]?.device} ${merged.flow[i]} ${merged.ipId[i]} ${timeMs.toFixed(2)}`).sort();
    const expected = home.placements.flatMap(({ recording, first, end, shiftMs }) => {
      const of = traceOf(recording.unit);
      const rows = new Set(recording.row.subarray(first, end));
      return Array.from(of.timeMs, (timeMs, i) => ({ timeMs, i })).filter(({ i }) => rows.has(of.flow[i] as number))
        .map(({ timeMs, i }) =>
          `${recording.unit.device} ${of.flow[i]} ${of.ipId[i]} ${(timeMs + shiftMs).toFixed(2)}`);
    });
    assert.ok(merged.flow.every((flow, i) => (merged.destination[i] === homeResolver) === (flow === noFlow)));
    const flows = home.placements.reduce((sum, { first, end }) => sum + end - first, 0);
    assert.deepEqual(found.filter((packet) => !packet.includes(` ${noFlow} `)), expected.sort());
    assert.equal(expected.length, 3 * flows);
    // Each flow has its question: no recording's flows overlap but those of set-ups, which are whole or cut at the end.
    const questions = found.length - expected.length;
    assert.ok(questions >= flows && questions <= flows + home.placements.length * 4, `${questions} for ${flows} flows`);
    assert.ok(merged.timeMs.every((timeMs, i) => i === 0 || (merged.timeMs[i - 1] as number) <= timeMs));
  }), { numRuns: 50 });
});

test('a device that is laid in twice has one number; a stretch has its own questions alone', () => {
  const plug = recordings[4] as Recording;
  const placements: Placement[] = [[2, 4, 0], [6, 7, 5]].map(([first = 0, end = 0, shiftMs = 0]) =>
    ({ recording: plug, first, end, shiftMs: shiftMs - 1e12 }));
  const merged = mergeHome({ placements }, traceOf);
  assert.deepEqual([...new Set(merged.device)], [0]);
  assert.equal(unitsOf({ placements }).length, 1);
  assert.deepEqual([...merged.timeMs].slice(0, 4), [3_599_000, 3_600_000, 3_604_000.25, 3_610_000.75]);
  assert.deepEqual([...merged.timeMs].slice(-4), [10_799_005, 10_800_005, 10_804_005.25, 10_810_005.75]);
  assert.equal(merged.timeMs.length, 12);
  // As hosts of their own, where it was set up anew.
  assert.deepEqual([...mergeHome({ placements }, traceOf, 'placement').device], [0, 1].flatMap((host) =>
    Array<number>(host === 0 ? 8 : 4).fill(host)));
});

test('of flows that overlap only the placed ones have packets', () => {
  const bulb = recordings[1] as Recording;
  const { timeMs, flow } = mergeHome({ placements: [{ recording: bulb, first: 1, end: 4, shiftMs: -1e12 }] }, traceOf);
  assert.deepEqual([...flow].filter((row) => row !== noFlow).sort(), [1, 1, 1, 2, 2, 2, 3, 3, 3]);
  assert.deepEqual([...timeMs].filter((_, i) => flow[i] === noFlow), [-1_000, 0, 4_000, 8_000]);
});

test('a home without anything has no packets', () => {
  assert.equal(mergeHome({ placements: [] }, traceOf).timeMs.length, 0);
});
