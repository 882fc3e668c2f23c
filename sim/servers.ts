/**
 * The hosts outside the home. A name leads to a few addresses, the same in every world; where they lie is a choice:
 * documentation and benchmark prefixes (RFC 5737, 3849, 2544), or prefixes of real clouds, so that owners have names.
 * Nothing is ever sent to these addresses: they are bytes in a file.
 */
import { parseAddress, Random } from '#base';
import { hashText, NetworkStack } from './network-stack.ts';

/** One end of a dialog: a device, the gateway, or a server (which is reached through the gateway's link address). */
export type Host = {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly ipv4: Uint8Array;
  /** Undefined for a host without IPv6. */
  readonly ipv6: Uint8Array | undefined;
  readonly stack: NetworkStack;
  /** Time from a packet towards this host to its answer, at the gateway. */
  readonly roundTripMicroseconds: number;
};

/** `lab`: names that end in `CLOUD.example` lie in that cloud's prefix: vendors who rent there share an owner. */
export type ServerPlacement = 'documentation' | 'clouds' | 'lab';

type Block = { readonly ipv4: string; readonly hostBits: number; readonly ipv6: string };

const documentationBlocks: readonly Block[] = [
  { ipv4: '192.0.2.0', hostBits: 8, ipv6: '2001:db8:c000::' },
  { ipv4: '198.51.100.0', hostBits: 8, ipv6: '2001:db8:c001::' },
  { ipv4: '203.0.113.0', hostBits: 8, ipv6: '2001:db8:c002::' },
];

/** Prefixes that large clouds announce, for show. */
const cloudBlocks: readonly Block[] = [
  { ipv4: '54.230.0.0', hostBits: 16, ipv6: '2600:9000:2000::' },
  { ipv4: '52.94.0.0', hostBits: 16, ipv6: '2600:9000:2100::' },
  { ipv4: '142.250.0.0', hostBits: 15, ipv6: '2a00:1450:4001::' },
  { ipv4: '104.16.0.0', hostBits: 13, ipv6: '2606:4700::' },
  { ipv4: '13.107.0.0', hostBits: 16, ipv6: '2620:1ec::' },
  { ipv4: '151.101.0.0', hostBits: 16, ipv6: '2a04:4e42::' },
  { ipv4: '157.240.0.0', hostBits: 17, ipv6: '2a03:2880:f000::' },
  { ipv4: '17.253.0.0', hostBits: 16, ipv6: '2620:149::' },
  { ipv4: '47.88.0.0', hostBits: 16, ipv6: '2400:3200::' },
  { ipv4: '23.32.0.0', hostBits: 11, ipv6: '2a02:26f0::' },
];

/** Where names of the simulated lab lie, by their last labels: prefixes that those clouds announce. */
const labBlocks: ReadonlyMap<string, Block> = new Map([
  ['amazon.example', { ipv4: '54.230.0.0', hostBits: 16, ipv6: '2600:9000:2000::' }],
  ['google.example', { ipv4: '142.250.0.0', hostBits: 15, ipv6: '2a00:1450:4001::' }],
  ['microsoft.example', { ipv4: '13.107.0.0', hostBits: 16, ipv6: '2620:1ec::' }],
  ['alibaba.example', { ipv4: '47.88.0.0', hostBits: 16, ipv6: '2400:3200::' }],
  ['tencent.example', { ipv4: '119.28.0.0', hostBits: 16, ipv6: '2402:4e00::' }],
  ['akamai.example', { ipv4: '23.32.0.0', hostBits: 11, ipv6: '2a02:26f0::' }],
  ['apple.example', { ipv4: '17.253.0.0', hostBits: 16, ipv6: '2620:149::' }],
  ['nist.example', { ipv4: '129.6.15.0', hostBits: 8, ipv6: '2610:20::' }],
  ['canonical.example', { ipv4: '185.125.190.0', hostBits: 8, ipv6: '2620:2d::' }],
  ['pool.example', { ipv4: '210.61.0.0', hostBits: 16, ipv6: '2001:b000::' }],
  ['resolver.example', { ipv4: '8.8.8.0', hostBits: 8, ipv6: '2001:4860:4860::' }],
]);

/** Peers of the lab lie where subscribers of some provider do: outside the home, as far as a meter can tell. */
const labPeerBlock: Block = { ipv4: '210.64.0.0', hostBits: 16, ipv6: '2001:b011::' };

/** The benchmark prefix 198.18.0.0/15 (RFC 2544), where peers of peer-to-peer traffic live. */
const peerBlock: Block = { ipv4: '198.18.0.0', hostBits: 17, ipv6: '2001:db8:d000::' };

/** Names and addresses outside the home, as one device sees them. */
export class Servers {
  readonly #byName = new Map<string, readonly Host[]>();
  readonly #gatewayMac: Uint8Array;
  readonly #placement: ServerPlacement;
  readonly #random: Random;

  /** @param random  of this device's servers alone */
  constructor(gatewayMac: Uint8Array, placement: ServerPlacement, random: Random) {
    this.#gatewayMac = gatewayMac;
    this.#placement = placement;
    this.#random = random;
  }

  /** The hosts behind a name, at least one. Names come from the behaviours' own lists, so they are few. */
  find(name: string): readonly Host[] {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const hash = hashText(name);
    const block = this.#blockOf(name, hash);
    const hosts = Array.from({ length: 1 + (hash >>> 8) % 4 },
      (_, i) => this.#place(name, block, hash + i * 0x9e3779b1));
    this.#byName.set(name, hosts);
    return hosts;
  }

  /** A new host somewhere among the peers; it is not remembered. */
  meetPeer(): Host {
    return this.#place('peer', this.#placement === 'lab' ? labPeerBlock : peerBlock, this.#random.uint32());
  }

  #blockOf(name: string, hash: number): Block {
    const rented = this.#placement === 'lab' ? labBlocks.get(name.split('.').slice(-2).join('.')) : undefined;
    const blocks = this.#placement === 'documentation' ? documentationBlocks : cloudBlocks;
    return rented ?? blocks[hash % blocks.length] as Block;
  }

  #place(name: string, block: Block, hash: number): Host {
    const spread = new Random(hash);
    const ipv4 = addressBytes(block.ipv4);
    const hostPart = spread.integer(1, 2 ** block.hostBits - 2);
    for (let i = 0; i < 4; i++) ipv4[3 - i] = (ipv4[3 - i] as number) | ((hostPart >>> (8 * i)) & 255);
    const ipv6 = addressBytes(block.ipv6);
    for (let i = 8; i < 16; i++) ipv6[i] = spread.integer(1, 255);
    const stack = new NetworkStack({
      identification: spread.pick(['perDestination', 'zero', 'zero', 'random', 'global'] as const),
      hops: spread.pick([64, 64, 128, 255]) - spread.integer(6, 22),
      classOfService: spread.pick([0, 0, 0, 0x20, 0x28, 0x80]),
      ephemeralPorts: { low: 32_768, high: 60_999 },
      hasTcpTimestamps: spread.chance(0.6),
      windowBytes: spread.integer(20_000, 65_535),
      isWired: false,
    }, this.#random.fork());
    const roundTripMicroseconds = spread.integer(8_000, 180_000);
    return { name, mac: this.#gatewayMac, ipv4, ipv6, stack, roundTripMicroseconds };
  }
}

/** Bytes of an address that this file or its caller wrote down. */
export function addressBytes(text: string): Uint8Array {
  const words = parseAddress(text) ?? [0, 0, 0, 0];
  const bytes = new Uint8Array(16);
  words.forEach((word, i) => new DataView(bytes.buffer).setUint32(i * 4, word));
  return text.includes(':') ? bytes : bytes.slice(12);
}
