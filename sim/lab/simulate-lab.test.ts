/** The simulated lab: replayable, sound to the last checksum, and each device model does what it is said to do. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { InvariantError, OperatorError } from '#base';
import { readDns, readFrame } from '../../test/support/frame-reader.ts';
import { encodeCapture } from '../pcap-writer.ts';
import { LabCalendar } from './calendar.ts';
import { homeUnits } from './home-units.ts';
import { labDeviceModels, labUnits, simulateLab, type LabOptions } from './simulate-lab.ts';

const short = { days: 10, scale: 0.005 };

function digest(options: LabOptions): string {
  const hash = createHash('sha256');
  for (const chunk of encodeCapture(simulateLab(options), { kind: 'pcap' })) hash.update(chunk);
  return hash.digest('hex');
}

test('one seed gives one lab, another seed, scale or firmware another', () => {
  const first = digest({ seed: 3, ...short });
  assert.equal(digest({ seed: 3, ...short }), first);
  const others = [
    { seed: 4, ...short }, { seed: 3, days: 10, scale: 0.006 },
    { seed: 3, ...short, firmwareChanges: [{ deviceModel: 'webcam.Sricam.SP017', day: 2 }] },
  ];
  for (const other of others) assert.notEqual(digest(other), first);
});

test('it is the setting of the paper: 13 IoT device models with two units or more, 7 hosts', () => {
  const { devices } = simulateLab({ seed: 1, ...short });
  const units = Map.groupBy(devices, ({ deviceModel }) => deviceModel);
  const iot = [...units.values()].filter((ofModel) => ofModel[0]?.kind === 'iot');
  assert.equal(iot.length, 13);
  assert.equal(units.size - iot.length, 7);
  assert.ok(iot.every((ofModel) => ofModel.length === 2));
  assert.equal(labUnits(3).length, 13 * 3 + 7);
  for (const name of ['webcam.Sricam.SP017', 'webcam.Amcrest.IPM_723S', 'webcam.Amcrest.IPM_HX1B',
    'webcam.Edimax.IC_3116W', 'webcam.D_Link.DCS_933L', 'webcam.D_Link.DCS_942L', 'socket.TP_Link.HS110']) {
    assert.ok(units.has(name), name);
  }
  assert.equal(new Set(devices.map(({ mac }) => mac)).size, devices.length);
  assert.equal(new Set(devices.map(({ ipv4 }) => ipv4)).size, devices.length);
});

test('frames come in order with right checksums, and the truth equals what an independent reader counts', () => {
  const lab = simulateLab({ seed: 5, ...short });
  const macs = new Map(lab.devices.map((device) => [device.mac.replaceAll(':', ''), device]));
  const counted = new Map<string, number[]>();
  let before = lab.startMicroseconds;
  for (const { timeMicroseconds, frame, deviceName } of lab) {
    assert.ok(timeMicroseconds >= before);
    before = timeMicroseconds;
    const read = readFrame(frame);
    assert.ok(read.isSound, deviceName);
    if (read.version === 0) continue;
    const [to, from] = [0, 6].map((at) => macs.get(Buffer.from(frame.subarray(at, at + 6)).toString('hex')));
    assert.equal((from ?? to)?.deviceName, deviceName);
    const counts = counted.get(deviceName) ?? [0, 0, 0, 0];
    counts[from === undefined ? 2 : 0] = (counts[from === undefined ? 2 : 0] as number) + 1;
    counts[from === undefined ? 3 : 1] = (counts[from === undefined ? 3 : 1] as number) + read.octets;
    counted.set(deviceName, counts);
  }
  for (const device of lab.devices) {
    assert.deepEqual(counted.get(device.deviceName), [device.outboundPackets, device.outboundOctets,
      device.inboundPackets, device.inboundOctets]);
  }
});

test('homes with and without an intruder are the same but for it', () => {
  const intruder = 'webcam.Edimax.IC_3116W';
  const without = homeUnits(9, intruder, false);
  const having = homeUnits(9, intruder, true);
  assert.deepEqual(having, [...without, intruder]);
  assert.ok(without.length >= 5 && !without.includes(intruder));
  assert.notDeepEqual(homeUnits(10, intruder, false), without);
  const frames = (units: readonly string[]): string[] => [...simulateLab({ seed: 9, days: 1, scale: 0.02, units })]
    .filter(({ deviceName }) => deviceName !== `${intruder}-1`)
    .map(({ timeMicroseconds, frame }) => `${timeMicroseconds} ${Buffer.from(frame).toString('hex')}`);
  const alone = frames(without);
  assert.ok(alone.length > 1_000);
  assert.deepEqual(frames(having), alone);
});

test('people sleep at night and are at home at the weekend', () => {
  const calendar = new LabCalendar(0, 0.1);
  const at = (day: number, hour: number): number => calendar.activityAt((day + hour / 24) * calendar.dayMicroseconds);
  assert.ok(at(0, 3) < 0.05 && at(0, 20) > 0.9);
  assert.ok(at(5, 10) > 2 * at(2, 10));
  const byHour = new Array<number>(24).fill(0);
  const lab = simulateLab({ seed: 6, days: 5, scale: 0.2, units: ['laptop.Dell.Latitude', 'webcam.Sricam.SP017'] });
  const labCalendar = new LabCalendar(lab.startMicroseconds, 0.2);
  const night = { 'laptop.Dell.Latitude-1': 0, 'webcam.Sricam.SP017-1': 0 } as Record<string, number>;
  const evening = { ...night };
  for (const { timeMicroseconds, deviceName } of lab) {
    const hour = Math.floor(labCalendar.hourOf(timeMicroseconds));
    byHour[hour] = (byHour[hour] as number) + 1;
    if (hour >= 2 && hour < 5) night[deviceName] = (night[deviceName] as number) + 1;
    if (hour >= 18 && hour < 21) evening[deviceName] = (evening[deviceName] as number) + 1;
  }
  assert.ok(byHour.every((count) => count > 0), 'devices never all sleep');
  assert.ok((evening['laptop.Dell.Latitude-1'] as number) > 5 * (night['laptop.Dell.Latitude-1'] as number));
  assert.ok((evening['webcam.Sricam.SP017-1'] as number) > 1.5 * (night['webcam.Sricam.SP017-1'] as number));
});

test('units are cut off, come back with a lease, check for firmware and run into retry storms', () => {
  const lab = simulateLab({ seed: 7, days: 10, scale: 0.02 });
  let dhcp = 0;
  const sources = new Map<string, Set<string>>();
  for (const { frame, deviceName } of lab) {
    const read = readFrame(frame);
    if (read.protocol !== 17 && read.protocol !== 6) continue;
    if (read.sourcePort === 68 && read.destinationPort === 67) dhcp++;
    if (read.source.startsWith('192.168.1.') && read.source !== '192.168.1.1') {
      sources.set(deviceName, (sources.get(deviceName) ?? new Set()).add(read.source));
    }
  }
  const sum = (pick: (device: (typeof lab.devices)[number]) => number): number =>
    lab.devices.reduce((total, device) => total + pick(device), 0);
  assert.ok(sum(({ events }) => events.reboots) > 26, 'two and a half a unit in ten days');
  assert.ok(sum(({ events }) => events.retryStorms) >= 10);
  assert.ok(sum(({ events }) => events.firmwareChecks) > 100);
  assert.ok(dhcp > 26 * 20, 'two renewals a day, and restarts');
  const moved = lab.devices.filter(({ events }) => events.leases.length > 1);
  assert.ok(moved.length >= 5, `${moved.length} devices changed their address`);
  for (const device of lab.devices) {
    const known = new Set(device.events.leases.map(({ ipv4 }) => ipv4));
    assert.deepEqual([...(sources.get(device.deviceName) ?? [])].filter((address) => !known.has(address)), []);
    if (device.kind === 'non-iot') assert.equal(device.events.reboots, 0);
  }
});

test('no two units have one address at one time', () => {
  const lab = simulateLab({ seed: 8, days: 40, scale: 0.003 });
  for (const packet of lab) assert.ok(packet.frame.length > 0);
  const leases = lab.devices.flatMap(({ deviceName, events }) => events.leases.map(({ ipv4, fromMs }, i, all) =>
    ({ deviceName, ipv4, fromMs, untilMs: all[i + 1]?.fromMs ?? Infinity })));
  assert.ok(leases.length > lab.devices.length + 50);
  for (const ofAddress of Map.groupBy(leases, ({ ipv4 }) => ipv4).values()) {
    ofAddress.sort((a, b) => a.fromMs - b.fromMs);
    ofAddress.forEach(({ fromMs }, i) => assert.ok(i === 0 || fromMs >= (ofAddress[i - 1]?.untilMs ?? 0)));
  }
});

test('a firmware change moves a device model from clear text to TLS, asks new names, and leaves others alone', () => {
  const units = ['webcam.Sricam.SP017', 'webcam.D_Link.DCS_933L'];
  const changed = { deviceModel: 'webcam.Sricam.SP017', day: 4 };
  const lab = simulateLab({ seed: 11, days: 8, scale: 0.05, units, firmwareChanges: [changed] });
  const calendar = new LabCalendar(lab.startMicroseconds, 0.05);
  const http = new Map<string, [number, number]>();
  const names = new Set<string>();
  for (const { timeMicroseconds, frame, deviceName } of lab) {
    const read = readFrame(frame);
    const isBefore = calendar.dayOf(timeMicroseconds) < changed.day;
    if (read.protocol === 17 && read.destinationPort === 53) {
      const { question } = readDns(read.payload);
      if (question.startsWith('telemetry.sricam')) names.add(isBefore ? `early ${question}` : question);
    }
    if (read.protocol !== 6 || read.destinationPort !== 80 || read.flags !== 2) continue;
    const counts = http.get(deviceName) ?? [0, 0];
    counts[isBefore ? 0 : 1]++;
    http.set(deviceName, counts);
  }
  assert.deepEqual([...names], ['telemetry.sricam.amazon.example']);
  const [before, after] = http.get('webcam.Sricam.SP017-1') ?? [0, 0];
  assert.ok(before > 20 && after < before / 4, `${before} ${after}`);
  const [early, late] = http.get('webcam.D_Link.DCS_933L-1') ?? [0, 0];
  assert.ok(early > 10 && late > early / 2, `${early} ${late}`);
  assert.deepEqual(lab.devices.map(({ events }) => events.firmware), [2, 1]);
});

test('options out of range are the operator\'s to mend, and a lab is walked through once', () => {
  const refused: readonly Partial<LabOptions>[] = [
    { days: 0 }, { days: Number.NaN }, { days: 1_000, scale: 1 }, { scale: 0 }, { scale: 2 }, { units: [] },
    { units: ['webcam.Nobody.One'] }, { units: Array.from({ length: 101 }, () => 'socket.TP_Link.HS110') },
    { firmwareChanges: [{ deviceModel: 'x', day: 1 }] },
    { firmwareChanges: [{ deviceModel: 'laptop.Dell.Latitude', day: 1 }] },
  ];
  for (const options of refused) assert.throws(() => simulateLab({ seed: 1, ...short, ...options }), OperatorError);
  assert.throws(() => homeUnits(1, 'webcam.Nobody.One', true), OperatorError);
  const lab = simulateLab({ seed: 1, ...short, units: labDeviceModels.slice(0, 1) });
  assert.ok([...lab].length > 0);
  assert.throws(() => [...lab], InvariantError);
});
