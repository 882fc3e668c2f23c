/**
 * Device models in whose homes another one is found: learned before anything is promised, since who cannot be told
 * apart must be said beforehand. Those that are found often make a group; their homes are no null homes, and the
 * verdict names all of the group.
 */
import type { Random } from '#base';
import type { DecisionRule } from '#verdict';
import { composeHome, composeHomeWith } from '../homes/compose-homes.ts';
import type { Recording } from '../homes/recording.ts';
import type { UnitRecordings } from './calibration-units.ts';
import type { HomeMeter } from './null-homes.ts';

/** Share of the homes with a device model from which on it is of the group. */
export const groupShare = 0.1;

export type ConfuserRate = { readonly deviceModel: string; readonly rate: number };

/** Units by device model. People's machines and IoT devices alike. */
export function byDeviceModel(units: readonly UnitRecordings[]): ReadonlyMap<string, readonly Recording[]> {
  const groups = Map.groupBy(units, ({ unit }) => unit.deviceModel);
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, members]) => [name, members.flatMap(({ whole }) => whole ?? [])] as const)
    .filter(([, recordings]) => recordings.length > 0));
}

/**
 * Device models that reach the floor by themselves in a tenth of their days: they may be of the group, so homes with
 * them do not belong into the null table before that is known.
 */
export function findSuspects(
  meter: HomeMeter, models: ReadonlyMap<string, readonly Recording[]>, ownFloor: number, days: number, random: Random,
): string[] {
  const suspects: string[] = [];
  for (const [name, recordings] of models) {
    let reached = 0;
    for (let i = 0; i < days; i++) {
      const home = composeHome([random.pick(recordings)], meter.day, random);
      if (meter.strongestOf(home) >= ownFloor) reached++;
    }
    if (reached >= days * groupShare) suspects.push(name);
  }
  return suspects;
}

/**
 * Share of homes with each device model in which the classifier's own is found.
 *
 * @param others  units that fill the homes: none of the suspects
 */
export function measureConfusers(
  meter: HomeMeter, models: ReadonlyMap<string, readonly Recording[]>, others: readonly Recording[],
  { rule, days }: { readonly rule: DecisionRule; readonly days: number }, random: Random,
): ConfuserRate[] {
  const rates: ConfuserRate[] = [];
  for (const [deviceModel, recordings] of models) {
    const rest = others.filter(({ unit }) => unit.deviceModel !== deviceModel);
    if (rest.length === 0) continue;
    let found = 0;
    for (let i = 0; i < days; i++) {
      const home = composeHomeWith(recordings, rest, meter.day, random);
      if (meter.strongestOf(home) >= rule.presentScoreOf(home.flowsADay)) found++;
    }
    if (found > 0) rates.push({ deviceModel, rate: found / days });
  }
  return rates.sort((a, b) => b.rate - a.rate || (a.deviceModel < b.deviceModel ? -1 : 1));
}
