/**
 * What a classifier would do where each accepted flow is an alarm: homes without the device model are put together from
 * other devices' test flows, and those are counted in which a single flow of one hour is accepted.
 *
 * A home has eight units (or all, where there are fewer), each drawn once. Of each unit an hour of its test part is
 * taken that begins with one of its flows: recordings have pauses, and an hour of a pause would say nothing. So homes
 * are a little busier than an hour of a clock.
 */
import { assertInvariant, type Random } from '#base';

export const homeCount = 1_000;
export const unitsPerHome = 8;
const hourMs = 3_600_000;

/** Test flows of one unit. */
export type JudgedUnit = {
  /** Ascending, not empty. */
  readonly startMs: Float64Array;
  /** 1: the flow is accepted. */
  readonly isAccepted: Uint8Array;
};

/** Share of homes with a false alarm. @param units  those without the device model; at least one */
export function shareOfHomesAlarmed(units: readonly JudgedUnit[], random: Random): number {
  assertInvariant(units.length > 0, 'homes need units');
  const alarmsAt = units.map(isAlarmedFrom);
  const order = units.map((_, i) => i);
  let alarmed = 0;
  for (let home = 0; home < homeCount; home++) {
    let isAlarmed = false;
    for (let i = 0; i < Math.min(unitsPerHome, order.length); i++) {
      // The first places of a shuffle (Fisher and Yates): units without one twice.
      const other = random.integer(i, order.length - 1);
      [order[i], order[other]] = [order[other] as number, order[i] as number];
      const alarms = alarmsAt[order[i] as number] as Uint8Array;
      // Drawn in any case: what one classifier accepts must not change which homes the next one sees.
      isAlarmed = alarms[random.integer(0, alarms.length - 1)] === 1 || isAlarmed;
    }
    if (isAlarmed) alarmed++;
  }
  return alarmed / homeCount;
}

/** [flow]: 1 when a flow is accepted in the hour that begins with this one. */
function isAlarmedFrom({ startMs, isAccepted }: JudgedUnit): Uint8Array {
  const alarms = new Uint8Array(startMs.length);
  let nextAccepted = Infinity;
  for (let i = startMs.length - 1; i >= 0; i--) {
    if (isAccepted[i] === 1) nextAccepted = startMs[i] as number;
    alarms[i] = nextAccepted - (startMs[i] as number) < hourMs ? 1 : 0;
  }
  return alarms;
}
