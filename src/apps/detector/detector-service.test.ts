/**
 * The running detector in this process, over loopback: flows in, verdict and plan out; a restart goes on where it was;
 * classifiers change under it; a full disk and a stepping clock do no harm.
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '#base';
import { deviceModel, makeArtifact } from '../../../test/support/detector-world.ts';
import {
  isPresent, layOutRunning as layOut, send, startDetector as start, until,
} from '../../../test/support/running-detector.ts';
import { askDetector, notRunning } from './control/ask-detector.ts';
import type { HomeExplanation } from './home-desk.ts';
import type { DetectorStatus } from './status.ts';

test('the home with the device model is found, the other is not, and a restart knows it still', async (t) => {
  const { folder, config } = layOut(t);
  const first = await start(t, config);
  await send(first, '198.51.100.2', false);
  await send(first, '198.51.100.1', true);
  await until('the verdict', () => isPresent(first, 'household-1'));
  const state = join(folder, 'state');
  const status = await askDetector(state, 'GET', '/status') as DetectorStatus;
  assert.deepEqual(status.verdicts, { present: 1, 'not yet': 0 });
  assert.equal(status.flows.ofHomes, 80);
  assert.equal(status.flows.placedAtArrival, 0);
  assert.equal(status.homes.known, 2);
  const before = await askDetector(state, 'POST', '/explain', { home: 'household-1' }) as HomeExplanation;
  assert.equal(before.verdicts[0]?.state, 'present');
  assert.ok((before.verdicts[0]?.evidence?.tokens.length ?? 0) >= 3);
  assert.ok(before.actions.length > 0 && before.actions.every(({ isDryRun }) => isDryRun), 'planned, and dry');
  const other = await askDetector(state, 'POST', '/explain', { home: 'household-2' }) as HomeExplanation;
  assert.deepEqual([other.verdicts, other.actions], [[], []]);
  const line = first.lines.find(({ event }) => event === 'verdict');
  assert.equal(line?.home, before.pseudonym);
  assert.ok(!JSON.stringify(first.lines).includes('household'), 'logs know pseudonyms alone');
  assert.ok(!JSON.stringify(first.lines).includes('198.51.100'));

  await first.service.stop();
  assert.equal(await askDetector(state, 'GET', '/status'), notRunning);
  const second = await start(t, config, first.clock);
  assert.ok(isPresent(second, 'household-1'));
  const after = await askDetector(state, 'POST', '/explain', { home: before.pseudonym }) as HomeExplanation;
  assert.deepEqual(after.evidence, before.evidence);
  assert.deepEqual(after.verdicts, before.verdicts);
  assert.deepEqual(after.actions.map(({ id }) => id), before.actions.map(({ id }) => id));
  assert.ok(!second.lines.some(({ event }) => event === 'verdict' || event === 'action-planned'), 'nothing twice');
});

test('a second detector keeps off the state of the first', async (t) => {
  const { config } = layOut(t);
  await start(t, config);
  await assert.rejects(start(t, config), (thrown: unknown) =>
    thrown instanceof OperatorError && /Another detector runs/.test(thrown.message));
});

test('classifiers come, change, go bad and go while it runs', async (t) => {
  const { folder, config } = layOut(t);
  const running = await start(t, config);
  const file = join(folder, 'classifiers', 'webcam.nlc');
  const digests = (): string[] => running.service.engine.classifiers.map(({ digest }) => digest);
  const [first = ''] = digests();
  writeFileSync(join(folder, 'classifiers', 'other.nlc'), makeArtifact(5, 'plug.Test.Two'));
  await until('the second one is used', () => digests().length === 2);
  assert.ok(digests().includes(first));
  writeFileSync(file, 'rubbish');
  await until('it is refused', async () => (await running.service.status()).classifiers.refused.length === 1);
  assert.ok(digests().includes(first), 'the last good one goes on');
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
  writeFileSync(file, makeArtifact(9));
  await until('the new one is used', () => digests().length === 2 && !digests().includes(first));
  assert.ok(isPresent(running, 'household-1'), 'the verdict stands');
  rmSync(file);
  rmSync(join(folder, 'classifiers', 'other.nlc'));
  await until('none is left', () => digests().length === 0);
  const { health } = await running.service.status();
  assert.deepEqual(health.map(({ code }) => code), ['no-classifier']);
});

test('a forgotten home leaves no byte in the state', async (t) => {
  const { folder, config } = layOut(t);
  const running = await start(t, config);
  await send(running, '198.51.100.1', true);
  await send(running, '198.51.100.2', true);
  await until('both verdicts', () => isPresent(running, 'household-1') && isPresent(running, 'household-2'));
  assert.ok(running.service.engine.checkpoint());
  const state = join(folder, 'state');
  const holds = (home: string): boolean => readdirSync(state).filter((name) => name.startsWith('detector.sqlite'))
    .some((name) => readFileSync(join(state, name)).includes(home));
  assert.ok(holds('household-1'));
  await askDetector(state, 'POST', '/forget', { home: 'household-1' });
  assert.ok(!holds('household-1'));
  assert.ok(holds('household-2'));
  await assert.doesNotReject(askDetector(state, 'POST', '/explain', { home: 'household-1' }), 'the config names it');
  const { verdicts, actions, audit } =
    await askDetector(state, 'POST', '/explain', { home: 'household-1' }) as HomeExplanation;
  assert.deepEqual([verdicts, actions, audit], [[], [], []]);
  await running.service.stop();
  assert.ok(!holds('household-1'));
});

test('the wall clock steps: no verdict expires, nothing is planned again, and it is reported', async (t) => {
  const { config } = layOut(t);
  const running = await start(t, config);
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
  const planned = running.lines.filter(({ event }) => event === 'action-planned').length;
  for (const stepMs of [400 * 86_400_000, -30 * 86_400_000, 0]) {
    running.clock.stepMs = stepMs;
    await until('the step is seen', () => running.service.steady.steppedMs >= stepMs - 1_000 &&
      running.service.steady.steppedMs <= stepMs + 1_000);
    const { flows } = running.service.engine.counts();
    await send(running, '198.51.100.1', true, 5);
    // Flows that wait in the decoder while the clock steps are placed at their arrival.
    await until('the flows are through', () => running.service.engine.counts().flows === flows + 5);
  }
  await sleep(1_100);
  assert.ok(isPresent(running, 'household-1'));
  assert.equal(running.service.engine.book.find('household-1', deviceModel)?.episode, 1);
  assert.equal(running.lines.filter(({ event }) => event === 'action-planned').length, planned);
  const { health, clock, flows } = await running.service.status();
  assert.equal(clock.steps, 3);
  assert.equal(flows.placedAtArrival, 0, 'the exporter has the same wall clock');
  assert.ok(health.some(({ code }) => code === 'clock-stepped'));
});

test('a full disk: it goes on finding, says so, and writes when there is room', async (t) => {
  const { config } = layOut(t);
  const running = await start(t, config);
  const { store } = running.service;
  // No page more than there are.
  const { page_count: pages } = store.db.prepare('PRAGMA page_count').get() as { page_count: number };
  store.db.exec(`PRAGMA max_page_count = ${pages}`);
  store.saveEvidence('filler', new Uint8Array(1), 0);
  assert.throws(() => store.transaction(() => store.saveEvidence('filler', new Uint8Array(1 << 20), 0)));
  for (let i = 1; i < 30 && running.service.engine.stateFault === undefined; i++) {
    await send(running, `198.51.100.${i + 10}`, true);
    await sleep(150);
  }
  assert.notEqual(running.service.engine.stateFault, undefined);
  assert.ok(running.lines.some(({ event }) => event === 'state-unwritable'));
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
  const { health } = await running.service.status();
  assert.ok(health.some(({ code }) => code === 'state-unwritable'));
  assert.deepEqual(running.service.desk.outbox.list('household-1'), [], 'nothing is done that is not written down');
  store.db.exec('PRAGMA max_page_count = 100000');
  await until('it is written', () => running.service.engine.stateFault === undefined);
  await until('it is planned', () => running.service.desk.outbox.list('household-1').length > 0);
  assert.ok(store.verdicts().some(({ home }) => home === 'household-1'));
});

test('a copy of the state serves a question where no detector runs', async (t) => {
  const { folder, config } = layOut(t);
  const running = await start(t, config);
  await send(running, '198.51.100.1', true);
  await until('the verdict', () => isPresent(running, 'household-1'));
  await running.service.stop();
  assert.ok(!existsSync(join(folder, 'state', 'control.sock')));
  copyFileSync(join(folder, 'state', 'detector.sqlite'), join(folder, 'copy.sqlite'));
  const again = await start(t, config);
  assert.ok(isPresent(again, 'household-1'));
});
