/** Where verdicts become actions: whose plan it is, what is withheld and counted, how long hits lead to blocks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, parsePrefix, type Prefix } from '#base';
import type { IndicatorHit } from '#evidence';
import { CoreWorld } from '../../../test/support/detector-core.ts';
import { deviceModel } from '../../../test/support/detector-world.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;
const live = { head: 'dry_run = false' };
const homes = `
[homes]
map = "address"
inside = ["198.51.100.0/24"]
[[home]]
name = "household-1"
prefixes = ["198.51.100.1"]
addresses = ["198.51.100.1"]
[[home]]
name = "household-2"
prefixes = ["198.51.100.2"]
opted_out = true
[[webhook]]
name = "hook"
url = "http://127.0.0.1:9/"
rungs = ["observe"]
secret_file = "secret"
`;
const blocking = `${homes}
[mitigate]
on = true
reasons = ["indicator"]
[block]
duration = "1h"
[[indicator]]
name = "control-server"
protocol = "tcp"
destination = "203.0.113.66"
`;

const hitOf = (world: CoreWorld, changed: Partial<IndicatorHit> = {}): IndicatorHit => ({
  home: 'household-1', indicator: 'control-server', deviceModels: [], homeAddress: '198.51.100.1',
  destination: '203.0.113.66', protocol: 'tcp', port: 4_444, flowMs: world.core.steady.nowMs(), ...changed,
});

test('what is withheld is that of the latest plan about each home, and is counted by code', async (t) => {
  const world = await CoreWorld.open(t, homes);
  const { desk, engine } = world.core;
  assert.deepEqual(desk.countWithheld(), {});
  world.see('198.51.100.1');
  world.see('198.51.100.2');
  assert.ok(desk.withheldOf('household-1').some(({ code }) => code === 'dry-run'));
  assert.ok(desk.withheldOf('household-2').every(({ code }) => code === 'opted-out'));
  assert.ok(desk.withheldOf('household-2').length > 0);
  const before = desk.countWithheld();
  assert.equal(Object.values(before).reduce((sum, count) => sum + count, 0),
    desk.withheldOf('household-1').length + desk.withheldOf('household-2').length);
  engine.planAll();
  assert.deepEqual(desk.countWithheld(), before, 'planning again counts nothing twice');
  engine.forget('household-2');
  assert.deepEqual(desk.withheldOf('household-2'), []);
  assert.equal(desk.countWithheld()['opted-out'], undefined);
});

test('a plan about one home leaves the others as they are, and gives what the plan of all gives', async (t) => {
  const world = await CoreWorld.open(t, homes, live);
  const { desk, engine, steady } = world.core;
  for (const from of ['198.51.100.1', '198.51.100.9']) world.see(from);
  assert.deepEqual(desk.outbox.list().map(({ home, kind }) => [home, kind]),
    [['household-1', 'webhook'], ['198.51.100.9', 'webhook']]);
  assert.deepEqual(desk.plan(engine.book, steady.nowMs(), new Set(['household-1'])), [], 'it is planned');
  assert.deepEqual(desk.plan(engine.book, steady.nowMs()), []);
  engine.forget('198.51.100.9');
  assert.deepEqual(desk.outbox.list().map(({ home }) => home), ['household-1']);
  assert.ok(desk.remembers('household-1') && !desk.remembers('198.51.100.9'));
});

test('a hit leads to a block of its destination as long as a block would last, and no longer', async (t) => {
  for (const [ageMs, isBlocked] of [[0, true], [hourMs - minuteMs, true], [hourMs + minuteMs, false]] as const) {
    const world = await CoreWorld.open(t, blocking, live);
    const { desk, engine, steady } = world.core;
    world.see('198.51.100.1');
    desk.noteHits([hitOf(world, { flowMs: steady.nowMs() - ageMs })]);
    engine.planAll();
    const blocks = desk.outbox.blockTargets('household-1');
    assert.deepEqual(blocks.map(({ destination }) => destination), isBlocked ? ['203.0.113.66'] : [], String(ageMs));
    assert.deepEqual(desk.blockedAddresses('household-1'), isBlocked ? ['198.51.100.1'] : []);
  }
});

test('hits of homes without a verdict block nothing, and those of a forgotten home are gone', async (t) => {
  const world = await CoreWorld.open(t, blocking, live);
  const { desk, engine } = world.core;
  desk.noteHits([hitOf(world)]);
  engine.planAll();
  assert.deepEqual(desk.outbox.list(), []);
  engine.forget('household-1');
  world.see('198.51.100.1');
  assert.equal(engine.book.find('household-1', deviceModel)?.state, 'present');
  assert.deepEqual(desk.outbox.blockTargets('household-1'), []);
});

test('of many hits the latest are remembered', async (t) => {
  const world = await CoreWorld.open(t, blocking, live);
  const { desk, engine } = world.core;
  world.see('198.51.100.1');
  desk.noteHits([hitOf(world)]);
  desk.noteHits(Array.from({ length: limits.indicatorMemoryEntries }, () => hitOf(world, { home: 'other' })));
  engine.planAll();
  assert.deepEqual(desk.outbox.blockTargets('household-1'), []);
  desk.noteHits([hitOf(world)]);
  engine.planAll();
  assert.equal(desk.outbox.blockTargets('household-1').length, 1);
});

test('what was done is remembered while its verdict stands, and pruned when both are old', async (t) => {
  const world = await CoreWorld.open(t, homes, live);
  const { desk, engine, steady } = world.core;
  world.see('198.51.100.1');
  const [action] = desk.outbox.list();
  assert.equal(desk.outbox.take('webhook', steady.nowMs())?.id, action?.id);
  desk.outbox.finish(action?.id ?? '', { status: 'done', detail: '' }, steady.nowMs());
  for (let i = 0; i < 10; i++) {
    world.clock.advance(10 * dayMs);
    world.see('198.51.100.1');
    engine.tick();
    engine.checkpoint();
  }
  assert.equal(engine.book.find('household-1', deviceModel)?.episode, 1);
  assert.equal(desk.outbox.list('household-1')[0]?.state, 'done', 'a hundred days later it must not be told again');
  for (let i = 0; i < 12; i++) {
    world.clock.advance(10 * dayMs);
    engine.tick();
    engine.checkpoint();
  }
  assert.deepEqual(desk.outbox.list('household-1'), []);
  assert.deepEqual([...engine.book.all()], []);
});

test('an allowed destination is never blocked', async (t) => {
  const world = await CoreWorld.open(t, blocking.replace('duration = "1h"', 'allow = ["203.0.113.0/24"]'), live);
  const { desk, engine, config } = world.core;
  assert.deepEqual(config.block?.allow, [parsePrefix('203.0.113.0/24') as Prefix]);
  world.see('198.51.100.1');
  desk.noteHits([hitOf(world)]);
  engine.planAll();
  assert.deepEqual(desk.outbox.blockTargets('household-1'), []);
  assert.ok(desk.withheldOf('household-1').some(({ kind }) => kind === 'block'));
});
