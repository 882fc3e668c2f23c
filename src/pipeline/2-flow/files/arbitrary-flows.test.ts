/** Random batches for the tests of this folder: every column, its edges, and texts that quoting must survive. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from '#base';
import {
  createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch, type FlowSetInfo,
} from '../flow-batch.ts';
import { elementsPerRow, schema } from '../schema.ts';
import type { FlowSource } from './read-flows.ts';

export const sampleInfo: FlowSetInfo = {
  origin: 'natlens meter', l7Source: 'prefix', l7Version: '2026-06', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000,
};

const texts = [
  '', 'TLS.Amazon', 'a,b', 'say "hi"', 'two\nlines', 'cr\r\nlf\r', ' blank ', 'naïve ☃ 🏠', '(empty)', '-', '{"a":1}',
    '"', '""',
  "'", '\t|', 'x'.repeat(300), 'webcam.D_Link.DCS_933L',
];

/** A batch of random rows with the edges of every column. */
export function randomBatch(
  seed: number, rowCount: number, dictionaries: Dictionaries = createDictionaries(),
): FlowBatch {
  const random = new Random(seed);
  const batch = createFlowBatch(Math.max(rowCount, 1), dictionaries);
  batch.rowCount = rowCount;
  for (const column of schema) {
    const array = batch.columns[column.name];
    for (let row = 0; row < rowCount; row++) {
      const width = elementsPerRow(column.storage);
      const pick = random.integer(0, 3);
      if (column.storage === 'dictionary') array[row] = dictionaries[column.name].encode(random.pick(texts));
      else if (column.storage === 'address') fillAddress(array as Uint32Array, row * 4, random);
      else if (column.storage === 'f64') array[row] = column.unit === 'ms' ? randomTime(random) : randomCounter(random);
      else {
        const edge = pick === 0 ? 0 : 0xffffffff;
        for (let i = 0; i < width; i++) array[row * width + i] = pick < 2 ? edge : random.uint32();
      }
      if (column.storage === 'mac') array[row * 2]! &= 0xffff;
    }
  }
  return batch;
}

function fillAddress(words: Uint32Array, at: number, random: Random): void {
  const kind = random.integer(0, 3);
  if (kind === 0) return;
  words[at + 2] = kind === 1 ? 0xffff : random.uint32();
  words[at + 3] = random.chance(0.1) ? 0 : random.uint32();
  if (kind === 1) return;
  words[at] = 0x20010db8;
  words[at + 1] = kind === 2 ? 0 : random.uint32();
}

function randomTime(random: Random): number {
  const kind = random.integer(0, 4);
  if (kind === 0) return random.integer(0, 5);
  if (kind === 1) return 1_655_071_198_000 + random.integer(0, 1e6);
  if (kind === 2) return 5e12 + random.uniform() * 1_000;
  return (1_655_071_198_000_000 + random.integer(0, 1e12)) / 1_000;
}

function randomCounter(random: Random): number {
  return random.pick([0, 1, 9, 10, 999, 1_000, 999_999, 1_000_000, 1e9, 4_294_967_296, Number.MAX_SAFE_INTEGER,
    random.uint32()]);
}

/** How the values of a column lie: what decides between its encodings. */
const shapes = ['constant', 'few', 'runs', 'many'] as const;

/** A batch in which every column has a shape of its own; values are those of `randomBatch`, or all different. */
export function shapedBatch(seed: number, rowCount: number, dictionaries = createDictionaries()): FlowBatch {
  const batch = randomBatch(seed, rowCount, dictionaries);
  const random = new Random(seed + 1);
  for (const column of schema) {
    const array = batch.columns[column.name];
    const width = elementsPerRow(column.storage);
    const shape = random.pick(shapes);
    if (shape === 'many') {
      const names = column.storage === 'dictionary' ? batch.dictionaries[column.name] : undefined;
      for (let row = 0; row < rowCount; row++) {
        if (names !== undefined) array[row] = names.encode(`${column.name} ${row}`);
        else array[row * width + width - 1] = row * 7;
      }
      continue;
    }
    const fromMax = shape === 'constant' ? 1 : 5;
    for (let row = fromMax; row < rowCount; row++) {
      const from = shape === 'runs' && random.chance(0.98) ? row - 1 : random.integer(0, fromMax - 1);
      array.copyWithin(row * width, from * width, (from + 1) * width);
    }
  }
  return batch;
}

/** Rows as plain values with dictionary texts, to compare batches whose codes differ. */
export function rowsOf(batch: FlowBatch): unknown[][] {
  return Array.from({ length: batch.rowCount }, (_, row) => schema.map((column) => {
    const width = elementsPerRow(column.storage);
    const array = batch.columns[column.name];
    if (column.storage === 'dictionary') return batch.dictionaries[column.name].decode(array[row]!);
    return width === 1 ? array[row] : Array.from(array.subarray(row * width, (row + 1) * width));
  }));
}

/** Runs something with a folder that is gone afterwards. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'natlens-files-'));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A file as a source, in small chunks. */
export function fileSource(path: string, chunkBytes = 1 << 16): FlowSource {
  return { path, chunks: () => createReadStream(path, { highWaterMark: chunkBytes }) };
}

/** Bytes as a source, in chunks of one size that share one buffer, as a `ByteSource` does it. */
export function bytesSource(bytes: Uint8Array | string, chunkBytes = 7): FlowSource {
  const all = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const chunk = new Uint8Array(chunkBytes);
    for (let at = 0; at < all.length; at += chunkBytes) {
      const part = all.subarray(at, at + chunkBytes);
      chunk.set(part);
      yield chunk.subarray(0, part.length);
      chunk.fill(63);
    }
  }
  return { path: 'bytes', chunks };
}

test('random batches hold default and extreme values', () => {
  const batch = randomBatch(1, 200);
  for (const column of schema) {
    if (column.storage !== 'u8') continue;
    assert.ok(batch.columns[column.name].includes(0) && batch.columns[column.name].includes(255), column.name);
  }
});
