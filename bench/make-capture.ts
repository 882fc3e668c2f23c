/**
 * The capture that the metering benchmarks read: an hour of several simulated homes behind one mirror port, merged in order
 * of time, frames cut at 128 bytes as probes do, repeated with the clock moved on so that every repetition is new traffic.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { simulateHome, type SimulatedPacket } from '#sim';

const snapBytes = 128;
const secondsPerRepetition = 3_600;

export type BenchCapture = { readonly path: string; readonly packets: number; readonly fileBytes: number };

/** Writes the capture. @param options  homes at once, repetitions */
export function makeCapture(path: string, options: { homes: number; repetitions: number; seconds?: number; cut?: boolean }): BenchCapture {
  const homes = Array.from({ length: options.homes }, (_, i) =>
    simulateHome({ seed: 100 + i, durationS: options.seconds ?? secondsPerRepetition, servers: 'clouds' })[Symbol.iterator]());
  const records: Buffer[] = [];
  let packets = 0;
  for (const packet of mergeByTime(homes)) {
    const bytes = options.cut === false ? packet.frame.length : Math.min(packet.frame.length, snapBytes);
    const record = Buffer.alloc(16 + bytes);
    record.writeUInt32LE(Math.floor(packet.timeMicroseconds / 1e6), 0);
    record.writeUInt32LE(packet.timeMicroseconds % 1e6, 4);
    record.writeUInt32LE(bytes, 8);
    record.writeUInt32LE(packet.frame.length, 12);
    record.set(packet.frame.subarray(0, bytes), 16);
    records.push(record);
    packets++;
  }
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  const file = openSync(path, 'w');
  let fileBytes = writeSync(file, header);
  const body = Buffer.concat(records);
  for (let repetition = 0; repetition < options.repetitions; repetition++) {
    fileBytes += writeSync(file, body);
    for (let at = 0; at < body.length; at += 16 + body.readUInt32LE(at + 8)) {
      body.writeUInt32LE(body.readUInt32LE(at) + (options.seconds ?? secondsPerRepetition), at);
    }
  }
  closeSync(file);
  return { path, packets: packets * options.repetitions, fileBytes };
}

/** Packets of several homes in order of time. */
function* mergeByTime(homes: readonly Iterator<SimulatedPacket>[]): Generator<SimulatedPacket> {
  const next = homes.map((home) => home.next());
  for (;;) {
    let earliest = -1;
    for (let i = 0; i < next.length; i++) {
      const candidate = next[i];
      if (candidate === undefined || candidate.done === true) continue;
      const best = earliest < 0 ? undefined : next[earliest];
      if (best === undefined || best.done === true || candidate.value.timeMicroseconds < best.value.timeMicroseconds) earliest = i;
    }
    const found = next[earliest];
    if (found === undefined || found.done === true) return;
    yield found.value;
    next[earliest] = (homes[earliest] as Iterator<SimulatedPacket>).next();
  }
}
