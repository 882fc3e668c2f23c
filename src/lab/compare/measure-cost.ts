/**
 * What a method costs a provider: time of one processor for the flows or packets of a home and day, from records to
 * scores of windows. What does not depend on the method is left out: decoding, layer-7 names, texts of terms.
 */
import { assertInvariant, cpuSeconds, Random } from '#base';
import type { DeviceTrace } from '../baseline/device-trace.ts';
import { questionLeadMs } from '../baseline/home-trace.ts';
import type { FittedMethod } from '../baseline/home-method.ts';
import { composeHome, dayMs } from '../homes/compose-homes.ts';
import { gatherTokens, HomeWindows, type FlowTokens, type WindowOptions } from '../homes/home-windows.ts';
import type { LabWorld, WorldUnit } from '../homes/lab-world.ts';
import type { Recording } from '../homes/recording.ts';

/** So many that a clock of microseconds has something to measure. */
const homesMeasured = 200;

/**
 * The world with traces that nobody has looked at: what was worked out for a trace before is remembered with it, and
 * would cost nothing.
 */
export function forgetTraces(world: LabWorld): LabWorld {
  const { traces } = world;
  if (traces === undefined) return world;
  const copies = new Map<DeviceTrace, DeviceTrace>();
  return {
    ...world,
    traces: {
      ...traces,
      traceOf: (unit, part) => {
        const trace = traces.traceOf(unit, part);
        const copy = copies.get(trace) ?? { ...trace };
        copies.set(trace, copy);
        return copy;
      },
    },
  };
}

/**
 * @param fitted  learned in this world, and has judged nothing yet: what it remembers would cost it nothing
 * @returns       milliseconds a home and day, of homes of all units
 */
export function measureCost(fitted: FittedMethod, world: LabWorld, options: Omit<WindowOptions, 'horizonsMs'>): number {
  const units = world.units.filter(({ recordings: { whole } }) => whole !== undefined);
  const began = cpuSeconds();
  const tokens = new Map(units.map((unit) => [unit.device, judge(fitted, world, unit)]));
  const secondsOfUnits = cpuSeconds() - began;
  const flows = units.reduce((sum, { unit }) => sum + unit.flows.rowCount, 0);
  const windowMs = fitted.windowMs ?? options.windowMs;
  const random = new Random(1);
  const recordings = units.flatMap(({ recordings: { whole } }) => whole ?? []);
  const homes = Array.from({ length: homesMeasured }, () =>
    composeHome(recordings, { lengthMs: dayMs, leadMs: windowMs }, random));
  const tokensOf = ({ unit }: Recording): FlowTokens => tokens.get(unit.device) as FlowTokens;
  const windows = new HomeWindows({ windowMs, bucketMs: options.bucketMs, horizonsMs: [dayMs] });
  const score = fitted.createScore();
  const strongest = new Float64Array(1);
  const swept = cpuSeconds();
  for (const home of homes) windows.measure(home, tokensOf, score, strongest);
  const secondsOfHomes = cpuSeconds() - swept;
  assertInvariant(strongest[0] !== undefined && flows > 0, 'a cost of nothing');
  const flowsADay = homes.reduce((sum, home) => sum + home.flowsADay, 0) / homesMeasured;
  return 1_000 * (secondsOfUnits / flows * flowsADay + secondsOfHomes / homesMeasured);
}

function judge(fitted: FittedMethod, { traces }: LabWorld, { unit, recordings }: WorldUnit): FlowTokens {
  if ('tokensOf' in fitted) return gatherTokens(recordings.whole as Recording, fitted.tokensOf(unit));
  assertInvariant(traces !== undefined, 'packets are judged, and there are none');
  const { timeMs, token } = fitted.eventsOf(traces.traceOf(unit, 'whole'), unit);
  return { endMs: timeMs, token, leadMs: questionLeadMs };
}
