/**
 * Units of a data set whose hosts number their packets in a known way, with their flows and packets: as much of a world
 * as linkers and signatures look at. A question has a flow of its own, as one to a resolver on the Internet has.
 */
import { createDictionaries, createFlowBatch, type FlowBatch } from '#flow';
import type { DeviceTrace } from '../../src/lab/baseline/device-trace.ts';
import { createWorldTraces, type WorldTraces } from '../../src/lab/baseline/world-traces.ts';
import { recordUnit } from '../../src/lab/calibrate/calibration-units.ts';
import type { LabUnit } from '../../src/lab/evaluate/lab-flows.ts';
import type { WorldUnit } from '../../src/lab/homes/lab-world.ts';
import { makeIdentifiedHome, type HostOptions } from './identified-homes.ts';

export type IdentifiedUnit = { readonly deviceModel: string; readonly host: HostOptions };
export type IdentifiedWorld = { readonly units: readonly WorldUnit[]; readonly traces: WorldTraces };

/** Of the flows of a unit, earliest first, 70 % train and 10 % validate. */
export function makeIdentifiedWorld(plans: readonly IdentifiedUnit[]): IdentifiedWorld {
  const traces = new Map<string, DeviceTrace>();
  const units = plans.map(({ deviceModel, host }, i): WorldUnit => {
    const device = `${deviceModel}-${i + 1}`;
    const trace = makeIdentifiedHome([host]);
    traces.set(device, trace);
    const flows = batchOf(trace);
    const [train, validation] = [Math.floor(flows.rowCount * 0.7), Math.floor(flows.rowCount * 0.1)];
    const role = { device, deviceModel, kind: 'iot' } as const;
    // Of the manifest's row of a device only this is looked at.
    const unit = { device: { ...role, train, validation }, flows, test: [] } as unknown as LabUnit;
    return { ...role, unit, recordings: recordUnit({ ...role, source: 'lab', flows, train, validation }) };
  });
  return { units, traces: createWorldTraces({ destinations: [''], names: [''] }, traces) };
}

/** Rows by the number of their flow, from its first packet to its last. */
function batchOf({ timeMs, flow }: DeviceTrace): FlowBatch {
  const rowCount = flow.reduce((most, row) => Math.max(most, row + 1), 0);
  const batch = createFlowBatch(rowCount, createDictionaries());
  const { flowStartMilliseconds, flowEndMilliseconds } = batch.columns;
  flowStartMilliseconds.fill(Infinity);
  flow.forEach((row, i) => {
    const now = timeMs[i] as number;
    flowStartMilliseconds[row] = Math.min(flowStartMilliseconds[row] as number, now);
    flowEndMilliseconds[row] = Math.max(flowEndMilliseconds[row] as number, now);
  });
  batch.rowCount = rowCount;
  return batch;
}
