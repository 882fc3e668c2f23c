/** What operators ask and order about homes, over the core of a detector: who is meant, what is shown and refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '#base';
import { referenceOf } from '#action';
import { CoreWorld } from '../../../test/support/detector-core.ts';
import { deviceModel } from '../../../test/support/detector-world.ts';
import {
  explainHome, findHome, forgetHome, orderBlock, releaseBlocks, resendAction, setOptOut, type BlockOrder,
} from './home-desk.ts';

const homes = `
[homes]
map = "address"
inside = ["198.51.100.0/24"]
[[home]]
name = "household-1"
prefixes = ["198.51.100.1"]
addresses = ["198.51.100.1", "::ffff:198.51.100.77"]
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
reasons = ["operator-order"]
[block]
nft = "/nonexistent/nft"
`;
const order: BlockOrder = {
  home: 'household-1', deviceModel, protocol: 'tcp', port: 23, note: 'telnet',
};
const refused = (sentence: RegExp) => (thrown: unknown): boolean =>
  thrown instanceof OperatorError && sentence.test(thrown.message);

test('a home goes by its name, its pseudonym, and the reference of an action, as people write it', async (t) => {
  const world = await CoreWorld.open(t, homes);
  const { core } = world;
  world.see('198.51.100.1');
  assert.equal(findHome(core, 'household-1'), 'household-1');
  assert.equal(findHome(core, core.store.pseudonyms.ofHome('household-1')), 'household-1');
  const [action] = core.desk.outbox.list();
  const reference = referenceOf(action?.id ?? '');
  assert.equal(findHome(core, reference), 'household-1');
  assert.equal(findHome(core, reference.toLowerCase()), 'household-1');
  for (const asked of ['household-3', '', 'h-000000000000', 'household-1 ']) {
    assert.throws(() => findHome(core, asked), refused(/Nothing is known of a home/));
  }
});

test('homes of the config are known before their first flow, others from it on', async (t) => {
  const world = await CoreWorld.open(t, homes);
  const { core } = world;
  assert.deepEqual(explainHome(core, 'household-2').verdicts, []);
  assert.ok(explainHome(core, 'household-2').isOptedOut && explainHome(core, 'household-2').isListed);
  assert.throws(() => explainHome(core, '198.51.100.9'), refused(/Nothing is known/));
  world.see('198.51.100.9', false);
  const { isListed, isOptedOut, verdicts, evidence, actions } = explainHome(core, '198.51.100.9');
  assert.deepEqual([isListed, isOptedOut, verdicts, actions], [false, false, [], []]);
  assert.ok(evidence.every(({ tokens }) => tokens.length === 0));
});

test('times that are shown are of the wall clock, whatever the timeline of the state is', async (t) => {
  for (const offsetMs of [0, -86_400_000 * 365, 7_200_000]) {
    const world = await CoreWorld.open(t, homes, { offsetMs });
    const { core, clock } = world;
    const startMs = clock.nowMs();
    world.see('198.51.100.1');
    core.desk.outbox.settle(core.steady.nowMs());
    const { verdicts: [verdict], evidence: [evidence], actions: [action], audit } = explainHome(core, 'household-1');
    const times = [verdict?.sinceMs, verdict?.firstFlowMs, verdict?.supportedMs, verdict?.evidence?.windowEndMs,
      evidence?.windowEndMs, action?.plannedMs, action?.dueMs, action?.nextMs, action?.finishedMs,
      ...audit.map(({ atMs }) => atMs)];
    assert.ok(times.length > 9);
    for (const time of times) {
      assert.ok(time !== undefined && time >= startMs - 60_000 && time <= clock.nowMs() + 60_000,
        `${new Date(time ?? 0).toISOString()} with ${offsetMs}`);
    }
    assert.equal(action?.state, 'dry-run');
  }
});

test('opting out is of everything or of one device model, and can be taken back', async (t) => {
  const world = await CoreWorld.open(t, homes, { head: 'dry_run = false' });
  const { core } = world;
  world.see('198.51.100.1');
  assert.equal(core.desk.outbox.list('household-1')[0]?.state, 'planned');
  assert.equal(setOptOut(core, 'household-1', deviceModel, true), 'household-1');
  assert.ok(!explainHome(core, 'household-1').isOptedOut, 'not of everything');
  assert.equal(core.desk.outbox.list('household-1')[0]?.state, 'cancelled');
  assert.ok(explainHome(core, 'household-1').withheld.every(({ code }) => code === 'opted-out'));
  setOptOut(core, 'household-1', deviceModel, false);
  assert.equal(core.desk.outbox.list('household-1')[0]?.state, 'planned');
  setOptOut(core, core.store.pseudonyms.ofHome('household-1'), undefined, true);
  assert.ok(explainHome(core, 'household-1').isOptedOut);
  setOptOut(core, 'household-1', undefined, false);
  assert.ok(!explainHome(core, 'household-1').isOptedOut);
  assert.throws(() => setOptOut(core, 'nobody', undefined, true), refused(/Nothing is known/));
});

test('an order to block is taken for each address of a home in which the device model is present', async (t) => {
  const world = await CoreWorld.open(t, blocking, { head: 'dry_run = false' });
  const { core } = world;
  assert.throws(() => orderBlock(core, order), refused(/is not present in this home/));
  world.see('198.51.100.1');
  world.see('198.51.100.9');
  assert.throws(() => orderBlock(core, { ...order, destination: 'there' }), refused(/no address or prefix/));
  assert.throws(() => orderBlock(core, { ...order, port: undefined }), refused(/./));
  assert.throws(() => orderBlock(core, { ...order, home: '198.51.100.9' }), refused(/gives no addresses/));
  const { home, ids } = orderBlock(core, order);
  assert.deepEqual([home, new Set(ids).size], ['household-1', 2]);
  const blocks = core.desk.outbox.list('household-1').filter(({ kind }) => kind === 'block');
  assert.deepEqual(blocks.map(({ state, rung }) => [state, rung]), [['planned', 'mitigate'], ['planned', 'mitigate']]);
  assert.deepEqual([...core.desk.blockedAddresses('household-1')].sort(), ['198.51.100.1', '198.51.100.77'],
    'a mapped address is the IPv4 address that it is');
  // What stands in the firewall cannot be said of a program that is not there.
  const { released, remarks } = await releaseBlocks(core, 'household-1');
  assert.equal(released, 0);
  assert.match(remarks.join(), /^Its blocks may still stand: /);
  assert.deepEqual(await releaseBlocks(core, '198.51.100.9'), { home: '198.51.100.9', released: 0, remarks: [] });
});

test('without [block] no order is taken and nothing is to be released', async (t) => {
  const world = await CoreWorld.open(t, homes);
  world.see('198.51.100.1');
  assert.throws(() => orderBlock(world.core, order), refused(/Orders to block are off/));
  assert.deepEqual(await releaseBlocks(world.core, 'household-1'), { home: 'household-1', released: 0, remarks: [] });
});

test('a forgotten home is known no more; one of the config is, and it says so', async (t) => {
  const world = await CoreWorld.open(t, homes);
  const { core } = world;
  for (const from of ['198.51.100.1', '198.51.100.9']) world.see(from);
  const report = await forgetHome(core, '198.51.100.9');
  assert.deepEqual([report.home, report.released, report.remarks], ['198.51.100.9', 0, []]);
  assert.throws(() => explainHome(core, '198.51.100.9'), refused(/Nothing is known/));
  assert.match((await forgetHome(core, 'household-1')).remarks.join(), /remove its entry there/);
  const { verdicts, evidence, actions, withheld, audit } = explainHome(core, 'household-1');
  assert.deepEqual([verdicts, evidence, actions, withheld, audit], [[], [], [], [], []]);
  assert.equal((await forgetHome(core, 'household-1')).home, 'household-1', 'twice is once');
});

test('only what failed, expired or is of uncertain fate is sent again', async (t) => {
  const world = await CoreWorld.open(t, homes, { head: 'dry_run = false' });
  const { core } = world;
  const { outbox } = core.desk;
  world.see('198.51.100.1');
  const id = outbox.list('household-1')[0]?.id ?? '';
  assert.throws(() => resendAction(core, id), refused(/the action is planned/));
  assert.throws(() => resendAction(core, 'nothing'), refused(/There is no action nothing/));
  for (const [asked, status] of [[id, 'failed'], [referenceOf(id), 'uncertain'],
    [referenceOf(id).toLowerCase(), 'failed']] as const) {
    assert.equal(outbox.take('webhook', core.steady.nowMs())?.id, id);
    outbox.finish(id, { status, detail: 'as the test has it' }, core.steady.nowMs());
    assert.equal(resendAction(core, asked), id);
  }
  const action = outbox.take('webhook', core.steady.nowMs());
  assert.equal((action?.expiresMs ?? 0) - core.steady.nowMs(), 86_400_000, 'it is tried for a day');
  outbox.finish(id, { status: 'done', detail: '' }, core.steady.nowMs());
  assert.throws(() => resendAction(core, id), refused(/the action is done/));
});

test('of a home with addresses of both families, an order blocks those that can talk to its destination', async (t) => {
  const dual = blocking.replace('"::ffff:198.51.100.77"', '"2001:db8:71::9"');
  const world = await CoreWorld.open(t, dual, { head: 'dry_run = false' });
  const { core } = world;
  world.see('198.51.100.1');
  const blocked = (destination: string | undefined): string[] => {
    const { ids } = orderBlock(core, { ...order, destination });
    const orders = core.desk.outbox.orders('household-1').filter(({ id }) => ids.includes(id));
    return orders.map(({ target }) => target.homeAddress).sort();
  };
  assert.deepEqual(blocked('192.0.2.0/24'), ['198.51.100.1']);
  assert.deepEqual(blocked('::ffff:192.0.2.9'), ['198.51.100.1']);
  assert.deepEqual(blocked('2001:db8:5::/48'), ['2001:db8:71::9']);
  assert.deepEqual(blocked(undefined), ['198.51.100.1', '2001:db8:71::9']);
  const single = await CoreWorld.open(t, blocking, { head: 'dry_run = false' });
  single.see('198.51.100.1');
  assert.throws(() => orderBlock(single.core, { ...order, destination: '2001:db8:5::9' }),
    refused(/all of the other family/));
});
