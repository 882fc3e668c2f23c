/**
 * The packets of a home, as somebody outside sees them who keeps packets: those of all its placements on one line of
 * time, behind one address. Windows of it are views.
 *
 * A packet is in the home if its flow is. A question to the resolver at home has no flow: it is there if it was asked
 * while the placement lasts, or shortly before its first flow; all of a home ask the same one.
 */
import { assertInvariant } from '#base';
import type { ComposedHome, Placement } from '../homes/compose-homes.ts';
import { lowerBound, type Recording } from '../homes/recording.ts';
import type { RoleUnit } from '../homes/roles.ts';
import { homeResolver, noFlow, type DeviceTrace, type HomeTrace } from './device-trace.ts';

/** So long before the first flow of a placement starts, its question was asked at most. */
export const questionLeadMs = 5_000;

/** Packets of a placement, by their numbers in the unit's trace, ascending in time. */
type PlacedPackets = {
  readonly trace: DeviceTrace;
  readonly packets: Uint32Array;
  readonly shiftMs: number;
  /** Number of the device in the home. */
  readonly device: number;
};

/** Units of a home with packets or without, in the order of their numbers in `HomeTrace.device`. */
export function unitsOf({ placements }: Pick<ComposedHome, 'placements'>): RoleUnit[] {
  return [...new Map(placements.map(({ recording: { unit } }) => [unit.device, unit])).values()];
}

/** `placement`: a unit that was set up anew counts anew, so its set-ups are hosts of their own. */
export type DeviceNumbers = 'unit' | 'placement';

/**
 * Packets of a home, in its time: 0 is where the home's day begins.
 *
 * @param traceOf  trace of a unit; read only
 * @param numbers  what `HomeTrace.device` numbers: units, as `unitsOf` has them, or placements
 */
export function mergeHome(
  home: Pick<ComposedHome, 'placements'>, traceOf: (unit: RoleUnit) => DeviceTrace, numbers: DeviceNumbers = 'unit',
): HomeTrace {
  const unitNumbers = new Map(unitsOf(home).map(({ device }, i) => [device, i]));
  assertInvariant(home.placements.length <= 256, 'numbers of devices are bytes');
  const placed = home.placements.map((placement, i): PlacedPackets => {
    const { unit } = placement.recording;
    const trace = traceOf(unit);
    return {
      trace, packets: choosePackets(placement, trace), shiftMs: placement.shiftMs,
      device: numbers === 'placement' ? i : unitNumbers.get(unit.device) as number,
    };
  });
  const count = placed.reduce((sum, { packets }) => sum + packets.length, 0);
  const joined: HomeTrace = {
    timeMs: new Float64Array(count), ipId: new Uint16Array(count), destination: new Uint32Array(count),
    name: new Uint32Array(count), flow: new Uint32Array(count), device: new Uint8Array(count),
  };
  let at = 0;
  const starts: number[] = [];
  for (const { trace, packets, shiftMs, device } of placed) {
    starts.push(at);
    for (const packet of packets) {
      joined.timeMs[at] = (trace.timeMs[packet] as number) + shiftMs;
      joined.ipId[at] = trace.ipId[packet] as number;
      joined.destination[at] = trace.flow[packet] === noFlow ? homeResolver : trace.destination[packet] as number;
      joined.name[at] = trace.name[packet] as number;
      joined.flow[at] = trace.flow[packet] as number;
      joined.device[at++] = device;
    }
  }
  return gather(joined, mergeRuns(joined.timeMs, starts));
}

/** Where the flow of a row stands in its recording, for many homes of the same recordings. */
const placesOfRecordings = new WeakMap<Recording, Uint32Array>();

function placesOf(recording: Recording): Uint32Array {
  const known = placesOfRecordings.get(recording);
  if (known !== undefined) return known;
  const { row } = recording;
  // Flows of other parts of the unit are in no recording of this one.
  const places = new Uint32Array(row.reduce((most, flow) => Math.max(most, flow + 1), 0)).fill(noFlow);
  for (let place = 0; place < row.length; place++) places[row[place] as number] = place;
  placesOfRecordings.set(recording, places);
  return places;
}

function choosePackets({ recording, first, end }: Placement, trace: DeviceTrace): Uint32Array {
  const { startMs, endMs } = recording;
  if (first === end) return new Uint32Array(0);
  let earliestMs = Infinity;
  for (let flow = first; flow < end; flow++) earliestMs = Math.min(earliestMs, startMs[flow] as number);
  const latestMs = endMs[end - 1] as number;
  const places = placesOf(recording);
  const { timeMs, flow } = trace;
  const chosen: number[] = [];
  // Flows have whole milliseconds: the last packet may be a fraction later.
  const packetsEnd = lowerBound(timeMs, latestMs + 1);
  for (let packet = lowerBound(timeMs, earliestMs - questionLeadMs); packet < packetsEnd; packet++) {
    const row = flow[packet] as number;
    const place = row === noFlow ? first : places[row] ?? noFlow;
    if (place >= first && place < end) chosen.push(packet);
  }
  return Uint32Array.from(chosen);
}

/**
 * Order of numbers that lie in runs, each ascending: neighbours are merged until one run is left. Equal ones keep the
 * order of their runs.
 *
 * @param starts  where runs begin, ascending
 */
function mergeRuns(values: Float64Array, starts: readonly number[]): Uint32Array {
  let from = Uint32Array.from(values, (_, i) => i);
  let to = new Uint32Array(values.length);
  let ends = [...starts.slice(1), values.length];
  while (ends.length > 1) {
    const merged: number[] = [];
    let begin = 0;
    for (let run = 0; run < ends.length; run += 2) {
      const [middle, end] = [ends[run] as number, ends[run + 1] ?? (ends[run] as number)];
      mergeTwo(values, from, to, begin, middle, end);
      merged.push(end);
      begin = end;
    }
    [from, to] = [to, from];
    ends = merged;
  }
  return from;
}

/** Merges `from[begin, middle)` and `from[middle, end)`, whose values ascend, into `to`. */
function mergeTwo(
  values: Float64Array, from: Uint32Array, to: Uint32Array, begin: number, middle: number, end: number,
): void {
  let [left, right] = [begin, middle];
  for (let at = begin; at < end; at++) {
    const isLeft = left < middle && (right === end ||
      (values[from[left] as number] as number) <= (values[from[right] as number] as number));
    to[at] = from[isLeft ? left++ : right++] as number;
  }
}

function gather({ timeMs, ipId, destination, name, flow, device }: HomeTrace, order: Uint32Array): HomeTrace {
  const merged: HomeTrace = {
    timeMs: Float64Array.from(order, (i) => timeMs[i] as number),
    ipId: Uint16Array.from(order, (i) => ipId[i] as number),
    destination: Uint32Array.from(order, (i) => destination[i] as number),
    name: Uint32Array.from(order, (i) => name[i] as number), flow: Uint32Array.from(order, (i) => flow[i] as number),
    device: Uint8Array.from(order, (i) => device[i] as number),
  };
  for (let i = 1; i < order.length; i++) {
    assertInvariant((merged.timeMs[i] as number) >= (merged.timeMs[i - 1] as number), 'packets are not in order');
  }
  return merged;
}
