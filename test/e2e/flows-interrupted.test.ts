/** `natlens flows` and `natlens demo` ended by a signal while they work: they die of it, and leave no file behind. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeHomeCapture } from '#sim';
import { environment, launcher } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-interrupted-'));
after(() => rmSync(folder, { recursive: true }));
/** Half a capture: with the pipe still open behind it, a run waits for more, and has its outputs open. */
let firstHalf: Buffer;

before(async () => {
  const capture = join(folder, 'home.pcap');
  await writeHomeCapture(capture, { seed: 5, durationS: 300 });
  const bytes = readFileSync(capture);
  firstHalf = bytes.subarray(0, bytes.length >>> 1);
  assert.ok(firstHalf.length > 1 << 17, 'more than is looked at to tell the kind of an input');
});

/** Starts a command in a new folder, as one process of its own; `TMPDIR` lies in that folder too. */
function start(name: string, ...args: string[]): { child: ChildProcess; cwd: string } {
  const cwd = join(folder, name);
  mkdirSync(join(cwd, 'tmp'), { recursive: true });
  const child = spawn(process.execPath, [launcher, ...args],
    { cwd, env: { ...environment(folder), TMPDIR: join(cwd, 'tmp') }, stdio: ['pipe', 'ignore', 'pipe'] });
  return { child, cwd };
}

/** Gives half a capture and leaves the pipe open. A process that dies before it has read all of it is no failure. */
function feed(child: ChildProcess): void {
  child.stdin?.on('error', (error: NodeJS.ErrnoException) => assert.equal(error.code, 'EPIPE'));
  child.stdin?.write(firstHalf);
}

/** Names in a folder that match, once there are so many; waits half a minute at most. */
async function waitForNames(cwd: string, pattern: RegExp, count: number): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (existsSync(cwd) && readdirSync(cwd).filter((name) => pattern.test(name)).length === count) return;
    await sleep(50);
  }
  assert.fail(`no ${count} names like ${pattern.source} among: ${readdirSync(cwd).join(' ')}`);
}

const waitForPartialFiles = (cwd: string, count: number): Promise<void> => waitForNames(cwd, /\.partial$/, count);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  for (const suffix of ['csv', 'parquet']) {
    test(`${signal} while ${suffix} and DNS queries are written: nothing stays`, async () => {
      const { child, cwd } = start(`${signal}-${suffix}`, 'flows', '-', '-o', `out.${suffix}`, '--dns', 'dns.csv');
      feed(child);
      await waitForPartialFiles(cwd, 2);
      child.kill(signal);
      assert.deepEqual(await once(child, 'exit'), [null, signal]);
      assert.deepEqual(readdirSync(cwd), ['tmp']);
    });
  }
}

for (const [signal, exitCode] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  test(`after ${signal} a shell sees ${exitCode}; an older output of the same name is untouched`, async () => {
    const cwd = join(folder, `shell-${signal}`);
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'out.csv'), 'older');
    const script = '(echo "$BASHPID" > pid; exec "$NODE" "$LAUNCHER" flows - -o out.csv); echo "exit $?"';
    const shell = spawn('bash', ['-c', script], {
      cwd, stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...environment(folder), NODE: process.execPath, LAUNCHER: launcher },
    });
    let text = '';
    shell.stdout.on('data', (chunk: Buffer) => void (text += chunk.toString()));
    feed(shell);
    await waitForPartialFiles(cwd, 1);
    process.kill(Number(readFileSync(join(cwd, 'pid'), 'utf8')), signal);
    await once(shell, 'close');
    assert.equal(text, `exit ${exitCode}\n`);
    assert.deepEqual(readdirSync(cwd).sort(), ['out.csv', 'pid']);
    assert.equal(readFileSync(join(cwd, 'out.csv'), 'utf8'), 'older');
  });
}

test('natlens demo leaves no half-written file behind', async () => {
  const { child, cwd } = start('demo', 'demo');
  // Both sides of the NAT, and what it translated.
  await waitForNames(join(cwd, 'out', 'demo', 'lab'), /\.partial$/, 3);
  child.kill('SIGINT');
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGINT']);
  assert.deepEqual(readdirSync(join(cwd, 'out', 'demo', 'lab')), []);
});
