/**
 * Composes homes of recordings: which stretch of which unit's flows a home has, and when. A home is a list of
 * placements, so that flows are scored once and homes are made of what came of it, by the hundred thousand.
 *
 * Time in a home starts at 0, which is its midnight (UTC), or the start of the first flow of the device model that is
 * looked for. Flows before 0 are there for the windows that reach back before it. Continuous recordings are laid into a
 * home as they are, pauses too; of set-ups, which last seconds, whole ones are laid at random times, each with its own
 * rhythm.
 */
import { assertInvariant, type Random } from '#base';
import { lengthOf, lowerBound, type Recording, type Session } from './recording.ts';

export const dayMs = 86_400_000;
export const devicesMin = 3;
export const devicesMax = 25;
/** A device of which only set-ups are known shows one of them in so much time, on average. */
const setUpEveryMs = 4 * 3_600_000;

/** Flows `first` up to but not `end` of a recording, in a home at `endMs + shiftMs`. */
export type Placement = Session & { readonly recording: Recording; readonly shiftMs: number };

export type ComposedHome = {
  readonly placements: readonly Placement[];
  /** Distinct units. */
  readonly devices: number;
  /** Flows that end within `[0, lengthMs)`, as a day has them. */
  readonly flowsADay: number;
};

export type ComposeOptions = {
  /** How long the home is looked at. */
  readonly lengthMs: number;
  /** How long before 0 flows are there already: the length of a window. */
  readonly leadMs: number;
};

/**
 * A home of `devicesMin` to `devicesMax` units, each once, at least one of them a person's machine where there are any.
 *
 * @param recordings  of units of one role; not empty
 */
export function composeHome(
  recordings: readonly Recording[], options: ComposeOptions, random: Random,
): ComposedHome {
  return compose([], drawUnits(recordings, 0, random), options, random);
}

/**
 * A home with the device model that is looked for: one of its units, whose first flow starts at 0, and others as in any
 * home. Times that its recording does not reach stay empty.
 *
 * @param own     recordings of the device model's units: the part that tests; not empty
 * @param others  as for `composeHome`
 */
export function composeHomeWith(
  own: readonly Recording[], others: readonly Recording[], options: ComposeOptions, random: Random,
): ComposedHome {
  const placed = placeOwn(random.pick(own), options, random);
  return compose(placed, drawUnits(others, 1, random), options, random);
}

function compose(
  placed: readonly Placement[], others: readonly Recording[], options: ComposeOptions, random: Random,
): ComposedHome {
  const placements = [...placed, ...others.flatMap((recording) => placeRecording(recording, options, random))];
  return { placements, devices: others.length + Math.min(placed.length, 1), flowsADay: countADay(placements, options) };
}

/** @param ownCount  units that the home has already */
function drawUnits(recordings: readonly Recording[], ownCount: number, random: Random): Recording[] {
  assertInvariant(recordings.length > 0, 'homes need units');
  const most = Math.min(devicesMax - ownCount, recordings.length);
  const count = random.integer(Math.min(devicesMin - ownCount, most), most);
  // The first places of a shuffle (Fisher and Yates): units without one twice.
  const order = [...recordings];
  for (let i = 0; i < count; i++) {
    const other = random.integer(i, order.length - 1);
    [order[i], order[other]] = [order[other] as Recording, order[i] as Recording];
  }
  const drawn = order.slice(0, count);
  const machines = recordings.filter(({ unit }) => unit.kind === 'non-iot');
  if (machines.length > 0 && drawn.every(({ unit }) => unit.kind === 'iot')) drawn[0] = random.pick(machines);
  return drawn;
}

/** What a home sees of a unit between `-leadMs` and `lengthMs`. */
function placeRecording(recording: Recording, options: ComposeOptions, random: Random): Placement[] {
  return recording.isContinuous ? placeStretch(recording, options, random)
    : placeSetUps(recording, recording.sessions, options, random);
}

/** The part of a continuous recording from a random time on; a shorter one is laid in whole, at a random time. */
function placeStretch(recording: Recording, { lengthMs, leadMs }: ComposeOptions, random: Random): Placement[] {
  const { endMs } = recording;
  const [firstMs, lastMs] = [endMs[0] as number, endMs[endMs.length - 1] as number];
  const spareMs = lastMs - firstMs - (lengthMs + leadMs);
  const fromMs = firstMs + Math.floor(random.uniform() * spareMs);
  const first = lowerBound(endMs, fromMs);
  const end = lowerBound(endMs, fromMs + lengthMs + leadMs);
  return first === end ? [] : [{ recording, first, end, shiftMs: -leadMs - fromMs }];
}

/** Distinct set-ups at random times, each whole as far as it lies before the end. */
function placeSetUps(
  recording: Recording, sessions: readonly Session[], { lengthMs, leadMs }: ComposeOptions, random: Random,
): Placement[] {
  const { endMs } = recording;
  const totalMs = lengthMs + leadMs;
  const order = [...sessions];
  const count = Math.min(order.length, Math.max(1, Math.round(totalMs / setUpEveryMs)));
  const placements: Placement[] = [];
  for (let i = 0; i < count; i++) {
    const other = random.integer(i, order.length - 1);
    [order[i], order[other]] = [order[other] as Session, order[i] as Session];
    const { first, end } = order[i] as Session;
    const atMs = -leadMs + Math.floor(random.uniform() * Math.max(totalMs - lengthOf(endMs, { first, end }), 1));
    const shiftMs = atMs - (endMs[first] as number);
    placements.push({ recording, first, end: Math.min(end, lowerBound(endMs, lengthMs - shiftMs)), shiftMs });
  }
  return placements;
}

/**
 * The device model's own flows from one of them on. Where a recording is shorter than the home, it is looked at from a
 * time in its first half on.
 */
function placeOwn(recording: Recording, options: ComposeOptions, random: Random): Placement[] {
  const { startMs, endMs, sessions, isContinuous } = recording;
  const { lengthMs } = options;
  const startAt = (index: number, end: number): Placement[] => {
    const shiftMs = -(startMs[index] as number);
    const last = Math.min(end, lowerBound(endMs, lengthMs - shiftMs));
    return index < last ? [{ recording, first: index, end: last, shiftMs }] : [];
  };
  if (!isContinuous) {
    const session = random.pick(sessions);
    const rest = sessions.filter((other) => other !== session);
    return [...startAt(session.first, session.end), ...placeSetUps(recording, rest, { lengthMs, leadMs: 0 }, random)];
  }
  return startAt(lowerBound(endMs, drawRecordedTime(recording, lengthMs, random)), endMs.length);
}

/** A time within a session: pauses of a recording say nothing, so nobody is looked for in them. */
function drawRecordedTime({ endMs, sessions }: Recording, lengthMs: number, random: Random): number {
  const [firstMs, lastMs] = [endMs[0] as number, endMs[endMs.length - 1] as number];
  const latestMs = Math.max(lastMs - lengthMs, firstMs + (lastMs - firstMs) / 2);
  const spans = sessions.map(({ first, end }) =>
    [endMs[first] as number, Math.min(endMs[end - 1] as number, latestMs)] as const).filter(([from, to]) => from <= to);
  let leftMs = random.uniform() * spans.reduce((sum, [from, to]) => sum + to - from, 0);
  for (const [from, to] of spans) {
    if (leftMs <= to - from) return from + leftMs;
    leftMs -= to - from;
  }
  return firstMs;
}

function countADay(placements: readonly Placement[], { lengthMs }: ComposeOptions): number {
  let flows = 0;
  for (const { recording: { endMs }, first, end, shiftMs } of placements) {
    // Only a placement that starts before 0 has flows that are no part of the day.
    flows += end - Math.max(first, (endMs[first] as number) + shiftMs < 0 ? lowerBound(endMs, -shiftMs) : first);
  }
  return flows * dayMs / lengthMs;
}
