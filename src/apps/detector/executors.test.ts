/** The executors that a config asks for: which there are, when a kind is failing, and in which time they are told. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Executor, Outcome, PlannedAction } from '#action';
import { CoreWorld } from '../../../test/support/detector-core.ts';
import { sampleAction, sampleStartMs } from '../../../test/support/outbox-sample.ts';
import { SmtpReceiver } from '../../../test/support/smtp-receiver.ts';
import { tellWallClock, WatchedExecutors } from './executors.ts';

const everything = (hook: string, smtp: string): string => `
[homes]
name = "home-1"
[[home]]
name = "home-1"
mail = "customer@example.net"
addresses = ["203.0.113.1"]
[verify]
on = true
command = ["/bin/true"]
[mail]
server = "${smtp}"
require_tls = false
from = "security@example.net"
provider_name = "Example Net"
[[webhook]]
name = "hook"
url = "${hook}"
secret_file = "secret"
[[syslog]]
name = "siem"
server = "udp://127.0.0.1:9"
[mitigate]
on = true
reasons = ["operator-order"]
[block]
`;

async function open(t: TestContext, more: string, offsetMs = 0): Promise<{
  watched: WatchedExecutors; told: [string, Outcome['status']][]; of: (kind: string) => Executor;
}> {
  const { core } = await CoreWorld.open(t, more);
  const told: [string, Outcome['status']][] = [];
  const watched = new WatchedExecutors(core.config, {
    pseudonyms: core.store.pseudonyms, secondOpinion: () => 'unsure', nowMs: () => sampleStartMs,
    toWall: (steadyMs) => steadyMs + offsetMs, onOutcome: ({ id }, { status }) => told.push([id, status]),
  });
  t.after(() => Promise.all(watched.executors.map(async (executor) => executor.close?.())));
  return {
    watched, told, of: (kind) => watched.executors.find((executor) => executor.kind === kind) as Executor,
  };
}

const execute = (executor: Executor, action: PlannedAction): Promise<Outcome> => executor.execute(action, {
  markCommitting: () => undefined, signal: new AbortController().signal, wallMs: () => sampleStartMs,
});

test('there is one for each kind that the config asks for, and none besides', async (t) => {
  const all = await open(t, everything('http://127.0.0.1:9/', 'smtp://127.0.0.1:9'));
  assert.deepEqual(all.watched.executors.map(({ kind, isIdempotent }) => [kind, isIdempotent]),
    [['mail', false], ['webhook', true], ['syslog', true], ['verify', true], ['block', true]]);
  const none = await open(t, '');
  assert.deepEqual(none.watched.executors, []);
  assert.deepEqual(none.watched.failing(), []);
});

test('three failures in a row are a kind that is failing, one success is the end of it', async (t) => {
  let status = 503;
  const hook = createServer((request, response) => {
    request.resume();
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => void hook.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    hook.close();
    hook.closeAllConnections();
  });
  const { port } = hook.address() as AddressInfo;
  const { watched, told, of } = await open(t, everything(`http://127.0.0.1:${port}/`, 'smtp://127.0.0.1:9'));
  const action = sampleAction({ kind: 'webhook', channel: 'hook' });
  for (let i = 1; i <= 4; i++) {
    assert.equal((await execute(of('webhook'), action)).status, 'retry');
    assert.deepEqual(watched.failing(), i < 3 ? [] : ['webhook']);
  }
  status = 204;
  assert.equal((await execute(of('webhook'), action)).status, 'done');
  assert.deepEqual(watched.failing(), []);
  assert.deepEqual(told.map(([id, end]) => [id === action.id, end]),
    [...Array.from({ length: 4 }, () => [true, 'retry']), [true, 'done']]);
});

test('people and programs are told of the wall clock, and the log of the action as it is', async (t) => {
  const offsetMs = 56 * 365 * 86_400_000;
  const bodies: string[] = [];
  const hook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => { body += chunk.toString(); });
    request.on('end', () => {
      bodies.push(body);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => void hook.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    hook.close();
    hook.closeAllConnections();
  });
  const { of } = await open(t, everything(`http://127.0.0.1:${(hook.address() as AddressInfo).port}/`,
    'smtp://127.0.0.1:9'), offsetMs);
  const action = sampleAction({ kind: 'webhook', channel: 'hook' });
  const copy = structuredClone(action);
  assert.equal((await execute(of('webhook'), action)).status, 'done');
  assert.deepEqual(action, copy);
  const times = bodies[0]?.match(/\d{4}-\d\d-\d\dT/g) ?? [];
  assert.ok(times.length >= 5);
  assert.ok(times.filter((time) => time.startsWith('2026')).length <= 1, 'but for the text of the reason');
  const told = tellWallClock(action, (steadyMs) => steadyMs + offsetMs);
  assert.equal(told.id, action.id);
  assert.deepEqual([told.dueMs, told.verdict.sinceMs, told.verdict.evidence?.windowStartMs],
    [action.dueMs + offsetMs, action.verdict.sinceMs + offsetMs,
      (action.verdict.evidence?.windowStartMs ?? 0) + offsetMs]);
});

test('a device model that the config says nothing of goes by its name in words', async (t) => {
  const receiver = await new SmtpReceiver({ disabledCommands: ['STARTTLS'] }).open();
  t.after(() => receiver.close());
  const { of } = await open(t, everything('http://127.0.0.1:9/', `smtp://127.0.0.1:${receiver.port}`));
  assert.equal((await execute(of('mail'), sampleAction())).status, 'done');
  const text = receiver.mails[0]?.raw.toString('utf8').replaceAll('=\r\n', '') ?? '';
  assert.match(text, /D Link DCS 933L \(webcam\)/);
});
