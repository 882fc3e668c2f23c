/**
 * Hosts behind one NAT whose identification follows a clock, id = rate · t + phase: packets of one phase are one
 * host's, whatever they are sent to. Linux numbered the first packet of a connected UDP socket with its ticks
 * (`__ip4_datagram_connect`, `inet_id = jiffies`) until it came to draw that number, so queries are such. It links and
 * counts such hosts and names none. A packet of any other host has any phase, so that a phase is a host's only when it
 * is met far more often than chance would have it.
 */
import { noHost } from './ipid-links.ts';

/** Identifications before they begin again. */
const idCount = 65_536;

export type ClockOptions = {
  /** Identifications a second that are tried: the tick rates of kernels. */
  readonly rates: readonly number[];
  /** A packet of a host is at most so many ticks off its clock. */
  readonly toleranceTicks: number;
  /** What a quartz may run fast or slow, in millionths. */
  readonly driftPpm: number;
  /** A host silent for longer begins anew. */
  readonly silenceMs: number;
  /** Packets of one occasion count once: a burst has one phase, whoever sends it. */
  readonly occasionMs: number;
  /** A host is met on so many occasions at the least. */
  readonly occasionsMin: number;
};

export const clockDefaults: ClockOptions = {
  rates: [100, 250, 1_000], toleranceTicks: 5, driftPpm: 50, silenceMs: 3_600_000, occasionMs: 2_000, occasionsMin: 8,
};

/** Chance of taking noise for a host, in natural logarithms; as many phases as there are times rates may err. */
const surpriseLeast = 25;
/** Identifications that a clock moves on between two occasions, other than a counter at rest. */
const movedMin = 256;
/** Share of a packet's distance from its clock by which the clock is set. */
const adjustShare = 0.125;

export type HostClock = {
  /** Identifications a second. */
  readonly rate: number;
  /** Identification at time 0 of the Unix epoch by the clock as it stood in the middle of the host's packets. */
  readonly phase: number;
  readonly packets: number;
  readonly firstMs: number;
  readonly lastMs: number;
};

export type LinkedClocks = {
  /** Hosts that follow a clock; the surest first. */
  readonly clocks: readonly HostClock[];
  /** [packet]: number of its clock, or `noHost`. */
  readonly host: Int32Array;
};

/** Packets that may be looked at; ascending in time. */
export type IdentifiedPackets = { readonly timeMs: Float64Array; readonly ipId: Uint16Array };

/** Finds the hosts of a home that follow a clock. @param packets  read only */
export function linkClocks(packets: IdentifiedPackets, options: Partial<ClockOptions> = {}): LinkedClocks {
  const settings = { ...clockDefaults, ...options };
  const host = new Int32Array(packets.timeMs.length).fill(noHost);
  const tracks = settings.rates.flatMap((rate) => trackPhases(packets, rate, settings));
  const clocks: HostClock[] = [];
  const density = densityOf(packets, settings);
  // The surest first: a packet is one host's only, and what is left of a track must be surprising by itself.
  const sorted = tracks
    .map((track) => ({ track, surprise: surpriseOf(track, track.members, packets, settings, density) }))
    .filter(({ surprise }) => surprise >= surpriseLeast)
    .sort((a, b) => b.surprise - a.surprise || (a.track.members[0] as number) - (b.track.members[0] as number));
  for (const { track } of sorted) {
    const members = track.members.filter((packet) => host[packet] === noHost);
    if (surpriseOf(track, members, packets, settings, density) < surpriseLeast) continue;
    const number = clocks.findIndex((clock) => isSameClock(clock, track, members, packets, settings));
    for (const packet of members) host[packet] = number < 0 ? clocks.length : number;
    if (number < 0) clocks.push(describeClock(track, members, packets));
    else clocks[number] = joinClocks(clocks[number] as HostClock, describeClock(track, members, packets));
  }
  return { clocks, host };
}

type Track = {
  readonly rate: number;
  /** Phase where the clock was last set, ascending without wrap. */
  phase: number;
  lastMs: number;
  readonly members: number[];
};

/** Every packet joins the track whose clock it is nearest to, or begins one. */
function trackPhases({ timeMs, ipId }: IdentifiedPackets, rate: number, options: ClockOptions): Track[] {
  const { toleranceTicks, silenceMs } = options;
  const cellWidth = 2 * Math.ceil(toleranceTicks + driftTicks(rate, silenceMs, options)) + 1;
  const cellCount = Math.max(1, Math.floor(idCount / cellWidth));
  const cells: Track[][] = Array.from({ length: cellCount }, () => []);
  const cellOf = (phase: number): number => Math.min(cellCount - 1, Math.floor(wrap(phase) / cellWidth));
  const tracks: Track[] = [];
  for (let i = 0; i < timeMs.length; i++) {
    // Zero is how a host says that it gives no identification.
    if (ipId[i] === 0) continue;
    const now = timeMs[i] as number;
    const phase = phaseOf(ipId[i] as number, now, rate);
    const cell = cellOf(phase);
    let nearest: Track | undefined;
    let distance = Infinity;
    for (const near of new Set([cell, (cell + 1) % cellCount, (cell + cellCount - 1) % cellCount])) {
      const list = (cells[near] as Track[]);
      for (const track of list) {
        const silentMs = now - track.lastMs;
        const off = Math.abs(circular(phase - track.phase));
        const isOff = silentMs > silenceMs || off > toleranceTicks + driftTicks(rate, silentMs, options);
        if (!isOff && off < distance) [nearest, distance] = [track, off];
      }
    }
    if (nearest === undefined) {
      const track: Track = { rate, phase, lastMs: now, members: [i] };
      tracks.push(track);
      const list = (cells[cell] as Track[]).filter(({ lastMs }) => now - lastMs <= silenceMs);
      list.push(track);
      cells[cell] = list;
      continue;
    }
    const before = cellOf(nearest.phase);
    nearest.phase = wrap(nearest.phase + adjustShare * circular(phase - nearest.phase));
    nearest.lastMs = now;
    nearest.members.push(i);
    const after = cellOf(nearest.phase);
    if (after === before) continue;
    const moved = nearest;
    cells[before] = (cells[before] as Track[]).filter((track) => track !== moved);
    (cells[after] as Track[]).push(moved);
  }
  return tracks;
}

/** [packet]: occasions of a home up to it, one for each packet that was not sent in the same moment as the last. */
type Density = { readonly occasions: Float64Array };

/** Packets by number of occasion; a host's burst is one phase and so one chance of being met. */
function densityOf({ timeMs, ipId }: IdentifiedPackets, { toleranceTicks, rates }: ClockOptions): Density {
  const occasions = new Float64Array(timeMs.length);
  const width = (2 * toleranceTicks + 1) * 1000 / Math.max(...rates);
  let count = 0;
  let lastMs = -Infinity;
  for (let i = 0; i < timeMs.length; i++) {
    const isNext = ipId[i] !== 0 && (Math.abs((timeMs[i] as number) - lastMs) > width ||
      Math.abs(circular((ipId[i] as number) - (ipId[i - 1] ?? 0))) > toleranceTicks);
    if (isNext) [count, lastMs] = [count + 1, timeMs[i] as number];
    occasions[i] = count;
  }
  return { occasions };
}

/**
 * How unlikely it is, as a negative natural logarithm, that packets of any phase are met at one phase on so many
 * occasions (Poisson, the bound of Chernoff 1952).
 */
function surpriseOf(track: Track, members: readonly number[], packets: IdentifiedPackets, options: ClockOptions,
  { occasions }: Density): number {
  const met = countOccasions(members, packets, options);
  if (met < options.occasionsMin) return 0;
  const { timeMs } = packets;
  let expected = 0;
  for (let i = 1; i < members.length; i++) {
    const [from, to] = [members[i - 1] as number, members[i] as number];
    // The longer a clock was not met, the wider is the phase that it is looked for in.
    const silentMs = (timeMs[to] as number) - (timeMs[from] as number);
    const width = 2 * (options.toleranceTicks + driftTicks(track.rate, silentMs, options)) + 1;
    expected += ((occasions[to] as number) - (occasions[from] as number)) * width / idCount;
  }
  return met <= expected ? 0 : met * Math.log(met / expected) - met + expected;
}

/**
 * Occasions that a clock was met on, each with an identification of its own: a counter that hardly moves is met at the
 * same phase, too, when it is seen once in each round of the clock.
 */
function countOccasions(members: readonly number[], { timeMs, ipId }: IdentifiedPackets,
  options: ClockOptions): number {
  let [met, lastOccasion, lastId] = [0, Number.NaN, Number.NaN];
  for (const packet of members) {
    const occasion = Math.floor((timeMs[packet] as number) / options.occasionMs);
    const id = ipId[packet] as number;
    if (occasion === lastOccasion || Math.abs(circular(id - lastId)) < movedMin) continue;
    [met, lastOccasion, lastId] = [met + 1, occasion, id];
  }
  return met;
}

/** A clock whose packets lie beside a surer one's, at the edge of its tolerance or after its silence, is that one. */
function isSameClock(clock: HostClock, track: Track, members: readonly number[], packets: IdentifiedPackets,
  options: ClockOptions): boolean {
  if (clock.rate !== track.rate) return false;
  const other = describeClock(track, members, packets);
  const apartMs = Math.abs(middleOf(clock) - middleOf(other));
  const reach = 2 * options.toleranceTicks + 2 + driftTicks(clock.rate, apartMs, options);
  return Math.abs(circular(clock.phase - other.phase)) <= reach;
}

const middleOf = ({ firstMs, lastMs }: HostClock): number => (firstMs + lastMs) / 2;

function describeClock({ rate }: Track, members: readonly number[], { timeMs, ipId }: IdentifiedPackets): HostClock {
  const firstMs = timeMs[members[0] as number] as number;
  const lastMs = timeMs[members.at(-1) as number] as number;
  // A median on a circle: the packets of the middle tenth are near each other, and one of them is the origin.
  const from = Math.floor(members.length * 0.45);
  const middle = members.slice(from, from + Math.max(1, Math.ceil(members.length * 0.1)))
    .map((packet) => phaseOf(ipId[packet] as number, timeMs[packet] as number, rate));
  const origin = middle[0] as number;
  const offs = middle.map((phase) => circular(phase - origin)).sort((a, b) => a - b);
  return {
    rate, phase: wrap(origin + (offs[offs.length >> 1] as number)), packets: members.length, firstMs, lastMs,
  };
}

function joinClocks(a: HostClock, b: HostClock): HostClock {
  return {
    ...a, packets: a.packets + b.packets, firstMs: Math.min(a.firstMs, b.firstMs), lastMs: Math.max(a.lastMs, b.lastMs),
  };
}

/** Ticks that a quartz may be off after a time. */
function driftTicks(rate: number, timeMs: number, { driftPpm }: ClockOptions): number {
  return driftPpm * 1e-6 * rate * timeMs / 1000;
}

function phaseOf(ipId: number, timeMs: number, rate: number): number {
  return wrap(ipId - timeMs * rate / 1000);
}

function wrap(phase: number): number {
  return ((phase % idCount) + idCount) % idCount;
}

/** The same difference in −32,768..32,767. */
function circular(difference: number): number {
  return wrap(difference + idCount / 2) - idCount / 2;
}
