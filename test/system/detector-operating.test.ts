/**
 * The real process when the machine fails it: killed, a disk that is full under state and log, a log that nobody
 * takes, folders that it must not read, a mail server that hangs while it is to end. Root for the disk and the user.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { askDetector } from '../../src/apps/detector/control/ask-detector.ts';
import type { HomeExplanation } from '../../src/apps/detector/home-desk.ts';
import type { DetectorStatus } from '../../src/apps/detector/status.ts';
import { DetectorProcess, sendHomeFlows } from '../support/detector-process.ts';
import { layOutDetector, makeArtifact } from '../support/detector-world.ts';
import { until } from '../support/running-detector.ts';
import { ScriptedSmtp } from '../support/scripted-smtp.ts';

const isRoot = process.getuid?.() === 0;
const artifact = makeArtifact();

function layOut(t: TestContext, { head = '', more = '' } = {}): { folder: string; config: string; state: string } {
  const folder = newFolder(t);
  const config = layOutDetector(folder, more, { 'webcam.nlc': artifact });
  writeFileSync(join(folder, 'secret'), 'a secret of more than twenty-four bytes', { mode: 0o600 });
  writeFileSync(config, `${head}\n${readFileSync(config, 'utf8')}`);
  return { folder, config, state: join(folder, 'state') };
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-operating-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const statusOf = async (state: string): Promise<DetectorStatus> =>
  await askDetector(state, 'GET', '/status') as DetectorStatus;
const explain = async (state: string, home: string): Promise<HomeExplanation> =>
  await askDetector(state, 'POST', '/explain', { home }) as HomeExplanation;
const byAddress = '[homes]\nmap = "address"\ninside = ["198.51.100.0/24"]\n';

test('killed at any time: what was told stands, and no more evidence is lost than of a checkpoint', async (t) => {
  const told: string[] = [];
  const hook = createServer((request, response) => {
    told.push(String(request.headers['webhook-id']));
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => void hook.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    hook.close();
    hook.closeAllConnections();
  });
  const { folder, config, state } = layOut(t, {
    head: 'dry_run = false\ncheckpoint = "1s"', more: `${byAddress}
[[webhook]]
name = "hook"
url = "http://127.0.0.1:${(hook.address() as AddressInfo).port}/"
rungs = ["observe"]
secret_file = "secret"
` });
  const weak = '198.51.100.200';
  let kept: HomeExplanation | undefined;
  for (let i = 1; i <= 4; i++) {
    const detector = (await DetectorProcess.start(folder, config)).endAfter(t);
    if (kept !== undefined) assert.deepEqual((await explain(state, weak)).evidence, kept.evidence);
    assert.equal((await statusOf(state)).verdicts.present, i - 1, 'verdicts of all that were killed before');
    // Two flows in all are not enough for a verdict, and are evidence.
    await sendHomeFlows(detector.port, { from: weak, isDevice: true, count: 1, seed: 3 + i % 2 });
    await until('it is in', async () => (await statusOf(state)).flows.ofHomes === 1);
    await until('it is written', async () => ((await statusOf(state)).checkpointAgeMs ?? Infinity) < 200);
    kept = await explain(state, weak);
    await sendHomeFlows(detector.port, { from: `198.51.100.${i}`, isDevice: true });
    await detector.waitFor('verdict');
    // Now, a bit later, and when the webhook was told.
    if (i === 2) await sleep(5);
    else if (i > 2) await until('it is told', () => new Set(told).size >= i - 2);
    assert.deepEqual(await detector.end('SIGKILL').then(({ signal }) => signal), 'SIGKILL');
  }
  const detector = (await DetectorProcess.start(folder, config)).endAfter(t);
  assert.equal((await statusOf(state)).verdicts.present, 4);
  assert.equal(detector.find('verdict'), undefined, 'none of them is news');
  for (let i = 1; i <= 4; i++) {
    const { actions } = await explain(state, `198.51.100.${i}`);
    assert.equal(actions.length, 1);
    assert.ok(['planned', 'done'].includes(actions[0]?.state ?? ''), 'done, or waits to be done');
  }
  assert.equal((await detector.end('SIGTERM')).code, 0);
  // A webhook may hear twice of one thing, by the same id; it never hears of one thing by two.
  assert.ok(new Set(told).size <= 4);
});

test('a full disk under state and log: it goes on, says so, and writes when there is room', { skip: isRoot ? false :
  'a file system of its own needs root' }, async (t) => {
  const disk = mkdtempSync(join(tmpdir(), 'natlens-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], { encoding: 'utf8' });
  t.after(() => {
    spawnSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true });
  });
  if (mounted.status !== 0) return t.skip(`no tmpfs: ${mounted.stderr}`);
  const { folder, config } = layOut(t, { head: 'checkpoint = "1s"', more: byAddress });
  const state = join(disk, 'state');
  const logFile = join(disk, 'log');
  writeFileSync(config, readFileSync(config, 'utf8').replace('state_folder = "state"', `state_folder = "${state}"`));
  const log = openSync(logFile, 'a');
  const detector = DetectorProcess.spawn(folder, config, log).endAfter(t);
  closeSync(log);
  const linesOf = (): string[] => readFileSync(logFile, 'utf8').split('\n').filter(Boolean);
  await until('it has started', () => linesOf().some((line) => line.includes('"started"')));
  const port = (await statusOf(state)).input.udp.sockets[0]?.port ?? 0;

  const filler = join(disk, 'filler');
  const fill = openSync(filler, 'w');
  spawnSync('dd', ['if=/dev/zero', 'bs=4096'], { stdio: ['ignore', fill, 'ignore'] });
  closeSync(fill);
  for (let i = 1; i <= 20; i++) await sendHomeFlows(port, { from: `198.51.100.${i}`, isDevice: true });
  await until('all are found', async () => (await statusOf(state)).verdicts.present === 20);
  await until('it says so', async () => (await statusOf(state)).health.some(({ code }) => code === 'state-unwritable'));
  const before = linesOf().length;
  assert.ok((await statusOf(state)).lostLogLines > 0);

  rmSync(filler);
  await until('it is written', async () => (await statusOf(state)).health.every(({ code }) =>
    code !== 'state-unwritable'));
  await until('the log goes on', () => linesOf().length > before);
  assert.equal((JSON.parse(linesOf().at(-1) ?? '') as { event: string }).event, 'state-writable');
  await until('a checkpoint', async () => ((await statusOf(state)).checkpointAgeMs ?? Infinity) < 1_000);

  // Full again, and it is to end: in order, with what there was room for.
  const again = openSync(filler, 'w');
  spawnSync('dd', ['if=/dev/zero', 'bs=4096'], { stdio: ['ignore', again, 'ignore'] });
  closeSync(again);
  await sendHomeFlows(port, { from: '198.51.100.99', isDevice: true });
  await until('it is found', async () => (await statusOf(state)).verdicts.present === 21);
  const end = await detector.end('SIGTERM');
  assert.deepEqual([end.code, end.signal], [0, null]);
  rmSync(filler);
  const restarted = (await DetectorProcess.start(folder, config)).endAfter(t);
  assert.ok((await statusOf(state)).verdicts.present >= 20);
  assert.equal((await restarted.end('SIGTERM')).code, 0);
});

test('a log that takes nothing does not end the detector, which counts the lines', async (t) => {
  const { folder, config, state } = layOut(t);
  const full = openSync('/dev/full', 'w');
  const detector = DetectorProcess.spawn(folder, config, full).endAfter(t);
  closeSync(full);
  await until('it answers', async () => typeof await askDetector(state, 'GET', '/status').catch(() => 0) === 'object');
  // Which the system tells a moment after they were written.
  await until('it says that lines are lost', async () => (await statusOf(state)).lostLogLines > 0);
  const { input } = await statusOf(state);
  await sendHomeFlows(input.udp.sockets[0]?.port ?? 0, { from: '192.168.1.7', isDevice: true });
  await until('the verdict', async () => (await statusOf(state)).verdicts.present === 1);
  const { code, signal } = await detector.end('SIGTERM');
  assert.deepEqual([code, signal], [0, null]);
});

test('a reader of the log that goes away does not end it', async (t) => {
  const { folder, config, state } = layOut(t);
  const detector = (await DetectorProcess.start(folder, config)).endAfter(t);
  detector.dropLog();
  await sendHomeFlows(detector.port, { from: '192.168.1.7', isDevice: true });
  await until('the verdict', async () => (await statusOf(state)).verdicts.present === 1);
  assert.equal((await detector.end('SIGTERM')).code, 0);
});

test('a user that may not read the classifiers, or not write the state: one sentence', { skip: isRoot ? false :
  'another user needs root' }, async (t) => {
  const { folder, config } = layOut(t);
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'state'), { mode: 0o700 });
  const nobody = 65_534;
  const unwritable = DetectorProcess.spawn(folder, config, undefined, undefined, nobody).endAfter(t);
  assert.equal((await unwritable.ended()).code, 3);
  assert.match(unwritable.complaints.join('\n'), /^natlens: .*state.*(permission denied|EACCES)/i);
  spawnSync('chown', [String(nobody), join(folder, 'state')]);
  chmodSync(join(folder, 'classifiers'), 0o700);
  const blind = (await DetectorProcess.start(folder, config, undefined, undefined, nobody)).endAfter(t);
  assert.match(String(blind.find('classifier-refused')?.detail), /The folder cannot be read/);
  const { health, classifiers } = await statusOf(join(folder, 'state'));
  assert.deepEqual(health.map(({ code }) => code), ['no-classifier', 'classifier-refused']);
  assert.deepEqual(classifiers.refused.map(({ code }) => code), ['unreadable']);
  assert.equal((await blind.end('SIGTERM')).code, 0);
});

const mailOf = (port: number): string => `
[[home]]
name = "home"
mail = "customer@example.net"
[mail]
server = "smtp://127.0.0.1:${port}"
require_tls = false
from = "security@example.net"
provider_name = "Example Net"
`;

test('nobody who hangs holds up an end: receivers, programs, exporters, askers', async (t) => {
  const silent = createTcpServer(() => undefined);
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
  const sockets: Socket[] = [];
  silent.on('connection', (socket) => sockets.push(socket.on('error', () => undefined)));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const cases: readonly (readonly [kind: string, more: string])[] = [
    ['webhook', `[[webhook]]\nname = "hook"\nurl = "http://127.0.0.1:${port}/"\nsecret_file = "secret"`],
    ['mail', mailOf(port)],
    ['verify', '[verify]\non = true\ncommand = ["/bin/sh", "-c", "trap : TERM; sleep 60; sleep 60"]'],
    // Nobody says that TLS has begun.
    ['syslog', `[[syslog]]\nname = "siem"\nserver = "tls://127.0.0.1:${port}"`],
  ];
  await Promise.all(cases.map(async ([kind, more]) => {
    const { folder, config, state } = layOut(t, { head: 'dry_run = false', more: `${more}
[input]
listen = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
l7 = "exporter"
[metrics]
listen = "127.0.0.1:0"
` });
    const detector = (await DetectorProcess.start(folder, config)).endAfter(t);
    const tcp = detector.lines.find(({ transport }) => transport === 'tcp')?.port as number;
    const idle = [connect(tcp, '127.0.0.1'), connect(detector.find('metrics')?.port as number, '127.0.0.1'),
      connect(join(state, 'control.sock'))];
    for (const socket of idle) socket.on('error', () => undefined);
    await sendHomeFlows(detector.port, { from: '192.168.1.7', isDevice: true });
    await detector.waitFor('verdict');
    await until(`${kind} is under way`, async () => (await statusOf(state)).actions.outbox.attempting === 1);
    await sleep(200);
    const { code, tookMs } = await detector.end('SIGTERM');
    for (const socket of idle) socket.destroy();
    assert.equal(code, 0);
    assert.ok(tookMs < 2_000, `${kind}: ${tookMs} ms`);
    assert.deepEqual([detector.lines.at(-1)?.isWritten, detector.lines.at(-1)?.actionsCutOff], [true, false], kind);
    const again = (await DetectorProcess.start(folder, config)).endAfter(t);
    assert.deepEqual((await explain(state, 'home')).actions.map((action) => [action.kind, action.attempts]),
      [[kind, 1]], 'it waits to be tried again');
    assert.equal((await again.end('SIGTERM')).code, 0);
  }));
});

test('a mail server that took a mail and does not say so holds up an end for five seconds, not longer', async (t) => {
  const server = await ScriptedSmtp.open({ end: 'silence' });
  t.after(() => server.close());
  const { folder, config, state } = layOut(t, { head: 'dry_run = false', more: mailOf(server.port) });
  const detector = (await DetectorProcess.start(folder, config)).endAfter(t);
  await sendHomeFlows(detector.port, { from: '192.168.1.7', isDevice: true });
  await until('the mail is with the server', () => server.count('dots') === 1);
  const { code, tookMs } = await detector.end('SIGTERM');
  assert.equal(code, 0);
  assert.ok(tookMs > 4_000 && tookMs < 6_500, `${tookMs} ms`);
  assert.equal(detector.lines.at(-1)?.actionsCutOff, true);
  const again = (await DetectorProcess.start(folder, config)).endAfter(t);
  await again.waitFor('action-uncertain');
  assert.deepEqual((await explain(state, 'home')).actions.map(({ state: end }) => end), ['uncertain']);
  await sleep(1_500);
  assert.equal(server.count('dots'), 1, 'it is not sent again by itself');
});
