/**
 * A made-up lab for tests of methods that look for device models in homes: siblings of one vendor talk to one server
 * and differ in how much they send, other vendors have servers of their own, and people's machines talk to many.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '#base';
import { noToken } from '#evidence';
import { schema, type FlowBatch } from '#flow';
import type { LabUnit } from '../../src/lab/evaluate/lab-flows.ts';
import type { TrainedModel } from '../../src/lab/homes/home-trial.ts';
import { loadWorld, type LabWorld } from '../../src/lab/homes/lab-world.ts';
import { assignRoles, type UnitRole } from '../../src/lab/homes/roles.ts';
import type { LearnContext } from '../../src/lab/baseline/home-method.ts';
import { writeDataset, type MadeUnit } from './made-dataset.ts';
import { batchOfTokenFlows, type TokenFlow } from './token-flows.ts';

/** Packets of most flows, by unit of the vendor `Test`, all of which talk to one server. */
export const siblingPackets: Readonly<Record<string, number>> = { One: 4, Two: 12, Three: 40 };
const others: readonly string[] = ['plug.Ash.A', 'bulb.Birch.B', 'hub.Cedar.C', 'lock.Elm.E', 'fridge.Fir.F',
  'oven.Hazel.H', 'fan.Larch.L', 'scale.Maple.M', 'lamp.Oak.O'];
const laptops: readonly string[] = ['laptop-1', 'laptop-2', 'laptop-3', 'laptop-4'];

/** Every six minutes, so that a day shows what is there. */
const flowCount = 720;
const flowsAnHour = 10;

export async function makeWorld(): Promise<LabWorld> {
  const units = [
    ...Object.entries(siblingPackets).map(([model, packets], i) =>
      makeUnit('iot', `camera.Test.${model}`, { seed: i, addresses: ['198.51.100.7'], packets })),
    ...others.map((deviceModel, i) =>
      makeUnit('iot', deviceModel, { seed: 10 + i, addresses: [`203.0.${i}.9`], packets: 6 + i })),
    ...laptops.map((name, i) => makeUnit('non-iot', name, {
      seed: 20 + i, addresses: Array.from({ length: 12 }, (_, server) => `192.0.${server}.9`), packets: 25,
    })),
  ];
  const folder = mkdtempSync(join(tmpdir(), 'natlens-made-world-'));
  try {
    await writeDataset(folder, units);
    return await loadWorld(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param heldOut  device models that nobody learns from, beside the one looked for */
export function contextOf(world: LabWorld, trained: TrainedModel, heldOut: readonly string[] = []): LearnContext {
  const unknown = new Set([trained.deviceModel, ...heldOut]);
  const library = world.units.filter(({ deviceModel }) => !unknown.has(deviceModel)).map(({ unit }) => unit);
  return { ...trained, world, library };
}

/** The first seed by which the siblings of a device model are dealt such roles. */
export function findSiblingSeed(
  world: LabWorld, deviceModel: string, fits: (roles: readonly (UnitRole | undefined)[]) => boolean,
): number {
  const names = Object.keys(siblingPackets).map((name) => `camera.Test.${name}`).filter((name) => name !== deviceModel);
  return Array.from({ length: 200 }, (_, i) => i + 1).find((seed) => {
    const roles = assignRoles(world.units, { deviceModel, seed });
    return fits(names.map((name) => roles.get(unitOf(world, name).device.device)));
  }) ?? assert.fail('no seed deals siblings so');
}

/** The only unit of a device model. */
export function unitOf({ units }: LabWorld, deviceModel: string): LabUnit {
  const found = units.find((unit) => unit.deviceModel === deviceModel);
  assert.ok(found !== undefined, deviceModel);
  return found.unit;
}

/** Share of the flows of a unit's test part, those of DNS left out, that show a token. */
export function shownShare(tokens: Uint32Array, { device, flows: { columns } }: LabUnit): number {
  const { train, validation } = device;
  const rows = [...tokens.keys()].filter((row) =>
    row >= train + validation && columns.destinationTransportPort[row] !== 53);
  return rows.filter((row) => tokens[row] !== noToken).length / rows.length;
}

/** All columns of all rows, to be held against themselves later. */
export function copyColumns({ columns, rowCount }: FlowBatch): unknown[] {
  return [rowCount, ...schema.map(({ name }) => columns[name].slice())];
}

type Talk = { readonly seed: number; readonly addresses: readonly string[]; readonly packets: number };

/** Nine flows in ten go to the unit's own servers; the others are DNS, alike for all. */
function makeUnit(kind: MadeUnit['kind'], deviceModel: string, { seed, addresses, packets }: Talk): MadeUnit {
  const random = new Random(seed);
  const flows = Array.from({ length: flowCount }, (_, i): TokenFlow => {
    const when = { hour: Math.floor(i / flowsAnHour), minute: i % flowsAnHour * 6 };
    if (random.chance(0.1)) return { ...when, to: '9.9.9.9', port: 53, name: 'DNS', octets: [70, 130] };
    const sent = 500 * Math.round(packets * (0.8 + 0.4 * random.uniform()));
    return {
      ...when, to: addresses[random.integer(0, addresses.length - 1)] as string, port: 443, name: 'TLS',
      octets: [sent, 2 * sent],
    };
  });
  const device = `${deviceModel}-unit`;
  const named = flows.map((flow) => ({ ...flow, device, deviceModel }));
  return { device, deviceModel, kind, flows: batchOfTokenFlows(named) };
}
