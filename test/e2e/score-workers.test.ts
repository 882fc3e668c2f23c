/** `natlens score --workers` as a user types it: the same bytes on any number of threads, and clean ends. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { environment, launcher, runNatlens, type Ran } from '../support/natlens-process.ts';

let folder = '';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });

const classifiers = [
  ['webcam.Example.Cam_1', 'isolation-forest', 'webcam-forest.nlc'],
  ['webcam.Example.Cam_1', 'chow-liu-tree', 'webcam-tree.nlc'],
  ['hub.Example.Bridge_3', 'isolation-forest', 'hub-forest.nlc'],
  ['hub.Example.Bridge_3', 'local-outlier-factor', 'hub-factor.nlc'],
] as const;
const files = classifiers.map(([, , file]) => file);

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-workers-'));
  makeLabelledHome(folder);
  for (const [model, algorithm, file] of classifiers) {
    const run = natlens('train', 'lab.csv', '--made-as', asMetered, '--device-model', model, '--algorithm', algorithm,
      '-o', file);
    assert.equal(run.status, 0, run.stdout + run.stderr);
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Several batches: files end one, and captures and tables give batches of their own sizes. */
const flows = ['lab.csv', 'lab.csv', 'home.parquet', 'lab.csv', '--made-as', asMetered];

/** A summary without what depends on the machine's moment and on the number of threads. */
function settle(stdout: string): object {
  const { seconds: _, scoreSeconds: __, cpuSeconds: ___, output: ____, workers: _____, ...rest } =
    JSON.parse(stdout) as Record<string, unknown>;
  return rest;
}

for (const suffix of ['csv', 'jsonl', 'parquet']) {
  test(`${suffix} is the same, byte for byte, whoever scores`, () => {
    const [alone, ...others] = [1, 2, 3, 9].map((workers) => {
      const output = `s${workers}.${suffix}`;
      const run = natlens('score', ...flows, ...files, '--workers', String(workers), '-o', output, '--json');
      assert.equal(run.status, 0, run.stderr);
      assert.equal((JSON.parse(run.stdout) as { workers: number }).workers, workers);
      return { bytes: readFileSync(join(folder, output)), summary: settle(run.stdout) };
    });
    assert.ok(alone !== undefined && alone.bytes.length > 10_000);
    for (const other of others) {
      assert.ok(other.bytes.equals(alone.bytes));
      assert.deepEqual(other.summary, alone.summary);
    }
  });
}

test('a small input is scored on one thread unless workers are asked for; what is no number is refused', () => {
  for (const choice of [[], ['--workers', 'auto'], ['--workers', '0']]) {
    const run = natlens('score', ...flows, ...files, ...choice, '--json');
    assert.equal(run.status, 0, run.stderr);
    assert.equal((JSON.parse(run.stdout) as { workers: number }).workers, 1);
  }
  for (const choice of ['many', '65', '-1']) {
    const run = natlens('score', ...flows, ...files, '--workers', choice);
    assert.equal(run.status, 2, run.stderr);
    assert.match(run.stderr, /^natlens: --workers is a number of threads from 1 to 64, or auto, not '.*'\.\n$/);
  }
});

test('flows that do not fit are refused with workers, too, and leave nothing', () => {
  natlens('flows', 'home.pcap', '--active', '60', '-o', 'short.parquet', '-q');
  const run = natlens('score', 'short.parquet', ...files, '--workers', '2', '-o', 'refused.csv');
  assert.equal(run.status, 2, run.stderr);
  assert.match(run.stderr, /active timeout of 120 s/);
  assert.ok(readdirSync(folder).every((name) => !name.includes('refused')));
});

/** A module that is loaded by every thread before anything else; its code runs in workers only. */
function preload(name: string, code: string): string {
  const path = join(folder, `${name}.cjs`);
  writeFileSync(path, `const { isMainThread, threadId } = require('node:worker_threads');\n` +
    `if (!isMainThread) {\n${code}\n}\n`);
  return `--require ${path}`;
}

for (const [name, code, status, message] of [
  ['exits', 'process.exit(9);', 3, /^natlens: A worker thread ended while it was needed \(exit code 9\)\.\n$/],
  ['throws', "throw new TypeError('planted fault');", 70, /bug in natlens.*worker thread failed: .*planted fault/s],
] as const) {
  test(`a worker that ${name} ends the run with exit code ${status}, and no file stays`, () => {
    const run = spawnSync(process.execPath,
      [launcher, 'score', ...flows, ...files, '--workers', '2', '-o', `${name}.parquet`],
      { cwd: folder, encoding: 'utf8', timeout: 60_000,
        env: { ...environment(folder), NODE_OPTIONS: preload(name, code) } });
    assert.deepEqual([run.status, run.signal], [status, null], run.stderr);
    assert.match(run.stderr, message);
    assert.ok(readdirSync(folder).every((file) => !file.includes(`${name}.parquet`)));
  });
}

/** Waits until a folder holds so many names that match; half a minute at most. */
async function waitForNames(cwd: string, pattern: RegExp, count: number): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (readdirSync(cwd).filter((name) => pattern.test(name)).length === count) return;
    await sleep(50);
  }
  assert.fail(`no ${count} names like ${pattern.source} among: ${readdirSync(cwd).join(' ')}`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} while workers run: the command dies of it, and leaves nothing`, async () => {
    const cwd = join(folder, signal);
    mkdirSync(cwd);
    const here = (name: string): string => join(folder, name);
    const child = spawn(process.execPath, [launcher, 'score', here('lab.csv'), '-', ...files.map(here), '--made-as',
      asMetered, '--workers', '2', '-o', 'out.parquet'], {
      cwd, stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...environment(folder), NODE_OPTIONS: preload(signal,
        `require('node:fs').writeFileSync(\`worker-\${threadId}\`, '');`) },
    });
    // Half a capture behind the first file: the run waits for more of it, and its workers for flows.
    const capture = readFileSync(here('home.pcap'));
    child.stdin.on('error', (error: NodeJS.ErrnoException) => assert.equal(error.code, 'EPIPE'));
    child.stdin.write(capture.subarray(0, capture.length >>> 1));
    await waitForNames(cwd, /^worker-/, 2);
    await waitForNames(cwd, /\.partial$/, 1);
    child.kill(signal);
    assert.deepEqual(await once(child, 'exit'), [null, signal]);
    assert.deepEqual(readdirSync(cwd).filter((name) => !name.startsWith('worker-')), []);
  });
}
