/**
 * What every method keeps that looks for device models in homes, whatever it learns, from flows or from packets: one
 * suite for all of them.
 */
import assert from 'node:assert/strict';
import { Random } from '#base';
import { noToken } from '#evidence';
import { noFlow, type DeviceTrace, type TraceTexts } from '../../src/lab/baseline/device-trace.ts';
import type {
  FittedFlows, FittedMethod, FittedPackets, HomeMethod, LearnContext,
} from '../../src/lab/baseline/home-method.ts';
import type { TermTokens } from '../../src/lab/baseline/trace-terms.ts';
import { createWorldTraces, type WorldTraces } from '../../src/lab/baseline/world-traces.ts';
import type { LabUnit } from '../../src/lab/evaluate/lab-flows.ts';
import type { WindowScore } from '../../src/lab/homes/home-windows.ts';
import { copyColumns } from './made-world.ts';

export const methodWindows = { windowMs: 3_600_000, bucketMs: 60_000 } as const;

/**
 * Tokens for rows of flows, or for some of the packets in the order of time; the same ones when it learns once more; a
 * score that forgets what has gone; and flows and packets left as they were. Packets of units that are none of the
 * library, and those after the training part of its own units, change nothing of what a method of packets learns.
 */
export function checkHomeMethod(method: HomeMethod, context: LearnContext): void {
  const units = unitsOf(context);
  const columns = units.map(({ flows }) => copyColumns(flows));
  const { traces } = context.world;
  if (method.sees === 'flow records') {
    checkFlows(method, context, () => method.learn(context, methodWindows));
  } else {
    assert.ok(traces !== undefined, 'a world without packets');
    const learn = (from: WorldTraces): FittedMethod =>
      method.learn({ ...context, world: { ...context.world, traces: from } }, methodWindows, from);
    if ('tokensOf' in learn(traces)) checkFlows(method, context, () => learn(traces) as FittedFlows);
    else checkPackets(method, context, traces, (from) => learn(from) as FittedPackets);
  }
  assert.deepEqual(units.map(({ flows }) => copyColumns(flows)), columns, `${method.name} changed flows`);
}

function unitsOf({ world }: LearnContext): LabUnit[] {
  return world.units.map(({ unit }) => unit);
}

function checkFlows(method: HomeMethod, context: LearnContext, learn: () => FittedFlows): void {
  const [once, again] = [learn(), learn()];
  const shown = unitsOf(context).map((unit) => {
    const tokens = once.tokensOf(unit);
    assert.equal(tokens.length, unit.flows.rowCount);
    assert.deepEqual(again.tokensOf(unit), tokens, `${method.name}: ${unit.device.device}`);
    return tokens.filter((token) => token !== noToken);
  });
  checkScore(method, once.createScore(), shown);
}

function checkPackets(
  method: HomeMethod, context: LearnContext, traces: WorldTraces, learn: (from: WorldTraces) => FittedPackets,
): void {
  const copy = (): unknown => structuredClone(unitsOf(context).map((unit) => traces.traceOf(unit, 'whole')));
  const before = copy();
  const listEvents = (from: WorldTraces): TermTokens[] => {
    const { eventsOf } = learn(from);
    return unitsOf(context).map((unit) => eventsOf(traces.traceOf(unit, 'whole'), unit));
  };
  const events = listEvents(traces);
  assert.deepEqual(listEvents(traces), events, `${method.name} learned something else again`);
  for (const { timeMs, token } of events) {
    assert.equal(timeMs.length, token.length);
    assert.ok(timeMs.every((time, i) => i === 0 || time >= (timeMs[i - 1] as number)), `${method.name}: out of order`);
  }
  checkScore(method, learn(traces).createScore(), events.map(({ token }) => token));
  const unseenChanged = listEvents(changeTraces(context, traces, 'unseen'));
  assert.deepEqual(unseenChanged, events, `${method.name} looked at other packets`);
  // What it may look at does make a difference, or the line above would say nothing.
  assert.notDeepEqual(listEvents(changeTraces(context, traces, 'training')), events, `${method.name} learned nothing`);
  assert.deepEqual(copy(), before, `${method.name} changed packets`);
}

/** @param shown  tokens of each unit */
function checkScore({ name }: HomeMethod, score: WindowScore, shown: readonly Uint32Array[]): void {
  for (const tokens of shown) {
    assert.equal(score.read(), 0, 'an empty window is worth nothing');
    for (const token of tokens) score.add(token);
    assert.ok(Number.isFinite(score.read()));
    for (const token of tokens) score.remove(token);
  }
  assert.equal(score.read(), 0);
  assert.ok(shown.some(({ length }) => length > 0), `${name} finds nothing anywhere`);
}

/** Other names, destinations and identifications in the training part of own units, or in all that is not seen. */
function changeTraces(context: LearnContext, traces: WorldTraces, which: 'training' | 'unseen'): WorldTraces {
  const { ownUnits, library } = context;
  return createWorldTraces(traces.texts, new Map(unitsOf(context).map((unit) => {
    const isOwn = ownUnits.includes(unit);
    const isSeen = (trace: DeviceTrace, packet: number): boolean =>
      isOwn ? isOfTraining(unit, trace, packet) : library.includes(unit);
    const trace = traces.traceOf(unit, 'whole');
    const changed = changePackets(trace, traces.texts, (packet) =>
      which === 'unseen' ? !isSeen(trace, packet) : isOwn && isSeen(trace, packet));
    return [unit.device.device, changed];
  })));
}

/** Questions to the resolver at home are no part of a flow: those count from before the last training flow. */
function isOfTraining(
  { device: { train }, flows: { columns } }: LabUnit, { timeMs, flow }: DeviceTrace, packet: number,
): boolean {
  const row = flow[packet] as number;
  if (row !== noFlow) return row < train;
  return (timeMs[packet] as number) <= Math.max(...columns.flowStartMilliseconds.subarray(0, train));
}

/** Every name and destination becomes the next one, so that a device does what another one did. */
function changePackets(
  trace: DeviceTrace, { names, destinations }: TraceTexts, isChanged: (packet: number) => boolean,
): DeviceTrace {
  const random = new Random(7);
  const nextOf = (code: number, packet: number, texts: readonly string[]): number =>
    code === 0 || !isChanged(packet) ? code : code % (texts.length - 1) + 1;
  return {
    ...trace,
    ipId: trace.ipId.map((id, packet) => isChanged(packet) ? random.integer(0, 0xffff) : id),
    destination: trace.destination.map((code, packet) => nextOf(code, packet, destinations)),
    name: trace.name.map((code, packet) => nextOf(code, packet, names)),
  };
}
