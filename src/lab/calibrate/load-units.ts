/** The units of a data set as a calibration works with them, and where each one's flows lie. */
import { join } from 'node:path';
import { OperatorError } from '#base';
import { checkNeeds } from '#feature';
import type { Classifier } from '#score';
import { loadLabFlows } from '../evaluate/lab-flows.ts';
import { assignRoles } from '../homes/roles.ts';
import { readDataset } from '../dataset/read-dataset.ts';
import type { CalibrationUnit } from './calibration-units.ts';

export type LoadedUnits = {
  readonly units: readonly CalibrationUnit[];
  readonly isSimulated: boolean;
  /** What whoever reads the figures should know, in sentences. */
  readonly remarks: readonly string[];
};

/**
 * Reads all flows of a data set.
 *
 * @param classifiers  those of which the data set has units must fit the flows of these
 * @throws OperatorError  it is none, or flows were made otherwise than a classifier needs
 */
export async function loadCalibrationUnits(
  folder: string, classifiers: readonly Pick<Classifier, 'deviceModel' | 'needs'>[],
): Promise<LoadedUnits> {
  const { manifest, units, remarks } = await loadLabFlows(folder);
  for (const { deviceModel, needs } of classifiers) {
    const unfit = units.find(({ device }) =>
      device.deviceModel === deviceModel && checkNeeds(needs, device.made) !== undefined);
    if (unfit !== undefined) {
      throw new OperatorError('bad-option', `The classifier of ${deviceModel} does not fit ${unfit.device.file}: ` +
        `${checkNeeds(needs, unfit.device.made)}`);
    }
  }
  return {
    isSimulated: manifest.isSimulated, remarks,
    units: units.map(({ device: { device, deviceModel, kind, train, validation }, flows }) => ({
      device, deviceModel, kind, flows, train, validation, source: manifest.isSimulated ? 'simulator' : 'lab',
    })),
  };
}

/**
 * Files of the units that are the background library when a classifier of this device model is calibrated with this
 * seed: those to train it against, so that no unit has two roles.
 *
 * @throws OperatorError  it is no data set, or has no such device model
 */
export async function listLibraryFiles(folder: string, deviceModel: string, seed: number): Promise<string[]> {
  const { manifest: { devices } } = await readDataset(folder);
  if (!devices.some((device) => device.deviceModel === deviceModel)) {
    throw new OperatorError('bad-option', `The data set ${folder} has no device model ${deviceModel}; it has ` +
      `${[...new Set(devices.map((device) => device.deviceModel))].sort().join(', ')}.`);
  }
  const roles = assignRoles(devices, { deviceModel, seed });
  return devices.filter(({ device }) => roles.get(device) === 'library').map(({ file }) => join(folder, file));
}
