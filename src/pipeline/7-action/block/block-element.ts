/**
 * A block as an element of an nftables set: from what a plan asks for to the set, the key and the rules that it takes,
 * and back from what nft lists. Pure text; nothing that comes from outside gets into a script without being parsed and
 * written anew.
 */
import {
  addressWords, formatAddress, isMapped, parseAddress, parsePrefix, protocolTcp, protocolUdp, type AddressWords,
  type Prefix,
} from '#base';
import type { BlockTarget } from '../action.ts';

/** What a set's elements are made of, in this order after the home's address. */
export type BlockSet = {
  readonly name: string;
  readonly ipVersion: 4 | 6;
  /** Bits of the destination that count; undefined: the destination does not. */
  readonly destinationBits: number | undefined;
  readonly hasPort: boolean;
};

/** One block, ready to be written. */
export type BlockElement = {
  readonly set: BlockSet;
  /** Canonical text of the key: `203.0.113.1 . tcp . 23`. */
  readonly key: string;
  readonly destination: Prefix | undefined;
};

/**
 * Shortest prefix that may be blocked on all ports. A shorter one would take a large part of the Internet from the
 * whole home, which no block may do.
 */
export const prefixBitsMin = { 4: 16, 6: 32 } as const;

const protocolNames: Readonly<Record<string, 'tcp' | 'udp'>> = {
  tcp: 'tcp', udp: 'udp', [protocolTcp]: 'tcp', [protocolUdp]: 'udp',
};

/** The element of a target, or a sentence about what makes it none. */
export function elementOf({ homeAddress, destination, protocol, port }: BlockTarget): BlockElement | string {
  const home = parseAddress(homeAddress);
  if (home === undefined) return `"${homeAddress}" is no address of a home`;
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535)) return `${port} is no port`;
  // A type holds nobody who orders a block over a socket.
  if (protocol !== 'tcp' && protocol !== 'udp') return `"${String(protocol)}" is neither tcp nor udp`;
  const ipVersion = versionOf(home);
  const key = [formatAddress(Uint32Array.from(home), 0)];
  const network = destination === undefined ? undefined : parsePrefix(destination);
  if (destination !== undefined && network === undefined) return `"${destination}" is neither an address nor a prefix`;
  if (network !== undefined && versionOf(network.words) !== ipVersion) {
    return `${destination} and the home's address ${homeAddress} are of different families`;
  }
  // A prefix of no bits is any destination.
  const bits = network === undefined ? 0 : network.lengthBits - (ipVersion === 4 ? 96 : 0);
  if (port === undefined) {
    if (bits === 0) return 'neither destination nor port is given, and a whole home is never blocked';
    if (bits < prefixBitsMin[ipVersion]) {
      return `${destination} on all ports is too much to block for a home (at least /${prefixBitsMin[ipVersion]})`;
    }
  }
  if (network !== undefined && bits > 0) key.push(formatAddress(maskWords(network), 0));
  if (port !== undefined) key.push(protocol, String(port));
  const set = makeSet(ipVersion, bits === 0 ? undefined : bits, port !== undefined);
  return { set, key: key.join(' . '), destination: bits === 0 ? undefined : network };
}

function versionOf(words: AddressWords): 4 | 6 {
  return isMapped(Uint32Array.from(words), 0) ? 4 : 6;
}

function makeSet(ipVersion: 4 | 6, destinationBits: number | undefined, hasPort: boolean): BlockSet {
  const parts = [...destinationBits === undefined ? [] : [`destination${destinationBits}`], ...hasPort ? ['port'] : []];
  return { name: `ipv${ipVersion}_${parts.join('_')}`, ipVersion, destinationBits, hasPort };
}

/** The set of a name that `makeSet` gave, or undefined. */
export function parseSetName(name: string): BlockSet | undefined {
  const match = /^ipv([46])_(?:destination(\d{1,3}))?(_?port)?$/.exec(name);
  if (match === null) return undefined;
  const bits = match[2] === undefined ? undefined : Number(match[2]);
  const set = makeSet(match[1] === '4' ? 4 : 6, bits, match[3] !== undefined);
  const isSet = set.name === name && (set.hasPort || bits !== undefined);
  return isSet && (bits ?? 1) >= 1 && (bits ?? 1) <= (set.ipVersion === 4 ? 32 : 128) ? set : undefined;
}

/** Sets that are always there; of other prefix lengths they come with the first block that needs them. */
export const usualSets: readonly BlockSet[] = ([4, 6] as const).flatMap((ipVersion) => {
  const bits = ipVersion === 4 ? 32 : 128;
  return [makeSet(ipVersion, bits, false), makeSet(ipVersion, undefined, true), makeSet(ipVersion, bits, true)];
});

/** `type` of a set in a script. */
export function typeOf({ ipVersion, destinationBits, hasPort }: BlockSet): string {
  const address = `ipv${ipVersion}_addr`;
  return [address, ...destinationBits === undefined ? [] : [address], ...hasPort ? ['inet_proto', 'inet_service'] : []]
    .join(' . ');
}

/** The two rules of a set: what the home sends there, and what comes back from there. */
export function rulesOf({ name, ipVersion, destinationBits, hasPort }: BlockSet): string[] {
  const ip = ipVersion === 4 ? 'ip' : 'ip6';
  const peerOf = (field: string): string => {
    if (destinationBits === undefined) return '';
    if (destinationBits === (ipVersion === 4 ? 32 : 128)) return ` . ${ip} ${field}`;
    return ` . (${ip} ${field} & ${maskText(ipVersion, destinationBits)})`;
  };
  return ([['saddr', 'daddr', 'dport'], ['daddr', 'saddr', 'sport']] as const).map(([home, peer, port]) =>
    `${ip} ${home}${peerOf(peer)}${hasPort ? ` . meta l4proto . th ${port}` : ''} @${name} drop`);
}

/** Words of a prefix without what lies beyond its length. */
function maskWords({ words, lengthBits }: Prefix): Uint32Array {
  return Uint32Array.from(words, (word, i) => (word & wordMask(lengthBits - i * 32)) >>> 0);
}

function wordMask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0;
}

function maskText(ipVersion: 4 | 6, bits: number): string {
  if (ipVersion === 4) return formatAddress(Uint32Array.of(0, 0, 0xffff, wordMask(bits)), 0);
  return formatAddress(Uint32Array.from({ length: addressWords }, (_, i) => wordMask(bits - i * 32)), 0);
}

/** A block that stands. */
export type StandingBlock = BlockTarget & {
  /** First digits of the action's id. */
  readonly action: string;
  /** Rounded down to whole seconds by nft. */
  readonly remainingMs: number;
  readonly element: BlockElement;
};

/** The block behind an element's parts as nft lists them, or undefined when they are none of ours. */
export function readElement(set: BlockSet, parts: readonly unknown[], rest: { expires: unknown; comment: unknown }):
StandingBlock | undefined {
  const [home, ...others] = parts;
  const destination = set.destinationBits === undefined ? undefined : others.shift();
  const [protocolText, port] = set.hasPort ? others : ['tcp', undefined];
  const protocol = protocolNames[String(protocolText)];
  if (parts.length !== typeOf(set).split(' . ').length || typeof rest.expires !== 'number') return undefined;
  if (typeof home !== 'string' || protocol === undefined) return undefined;
  if (destination !== undefined && typeof destination !== 'string') return undefined;
  if (port !== undefined && typeof port !== 'number') return undefined;
  const ownBits = set.ipVersion === 4 ? 32 : 128;
  const target: BlockTarget = {
    homeAddress: home, protocol, port,
    destination: destination === undefined || set.destinationBits === ownBits ? destination
      : `${destination}/${set.destinationBits}`,
  };
  const element = elementOf(target);
  if (typeof element === 'string' || element.set.name !== set.name) return undefined;
  const action = typeof rest.comment === 'string' ? (/^natlens ([0-9a-f]{1,64})$/.exec(rest.comment)?.[1] ?? '') : '';
  return { ...target, action, remainingMs: rest.expires * 1_000, element };
}
