/**
 * Homes for the main job: the same household with and without a device model. The intruder comes last, so that all
 * other devices send the very same frames in both.
 */
import { OperatorError, Random } from '#base';
import { iotPlans } from './device-plans.ts';
import { hostPlans } from './host-plans.ts';
import { labDeviceModels } from './simulate-lab.ts';

/** How many other devices a home has: IoT and not. */
const iotCounts = { low: 3, high: 7 };
const hostCounts = { low: 2, high: 4 };

/**
 * Units of a home that a seed makes, for `LabOptions.units`.
 *
 * @param intruder  never among the others
 * @throws OperatorError  the lab has no such device model
 */
export function homeUnits(seed: number, intruder: string, isThere: boolean): readonly string[] {
  if (!labDeviceModels.includes(intruder)) {
    throw new OperatorError('bad-option', `the lab has no ${intruder}; it has ${labDeviceModels.join(', ')}`);
  }
  const random = new Random(seed ^ 0x40e5);
  const choose = (plans: typeof iotPlans, counts: typeof iotCounts): string[] => {
    const left = plans.map(({ profile }) => profile.deviceModel).filter((name) => name !== intruder);
    return Array.from({ length: random.integer(counts.low, counts.high) },
      () => left.splice(random.integer(0, left.length - 1), 1)[0] as string);
  };
  const others = [...choose(iotPlans, iotCounts), ...choose(hostPlans, hostCounts)];
  return isThere ? [...others, intruder] : others;
}
