/**
 * The meter's inner loops for WebAssembly (AssemblyScript): the usual packet, read and counted without a call into
 * JavaScript. Everything else is handed back: each function stops at the first packet that it leaves to the readable
 * code (`header-parser.ts`, `flow-counter.ts`), which works on the same memory. The tests hold both to the same flows.
 *
 * Addresses and layouts come from the parameter block and from the constants below, which repeat `header-slab.ts` and
 * `flow-table.ts`; a test compares them. Nothing here allocates, and no address is computed from packet bytes.
 */

// Parameter block: 32-bit words at this address, written by `meter-kernel.ts` of the meter.
const parameters: usize = 64;
@inline function parameter(index: usize): usize { return <usize>load<u32>(parameters + (index << 2)); }

// Doubles behind the parameters.
const nextExpiryAt: usize = 192;
const idleAt: usize = 200;
const listingAt: usize = 208;
const octetsAt: usize = 216;

// header-slab.ts
const headerBytes: usize = 96;
const hTime: usize = 0;
const hSource: usize = 8;
const hDestination: usize = 24;
const hPorts: usize = 40;
const hProtocol: usize = 44;
const hInterfaceClass: usize = 48;
const hOctets: usize = 52;
const hTcpFlags: usize = 56;
const hIcmp: usize = 60;
const hIdentification: usize = 64;
const hVlan: usize = 68;
const hMacs: usize = 72;
const hPacketRow: usize = 84;
const hTransport: usize = 88;
const hState: usize = 92;
const slotWhole: u32 = 1;

// flow-table.ts
const recordBytes: usize = 176;
const dEnd: usize = 8;
const dOver: usize = 16;
const dCut: usize = 24;
const dInitiatorOctets: usize = 32;
const dResponderOctets: usize = 40;
const dInitiatorPackets: usize = 48;
const dResponderPackets: usize = 56;
const dListed: usize = 64;
const wSource: usize = 80;
const wDestination: usize = 96;
const wPorts: usize = 112;
const wProtocol: usize = 116;
const wInterfaceClass: usize = 120;
const wSeen: usize = 124;
const wReverseClass: usize = 128;
const wHash: usize = 132;
const wChain: usize = 136;
const wOlder: usize = 140;
const wNewer: usize = 144;
const wIcmp: usize = 148;
const none: u32 = 0xffffffff;
const seenInitiator: u32 = 1;
const seenResponder: u32 = 2;

const protocolTcp: u32 = 6;
const protocolUdp: u32 = 17;
const tcpFin: u32 = 1;
const tcpRst: u32 = 4;

@inline function read16(at: usize): u32 { return <u32>bswap<u16>(load<u16>(at)); }
@inline function read32(at: usize): u32 { return bswap<u32>(load<u32>(at)); }

/**
 * Reads headers of rows [first, end) into free slots, as long as they are TCP or UDP over IPv4 without options or IPv6
 * without extension headers, not fragmented, with the whole headers captured.
 *
 * @param filled  slots filled so far; the new ones are appended to the list of slots
 * @returns       row where it stopped; the slots filled are counted in parameter 12, the next slot to try is 13
 */
export function readHeaders(first: u32, end: u32, filled: u32): u32 {
  const slab = parameter(0);
  const data = parameter(1);
  const networkOffset = parameter(2);
  const networkBytes = parameter(3);
  const ipVersion = parameter(4);
  const times = parameter(5);
  const linkOffset = parameter(6);
  const interfaceIndex = parameter(7);
  const vlanId = parameter(8);
  const slots = parameter(9);
  const rowBase = <u32>parameter(17);
  let to = slab + parameter(13) * headerBytes;
  let row = first;
  for (; row < end; row++) {
    while (load<u32>(to, hState) != 0) to += headerBytes;
    const captured = load<u32>(networkBytes + (<usize>row << 2));
    if (captured < 40) break;
    const at = data + <usize>load<u32>(networkOffset + (<usize>row << 2));
    const version = load<u8>(ipVersion + <usize>row);
    const firstWord = read32(at);
    let transport: usize;
    let protocol: u32;
    if (version == 4) {
      if (firstWord >>> 24 != 0x45 || (read16(at + 6) & 0x3fff) != 0) break;
      protocol = <u32>load<u8>(at, 9);
      const octets = firstWord & 0xffff;
      if (protocol == protocolTcp ? octets < 40 : (protocol != protocolUdp || octets < 28)) break;
      store<u64>(to, 0, hSource);
      store<u32>(to, 0xffff, hSource + 8);
      store<u32>(to, read32(at + 12), hSource + 12);
      store<u64>(to, 0, hDestination);
      store<u32>(to, 0xffff, hDestination + 8);
      store<u32>(to, read32(at + 16), hDestination + 12);
      store<u32>(to, (4 << 8) | protocol, hProtocol);
      store<u32>(to, ((firstWord >>> 16) & 255) | (load<u32>(interfaceIndex + (<usize>row << 2)) << 8),
        hInterfaceClass);
      store<u32>(to, octets, hOctets);
      store<u32>(to, read16(at + 4), hIdentification);
      transport = at + 20;
    } else {
      if (captured < 60 || firstWord >>> 28 != 6) break;
      protocol = <u32>load<u8>(at, 6);
      const payloadBytes = read16(at + 4);
      if (protocol == protocolTcp ? payloadBytes < 20 : (protocol != protocolUdp || payloadBytes < 8)) break;
      for (let i: usize = 0; i < 16; i += 4) {
        store<u32>(to + i, read32(at + 8 + i), hSource);
        store<u32>(to + i, read32(at + 24 + i), hDestination);
      }
      store<u32>(to, (6 << 8) | protocol, hProtocol);
      store<u32>(to, ((firstWord >>> 20) & 255) | (load<u32>(interfaceIndex + (<usize>row << 2)) << 8),
        hInterfaceClass);
      store<u32>(to, payloadBytes + 40, hOctets);
      store<u32>(to, 0, hIdentification);
      transport = at + 40;
    }
    store<u32>(to, read32(transport), hPorts);
    store<u32>(to, protocol == protocolTcp ? read16(transport + 12) & 0x0fff : 0, hTcpFlags);
    store<u32>(to, 0, hIcmp);
    store<f64>(to, load<f64>(times + (<usize>row << 3)), hTime);
    store<u32>(to, <u32>load<u16>(vlanId + (<usize>row << 1)), hVlan);
    store<u32>(to, rowBase + row, hPacketRow);
    store<u32>(to, <u32>(transport - data), hTransport);
    const link = load<u32>(linkOffset + (<usize>row << 2));
    if (link == 0xffffffff) {
      store<u64>(to, 0, hMacs);
      store<u32>(to, 0, hMacs + 8);
    } else {
      store<u32>(to, read32(data + <usize>link), hMacs);
      store<u32>(to, read32(data + <usize>link + 4), hMacs + 4);
      store<u32>(to, read32(data + <usize>link + 8), hMacs + 8);
    }
    store<u32>(to, slotWhole, hState);
    store<u32>(slots + (<usize>filled << 2), <u32>((to - slab) / headerBytes));
    filled++;
  }
  store<u32>(parameters + (12 << 2), filled);
  store<u32>(parameters + (13 << 2), <u32>((to - slab) / headerBytes));
  return row;
}

/** `hashConversation` of flow-key.ts for TCP and UDP. */
@inline function hashOf(from: usize, ports: u32, protocol: u32): u32 {
  let source = (ports >>> 16) * 0x9e3779b1 ^ load<u32>(from, hSource + 12);
  let destination = (ports & 0xffff) * 0x9e3779b1 ^ load<u32>(from, hDestination + 12);
  if (protocol >>> 8 == 6) {
    source ^= load<u32>(from, hSource) * 0x85ebca6b ^ load<u32>(from, hSource + 4) * 0x2c1b3c6d ^ load<u32>(from,
      hSource + 8) * 0x297a2d39;
    destination ^= load<u32>(from, hDestination) * 0x85ebca6b ^ load<u32>(from, hDestination + 4) * 0x2c1b3c6d ^
      load<u32>(from, hDestination + 8) * 0x297a2d39;
  }
  source = (source ^ (source >>> 15)) * 0xc2b2ae35;
  destination = (destination ^ (destination >>> 15)) * 0xc2b2ae35;
  const sum = (((source ^ (source >>> 16)) + (destination ^ (destination >>> 16))) ^ protocol) * 0x27d4eb2f;
  return sum ^ (sum >>> 15);
}

@inline function isFromTo(record: usize, source: usize, destination: usize): bool {
  return load<u64>(record, wSource + 8) == load<u64>(source, 8) &&
    load<u64>(record, wDestination + 8) == load<u64>(destination, 8) &&
    load<u64>(record, wSource) == load<u64>(source) && load<u64>(record, wDestination) == load<u64>(destination);
}

/**
 * Counts packets of the list of ready slots from `first` on, as long as each belongs to an open flow that goes on: in
 * order of time, within its timeouts, without FIN or RST, not ICMP, and no flow is due to be ended. Frees their slots.
 *
 * @returns index of the packet where it stopped, or `end`
 */
export function countPackets(first: u32, end: u32): u32 {
  const slab = parameter(0);
  const ready = parameter(10);
  const records = parameter(11);
  const heads = parameter(14);
  const headMask = <u32>parameter(15);
  const openList = parameter(16);
  const nextExpiry = load<f64>(nextExpiryAt);
  const idle = load<f64>(idleAt);
  const listing = load<f64>(listingAt);
  let octetSum = load<f64>(octetsAt);
  let i = first;
  for (; i < end; i++) {
    const from = slab + <usize>load<u32>(ready + (<usize>i << 2)) * headerBytes;
    const time = load<f64>(from, hTime);
    const flags = load<u32>(from, hTcpFlags);
    const protocol = load<u32>(from, hProtocol);
    const transport = protocol & 255;
    if (time > nextExpiry || (flags & (tcpFin | tcpRst)) != 0 ||
      (transport != protocolTcp && transport != protocolUdp)) break;
    const ports = load<u32>(from, hPorts);
    const hash = hashOf(from, ports, protocol);
    const interfaceClass = load<u32>(from, hInterfaceClass);
    let index = load<u32>(heads + (<usize>(hash & headMask) << 2));
    let record: usize = 0;
    let direction = 0;
    while (index != none) {
      record = records + <usize>index * recordBytes;
      if (load<u32>(record, wHash) == hash && load<u32>(record, wProtocol) == protocol) {
        const recordPorts = load<u32>(record, wPorts);
        if (recordPorts == ports && isFromTo(record, from + hSource, from + hDestination)) {
          if (time > load<f64>(record, dOver)) break;
          if (load<u32>(record, wInterfaceClass) == interfaceClass && (load<u32>(record, wSeen) & seenInitiator) != 0) {
            direction = 1;
            break;
          }
          // Another class of service, or an initiator that was not seen so far: the readable code decides.
          break;
        } else if (recordPorts == rotl<u32>(ports, 16) && isFromTo(record, from + hDestination, from + hSource)) {
          if (time > load<f64>(record, dOver)) break;
          direction = 2;
          break;
        }
      }
      index = load<u32>(record, wChain);
    }
    if (direction == 0 || time < load<f64>(record, dEnd)) break;
    store<u32>(from, 0, hState);
    const octets = <f64>load<u32>(from, hOctets);
    const seen = load<u32>(record, wSeen);
    octetSum += octets;
    store<f64>(record, time, dEnd);
    store<f64>(record, min<f64>(time + idle, load<f64>(record, dCut)), dOver);
    if (direction == 1) {
      store<f64>(record, load<f64>(record, dInitiatorOctets) + octets, dInitiatorOctets);
      store<f64>(record, load<f64>(record, dInitiatorPackets) + 1, dInitiatorPackets);
      store<u32>(record, seen | (flags << 4), wSeen);
    } else {
      store<f64>(record, load<f64>(record, dResponderOctets) + octets, dResponderOctets);
      store<f64>(record, load<f64>(record, dResponderPackets) + 1, dResponderPackets);
      if ((seen & seenResponder) == 0) store<u32>(record, interfaceClass & 255, wReverseClass);
      store<u32>(record, seen | seenResponder | (flags << 16), wSeen);
    }
    if (time - load<f64>(record, dListed) >= listing) {
      store<f64>(record, time, dListed);
      moveToEnd(openList, records, record, index);
    }
  }
  store<f64>(octetsAt, octetSum);
  return i;
}

/** `FlowTable.remove` and `append` of the list of open flows: two words, oldest and newest. */
@inline function moveToEnd(list: usize, records: usize, record: usize, index: u32): void {
  const older = load<u32>(record, wOlder);
  const newer = load<u32>(record, wNewer);
  if (newer == none) return;
  if (older == none) store<u32>(list, newer);
  else store<u32>(records + <usize>older * recordBytes, newer, wNewer);
  store<u32>(records + <usize>newer * recordBytes, older, wOlder);
  const last = load<u32>(list, 4);
  store<u32>(record, last, wOlder);
  store<u32>(record, none, wNewer);
  store<u32>(records + <usize>last * recordBytes, index, wNewer);
  store<u32>(list, index, 4);
}
