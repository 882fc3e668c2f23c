/** What runs of trials on homes share: which device models are looked for, and how the homes are. */
import { OperatorError } from '#base';
import { evidenceDefaults } from '#evidence';
import type { FalseAlarmBudget } from '#verdict';
import { methodsFor } from '../baseline/registry.ts';
import type { TrialOptions } from './home-trial.ts';
import { curveMinutes, type HomesReport } from './homes-report.ts';
import { describeModels, type LabWorld, type ModelTraffic } from './lab-world.ts';

export type ChosenModels = {
  /** Empty: every IoT device model that was recorded for hours and has `flowsMin` flows. */
  readonly deviceModels: readonly string[];
  readonly flowsMin: number;
};

export type TrialPlan = {
  readonly budget: FalseAlarmBudget;
  /** Of each trial: homes without the device model; a tenth as many have it. */
  readonly homes: number;
  readonly calibrationHomes: number;
  readonly knowsAllModels: boolean;
};

/** @throws OperatorError  the data set has no such device model, or none that can be looked for */
export function chooseModels(world: LabWorld, { deviceModels, flowsMin }: ChosenModels): ModelTraffic[] {
  const all = describeModels(world);
  if (deviceModels.length > 0) {
    return deviceModels.map((name) => {
      const found = all.find(({ deviceModel }) => deviceModel === name);
      if (found !== undefined) return found;
      throw new OperatorError('bad-option', `The data set has no IoT device model ${name}; it has ` +
        `${all.map(({ deviceModel }) => deviceModel).join(', ')}.`);
    });
  }
  const chosen = all.filter(({ isContinuous, flows }) => isContinuous && flows >= flowsMin);
  if (chosen.length > 0) return chosen;
  throw new OperatorError('bad-option', `No IoT device model of the data set was recorded for two hours without a ` +
    `pause and has ${flowsMin} flows: name some with --device-model.`);
}

/** All methods that the world shows enough for, in windows as evidence has them. */
export function planTrials(
  world: LabWorld, { budget, homes, calibrationHomes, knowsAllModels }: TrialPlan,
): Omit<TrialOptions, 'countsLooks'> {
  return {
    methods: methodsFor(world), budget, windowMs: evidenceDefaults.windowMs, bucketMs: evidenceDefaults.bucketMs,
    horizonsMs: curveMinutes.map((minutes) => minutes * 60_000), calibrationHomes, nullHomes: homes,
    positiveHomes: Math.ceil(homes / 10), knowsAllModels,
  };
}

export function describeSource({ manifest: { name, isSimulated, note, devices } }: LabWorld): HomesReport['dataset'] {
  const flows = devices.reduce((sum, device) => sum + device.flows, 0);
  return { name, isSimulated, note, devices: devices.length, flows };
}
