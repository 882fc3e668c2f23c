/** Frames against an independent reader: lengths, checksums, fragments, padding. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvariantError, protocolIcmp, tcpAck } from '#base';
import { readFrame } from '../test/support/frame-reader.ts';
import {
  buildArp, buildIcmp, buildTcp, buildUdp, fragmentFrame, frameBytesMin, octetsOf, type Path,
} from './packet-builder.ts';

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const payloads = fc.uint8Array({ maxLength: 1400 });
const port = fc.integer({ min: 1, max: 0xffff });

const paths: fc.Arbitrary<Path> = fc.boolean().chain((isV6) => fc.record({
  sourceMac: bytes(6), destinationMac: bytes(6), source: bytes(isV6 ? 16 : 4), destination: bytes(isV6 ? 16 : 4),
  hops: fc.integer({ min: 1, max: 255 }), classOfService: fc.integer({ min: 0, max: 255 }),
  identification: fc.integer({ min: 0, max: 0xffff }), isUnfragmentable: fc.boolean(), isPadded: fc.boolean(),
}));

test('UDP frames have right lengths and checksums', () => {
  fc.assert(fc.property(paths, port, port, payloads, (path, source, destination, payload) => {
    const frame = buildUdp(path, { source, destination }, payload);
    const read = readFrame(frame);
    assert.ok(read.isSound);
    assert.deepEqual([read.sourcePort, read.destinationPort], [source, destination]);
    assert.deepEqual(read.payload, payload);
    assert.equal(read.octets, octetsOf(frame));
    assert.equal(read.classOfService, path.classOfService);
    assert.ok(!path.isPadded || frame.length >= frameBytesMin);
  }), { numRuns: 200 });
});

test('TCP and ICMP frames have right lengths and checksums', () => {
  const words = fc.integer({ min: 0, max: 10 }).chain((count) => bytes(count * 4));
  fc.assert(fc.property(paths, fc.nat(0xffffffff), payloads, words, (path, sequence, payload, options) => {
    const segment = {
      ports: { source: 1, destination: 2 }, sequence, acknowledgment: sequence ^ 7, flags: tcpAck, window: 9, options,
    };
    const tcp = readFrame(buildTcp(path, segment, payload));
    assert.ok(tcp.isSound);
    assert.equal(tcp.sequence, sequence);
    assert.deepEqual(tcp.payload, payload);
    const icmp = readFrame(buildIcmp(path, 8, 0, sequence, payload));
    assert.ok(icmp.isSound);
    assert.deepEqual(icmp.payload, payload);
  }), { numRuns: 200 });
});

test('the reader finds every flipped bit that a checksum covers', () => {
  const path: Path = {
    sourceMac: new Uint8Array(6), destinationMac: new Uint8Array(6), source: Uint8Array.of(192, 168, 1, 2),
    destination: Uint8Array.of(192, 0, 2, 1), hops: 64, classOfService: 0, identification: 7, isUnfragmentable: true,
    isPadded: false,
  };
  const frame = buildUdp(path, { source: 5, destination: 6 }, Uint8Array.of(1, 2, 3));
  // From the header checksum on: before it lie the fields that say where everything else is.
  for (let at = 24; at < frame.length; at++) {
    frame[at] = (frame[at] as number) ^ 1;
    assert.ok(!readFrame(frame).isSound, `byte ${at}`);
    frame[at] = (frame[at] as number) ^ 1;
  }
});

test('a UDP checksum of zero is sent as all ones', () => {
  const path: Path = {
    sourceMac: new Uint8Array(6), destinationMac: new Uint8Array(6), source: new Uint8Array(4),
    destination: new Uint8Array(4), hops: 1, classOfService: 0, identification: 0, isUnfragmentable: true,
      isPadded: false,
  };
  // Protocol 17 and the length 10 twice; the payload fills the sum up to 0xffff.
  const rest = 0xffff - 17 - 10 - 10;
  const frame = buildUdp(path, { source: 0, destination: 0 }, Uint8Array.of(rest >> 8, rest & 255));
  assert.deepEqual([...frame.subarray(40, 42)], [0xff, 0xff]);
  assert.ok(readFrame(frame).isSound);
});

test('fragments put together are the packet', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1473, maxLength: 6000 }), (payload) => {
    const path: Path = {
      sourceMac: new Uint8Array(6), destinationMac: new Uint8Array(6), source: Uint8Array.of(192, 168, 1, 2),
      destination: Uint8Array.of(192, 168, 1, 1), hops: 64, classOfService: 0, identification: 99,
      isUnfragmentable: false, isPadded: false,
    };
    const frame = buildIcmp(path, 8, 0, 1, payload);
    const fragments = fragmentFrame(frame).map((fragment) => readFrame(fragment));
    assert.ok(fragments.length > 1);
    assert.ok(fragments.every((read) => read.isSound && read.octets <= 1500 && read.isFragment));
    assert.ok(fragments.every((read) => read.identification === 99 && read.protocol === protocolIcmp));
    const joined = fragments.flatMap((read) => [...read.payload]);
    assert.deepEqual(joined, [...frame.subarray(34)]);
    assert.equal(fragmentFrame(fragmentFrame(frame)[0] as Uint8Array).length, 1);
  }), { numRuns: 30 });
});

test('ARP frames are not IP, and TCP options must be whole words', () => {
  const mac = new Uint8Array(6);
  const address = new Uint8Array(4);
  const arp = buildArp({
    operation: 1, destinationMac: mac, senderMac: mac, senderAddress: address, targetMac: mac, targetAddress: address,
  });
  assert.equal(octetsOf(arp), 0);
  assert.ok(readFrame(arp).isSound);
  const path: Path = {
    sourceMac: mac, destinationMac: mac, source: address, destination: address, hops: 1, classOfService: 0,
    identification: 0, isUnfragmentable: true, isPadded: false,
  };
  const segment = {
    ports: { source: 1, destination: 2 }, sequence: 0, acknowledgment: 0, flags: 0, window: 0,
      options: new Uint8Array(3),
  };
  assert.throws(() => buildTcp(path, segment, new Uint8Array(0)), InvariantError);
});
