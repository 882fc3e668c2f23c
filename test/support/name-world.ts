/**
 * A made-up world of names for tests of methods that look at what is asked for: units ask for each of their names in a
 * share of their windows, and a home asks for whatever its units ask for.
 */
import { Random } from '#base';
import { sumWindows, type TermCounts, type TermUnit } from '../../src/lab/baseline/name-windows.ts';

/** Name to the share of windows in which a unit asks for it. */
export type AskedShares = Readonly<Record<string, number>>;

export type UnitPlan = {
  readonly name: string;
  readonly deviceModel: string;
  readonly kind?: 'iot' | 'non-iot';
  readonly asks: AskedShares;
};

export function makeUnit(
  { name, deviceModel, kind = 'iot', asks }: UnitPlan, windowCount: number, seed: number,
): TermUnit {
  const random = new Random(seed);
  const windows = Array.from({ length: windowCount }, () => {
    const shown = Object.entries(asks).filter(([, share]) => random.uint32() / 2 ** 32 < share);
    return new Map(shown.map(([term]) => [term, 1 + random.uint32() % 9]));
  });
  return { name, deviceModel, kind, windows };
}

/** The windows of several units behind one address; those of all units are equally many. */
export function mergeHome(units: readonly TermUnit[]): TermCounts[] {
  return (units[0]?.windows ?? []).map((_, i) => sumWindows(units.map(({ windows }) => windows[i] ?? new Map())));
}

/** Share of windows in which something holds. */
export function shareWhere(windows: readonly TermCounts[], holds: (window: TermCounts) => boolean): number {
  return windows.filter(holds).length / windows.length;
}
