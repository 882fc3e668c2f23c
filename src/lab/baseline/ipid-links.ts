/**
 * How good links are that a method found between packets behind one NAT: the share of packets that it links to any
 * host, and the share of those that belong to that host. Here alone linkers meet the truth.
 */
import { assertInvariant } from '#base';

/** Host of a packet that no host was found for. */
export const noHost = -1;

export type LinkQuality = {
  /** Packets that were to be linked. */
  readonly packets: number;
  /** Share of the packets that were linked to a host; NaN without packets. */
  readonly coverage: number;
  /**
   * Share of the linked packets whose host is their device; NaN when none was linked. Every device counts for one host
   * only, its largest, and every host for the device of most of its packets: a linker that tears devices apart is not
   * accurate.
   */
  readonly accuracy: number;
  /** The same, but a device may have several hosts: what is wrong by mixing alone. */
  readonly purity: number;
};

/** [packet]: 1 where it is so. */
export type JudgedLinks = {
  readonly isLinked: Uint8Array;
  readonly isAccurate: Uint8Array;
  readonly isPure: Uint8Array;
};

/**
 * Compares hosts that were found with the devices that are there.
 *
 * @param host   [packet]: number of a host, or `noHost`; read only
 * @param truth  [packet]: number of what should have been told apart; read only
 */
export function judgeLinks(host: ArrayLike<number>, truth: ArrayLike<number>): JudgedLinks {
  assertInvariant(host.length === truth.length, 'every packet has a host and a truth');
  const pairs = countPairs(host, truth);
  const deviceOf = new Map<number, number>();
  const mostOf = new Map<number, number>();
  const taken = new Set<number>();
  // The largest pairs first: those of a host are met from its most to its least.
  for (const { found, device } of pairs) {
    if (!mostOf.has(found)) mostOf.set(found, device);
    // A host stands for the device that most of it is of; another host of that device stands for none.
    if (mostOf.get(found) !== device || taken.has(device)) continue;
    deviceOf.set(found, device);
    taken.add(device);
  }
  const mark = (is: (found: number, device: number) => boolean): Uint8Array =>
    Uint8Array.from(host, (found, i) => found !== noHost && is(found, truth[i] as number) ? 1 : 0);
  return {
    isLinked: mark(() => true),
    isAccurate: mark((found, device) => deviceOf.get(found) === device),
    isPure: mark((found, device) => mostOf.get(found) === device),
  };
}

type Pair = { readonly found: number; readonly device: number; count: number };

/** Pairs of one host and one device, those of the most packets first. */
function countPairs(host: ArrayLike<number>, truth: ArrayLike<number>): Pair[] {
  const pairs = new Map<string, Pair>();
  for (let i = 0; i < host.length; i++) {
    const [found, device] = [host[i] as number, truth[i] as number];
    if (found === noHost) continue;
    const pair = pairs.get(`${found} ${device}`) ?? { found, device, count: 0 };
    pairs.set(`${found} ${device}`, pair);
    pair.count++;
  }
  return [...pairs.values()].sort((a, b) => b.count - a.count || a.found - b.found || a.device - b.device);
}

/** Judged packets of many homes, added up. */
export class LinkTally {
  packets = 0;
  #linked = 0;
  #accurate = 0;
  #pure = 0;

  add({ isLinked, isAccurate, isPure }: JudgedLinks, packet: number): void {
    this.packets++;
    this.#linked += isLinked[packet] as number;
    this.#accurate += isAccurate[packet] as number;
    this.#pure += isPure[packet] as number;
  }

  get quality(): LinkQuality {
    return {
      packets: this.packets, coverage: this.#linked / this.packets, accuracy: this.#accurate / this.#linked,
      purity: this.#pure / this.#linked,
    };
  }
}

/** How good the links of one home are. */
export function addUp(judged: JudgedLinks): LinkQuality {
  const tally = new LinkTally();
  for (let packet = 0; packet < judged.isLinked.length; packet++) tally.add(judged, packet);
  return tally.quality;
}

export function measureLinks(host: ArrayLike<number>, truth: ArrayLike<number>): LinkQuality {
  return addUp(judgeLinks(host, truth));
}
