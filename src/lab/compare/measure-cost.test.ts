/** What a method costs: the flows of all units are judged once, and twice the work costs more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeWorld } from '../../../test/support/made-world.ts';
import type { DeviceTrace, TraceTexts } from '../baseline/device-trace.ts';
import { createFlowCount } from '../baseline/window-scores.ts';
import { decideByRule } from '../baseline/decide.ts';
import type { FittedFlows } from '../baseline/home-method.ts';
import { createWorldTraces } from '../baseline/world-traces.ts';
import { forgetTraces, measureCost } from './measure-cost.ts';

const windows = { windowMs: 3_600_000, bucketMs: 60_000 };

test('every unit is judged once, and the time that it takes is told for a home and day', async () => {
  const world = await makeWorld();
  const judged: string[] = [];
  let turns = 0;
  const methodOf = (spin: number): FittedFlows => ({
    tokensOf: ({ device: { device }, flows }) => {
      judged.push(device);
      for (let i = 0; i < spin; i++) turns += Math.sqrt(i);
      return new Uint32Array(flows.rowCount);
    },
    createScore: createFlowCount,
    decide: () => decideByRule(1),
  });
  const quick = measureCost(methodOf(0), world, windows);
  assert.deepEqual(judged, world.units.map(({ device }) => device));
  assert.ok(quick > 0 && Number.isFinite(quick));
  // A good part of a second against next to nothing: no doubt which is more, on whatever machine.
  assert.ok(measureCost(methodOf(2e7), world, windows) > quick);
  assert.ok(turns > 0);
});

test('traces of a world are others each time it is forgotten, with the same packets', async () => {
  const world = await makeWorld();
  const unit = world.units[0]?.unit ?? assert.fail();
  const texts: TraceTexts = { destinations: [''], names: [''] };
  const trace: DeviceTrace = {
    timeMs: Float64Array.of(5), ipId: Uint16Array.of(1), destination: Uint32Array.of(0), name: Uint32Array.of(0),
    flow: Uint32Array.of(0),
  };
  const traced = { ...world, traces: createWorldTraces(texts, new Map([[unit.device.device, trace]])) };
  const [one, other] = [forgetTraces(traced), forgetTraces(traced)].map(({ traces }) => traces?.traceOf(unit, 'whole'));
  assert.deepEqual(one, trace);
  assert.ok(one !== trace && one !== other && one?.timeMs === trace.timeMs);
  const again = forgetTraces(traced).traces;
  assert.equal(again?.traceOf(unit, 'whole'), again?.traceOf(unit, 'whole'));
  assert.equal(forgetTraces(world), world, 'nothing to forget');
});
