/**
 * Decides about sightings of one key that lie close in time: who is whose twin. Nothing is guessed: what more than
 * one device could have sent stays without a label, unless counters, ports or a clear order in time decide.
 */
import type { TapClock } from './tap-clock.ts';
import type { Evidence, InsideSighting, LeftOut, Sighting, TwinReceiver } from './twins.ts';

/** Ports that other conversations may have got between those of one run. */
const strayPortsMax = 8;

/** A sighting on the outside clock. */
export type Placed<S extends Sighting> = {
  readonly sighting: S; readonly atMs: number; readonly endAtMs: number;
};

type Sides<O extends Sighting, I extends InsideSighting> = { outside: Placed<O>[]; inside: Placed<I>[] };

export type ClusterRules<O extends Sighting, I extends InsideSighting> = {
  readonly clock: Pick<TapClock, 'toleranceMs' | 'portPolicy' | 'orderSpacingMs'>;
  readonly receiver: TwinReceiver<O, I>;
  /** Was its port first used, with this peer, by this sighting? Older ports say nothing about the order now. */
  readonly isFreshPort: (outside: O) => boolean;
};

/** Settles all sightings of a cluster; each is told to the receiver once. @param cluster  in the order of time */
export function settleCluster<O extends Sighting, I extends InsideSighting>(
  cluster: Readonly<Sides<O, I>>, rules: ClusterRules<O, I>,
): void {
  const classes = new Map<string, Sides<O, I>>();
  const classOf = (signature: string): Sides<O, I> => {
    const known = classes.get(signature);
    if (known !== undefined) return known;
    const made: Sides<O, I> = { outside: [], inside: [] };
    classes.set(signature, made);
    return made;
  };
  for (const placed of cluster.outside) classOf(placed.sighting.signature).outside.push(placed);
  for (const placed of cluster.inside) classOf(placed.sighting.signature).inside.push(placed);
  const left: Sides<O, I> = { outside: [], inside: [] };
  for (const sides of classes.values()) {
    if (sides.outside.length === 0) left.inside.push(...sides.inside);
    else if (sides.inside.length === 0) left.outside.push(...sides.outside);
    else if (countDevices(sides.inside) === 1) settleOneDevice(sides, left, rules);
    else settleManyDevices(sides, left, rules);
  }
  settleLeft(left, rules);
}

function countDevices(inside: readonly Placed<InsideSighting>[]): number {
  return new Set(inside.map(({ sighting }) => sighting.device)).size;
}

function leaveAll<O extends Sighting, I extends InsideSighting>(
  { outside, inside }: Sides<O, I>, reason: LeftOut, receiver: TwinReceiver<O, I>,
): void {
  for (const { sighting } of outside) receiver.leaveOut(sighting, reason);
  for (const { sighting } of inside) receiver.leaveInside(sighting);
}

/** All candidates are one device's: which of its flows is whose twin does not matter, their number does. */
function settleOneDevice<O extends Sighting, I extends InsideSighting>(
  sides: Sides<O, I>, left: Sides<O, I>, { clock, receiver }: ClusterRules<O, I>,
): void {
  const { outside, inside } = sides;
  if (outside.length > inside.length) {
    leaveAll(sides, 'surplus', receiver);
    return;
  }
  let at = 0;
  for (const { sighting, atMs } of outside) {
    while (at < inside.length && (inside[at]?.atMs ?? 0) < atMs - clock.toleranceMs) {
      left.inside.push(inside[at++] as Placed<I>);
    }
    const twin = inside[at];
    if (twin === undefined || twin.atMs > atMs + clock.toleranceMs) receiver.leaveOut(sighting, 'clock');
    else {
      receiver.label(sighting, twin.sighting, 'counters');
      at++;
    }
  }
  left.inside.push(...inside.slice(at));
}

function settleManyDevices<O extends Sighting, I extends InsideSighting>(
  sides: Sides<O, I>, left: Sides<O, I>, rules: ClusterRules<O, I>,
): void {
  const { clock, receiver } = rules;
  let rest = sides;
  if (clock.portPolicy === 'keep') rest = settleByPort(sides, rules);
  const isInStep = ({ outside, inside }: Sides<O, I>): boolean => outside.every(({ atMs }, at) =>
    Math.abs(atMs - (inside[at] as Placed<I>).atMs) <= clock.toleranceMs);
  if (rest.outside.length === 0) left.inside.push(...rest.inside);
  else if (rest.inside.length === 0) left.outside.push(...rest.outside);
  else if (rest.outside.length !== rest.inside.length) leaveAll(rest, 'same-instant', receiver);
  // Were one delayed for so long that it stands where another one should, none could be told from its neighbour.
  else if (!isInStep(rest)) leaveAll(rest, 'clock', receiver);
  else {
    rest = settleByDuration(rest, rules);
    if (isInStep(rest)) settleInOrder(rest, rules);
    else leaveAll(rest, 'clock', receiver);
  }
}

/** Flows that begin together may end apart. @returns what both times together do not decide */
function settleByDuration<O extends Sighting, I extends InsideSighting>(
  { outside, inside }: Sides<O, I>, { clock, receiver }: ClusterRules<O, I>,
): Sides<O, I> {
  const distance = (a: Placed<Sighting>, b: Placed<Sighting>): number =>
    Math.max(Math.abs(a.atMs - b.atMs), Math.abs(a.endAtMs - b.endAtMs));
  const rest: Sides<O, I> = { outside: [], inside: [] };
  const taken = new Set<Placed<I>>();
  for (const placed of outside) {
    const [twin, ...others] = inside.filter((candidate) => distance(placed, candidate) <= clock.toleranceMs);
    if (twin !== undefined && others.length === 0 &&
      outside.filter((other) => distance(other, twin) <= clock.toleranceMs).length === 1) {
      taken.add(twin);
      receiver.label(placed.sighting, twin.sighting, 'duration');
    } else rest.outside.push(placed);
  }
  rest.inside = inside.filter((placed) => !taken.has(placed));
  return rest;
}

/** A NAT that keeps ports: the only device that used the port is the one. @returns what ports do not decide */
function settleByPort<O extends Sighting, I extends InsideSighting>(
  { outside, inside }: Sides<O, I>, { clock, receiver }: ClusterRules<O, I>,
): Sides<O, I> {
  const rest: Sides<O, I> = { outside: [], inside: [] };
  const taken = new Set<Placed<I>>();
  for (const placed of outside) {
    const { port } = placed.sighting;
    const users = inside.filter(({ sighting }) => port >= 0 && sighting.port === port);
    const rivals = outside.filter(({ sighting }) => sighting.port === port).length;
    const twin = users.find((user) => !taken.has(user) && Math.abs(user.atMs - placed.atMs) <= clock.toleranceMs);
    if (twin !== undefined && countDevices(users) === 1 && rivals <= users.length) {
      taken.add(twin);
      receiver.label(placed.sighting, twin.sighting, 'port');
    } else rest.outside.push(placed);
  }
  rest.inside = inside.filter((placed) => !taken.has(placed));
  return rest;
}

/** As many outside as inside, each near its partner in order: runs that time does not separate are looked into. */
function settleInOrder<O extends Sighting, I extends InsideSighting>(
  { outside, inside }: Sides<O, I>, rules: ClusterRules<O, I>,
): void {
  // The tolerance is three times what clocks and router usually differ by: a gap of one cannot hide a swap.
  const apartMs = rules.clock.toleranceMs;
  for (let from = 0, end = 0; from < inside.length; from = end) {
    end = from + 1;
    while (end < inside.length && ((inside[end]?.atMs ?? 0) - (inside[end - 1]?.atMs ?? 0) <= apartMs ||
      (outside[end]?.atMs ?? 0) - (outside[end - 1]?.atMs ?? 0) <= apartMs)) end++;
    settleRun({ outside: outside.slice(from, end), inside: inside.slice(from, end) }, rules);
  }
}

function settleRun<O extends Sighting, I extends InsideSighting>(
  run: Sides<O, I>, { clock, receiver, isFreshPort }: ClusterRules<O, I>,
): void {
  const { outside, inside } = run;
  const labelInOrder = (ordered: readonly Placed<O>[], evidence: Evidence): void => {
    for (const [at, { sighting }] of ordered.entries()) {
      receiver.label(sighting, (inside[at] as Placed<I>).sighting, evidence);
    }
  };
  if (countDevices(inside) === 1) {
    labelInOrder(outside, 'time-order');
    return;
  }
  // A NAT that counts ports up has written down the order in which it saw the flows.
  const byPort = outside.toSorted((a, b) => a.sighting.port - b.sighting.port);
  const isSpaced = inside.every(({ sighting, atMs }, at) => at === 0 ||
    sighting.device === inside[at - 1]?.sighting.device || atMs - (inside[at - 1]?.atMs ?? 0) > clock.orderSpacingMs);
  const isNear = byPort.every(({ sighting, atMs }, at) => sighting.port >= 0 && isFreshPort(sighting) &&
    Math.abs(atMs - (inside[at] as Placed<I>).atMs) <= clock.toleranceMs);
  const isCounted = clock.portPolicy === 'sequential' && !isScattered(byPort);
  if (isCounted && isSpaced && isNear) labelInOrder(byPort, 'port-order');
  else leaveAll(run, 'same-instant', receiver);
}

/** Ports far apart were not given at one instant, or the count began anew between them. */
function isScattered(byPort: readonly Placed<Sighting>[]): boolean {
  return (byPort.at(-1)?.sighting.port ?? 0) - (byPort[0]?.sighting.port ?? 0) > byPort.length + strayPortsMax;
}

/** What no equal partner was found for: with one near candidate of one device, losses on the way explain it. */
function settleLeft<O extends Sighting, I extends InsideSighting>(
  { outside, inside }: Sides<O, I>, { clock, receiver }: ClusterRules<O, I>,
): void {
  const isClose = (a: Placed<Sighting>, b: Placed<Sighting>): boolean => Math.abs(a.atMs - b.atMs) <= clock.toleranceMs;
  const taken = new Set<Placed<I>>();
  for (const placed of outside) {
    const candidates = inside.filter((candidate) => isClose(placed, candidate));
    const [twin] = candidates;
    if (twin === undefined) receiver.leaveOut(placed.sighting, 'no-twin');
    else if (candidates.length === 1 && outside.filter((other) => isClose(other, twin)).length === 1 &&
      receiver.isNear(placed.sighting, twin.sighting)) {
      taken.add(twin);
      receiver.label(placed.sighting, twin.sighting, 'losses');
    } else receiver.leaveOut(placed.sighting, 'counters-differ');
  }
  for (const placed of inside) if (!taken.has(placed)) receiver.leaveInside(placed.sighting);
}
