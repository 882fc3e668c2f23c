/**
 * How identifications rise between the packets of a host: steps between successive packets to one destination, or of
 * the whole host, each with the time that it took. What slopes, classes and figures are made of.
 */
import type { DeviceTrace } from './device-trace.ts';

/** Identifications before they begin again. */
const idCount = 65_536;

/** Steps between successive packets of one counter, as far as the packets tell. */
export type Increments = {
  /** [step]: how far, 0..65535. */
  readonly step: Float64Array;
  /** [step]: how long it took. */
  readonly gapMs: Float64Array;
  /** [step]: 1 where it begins anew, because it does not follow the step before it. */
  readonly begins: Uint8Array;
  /** [step]: 1 where both identifications are 0. */
  readonly isZero: Uint8Array;
};

export type IncrementOptions = {
  /** Steps between successive packets to one destination, or of the whole host. */
  readonly per: 'destination' | 'host';
  /** DNS queries only, as Meidan et al. 2019 and Orevi et al. 2018 look at. */
  readonly queriesOnly: boolean;
  /** Identifications may have begun again in a longer pause, more often than anyone can tell. */
  readonly gapMaxMs: number;
};

/** At 1,000 ticks a second, the most that kernels have, identifications begin again after 65.5 s. */
export const incrementDefaults: IncrementOptions = { per: 'destination', queriesOnly: false, gapMaxMs: 60_000 };

/** @param trace  packets of one host, or of what is taken for one; ascending in time */
export function gatherIncrements(trace: DeviceTrace, options: Partial<IncrementOptions> = {}): Increments {
  const { per, queriesOnly, gapMaxMs } = { ...incrementDefaults, ...options };
  // A counter's packets stand together, so that each step follows the one before it.
  const packets = [...trace.timeMs.keys()].filter((i) => !queriesOnly || trace.name[i] !== 0);
  if (per === 'destination') {
    packets.sort((a, b) => (trace.destination[a] as number) - (trace.destination[b] as number) || a - b);
  }
  const [steps, gaps, begins, isZero]: [number[], number[], number[], number[]] = [[], [], [], []];
  let isNew = true;
  for (let k = 1; k < packets.length; k++) {
    const [from, to] = [packets[k - 1] as number, packets[k] as number];
    const gapMs = (trace.timeMs[to] as number) - (trace.timeMs[from] as number);
    const isOther = per === 'destination' && trace.destination[from] !== trace.destination[to];
    if (isOther || gapMs > gapMaxMs) {
      isNew = true;
      continue;
    }
    steps.push(((trace.ipId[to] as number) - (trace.ipId[from] as number) + idCount) % idCount);
    gaps.push(gapMs);
    begins.push(isNew ? 1 : 0);
    isZero.push(trace.ipId[from] === 0 && trace.ipId[to] === 0 ? 1 : 0);
    isNew = false;
  }
  return {
    step: Float64Array.from(steps), gapMs: Float64Array.from(gaps), begins: Uint8Array.from(begins),
    isZero: Uint8Array.from(isZero),
  };
}

/** Steps of several hosts, one after the other. */
export function joinIncrements(parts: readonly Increments[]): Increments {
  const join = (of: (part: Increments) => Float64Array | Uint8Array): number[] =>
    parts.flatMap((part) => [...of(part)]);
  return {
    step: Float64Array.from(join(({ step }) => step)), gapMs: Float64Array.from(join(({ gapMs }) => gapMs)),
    begins: Uint8Array.from(join(({ begins }) => begins)), isZero: Uint8Array.from(join(({ isZero }) => isZero)),
  };
}
