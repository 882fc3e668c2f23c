/**
 * The control socket: answers, failures that keep their kind, who may ask, and what a killed detector leaves behind.
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { EnvironmentError, limits, OperatorError } from '#base';
import { askRunning, notRunning } from './ask-running.ts';
import { controlSocketPath, type ControlMethod } from './control-protocol.ts';
import { ControlServer, type ControlRoute, type ControlServerOptions } from './control-server.ts';

const askDetector = (stateFolder: string, method: ControlMethod, path: string, body?: unknown): Promise<unknown> =>
  askRunning('detector', { stateFolder, method, path, body });

const routes: readonly ControlRoute[] = [
  { method: 'GET', path: '/status', answer: () => ({ homes: 3 }) },
  { method: 'POST', path: '/echo', answer: ({ body }) => Promise.resolve(body) },
  { method: 'POST', path: '/wrong', answer: () => Promise.reject(new OperatorError('bad-option', 'No such home.')) },
  { method: 'POST', path: '/full', answer: () => Promise.reject(new EnvironmentError('disk', 'The disk is full.')) },
  { method: 'POST', path: '/bug', answer: () => { throw new TypeError('x is not a function'); } },
  { method: 'GET', path: '/never', answer: () => new Promise(() => undefined) },
  { method: 'GET', path: '/nothing', answer: () => undefined },
];

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'natlens-control-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function open(t: TestContext, options: ControlServerOptions = {}): Promise<{ folder: string; bugs: unknown[] }> {
  const folder = await makeFolder(t);
  const bugs: unknown[] = [];
  const server = new ControlServer(folder, routes, { onBug: (_, thrown) => bugs.push(thrown), ...options });
  await server.start();
  t.after(() => server.stop());
  return { folder, bugs };
}

test('questions are answered with JSON, with a body or without', async (t) => {
  const { folder } = await open(t);
  assert.deepEqual(await askDetector(folder, 'GET', '/status'), { homes: 3 });
  assert.deepEqual(await askDetector(folder, 'POST', '/echo', { home: 'Käthe\n"5"' }), { home: 'Käthe\n"5"' });
  assert.equal(await askDetector(folder, 'GET', '/nothing'), null);
});

test('failures keep their kind, code and sentence; a bug is told to the log only', async (t) => {
  const { folder, bugs } = await open(t);
  await assert.rejects(askDetector(folder, 'POST', '/wrong'), (error: Error) => error instanceof OperatorError &&
    error.code === 'bad-option' && error.message === 'No such home.');
  await assert.rejects(askDetector(folder, 'POST', '/full'), (error: Error) => error instanceof EnvironmentError &&
    error.code === 'disk' && error.message === 'The disk is full.');
  await assert.rejects(askDetector(folder, 'GET', '/other'), (error: Error) => error instanceof OperatorError &&
    error.message.includes("no 'GET /other'"));
  assert.equal(bugs.length, 0);
  await assert.rejects(askDetector(folder, 'POST', '/bug'), (error: Error) => error instanceof EnvironmentError &&
    !error.message.includes('function'));
  assert.match(String(bugs[0]), /x is not a function/);
});

test('no socket, or one that nobody serves any more: not running', async (t) => {
  const folder = await makeFolder(t);
  assert.equal(await askDetector(folder, 'GET', '/status'), notRunning);
  assert.equal(await askDetector(join(folder, 'missing'), 'GET', '/status'), notRunning);
});

test('only the owner may ask, and the socket goes with the server', async (t) => {
  const folder = await makeFolder(t);
  const before = process.umask(0o000);
  t.after(() => process.umask(before));
  const server = new ControlServer(folder, routes);
  await server.start();
  assert.equal(process.umask(), 0o000, 'files of others are not concerned');
  assert.equal((await stat(controlSocketPath(folder))).mode & 0o777, 0o600);
  await server.stop();
  await server.stop();
  assert.deepEqual(await readdir(folder), []);
});

test('a killed detector leaves a socket behind: the next one takes its place', async (t) => {
  const folder = await makeFolder(t);
  const child = spawn(process.execPath, ['-e',
    'require("net").createServer().listen(process.argv[1], () => console.log("up"))', controlSocketPath(folder)]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal((await readdir(folder)).length, 1);
  assert.equal(await askDetector(folder, 'GET', '/status'), notRunning);
  const server = new ControlServer(folder, routes);
  await server.start();
  t.after(() => server.stop());
  assert.deepEqual(await askDetector(folder, 'GET', '/status'), { homes: 3 });
});

test('a second detector on the same state is refused, and the first goes on', async (t) => {
  const { folder } = await open(t);
  await assert.rejects(new ControlServer(folder, routes).start(), (error: Error) => error instanceof OperatorError &&
    error.message.includes('Another detector runs'));
  assert.deepEqual(await askDetector(folder, 'GET', '/status'), { homes: 3 });
});

test('a folder that is not there or not ours: one sentence', async (t) => {
  const folder = await makeFolder(t);
  await assert.rejects(new ControlServer(join(folder, 'none'), routes).start(), EnvironmentError);
  assert.throws(() => new ControlServer(`/${'x'.repeat(120)}`, routes), /too long for the socket/);
  if (process.getuid?.() === 0) return;
  await chmod(folder, 0o500);
  await assert.rejects(new ControlServer(folder, routes).start(), EnvironmentError);
});

test('a question that is too large, or no JSON, is refused', async (t) => {
  const { folder } = await open(t, { bytesMax: 100 });
  await assert.rejects(askDetector(folder, 'POST', '/echo', { x: 'y'.repeat(200) }), /more than 100 bytes/);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const asking = request({ socketPath: controlSocketPath(folder), method: 'POST', path: '/echo' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asking.on('error', reject);
    asking.end('{"half":');
  });
  assert.equal(status, 400);
});

test('an answer that does not come is given up', async (t) => {
  const { folder } = await open(t, { answerMs: 50 });
  await assert.rejects(askDetector(folder, 'GET', '/never'), /no answer after 0.05 s/);
});

test('many that only connect do not keep others out for long, and the server stops all the same', async (t) => {
  const { folder } = await open(t, { answerMs: 100 });
  const idle = Array.from({ length: limits.controlConnectionsMax }, () => {
    const socket = connect(controlSocketPath(folder));
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    return socket;
  });
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  let answer: unknown;
  for (let i = 0; i < 50 && answer === undefined; i++) {
    answer = await askDetector(folder, 'GET', '/status').catch(() => undefined);
    if (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual(answer, { homes: 3 });
});

test('whoever serves the socket but speaks no HTTP is no detector that answered', async (t) => {
  const folder = await makeFolder(t);
  const server = createServer((socket) => socket.end('220 mail ready\r\n'));
  server.listen(controlSocketPath(folder));
  await once(server, 'listening');
  t.after(() => server.close());
  await assert.rejects(askDetector(folder, 'GET', '/status'), EnvironmentError);
});
