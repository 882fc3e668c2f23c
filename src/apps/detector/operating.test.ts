/**
 * What goes wrong around a detector over the years, one symptom a test, each with its row in
 * docs/operating/detector.md: clocks that step over a restart, exporters that begin anew, classifiers that are not
 * there, a state that is damaged or newer, ports that are taken, and a day without flows. By the test's clock.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError, OperatorError, Random } from '#base';
import { sendHomeFlows } from '../../../test/support/detector-process.ts';
import { deviceModel, makeArtifact } from '../../../test/support/detector-world.ts';
import {
  isPresent, layOutRunning, send, startDetector, SteppingClock, until, type Running,
} from '../../../test/support/running-detector.ts';
import { readConfig } from './config/read-config.ts';
import { DetectorService } from './detector-service.ts';
import { createRoutes } from './routes.ts';
import { StateStore, stateFileName } from './state-store.ts';

const dayMs = 86_400_000;
const codesOf = async ({ service }: Running): Promise<string[]> =>
  (await service.status()).health.map(({ code }) => code);
const plannedOf = ({ lines }: Running): number => lines.filter(({ event }) => event === 'action-planned').length;

/** A detector that has found the device in household-1, and was stopped. */
async function stoppedWithVerdict(t: TestContext): Promise<{ config: string; folder: string; clock: SteppingClock }> {
  const { folder, config } = layOutRunning(t);
  const running = await startDetector(t, config);
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
  await running.service.stop();
  return { config, folder, clock: running.clock };
}

test('the wall clock is set back while the detector is off: nothing expires, nothing is told again', async (t) => {
  const { config, clock } = await stoppedWithVerdict(t);
  clock.stepMs = -30 * dayMs;
  const running = await startDetector(t, config, clock);
  assert.ok(isPresent(running, 'household-1'));
  await send(running, '198.51.100.1', true);
  await until('the flows are in', () => running.service.engine.counts().flows === 40);
  const { clock: steps, flows } = await running.service.status();
  assert.deepEqual([steps.steps, flows.placedAtArrival], [1, 0]);
  assert.ok(steps.steppedMs <= -30 * dayMs + 1_000 && steps.steppedMs > -31 * dayMs);
  assert.deepEqual([plannedOf(running), running.service.engine.book.find('household-1', deviceModel)?.episode], [0, 1]);
  assert.ok((await codesOf(running)).includes('clock-stepped'));
});

test('a machine without a battery starts in 1970 and learns the time later: as if it had known', async (t) => {
  const { config, clock } = await stoppedWithVerdict(t);
  clock.stepMs = 60_000 - clock.nowMs();
  const running = await startDetector(t, config, clock);
  assert.ok(clock.nowMs() < 120_000);
  await send(running, '198.51.100.2', true);
  await until('the second verdict', () => isPresent(running, 'household-2'));
  clock.stepMs = 0;
  await send(running, '198.51.100.1', true);
  await until('the flows are in', () => running.service.engine.counts().flows === 80);
  await until('the step is seen', () => running.service.steady.stepCount === 2);
  assert.ok(Math.abs(running.service.steady.steppedMs) < 1_000, 'the two steps make up for each other');
  assert.ok(isPresent(running, 'household-1') && isPresent(running, 'household-2'));
  assert.equal(running.lines.filter(({ event }) => event === 'verdict').length, 1);
  const savedMs = (): number => running.service.store.savedTime()?.offsetMs ?? Number.NaN;
  await until('the step is written down', () => Math.abs(savedMs()) < 1_000);
  const wallMs = running.service.steady.toWall(
    running.service.engine.book.find('household-2', deviceModel)?.supportedMs ?? 0);
  assert.ok(Math.abs(wallMs - clock.nowMs()) < 2 * 60_000, 'what is told people is of the right clock');
});

test('a clock put forward while it is off is taken for time that went by: verdicts end', async (t) => {
  const { config, clock } = await stoppedWithVerdict(t);
  clock.stepMs = 20 * dayMs;
  const running = await startDetector(t, config, clock);
  await until('it expires', () => running.service.engine.book.find('household-1', deviceModel)?.state === 'not yet');
  assert.equal((await running.service.status()).clock.steps, 0);
  await send(running, '198.51.100.1', true);
  await until('it is found anew', () => isPresent(running, 'household-1'));
  assert.equal(running.service.engine.book.find('household-1', deviceModel)?.episode, 2);
});

test('an exporter whose clock is hours off: its flows are taken to have ended when they came', async (t) => {
  const { config } = layOutRunning(t);
  const running = await startDetector(t, config);
  const nowMs = running.clock.nowMs();
  const port = running.service.sockets().udp[0]?.port ?? 0;
  for (const [i, offMs] of [-2 * 3_600_000, 2 * 3_600_000, -20 * 365 * dayMs].entries()) {
    await sendHomeFlows(port, { from: '198.51.100.1', isDevice: true, count: 10, nowMs: nowMs + offMs, seed: i });
    await until('the flows are in', () => running.service.engine.counts().flows === 10 * (i + 1));
  }
  await until('the verdict', () => isPresent(running, 'household-1'));
  const { flows } = await running.service.status();
  assert.deepEqual([flows.placedAtArrival, flows.ofHomes], [30, 30]);
  const { firstFlowMs = 0, supportedMs = 0 } = running.service.engine.book.find('household-1', deviceModel) ?? {};
  assert.ok(Math.abs(firstFlowMs - nowMs) < 120_000 && Math.abs(supportedMs - nowMs) < 120_000);
});

test('a day without flows: unhealthy, evidence leaves its window, the verdict stands', async (t) => {
  const { config } = layOutRunning(t, '[metrics]\nlisten = "127.0.0.1:0"\n');
  const running = await startDetector(t, config);
  const healthz = async (): Promise<[number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${running.service.sockets().metricsPort}/healthz`);
    return [answer.status, await answer.text()];
  };
  await send(running, '192.168.1.7', true);
  await until('the verdict', () => isPresent(running, 'home'));
  assert.deepEqual(await healthz(), [200, '{"status":"ok","reasons":[]}\n']);
  running.clock.passedMs = dayMs;
  const [status, text] = await healthz();
  assert.equal(status, 503);
  assert.match(text, /"code":"input-silent".*does the exporter run/);
  await until('time is noticed', () => running.service.steady.stepCount === 0);
  assert.ok(isPresent(running, 'home'));
  const { verdicts } = await running.service.status();
  await send(running, '192.168.1.7', true, 1);
  await until('the flow is in', () => running.service.engine.counts().flows === 41);
  assert.deepEqual([(await healthz())[0], verdicts.present], [200, 1]);
  const { classifier } = running.service.engine.book.find('home', deviceModel) ?? { classifier: '' };
  const evidence = running.service.engine.evidence.evidenceOf({ home: 'home', deviceModel, classifier });
  assert.ok((evidence?.tokens.length ?? 0) <= 1, 'a day ago is not in the window');
});

test('an empty classifier folder, at a start too: it says so, and evidence waits for its classifier', async (t) => {
  const { config, folder, clock } = await stoppedWithVerdict(t);
  const file = join(folder, 'classifiers', 'webcam.nlc');
  renameSync(file, join(folder, 'away'));
  const before = StateStore.open(join(folder, 'state'));
  const hexOf = (store: StateStore): string[] =>
    [...store.evidence()].map(({ evidence }) => Buffer.from(evidence).toString('hex'));
  const kept = hexOf(before);
  before.close();
  assert.equal(kept.length, 1);
  const running = await startDetector(t, config, clock);
  assert.deepEqual(await codesOf(running), ['no-classifier']);
  await send(running, '198.51.100.1', true);
  await until('the flows are in', () => running.service.engine.counts().flows === 40);
  assert.ok(running.service.engine.checkpoint());
  assert.deepEqual(hexOf(running.service.store), kept, 'what nobody can read yet is not written over');
  renameSync(join(folder, 'away'), file);
  await until('it is used', () => running.service.engine.classifiers.length === 1);
  const { classifier } = running.service.engine.book.find('household-1', deviceModel) ?? { classifier: '' };
  const evidence = running.service.engine.evidence.evidenceOf({ home: 'household-1', deviceModel, classifier });
  assert.ok((evidence?.tokens.length ?? 0) >= 3);
  assert.deepEqual(await codesOf(running), []);
});

test('a classifier folder that goes away while it runs: the classifiers stay', async (t) => {
  const { folder, config } = layOutRunning(t);
  const running = await startDetector(t, config);
  renameSync(join(folder, 'classifiers'), join(folder, 'away'));
  await until('it is noticed', async () => (await codesOf(running)).includes('classifier-refused'));
  const { classifiers: { active, refused } } = await running.service.status();
  assert.deepEqual([active.length, refused.map(({ code }) => code)], [1, ['unreadable']]);
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
});

test('a metrics port that is taken: one sentence, nothing left behind', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const { config } = layOutRunning(t, `[metrics]\nlisten = "127.0.0.1:${port}"\n`);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(startDetector(t, config), (thrown: unknown) => thrown instanceof EnvironmentError &&
      thrown.code === 'network' && thrown.message.includes(`127.0.0.1:${port}`));
  }
});

test('a state of a newer natlens is refused, and stays as it is', async (t) => {
  const { config, folder } = await stoppedWithVerdict(t);
  const store = StateStore.open(join(folder, 'state'));
  store.db.exec('PRAGMA user_version = 3');
  store.close();
  await assert.rejects(startDetector(t, config), (thrown: unknown) =>
    thrown instanceof OperatorError && /of version 3, and this natlens knows 2/.test(thrown.message));
  writeFileSync(join(folder, 'again'), '');
  await assert.rejects(startDetector(t, config), OperatorError, 'the control socket was given back');
});

test('a damaged state: wherever it is damaged it starts without what cannot be read, or says so', async (t) => {
  const { config, folder } = await stoppedWithVerdict(t);
  const file = join(folder, 'state', stateFileName);
  const sound = readFileSync(file);
  const random = new Random(7);
  const ends = { started: 0, refused: 0 };
  const pageBytes = sound.readUInt16BE(16);
  for (let page = 0; page < sound.length / pageBytes; page++) {
    const damaged = Buffer.from(sound);
    // The head of a page says how it is read, its end holds rows: one and the other.
    const at = page * pageBytes + (page % 2 === 0 ? 0 : pageBytes / 2);
    for (let i = at; i < Math.min(at + pageBytes / 2, damaged.length); i++) damaged[i] = random.integer(0, 255);
    for (const ending of ['-wal', '-shm']) rmSync(file + ending, { force: true });
    writeFileSync(file, damaged);
    try {
      const running = await startDetector(t, config);
      await send(running, '198.51.100.2', true, 5);
      await until('the flows are in', () => running.service.engine.counts().flows === 5);
      running.service.engine.checkpoint();
      await running.service.status();
      await running.service.stop();
      ends.started++;
    } catch (thrown) {
      assert.ok(thrown instanceof EnvironmentError || thrown instanceof OperatorError, `page ${page}: ${
        thrown instanceof Error ? thrown.stack : String(thrown)}`);
      assert.match(thrown.message, /move .*away/, `page ${page}`);
      ends.refused++;
    }
  }
  assert.ok(ends.refused > 3 && ends.started > 0, JSON.stringify(ends));
});

test('the exporter restarts: new numbers from a new port are no loss, and no flow is missing', async (t) => {
  const { config } = layOutRunning(t);
  const running = await startDetector(t, config);
  for (let i = 1; i <= 3; i++) {
    // Each time another encoder and socket: sequence numbers begin at 0, the port is another.
    await send(running, '198.51.100.1', true, 50 * i);
    await until('the flows are in', () => running.service.engine.counts().flows === 25 * i * (i + 1));
  }
  const { input: { exporters }, flows, health } = await running.service.status();
  assert.deepEqual(exporters.map(({ restarts, lostUnits }) => [restarts, lostUnits]), [[2, 0]]);
  assert.deepEqual([flows.ofHomes, flows.placedAtArrival, health], [300, 0, []]);
});

/** Sends one datagram, and waits until so many flows have come. */
async function sendBytes({ service }: Running, bytes: Uint8Array, flows: number): Promise<void> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => void socket.send(bytes, service.sockets().udp[0]?.port ?? 0, '127.0.0.1',
    () => resolve()));
  socket.close();
  await until(`${flows} flows are in`, () => service.engine.counts().flows === flows);
}

const netflow = '[input]\nlisten = ["udp://127.0.0.1:0"]\nl7 = "none"\npair = false\nclock_skew = "10s"\n';

/** NetFlow v5 with one flow of a second's length that ended a second before the export. */
function netflow5(uptimeMs: number, exportMs: number, sequence: number): Uint8Array {
  const bytes = Buffer.alloc(24 + 48);
  bytes.writeUInt16BE(5, 0);
  bytes.writeUInt16BE(1, 2);
  bytes.writeUInt32BE(uptimeMs >>> 0, 4);
  bytes.writeUInt32BE(Math.floor(exportMs / 1_000), 8);
  bytes.writeUInt32BE(exportMs % 1_000 * 1_000_000, 12);
  bytes.writeUInt32BE(sequence, 16);
  bytes.set([192, 168, 1, 7, 203, 0, 113, 7], 24);
  bytes.writeUInt32BE(3, 24 + 16);
  bytes.writeUInt32BE(500, 24 + 20);
  bytes.writeUInt32BE((uptimeMs - 2_000) >>> 0, 24 + 24);
  bytes.writeUInt32BE((uptimeMs - 1_000) >>> 0, 24 + 28);
  bytes.writeUInt16BE(40_000, 24 + 32);
  bytes.writeUInt16BE(8_883, 24 + 34);
  bytes[24 + 38] = 6;
  return bytes;
}

test('the uptime of an exporter wraps after 49.7 days: flows across it lie where they were', async (t) => {
  const { config } = layOutRunning(t, netflow);
  const running = await startDetector(t, config);
  const wrap = 2 ** 32;
  for (const [i, uptimeMs] of [wrap - 500, wrap + 500, wrap + 1_500, wrap + 5_000].entries()) {
    await sendBytes(running, netflow5(uptimeMs, Math.round(running.clock.nowMs()), i), i + 1);
  }
  const { flows, input: { exporters }, health } = await running.service.status();
  assert.deepEqual([flows.placedAtArrival, flows.ofHomes], [0, 4]);
  assert.deepEqual(exporters.map(({ lostUnits }) => lostUnits), [0]);
  assert.ok(!health.some(({ code }) => code === 'input-loss'));
});

/** A message of NetFlow v9 with a template of these elements (id, bytes) and one record of these values. */
function netflow9(
  exportMs: number, sequence: number, fields: readonly (readonly [number, number, number])[],
): Uint8Array {
  const recordBytes = fields.reduce((sum, [, length]) => sum + length, 0);
  const dataBytes = Math.ceil((4 + recordBytes) / 4) * 4;
  const bytes = Buffer.alloc(20 + 8 + 4 * fields.length + dataBytes);
  const header = [[9, 2], [2, 2], [60_000, 4], [Math.floor(exportMs / 1_000), 4], [sequence, 4], [0, 4],
    [0, 2], [8 + 4 * fields.length, 2], [256, 2], [fields.length, 2],
    ...fields.flatMap(([id, length]) => [[id, 2], [length, 2]]), [256, 2], [dataBytes, 2]] as const;
  let at = 0;
  for (const [value, length] of header) at = bytes.writeUIntBE(value as number, at, length as number);
  for (const [, length, value] of fields) {
    if (length === 8) at = bytes.writeBigUInt64BE(BigInt(value), at);
    else at = bytes.writeUIntBE(value, at, length);
  }
  return bytes;
}

test('the exporter changes its template under the same number: flows are read by the new one', async (t) => {
  const { config } = layOutRunning(t, netflow);
  const running = await startDetector(t, config);
  const nowMs = Math.round(running.clock.nowMs());
  const old = [[8, 4, 0xc0a80107], [12, 4, 0xcb007107], [4, 1, 6], [7, 2, 40_000], [11, 2, 443], [1, 4, 700], [2, 4, 5],
    [22, 4, 58_000], [21, 4, 59_000]] as const;
  const other = [[21, 4, 59_500], [22, 4, 58_500], [1, 8, 900], [2, 8, 7], [12, 4, 0xcb007207], [8, 4, 0xc0a80107],
    [11, 2, 8_883], [7, 2, 40_001], [4, 1, 17]] as const;
  await sendBytes(running, netflow9(nowMs, 1, old), 1);
  await sendBytes(running, netflow9(nowMs, 2, other), 2);
  await sendBytes(running, netflow9(nowMs, 3, old), 3);
  const { flows, input: { intake } } = await running.service.status();
  assert.deepEqual([flows.ofHomes, flows.placedAtArrival, intake.exports.records], [3, 0, 3]);
  assert.deepEqual(Object.values(intake.exports.rejected).filter((count) => count > 0), []);
});

test('a bug of ours is told once, and the end after it keeps what was found', async (t) => {
  const { config } = layOutRunning(t);
  const bugs: unknown[] = [];
  const clock = new SteppingClock();
  const running: Running = {
    service: await DetectorService.start(await readConfig(config), {
      logStream: { write: () => true }, clock, routes: createRoutes, onBug: (thrown) => bugs.push(thrown),
    }), lines: [], clock,
  };
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
  const { engine } = running.service;
  const bug = new Error('as the test has it');
  Object.defineProperty(engine, 'accept', { value: () => { throw bug; } });
  await send(running, '198.51.100.2', true);
  await until('it is told', () => bugs.length > 0);
  await send(running, '198.51.100.2', true);
  await sleep(300);
  assert.deepEqual(bugs, [bug]);
  await running.service.stop();
  const again = await startDetector(t, config, clock);
  assert.ok(isPresent(again, 'household-1'));
  assert.equal(plannedOf(again), 0);
});

test('a classifier that comes as garbage and as a link to nothing is refused; the good ones go on', async (t) => {
  const { folder, config } = layOutRunning(t);
  const running = await startDetector(t, config);
  writeFileSync(join(folder, 'classifiers', 'cut.nlc'), makeArtifact(5, 'plug.Test.Two').subarray(0, 100));
  writeFileSync(join(folder, 'classifiers', 'empty.nlc'), '');
  await until('both are refused', async () => (await running.service.status()).classifiers.refused.length === 2);
  await sleep(50);
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
});
