/**
 * Our Parquet pages: whatever the columns look like, they read back bit for bit, here, in DuckDB and in pyarrow; the
 * encodings are those that the values call for, and values made to crowd a hash table cost no more than others.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { asyncBufferFromFile, parquetMetadataAsync, type ColumnMetaData, type FileMetaData } from 'hyparquet';
import { cpuSeconds, formatAddress, formatMac, Random } from '#base';
import { createFlowBatch, type FlowBatch } from '../flow-batch.ts';
import { schema, type ColumnName } from '../schema.ts';
import { fileSource, randomBatch, rowsOf, sampleInfo, shapedBatch, withFolder } from './arbitrary-flows.test.ts';
import type { ParquetCompression } from './parquet-file.ts';
import { openParquetSink } from './parquet-sink.ts';
import { readFlows } from './read-flows.ts';

const compressions: readonly ParquetCompression[] = ['none', 'zstd'];

async function writeBatch(
  path: string, batch: FlowBatch, compression: ParquetCompression, groupRows?: number,
): Promise<void> {
  const sink = await openParquetSink(path, { compression, groupRows });
  await sink.write(batch);
  await sink.end(sampleInfo);
  assert.equal((await stat(path)).size, sink.bytesWritten);
}

async function readRows(path: string): Promise<unknown[][]> {
  const reading = readFlows(fileSource(path), 'parquet');
  const rows: unknown[][] = [];
  for await (const batch of reading.batches()) rows.push(...rowsOf(batch));
  assert.deepEqual(reading.info, sampleInfo);
  assert.deepEqual(reading.problems, []);
  return rows;
}

async function readMetadata(path: string): Promise<FileMetaData> {
  return parquetMetadataAsync(await asyncBufferFromFile(path));
}

function chunkOf(metadata: FileMetaData, name: ColumnName, group = 0): ColumnMetaData {
  const { meta_data: chunk } = metadata.row_groups[group]!.columns[schema.findIndex((column) => column.name === name)]!;
  assert.deepEqual(chunk!.path_in_schema, [name]);
  return chunk!;
}

test('columns of every shape come back bit for bit', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'shaped.parquet');
    await fc.assert(fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 1_500 }),
      fc.integer({ min: 1, max: 2_000 }), fc.constantFrom(...compressions),
      async (seed, rows, groupRows, compression) => {
        const batch = shapedBatch(seed, rows);
        await writeBatch(path, batch, compression, groupRows);
        assert.deepEqual(await readRows(path), rowsOf(batch));
      }), { numRuns: 15, examples: [[1, 1, 1, 'none'], [2, 5_000, 5_000, 'zstd'], [3, 1_025, 64, 'none']] });
  });
});

test('extreme values come back bit for bit', async () => {
  await withFolder(async (folder) => {
    const batch = randomBatch(4, 400);
    const { columns, dictionaries } = batch;
    columns.ipVersion.fill(4);
    columns.sourceAddress.fill(0);
    columns.destinationAddress.fill(0xffffffff, 0, 800);
    columns.ingressInterface.fill(0xffffffff, 0, 399);
    columns.initiatorOctets.fill(2 ** 53 - 1, 0, 399);
    columns.initiatorPackets.set([2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 2]);
    columns.flowStartMilliseconds.set([Number.MIN_VALUE, 8.64e15, 0.1 + 0.2]);
    columns.applicationName[0] = dictionaries.applicationName.encode('☃'.repeat(5_000));
    // The two texts of the address of zeros: none, and `::`.
    columns.ipVersion.fill(6, 100, 200);
    for (const compression of compressions) {
      const path = join(folder, `${compression}.parquet`);
      await writeBatch(path, batch, compression);
      assert.deepEqual(await readRows(path), rowsOf(batch));
    }
  });
});

test('more than 65,536 different values of a group are written as they are', async () => {
  await withFolder(async (folder) => {
    const rows = 70_000;
    const batch = createFlowBatch(rows);
    batch.rowCount = rows;
    const { columns, dictionaries } = batch;
    for (let row = 0; row < rows; row++) {
      columns.sourceAddress.set([0, 0, 0xffff, row * 3], row * 4);
      columns.destinationAddress.set([0x20010db8, row, 0, 1], row * 4);
      columns.sourceMacAddress.set([1, row], row * 2);
      columns.observationDomainId[row] = row;
      columns.initiatorOctets[row] = row * 65_537;
      columns.flowStartMilliseconds[row] = row / 8;
      columns.applicationName[row] = dictionaries.applicationName.encode(`name ${row}`);
      // A dictionary with codes of 15 bits: each value twice.
      columns.exporterAddress.set([0, 0, 0xffff, row >> 1], row * 4);
    }
    const path = join(folder, 'many.parquet');
    await writeBatch(path, batch, 'none', rows);
    const metadata = await readMetadata(path);
    assert.equal(metadata.row_groups.length, 1);
    for (const name of ['sourceAddress', 'destinationAddress', 'sourceMacAddress', 'observationDomainId',
      'initiatorOctets', 'flowStartMilliseconds', 'applicationName'] as const) {
      assert.deepEqual(chunkOf(metadata, name).encodings, ['PLAIN'], name);
    }
    assert.deepEqual(chunkOf(metadata, 'exporterAddress').encodings, ['PLAIN', 'RLE', 'RLE_DICTIONARY']);
    assert.deepEqual(await readRows(path), rowsOf(batch));
  });
});

test('a column of one value takes next to nothing, one of few values some bits a row', async () => {
  await withFolder(async (folder) => {
    const rows = 32_768;
    const batch = createFlowBatch(rows);
    batch.rowCount = rows;
    for (let row = 0; row < rows; row++) {
      batch.columns.destinationTransportPort[row] = [53, 80, 443][row % 3]!;
      batch.columns.exporterAddress.set([0, 0, 0xffff, row >> 12], row * 4);
    }
    const path = join(folder, 'few.parquet');
    await writeBatch(path, batch, 'none');
    const metadata = await readMetadata(path);
    for (const { meta_data: chunk } of metadata.row_groups[0]!.columns) {
      const bytes = Number(chunk!.total_compressed_size);
      const isPorts = chunk!.path_in_schema[0] === 'destinationTransportPort';
      const bytesMax = isPorts ? rows * 2 / 8 + 100 : 200;
      assert.ok(bytes < bytesMax, `${chunk!.path_in_schema[0]}: ${bytes} bytes`);
    }
  });
});

test('the footer says what is in the file: schema, sizes, ranges', async () => {
  await withFolder(async (folder) => {
    const batch = randomBatch(9, 250);
    batch.columns.flowEndMilliseconds.fill(0);
    for (const compression of compressions) {
      const path = join(folder, `${compression}.parquet`);
      await writeBatch(path, batch, compression, 100);
      const metadata = await readMetadata(path);
      assert.deepEqual([metadata.num_rows, metadata.created_by], [250n, 'natlens']);
      assert.deepEqual(metadata.row_groups.map((group) => group.num_rows), [100n, 100n, 50n]);
      assert.deepEqual(metadata.schema.map((element) => [element.name, element.type, element.converted_type,
        element.repetition_type]), [['flows', undefined, undefined, undefined], ...schema.map(typeOf)]);
      let offset = 4n;
      for (const [i, group] of metadata.row_groups.entries()) {
        for (const { meta_data: chunk } of group.columns) {
          assert.equal(chunk!.dictionary_page_offset ?? chunk!.data_page_offset, offset);
          assert.equal(chunk!.num_values, group.num_rows);
          offset += chunk!.total_compressed_size;
        }
        const start = batch.columns.flowStartMilliseconds.subarray(i * 100, i * 100 + Number(group.num_rows));
        const range = chunkOf(metadata, 'flowStartMilliseconds', i).statistics;
        assert.deepEqual([range?.null_count, range?.max_value], [0n, Math.max(...start)]);
        assert.equal(Number(range?.min_value) + 0, Math.min(...start));
        const octets = batch.columns.initiatorOctets.subarray(i * 100, i * 100 + Number(group.num_rows));
        assert.equal(chunkOf(metadata, 'initiatorOctets', i).statistics?.max_value, BigInt(Math.max(...octets)));
        // A range of zeros holds both of them.
        const zeros = chunkOf(metadata, 'flowEndMilliseconds', i).statistics;
        assert.ok(Object.is(zeros?.min_value, -0) && Object.is(zeros?.max_value, 0));
      }
    }
  });
});

function typeOf({ name, storage, unit }: (typeof schema)[number]): (string | undefined)[] {
  if (storage === 'f64') return [name, unit === 'ms' ? 'DOUBLE' : 'INT64', undefined, 'REQUIRED'];
  const small = { u8: 'UINT_8', u16: 'UINT_16', u32: 'UINT_32' } as const;
  if (storage === 'u8' || storage === 'u16' || storage === 'u32') return [name, 'INT32', small[storage], 'REQUIRED'];
  return [name, 'BYTE_ARRAY', 'UTF8', 'REQUIRED'];
}

test('an empty file, and a group that ends where the batch does', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'edge.parquet');
    const sink = await openParquetSink(path);
    await sink.end(sampleInfo);
    assert.deepEqual(await readRows(path), []);
    await writeBatch(path, randomBatch(1, 64), 'none', 32);
    assert.equal((await readMetadata(path)).row_groups.length, 2);
  });
});

test('values that crowd a hash table are written as they are, in the time that others take', async () => {
  await withFolder(async (folder) => {
    const rows = 32_768;
    const path = join(folder, 'crowd.parquet');
    const secondsOf = async (word: (row: number) => number): Promise<number> => {
      const batch = createFlowBatch(rows);
      batch.rowCount = rows;
      // Each address twice, so that a dictionary would pay.
      for (let row = 0; row < rows; row += 2) {
        const address = [0, 0, 0xffff, word(row >> 1)];
        batch.columns.sourceAddress.set([...address, ...address], row * 4);
      }
      const begin = cpuSeconds();
      await writeBatch(path, batch, 'none');
      const seconds = cpuSeconds() - begin;
      assert.deepEqual(await readRows(path), rowsOf(batch));
      return seconds;
    };
    const random = new Random(3);
    await secondsOf(() => random.uint32());
    const usual = await secondsOf(() => random.uint32());
    assert.ok(chunkOf(await readMetadata(path), 'sourceAddress').dictionary_page_offset !== undefined);
    // The inverse of the hash: words whose products with its factor have the same low 15 bits in the upper half.
    let inverse = 1;
    for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(0x85ebca87, inverse));
    const carried = Number((0xffffn * 0x9e3779b185ebca87n >> 32n) & 0xffffffffn);
    const crowding = await secondsOf((row) => Math.imul(inverse, (row << 15) - carried) >>> 0);
    assert.equal(chunkOf(await readMetadata(path), 'sourceAddress').dictionary_page_offset, undefined);
    assert.ok(crowding < usual * 5 + 0.2, `${crowding} s of CPU, ${usual} s usually`);
  });
});

test('a counter that an exporter claims beyond 2^53 - 1 is stored as that', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'claimed.parquet');
    const batch = createFlowBatch(3_000);
    batch.rowCount = 3_000;
    const { initiatorOctets, responderOctets } = batch.columns;
    // With a dictionary, and without.
    for (let row = 0; row < 3_000; row++) {
      initiatorOctets[row] = 2 ** (53 + row % 3 * 8);
      responderOctets[row] = 2 ** 60 + row * 2 ** 12;
    }
    initiatorOctets[1] = 7;
    await writeBatch(path, batch, 'none');
    const metadata = await readMetadata(path);
    const rangeOf = (name: ColumnName): unknown[] => {
      const range = chunkOf(metadata, name).statistics;
      return [range?.min_value, range?.max_value];
    };
    assert.deepEqual(rangeOf('initiatorOctets'), [7n, 2n ** 53n - 1n]);
    assert.deepEqual(rangeOf('responderOctets'), [2n ** 53n - 1n, 2n ** 53n - 1n]);
    assert.deepEqual(chunkOf(metadata, 'responderOctets').encodings, ['PLAIN']);
    initiatorOctets.fill(2 ** 53 - 1);
    responderOctets.fill(2 ** 53 - 1);
    initiatorOctets[1] = 7;
    assert.deepEqual(await readRows(path), rowsOf(batch));
  });
});

test('a counter that is no whole number is our own bug, and nothing stays of the file', async () => {
  await withFolder(async (folder) => {
    for (const wrong of [0.5, NaN, Infinity, -Infinity, -(2 ** 53)]) {
      const path = join(folder, 'wrong.parquet');
      const batch = randomBatch(1, 10);
      batch.columns.responderOctets[9] = wrong;
      const sink = await openParquetSink(path);
      await sink.write(batch);
      await assert.rejects(sink.end(sampleInfo), { code: 'invariant' });
      await sink.abandon();
      await assert.rejects(stat(path), { code: 'ENOENT' });
    }
  });
});

/** The rows as JSON of a reader that knows texts, numbers and nothing else. */
function plainRows(batch: FlowBatch): unknown[][] {
  return Array.from({ length: batch.rowCount }, (_, row) => schema.map(({ name, storage }) => {
    const array = batch.columns[name];
    if (storage === 'dictionary') return batch.dictionaries[name as 'device'].decode(array[row]!);
    const words = array as Uint32Array;
    if (storage === 'mac') return (words[row * 2]! | words[row * 2 + 1]!) === 0 ? '' : formatMac(words, row * 2);
    if (storage !== 'address') return array[row];
    const isZero = words.subarray(row * 4, row * 4 + 4).every((word) => word === 0);
    return isZero && batch.columns.ipVersion[row] !== 6 ? '' : formatAddress(words, row * 4);
  }));
}

const duckdb = await import('@duckdb/node-api').catch(() => undefined);

test('DuckDB reads every column, and finds rows by the ranges of the groups',
  { skip: duckdb === undefined ? 'DuckDB is not installed' : false }, async () => {
    await withFolder(async (folder) => {
      const instance = await duckdb!.DuckDBInstance.create(':memory:');
      const connection = await instance.connect();
      for (const [i, compression] of [...compressions, ...compressions].entries()) {
        const batch = i < 2 ? shapedBatch(i, 3_000) : randomBatch(i, 3_000);
        const path = join(folder, `${i}.parquet`);
        await writeBatch(path, batch, compression, 1_000);
        const all = await connection.runAndReadAll(`SELECT * FROM '${path}'`);
        const rows = all.getRows();
        assert.deepEqual(rows.map((row) => row.map((value) => (typeof value === 'bigint' ? Number(value) : value))),
          plainRows(batch));
        const last = batch.columns.flowStartMilliseconds.subarray(0, 3_000).reduce((a, b) => Math.max(a, b), 0);
        const found = await connection.runAndReadAll(
          `SELECT count(*)::INT FROM '${path}' WHERE flowStartMilliseconds >= ${last}`);
        const expected = batch.columns.flowStartMilliseconds.subarray(0, 3_000).filter((time) => time >= last).length;
        assert.deepEqual(found.getRows(), [[expected]]);
      }
      connection.closeSync();
      instance.closeSync();
    });
  });

const hasPyarrow = spawnSync('python3', ['-c', 'import pyarrow.parquet'], { stdio: 'ignore' }).status === 0;

test('pyarrow reads every column', { skip: hasPyarrow ? false : 'pyarrow is not installed' }, async () => {
  await withFolder(async (folder) => {
    for (const [i, compression] of compressions.entries()) {
      const batch = shapedBatch(i + 20, 2_000);
      const path = join(folder, `${i}.parquet`);
      await writeBatch(path, batch, compression, 700);
      const run = spawnSync('python3', ['-c', 'import json, sys, pyarrow.parquet as p\n' +
        't = p.read_table(sys.argv[1])\nprint(json.dumps([list(r.values()) for r in t.to_pylist()]))', path],
      { encoding: 'utf8', maxBuffer: 1 << 28 });
      assert.equal(run.status, 0, run.stderr);
      assert.deepEqual(JSON.parse(run.stdout), plainRows(batch));
    }
  });
});
