/**
 * Files of one period each, on a virtual clock: when a file ends, what is kept, and that a failing disk throws nothing
 * and loses nothing unaccounted.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random, VirtualClock } from '#base';
import { createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import { fileSource, randomBatch, rowsOf, sampleInfo, withFolder } from './arbitrary-flows.test.ts';
import { diskFolder, isFilePrefix, type FolderFiles } from './file-catalog.ts';
import { diskFiles, type WritableFiles } from './parquet-file.ts';
import { RotatingSink, type RotatingSinkOptions } from './rotating-sink.ts';
import { readFlows } from './read-flows.ts';

const minute = 60_000;
const start = Date.parse('2026-11-23T14:07:30Z');
const shared = createDictionaries();

function openSink(folder: string, more: Partial<RotatingSinkOptions> = {},
  files?: WritableFiles & FolderFiles): RotatingSink {
  const options = { folder, prefix: 'flows', everyMs: 5 * minute, bytesMax: 1e9, groupRows: 32, ...more };
  return new RotatingSink(options, sampleInfo, files);
}

function names(folder: string): string[] {
  return readdirSync(folder).sort();
}

async function rowsIn(folder: string): Promise<unknown[][]> {
  const rows: unknown[][] = [];
  // By period, then by number: `-10` comes after `-9`.
  const key = (name: string): string =>
    name.replace(/(?:-(\d+))?\.parquet$/, (_, number?: string) => `-${(number ?? '1').padStart(9, '0')}`);
  const whole = names(folder).filter((name) => name.endsWith('.parquet')).sort((a, b) => (key(a) < key(b) ? -1 : 1));
  for (const name of whole) {
    const reading = readFlows(fileSource(join(folder, name)), 'parquet');
    for await (const batch of reading.batches()) rows.push(...rowsOf(batch));
    assert.deepEqual([reading.info, reading.problems], [sampleInfo, []], name);
  }
  return rows;
}

test('a file for each period that has rows, named by its start in UTC', async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, 'new', 'folder');
    const clock = new VirtualClock(start);
    const sink = openSink(folder);
    assert.deepEqual(sink.open(clock.nowMs()), { broken: [], finished: [], fault: undefined });
    const written: unknown[][] = [];
    for (const [i, waitMs] of [0, 150_000 - 1, 1, 22 * minute, minute].entries()) {
      clock.advance(waitMs);
      const batch = randomBatch(i, 40, shared);
      assert.equal(sink.write(batch, clock.nowMs()), 0);
      written.push(...rowsOf(batch));
    }
    assert.deepEqual(names(folder),
      ['flows-20261123T140500Z.parquet', 'flows-20261123T141000Z.parquet', 'flows-20261123T143000Z.parquet.partial']);
    clock.advance(5 * minute);
    sink.tick(clock.nowMs());
    assert.deepEqual(names(folder).at(-1), 'flows-20261123T143000Z.parquet');
    assert.deepEqual(await rowsIn(folder), written);
    const counts = sink.end();
    const bytes = names(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    assert.deepEqual([counts.files, counts.rows, counts.waitingRows, counts.failedRows, counts.bytes, counts.isFailing],
      [3, 200, 0, 0, bytes, false]);
    assert.equal(names(folder).length, 3);
  });
});

test('days begin at midnight UTC, and a clock that is set back a little begins no period anew', async () => {
  await withFolder(async (folder) => {
    const sink = openSink(folder, { everyMs: 24 * 60 * minute });
    const midnight = Date.parse('2026-11-24T00:00:00Z');
    sink.write(randomBatch(1, 5, shared), midnight - 1);
    sink.write(randomBatch(2, 5, shared), midnight);
    sink.write(randomBatch(3, 5, shared), midnight - 2_000);
    sink.write(randomBatch(4, 5, shared), midnight - 3 * 24 * 60 * minute);
    sink.end();
    assert.deepEqual(names(folder),
      ['flows-20261121T000000Z.parquet', 'flows-20261123T000000Z.parquet', 'flows-20261124T000000Z.parquet']);
    assert.equal((await rowsIn(folder)).length, 20);
  });
});

test('a file ends at its rows, and before its bytes; the next one of the period has a number', async () => {
  await withFolder(async (folder) => {
    const batch = randomBatch(1, 100, shared);
    const byRows = openSink(join(folder, 'rows'), { rowsMax: 45 });
    byRows.write(batch, start);
    byRows.end();
    assert.deepEqual(names(join(folder, 'rows')),
      ['flows-20261123T140500Z-2.parquet', 'flows-20261123T140500Z-3.parquet', 'flows-20261123T140500Z.parquet']);
    assert.deepEqual(await rowsIn(join(folder, 'rows')), rowsOf(batch));
    // A restart within the period overwrites nothing.
    const again = openSink(join(folder, 'rows'));
    again.write(batch, start);
    again.end();
    assert.equal((await rowsIn(join(folder, 'rows'))).length, 200);
    assert.ok(existsSync(join(folder, 'rows', 'flows-20261123T140500Z-4.parquet')));

    const bytesMax = 40_000;
    const byBytes = openSink(join(folder, 'bytes'), { bytesMax });
    for (let i = 0; i < 30; i++) byBytes.write(randomBatch(i, 32, shared), start);
    byBytes.end();
    const sizes = names(join(folder, 'bytes')).map((name) => statSync(join(folder, 'bytes', name)).size);
    assert.ok(sizes.length > 2 && sizes.every((size) => size < bytesMax * 2), sizes.join());
    assert.equal((await rowsIn(join(folder, 'bytes'))).length, 960);
  });
});

test('the oldest files go by age and by bytes, the newest never, and others not at all', async () => {
  await withFolder(async (folder) => {
    const others = ['notes.txt', 'flows-x-20200101T000000Z.parquet', 'flows-20200101T000000Z.parquet.broken',
      'flows-1.parquet'];
    for (const name of others) writeFileSync(join(folder, name), 'x');
    const sink = openSink(folder, { keepMs: 12 * minute });
    for (let i = 0; i < 6; i++) sink.write(randomBatch(i, 10, shared), start + i * 5 * minute);
    // At 14:32:30 what ended before 14:20:30 is too old.
    assert.deepEqual(names(folder).filter((name) => !others.includes(name)), [
      'flows-20261123T142000Z.parquet', 'flows-20261123T142500Z.parquet']);
    assert.equal(sink.counts().deletedFiles, 3);
    sink.tick(start + 86_400_000);
    assert.deepEqual(names(folder), others.sort());
    assert.equal(sink.counts().deletedFiles, 6);
    sink.end();

    const bytes = join(folder, 'bytes');
    const one = openSink(join(folder, 'one'));
    one.write(randomBatch(1, 10, shared), start);
    const { bytes: size } = one.end();
    const byBytes = openSink(bytes, { keepBytesMax: size * 3.5 });
    for (let i = 0; i < 9; i++) byBytes.write(randomBatch(1, 10, shared), start + i * 5 * minute);
    byBytes.tick(start + 50 * minute);
    assert.equal(names(bytes).length, 3);
    // What somebody else took away does not make more go.
    rmSync(join(bytes, names(bytes)[0]!));
    byBytes.write(randomBatch(1, 10, shared), start + 55 * minute);
    byBytes.tick(start + 60 * minute);
    assert.equal(names(bytes).length, 3);
    const tight = openSink(bytes, { keepBytesMax: 1 });
    tight.open(start);
    tight.tick(start + 99 * minute);
    assert.equal(names(bytes).length, 1);
  });
});

test('a file that a killed run had finished but for its name gets it', async () => {
  await withFolder(async (folder) => {
    const disk = new SmallDisk();
    const sink = openSink(folder, {}, disk);
    const batch = randomBatch(1, 10, shared);
    sink.write(batch, start);
    disk.faults.renameSync = 'EACCES';
    sink.tick(start + 5 * minute);
    assert.deepEqual([names(folder), sink.openFile], [['flows-20261123T140500Z.parquet.partial'],
      'flows-20261123T140500Z.parquet']);
    const next = openSink(folder);
    assert.deepEqual(next.open(start), { broken: [], finished: ['flows-20261123T140500Z.parquet'], fault: undefined });
    assert.deepEqual(await rowsIn(folder), rowsOf(batch));
    // A byte less, and it is not whole.
    const cut = readFileSync(join(folder, 'flows-20261123T140500Z.parquet'));
    for (const bytes of [cut.subarray(0, -1), cut.subarray(0, 4), cut.subarray(-8), cut.subarray(0, 0)]) {
      writeFileSync(join(folder, 'flows-20261123T150000Z.parquet.partial'), bytes);
      assert.equal(openSink(folder).open(start).broken.length, 1);
    }
  });
});

test('what a killed run left is reported and kept', async () => {
  await withFolder(async (folder) => {
    for (const name of ['flows-20261123T140500Z.parquet.partial', 'flows-20261123T140500Z-2.parquet.partial',
      'other-20261123T140500Z.parquet.partial', 'flows-20261123T140000Z.parquet.partial',
      'flows-20261123T140000Z.parquet.broken']) {
      writeFileSync(join(folder, name), name);
    }
    const sink = openSink(folder);
    assert.deepEqual([...sink.open(start).broken].sort(), ['flows-20261123T140000Z.parquet-2.broken',
      'flows-20261123T140500Z-2.parquet.broken', 'flows-20261123T140500Z.parquet.broken']);
    assert.equal(sink.counts().brokenFiles, 3);
    assert.ok(existsSync(join(folder, 'other-20261123T140500Z.parquet.partial')));
    sink.write(randomBatch(1, 10, shared), start);
    sink.end();
    assert.equal((await rowsIn(folder)).length, 10);
    assert.ok(existsSync(join(folder, 'flows-20261123T140500Z-3.parquet')));
  });
});

/** A disk of so many bytes; `faults` says what else it refuses. */
class SmallDisk implements WritableFiles, FolderFiles {
  freeBytes: number;
  readonly faults: { -readonly [name in keyof (WritableFiles & FolderFiles)]?: string } = {};
  readonly #sizes = new Map<number, number>();
  readonly existsSync = diskFolder.existsSync;
  readonly statSync = diskFolder.statSync;
  readonly readdirSync = (path: string): string[] => this.#checked('readdirSync') ?? diskFolder.readdirSync(path);
  readonly mkdirSync = (path: string, options: { recursive: true }): unknown =>
    this.#checked('mkdirSync') ?? diskFolder.mkdirSync(path, options);
  readonly renameSync = (from: string, to: string): void =>
    this.#checked('renameSync') ?? diskFolder.renameSync(from, to);
  readonly unlinkSync = (path: string): void => this.#checked('unlinkSync') ?? diskFolder.unlinkSync(path);
  readonly closeSync = (file: number): void => {
    diskFiles.closeSync(file);
    this.#checked('closeSync');
  };

  constructor(freeBytes = Infinity) {
    this.freeBytes = freeBytes;
  }

  readonly openSync = (path: string, flags: number): number => {
    this.#checked('openSync');
    const file = diskFiles.openSync(path, flags);
    this.#sizes.set(file, 0);
    return file;
  };

  readonly writevSync = (file: number, pieces: readonly Uint8Array[]): number => {
    this.#checked('writevSync');
    // One piece at a time, and of that no more than there is room for.
    const [piece] = pieces as [Uint8Array];
    const bytes = Math.min(piece.length, this.freeBytes);
    if (bytes === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    this.freeBytes -= bytes;
    this.#sizes.set(file, this.#sizes.get(file)! + bytes);
    return diskFiles.writevSync(file, [piece.subarray(0, bytes)]);
  };

  readonly ftruncateSync = (file: number, bytes: number): void => {
    this.#checked('ftruncateSync');
    diskFiles.ftruncateSync(file, bytes);
    this.freeBytes += this.#sizes.get(file)! - bytes;
    this.#sizes.set(file, bytes);
  };

  #checked(name: keyof (WritableFiles & FolderFiles)): undefined {
    const code = this.faults[name];
    if (code !== undefined) throw Object.assign(new Error(`${code}: a fault, ${name}`), { code });
    return undefined;
  }
}

test('a full disk: rows wait, then are refused and told of, and are stored when there is room again', async () => {
  await withFolder(async (folder) => {
    const disk = new SmallDisk(60_000);
    const lost: unknown[][] = [];
    const onLost = (batch: FlowBatch, first: number, end: number): void => {
      lost.push(...rowsOf(batch).slice(first, end));
    };
    const sink = openSink(folder, { onLost }, disk);
    const handed: unknown[][] = [];
    const refused: number[] = [];
    const write = (seed: number, nowMs: number): void => {
      const batch = randomBatch(seed, 40, shared);
      handed.push(...rowsOf(batch));
      refused.push(sink.write(batch, nowMs));
    };
    let nowMs = start;
    for (let i = 0; i < 40; i++) write(i, nowMs += 100);
    assert.ok(refused.at(-1) === 40 && refused[0] === 0);
    const full = sink.counts();
    assert.equal(full.isFailing, true);
    assert.match(full.lastError!.text, /no space left/);
    assert.equal(full.rows + full.waitingRows + full.failedRows, handed.length);
    assert.equal(full.failedRows, lost.length);
    disk.freeBytes = Infinity;
    for (let i = 40; i < 50; i++) write(i, nowMs += 1_000);
    assert.deepEqual(refused.slice(-9), Array.from({ length: 9 }, () => 0));
    const counts = sink.end();
    assert.deepEqual([counts.isFailing, counts.brokenRows, counts.failedRows], [false, 0, lost.length]);
    const read = await rowsIn(folder);
    assert.equal(counts.rows, read.length);
    const key = (row: unknown): string => JSON.stringify(row);
    assert.deepEqual([...read, ...lost].map(key).sort(), handed.map(key).sort());
  });
});

test('a disk that is full at the end: whole row groups are given up for the footer, and counted', async () => {
  await withFolder(async (folder) => {
    for (let freeBytes = 0; freeBytes < 40_000; freeBytes += 1_237) {
      const place = join(folder, String(freeBytes));
      const disk = new SmallDisk(freeBytes);
      let told = 0;
      const sink = openSink(place, { onLost: (_, first, end) => { told += end - first; } }, disk);
      for (let i = 0; i < 5; i++) sink.write(randomBatch(i, 50, shared), start + i);
      const counts = sink.end();
      assert.equal(counts.rows + counts.failedRows, 250);
      assert.equal(counts.failedRows, told + counts.brokenRows);
      assert.equal((await rowsIn(place)).length, counts.rows);
      if (freeBytes > 30_000) assert.ok(counts.rows > 0);
      assert.ok(names(place).every((name) => !name.endsWith('.partial')), names(place).join());
    }
  });
});

test('nothing is thrown and every row accounted for, whatever fails when', async () => {
  const calls = ['openSync', 'writevSync', 'ftruncateSync', 'closeSync', 'mkdirSync', 'readdirSync', 'renameSync',
    'unlinkSync'] as const;
  const codes = ['EIO', 'ENOSPC', 'EACCES', 'ENOENT'];
  await withFolder(async (parent) => {
    let runs = 0;
    await fc.assert(fc.asyncProperty(fc.integer(), async (seed) => {
      const folder = join(parent, String(runs++));
      const random = new Random(seed);
      const disk = new SmallDisk();
      let told = 0;
      let handed = 0;
      const dictionaries: Dictionaries[] = [shared, createDictionaries()];
      // What whoever follows the events knows: rows in the open file, in whole files, and gone from the open file.
      let open = 0;
      let whole = 0;
      const sink = openSink(folder, {
        rowsMax: random.pick([undefined, 50]), bytesMax: random.pick([1, 30_000, 1e9]),
        keepMs: random.pick([undefined, 1e9]),
        onLost: (_, first, end) => { told += end - first; },
        onWritten: (rows) => { open += rows; },
        onFinishing: (name, rows) => { assert.deepEqual([rows, sink.openFile], [open, name]); },
        onFinished: (_, rows) => {
          assert.equal(rows, open);
          whole += rows;
          open = 0;
        },
        onBroken: (rows) => { open -= rows; },
      }, disk);
      let nowMs = start;
      for (let step = 0; step < 40; step++) {
        for (const call of calls) delete disk.faults[call];
        if (random.chance(0.4)) disk.faults[random.pick(calls)] = random.pick(codes);
        disk.freeBytes = random.pick([Infinity, Infinity, random.integer(0, 9_000)]);
        nowMs += random.pick([10, 1_000, minute, 7 * minute]);
        const texts = random.chance(0.9) ? shared : random.pick(dictionaries);
        const batch = randomBatch(seed + step, random.integer(0, 70), texts);
        handed += batch.rowCount;
        const refused = sink.write(batch, nowMs);
        assert.ok(refused >= 0 && refused <= batch.rowCount);
        const counts = sink.counts();
        assert.equal(counts.rows + counts.waitingRows + counts.failedRows, handed);
        assert.equal(counts.failedRows, told + counts.brokenRows);
        assert.equal(counts.rows, open + whole);
      }
      if (random.chance(0.5)) {
        for (const call of calls) delete disk.faults[call];
        disk.freeBytes = Infinity;
      }
      const counts = sink.end();
      assert.equal(counts.rows + counts.failedRows, handed);
      const read = existsSync(folder) ? await rowsIn(folder) : [];
      assert.equal(read.length, counts.rows);
      assert.deepEqual([open, whole], [0, counts.rows]);
    }), { numRuns: 60 });
  });
});

test('a folder in which nothing may be written is told of, and rows are stored when it may', async () => {
  await withFolder(async (parent) => {
    const disk = new SmallDisk();
    const folder = join(parent, 'out');
    const sink = openSink(folder, {}, disk);
    disk.faults.openSync = 'EACCES';
    assert.equal(sink.open(start).fault, undefined);
    for (let i = 0; i < 4; i++) sink.write(randomBatch(i, 20, shared), start + i);
    assert.deepEqual([sink.counts().waitingRows, sink.counts().failedRows], [32, 48]);
    delete disk.faults.openSync;
    assert.equal(sink.write(randomBatch(9, 20, shared), start + 5_000), 0);
    assert.equal(sink.end().rows, 52);
    assert.equal((await rowsIn(folder)).length, 52);
    // A file in the place of the folder.
    const taken = join(parent, 'taken');
    writeFileSync(taken, '');
    assert.match(openSink(taken).open(start).fault!, /EEXIST|ENOTDIR/);
  });
});

test('a real folder without the right to write', { skip: process.getuid?.() === 0 ? 'root may write anywhere' : false },
  async () => {
    await withFolder(async (parent) => {
      const folder = join(parent, 'closed');
      mkdirSync(folder);
      chmodSync(folder, 0o500);
      const sink = openSink(folder);
      sink.write(randomBatch(1, 20, shared), start);
      const counts = sink.end();
      assert.deepEqual([counts.rows, counts.failedRows], [0, 20]);
      assert.match(counts.lastError!.text, /EACCES/);
    });
  });

test('a real disk of one megabyte', async (t) => {
  await withFolder(async (folder) => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status !== 0) {
      t.skip('mounting a small disk is not permitted');
      return;
    }
    try {
      let told = 0;
      const sink = openSink(folder, { groupRows: 1_024, onLost: (_, first, end) => { told += end - first; } });
      for (let i = 0; i < 20; i++) sink.write(randomBatch(i, 1_000, shared), start + i * 500);
      assert.ok(told > 0 && sink.counts().isFailing);
      // Somebody makes room.
      const gone = await rowsIn(folder);
      for (const name of names(folder)) if (name.endsWith('.parquet')) rmSync(join(folder, name));
      sink.write(randomBatch(99, 100, shared), start + 60_000);
      const counts = sink.end();
      assert.equal(counts.rows + counts.failedRows, 20_100);
      assert.equal(counts.failedRows, told + counts.brokenRows);
      assert.ok(gone.length > 0 && counts.files >= 2, 'the file so far was finished, and another one begun');
      assert.equal((await rowsIn(folder)).length, counts.rows - gone.length);
    } finally {
      spawnSync('umount', [folder]);
    }
  });
});

test('an unsound row is our own bug and stops the program', async () => {
  await withFolder(async (folder) => {
    const batch = createFlowBatch(32, shared);
    batch.rowCount = 32;
    batch.columns.initiatorOctets[3] = 0.5;
    await assert.rejects(async () => openSink(folder).write(batch, start), { code: 'invariant' });
  });
});

test('memory does not grow with the rows', async () => {
  await withFolder(async (folder) => {
    const sink = openSink(folder, { groupRows: 4_096, bytesMax: 4 << 20 });
    const batch: FlowBatch = randomBatch(1, 4_000, shared);
    const held = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    for (let i = 0; i < 20; i++) sink.write(batch, start);
    const before = held();
    for (let i = 0; i < 200; i++) sink.write(batch, start + i * 10_000);
    const grown = held() - before;
    assert.ok(grown < 40 << 20, `${grown} bytes more`);
    sink.end();
  });
});

test('prefixes are plain', () => {
  for (const prefix of ['flows', 'router-1.example', 'a_b']) assert.ok(isFilePrefix(prefix), prefix);
  for (const prefix of ['', '.hidden', 'a/b', 'a b', '-o', 'x'.repeat(101)]) assert.ok(!isFilePrefix(prefix), prefix);
});
