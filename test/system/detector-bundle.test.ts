/**
 * The bundle as it is deployed: one file in an empty folder, on the oldest Node that it promises and on the pinned one.
 * It says its version, explains a config, receives flows, finds the device model, answers on /healthz and ends on
 * SIGTERM; and what it asks of the kernel is within what the systemd unit permits.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { bundleDetector } from '../../deploy/detector-bundle.ts';
import { readUnitStart, unitPath as unit } from '../../deploy/read-unit.ts';
import { DetectorProcess, sendHomeFlows } from '../support/detector-process.ts';
import { layOutDetector } from '../support/detector-world.ts';
import { rootFolder } from '../support/source-tree.ts';
import { missing } from './shared-data.ts';
import { assertSoundUnit } from './sound-unit.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-deployed-'));
const bundle = join(folder, 'natlens-detector.mjs');

before(async () => {
  writeFileSync(bundle, (await bundleDetector()).bytes, { mode: 0o755 });
});
after(() => rmSync(folder, { recursive: true }));

const oldest = join(rootFolder, 'test', 'node22', 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
const nodes: readonly (readonly [name: string, path: string, skip: string | false])[] = [
  ['Node 22.13', oldest, existsSync(oldest) ? false : 'Node 22.13 is not installed: npm ci --prefix test/node22'],
  ['the pinned Node', process.execPath, false],
];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** A folder of its own for a run, with a config; nothing else of natlens is there. */
function layOut(name: string, metricsPort: number): { cwd: string; config: string } {
  const cwd = join(folder, name.replaceAll(/[ .]/g, '-'));
  mkdirSync(cwd);
  return { cwd, config: layOutDetector(cwd, `[metrics]\nlisten = "127.0.0.1:${metricsPort}"`) };
}

/** Flows of a device until its verdict is in the log, a look at the health endpoint, and a clean end. */
async function runOnce(t: TestContext, detector: DetectorProcess, metricsPort: number): Promise<void> {
  t.after(async () => {
    await detector.end('SIGKILL');
  });
  await sendHomeFlows(detector.port, { from: '192.168.1.10', isDevice: true });
  const verdict = await detector.waitFor('verdict');
  assert.equal(verdict.state, 'present');
  const health = await fetch(`http://127.0.0.1:${metricsPort}/healthz`);
  assert.equal(health.status, 200);
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  assert.match(metrics, /^natlens_/m);
  assert.equal((await detector.end('SIGTERM')).code, 0);
  assert.deepEqual(detector.complaints.filter((line) => line !== ''), [], 'nothing but the log is on standard error');
}

for (const [name, node, skip] of nodes) {
  test(`${name}: version, check, a live run`, { skip }, async (t) => {
    const metricsPort = await freePort();
    const { cwd, config } = layOut(name, metricsPort);
    const { version } = JSON.parse(readFileSync(join(rootFolder, 'package.json'), 'utf8')) as { version: string };
    const ask = (...args: string[]): { stdout: string; stderr: string; status: number | null } =>
      spawnSync(node, [bundle, ...args], { encoding: 'utf8', cwd, env: {} });
    assert.deepEqual({ ...pickRun(ask('--version')) }, { stdout: `${version}\n`, stderr: '', status: 0 });
    const check = ask(config, '--check');
    assert.equal(check.status, 0, check.stderr);
    assert.match(check.stdout, /the config is sound/);
    assert.equal(ask(join(cwd, 'no-such.toml')).status, 2);
    await runOnce(t, await DetectorProcess.start(cwd, config, undefined, [node, bundle]), metricsPort);
    // What it knew it knows again.
    const again = await DetectorProcess.start(cwd, config, undefined, [node, bundle]);
    t.after(async () => {
      await again.end('SIGKILL');
    });
    assert.equal(again.find('started')?.homes, 1);
    assert.equal((await again.end('SIGTERM')).code, 0);
  });
}

function pickRun({ stdout, stderr, status }: { stdout: string; stderr: string; status: number | null }): object {
  return { stdout, stderr, status };
}

/** System calls that the unit permits: its filters one after the other, groups taken apart by systemd-analyze. */
function permittedCalls(): Set<string> {
  // Every list of what is permitted permits what a process needs to run at all (systemd.exec(5)).
  const permitted = new Set(expandGroup('@default'));
  for (const [, filter = ''] of readFileSync(unit, 'utf8').matchAll(/^SystemCallFilter=(.*)$/gm)) {
    const isDenial = filter.startsWith('~');
    for (const call of filter.replace('~', '').split(' ').flatMap(expandGroup)) {
      if (isDenial) permitted.delete(call);
      else permitted.add(call);
    }
  }
  return permitted;
}

function expandGroup(name: string): string[] {
  if (!name.startsWith('@')) return [name];
  const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', name], { encoding: 'utf8' });
  const members = stdout.split('\n').slice(1).map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  assert.ok(members.length > 0, `systemd-analyze does not know ${name}`);
  return members.flatMap(expandGroup);
}

const noSystemd = missing({ programs: ['systemd-analyze'] });

test('the unit is sound, and leaves little to whoever gets in', { skip: noSystemd }, (t) => {
  assertSoundUnit(t, 'natlens-detector.service', { program: '/usr/bin/node', folder });
});

test('the drop-in for blocking is sound, too', { skip: noSystemd }, () => {
  const deployed = join(folder, 'with-block', 'natlens-detector.service');
  mkdirSync(join(`${deployed}.d`), { recursive: true });
  writeFileSync(deployed, readFileSync(unit, 'utf8').replaceAll('/usr/bin/node', process.execPath));
  copyFileSync(join(rootFolder, 'deploy', 'natlens-detector-block.conf'), join(`${deployed}.d`, 'block.conf'));
  const verify = spawnSync('systemd-analyze', ['verify', deployed], { encoding: 'utf8' });
  assert.deepEqual({ status: verify.status, stderr: verify.stderr }, { status: 0, stderr: '' });
});

const noTrace = noSystemd || (spawnSync('strace', ['-V'], { stdio: 'ignore' }).error === undefined
  ? false : 'strace is not installed');

test('what a run asks of the kernel is within the unit’s filter', { skip: noTrace }, async (t) => {
  const metricsPort = await freePort();
  const { cwd, config } = layOut('traced', metricsPort);
  const trace = join(cwd, 'trace.txt');
  const detector = await DetectorProcess.start(cwd, config, undefined,
    ['strace', '-D', '-f', '-qq', '-o', trace, process.execPath, ...readUnitStart().nodeOptions, bundle]);
  await runOnce(t, detector, metricsPort);
  const seen = readFileSync(trace, 'latin1').matchAll(/^\d+ +([a-z_\d]+)\(/gm);
  const calls = new Set([...seen].map(([, call = '']) => call));
  assert.ok(calls.size > 40, `strace saw ${calls.size} kinds of calls`);
  const permitted = permittedCalls();
  assert.ok(permitted.size > 200 && !permitted.has('mount') && !permitted.has('ptrace'));
  // SQLite keeps the owner of files when it is root; the service is not.
  if (process.getuid?.() === 0) permitted.add('fchown');
  assert.deepEqual([...calls].filter((call) => !permitted.has(call)), []);
});
