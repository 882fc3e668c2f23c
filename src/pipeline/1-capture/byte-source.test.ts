/** Plain, gzip and Zstandard inputs give the same bytes; cut and damaged ones give all there is, then a problem. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { EnvironmentError, OperatorError, Random } from '#base';
import { type ByteSource, type ByteSourceOptions, openByteSource } from './byte-source.ts';
import { concat, hex } from './capture-samples.ts';
import { recogniseCompression } from './decompress.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-byte-source-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(bytes: Uint8Array): string {
  const path = join(folder, 'input');
  writeFileSync(path, bytes);
  return path;
}

function pipeOf(bytes: Uint8Array, pieceBytes: number): Readable {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return Readable.from(pieces);
}

async function readToEnd(source: ByteSource): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of source.chunks()) parts.push(chunk.slice());
  await source.close();
  return concat(...parts);
}

/** Reads one file to its end. */
async function readFile(
  bytes: Uint8Array, options: ByteSourceOptions = {},
): Promise<{ bytes: Uint8Array; source: ByteSource }> {
  const source = await openByteSource(fileOf(bytes), options);
  return { bytes: await readToEnd(source), source };
}

/** Equality without the difference in words, which would take minutes for arrays of this size. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  assert.equal(Buffer.compare(actual, expected), 0);
}

/** Half noise, half repetition: neither compressed away nor incompressible. */
function sample(bytes: number): Uint8Array {
  const random = new Random(7);
  const data = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) data[i] = i % 64 < 32 ? random.integer(0, 255) : i >> 6;
  return data;
}

const plain = sample(700_000);
const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const compressed: Readonly<Record<'gzip' | 'zstd', Uint8Array>> = {
  gzip: new Uint8Array(gzipSync(plain)), zstd: new Uint8Array(zstdCompressSync(plain, checksum)),
};
const kinds = ['gzip', 'zstd'] as const;
const compress = { gzip: gzipSync, zstd: zstdCompressSync };

test('plain, gzip and zstd files give the same bytes, sizes and head', async () => {
  for (const [kind, file] of [['none', plain], ['gzip', compressed.gzip], ['zstd', compressed.zstd]] as const) {
    const { bytes, source } = await readFile(file, { chunkBytes: 10_007 });
    assertSame(bytes, plain);
    assert.equal(source.compression, kind);
    assertSame(source.head, plain.slice(0, 1 << 16));
    assert.deepEqual([source.sizeBytes, source.readBytes, source.problem], [file.length, file.length, undefined]);
  }
});

test('pipes give the same, whatever pieces they come in', async () => {
  for (const file of [plain, compressed.gzip, compressed.zstd]) {
    for (const pieceBytes of [997, 70_000]) {
      const source = await openByteSource('-', { stdin: pipeOf(file, pieceBytes) });
      assertSame(await readToEnd(source), plain);
      assert.deepEqual([source.path, source.sizeBytes, source.readBytes], ['-', undefined, file.length]);
    }
  }
});

test('property: heads and chunks of any size', async () => {
  await fc.assert(fc.asyncProperty(
    fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 64 }),
    fc.integer({ min: 1, max: 50 }),
    async (bytes, headBytes, chunkBytes, pieceBytes) => {
      fc.pre(recogniseCompression(bytes) === 'none');
      for (const file of [bytes, gzipSync(bytes), zstdCompressSync(bytes)]) {
        const source = await openByteSource('-', { stdin: pipeOf(file, pieceBytes), headBytes, chunkBytes });
        assert.deepEqual(source.head, bytes.slice(0, headBytes));
        let chunkBytesSeen = 0;
        const parts: Uint8Array[] = [];
        for await (const chunk of source.chunks()) {
          chunkBytesSeen = Math.max(chunkBytesSeen, chunk.length);
          parts.push(chunk.slice());
        }
        assert.deepEqual(concat(...parts), new Uint8Array(bytes));
        assert.ok(chunkBytesSeen <= chunkBytes);
        assert.equal(source.problem, undefined);
        await source.close();
      }
    },
  ), { numRuns: 60 });
});

for (const kind of kinds) {
  test(`${kind}: several members after one another, down to tiny ones`, async () => {
    for (const memberBytes of [1009, 123_457]) {
      const members: Uint8Array[] = [];
      for (let at = 0; at < plain.length; at += memberBytes) {
        members.push(compress[kind](plain.subarray(at, at + memberBytes)));
      }
      const { bytes, source } = await readFile(concat(...members));
      assert.deepEqual([bytes.length, source.problem], [plain.length, undefined]);
      assertSame(bytes, plain);
    }
  });

  test(`${kind}: cut anywhere gives what can be decompressed, then the problem`, async () => {
    const file = compressed[kind];
    for (const length of [4, 5, 11, 1000, file.length >> 1, file.length - 200, file.length - 1]) {
      const { bytes, source } = await readFile(file.subarray(0, length));
      assertSame(bytes, plain.subarray(0, bytes.length));
      // Zstandard blocks hold up to 128 KiB and are decompressed whole or not at all.
      const wantedBytes = plain.length * (length / file.length) - (kind === 'gzip' ? 40_000 : 200_000);
      assert.ok(bytes.length >= wantedBytes, `${bytes.length} bytes of a file cut to ${length}`);
      assert.deepEqual([source.problem?.code, source.problem?.offsetBytes], ['cut-file', bytes.length]);
    }
  });

  test(`${kind}: zeros behind the end are padding, other bytes a problem that costs nothing`, async () => {
    for (const padBytes of [3, 1000, 200_000]) {
      const { bytes, source } = await readFile(concat(compressed[kind], new Uint8Array(padBytes)));
      assert.deepEqual([bytes.length, source.problem], [plain.length, undefined]);
    }
    const { bytes, source } = await readFile(concat(compressed[kind], new Uint8Array(1000).fill(7)));
    assertSame(bytes, plain);
    assert.equal(source.problem?.code, 'damaged-file');
  });

  test(`${kind}: damage gives what lies before it, then the problem`, async () => {
    const file = compressed[kind].slice();
    const at = file.length - 3000;
    file.fill(0xff, at, at + 64);
    const { bytes, source } = await readFile(file);
    const goodBytes = Math.floor(plain.length * (at / file.length)) - 200_000;
    assert.ok(bytes.length >= goodBytes, `${bytes.length} of at least ${goodBytes} bytes`);
    assertSame(bytes.subarray(0, goodBytes), plain.subarray(0, goodBytes));
    assert.equal(source.problem?.code, 'damaged-file');
    // A pipe cannot be read again: up to a piece of it is lost before the damage, but nothing is wrong.
    const pipe = await openByteSource('-', { stdin: pipeOf(file, 5000) });
    const piped = await readToEnd(pipe);
    assert.ok(piped.length > goodBytes - 200_000);
    assertSame(piped.subarray(0, goodBytes), plain.subarray(0, Math.min(piped.length, goodBytes)));
    assert.equal(pipe.problem?.code, 'damaged-file');
  });

  test(`${kind}: an empty content is an empty head without a problem`, async () => {
    const { bytes, source } = await readFile(compress[kind](hex('')));
    assert.deepEqual([bytes.length, source.head.length, source.problem, source.compression], [0, 0, undefined, kind]);
  });
}

test('gzip: damage in a small file costs only what lies behind it', async () => {
  const text = sample(20_000);
  const file = new Uint8Array(gzipSync(text));
  file.fill(0xff, file.length - 500, file.length - 400);
  const { bytes, source } = await readFile(file);
  assert.ok(bytes.length > 18_000, `${bytes.length} bytes`);
  assertSame(bytes.subarray(0, 18_000), text.subarray(0, 18_000));
  assert.equal(source.problem?.code, 'damaged-file');
});

test('zstd: skippable frames, first and between', async () => {
  const skippable = hex('502a4d18 04000000 01020304');
  const { bytes, source } = await readFile(
    concat(skippable, zstdCompressSync(plain.subarray(0, 5)), skippable, zstdCompressSync(plain.subarray(5))));
  assertSame(bytes, plain);
  assert.deepEqual([source.compression, source.problem], ['zstd', undefined]);
});

test('content that expands a thousandfold goes through in bounded memory', async () => {
  const source = await openByteSource(fileOf(zstdCompressSync(new Uint8Array(300 << 20))));
  const before = process.memoryUsage.rss();
  let count = 0;
  for await (const chunk of source.chunks()) count += chunk.length;
  await source.close();
  assert.equal(count, 300 << 20);
  assert.ok(process.memoryUsage.rss() - before < 100 << 20);
});

test('an empty file is an empty head', async () => {
  const { bytes, source } = await readFile(hex(''));
  assert.deepEqual([bytes.length, source.head.length, source.sizeBytes, source.problem], [0, 0, 0, undefined]);
});

const opening = (path: string) => async (): Promise<ByteSource> => await openByteSource(path);
const refuses = (pattern: RegExp) => (thrown: unknown): boolean =>
  thrown instanceof OperatorError && thrown.code === 'input-unreadable' && pattern.test(thrown.message);

test('what cannot be opened is refused with a sentence that names it and says what to do', async () => {
  await assert.rejects(opening(join(folder, 'absent')), refuses(/absent does not exist: check the path\.$/));
  await assert.rejects(opening(folder), refuses(/is a folder: name the files in it/));
  await assert.rejects(opening(join(fileOf(hex('00')), 'below')), refuses(/does not exist/));
  await assert.rejects(opening(join(folder, 'x'.repeat(5000))), refuses(/too long/));
  await assert.rejects(opening(`${folder}/\0`), refuses(/cannot be opened/));
});

const mayReadAll = process.getuid?.() === 0 && !canDropRights() && 'this user may read everything';
test('a file without rights is refused', { skip: mayReadAll }, async () => {
  const locked = join(folder, 'locked');
  mkdirSync(locked);
  writeFileSync(join(locked, 'file'), 'x');
  chmodSync(locked, 0o000);
  const before = process.geteuid?.();
  if (before === 0) process.seteuid?.(65_534);
  try {
    await assert.rejects(opening(join(locked, 'file')), refuses(/may not be read by this user/));
  } finally {
    if (before === 0) process.seteuid?.(0);
    chmodSync(locked, 0o700);
  }
});

function canDropRights(): boolean {
  try {
    process.seteuid?.(65_534);
    process.seteuid?.(0);
    return true;
  } catch {
    return false;
  }
}

test('a pipe that fails is the environment\'s failure', async () => {
  const failing = new Readable({ read() { this.destroy(new Error('the cable is out')); } });
  await assert.rejects(openByteSource('-', { stdin: failing }),
    (thrown) => thrown instanceof EnvironmentError &&
      thrown.message.includes('input: reading failed (the cable is out)'));
});

test('closing early, twice, in the middle of a compressed input', async () => {
  for (const file of [plain, compressed.gzip, compressed.zstd]) {
    const source = await openByteSource(fileOf(file));
    assert.equal(await source.read(new Uint8Array(100), 40), 60);
    await source.close();
    await source.close();
  }
  const source = await openByteSource('-', { stdin: pipeOf(plain, 1000), headBytes: 10 });
  await source.close();
  await source.close();
});

const noPipes = spawnSync('mkfifo', ['--version']).status !== 0 && 'mkfifo is absent';
test('a named pipe is read like a file', { skip: noPipes }, async () => {
  const path = join(folder, 'fifo');
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const { createWriteStream } = await import('node:fs');
  createWriteStream(path).end(compressed.gzip);
  const source = await openByteSource(path);
  assertSame(await readToEnd(source), plain);
  assert.equal(source.sizeBytes, undefined);
});
