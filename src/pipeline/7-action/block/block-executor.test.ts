/** Blocks through an nft that is none: what is written when, what stays, what is refused, and what failures say. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parsePrefix, type Prefix } from '#base';
import { hostileTexts, testExecutorContract } from '../../../../test/support/executor-contract.ts';
import { FakeNft } from '../../../../test/support/fake-nft.ts';
import { sampleAction, sampleStartMs } from '../../../../test/support/outbox-sample.ts';
import type { BlockOptions } from '../action-options.ts';
import type { BlockTarget, Outcome, PlannedAction } from '../action.ts';
import { elementOf } from './block-element.ts';
import { createBlockExecutor } from './block-executor.ts';
import { NftBlocks } from './nft-blocks.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-block-'));
after(() => rmSync(folder, { recursive: true }));
const newFolder = (): string => mkdtempSync(join(folder, 'case-'));

const options = (changed: Partial<BlockOptions> = {}): BlockOptions => ({
  table: 'natlens', durationMs: 3_600_000, blocksMax: 8, nft: 'nft',
  allow: ['192.0.2.0/24', '198.51.100.53', '2001:db8:aa::/48'].map((text) => parsePrefix(text) as Prefix), ...changed,
});
const home = '203.0.113.1';
const target: BlockTarget = { homeAddress: home, destination: '198.51.100.9', protocol: 'tcp', port: undefined };
const blockAction = (block: BlockTarget = target, changed: Partial<PlannedAction> = {}): PlannedAction =>
  sampleAction({ kind: 'block', rung: 'mitigate', channel: JSON.stringify(block), block, ...changed });

/** A fake nft, and a detector whose time goes with it. */
class World {
  readonly nft = new FakeNft();
  readonly options: BlockOptions;
  nowMs = sampleStartMs;

  constructor(changed: Partial<BlockOptions> = {}) {
    this.options = options(changed);
  }

  execute(action: PlannedAction): Promise<Outcome> {
    return createBlockExecutor(this.options, { nowMs: () => this.nowMs, runner: this.nft.run }).execute(action, {
      markCommitting: () => undefined, signal: new AbortController().signal, wallMs: () => 0,
    });
  }

  pass(durationMs: number): void {
    this.nowMs += durationMs;
    this.nft.pass(durationMs);
  }
}

testExecutorContract({
  name: 'block', action: blockAction(),
  hostile: hostileTexts.flatMap((text) => [
    blockAction({ ...target, homeAddress: text }), blockAction({ ...target, destination: text }),
    blockAction({ ...target, protocol: text as 'tcp', port: 23 }), blockAction({ ...target, port: text as never }),
  ]),
  open: () => {
    const nft = new FakeNft();
    const executor = createBlockExecutor(options(), { nowMs: () => sampleStartMs, runner: nft.run });
    return {
      executor, effects: () => nft.elements(), breakDown: () => nft.complain('Device or resource busy'),
      mend: () => nft.complain(''), passTime: () => nft.pass(3_600_000), close: () => undefined,
    };
  },
});

test('a block lasts from when it was due, however late or often it is made', async () => {
  const world = new World();
  world.pass(600_000);
  const outcome = await world.execute(blockAction());
  assert.deepEqual(outcome,
    { status: 'done', detail: 'ipv4_destination32 { 203.0.113.1 . 198.51.100.9 } is blocked for 3000 s' });
  assert.deepEqual(world.nft.elements(), ['natlens ipv4_destination32 { 203.0.113.1 . 198.51.100.9 } for 3000']);
  world.pass(1_000_000);
  const again = await world.execute(blockAction());
  assert.match(again.detail, /blocked already/);
  assert.deepEqual(world.nft.elements(), ['natlens ipv4_destination32 { 203.0.113.1 . 198.51.100.9 } for 2000']);
  world.pass(2_000_000);
  assert.deepEqual(world.nft.elements(), []);
  assert.deepEqual(await world.execute(blockAction()),
    { status: 'failed', detail: 'its time was over before it could be applied' });
  assert.deepEqual(world.nft.elements(), []);
});

test('a later block lengthens, an earlier one never shortens', async () => {
  const world = new World();
  await world.execute(blockAction());
  world.pass(1_800_000);
  const later = blockAction(target, { step: 1, dueMs: world.nowMs });
  assert.equal((await world.execute(later)).status, 'done');
  assert.deepEqual(world.nft.elements(), ['natlens ipv4_destination32 { 203.0.113.1 . 198.51.100.9 } for 3600']);
  assert.match((await world.execute(blockAction())).detail, /as long or longer/);
  assert.deepEqual(world.nft.elements(), ['natlens ipv4_destination32 { 203.0.113.1 . 198.51.100.9 } for 3600']);
  // A time that lies ahead, as after a state that was copied from elsewhere, is no longer block.
  world.nowMs -= 7_200_000;
  await world.execute(blockAction({ ...target, port: 25 }));
  assert.equal(world.nft.elements()[1],
    'natlens ipv4_destination32_port { 203.0.113.1 . 198.51.100.9 . tcp . 25 } for 3600');
});

test('what is allowed is looked at before what is blocked, and the rules are there once', async () => {
  const world = new World();
  await world.execute(blockAction());
  await world.execute(blockAction({ ...target, destination: '198.51.0.0/16' }));
  await world.execute(blockAction({ ...target, destination: undefined, port: 23 }));
  assert.deepEqual(world.nft.rules('natlens', 'forward'), ['jump outward', 'jump inward']);
  const outward = world.nft.rules('natlens', 'outward');
  assert.deepEqual(outward.slice(0, 2), ['ip daddr @allow4 return', 'ip6 daddr @allow6 return']);
  // Both families: one destination, a port, both; and the prefix that a block needed.
  assert.equal(outward.length, 2 + 6 + 1);
  assert.equal(new Set(outward).size, outward.length);
  assert.ok(outward.includes('ip saddr . (ip daddr & 255.255.0.0) @ipv4_destination16 drop'));
  assert.equal(world.nft.rules('natlens', 'inward').length, outward.length);
  assert.deepEqual(world.nft.allowed('natlens'), ['192.0.2.0/24', '198.51.100.53/32', '2001:db8:aa::/48']);
  // A changed list is taken with the next block.
  const changed = new NftBlocks({ ...world.options, allow: [] }, undefined, world.nft.run);
  const element = elementOf({ ...target, port: 25 });
  assert.ok(typeof element !== 'string');
  assert.deepEqual(await changed.apply(element, 60_000, 'ab'.repeat(32)), { applied: 'new' });
  assert.deepEqual(world.nft.allowed('natlens'), []);
  assert.equal(world.nft.elements().length, 4, 'blocks that stand are untouched');
});

test('an allowed address is not blocked though a plan asks for it', async () => {
  const world = new World();
  for (const [block, named] of [
    [{ ...target, destination: '198.51.100.53' }, '198.51.100.53'],
    [{ ...target, destination: '192.0.2.128/25' }, '192.0.2.128/25'],
    [{ ...target, destination: '198.51.100.53', port: 80 }, '198.51.100.53'],
    [{ ...target, homeAddress: '192.0.2.7' }, '192.0.2.7'],
    [{ ...target, homeAddress: '2001:db8::1', destination: '2001:db8:aa:1::1' }, '2001:db8:aa:1::1'],
  ] as const) {
    assert.deepEqual(await world.execute(blockAction(block)),
      { status: 'failed', detail: `${named} is allowed and never blocked` });
  }
  assert.deepEqual(await world.execute(blockAction(target, { block: undefined })),
    { status: 'failed', detail: 'the action does not say what to block' });
  assert.match((await world.execute(blockAction({ ...target, destination: undefined }))).detail, /whole home/);
  assert.match((await world.execute(blockAction(target, { isDryRun: true }))).detail, /dry run/);
  assert.deepEqual(world.nft.calls, [], 'nft was not even asked');
});

test('at the limit of blocks the next one waits until one ends; the ones that stand are kept up', async () => {
  const world = new World({ blocksMax: 2 });
  const blockOf = (port: number): PlannedAction => blockAction({ ...target, port });
  await world.execute(blockOf(1));
  world.pass(3_590_000);
  const atEnd = { dueMs: world.nowMs };
  await world.execute(blockAction({ ...target, port: 2 }, atEnd));
  const full = await world.execute(blockAction({ ...target, port: 3 }, atEnd));
  assert.deepEqual(full, { status: 'retry', detail: '2 blocks stand, which is the limit', afterMs: 11_000 });
  assert.equal((await world.execute(blockAction({ ...target, port: 2 }, atEnd))).status, 'done');
  world.pass(11_000);
  assert.equal((await world.execute(blockAction({ ...target, port: 3 }, atEnd))).status, 'done');
  assert.equal(world.nft.elements().length, 2);
});

test('blocks of a home are listed and released, those of others stay', async () => {
  const world = new World();
  const blocks = new NftBlocks(world.options, undefined, world.nft.run);
  assert.deepEqual(await blocks.list(), [], 'no table');
  assert.deepEqual(await blocks.release([home]), { released: 0 });
  await world.execute(blockAction());
  await world.execute(blockAction({ ...target, port: 23 }));
  await world.execute(blockAction({ ...target, homeAddress: '2001:db8::5', destination: '2001:db8:9::/48' }));
  const listed = await blocks.list();
  assert.ok(Array.isArray(listed));
  const shown = listed.map((block) => [block.homeAddress, block.destination, block.port, block.remainingMs]);
  assert.deepEqual(shown, [
    [home, '198.51.100.9', undefined, 3_600_000], [home, '198.51.100.9', 23, 3_600_000],
    ['2001:db8::5', '2001:db8:9::/48', undefined, 3_600_000],
  ]);
  assert.equal(listed[0]?.action, blockAction().id.slice(0, 16));
  assert.deepEqual(await blocks.release([home, '2001:db8::6']), { released: 2 });
  assert.equal(world.nft.elements().length, 1);
  assert.deepEqual(await blocks.release(['2001:DB8:0::5']), { released: 1 });
  assert.deepEqual(world.nft.elements(), []);
});

test('failures say who must act', async () => {
  const cases: [string, Outcome['status'], RegExp][] = [
    ['Could not process rule: Operation not permitted', 'failed', /CAP_NET_ADMIN/],
    ['netlink: Error: cache initialization failed: Operation not permitted', 'failed', /CAP_NET_ADMIN/],
    ['JSON support not compiled-in', 'failed', /no JSON/],
    ['syntax error, unexpected timeout', 'failed', /too old .*0\.9\.4/],
    ['Could not process rule: Operation not supported', 'failed', /too old/],
    ['Could not process rule: File exists', 'failed', /block\.table/],
    ['Could not process rule: Device or resource busy\u001b[2J', 'retry', /failed: Error: .*busy \[2J$/],
    ['', 'done', /blocked for/],
  ];
  const world = new World();
  for (const [complaint, status, detail] of cases) {
    world.nft.complain(complaint);
    const outcome = await world.execute(blockAction());
    assert.equal(outcome.status, status, complaint);
    assert.match(outcome.detail, detail);
    const released = await new NftBlocks(world.options, undefined, world.nft.run).release([home]);
    if (status !== 'done') assert.ok('failure' in released && released.isLasting === (status === 'failed'), complaint);
  }
});

test('an nft that is missing, forbidden, silent or confused is an outcome', async () => {
  const program = (name: string, text: string, mode: number): string => {
    const path = join(newFolder(), name);
    writeFileSync(path, text, { mode });
    return path;
  };
  const cases: [string, Outcome['status'], RegExp][] = [
    [join(folder, 'absent'), 'failed', /is not there: install nftables/],
    [program('nft', '#!/bin/sh\n', 0o644), 'failed', /may not be run/],
    [program('nft', '#!/bin/sh\necho "{}"\n', 0o755), 'retry', /not the JSON/],
    [program('nft', '#!/bin/sh\necho "[1"\n', 0o755), 'retry', /not the JSON/],
    [program('nft', '#!/bin/sh\nexit 3\n', 0o755), 'retry', /does not say why/],
    [program('nft', '#!/bin/sh\nkill -TERM $$\n', 0o755), 'retry', /ended by SIGTERM/],
    [program('nft', '#!/bin/sh\nyes\n', 0o755), 'retry', /stops/],
  ];
  for (const [nft, status, detail] of cases) {
    const executor = createBlockExecutor(options({ nft }), { nowMs: () => sampleStartMs });
    const stop = new AbortController();
    const running = executor.execute(blockAction(), {
      markCommitting: () => undefined, signal: stop.signal, wallMs: () => 0,
    });
    if (detail.source === 'stops') stop.abort();
    const outcome = await running;
    assert.equal(outcome.status, status, `${nft}: ${outcome.detail}`);
    assert.match(outcome.detail, detail);
  }
});

test('an element that ends between the look and the change is looked at again', async () => {
  const world = new World();
  await world.execute(blockAction());
  const stale = { nftables: [{ table: { family: 'inet', name: 'natlens' } }, { set: { name: 'ipv4_port', elem: [
    { elem: { val: { concat: [home, 'tcp', 99] }, timeout: 1, expires: 1 } }] } }] };
  let isStale = true;
  const blocks = new NftBlocks(world.options, undefined, (run) => {
    const isFirst = isStale && run.args.includes('list');
    if (isFirst) isStale = false;
    if (!isFirst) return world.nft.run(run);
    return Promise.resolve({ end: 'exited', code: 0, stdout: JSON.stringify(stale), stderr: '', isCut: false });
  });
  assert.deepEqual(await blocks.release([home]), { released: 1 });
  assert.deepEqual(world.nft.elements(), []);
  assert.deepEqual(world.nft.calls.slice(-3), ['-f -', '-j list table inet natlens', '-f -']);
});

test('what nothing but presence speaks for is not blocked, whatever the outbox holds', async () => {
  const world = new World();
  const presence = { code: 'presence', text: 'present' } as const;
  const verified = { code: 'verified', text: 'confirmed' } as const;
  for (const reasons of [[], [presence], [presence, verified]]) {
    const { status, detail } = await world.execute(blockAction(target, { reasons }));
    assert.deepEqual([status, detail], ['failed', 'presence alone blocks nothing']);
  }
  assert.deepEqual(world.nft.calls, []);
  const order = { code: 'operator-order', text: 'ordered' } as const;
  assert.equal((await world.execute(blockAction(target, { reasons: [order] }))).status, 'done');
});
