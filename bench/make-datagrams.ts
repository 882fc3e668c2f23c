/**
 * NetFlow v9 datagrams for the decoding benchmark: one template, then 38 records a datagram, as routers fill them.
 * Written to a file, each with its length in front, so that every decoder reads the same bytes.
 */
import { writeFileSync } from 'node:fs';
import { Random } from '#base';

/** RFC 3954 §8: field type and length. */
const fields = [
  [8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [5, 1], [6, 1], [1, 4], [2, 4], [22, 4], [21, 4], [10, 2], [14, 2],
] as const;
const recordBytes = fields.reduce((sum, [, length]) => sum + length, 0);
export const recordsPerDatagram = 38;
const templateId = 256;
const headerBytes = 20;

/** Writes the file. @returns datagrams in it, the template's not counted */
export function makeDatagrams(path: string, datagrams: number): number {
  const random = new Random(9);
  const pieces = [describe(buildTemplate())];
  for (let i = 0; i < datagrams; i++) pieces.push(describe(buildData(random, i + 1)));
  writeFileSync(path, Buffer.concat(pieces));
  return datagrams;
}

function describe(datagram: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(datagram.length);
  return Buffer.concat([length, datagram]);
}

function buildHeader(count: number, sequence: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(9, 0);
  header.writeUInt16BE(count, 2);
  header.writeUInt32BE(1_000_000, 4);
  header.writeUInt32BE(1_700_000_000, 8);
  header.writeUInt32BE(sequence, 12);
  header.writeUInt32BE(1, 16);
  return header;
}

function buildTemplate(): Buffer {
  const words = [0, 8 + fields.length * 4, templateId, fields.length, ...fields.flat()];
  const set = Buffer.alloc(words.length * 2);
  words.forEach((word, i) => set.writeUInt16BE(word, i * 2));
  return Buffer.concat([buildHeader(1, 0), set]);
}

function buildData(random: Random, sequence: number): Buffer {
  const bytes = 4 + recordsPerDatagram * recordBytes;
  const set = Buffer.alloc((bytes + 3) & ~3);
  set.writeUInt16BE(templateId, 0);
  set.writeUInt16BE(set.length, 2);
  for (let at = 4; at < bytes; at++) set[at] = random.uint32();
  for (let record = 0; record < recordsPerDatagram; record++) {
    // Uptimes before the time of export, so that times are those of flows.
    set.writeUInt32BE(random.integer(1, 900_000), 4 + record * recordBytes + 23);
    set.writeUInt32BE(random.integer(900_000, 999_999), 4 + record * recordBytes + 27);
  }
  return Buffer.concat([buildHeader(recordsPerDatagram, sequence), set]);
}
