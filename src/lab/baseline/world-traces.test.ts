/**
 * Traces as methods get them: the training part holds what the training flows and the questions before their end are,
 * nothing later; windows count its names, worked out once.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { makeWorld, unitOf } from '../../../test/support/made-world.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { noFlow, type DeviceTrace, type TraceTexts } from './device-trace.ts';
import { createWorldTraces, type TracePart, type WorldTraces } from './world-traces.ts';

const texts: TraceTexts = {
  destinations: ['', '192.168.1.1', '198.51.100.7', '198.51.100.8'],
  names: ['', 'cam.acme.com', 'time.acme.com', 'nas.local'],
};
const hourMs = 3_600_000;
const parts: readonly TracePart[] = ['whole', 'training'];

let unit: LabUnit;
let whole: DeviceTrace;
let traces: WorldTraces;

/** For each flow a question to the resolver at home two seconds before it, and two packets half a minute apart. */
function makeTrace({ flows: { columns, rowCount } }: LabUnit): DeviceTrace {
  const packets = Array.from({ length: rowCount }, (_, row) => row).flatMap((row) => {
    const startMs = columns.flowStartMilliseconds[row] as number;
    const [name, destination] = [1 + row % 3, 2 + row % 2];
    return [
      { timeMs: startMs - 2_000, destination: 1, name, flow: noFlow },
      { timeMs: startMs, destination, name: 0, flow: row },
      { timeMs: startMs + 30_000.5, destination, name: 0, flow: row },
    ];
  }).sort((a, b) => a.timeMs - b.timeMs);
  return {
    timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs), ipId: Uint16Array.from(packets.keys()),
    destination: Uint32Array.from(packets, ({ destination }) => destination),
    name: Uint32Array.from(packets, ({ name }) => name), flow: Uint32Array.from(packets, ({ flow }) => flow),
  };
}

before(async () => {
  unit = unitOf(await makeWorld(), 'camera.Test.One');
  whole = makeTrace(unit);
  traces = createWorldTraces(texts, new Map([[unit.device.device, whole]]));
});

test('the training part has the packets of training flows, and the questions up to the last of them', () => {
  const { train } = unit.device;
  assert.ok(train > 100 && train < unit.flows.rowCount);
  const part = traces.traceOf(unit, 'training');
  // What `makeTrace` lays down for the first flows: three packets each.
  assert.equal(part.timeMs.length, 3 * train);
  const lastMs = unit.flows.columns.flowStartMilliseconds[train - 1] as number;
  assert.equal(part.timeMs.at(-1), lastMs + 30_000.5);
  assert.deepEqual([...new Set(part.flow)].filter((row) => row !== noFlow), [...Array(train).keys()]);
  assert.equal(part.timeMs.findLast((_, i) => part.flow[i] === noFlow), lastMs - 2_000);
  for (let i = 0; i < part.timeMs.length; i++) {
    // The identification says which packet of the whole it is.
    const of = part.ipId[i] as number;
    assert.deepEqual([part.timeMs[i], part.destination[i], part.name[i], part.flow[i]],
      [whole.timeMs[of], whole.destination[of], whole.name[of], whole.flow[of]]);
  }
});

test('rows decide, not the order of packets: a later part\'s flow that began earlier is left out', () => {
  const columns = { ...unit.flows.columns, flowStartMilliseconds: unit.flows.columns.flowStartMilliseconds.slice() };
  const { train } = unit.device;
  columns.flowStartMilliseconds[train] = columns.flowStartMilliseconds[0] as number;
  const moved: LabUnit = { ...unit, flows: { ...unit.flows, columns } };
  const trace = makeTrace(moved);
  const part = createWorldTraces(texts, new Map([[unit.device.device, trace]])).traceOf(moved, 'training');
  assert.ok(!part.flow.includes(train));
  assert.equal(part.flow.filter((row) => row !== noFlow).length, 2 * train);
  // Nobody knows which flow a question was for: those of that time are all there.
  assert.equal(part.flow.filter((row) => row === noFlow).length, train + 1);
});

test('a unit without training flows has nothing to learn from', () => {
  const untrained: LabUnit = { ...unit, device: { ...unit.device, train: 0 } };
  const made = createWorldTraces(texts, new Map([[unit.device.device, whole]]));
  assert.equal(made.traceOf(untrained, 'training').timeMs.length, 0);
  assert.deepEqual(made.namesOf(untrained, 'training', hourMs).windows, []);
});

test('windows count names of servers; packets that ask for none make windows, too', () => {
  for (const part of parts) {
    const { timeMs, name } = traces.traceOf(unit, part);
    const firstHour = Math.floor((timeMs[0] as number) / hourMs);
    const { name: device, deviceModel, kind, windows } = traces.namesOf(unit, part, hourMs);
    assert.deepEqual([device, deviceModel, kind], [unit.device.device, 'camera.Test.One', 'iot']);
    assert.equal(windows.length, Math.floor((timeMs.at(-1) as number) / hourMs) - firstHour + 1);
    for (const [i, window] of windows.entries()) {
      const within = [...timeMs.keys()].filter((packet) =>
        Math.floor((timeMs[packet] as number) / hourMs) === firstHour + i);
      const countOf = (code: number): number => within.filter((packet) => name[packet] === code).length;
      assert.deepEqual(Object.fromEntries(window), Object.fromEntries(
        [1, 2].map((code) => [texts.names[code], countOf(code)]).filter(([, count]) => count !== 0)));
    }
  }
});

test('what was worked out once is given again, of each part and length its own', () => {
  assert.equal(traces.traceOf(unit, 'whole'), whole);
  assert.equal(traces.traceOf(unit, 'training'), traces.traceOf(unit, 'training'));
  const lengths = parts.flatMap((part) => [hourMs, hourMs / 6].map((windowMs) => {
    const once = traces.namesOf(unit, part, windowMs);
    assert.equal(traces.namesOf(unit, part, windowMs), once);
    return once.windows.length;
  }));
  assert.equal(new Set(lengths).size, 4);
});

test('a unit that nobody kept packets of is our own bug', () => {
  const unknown: LabUnit = { ...unit, device: { ...unit.device, device: 'somebody' } };
  for (const part of parts) assert.throws(() => traces.traceOf(unknown, part), /nobody kept the packets of somebody/);
  assert.throws(() => traces.namesOf(unknown, 'whole', hourMs), /nobody kept the packets of somebody/);
});
