/** Replays: a dry engine on the flows' own timeline, which ends with what a live one would have found. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { FlowBatch } from '#flow';
import { deviceModel, layOutDetector, makeArtifact, makeHomeFlows } from '../../../test/support/detector-world.ts';
import { readConfig } from './config/read-config.ts';
import type { DetectorConfig } from './config/detector-config.ts';
import type { ReplayResult } from './flow-receiver.ts';
import { openReplay } from './replay.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const startMs = Date.UTC(2019, 4, 1);
const artifact = makeArtifact();

async function configOf(t: TestContext, more = '', classifiers = { 'webcam.nlc': artifact }): Promise<DetectorConfig> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-replay-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'secret'), 'a secret of more than twenty-four bytes', { mode: 0o600 });
  const path = layOutDetector(folder, `
[homes]
map = "address"
inside = ["198.51.100.0/24"]
[[webhook]]
name = "hook"
url = "http://127.0.0.1:9/"
rungs = ["observe", "notify"]
secret_file = "secret"
${more}`, classifiers);
  writeFileSync(path, `dry_run = false\n${readFileSync(path, 'utf8')}`);
  return await readConfig(path);
}

/** Flows of a home, one a minute. */
const flowsOf = (from: string, { fromMs = startMs, count = 30, isDevice = true } = {}): FlowBatch =>
  makeHomeFlows({ from, isDevice, endMs: Array.from({ length: count }, (_, i) => fromMs + i * minuteMs) });

async function replay(
  config: DetectorConfig, batches: readonly FlowBatch[], receivedMs?: number,
): Promise<ReplayResult> {
  const receiver = await openReplay(config);
  for (const batch of batches) await receiver.accept(batch, receivedMs);
  return await receiver.end();
}

test('homes with the device are found; nothing is kept, and what would be done is counted', async (t) => {
  const config = await configOf(t);
  const result = await replay(config, [
    flowsOf('198.51.100.2'), flowsOf('198.51.100.1'), flowsOf('198.51.100.3', { isDevice: false }),
    flowsOf('192.0.2.1'),
  ]);
  assert.deepEqual(result.verdicts.map(({ home, deviceModel: model, state }) => [home, model, state]),
    [['198.51.100.1', deviceModel, 'present'], ['198.51.100.2', deviceModel, 'present']]);
  assert.deepEqual([result.flows, result.flowsOfHomes, result.homes], [120, 90, 3]);
  assert.deepEqual(result.planned, { webhook: 4 });
  assert.deepEqual(result.refused, []);
  const [classifier] = result.classifiers;
  assert.ok((classifier?.flowsAccepted ?? 0) > 40 && (classifier?.flowsAccepted ?? 0) <= 60);
  for (const { sinceMs } of result.verdicts) assert.ok(sinceMs > startMs && sinceMs < startMs + 40 * minuteMs);
  assert.ok(!existsSync(config.stateFolder));
  assert.equal(config.dryRun, false, 'the config stays as it is');
});

test('the same flows give the same result, in whatever pieces they come', async (t) => {
  const config = await configOf(t);
  const whole = await replay(config, [flowsOf('198.51.100.1', { count: 200 })]);
  const pieces = Array.from({ length: 20 }, (_, i) => {
    const batch = flowsOf('198.51.100.1', { count: 200 });
    for (const column of Object.values(batch.columns)) {
      const words = column.length / batch.capacity;
      column.copyWithin(0, i * 10 * words, (i + 1) * 10 * words);
    }
    batch.rowCount = 10;
    return batch;
  });
  const inPieces = await replay(config, pieces);
  assert.deepEqual(inPieces, whole);
});

test('time goes by as the flows say: verdicts expire between them, and begin anew', async (t) => {
  const config = await configOf(t);
  const later = startMs + 20 * dayMs;
  const once = await replay(config, [flowsOf('198.51.100.1'), flowsOf('198.51.100.9', { fromMs: later, count: 1 })]);
  assert.deepEqual(once.verdicts.map(({ home, state, episode }) => [home, state, episode]),
    [['198.51.100.1', 'not yet', 1]]);
  const twice = await replay(config, [flowsOf('198.51.100.1'), flowsOf('198.51.100.1', { fromMs: later })]);
  assert.deepEqual(twice.verdicts.map(({ state, episode }) => [state, episode]), [['present', 2]]);
  assert.deepEqual(twice.planned, { webhook: 4 }, 'each episode is told of');
});

test('flows without an end in time neither stop the clock nor are evidence', async (t) => {
  const config = await configOf(t);
  const undated = flowsOf('198.51.100.1');
  undated.columns.flowEndMilliseconds.fill(Number.NaN);
  const result = await replay(config, [undated, flowsOf('198.51.100.2'), undated]);
  assert.deepEqual(result.verdicts.map(({ home }) => home), ['198.51.100.2']);
  assert.deepEqual(result.planned, { webhook: 2 });
  assert.deepEqual((await replay(config, [undated])).verdicts, []);
});

test('flows that come when they are said to are placed there when their clock is off', async (t) => {
  const config = await configOf(t);
  const arrivedMs = startMs + 300 * dayMs;
  const result = await replay(config, [flowsOf('198.51.100.1')], arrivedMs);
  assert.ok((result.verdicts[0]?.sinceMs ?? 0) >= arrivedMs);
});

test('no flows, no classifiers, a refused one: a result that says so', async (t) => {
  const empty = await replay(await configOf(t), []);
  assert.deepEqual([empty.flows, empty.homes, empty.verdicts, empty.planned], [0, 0, [], {}]);
  const damaged = await configOf(t, '', { 'webcam.nlc': artifact.subarray(0, 200) });
  const cut = await replay(damaged, [flowsOf('198.51.100.1')]);
  assert.deepEqual([cut.classifiers, cut.verdicts, cut.refused.length], [[], [], 1]);
});

test('what is abandoned can be abandoned at any time', async (t) => {
  const config = await configOf(t);
  const receiver = await openReplay(config);
  await receiver.accept(flowsOf('198.51.100.1'), undefined);
  await receiver.abandon();
  await (await openReplay(config)).abandon();
});
