/**
 * Hosts behind one NAT by the identification of their DNS queries, after Orevi, Herzberg and Zlatokrilov 2018 (DNS-DNS:
 * DNS-based De-NAT scheme): a host that counts its packets numbers its queries to one resolver in rising order.
 * Queries become chains, chains are merged by the time between them, the identifications between them and their slope,
 * and a flow goes to the chain whose query stands before it. How wide gaps may be, and when a chain is no chance, is
 * ours. Nothing here sees the truth but `judgeChains`.
 */
import { chainDefaults, ChainLinker, type ChainOptions } from './chain-linker.ts';
import type { HomeTrace } from './device-trace.ts';
import { addUp, judgeLinks, noHost, type JudgedLinks, type LinkQuality } from './ipid-links.ts';

export type IdChains = {
  /** Packets that are queries, ascending. */
  readonly query: Uint32Array;
  /** [query]: number of its host, or `noHost`. */
  readonly host: Int32Array;
  /** [host]: resolver that its queries went to. */
  readonly resolver: readonly number[];
  /** [host]: identifications a second. */
  readonly slope: readonly number[];
  /** Hosts estimated: the most that one resolver was asked by, as a host with two resolvers has two chains. */
  readonly hostCount: number;
};

/** Chains the queries of a home. */
export function chainQueries(home: HomeTrace, options: Partial<ChainOptions> = {}): IdChains {
  const settings = { ...chainDefaults, ...options };
  const query = Uint32Array.from(home.name.keys()).filter((i) => home.name[i] !== 0);
  const host = new Int32Array(query.length).fill(noHost);
  const byResolver = new Map<number, number[]>();
  query.forEach((packet, i) => {
    const resolver = home.destination[packet] as number;
    const asked = byResolver.get(resolver);
    if (asked === undefined) byResolver.set(resolver, [i]);
    else asked.push(i);
  });
  const [resolvers, slopes]: [number[], number[]] = [[], []];
  let hostCount = 0;
  for (const [resolver, asked] of byResolver) {
    const before = resolvers.length;
    const linker = new ChainLinker(Float64Array.from(asked, (i) => home.timeMs[query[i] as number] as number),
      Uint16Array.from(asked, (i) => home.ipId[query[i] as number] as number), settings);
    for (const { members, slope } of linker.link()) {
      for (const member of members) host[asked[member] as number] = resolvers.length;
      resolvers.push(resolver);
      slopes.push(slope);
    }
    hostCount = Math.max(hostCount, resolvers.length - before);
  }
  return { query, host, resolver: resolvers, slope: slopes, hostCount };
}

export type FlowHosts = {
  /** First packet of each flow that is not the resolver's, ascending. */
  readonly packet: Uint32Array;
  /** [flow]: the host of the last query before it, or `noHost`. */
  readonly host: Int32Array;
};

/** Gives flows to hosts. Answers are not seen on the way out, so that time alone joins a flow to a query. */
export function linkFlows(home: HomeTrace, chains: IdChains, options: Partial<ChainOptions> = {}): FlowHosts {
  const { flowGapMs } = { ...chainDefaults, ...options };
  const seen = new Set<number>();
  const [packets, hosts]: [number[], number[]] = [[], []];
  let asked = 0;
  let [lastHost, lastMs] = [noHost, -Infinity];
  for (let i = 0; i < home.timeMs.length; i++) {
    const timeMs = home.timeMs[i] as number;
    if (chains.query[asked] === i) {
      [lastHost, lastMs] = [chains.host[asked] as number, timeMs];
      asked++;
    }
    // Rows are numbered for each unit: its number keeps them apart, as addresses and ports do in a real home.
    const flow = (home.device[i] as number) * 2 ** 32 + (home.flow[i] as number);
    if (seen.has(flow)) continue;
    seen.add(flow);
    if (home.name[i] !== 0) continue;
    packets.push(i);
    hosts.push(timeMs - lastMs <= flowGapMs ? lastHost : noHost);
  }
  return { packet: Uint32Array.from(packets), host: Int32Array.from(hosts) };
}

export type JudgedChains = {
  readonly chains: IdChains;
  /** [query], [flow] of `flows` */
  readonly queries: JudgedLinks;
  readonly ofFlows: JudgedLinks;
  readonly flows: FlowHosts;
};

/** Chains a home, links its flows, and compares both with the devices that sent them. */
export function judgeChains(home: HomeTrace, options: Partial<ChainOptions> = {}): JudgedChains {
  const chains = chainQueries(home, options);
  const flows = linkFlows(home, chains, options);
  // A host that asks two resolvers is rightly two chains.
  const deviceAt = (resolver: number, packet: number): number => resolver * 256 + (home.device[packet] as number);
  return {
    chains, flows,
    queries: judgeLinks(chains.host, Array.from(chains.query, (packet) =>
      deviceAt(home.destination[packet] as number, packet))),
    ofFlows: judgeLinks(flows.host, Array.from(flows.packet, (packet, i) =>
      deviceAt(chains.resolver[flows.host[i] as number] ?? 0, packet))),
  };
}

export type ChainQuality = { readonly queries: LinkQuality; readonly flows: LinkQuality; readonly hostCount: number };

/** How good that is for all of a home together. */
export function measureChains(home: HomeTrace, options: Partial<ChainOptions> = {}): ChainQuality {
  const { chains, queries, ofFlows } = judgeChains(home, options);
  return { queries: addUp(queries), flows: addUp(ofFlows), hostCount: chains.hostCount };
}
