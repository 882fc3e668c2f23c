/** Traffic of each unit over its time, for a report: flows and octets by equal slices. */
import type { LabUnit } from './lab-flows.ts';
import type { DeviceTimeline } from './results.ts';

const sliceCount = 120;

export function drawTimeline({ device, flows }: LabUnit): DeviceTimeline {
  const { flowStartMilliseconds: start, initiatorOctets, responderOctets } = flows.columns;
  // The last flow lies in the last slice, not behind it; a single one has a slice of a millisecond.
  const sliceMs = Math.max((device.lastMs - device.firstMs) / sliceCount, 1);
  const counts = { flows: new Array<number>(sliceCount).fill(0), octets: new Array<number>(sliceCount).fill(0) };
  for (let row = 0; row < flows.rowCount; row++) {
    const slice = Math.min(Math.floor(((start[row] as number) - device.firstMs) / sliceMs), sliceCount - 1);
    counts.flows[slice] = (counts.flows[slice] as number) + 1;
    counts.octets[slice] = (counts.octets[slice] as number) + (initiatorOctets[row] as number) +
      (responderOctets[row] as number);
  }
  return { device: device.device, deviceModel: device.deviceModel, startMs: device.firstMs, sliceMs, ...counts };
}
