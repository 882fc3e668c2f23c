/**
 * Supervised trees on flows, after Meidan et al. 2020 ("A novel approach for detecting vulnerable IoT devices connected
 * behind a home NAT", Computers & Security 97): each flow is one of the device models that were learned, and flows that
 * are the one looked for are counted in a window. Once with the devices of other homes held out, as in the field, and
 * once with all of them learned, as such trees are published.
 */
import { assertInvariant } from '#base';
import { noToken } from '#evidence';
import type { FlowBatch } from '#flow';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { decideConformally } from './decide.ts';
import { flowPrivacy, type FittedFlows, type FlowMethod } from './home-method.ts';
import { createFlowCount } from './window-scores.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import { fitClassTrees, type ClassFlows, type ClassTrees } from './class-trees.ts';

/** Class of all machines of people: which of them a flow is from is nobody's question. */
const peopleClass = '';

/**
 * Learned are the device model and the library. The devices of homes that calibrate and test are held out: the trees
 * take their flows for those of whichever class comes nearest.
 */
export const flowTrees: FlowMethod = {
  name: 'flow-trees',
  meaning: "Flows in an hour that trees of many classes take for the device model's (Meidan et al. 2020); the " +
    'devices of the homes that it is tried on are held out.',
  source: 'Meidan et al. 2020',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: false,
  isCalibrated: true,
  learn: ({ deviceModel, ownUnits, library }) => {
    const trees = fitClassTrees([
      ...ownUnits.map((unit) => partOf(unit, 0, unit.device.train)),
      ...library.map((unit) => partOf(unit, 0, unit.flows.rowCount)),
    ]);
    return countOwn(({ flows }) => trees.isOfClass({ className: deviceModel, flows, first: 0, end: flows.rowCount }));
  },
};

/**
 * Learned are all units of the data set, also those of homes that calibrate and test: nobody has such trees in the
 * field, where most devices are unknown. No flow is judged by trees that learned from it: each half of a unit's flows
 * is judged by those that learned from the other half. Test flows of the device model lie in the later half.
 */
export const flowTreesClosed: FlowMethod = {
  name: 'flow-trees-closed',
  meaning: 'The same with no device held out: the trees know every device of every home, as published.',
  source: 'Meidan et al. 2020',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: false,
  isCalibrated: true,
  learn: ({ deviceModel, world, ownUnits }) => {
    const halves = learnWorld(world);
    for (const { device: { train, validation }, flows } of ownUnits) {
      assertInvariant(train + validation >= halfOf(flows), 'test flows in the half learned from');
    }
    return countOwn(({ flows }) => {
      const half = halfOf(flows);
      const asked = { className: deviceModel, flows };
      const isOwn = new Uint8Array(flows.rowCount);
      isOwn.set(halves.later.isOfClass({ ...asked, first: 0, end: half }));
      isOwn.set(halves.earlier.isOfClass({ ...asked, first: half, end: flows.rowCount }), half);
      return isOwn;
    });
  },
};

/** @param findOwn  [row of the unit's flows]: 1 for those that are the device model's */
function countOwn(findOwn: (unit: LabUnit) => Uint8Array): FittedFlows {
  return {
    tokensOf: (unit) => Uint32Array.from(findOwn(unit), (isOwn) => isOwn === 1 ? 0 : noToken),
    createScore: createFlowCount,
    decide: decideConformally,
  };
}

/** Trees that learned from the earlier half of each unit's flows, and from the later one. */
type HalfTrees = { readonly earlier: ClassTrees; readonly later: ClassTrees };

const learned = new WeakMap<LabWorld, HalfTrees>();

/** The same for every device model, seed and library: learned once for each data set. */
function learnWorld(world: LabWorld): HalfTrees {
  const known = learned.get(world);
  if (known !== undefined) return known;
  const units = world.units.map(({ unit }) => unit);
  const made = {
    earlier: fitClassTrees(units.map((unit) => partOf(unit, 0, halfOf(unit.flows)))),
    later: fitClassTrees(units.map((unit) => partOf(unit, halfOf(unit.flows), unit.flows.rowCount))),
  };
  learned.set(world, made);
  return made;
}

function halfOf({ rowCount }: FlowBatch): number {
  return rowCount >>> 1;
}

function partOf({ device: { deviceModel, kind }, flows }: LabUnit, first: number, end: number): ClassFlows {
  return { className: kind === 'iot' ? deviceModel : peopleClass, flows, first, end };
}
