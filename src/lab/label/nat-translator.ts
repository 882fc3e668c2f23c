/**
 * Translates single IPv4 packets as a home router's NAT does (RFC 3022, RFC 4787, RFC 5382, RFC 5508): addresses,
 * ports, ICMP identifiers, the headers inside ICMP errors, and every checksum over them. The packet is the one that
 * was captured inside; what comes out is what a tap outside would have captured. No payload is read.
 */
import { Counts, limits, protocolIcmp, protocolTcp, protocolUdp } from '#base';
import type { NatBinding, NatBindings, NatEnds } from './nat-bindings.ts';
import {
  correctChecksum, put16, read16, read32, replace16, replace32, type ChecksumField,
} from './nat-checksum.ts';

/** Why a packet is not seen outside. */
export type NatLeftOut =
  | 'ipv6' | 'local' | 'not-inside' | 'protocol' | 'cut' | 'bad-header' | 'fragment' | 'hops' | 'unknown-error'
  | 'no-port';

export type NatPacket = {
  /** The packet from its IP header on; changed in place. */
  readonly bytes: Uint8Array;
  readonly timeMicroseconds: number;
  /** Names the device with this address: the packet's sender or receiver inside. */
  readonly nameDevice: (insideAddress: number, isOutward: boolean) => string;
};

export type NatTranslatorOptions = {
  readonly routerAddress: number;
  readonly isInside: (address: number) => boolean;
  readonly fragmentsMax?: number;
};

const ipHeaderBytesMin = 20;
const udpHeaderBytes = 8;
const tcpHeaderBytes = 20;
const icmpHeaderBytes = 8;
/** ICMP types of queries with an identifier (RFC 792, RFC 950), and of errors that hold a header (RFC 792). */
const icmpQueries: ReadonlySet<number> = new Set([0, 8, 13, 14, 17, 18]);
const icmpErrors: ReadonlySet<number> = new Set([3, 4, 11, 12]);

export class NatTranslator {
  readonly leftOut = new Counts<NatLeftOut>();
  outward = 0;
  inward = 0;
  readonly #options: NatTranslatorOptions;
  readonly #bindings: NatBindings;
  /** Binding of datagrams in pieces, by the numbers of their first fragment; in the order of first sight. */
  readonly #fragments = new Map<string, NatBinding>();

  constructor(bindings: NatBindings, options: NatTranslatorOptions) {
    this.#bindings = bindings;
    this.#options = options;
  }

  /** Translates a packet in place. @returns its direction, or undefined when it was left out and counted */
  translate(packet: NatPacket): 'outward' | 'inward' | undefined {
    const reason = this.#translate(packet);
    if (reason === 'outward') this.outward++;
    else if (reason === 'inward') this.inward++;
    else {
      this.leftOut.add(reason);
      return undefined;
    }
    return reason;
  }

  #translate(packet: NatPacket): 'outward' | 'inward' | NatLeftOut {
    const { bytes } = packet;
    const headerBytes = ((bytes[0] as number) & 15) * 4;
    if (bytes.length < ipHeaderBytesMin) return 'cut';
    if ((bytes[0] as number) >>> 4 !== 4 || headerBytes < ipHeaderBytesMin || read16(bytes, 2) < headerBytes) {
      return 'bad-header';
    }
    if (bytes.length < headerBytes) return 'cut';
    const [source, destination] = [read32(bytes, 12), read32(bytes, 16)];
    const [fromInside, toInside] = [this.#options.isInside(source), this.#options.isInside(destination)];
    // 224.0.0.0 and above are groups and broadcasts, 0.0.0.0/8 and 127.0.0.0/8 this network and this host.
    const isLocal = [source, destination].some((address) => address >>> 24 >= 224 || address >>> 24 === 0 ||
      address >>> 24 === 127);
    if (isLocal || (fromInside && toInside)) return 'local';
    if (!fromInside && !toInside) return 'not-inside';
    // Outward, the last hop of a packet ends at the router, which would answer instead of passing it on.
    if (fromInside && (bytes[8] as number) <= 1) return 'hops';
    const reason = (read16(bytes, 6) & 0x1fff) === 0
      ? this.#translateWhole(packet, headerBytes, fromInside) : this.#translateFragment(packet, fromInside);
    if (reason !== undefined) return reason;
    const hops = fromInside ? (bytes[8] as number) - 1 : Math.min((bytes[8] as number) + 1, 255);
    replace16(bytes, 8, (hops << 8) | (bytes[9] as number), [ipChecksum]);
    return fromInside ? 'outward' : 'inward';
  }

  #translateWhole(packet: NatPacket, headerBytes: number, isOutward: boolean): NatLeftOut | undefined {
    const { bytes } = packet;
    const protocol = bytes[9] as number;
    if (protocol === protocolIcmp) return this.#translateIcmp(packet, headerBytes, isOutward);
    if (protocol !== protocolTcp && protocol !== protocolUdp) return 'protocol';
    const isTcp = protocol === protocolTcp;
    if (bytes.length < headerBytes + (isTcp ? tcpHeaderBytes : udpHeaderBytes)) return 'cut';
    const [near, far] = isOutward ? [0, 2] : [2, 0];
    const binding = this.#bind(packet, isOutward, {
      insidePort: read16(bytes, headerBytes + near), peerPort: read16(bytes, headerBytes + far),
    });
    if (binding === undefined) return 'no-port';
    if (isTcp && ((bytes[headerBytes + 13] as number) & 0x05) !== 0) binding.isClosing = true;
    const checksum: ChecksumField = { at: headerBytes + (isTcp ? 16 : 6), isOptional: !isTcp };
    replace32(bytes, isOutward ? 12 : 16, this.#options.routerAddress, [ipChecksum, checksum]);
    replace16(bytes, headerBytes + near, binding.routerPort, [checksum]);
    return undefined;
  }

  #translateIcmp(packet: NatPacket, headerBytes: number, isOutward: boolean): NatLeftOut | undefined {
    const { bytes } = packet;
    if (bytes.length < headerBytes + icmpHeaderBytes) return 'cut';
    const type = bytes[headerBytes] as number;
    if (icmpErrors.has(type)) return this.#translateError(packet, headerBytes, isOutward);
    if (!icmpQueries.has(type)) return 'protocol';
    const binding = this.#bind(packet, isOutward, { insidePort: read16(bytes, headerBytes + 4), peerPort: 0 });
    if (binding === undefined) return 'no-port';
    replace32(bytes, isOutward ? 12 : 16, this.#options.routerAddress, [ipChecksum]);
    replace16(bytes, headerBytes + 4, binding.routerPort, [{ at: headerBytes + 2, isOptional: false }]);
    return undefined;
  }

  /** RFC 5508 §4: an error belongs to the binding of the packet that it quotes; the quoted header goes back, too. */
  #translateError(packet: NatPacket, headerBytes: number, isOutward: boolean): NatLeftOut | undefined {
    const { bytes } = packet;
    const quoted = headerBytes + icmpHeaderBytes;
    if (bytes.length < quoted + ipHeaderBytesMin) return 'cut';
    const transport = quoted + ((bytes[quoted] as number) & 15) * 4;
    if (bytes.length < transport + 8) return 'cut';
    const protocol = bytes[quoted + 9] as number;
    const isIcmp = protocol === protocolIcmp;
    if (!isIcmp && protocol !== protocolTcp && protocol !== protocolUdp) return 'protocol';
    // What a device complains of came in, what is complained of to it went out.
    const [nearAddress, farAddress] = isOutward ? [quoted + 16, quoted + 12] : [quoted + 12, quoted + 16];
    const [near, far] = isIcmp ? [transport + 4, -1]
      : isOutward ? [transport + 2, transport] : [transport, transport + 2];
    const insideAddress = read32(bytes, nearAddress);
    const binding = this.#bindings.find({
      device: packet.nameDevice(insideAddress, isOutward), protocol, insideAddress, insidePort: read16(bytes, near),
      peerAddress: read32(bytes, farAddress), peerPort: far < 0 ? 0 : read16(bytes, far),
    }, packet.timeMicroseconds);
    if (binding === undefined) return 'unknown-error';
    const icmp: ChecksumField = { at: headerBytes + 2, isOptional: false };
    const quotedSums: ChecksumField[] = [];
    if (isIcmp) quotedSums.push({ at: transport + 2, isOptional: false });
    else if (protocol === protocolUdp) quotedSums.push({ at: transport + 6, isOptional: true });
    else if (bytes.length >= transport + 18) quotedSums.push({ at: transport + 16, isOptional: false });
    const quotedIp: ChecksumField = { at: quoted + 10, isOptional: false };
    const before = [quotedIp, ...quotedSums].map(({ at }) => read16(bytes, at));
    // The checksum over an ICMP message covers no address.
    replace32(bytes, nearAddress, this.#options.routerAddress, [icmp, quotedIp, ...(isIcmp ? [] : quotedSums)]);
    replace16(bytes, near, binding.routerPort, [icmp, ...quotedSums]);
    // The quoted checksums are themselves covered by the error's.
    for (const [i, { at }] of [quotedIp, ...quotedSums].entries()) {
      correctChecksum(bytes, icmp, before[i] as number, read16(bytes, at));
    }
    replace32(bytes, isOutward ? 12 : 16, this.#options.routerAddress, [ipChecksum]);
    return undefined;
  }

  /** The binding of a packet's conversation, made when there is none; remembers datagrams in pieces. */
  #bind(packet: NatPacket, isOutward: boolean, ports: Pick<NatEnds, 'insidePort' | 'peerPort'>,
  ): NatBinding | undefined {
    const { bytes, timeMicroseconds } = packet;
    const insideAddress = read32(bytes, isOutward ? 12 : 16);
    const ends: NatEnds = {
      device: packet.nameDevice(insideAddress, isOutward), protocol: bytes[9] as number, insideAddress, ...ports,
      peerAddress: read32(bytes, isOutward ? 16 : 12),
    };
    // What came in was let in: a capture may begin in the middle of a conversation.
    const binding = this.#bindings.find(ends, timeMicroseconds) ?? this.#bindings.create(ends, timeMicroseconds);
    if (binding === undefined) return undefined;
    this.#bindings.use(binding, isOutward, timeMicroseconds);
    if ((read16(bytes, 6) & 0x2000) !== 0) this.#rememberFragments(fragmentKey(packet, ends.device), binding);
    return binding;
  }

  #rememberFragments(key: string, binding: NatBinding): void {
    this.#fragments.delete(key);
    this.#fragments.set(key, binding);
    if (this.#fragments.size <= (this.#options.fragmentsMax ?? limits.natFragmentsMax)) return;
    this.#fragments.delete(this.#fragments.keys().next().value as string);
  }

  /** A later fragment has no ports: it follows its first one. */
  #translateFragment(packet: NatPacket, isOutward: boolean): NatLeftOut | undefined {
    const { bytes, timeMicroseconds } = packet;
    const device = packet.nameDevice(read32(bytes, isOutward ? 12 : 16), isOutward);
    const binding = this.#fragments.get(fragmentKey(packet, device));
    if (binding === undefined) return 'fragment';
    binding.lastMicroseconds = Math.max(binding.lastMicroseconds, timeMicroseconds);
    if (isOutward) binding.outPackets++;
    else binding.inPackets++;
    replace32(bytes, isOutward ? 12 : 16, this.#options.routerAddress, [ipChecksum]);
    return undefined;
  }
}

const ipChecksum: ChecksumField = { at: 10, isOptional: false };

function fragmentKey({ bytes }: NatPacket, device: string): string {
  return `${device} ${read32(bytes, 12)} ${read32(bytes, 16)} ${read16(bytes, 4)} ${bytes[9]}`;
}

/** Writes the Ethernet header of a frame outside: router and provider have made-up addresses. */
export function putOutsideLink(frame: Uint8Array, isOutward: boolean): void {
  frame.fill(0, 0, 14);
  // Locally administered: 02:00:00:00:00:01 is the router, …:02 the provider's side.
  put16(frame, 0, 0x0200);
  put16(frame, 6, 0x0200);
  frame[5] = isOutward ? 2 : 1;
  frame[11] = isOutward ? 1 : 2;
  put16(frame, 12, 0x0800);
}
