/**
 * The slope of identifications as a sign of a device model, which Meidan et al. 2019 (§7.2, §7.4) leave open:
 * an hour of a host's packets is the device model's when its steps are of the class that the device model's are of, and
 * its slope lies among those of the device model's hours. A class and a slope are a kernel's, so every device with that
 * kernel is taken for the device model: as a method of its own it cannot be good, and it is here to say so.
 */
import { decideByRule } from './decide.ts';
import type { DeviceTrace } from './device-trace.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import type { FittedPackets, HomeDecision, PacketMethod } from './home-method.ts';
import type { IncrementOptions } from './ipid-increments.ts';
import { learnSignature, matchSignature, stepsMin, type IdSignature } from './ipid-slope.ts';
import { listIdWindows, type IdWindow } from './ipid-windows.ts';
import type { TermTokens } from './trace-terms.ts';
import { createHighest } from './window-scores.ts';
import type { WorldTraces } from './world-traces.ts';

const hourMs = 3_600_000;
/** Share of the training hours whose slopes are left out on either side. */
const outsideShare = 0.05;

export type SlopeRule = Pick<IdSignature, 'idClass'> & {
  /** Identifications a second, lowest and highest; undefined: the class has none. */
  readonly slopes: readonly [number, number] | undefined;
  /** `few-steps`: nothing is known of how its identifications rise; `no-class`: they rise in no way that is known. */
  readonly unfit: 'few-steps' | 'no-class' | undefined;
};

/** @param traces  training parts of the device model's units */
export function learnSlopeRule(traces: readonly DeviceTrace[], options: Partial<IncrementOptions>): SlopeRule {
  const { idClass, steps, slopeQuartiles } = learnSignature(traces, options);
  if (idClass === undefined) return { idClass, slopes: undefined, unfit: steps < stepsMin ? 'few-steps' : 'no-class' };
  if (slopeQuartiles.some(Number.isNaN)) return { idClass, slopes: undefined, unfit: undefined };
  const hours = traces.flatMap((trace) => listIdWindows(trace, options, hourMs));
  const slopes = Float64Array.from(hours.filter(({ weights }) => weights.steps >= stepsMin)
    .map(({ slope }) => slope).filter((slope) => !Number.isNaN(slope))).sort();
  const outside = Math.floor(outsideShare * slopes.length);
  // Of few hours the pairs of packets tell better how far slopes lie apart.
  const [low, high] = slopeQuartiles;
  return {
    idClass, unfit: undefined,
    slopes: [Math.min(low, slopes[outside] ?? low), Math.max(high, slopes[slopes.length - 1 - outside] ?? high)],
  };
}

/** An hour with too few steps fits nothing. */
export function fitsSlopeRule({ idClass, slopes }: SlopeRule, { weights, slope }: IdWindow): boolean {
  const isWithin = slopes === undefined || (slope >= slopes[0] && slope <= slopes[1]);
  return isWithin && matchSignature({ idClass }, weights).outcome === 'fits';
}

/** The last packet of every hour that fits. */
export function listSlopeEvents(rule: SlopeRule, trace: DeviceTrace, options: Partial<IncrementOptions>): TermTokens {
  const fitting = rule.unfit !== undefined ? []
    : listIdWindows(trace, options, hourMs).filter((window) => fitsSlopeRule(rule, window));
  return { timeMs: Float64Array.from(fitting, ({ lastMs }) => lastMs), token: new Uint32Array(fitting.length) };
}

function learnFrom(ownUnits: readonly LabUnit[], traces: WorldTraces, options: Partial<IncrementOptions>):
FittedPackets {
  const rule = learnSlopeRule(ownUnits.map((unit) => traces.traceOf(unit, 'training')), options);
  const never: HomeDecision = { isPresent: () => false, group: [], unfit: rule.unfit };
  return {
    windowMs: hourMs, createScore: () => createHighest(1), eventsOf: (trace) => listSlopeEvents(rule, trace, options),
    decide: () => rule.unfit === undefined ? decideByRule(1) : never,
  };
}

const facts = {
  source: 'Meidan et al. 2019, future work',
  sees: 'packet headers',
  privacy: 'How many packets each device sends and where, when, and which operating systems are there.',
  namesGroups: false,
  isCalibrated: false,
} as const;

/** As the paper has it: queries, whose destination is the same for all. */
const queries: Partial<IncrementOptions> = { queriesOnly: true };
/** To each destination by itself, as Linux and Windows count. */
const allPackets: Partial<IncrementOptions> = { per: 'destination' };

export const dnsSlope: PacketMethod = {
  ...facts,
  name: 'dns-slope',
  meaning: 'Identifications of a host\'s DNS queries rise for an hour as the device model\'s do: at its best, as ' +
    'hosts are told apart by the truth. It knows kernels, not device models.',
  learn: ({ ownUnits }, _, traces) => learnFrom(ownUnits, traces, queries),
};

export const packetSlope: PacketMethod = {
  ...facts,
  name: 'packet-slope',
  meaning: 'The same with all packets of a host, to each destination by itself.',
  learn: ({ ownUnits }, _, traces) => learnFrom(ownUnits, traces, allPackets),
};
