/**
 * Who takes part in what, when a classifier is tried on homes: each unit is in the background library, in the homes
 * that calibrate, or in the homes that test, and in no two of them. Units of one device model share a role, so a home
 * that tests has only device models that nobody learned from or calibrated on. People's machines are one of a kind
 * each, and are dealt one by one: homes of every role have some.
 */
import { assertInvariant, Random } from '#base';
import type { DeviceKind } from '../inventory/inventory-table.ts';

export const unitRoles = ['library', 'calibration', 'test'] as const;
export type UnitRole = (typeof unitRoles)[number];

export type RoleUnit = {
  /** Name of the unit, unlike every other's. */
  readonly device: string;
  readonly deviceModel: string;
  readonly kind: DeviceKind;
};

export type RoleOptions = {
  /** The device model that is looked for: its own units have no role. */
  readonly deviceModel: string;
  readonly seed: number;
  /** Share of the library that is kept, 0..1: the others are in homes that test, known to nobody. By default all. */
  readonly libraryShare?: number;
};

/**
 * Deals units to roles: half to the library, a quarter each to calibration and test. The same seed deals the same way,
 * in whatever order the units come; a smaller library is a part of the larger one, the calibration stays as it is, and
 * the test grows by what was taken out.
 *
 * @returns  by name of the unit; those without a role are not in it
 */
export function assignRoles(units: readonly RoleUnit[], options: RoleOptions): ReadonlyMap<string, UnitRole> {
  const { deviceModel, seed, libraryShare = 1 } = options;
  const others = units.filter((unit) => unit.deviceModel !== deviceModel);
  const roles = new Map<string, UnitRole>();
  for (const kind of ['iot', 'non-iot'] as const) {
    const ofKind = others.filter((unit) => unit.kind === kind);
    const hands = Map.groupBy(ofKind, (unit) => kind === 'iot' ? unit.deviceModel : unit.device);
    const names = shuffle([...hands.keys()].sort(), new Random(seed ^ (kind === 'iot' ? 0 : 0x5bd1_e995)));
    const libraryEnd = Math.round(names.length / 2);
    const calibrationEnd = libraryEnd + Math.round((names.length - libraryEnd) / 2);
    for (const [i, name] of names.entries()) {
      const isKnown = i < Math.ceil(libraryEnd * libraryShare);
      const role = isKnown ? 'library' : i >= libraryEnd && i < calibrationEnd ? 'calibration' : 'test';
      for (const { device } of hands.get(name) ?? []) roles.set(device, role);
    }
  }
  assertDisjoint(units, roles, deviceModel);
  return roles;
}

/** Units of a role, in the order of `units`. */
export function unitsOfRole<U extends RoleUnit>(
  units: readonly U[], roles: ReadonlyMap<string, UnitRole>, role: UnitRole,
): U[] {
  return units.filter(({ device }) => roles.get(device) === role);
}

/** @throws InvariantError  an IoT device model has two roles, or the one that is looked for has any */
export function assertDisjoint(
  units: readonly RoleUnit[], roles: ReadonlyMap<string, UnitRole>, deviceModel: string,
): void {
  const roleOf = new Map<string, UnitRole | undefined>();
  const seen = new Set<string>();
  for (const unit of units) {
    assertInvariant(!seen.has(unit.device), `two units are called ${unit.device}`);
    seen.add(unit.device);
    const role = roles.get(unit.device);
    assertInvariant(unit.deviceModel !== deviceModel || role === undefined,
      `${unit.device} has a role in its own test`);
    if (unit.kind !== 'iot') continue;
    assertInvariant(!roleOf.has(unit.deviceModel) || roleOf.get(unit.deviceModel) === role,
      `${unit.deviceModel} has two roles`);
    roleOf.set(unit.deviceModel, role);
  }
}

/** Fisher and Yates, in place. */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const other = random.integer(0, i);
    [items[i], items[other]] = [items[other] as T, items[i] as T];
  }
  return items;
}
