/**
 * The NAT for captures, packet by packet: what it writes has right checksums, and what it cannot translate is counted.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { NatBindings, type NatBinding, type NatPortPolicy } from './nat-bindings.ts';
import { read16, read32, put16 } from './nat-checksum.ts';
import { NatTranslator } from './nat-translator.ts';

const routerAddress = 0xcb007107;
const deviceAddress = 0xc0a80114;
const peerAddress = 0xc6336401;

/** RFC 1071 from scratch: zero over bytes that hold a right checksum. */
function sumOf(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function pseudoSum(packet: Uint8Array): number {
  return read16(packet, 12) + read16(packet, 14) + read16(packet, 16) + read16(packet, 18) + (packet[9] as number) +
    packet.length - 20;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16);
  put16(bytes, at + 2, value & 0xffff);
}

type Fields = { source?: number; destination?: number; hops?: number; flags?: number; id?: number };

function makePacket(protocol: number, transport: readonly number[], fields: Fields = {}): Uint8Array {
  const packet = new Uint8Array(20 + transport.length);
  packet[0] = 0x45;
  put16(packet, 2, packet.length);
  put16(packet, 4, fields.id ?? 7);
  put16(packet, 6, fields.flags ?? 0);
  packet[8] = fields.hops ?? 64;
  packet[9] = protocol;
  put32(packet, 12, fields.source ?? deviceAddress);
  put32(packet, 16, fields.destination ?? peerAddress);
  packet.set(transport, 20);
  const field = { 1: 22, 6: 36, 17: 26 }[protocol];
  if (field !== undefined && ((fields.flags ?? 0) & 0x1fff) === 0) {
    put16(packet, field, sumOf(packet.subarray(20), protocol === 1 ? 0 : pseudoSum(packet)));
  }
  put16(packet, 10, sumOf(packet.subarray(0, 20)));
  return packet;
}

const udp = (from: number, to: number, payload: readonly number[] = [1, 2, 3]): number[] =>
  [from >> 8, from & 255, to >> 8, to & 255, 0, 8 + payload.length, 0, 0, ...payload];
const tcp = (from: number, to: number): number[] =>
  [from >> 8, from & 255, to >> 8, to & 255, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0, 9, 9, 9];
const echo = (type: number, id: number): number[] => [type, 0, 0, 0, id >> 8, id & 255, 0, 5, 1, 2, 3];

function assertChecksums(packet: Uint8Array): void {
  assert.equal(sumOf(packet.subarray(0, 20)), 0, 'IP checksum');
  if (packet[9] === 1) assert.equal(sumOf(packet.subarray(20)), 0, 'ICMP checksum');
  else assert.equal(sumOf(packet.subarray(20), pseudoSum(packet)), 0, 'transport checksum');
}

function makeNat(policy: NatPortPolicy = 'renumber', bindingsMax = 100): {
  nat: NatTranslator; bindings: NatBindings; ended: NatBinding[];
  send: (bytes: Uint8Array, seconds?: number, device?: string) => string | undefined;
} {
  const ended: NatBinding[] = [];
  const bindings = new NatBindings(policy, new Random(4), (binding) => void ended.push(binding), bindingsMax);
  const nat = new NatTranslator(bindings, { routerAddress, isInside: (address) => address >>> 16 === 0xc0a8,
    fragmentsMax: 2 });
  return { nat, bindings, ended, send: (bytes, seconds = 0, device = 'camera') => nat.translate(
    { bytes, timeMicroseconds: seconds * 1e6, nameDevice: () => device }) };
}

test('TCP, UDP and echoes go out and come back, with right checksums', () => {
  fc.assert(fc.property(fc.constantFrom('keep', 'renumber', 'randomise'), fc.constantFrom(1, 6, 17),
    fc.integer({ min: 1_024, max: 65_535 }), fc.integer({ min: 1, max: 65_535 }),
    (policy, protocol, port, peerPort) => {
      const { send } = makeNat(policy as NatPortPolicy);
      const of = (from: number, to: number, type: number): number[] =>
        protocol === 1 ? echo(type, port) : protocol === 6 ? tcp(from, to) : udp(from, to);
      const out = makePacket(protocol, of(port, peerPort, 8));
      assert.equal(send(out), 'outward');
      assertChecksums(out);
      assert.equal(read32(out, 12), routerAddress);
      assert.equal(out[8], 63);
      const back = makePacket(protocol, of(peerPort, port, 0), { source: peerAddress, destination: deviceAddress });
      assert.equal(send(back, 1), 'inward');
      assertChecksums(back);
      assert.equal(read32(back, 16), routerAddress);
      assert.equal(back[8], 65);
      const at = protocol === 1 ? 24 : 20;
      assert.equal(read16(back, protocol === 1 ? 24 : 22), read16(out, at), 'the same port of the router');
      if (policy === 'keep') assert.equal(read16(out, at), port);
    }));
});

test('UDP without a checksum stays without', () => {
  const { send } = makeNat();
  const packet = makePacket(17, udp(5_000, 53));
  put16(packet, 26, 0);
  assert.equal(send(packet), 'outward');
  assert.equal(read16(packet, 26), 0);
});

test('two devices that use one port to one peer get two; to two peers they may share', () => {
  const { send, bindings } = makeNat('keep');
  const [first, second, third] = [makePacket(17, udp(5_000, 53)), makePacket(17, udp(5_000, 53)),
    makePacket(17, udp(5_000, 53), { destination: peerAddress + 1 })];
  send(first, 0, 'camera');
  send(second, 0, 'plug');
  send(third, 0, 'plug');
  assert.equal(read16(first, 20), 5_000);
  assert.notEqual(read16(second, 20), 5_000);
  assert.equal(read16(third, 20), 5_000);
  assert.equal(bindings.collisionCount, 1);
});

test('bindings end when they are not used: DNS soon, open TCP late', () => {
  const { send, ended, bindings } = makeNat('renumber');
  const portOf = (packet: Uint8Array, seconds: number): number => {
    send(packet, seconds);
    return read16(packet, 20);
  };
  const dns = portOf(makePacket(17, udp(5_000, 53)), 0);
  assert.equal(portOf(makePacket(17, udp(5_000, 53)), 9), dns);
  assert.notEqual(portOf(makePacket(17, udp(5_000, 53)), 20), dns);
  const line = portOf(makePacket(6, tcp(6_000, 443)), 20);
  send(makePacket(6, tcp(443, 6_000), { source: peerAddress, destination: deviceAddress }), 21);
  assert.equal(portOf(makePacket(6, tcp(6_000, 443)), 7_000), line);
  assert.notEqual(portOf(makePacket(6, tcp(6_000, 443)), 15_000), line);
  bindings.end();
  assert.deepEqual(ended.map(({ outPackets, inPackets }) => [outPackets, inPackets]), [[2, 0], [2, 1], [1, 0], [1, 0]]);
});

test('at the limit the binding unused for longest ends', () => {
  const { send, ended, bindings } = makeNat('renumber', 2);
  for (const port of [5_001, 5_002, 5_003]) send(makePacket(17, udp(port, 9_000)));
  assert.equal(bindings.endedForRoomCount, 1);
  assert.deepEqual(ended.map(({ insidePort }) => insidePort), [5_001]);
});

/** What a router writes into an error: the header and eight bytes of the packet that it is about. */
function quote(packet: Uint8Array): number[] {
  return [3, 3, 0, 0, 0, 0, 0, 0, ...packet.subarray(0, 28)];
}

test('ICMP errors are translated with the header that they quote, both ways', () => {
  for (const [protocol, transport] of [[17, udp(5_000, 53)], [6, tcp(5_000, 53)], [1, echo(8, 99)]] as const) {
    const { send, nat } = makeNat();
    const original = makePacket(protocol, transport);
    const out = original.slice();
    send(out);
    const inward = makePacket(1, quote(original), { source: 0x08080808, destination: deviceAddress });
    assert.equal(send(inward), 'inward');
    assertChecksums(inward);
    assert.equal(sumOf(inward.subarray(28, 48)), 0, 'checksum of the quoted header');
    assert.deepEqual([read32(inward, 16), read32(inward, 40)], [routerAddress, routerAddress]);
    const at = protocol === 1 ? 4 : 0;
    assert.equal(read16(inward, 48 + at), read16(out, 20 + at), 'quoted port');
    assert.equal(nat.leftOut.total(), 0);
  }
  const { send } = makeNat();
  send(makePacket(17, udp(5_000, 53)));
  const answer = makePacket(17, udp(53, 5_000), { source: peerAddress, destination: deviceAddress });
  const outward = makePacket(1, quote(answer));
  assert.equal(send(outward), 'outward');
  assertChecksums(outward);
  assert.deepEqual([read32(outward, 12), read32(outward, 44)], [routerAddress, routerAddress]);
});

test('later fragments follow the first one; without it they are left out', () => {
  const { send, nat } = makeNat();
  const piece = (flags: number, id: number): Uint8Array => makePacket(17, udp(5_000, 53), { flags, id });
  assert.equal(send(piece(0x2000, 1)), 'outward');
  const later = piece(1, 1);
  assert.equal(send(later), 'outward');
  assert.equal(read32(later, 12), routerAddress);
  assert.equal(sumOf(later.subarray(0, 20)), 0);
  assert.equal(send(piece(1, 2)), undefined);
  for (const id of [3, 4]) send(piece(0x2000, id));
  assert.equal(send(piece(1, 1)), undefined, 'two datagrams are remembered');
  assert.equal(nat.leftOut.get('fragment'), 2);
});

test('what does not cross the router is left out by its reason', () => {
  const { send, nat } = makeNat();
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['local', makePacket(17, udp(1, 2), { destination: deviceAddress + 1 })],
    ['local', makePacket(17, udp(1, 2), { destination: 0xe00000fb })],
    ['not-inside', makePacket(17, udp(1, 2), { source: peerAddress + 1 })],
    ['hops', makePacket(17, udp(1, 2), { hops: 1 })],
    ['protocol', makePacket(47, [0, 0, 8, 0])],
    ['protocol', makePacket(1, [10, 0, 0, 0, 0, 0, 0, 0])],
    ['cut', makePacket(6, tcp(1, 2)).subarray(0, 30)],
    ['cut', makePacket(6, tcp(1, 2)).subarray(0, 10)],
    ['bad-header', Uint8Array.from(makePacket(17, udp(1, 2)), (byte, at) => (at === 0 ? 0x41 : byte))],
    ['unknown-error', makePacket(1, quote(makePacket(17, udp(7, 8))), { source: peerAddress,
      destination: deviceAddress })],
  ];
  for (const [reason, packet] of cases) {
    const before = nat.leftOut.get(reason as 'local');
    assert.equal(send(packet.slice()), undefined);
    assert.equal(nat.leftOut.get(reason as 'local'), before + 1, reason);
  }
});

test('bytes at random never throw', () => {
  const { send } = makeNat();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, isHeader) => {
    if (isHeader && bytes.length >= 20) {
      bytes[0] = 0x45;
      put32(bytes, 12, deviceAddress);
    }
    send(bytes);
  }), { numRuns: 2_000 });
});
