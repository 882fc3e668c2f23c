/** A simulated home: replayable, in order, sound to the last checksum, and true to its own counts. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { InvariantError, limits, OperatorError } from '#base';
import { readDns, readFrame } from '../test/support/frame-reader.ts';
import { deviceKinds } from './devices.ts';
import { simulateHome, type HomeOptions, type SimulatedPacket } from './home.ts';
import { encodeCapture } from './pcap-writer.ts';

const durationS = 400;

function digest(options: HomeOptions): string {
  const hash = createHash('sha256');
  for (const chunk of encodeCapture(simulateHome(options), { kind: 'pcap' })) hash.update(chunk);
  return hash.digest('hex');
}

test('one seed gives one file, another seed another', () => {
  const first = digest({ seed: 3, durationS });
  assert.equal(digest({ seed: 3, durationS }), first);
  assert.notEqual(digest({ seed: 4, durationS }), first);
  assert.notEqual(digest({ seed: 3, durationS, servers: 'clouds' }), first);
});

test('packets come in the order of their time, within the duration, and every checksum is right', () => {
  const home = simulateHome({ seed: 5, durationS, startMicroseconds: 1e15 });
  let before = 1e15;
  let count = 0;
  for (const { timeMicroseconds, frame } of home) {
    assert.ok(timeMicroseconds >= before && Number.isInteger(timeMicroseconds));
    assert.ok(timeMicroseconds < 1e15 + durationS * 1e6);
    assert.ok(readFrame(frame).isSound);
    before = timeMicroseconds;
    count++;
  }
  assert.ok(count > 3_000);
});

test('the truth equals what an independent reader counts', () => {
  const home = simulateHome({ seed: 6, durationS, devices: [...deviceKinds, 'camera', 'laptop'] });
  const counted = new Map(home.devices.map(
    ({ deviceName }) => [deviceName, { outbound: [0, 0], inbound: [0, 0], other: 0 }]));
  const macs = new Map(home.devices.map(({ deviceName, mac }) => [deviceName, mac.replaceAll(':', '')]));
  for (const { frame, deviceName } of home) {
    const { version, octets } = readFrame(frame);
    const counts = counted.get(deviceName);
    assert.ok(counts !== undefined);
    const isOutbound = Buffer.from(frame.subarray(6, 12)).toString('hex') === macs.get(deviceName);
    const direction = isOutbound ? counts.outbound : counts.inbound;
    if (version === 0) counts.other++;
    else direction.splice(0, 2, (direction[0] as number) + 1, (direction[1] as number) + octets);
  }
  assert.equal(home.devices.length, 7);
  assert.deepEqual(home.devices.slice(-2).map(({ deviceName }) => deviceName), ['camera-2', 'laptop-2']);
  for (const truth of home.devices) {
    const counts = counted.get(truth.deviceName);
    assert.deepEqual(counts?.outbound, [truth.outboundPackets, truth.outboundOctets]);
    assert.deepEqual(counts?.inbound, [truth.inboundPackets, truth.inboundOctets]);
    assert.equal(counts?.other, truth.otherFrames);
    assert.ok(truth.outboundPackets > 10 && truth.inboundPackets > 10);
  }
});

test('a further device does not disturb the others', () => {
  const ofCamera = (packets: Iterable<SimulatedPacket>): string[] => [...packets]
    .filter(({ deviceName }) => deviceName === 'camera-1')
    .map(({ timeMicroseconds, frame }) => `${timeMicroseconds} ${Buffer.from(frame).toString('hex')}`);
  const alone = ofCamera(simulateHome({ seed: 8, durationS, devices: ['camera'] }));
  const together = ofCamera(simulateHome({ seed: 8, durationS, devices: ['camera', 'hub', 'phone'] }));
  assert.ok(alone.length > 50);
  assert.deepEqual(together, alone);
});

test('servers are contacted at addresses that a DNS answer gave before', () => {
  const answered = new Set<string>();
  let contacts = 0;
  let queries = 0;
  const home = simulateHome({ seed: 9, durationS, devices: ['laptop', 'phone', 'hub', 'plug'] });
  for (const { frame } of home) {
    const read = readFrame(frame);
    if (read.protocol === 17 && read.sourcePort === 53) {
      const message = readDns(read.payload);
      assert.ok(message.isResponse && message.question.endsWith('.example'));
      for (const answer of message.answers) answered.add(answer.text);
    }
    if (read.protocol === 17 && read.destinationPort === 53 && !readDns(read.payload).isResponse) queries++;
    const isAway = !read.destination.startsWith('192.168.1.');
    const isAsking = (read.protocol === 6 && read.flags === 2) ||
      (read.protocol === 17 && read.destinationPort === 123);
    if (isAway && isAsking) {
      assert.ok(answered.has(read.destination), read.destination);
      contacts++;
    }
  }
  assert.ok(contacts > 20);
  assert.equal(queries, home.devices.reduce((sum, { dnsQueries }) => sum + dnsQueries, 0));
});

test('TCP: data is contiguous, acknowledgments cover what was sent, retransmissions are counted', () => {
  const sentUpTo = new Map<string, number>();
  let repeated = 0;
  const home = simulateHome({ seed: 10, durationS: 1_200, devices: ['laptop', 'phone', 'hub'] });
  for (const { frame } of home) {
    const read = readFrame(frame);
    if (read.protocol !== 6) continue;
    const key = `${read.source} ${read.sourcePort} ${read.destination} ${read.destinationPort}`;
    const reverseKey = `${read.destination} ${read.destinationPort} ${read.source} ${read.sourcePort}`;
    const lengthBytes = read.payload.length + ((read.flags & 3) !== 0 ? 1 : 0);
    const end = (read.sequence + lengthBytes) >>> 0;
    const before = sentUpTo.get(key);
    const isSyn = (read.flags & 2) !== 0;
    const isAgain = before !== undefined && before === end && lengthBytes > 0;
    const isProbe = isAgain && read.payload.length === 1 && read.payload[0] === 0;
    if (isAgain && !isProbe) repeated++;
    else if (before !== undefined && !isSyn && !isProbe) assert.equal(read.sequence, before, key);
    if ((read.flags & 16) !== 0) assert.equal(read.acknowledgment, sentUpTo.get(reverseKey), key);
    sentUpTo.set(key, end);
  }
  assert.ok(repeated > 0);
  assert.equal(repeated, home.devices.reduce((sum, { retransmissions }) => sum + retransmissions, 0));
});

test('devices differ in how they fill the IPv4 identification', () => {
  const home = simulateHome({ seed: 11, durationS });
  const byDevice = new Map<string, { destination: string; identification: number }[]>();
  for (const { frame, deviceName } of home) {
    const read = readFrame(frame);
    const ipv4 = home.devices.find((device) => device.deviceName === deviceName)?.ipv4;
    if (read.version !== 4 || read.source !== ipv4 || read.isFragment) continue;
    byDevice.set(deviceName, [...(byDevice.get(deviceName) ?? []), read]);
  }
  const stepsOf = (name: string): number[] => (byDevice.get(name) ?? [])
    .map(({ identification }, i, all) => (
      identification - (all[i - 1]?.identification ?? identification - 1)) & 0xffff);
  assert.ok(stepsOf('plug-1').every((step) => step === 1));
  assert.ok(byDevice.get('hub-1')?.every(({ identification }) => identification === 0));
  const phone = stepsOf('phone-1');
  assert.ok(phone.filter((step) => step > 1_000).length > phone.length / 2);
  const camera = byDevice.get('camera-1') ?? [];
  const counters = new Map<string, number>();
  for (const { destination, identification } of camera) {
    const step = (identification - (counters.get(destination) ?? identification - 1)) & 0xffff;
    assert.ok(step > 0 && step < 0x8000, `${destination}: ${step}`);
    counters.set(destination, identification);
  }
  assert.ok(counters.size > 3);
});

test('addresses: the home is private, servers lie where they were put', () => {
  const peersOf = (options: Partial<HomeOptions>): Set<string> => {
    const home = simulateHome({ seed: 12, durationS, ...options });
    const peers = new Set<string>();
    for (const { frame } of home) {
      const read = readFrame(frame);
      if (read.version === 4 && /^192\.168\.1\.2\d$/.test(read.source)) peers.add(read.destination);
    }
    return peers;
  };
  const allowed = /^(192\.168\.1\.1$|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|198\.1[89]\.|2(24|39)\.)/;
  const documented = [...peersOf({})];
  assert.ok(documented.length > 20);
  assert.deepEqual(documented.filter((peer) => !allowed.test(peer)), []);
  assert.ok([...peersOf({ servers: 'clouds' })].some((peer) => /^(54\.230|142\.25[01])\./.test(peer)));
});

test('options out of range are the operator\'s to mend, and a home is walked through once', () => {
  assert.throws(() => simulateHome({ seed: 1, durationS: 0 }), OperatorError);
  assert.throws(() => simulateHome({ seed: 1, durationS: Number.NaN }), OperatorError);
  const devices = Array.from({ length: limits.simulatedDevicesMax + 1 }, () => 'plug' as const);
  assert.throws(() => simulateHome({ seed: 1, durationS: 1, devices }), OperatorError);
  const home = simulateHome({ seed: 1, durationS: 1, devices: devices.slice(1) });
  assert.equal([...home].length > 0, true);
  assert.throws(() => [...home], InvariantError);
});
