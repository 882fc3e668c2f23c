/**
 * Evidence with a veto by identifications: what flows of another kernel lose, what siblings with the same kernel keep,
 * and that nothing is refused where nothing can be known.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Random } from '#base';
import { noToken } from '#evidence';
import { checkHomeMethod, methodWindows } from '../../../test/support/home-method-contract.ts';
import { createNumbering, type Numbering } from '../../../test/support/identified-homes.ts';
import { contextOf, makeWorld, unitOf } from '../../../test/support/made-world.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { learnMethod, trainModel } from '../homes/home-trial.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import type { DeviceTrace, TraceTexts } from './device-trace.ts';
import { evidenceFirstVeto, evidenceSlopeVeto } from './evidence-slope-veto.ts';
import { evidence } from './evidence.ts';
import type { FittedFlows, LearnContext, VetoMethod } from './home-method.ts';
import { createWorldTraces, type WorldTraces } from './world-traces.ts';

const texts: TraceTexts = { destinations: ['', '198.51.100.7', '9.9.9.9'], names: [''] };
const deviceModel = 'camera.Test.One';
/** Siblings of which nobody learned: they talk to the same server, and show tokens of the device model. */
const siblings = ['camera.Test.Two', 'camera.Test.Three'] as const;
const methods: readonly VetoMethod[] = [evidenceSlopeVeto, evidenceFirstVeto];
const counter: Numbering = { kind: 'perDestination' };

let world: LabWorld;
let context: LearnContext;

before(async () => {
  world = await makeWorld();
  context = contextOf(world, trainModel(world, deviceModel, { seed: 1, natlensVersion: '0.0.0' }), siblings);
});

/** Twenty packets a flow, a quarter of a second apart, all of them before it ends. */
function makeTrace({ flows: { columns, rowCount } }: LabUnit, numbering: Numbering, seed: number): DeviceTrace {
  const packets = Array.from({ length: rowCount }, (_, row) => row).flatMap((row) =>
    Array.from({ length: 20 }, (__, i) => ({
      timeMs: (columns.flowEndMilliseconds[row] as number) - 5_000 + i * 250, flow: row,
      destination: columns.destinationTransportPort[row] === 53 ? 2 : 1,
    }))).sort((a, b) => a.timeMs - b.timeMs);
  const identify = createNumbering(numbering, new Random(seed));
  return {
    timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs),
    ipId: Uint16Array.from(packets, ({ timeMs, destination }) => identify(destination, timeMs)),
    destination: Uint32Array.from(packets, ({ destination }) => destination),
    name: new Uint32Array(packets.length), flow: Uint32Array.from(packets, ({ flow }) => flow),
  };
}

type Others = Readonly<Record<string, Numbering>>;
type ChangeTrace = (trace: DeviceTrace, name: string) => DeviceTrace;

/** All units count packets by destination, but for those that are named. */
function tracesOf(others: Others, change: ChangeTrace = (trace) => trace): WorldTraces {
  return createWorldTraces(texts, new Map(world.units.map(({ unit, device, deviceModel: name }, i) =>
    [device, change(makeTrace(unit, others[name] ?? counter, i), name)])));
}

/** Tokens of units, by device model. */
function learnWith(method: VetoMethod, others: Others, change?: ChangeTrace): (name: string) => Uint32Array {
  const traces = tracesOf(others, change);
  const { tokensOf } = learnMethod(method, { ...context, world: { ...world, traces } }, methodWindows) as FittedFlows;
  return (name) => tokensOf(unitOf(world, name));
}

function countTokens(tokens: Uint32Array): number {
  return tokens.filter((token) => token !== noToken).length;
}

function ofEvidence(name: string): Uint32Array {
  const { tokensOf } = learnMethod(evidence, context, methodWindows) as FittedFlows;
  return tokensOf(unitOf(world, name));
}

test('flows of another kernel lose their tokens; its own and those of siblings with its kernel keep them', () => {
  const tokensOf = learnWith(evidenceSlopeVeto, { [siblings[0]]: { kind: 'random' } });
  for (const name of siblings) assert.ok(countTokens(ofEvidence(name)) > 500, 'siblings show tokens');
  for (const name of [deviceModel, siblings[1]]) assert.deepEqual(tokensOf(name), ofEvidence(name), name);
  assert.equal(countTokens(tokensOf(siblings[0])), 0);
});

test('of the first packets alone there are too few in an hour to be sure of most flows', () => {
  const tokensOf = learnWith(evidenceFirstVeto, { [siblings[0]]: { kind: 'random' } });
  const kept = countTokens(tokensOf(siblings[0])) / countTokens(ofEvidence(siblings[0]));
  assert.ok(kept > 0.5, `${kept} of the tokens of another kernel are kept`);
  assert.ok(countTokens(tokensOf(deviceModel)) > 0.95 * countTokens(ofEvidence(deviceModel)));
});

test('where the device model\'s packets are of no class nothing is refused', () => {
  const drawn = createNumbering({ kind: 'random' }, new Random(7));
  // A third of its packets are numbered by chance, the others counted.
  const mix = (trace: DeviceTrace, name: string): DeviceTrace => name !== deviceModel ? trace
    : { ...trace, ipId: trace.ipId.map((id, at) => at % 3 === 0 ? drawn(1, 0) : id) };
  for (const method of methods) {
    const tokensOf = learnWith(method, { [siblings[0]]: { kind: 'random' } }, mix);
    assert.deepEqual(tokensOf(siblings[0]), ofEvidence(siblings[0]), method.name);
  }
});

test('the contract of a method', () => {
  const traces = tracesOf({ [siblings[0]]: { kind: 'random' } });
  for (const method of methods) checkHomeMethod(method, { ...context, world: { ...world, traces } });
});
