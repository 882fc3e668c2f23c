/** `natlens flows` on what people hand it: captures in every wrapping, and files that are none, or not whole. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { writeHomeCapture } from '#sim';
import { readRows, runLine, runNatlens, type Ran } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-inputs-'));
after(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]): Ran => runNatlens(args, { cwd: folder });
const at = (name: string): string => join(folder, name);

let bytes: Buffer;
let plainCsv = '';

before(async () => {
  await writeHomeCapture(at('home.pcap'), { seed: 5, durationS: 120 });
  bytes = readFileSync(at('home.pcap'));
  const ran = run('flows', 'home.pcap', '-o', 'plain.csv');
  assert.equal(ran.status, 0, ran.stderr);
  plainCsv = readFileSync(at('plain.csv'), 'utf8');
  assert.ok(readRows(plainCsv).length > 50);
});

/** One clear sentence about the input, exit code 2, nothing on standard output and no output file. */
function assertRefused(ran: Ran, sentence: RegExp): void {
  assert.equal(ran.status, 2, ran.stderr);
  assert.equal(ran.stdout, '');
  assert.match(ran.stderr, /^natlens: [^\n]+\n$/);
  assert.match(ran.stderr, sentence);
  assert.doesNotMatch(ran.stderr, /\n\s+at |Error:/);
}

test('files that are no input: one sentence each, exit code 2', () => {
  writeFileSync(at('notes.txt'), 'Dear diary,\ntoday I captured nothing.\n');
  writeFileSync(at('empty.pcap'), '');
  mkdirSync(at('some-folder'));
  assertRefused(run('flows', 'notes.txt'), /notes\.txt is neither a capture .* nor a flow file/);
  assertRefused(run('flows', 'empty.pcap'), /empty\.pcap is empty/);
  assertRefused(run('flows', 'gone.pcap'), /gone\.pcap does not exist/);
  assertRefused(run('flows', 'home.pcap/gone'), /does not exist/);
  assertRefused(run('flows', 'some-folder'), /some-folder is a folder/);
  assertRefused(run('flows', 'home.pcap', 'notes.txt', '-o', 'none.csv'), /notes\.txt is neither/);
  assert.throws(() => statSync(at('none.csv')), /ENOENT/);
  assertRefused(runNatlens(['flows', '-'], { cwd: folder, input: new Uint8Array(0) }), /Standard input is empty/);
  assertRefused(runNatlens(['flows', '-'], { cwd: folder, input: Buffer.from('hello\n') }),
    /Standard input is neither/);
  assertRefused(run('flows', '-', '-'), /Standard input can be read once/);
});

test('a file or a folder that may not be read: one sentence, exit code 2', (context) => {
  mkdirSync(at('closed-folder'));
  copyFileSync(at('home.pcap'), at('closed-folder/inside.pcap'));
  copyFileSync(at('home.pcap'), at('closed.pcap'));
  chmodSync(at('closed.pcap'), 0o000);
  chmodSync(at('closed-folder'), 0o000);
  chmodSync(folder, 0o755);
  // Root may read everything: it becomes nobody for this test.
  const uid = process.getuid?.() === 0 ? 65_534 : undefined;
  try {
    if (uid !== undefined) {
      const probe = spawnSync(process.execPath, ['-e', ''], { cwd: folder, uid, gid: uid });
      const isStarted = probe.status === 0 && runNatlens(['--version'], { cwd: folder, uid }).status === 0;
      if (!isStarted) {
        return context.skip('root runs this test, and no other user may enter the folders of Node or natlens');
      }
    }
    const options = { cwd: folder, ...(uid === undefined ? {} : { uid }) };
    assertRefused(runNatlens(['flows', 'closed.pcap'], options), /closed\.pcap may not be read by this user/);
    assertRefused(runNatlens(['flows', 'closed-folder/inside.pcap'], options), /may not be read by this user/);
    assertRefused(runNatlens(['flows', 'closed-folder'], options), /closed-folder is a folder/);
  } finally {
    chmodSync(at('closed-folder'), 0o755);
  }
});

/** Offset of the record that holds byte `offset` of a little-endian pcap. */
function recordStart(offset: number): number {
  let start = 24;
  for (let next = start; next <= offset; next += 16 + bytes.readUInt32LE(next + 8)) start = next;
  return start;
}

test('a file cut in the middle: what can be read, the byte where it broke, exit code 1', () => {
  const cutAt = recordStart(Math.floor(bytes.length / 2)) + 20;
  writeFileSync(at('cut.pcap'), bytes.subarray(0, cutAt));
  const ran = run('flows', 'cut.pcap', '-o', 'cut.csv', '--json');
  assert.equal(ran.status, 1);
  const summary = JSON.parse(ran.stdout) as { packets: number; problems: { code: string; offsetBytes: number }[] };
  assert.deepEqual(summary.problems.map(({ code, offsetBytes }) => [code, offsetBytes]), [['cut-file', cutAt - 20]]);
  const whole = run('flows', 'cut.pcap');
  assert.equal(whole.status, 1);
  assert.ok(whole.stdout.includes(`begins at byte ${cutAt - 20}`), whole.stdout);

  writeFileSync(at('until.pcap'), bytes.subarray(0, cutAt - 20));
  assert.equal(run('flows', 'until.pcap', '-o', 'until.csv').status, 0);
  assert.equal(readFileSync(at('cut.csv'), 'utf8'), readFileSync(at('until.csv'), 'utf8'));
});

test('a compressed file cut in the middle, or before its first byte of content', () => {
  for (const [name, packed] of [['cut.gz', gzipSync(bytes)], ['cut.zst', zstdCompressSync(bytes)]] as const) {
    writeFileSync(at(name), packed.subarray(0, Math.floor(packed.length * 0.7)));
    const ran = run('flows', name, '--json');
    assert.equal(ran.status, 1, ran.stderr);
    const summary = JSON.parse(ran.stdout) as { meteredPackets: number; problems: { code: string; detail: string }[] };
    assert.ok(summary.meteredPackets > 100);
    assert.equal(summary.problems[0]?.code, 'cut-file');
    assert.match(summary.problems[0]?.detail ?? '', /compressed byte \d+/);
    writeFileSync(at(`early-${name}`), packed.subarray(0, 6));
    assertRefused(run('flows', `early-${name}`), /nothing can be read\. The compressed input ends in the middle/);
  }
});

test('compressed, from standard input, from a pipe: the same flows', () => {
  writeFileSync(at('home.pcap.gz'), gzipSync(bytes));
  writeFileSync(at('home.pcap.zst'), zstdCompressSync(bytes));
  // The name does not matter, the bytes do.
  copyFileSync(at('home.pcap.gz'), at('renamed.bin'));
  for (const line of [
    'natlens flows home.pcap.gz -o -', 'natlens flows home.pcap.zst -o -', 'natlens flows renamed.bin -o -',
    'natlens flows - -o - < home.pcap', 'cat home.pcap | natlens flows - -o -',
    'cat home.pcap.zst | natlens flows - -o -', 'natlens flows <(cat home.pcap.gz) -o -',
  ]) {
    const ran = runLine(line, folder);
    assert.equal(ran.status, 0, `${line}\n${ran.stderr}`);
    assert.ok(ran.stdout === plainCsv, line);
  }
});

test('several inputs are one: a capture in three files gives the flows of the whole', () => {
  const first = recordStart(Math.floor(bytes.length / 3));
  const second = recordStart(Math.floor(bytes.length / 2));
  const header = bytes.subarray(0, 24);
  writeFileSync(at('1.pcap'), bytes.subarray(0, first));
  writeFileSync(at('2.pcap.gz'), gzipSync(Buffer.concat([header, bytes.subarray(first, second)])));
  writeFileSync(at('3.pcap'), Buffer.concat([header, bytes.subarray(second)]));
  const ran = runLine('natlens flows 1.pcap 2.pcap.gz - -o parts.csv --json < 3.pcap', folder);
  assert.equal(ran.status, 0, ran.stderr);
  assert.equal((JSON.parse(ran.stdout) as { inputs: unknown[] }).inputs.length, 3);
  assert.equal(readFileSync(at('parts.csv'), 'utf8'), plainCsv);
});
