/** What nDPI is given of a packet: ndpiReader's behaviour as a table, and bytes of any kind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createInspectable, findInspectable } from './ndpi-inspectable.ts';

const udp = [0x9c, 0x40, 0x00, 0x35, 0x00, 0x0c, 0x00, 0x00, 1, 2, 3, 4];
const tcp = [0x13, 0x88, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0, 0, 0, 0, 0, 0];

type Changes = { total?: number; fragment?: number; last?: number };

function ipv4(protocol: number, payload: readonly number[], more: Changes = {}): number[] {
  const total = more.total ?? 20 + payload.length;
  const fragment = more.fragment ?? 0;
  return [0x45, 0, total >> 8, total & 255, 0, 0, fragment >> 8, fragment & 255, 64, protocol, 0, 0,
    10, 0, 0, 1, 8, 8, 8,
    more.last ?? 8, ...payload];
}

function ipv6(next: number, payload: readonly number[], length = payload.length): number[] {
  const zeros = new Uint8Array(15);
  return [0x60, 0, 0, 0, length >> 8, length & 255, next, 64, ...zeros, 1, ...zeros, 2,
    ...payload];
}

type Found = { offset: number; bytes: number; protocol: number; isTunnel: boolean };

function find(bytes: readonly number[]): Found | undefined {
  const out = createInspectable();
  if (!findInspectable(Uint8Array.from([0xff, ...bytes]), 1, bytes.length, out)) return undefined;
  return { offset: out.offset - 1, bytes: out.bytes, protocol: out.protocol, isTunnel: out.tunnelHash !== 0 };
}

const plain = (bytes: number, protocol: number): object => ({ offset: 0, bytes, protocol, isTunnel: false });
const hopByHop = (next: number): number[] => [next, 0, 1, 4, 0, 0, 0, 0];

// What ndpiReader 4.2 does with each of these was seen by giving them to it (one packet, one capture).
const cases: readonly (readonly [string, readonly number[], object | undefined])[] = [
  ['IPv4', ipv4(17, udp), plain(32, 17)],
  ['IPv4 with padding behind it', [...ipv4(17, udp), 0, 0, 0], plain(32, 17)],
  ['IPv4, first fragment', ipv4(17, udp, { fragment: 0x2000 }), plain(32, 17)],
  ['IPv4, later fragment', ipv4(17, udp, { fragment: 5 }), undefined],
  ['IPv4, cut by one byte', ipv4(17, udp, { total: 33 }), undefined],
  ['IPv4, total length 0', ipv4(17, udp, { total: 0 }), undefined],
  ['IPv4, shorter than its header', ipv4(17, udp, { total: 19 }), undefined],
  ['UDP header cut', ipv4(17, udp, { total: 27 }), undefined],
  ['TCP header whole', ipv4(6, tcp), plain(40, 6)],
  ['TCP header cut', ipv4(6, tcp, { total: 39 }), undefined],
  ['ICMP of two bytes', ipv4(1, [8, 0]), plain(22, 1)],
  ['IPv6', ipv6(17, udp), plain(52, 17)],
  ['IPv6, cut', ipv6(17, udp, 13), undefined],
  ['IPv6, payload length 0', ipv6(17, udp, 0), undefined],
  ['IPv6, hop-by-hop and destination options', ipv6(0, [...hopByHop(60), ...hopByHop(17), ...udp]), plain(68, 17)],
  ['IPv6, atomic fragment', ipv6(44, [17, 0, 0, 0, 0, 0, 0, 1, ...udp]), plain(60, 17)],
  ['IPv6, first fragment', ipv6(44, [17, 0, 0, 1, 0, 0, 0, 1, ...udp]), plain(60, 17)],
  ['IPv6, later fragment', ipv6(44, [17, 0, 0, 9, 0, 0, 0, 1, ...udp]), undefined],
  ['IPv6, extension header longer than the packet', ipv6(0, [17, 50, 0, 0, 0, 0, 0, 0, ...udp]), undefined],
  ['IPv6, no next header', ipv6(59, udp), undefined],
  ['IPv6, authentication header', ipv6(51, udp), plain(52, 51)],
  ['GRE is not looked into', ipv4(47, [0, 0, 8, 0, ...ipv4(17, udp)]), plain(56, 47)],
  ['4 in 4', ipv4(4, ipv4(17, udp)), { offset: 20, bytes: 32, protocol: 17, isTunnel: true }],
  ['4 in 4 in 4', ipv4(4, ipv4(4, ipv4(17, udp))), { offset: 40, bytes: 32, protocol: 17, isTunnel: true }],
  ['6 in 4', ipv4(41, ipv6(17, udp)), { offset: 20, bytes: 52, protocol: 17, isTunnel: true }],
  ['4 in 6', ipv6(4, ipv4(17, udp)), { offset: 40, bytes: 32, protocol: 17, isTunnel: true }],
  ['6 in 6', ipv6(41, ipv6(17, udp)), { offset: 40, bytes: 52, protocol: 17, isTunnel: true }],
  ['later fragment in a tunnel', ipv4(4, ipv4(17, udp, { fragment: 1 })), undefined],
  ['garbage in a tunnel', ipv4(4, new Array<number>(40).fill(0x11)), undefined],
  ['neither version', [0x55, ...ipv4(17, udp).slice(1)], undefined],
];

for (const [name, bytes, expected] of cases) {
  test(name, () => assert.deepEqual(find(bytes), expected));
}

test('a tunnel within a tunnel without end is given up', () => {
  let packet = ipv4(17, udp);
  for (let i = 0; i < 20; i++) packet = ipv4(4, packet);
  assert.equal(find(packet), undefined);
});

test('the hash of what is in a tunnel is alike in both directions, and tells conversations apart', () => {
  const hashOf = (bytes: readonly number[]): number => {
    const out = createInspectable();
    assert.ok(findInspectable(Uint8Array.from(bytes), 0, bytes.length, out));
    return out.tunnelHash;
  };
  const there = ipv4(17, udp);
  const back = [[0, 12], [16, 20], [12, 16], [22, 24], [20, 22], [24, 99]].flatMap((range) => there.slice(...range));
  assert.equal(hashOf(ipv4(4, there)), hashOf(ipv4(4, back)));
  assert.notEqual(hashOf(ipv4(4, there)), hashOf(ipv4(4, ipv4(17, udp, { last: 9 }))));
  assert.notEqual(hashOf(ipv4(4, there)), hashOf(ipv4(4, ipv4(17, [0x9c, 0x41, ...udp.slice(2)]))));
});

test('whatever the bytes, what is found lies within them', () => {
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc.tuple(fc.constantFrom(...cases.map(([, bytes]) => bytes)),
      fc.array(fc.tuple(fc.nat(119), fc.nat(255)), { maxLength: 6 }), fc.nat(120))
      .map(([bytes, changes, length]) => {
        const changed = Uint8Array.from(bytes.slice(0, length));
        for (const [at, value] of changes) if (at < changed.length) changed[at] = value;
        return changed;
      }),
  );
  fc.assert(fc.property(any, (bytes) => {
    const out = createInspectable();
    if (!findInspectable(bytes, 0, bytes.length, out)) return;
    assert.ok(out.offset >= 0 && out.bytes >= 20 && out.offset + out.bytes <= bytes.length);
  }), { numRuns: 2_000 });
});
