/**
 * `natlens detect` as a user types it: a config is explained, a detector runs on flows that `natlens export` sends,
 * answers its commands while it runs and from its state afterwards, refuses what cannot be, and ends on signals.
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#base';
import { readArtifact } from '#classifier/artifact';
import { openFlowSink } from '#flow/files';
import { parseNullSketch } from '#verdict';
import { sketchLength } from '../../src/apps/detector/field-sketch.ts';
import type { HomeExplanation } from '../../src/apps/detector/home-desk.ts';
import { StateStore } from '../../src/apps/detector/state-store.ts';
import type { DetectorStatus } from '../../src/apps/detector/status.ts';
import { DetectorProcess, sendHomeFlows, type ProcessEnd } from '../support/detector-process.ts';
import {
  deviceModel, layOutDetector, makeArtifact, makeHomeFlows, makeShippedArtifact,
} from '../support/detector-world.ts';
import { madeByNatlens } from '../support/labelled-flows.ts';
import { runNatlens, runNatlensBeside, type Ran } from '../support/natlens-process.ts';
import { until } from '../support/running-detector.ts';
import { ScriptedSmtp } from '../support/scripted-smtp.ts';
import { rootFolder } from '../support/source-tree.ts';

const root = mkdtempSync(join(tmpdir(), 'natlens-detect-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** Statuses that the webhook answers with, in their order; 204 from then on. */
const hookAnswers = [400];
const hookBodies: string[] = [];
const hook = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => { body += chunk.toString(); });
  request.on('end', () => {
    hookBodies.push(body);
    response.writeHead(hookAnswers.shift() ?? 204).end();
  });
});
before(() => new Promise<void>((resolve) => void hook.listen(0, '127.0.0.1', resolve)));
after(() => {
  hook.close();
  hook.closeAllConnections();
});

const artifact = makeArtifact();
let folders = 0;

type World = { readonly folder: string; readonly config: string };

function layOut(more = ''): World {
  const folder = join(root, String(folders++));
  const config = layOutDetector(folder, more, { 'webcam.nlc': artifact });
  return { folder, config };
}

/** A home whose blocks a program takes that is no nft, told of by webhook. */
function layOutOrders(): World {
  const world = layOut();
  const { folder, config } = world;
  writeFileSync(join(folder, 'secret'), 'a secret of more than twenty-four bytes', { mode: 0o600 });
  writeFileSync(join(folder, 'nft'), `#!/bin/sh\nexec '${process.execPath}' '${
    join(rootFolder, 'test/support/fake-nft-program.ts')}' '${join(folder, 'nft.json')}' "$@"\n`);
  chmodSync(join(folder, 'nft'), 0o755);
  writeFileSync(config, `dry_run = false\n${readFileSync(config, 'utf8')}
[homes]
map = "address"
inside = ["198.51.100.0/24"]
[[home]]
name = "household-1"
prefixes = ["198.51.100.1"]
addresses = ["198.51.100.1"]
[[webhook]]
name = "hook"
url = "http://127.0.0.1:${(hook.address() as AddressInfo).port}/"
rungs = ["observe"]
secret_file = "secret"
[mitigate]
on = true
reasons = ["operator-order"]
[block]
nft = "${join(folder, 'nft')}"
`);
  return world;
}

const detect = ({ folder }: World, ...args: readonly string[]): Ran => runNatlens(['detect', ...args], { cwd: folder });

/** Commands that must each be refused: arguments, and the sentence. They run beside each other. */
async function assertAllRefused(
  { folder, config }: World, cases: readonly (readonly [args: readonly string[], sentence: RegExp])[],
): Promise<void> {
  await Promise.all(cases.map(async ([args, sentence]) =>
    assertRefused(await runNatlensBeside(['detect', ...args, '-c', config], folder), 2, sentence)));
}

/** What a command prints that must succeed. */
function answerOf(world: World, ...args: readonly string[]): string {
  const { status, stdout, stderr } = detect(world, ...args, '--config', world.config);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  assert.equal(stderr, '');
  return stdout;
}

const jsonOf = <T>(world: World, ...args: readonly string[]): T => JSON.parse(answerOf(world, ...args, '--json')) as T;

/** The command ends so, with one sentence. */
function assertRefused({ status, stdout, stderr }: Ran, code: number, sentence: RegExp): void {
  assert.equal(status, code, stderr);
  assert.match(stderr, sentence);
  assert.equal(stdout, '');
  assert.doesNotMatch(stderr, /\n\s+at /, 'no stack');
}

/** Ended in order, and within two seconds. */
function assertClean({ code, signal, tookMs }: ProcessEnd, detector: DetectorProcess): void {
  assert.deepEqual([code, signal, detector.complaints], [0, null, []]);
  assert.ok(tookMs < 2_000, `${tookMs} ms`);
  assert.deepEqual([detector.lines.at(-1)?.event, detector.lines.at(-1)?.isWritten], ['stopped', true]);
}

test('--check explains a sound config, and tells every fault of another', () => {
  const world = layOut();
  const sound = detect(world, world.config, '--check');
  assert.equal(sound.status, 0, sound.stderr);
  assert.match(sound.stdout, /the config is sound/);
  assert.match(sound.stdout, /Nothing \(dry_run\)/);
  const explained = JSON.parse(detect(world, '--check', world.config, '--json').stdout) as Record<string, unknown>;
  assert.ok(Object.keys(explained).length > 3);
  assert.ok(!existsSync(join(world.folder, 'state')), 'looking makes nothing');

  writeFileSync(world.config, readFileSync(world.config, 'utf8')
    .replace('[input]', '[input]\nlistn = []').replace('folder = "classifiers"', 'folder = "gone"'));
  const faulty = detect(world, world.config, '--check');
  assertRefused(faulty, 2, /listn.*listen/);
  assert.match(faulty.stderr, /classifiers\.folder is .*gone, which is not there/);
  assertRefused(detect(world, world.config, '--check', '--json'), 2, /listn/);
  assertRefused(detect(world, join(world.folder, 'absent.toml')), 2, /absent\.toml/);
});

test('what no detector can do is refused in one sentence', async () => {
  const world = layOut('[input]\nl7 = "exporter"');
  assertRefused(detect(world, world.config), 2, /listens nowhere.*input\.listen/);
  await assertAllRefused(world, [
    [['status'], /No detector runs on .*state/],
    [['explain', 'home'], /No detector ran on .*state yet/],
    [['sketch'], /No detector ran on .*state yet/],
    [['block', 'home', deviceModel, '--port', '23', '--note', 'x'], /only a running one blocks/],
    [['block', 'home', deviceModel, '--port', '23'], /--note/],
    [['explain'], /home/],
  ]);
  assert.ok(!existsSync(join(world.folder, 'state')));
  const { port } = hook.address() as AddressInfo;
  const taken = layOut(`[metrics]\nlisten = "127.0.0.1:${port}"`);
  const { status, stdout, stderr } = detect(taken, taken.config);
  assert.deepEqual([status, stdout], [3, '']);
  assert.ok(stderr.includes(`\nnatlens: Cannot listen at 127.0.0.1:${port} (tcp): `), stderr);
  assert.ok(!existsSync(join(taken.folder, 'state', 'control.sock')), 'nothing is left behind');
});

test('the field sketch of a state, to a file or standard output, with what is held back', () => {
  const folder = join(root, String(folders++));
  const artifacts = { 'webcam.nlc': makeShippedArtifact(), 'other.nlc': makeShippedArtifact({}, 2, 'plug.Test.Two') };
  const config = layOutDetector(folder, '', artifacts);
  const store = StateStore.open(join(folder, 'state'));
  for (const [i, bytes] of Object.values(artifacts).entries()) {
    const counts = new Uint32Array(sketchLength);
    counts[3] = 1_000 - i;
    store.saveSketch(readArtifact(bytes).digest, counts, 0);
  }
  store.close();
  const world = { folder, config };
  const text = answerOf(world, 'sketch');
  const sketch = parseNullSketch(text);
  assert.ok(typeof sketch !== 'string');
  assert.deepEqual(sketch.classifiers.map(({ deviceModel: name, nullTable }) => [name, nullTable.homeDays[0]?.[3]]),
    [[deviceModel, 1_000]]);
  assert.equal(answerOf(world, 'sketch', '-o', 'site.sketch'), 'site.sketch: 1,000 home-days of 1 classifiers\n' +
    'held back, with too few home-days: plug.Test.Two\n');
  assert.equal(readFileSync(join(folder, 'site.sketch'), 'utf8'), text);
  const { status, stderr } = detect(world, 'sketch', '-o', 'gone/site.sketch', '-c', config);
  assert.deepEqual([status, /gone\/site\.sketch cannot be written/.test(stderr)], [3, true]);
});

test('a detector runs, answers its commands, ends on SIGTERM, and its state answers on', async (t) => {
  const world = layOutOrders();
  const { folder, config } = world;
  const detector = (await DetectorProcess.start(folder, config)).endAfter(t);
  assertRefused(detect(world, config), 2, /Another detector runs on this state/);
  const nowMs = systemClock.nowMs();
  const sink = await openFlowSink(join(folder, 'home.parquet'));
  await sink.write(makeHomeFlows({ from: '198.51.100.1', isDevice: true,
    endMs: Array.from({ length: 40 }, (_, i) => nowMs - (40 - i) * 50) }));
  await sink.end(madeByNatlens);
  const sent = runNatlens(['export', 'home.parquet', '--to', `127.0.0.1:${detector.port}`], { cwd: folder });
  assert.equal(sent.status, 0, sent.stderr);
  const { home: pseudonym } = await detector.waitFor('verdict');
  await until('the webhook has refused', () => hookBodies.length === 1);
  await detector.waitFor('action');

  const status = jsonOf<DetectorStatus>(world, 'status');
  assert.deepEqual([status.verdicts.present, status.flows.ofHomes, status.isDryRun], [1, 40, false]);
  const shown = answerOf(world, 'status');
  assert.match(shown, /^Detector natlens, natlens \S+ on Node v24/);
  assert.match(shown, new RegExp(deviceModel.replaceAll('.', '\\.')));
  assert.deepEqual(JSON.parse(detect(world, '--json', 'status', '-c', config).stdout).verdicts, status.verdicts);

  const explained = jsonOf<HomeExplanation>(world, 'explain', 'household-1');
  const [told] = explained.actions;
  assert.deepEqual([explained.pseudonym, explained.verdicts.length, told?.state], [pseudonym, 1, 'failed']);
  assert.match(answerOf(world, 'explain', pseudonym as string),
    /^Home household-1 .*\n\nThere is a webcam\.Test\.One in this home\.\n[^]*\n\nwebcam\.Test\.One: present since/);
  assert.match(answerOf(world, 'explain', told?.reference.toLowerCase() as string), /^Home household-1 /);
  assert.deepEqual(jsonOf(world, 'opt-out', 'household-1', '--device-model', deviceModel), { home: 'household-1' });
  assert.equal(answerOf(world, 'opt-out', 'household-1'), 'opted out: household-1\n');
  assert.match(answerOf(world, 'explain', 'household-1'), /OPTED OUT/);
  assert.equal(answerOf(world, 'opt-out', 'household-1', '--undo'), 'opted in: household-1\n');
  answerOf(world, 'opt-out', 'household-1', '--device-model', deviceModel, '--undo');

  assert.match(answerOf(world, 'resend', told?.id as string), /^waits to be sent: /);
  await until('it was sent again', () => hookBodies.length === 2);
  assert.equal(hookBodies[0], hookBodies[1]);
  const hasActed = (what: Readonly<Record<string, string>>): boolean => detector.lines.some((line) =>
    line.event === 'action' && Object.entries(what).every(([name, value]) => line[name] === value));
  await until('it is done', () => hasActed({ status: 'done' }));

  const order = ['block', 'household-1', deviceModel, '--port', '23', '--note', 'telnet'];
  const { ids } = jsonOf<{ ids: string[] }>(world, ...order);
  assert.equal(ids.length, 1);
  await until('it is blocked', () => existsSync(join(folder, 'nft.json')) &&
    readFileSync(join(folder, 'nft.json'), 'utf8').includes('198.51.100.1 . tcp . 23'));
  await until('that is written down', () => hasActed({ kind: 'block', status: 'done' }));
  assert.equal(answerOf(world, 'release', 'household-1'), 'released: household-1, 1 block ended\n');
  assert.ok(!readFileSync(join(folder, 'nft.json'), 'utf8').includes('198.51.100.1 . tcp . 23'));
  const ordered = ['block', 'household-1', deviceModel, '--note', 'x'];
  await assertAllRefused(world, [
    [[...ordered, '--port', '0'], /port is a number from 1 to 65535/],
    [[...ordered, '--destination', 'there'], /no address or prefix/],
    [ordered, /neither destination nor port/],
    [['block', 'household-1', 'plug.Test.Two', '--note', 'x', '--port', '23'], /plug\.Test\.Two is not present/],
    [['explain', 'nobody'], /Nothing is known of a home 'nobody'/],
    [['resend', told?.reference as string], /the action is done/],
    [['sketch'], /nothing to tell yet: 1,000 days of homes are needed of a classifier with a fingerprint.* is 0/],
    [['status', '--bogus'], /--bogus/],
  ]);

  assertClean(await detector.end('SIGTERM'), detector);
  await assertAllRefused(world, [
    [['status'], /No detector runs/], [order, /only a running one blocks/],
    [['resend', told?.id as string], /the action is done/],
  ]);
  const afterwards = jsonOf<HomeExplanation>(world, 'explain', 'household-1');
  assert.deepEqual(afterwards.verdicts, explained.verdicts);
  assert.deepEqual(afterwards.evidence, explained.evidence);
  assert.equal(answerOf(world, 'opt-out', 'household-1'), 'opted out: household-1\n');
  assert.ok(jsonOf<HomeExplanation>(world, 'explain', 'household-1').isOptedOut);
  assert.deepEqual(jsonOf(world, 'release', 'household-1'), { home: 'household-1', released: 0, remarks: [] });
  assert.match(answerOf(world, 'forget', 'household-1'), /^forgotten: household-1\n.*remove its entry there/);
  const forgotten = jsonOf<HomeExplanation>(world, 'explain', 'household-1');
  assert.deepEqual([forgotten.verdicts, forgotten.actions, forgotten.audit], [[], [], []]);
});

test('forget erases a home of a running detector that no config names', async (t) => {
  const world = layOut('[homes]\nmap = "address"\ninside = ["198.51.100.0/24"]');
  const detector = (await DetectorProcess.start(world.folder, world.config)).endAfter(t);
  await sendHomeFlows(detector.port, { from: '198.51.100.9', isDevice: true });
  await detector.waitFor('verdict');
  assert.deepEqual(jsonOf(world, 'forget', '198.51.100.9'), { home: '198.51.100.9', released: 0, remarks: [] });
  assertRefused(detect(world, 'forget', '198.51.100.9', '-c', world.config), 2, /Nothing is known of a home/);
  assertClean(await detector.end('SIGINT'), detector);
});

test('a second signal ends at once, and what hung is of uncertain fate', async (t) => {
  const server = await ScriptedSmtp.open({ end: 'silence' });
  t.after(() => server.close());
  const world = layOut(`
[homes]
name = "household-1"
inside = ["198.51.100.0/24"]
[[home]]
name = "household-1"
mail = "customer@example.net"
[mail]
server = "smtp://127.0.0.1:${server.port}"
require_tls = false
from = "security@example.net"
provider_name = "Example Net"
`);
  writeFileSync(world.config, `dry_run = false\n${readFileSync(world.config, 'utf8')}`);
  const detector = (await DetectorProcess.start(world.folder, world.config)).endAfter(t);
  await sendHomeFlows(detector.port, { from: '198.51.100.9', isDevice: true });
  await until('the mail is with the server', () => server.count('dots') === 1);
  detector.signal('SIGTERM');
  await detector.waitFor('stopping');
  await sleep(300);
  const end = await detector.end('SIGINT');
  assert.deepEqual([end.code, end.signal], [null, 'SIGINT']);
  assert.ok(end.tookMs < 500, `${end.tookMs} ms`);

  // Whether the mail was taken nobody knows: it is not sent again by itself.
  const again = (await DetectorProcess.start(world.folder, world.config)).endAfter(t);
  assert.equal((await again.waitFor('action-uncertain')).level, 'error');
  const { actions } = jsonOf<HomeExplanation>(world, 'explain', 'household-1');
  assert.deepEqual(actions.map(({ kind, state }) => [kind, state]), [['mail', 'uncertain']]);
});
