/** Outputs: names, temporary files, standard output, and what cannot be written. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { randomBatch, rowsOf, sampleInfo, withFolder, bytesSource } from './arbitrary-flows.test.ts';
import { openFlowSink } from './flow-sink.ts';
import type { WritableStream } from './output-target.ts';
import { readFlows } from './read-flows.ts';

const formats = ['csv', 'jsonl', 'parquet'] as const;

test('the suffix decides, and an unknown one is refused with the known ones', async () => {
  for (const target of ['flows.txt', 'flows', 'csv', '.parquet/flows']) {
    await assert.rejects(openFlowSink(target), { code: 'output-unknown-kind',
      message: /\.csv, \.jsonl, \.parquet/ });
  }
  await assert.rejects(openFlowSink('-', { format: 'parquet' }), { code: 'bad-option' });
});

test('a file has its name only when it is whole', async () => {
  await withFolder(async (folder) => {
    for (const format of formats) {
      const path = join(folder, `flows.${format.toUpperCase()}`);
      await writeFile(path, 'what was there');
      const sink = await openFlowSink(path, { bufferBytes: 100, groupRows: 5 });
      await sink.write(randomBatch(1, 50));
      assert.equal(await readFile(path, 'utf8'), 'what was there');
      await sink.end(sampleInfo);
      assert.notEqual(await readFile(path, 'utf8'), 'what was there');
      const dropped = await openFlowSink(join(folder, `dropped.${format}`));
      await dropped.write(randomBatch(1, 50));
      await dropped.abandon();
    }
    assert.deepEqual((await readdir(folder)).sort(), ['flows.CSV', 'flows.JSONL', 'flows.PARQUET']);
  });
});

test('a link is written through, and stays a link', async () => {
  await withFolder(async (folder) => {
    await writeFile(join(folder, 'real.csv'), '');
    await symlink(join(folder, 'real.csv'), join(folder, 'link.csv'));
    const sink = await openFlowSink(join(folder, 'link.csv'));
    await sink.end(sampleInfo);
    assert.ok((await lstat(join(folder, 'link.csv'))).isSymbolicLink());
    assert.match(await readFile(join(folder, 'real.csv'), 'utf8'), /^flowStartMilliseconds,/);
  });
});

test('what cannot be written is said at once', async () => {
  await withFolder(async (folder) => {
    await mkdir(join(folder, 'folder.csv'));
    await mkdir(join(folder, 'folder.parquet'));
    for (const name of ['folder.csv', 'folder.parquet', 'absent/x.csv', 'absent/x.parquet']) {
      await assert.rejects(openFlowSink(join(folder, name)), { code: 'output-unwritable' }, name);
    }
  });
});

test('a full disk is an environment error', { skip: existsSync('/dev/full') ? false : 'no /dev/full' }, async () => {
  await withFolder(async (folder) => {
    for (const format of formats) {
      const path = join(folder, `full.${format}`);
      await symlink('/dev/full', path);
      const sink = await openFlowSink(path, { bufferBytes: 4_096, groupRows: 20 });
      await assert.rejects(async () => {
        for (let i = 0; i < 20; i++) await sink.write(randomBatch(i, 50));
        await sink.end(sampleInfo);
      }, { code: 'disk' }, format);
      await sink.abandon().catch(() => undefined);
    }
  });
});

/** A stream that takes some writes, then fails with a code. */
function fakeStream(writesMax: number,
  code: string): WritableStream & { readonly bytes: Uint8Array[]; listeners: number } {
  const bytes: Uint8Array[] = [];
  return {
    bytes,
    listeners: 0,
    write(chunk, done) {
      const copy = chunk.slice();
      const isLate = bytes.length >= writesMax;
      setImmediate(() => {
        if (isLate) return done(Object.assign(new Error('write'), { code }));
        bytes.push(copy);
        done();
      });
      return true;
    },
    on() { this.listeners++; },
    off() { this.listeners--; },
  };
}

test('standard output is CSV, or JSON lines when asked for', async () => {
  for (const format of [undefined, 'jsonl'] as const) {
    const stream = fakeStream(1_000, '');
    const sink = await openFlowSink('-', { stream, format, bufferBytes: 500 });
    const batch = randomBatch(5, 30);
    await sink.write(batch);
    await sink.end(sampleInfo);
    assert.equal(stream.listeners, 0);
    const reading = readFlows(bytesSource(Buffer.concat(stream.bytes)), format ?? 'csv');
    const rows: unknown[] = [];
    for await (const read of reading.batches()) rows.push(...rowsOf(read));
    assert.deepEqual(rows, rowsOf(batch));
  }
});

test('a reader that goes away ends the output quietly; another failure does not', async () => {
  const gone = await openFlowSink('-', { stream: fakeStream(1, 'EPIPE'), bufferBytes: 500 });
  for (let i = 0; i < 20; i++) await gone.write(randomBatch(i, 10));
  assert.equal(gone.readerGone, true);
  await gone.end(sampleInfo);
  const failing = await openFlowSink('-', { stream: fakeStream(1, 'EIO'), bufferBytes: 500 });
  await assert.rejects(async () => {
    for (let i = 0; i < 20; i++) await failing.write(randomBatch(i, 10));
    await failing.end(sampleInfo);
  }, { code: 'disk' });
});

test('a real pipe to `head`', { skip: existsSync('/bin/sh') ? false : 'no /bin/sh' }, () => {
  const module = (name: string): string => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));
  const program = `import { openFlowSink } from ${module('./flow-sink.ts')};
    import { createFlowBatch } from ${module('../flow-batch.ts')};
    const batch = createFlowBatch(4096); batch.rowCount = 4096;
    const info = ${JSON.stringify(sampleInfo)};
    const sink = await openFlowSink('-'); let writes = 0;
    while (!sink.readerGone && writes < 1e5) { writes++; await sink.write(batch); }
    await sink.end(info); process.stderr.write('gone ' + sink.readerGone);`;
  const run = spawnSync('/bin/sh', ['-c', '"$0" --input-type=module -e "$1" | head -n 2', process.execPath, program],
    { encoding: 'utf8' });
  assert.match(run.stdout, /^flowStartMilliseconds,.*\n0,0,0,/);
  assert.equal(run.stderr, 'gone true');
});
