/**
 * The captures that the metering benchmarks read: several simulated homes behind one mirror port, merged in order of
 * time, frames whole or cut at 128 bytes as probes do, repeated with the clock moved on where more packets are wanted.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { simulateHome, type SimulatedPacket } from '#sim';

const snapBytes = 128;
const chunkBytes = 1 << 22;
const fileHeaderBytes = 24;
const recordHeaderBytes = 16;

export type BenchCapture = { readonly path: string; readonly packets: number; readonly fileBytes: number };

export type BenchCaptureOptions = {
  readonly homes: number;
  readonly seconds: number;
  readonly repetitions: number;
  /** Frames are cut at 128 bytes. */
  readonly isCut: boolean;
};

/** Writes a capture. The same options write the same bytes. */
export function makeCapture(path: string, options: BenchCaptureOptions): BenchCapture {
  const homes = Array.from({ length: options.homes }, (_, i) =>
    simulateHome({ seed: 100 + i, durationS: options.seconds, servers: 'clouds' })[Symbol.iterator]());
  const file = openSync(path, 'w+');
  const chunk = Buffer.alloc(chunkBytes);
  let at = writeFileHeader(chunk);
  let fileBytes = 0;
  let packets = 0;
  for (const { timeMicroseconds, frame } of mergeByTime(homes)) {
    const bytes = options.isCut ? Math.min(frame.length, snapBytes) : frame.length;
    if (at + recordHeaderBytes + bytes > chunk.length) {
      fileBytes += writeSync(file, chunk, 0, at);
      at = 0;
    }
    chunk.writeUInt32LE(Math.floor(timeMicroseconds / 1e6), at);
    chunk.writeUInt32LE(timeMicroseconds % 1e6, at + 4);
    chunk.writeUInt32LE(bytes, at + 8);
    chunk.writeUInt32LE(frame.length, at + 12);
    chunk.set(frame.subarray(0, bytes), at + recordHeaderBytes);
    at += recordHeaderBytes + bytes;
    packets++;
  }
  fileBytes += writeSync(file, chunk, 0, at);
  const bodyEnd = fileBytes;
  for (let repetition = 1; repetition < options.repetitions; repetition++) {
    fileBytes += repeatBody(file, bodyEnd, fileBytes, repetition * options.seconds);
  }
  closeSync(file);
  return { path, packets: packets * options.repetitions, fileBytes };
}

/** draft-ietf-opsawg-pcap §4, microseconds, Ethernet. @returns bytes written */
function writeFileHeader(chunk: Buffer): number {
  chunk.writeUInt32LE(0xa1b2c3d4, 0);
  chunk.writeUInt16LE(2, 4);
  chunk.writeUInt16LE(4, 6);
  chunk.writeUInt32LE(262_144, 16);
  chunk.writeUInt32LE(1, 20);
  return fileHeaderBytes;
}

/** Appends the records of the first pass once more, later by so many seconds. @returns bytes written */
function repeatBody(file: number, bodyEnd: number, writeAt: number, laterSeconds: number): number {
  const chunk = Buffer.alloc(chunkBytes);
  let readAt = fileHeaderBytes;
  let written = 0;
  while (readAt < bodyEnd) {
    const there = readSync(file, chunk, 0, Math.min(chunk.length, bodyEnd - readAt), readAt);
    let end = 0;
    while (end + recordHeaderBytes <= there) {
      const recordBytes = recordHeaderBytes + chunk.readUInt32LE(end + 8);
      if (end + recordBytes > there) break;
      chunk.writeUInt32LE(chunk.readUInt32LE(end) + laterSeconds, end);
      end += recordBytes;
    }
    written += writeSync(file, chunk, 0, end, writeAt + written);
    readAt += end;
  }
  return written;
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
      const isEarlier = best === undefined || best.done === true ||
        candidate.value.timeMicroseconds < best.value.timeMicroseconds;
      if (isEarlier) earliest = i;
    }
    const found = next[earliest];
    if (found === undefined || found.done === true) return;
    yield found.value;
    next[earliest] = (homes[earliest] as Iterator<SimulatedPacket>).next();
  }
}
