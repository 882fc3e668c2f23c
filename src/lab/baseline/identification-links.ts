/**
 * Linkers of queries on composed homes: how many queries of hosts with each kind of counter they link, how many
 * rightly, and how many hosts they count. Homes are of all units, since a linker learns nothing. A question to the
 * resolver at home has the identification that its host gave it: where a router asks anew in its own name, no linker
 * sees hosts.
 */
import { assertInvariant, Random } from '#base';
import { composeHome } from '../homes/compose-homes.ts';
import type { WorldUnit } from '../homes/lab-world.ts';
import { homeResolver, noFlow, type DeviceTrace, type HomeTrace } from './device-trace.ts';
import { mergeHome } from './home-trace.ts';
import type { HostCountRow, Linker, LinkRow, StudyOptions } from './identification-study.ts';
import { judgeChains } from './ipid-chains.ts';
import { linkClocks } from './ipid-clock.ts';
import { gatherIncrements } from './ipid-increments.ts';
import { judgeLinks, LinkTally, type JudgedLinks, type LinkQuality } from './ipid-links.ts';
import { classify, idClasses, isClock, isCounting, type IdClass } from './ipid-slope.ts';
import type { WorldTraces } from './world-traces.ts';

/** Counter of a host; `unclear`: of no class, or there are too few queries to say. */
export type HostKind = IdClass | 'unclear';

/** Counters that a linker was made for. */
const followedBy: Readonly<Record<Linker, (kind: HostKind) => boolean>> = {
  'dns-chains': (kind) => kind !== 'unclear' && isCounting(kind), clocks: (kind) => kind !== 'unclear' && isClock(kind),
};
const linkers = Object.keys(followedBy) as Linker[];

/** Kinds of a unit's counter by all of its queries. */
type UnitKinds = {
  /** By resolver, as homes have them. */
  readonly ofResolver: ReadonlyMap<number, HostKind>;
  /** Of the resolver that it asked most. */
  readonly ofUnit: HostKind;
};

export type LinkStudy = { readonly links: readonly LinkRow[]; readonly hostCounts: readonly HostCountRow[] };

export function studyLinks(units: readonly WorldUnit[], traces: WorldTraces, options: StudyOptions): LinkStudy {
  const { seed, homes, homeMs, onHome } = options;
  const unitOf = new Map(units.map((unit) => [unit.device, unit]));
  const traceOf = ({ device }: { readonly device: string }): DeviceTrace => {
    const unit = unitOf.get(device);
    assertInvariant(unit !== undefined, `${device} is of another world`);
    return traces.traceOf(unit.unit, 'whole');
  };
  const kinds = new Map(units.map((unit) => [unit.device, listKinds(traceOf(unit))]));
  const recordings = units.flatMap(({ recordings: { whole } }) => whole ?? []);
  const random = new Random(seed);
  const account = new LinkAccount([...kinds.values()]);
  for (let i = 0; i < homes; i++) {
    const home = composeHome(recordings, { lengthMs: homeMs, leadMs: 0 }, random);
    const hosts = home.placements.map(({ recording }) => kinds.get(recording.unit.device) as UnitKinds);
    account.add(mergeHome(home, traceOf, 'placement'), hosts);
    onHome?.(i + 1);
  }
  return { links: account.listLinks(), hostCounts: account.listCounts(homes) };
}

function listKinds(trace: DeviceTrace): UnitKinds {
  const queries = [...trace.name.keys()].filter((i) => trace.name[i] !== 0);
  const resolverOf = (i: number): number => trace.flow[i] === noFlow ? homeResolver : trace.destination[i] as number;
  const kinds = [...Map.groupBy(queries, resolverOf)].map(([resolver, packets]) => {
    const asked: DeviceTrace = {
      timeMs: Float64Array.from(packets, (i) => trace.timeMs[i] as number),
      ipId: Uint16Array.from(packets, (i) => trace.ipId[i] as number),
      destination: new Uint32Array(packets.length).fill(resolver), flow: new Uint32Array(packets.length),
      name: Uint32Array.from(packets, (i) => trace.name[i] as number),
    };
    return { resolver, queries: packets.length, kind: classify(gatherIncrements(asked)) ?? 'unclear' as const };
  }).sort((a, b) => b.queries - a.queries);
  return {
    ofResolver: new Map(kinds.map(({ resolver, kind }) => [resolver, kind])), ofUnit: kinds[0]?.kind ?? 'unclear',
  };
}

type RowKind = LinkRow['hosts'];
type HostCounts = { counted: number; error: number };

/** What is added up over homes. */
class LinkAccount {
  readonly #units: readonly UnitKinds[];
  readonly #queries: Readonly<Record<Linker, Map<RowKind, LinkTally>>> = { 'dns-chains': new Map(), clocks: new Map() };
  readonly #flows = new Map<RowKind, LinkTally>();
  readonly #counts: Readonly<Record<Linker, HostCounts & { countable: number }>> = {
    'dns-chains': { counted: 0, error: 0, countable: 0 }, clocks: { counted: 0, error: 0, countable: 0 },
  };
  #asking = 0;

  constructor(units: readonly UnitKinds[]) {
    this.#units = units;
  }

  /** @param hosts  [number of a device in the home] */
  add(home: HomeTrace, hosts: readonly UnitKinds[]): void {
    const { chains, queries, flows, ofFlows } = judgeChains(home);
    const hostOf = (packet: number): UnitKinds => hosts[home.device[packet] as number] as UnitKinds;
    const kindOfQuery = Array.from(chains.query, (packet) =>
      hostOf(packet).ofResolver.get(home.destination[packet] as number) ?? 'unclear');
    addJudged(this.#queries['dns-chains'], queries, kindOfQuery);
    addJudged(this.#flows, ofFlows, Array.from(flows.packet, (packet) => hostOf(packet).ofUnit));
    const clocks = linkClocks({
      timeMs: Float64Array.from(chains.query, (i) => home.timeMs[i] as number),
      ipId: Uint16Array.from(chains.query, (i) => home.ipId[i] as number),
    });
    // A clock is the host's, whomever it asks.
    const devices = Array.from(chains.query, (packet) => home.device[packet] as number);
    addJudged(this.#queries.clocks, judgeLinks(clocks.host, devices), kindOfQuery);
    this.#count({ 'dns-chains': chains.hostCount, clocks: clocks.clocks.length }, [...new Set(devices)], hosts);
  }

  #count(counted: Readonly<Record<Linker, number>>, asking: readonly number[], hosts: readonly UnitKinds[]): void {
    this.#asking += asking.length;
    for (const linker of linkers) {
      const counts = this.#counts[linker];
      const countable = asking.filter((device) => followedBy[linker]((hosts[device] as UnitKinds).ofUnit)).length;
      counts.countable += countable;
      counts.counted += counted[linker];
      counts.error += Math.abs(counted[linker] - asking.length);
    }
  }

  listLinks(): LinkRow[] {
    return linkers.flatMap((linker) => {
      const tallies = this.#queries[linker];
      return [...idClasses, 'unclear' as const, 'all' as const].flatMap((hosts): LinkRow[] => {
        const quality = tallies.get(hosts)?.quality;
        if (quality === undefined) return [];
        const flows = linker === 'dns-chains' ? this.#flows.get(hosts)?.quality : undefined;
        const units = this.#units.filter(({ ofResolver }) =>
          hosts === 'all' ? ofResolver.size > 0 : [...ofResolver.values()].includes(hosts)).length;
        return [{
          linker, hosts, units, queries: quality.packets, ...sharesOf(quality), flowCoverage: known(flows?.coverage),
          flowAccuracy: known(flows?.accuracy),
        }];
      });
    });
  }

  listCounts(homes: number): HostCountRow[] {
    return linkers.map((linker) => {
      const { counted, error, countable } = this.#counts[linker];
      return {
        linker, homes, asking: this.#asking / homes, countable: countable / homes, counted: counted / homes,
        absoluteError: error / homes,
      };
    });
  }
}

/** Adds the packets of a home to those of the kind of their hosts, and to all. */
function addJudged(
  tallies: Map<RowKind, LinkTally>, judged: JudgedLinks, kinds: readonly HostKind[],
): void {
  const tallyOf = (kind: RowKind): LinkTally => {
    const tally = tallies.get(kind) ?? new LinkTally();
    tallies.set(kind, tally);
    return tally;
  };
  kinds.forEach((kind, packet) => {
    tallyOf(kind).add(judged, packet);
    tallyOf('all').add(judged, packet);
  });
}

function sharesOf({ coverage, accuracy, purity }: LinkQuality): Pick<LinkRow, 'coverage' | 'accuracy' | 'purity'> {
  return { coverage: known(coverage), accuracy: known(accuracy), purity: known(purity) };
}

const known = (share: number | undefined): number | null => share === undefined || Number.isNaN(share) ? null : share;
