/**
 * Units of the simulated lab as flows in memory, for `natlens calibrate --simulate`: the lab never imports the
 * simulator, so the command hands it flows as values. They say nothing about real products, and the card says so.
 */
import { addressWords, OperatorError, parseMac } from '#base';
import type { FlowNeeds } from '#feature';
import {
  copyRows, createDictionaries, createFlowBatch, createPrefixNamer, isGlobalUnicast, Meter, type Dictionaries,
} from '#flow';
import { FlowsByUnit } from '#classifier/train';
import type { CalibrationUnit } from '#lab';
import { batchPackets, labUnits, simulateLab, type SimulatedLab } from '#sim';
import { joinUnit } from './unit-batches.ts';

export type SimulatedUnitsOptions = {
  readonly seed: number;
  /** Days of 24 hours. */
  readonly days: number;
  /** Of each IoT device model. */
  readonly unitsPerModel: number;
  readonly onProgress: (share: number) => void;
};

/** In front of names, so that a simulated unit is never taken for a recorded one. */
const namePrefix = 'simulated:';
const packetsPerTelling = 50_000;

/**
 * Simulates a lab and meters its flows out of the home.
 *
 * @param needs  how classifiers need flows to be made
 * @throws OperatorError  they need names that simulated flows do not have
 */
export function simulateUnits(needs: FlowNeeds, { seed, days, unitsPerModel, onProgress }: SimulatedUnitsOptions):
CalibrationUnit[] {
  const { l7Source, activeTimeoutMs, idleTimeoutMs, isBiflow } = needs;
  if (l7Source !== 'prefix' || !isBiflow || activeTimeoutMs === 0 || idleTimeoutMs === 0) {
    throw new OperatorError('bad-option', `--simulate makes flows of both directions with names from prefixes; these ` +
      `classifiers need ${isBiflow ? '' : 'one-way '}flows with names from ${l7Source}.`);
  }
  const lab = simulateLab({ seed, days, scale: 1, units: labUnits(unitsPerModel) });
  return meterLab(lab, { activeTimeoutMs, idleTimeoutMs }, onProgress);
}

/** Flows out of the home of each device of a simulated lab, metered and named as `natlens flows` does. */
export function meterLab(
  lab: SimulatedLab, timeouts: Pick<FlowNeeds, 'activeTimeoutMs' | 'idleTimeoutMs'>,
  onProgress: SimulatedUnitsOptions['onProgress'] = () => undefined, dictionaries: Dictionaries = createDictionaries(),
): CalibrationUnit[] {
  const byMac = new Map(lab.devices.map((device) => [(parseMac(device.mac) ?? []).join(), device]));
  const flows = new FlowsByUnit();
  const row = createFlowBatch(1, dictionaries);
  const namer = createPrefixNamer((named) => {
    const { sourceMacAddress: mac, destinationAddress, initiatorPackets } = named.columns;
    for (let i = 0; i < named.rowCount; i++) {
      const device = byMac.get([mac[i * 2], mac[i * 2 + 1]].join());
      if (device === undefined || initiatorPackets[i] === 0) continue;
      if (!isGlobalUnicast(destinationAddress, i * addressWords)) continue;
      row.rowCount = 0;
      copyRows(named, i, i + 1, row);
      row.columns.device[0] = dictionaries.device.encode(`${namePrefix}${device.deviceName}`);
      row.columns.device_model[0] = dictionaries.device_model.encode(device.deviceModel);
      flows.add(row, 0);
    }
  });
  const meter = new Meter(timeouts, (made) => namer.name(made), { dictionaries });
  let packets = 0;
  for (const batch of batchPackets(lab)) {
    meter.add(batch);
    const before = packets;
    packets += batch.rowCount;
    if (Math.floor(before / packetsPerTelling) === Math.floor(packets / packetsPerTelling)) continue;
    onProgress(((batch.timeMicroseconds[0] as number) - lab.startMicroseconds) / 1e6 / lab.durationS);
  }
  meter.end();
  const kinds = new Map(lab.devices.map(({ deviceModel, kind }) => [deviceModel, kind]));
  return flows.units().map((unit) => ({
    ...joinUnit(unit), kind: kinds.get(unit.deviceModel) ?? 'iot', source: 'simulator', isExtra: true,
  }));
}
