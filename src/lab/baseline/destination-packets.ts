/**
 * Packets of a unit by whom they go to: for each flow those to its destination, of its service, in the hour before it
 * ended, with what their identifications say of every class of counter. Worked out once for a flow, and held against
 * the signatures of all device models.
 */
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { lowerBound } from '../homes/recording.ts';
import { noFlow, windowOfTrace, type DeviceTrace } from './device-trace.ts';
import { gatherIncrements, incrementDefaults, joinIncrements, type Increments } from './ipid-increments.ts';
import { classify, weighClasses, type ClassWeights, type IdClass } from './ipid-slope.ts';
import { pickPackets } from './world-traces.ts';

/** All packets, or the first one of each flow: what a flow record could carry (IPFIX element 54). */
export type PacketChoice = 'all' | 'first-of-flow';

/** How long before a flow's end packets to its destination are looked at: the window of evidence. */
const lookBackMs = 3_600_000;
/** The latest packets are as good as all of the hour, and a detector could keep so many. */
const packetsMax = 64;
/** Flows come minutes apart; at 250 ticks a second identifications begin again after 262 s, but are still uniform. */
const flowGapMaxMs = 600_000;

/** Packets of a unit to one destination by one service, ascending in time. */
type Thread = { readonly trace: DeviceTrace; readonly service: number };

export class DestinationPackets {
  readonly #unit: LabUnit;
  readonly #gapMaxMs: number;
  readonly #threads: readonly Thread[];
  /** [row of the unit's flows]: its thread, or -1: none of its packets was kept. */
  readonly #threadOf: Int32Array;
  readonly #weights = new Map<number, ClassWeights>();

  /** @param trace  of the unit */
  constructor(trace: DeviceTrace, unit: LabUnit, choice: PacketChoice) {
    this.#unit = unit;
    this.#gapMaxMs = choice === 'all' ? incrementDefaults.gapMaxMs : flowGapMaxMs;
    this.#threadOf = new Int32Array(unit.flows.rowCount).fill(-1);
    const numbers = new Map<string, number>();
    const packets: { readonly kept: number[]; readonly service: number }[] = [];
    for (let i = 0; i < trace.timeMs.length; i++) {
      const row = trace.flow[i] as number;
      if (row === noFlow) continue;
      const isFirst = this.#threadOf[row] === -1;
      if (isFirst) {
        const service = serviceOf(unit, row);
        const key = `${trace.destination[i]} ${service}`;
        const number = numbers.get(key) ?? packets.push({ kept: [], service }) - 1;
        numbers.set(key, number);
        this.#threadOf[row] = number;
      }
      if (isFirst || choice === 'all') packets[this.#threadOf[row] as number]?.kept.push(i);
    }
    this.#threads = packets.map(({ kept, service }) => ({ trace: pickPackets(trace, kept), service }));
  }

  /** What packets to the destination of a flow say of its kernel; undefined: there are none. */
  weightsOf(row: number): ClassWeights | undefined {
    const thread = this.#threads[this.#threadOf[row] as number];
    if (thread === undefined) return undefined;
    const known = this.#weights.get(row);
    if (known !== undefined) return known;
    const { timeMs } = thread.trace;
    const endMs = this.#unit.flows.columns.flowEndMilliseconds[row] as number;
    // Flows have whole milliseconds: their last packets may be a fraction later.
    const end = lowerBound(timeMs, endMs + 1);
    const first = Math.max(end - packetsMax, lowerBound(timeMs, endMs - lookBackMs));
    const weights = weighClasses(this.#stepsOf(windowOfTrace(thread.trace, Math.min(first, end), end)));
    this.#weights.set(row, weights);
    return weights;
  }

  /** Steps of one service, of flows of the training part, to destinations of flows that `isShown` [row] marks. */
  trainingSteps(service: number, isShown: (row: number) => boolean): Increments {
    const { train } = this.#unit.device;
    const shown = new Set<number>();
    for (let row = 0; row < train; row++) if (isShown(row)) shown.add(this.#threadOf[row] as number);
    return joinIncrements(this.#threads.flatMap(({ trace, service: ofThread }, number) => {
      if (ofThread !== service || !shown.has(number)) return [];
      return this.#stepsOf(pickPackets(trace, [...trace.flow.keys()].filter((i) => (trace.flow[i] as number) < train)));
    }));
  }

  #stepsOf(trace: DeviceTrace): Increments {
    return gatherIncrements(trace, { gapMaxMs: this.#gapMaxMs });
  }
}

/** Protocol and port of a flow's destination, as a number: kernels number TCP and UDP in different ways. */
export function serviceOf({ flows: { columns } }: LabUnit, row: number): number {
  return (columns.protocolIdentifier[row] as number) * 65_536 + (columns.destinationTransportPort[row] as number);
}

const ofTraces: Readonly<Record<PacketChoice, WeakMap<DeviceTrace, DestinationPackets>>> = {
  all: new WeakMap(), 'first-of-flow': new WeakMap(),
};

/** Those of a trace; the same for every device model and seed. @param trace  of the unit, whole */
export function packetsByDestination(trace: DeviceTrace, unit: LabUnit, choice: PacketChoice): DestinationPackets {
  const known = ofTraces[choice].get(trace) ?? new DestinationPackets(trace, unit, choice);
  ofTraces[choice].set(trace, known);
  return known;
}

/** Class of counter of a device model by service; services of no class are not in it. */
export type ServiceClasses = ReadonlyMap<number, IdClass>;

/** @param own  the device model's units, with a mark for flows that show a token */
export function learnServiceClasses(
  own: readonly { readonly unit: LabUnit; readonly packets: DestinationPackets;
    readonly isShown: (row: number) => boolean; }[],
): ServiceClasses {
  const services = new Set(own.flatMap(({ unit, isShown }) =>
    Array.from({ length: unit.device.train }, (_, row) => row).filter(isShown).map((row) => serviceOf(unit, row))));
  const classes = new Map<number, IdClass>();
  for (const service of services) {
    const idClass = classify(joinIncrements(own.map(({ packets, isShown }) =>
      packets.trainingSteps(service, isShown))));
    if (idClass !== undefined) classes.set(service, idClass);
  }
  return classes;
}
