/**
 * What all device models, seeds and methods share: the flows of a data set, cut for training and laid out as recordings
 * that homes are composed of, with what does not depend on any of them worked out once.
 */
import { assertInvariant, limits } from '#base';
import { createLibraryUnit, type LibraryUnit, type OwnFlows } from '#classifier/train';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';
import { recordUnit, type UnitRecordings } from '../calibrate/calibration-units.ts';
import type { DatasetManifest } from '../dataset/manifest.ts';
import { loadLabFlows, type LabUnit } from '../evaluate/lab-flows.ts';
import { listFlowTerms, type FlowTerms } from '../baseline/flow-terms.ts';
import { loadWorldTraces, type WorldTraces } from '../baseline/world-traces.ts';
import { hasTraces } from '../dataset/read-traces.ts';
import { recordedMs } from './recording.ts';
import type { RoleUnit } from './roles.ts';

/** A unit with its recordings; those that have no flow with a time are left out of homes. */
export type WorldUnit = RoleUnit & { readonly unit: LabUnit; readonly recordings: UnitRecordings };

export type LabWorld = {
  readonly manifest: DatasetManifest;
  readonly units: readonly WorldUnit[];
  readonly terms: FlowTerms;
  /** Packets, where the data set has them. */
  readonly traces: WorldTraces | undefined;
  readonly remarks: readonly string[];
  /** As a unit of a background library; its flows are the unit's, row by row, in batches that may be scored. */
  libraryUnitOf(unit: LabUnit): LibraryUnit;
};

/** @throws OperatorError  as `loadLabFlows`; the data set has traces of other flows */
export async function loadWorld(folder: string): Promise<LabWorld> {
  const { manifest, units, remarks } = await loadLabFlows(folder);
  const libraryUnits = new Map<LabUnit, LibraryUnit>();
  return {
    manifest, remarks,
    units: units.map((unit): WorldUnit => {
      const { device, deviceModel, kind, train, validation } = unit.device;
      const role: RoleUnit = { device, deviceModel, kind };
      const recordings = recordUnit({ ...role, source: 'lab', flows: unit.flows, train, validation });
      return { ...role, unit, recordings };
    }),
    terms: listFlowTerms(units),
    traces: hasTraces(folder) ? await loadWorldTraces(folder, units) : undefined,
    libraryUnitOf: (unit) => {
      const known = libraryUnits.get(unit);
      if (known !== undefined) return known;
      const { device, deviceModel } = unit.device;
      const made = createLibraryUnit({ device, deviceModel, flows: cutRows(unit.flows, 0, unit.flows.rowCount) });
      libraryUnits.set(unit, made);
      return made;
    },
  };
}

/** Training and validation parts of units of one device model. */
export function ownFlowsOf(units: readonly LabUnit[]): OwnFlows {
  return {
    training: units.flatMap(({ flows, device: { train } }) => cutRows(flows, 0, train)),
    validation: units.flatMap(({ flows, device: { train, validation } }) => cutRows(flows, train, train + validation)),
  };
}

/** Rows of a batch in batches of their own, none larger than what is scored at once. */
function cutRows(flows: FlowBatch, first: number, end: number): FlowBatch[] {
  const batches: FlowBatch[] = [];
  for (let from = first; from < end; from += limits.flowBatchRows) {
    const to = Math.min(from + limits.flowBatchRows, end);
    const batch = createFlowBatch(to - from, flows.dictionaries);
    copyRows(flows, from, to, batch);
    batches.push(batch);
  }
  return batches;
}

export type ModelTraffic = {
  readonly deviceModel: string;
  readonly flows: number;
  /** Its units are recorded for hours without a pause: it can be looked for over a day. */
  readonly isContinuous: boolean;
  /** Of its recorded time. */
  readonly flowsPerHour: number;
};

/** What is known of each IoT device model, by name. */
export function describeModels({ units }: LabWorld): ModelTraffic[] {
  const models = Map.groupBy(units.filter(({ kind }) => kind === 'iot'), ({ deviceModel }) => deviceModel);
  return [...models].sort(([a], [b]) => (a < b ? -1 : 1)).map(([deviceModel, members]) => {
    const recordings = members.flatMap(({ recordings: { whole } }) => whole ?? []);
    const hours = recordings.reduce((sum, recording) => sum + recordedMs(recording), 0) / 3_600_000;
    const flows = members.reduce((sum, { unit }) => sum + unit.device.flows, 0);
    assertInvariant(hours > 0 || flows === 0 || recordings.length === 0, 'flows that take no time');
    return {
      deviceModel, flows, isContinuous: recordings.some(({ isContinuous }) => isContinuous),
      flowsPerHour: hours === 0 ? 0 : flows / hours,
    };
  });
}
