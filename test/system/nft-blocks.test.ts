/**
 * Blocks in a real kernel, with real packets: what is blocked does not get through in either direction, all else does,
 * and a block ends by itself. On the provider's machine of the detector's network.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  createBlockExecutor, NftBlocks, type BlockOptions, type BlockTarget, type Outcome, type PlannedAction,
} from '#action';
import { parsePrefix, systemClock, type Prefix } from '#base';
import { sampleAction } from '../support/outbox-sample.ts';
import {
  clientAddresses6, DetectorNetwork, homeLetters, serverAddresses, serverAddresses6, wanAddresses, type Exchange,
  type HomeLetter,
} from './detector-network.ts';
import { whyNoNamespaces } from './real-nat.ts';
import { missing } from './shared-data.ts';

const skip = missing({ programs: ['ip', 'nft', '/usr/bin/python3'] }) || whyNoNamespaces();
const folder = mkdtempSync(join(tmpdir(), 'natlens-nft-'));
const network = new DetectorNetwork(folder);
const [first, second, third, fourth] = serverAddresses;
const [first6, second6] = serverAddresses6;
/** In a network of the first servers' prefix, and never blocked. */
const allowed = fourth;
const table = 'natlens_test';

let options: BlockOptions;
before(async () => {
  if (skip !== false) return;
  await network.open();
  options = {
    table, durationMs: 600_000, blocksMax: 100, nft: network.programIn('p', 'nft'),
    allow: [parsePrefix(allowed), parsePrefix(second6)] as Prefix[],
  };
});
after(async () => {
  await network.close();
  rmSync(folder, { recursive: true });
});

const home = wanAddresses.A;
const target: BlockTarget = { homeAddress: home, destination: undefined, protocol: 'tcp', port: undefined };

async function block(changed: Partial<BlockTarget>, more: Partial<PlannedAction> & Partial<BlockOptions> = {}):
Promise<Outcome> {
  const { durationMs = options.durationMs, ...action } = more;
  const executor = createBlockExecutor({ ...options, durationMs }, { nowMs: systemClock.nowMs });
  const asked = { ...target, ...changed };
  return executor.execute(sampleAction({ kind: 'block', rung: 'mitigate', channel: JSON.stringify(asked), block: asked,
    dueMs: systemClock.nowMs(), ...action }),
  { markCommitting: () => undefined, signal: new AbortController().signal, wallMs: systemClock.nowMs });
}

/** Exchanges that do not come back, of a list: all at once, and those that were lost by chance a second time. */
async function lost(exchanges: readonly (Exchange & { from?: HomeLetter })[]): Promise<string[]> {
  const isLost = async ({ from = 'A', ...exchange }: Exchange & { from?: HomeLetter }): Promise<boolean> =>
    !await network.exchange(from, exchange);
  let left = [...exchanges];
  for (let tries = 0; tries < 2 && left.length > 0; tries++) {
    const told = await Promise.all(left.map(isLost));
    left = left.filter((_, i) => told[i]);
  }
  return left.map(({ from = 'A', protocol, to, port }) => `${from} ${protocol} ${to} ${port}`).sort();
}

/** Of each home to some addresses and ports. */
function everywhere(addresses: readonly string[], ports: readonly number[]): (Exchange & { from: HomeLetter })[] {
  return homeLetters.flatMap((from) => addresses.flatMap((to) => ports.flatMap((port) =>
    (['tcp', 'udp'] as const).map((protocol) => ({ from, to, port, protocol })))));
}

/** Takes the table away, as somebody who flushes rules does. */
function clear(): void {
  spawnSync(options.nft, ['delete', 'table', 'inet', table]);
}

test('a destination, a prefix, a port, both: dropped for that home, and for nobody else', { skip }, async () => {
  const cases: [Partial<BlockTarget>, (exchange: Exchange) => boolean][] = [
    [{ destination: first }, ({ to }) => to === first],
    // The prefix of three of the servers, one of which is allowed.
    [{ destination: '198.18.0.0/16' }, ({ to }) => to.startsWith('198.18.') && to !== allowed],
    [{ destination: '198.18.1.128/24' }, ({ to }) => to === third],
    [{ port: 23 }, ({ to, port, protocol }) => port === 23 && protocol === 'tcp' && to !== allowed],
    [{ port: 53, protocol: 'udp' }, ({ to, port, protocol }) => port === 53 && protocol === 'udp' && to !== allowed],
    [{ destination: second, port: 443 },
      ({ to, port, protocol }) => to === second && port === 443 && protocol === 'tcp'],
    [{ destination: '198.18.0.0/15', port: 443, protocol: 'udp' },
      ({ to, port, protocol }) => to.startsWith('198.18.') && to !== allowed && port === 443 && protocol === 'udp'],
  ];
  const exchanges = everywhere(serverAddresses, [23, 53, 443]);
  assert.deepEqual(await lost(exchanges), [], 'before any block');
  for (const [changed, isBlocked] of cases) {
    const outcome = await block(changed);
    assert.equal(outcome.status, 'done', `${JSON.stringify(changed)} ${outcome.detail}`);
    const expected = exchanges.filter((exchange) => exchange.from === 'A' && isBlocked(exchange))
      .map(({ from, protocol, to, port }) => `${from} ${protocol} ${to} ${port}`).sort();
    assert.ok(expected.length > 0);
    assert.deepEqual(await lost(exchanges), expected, JSON.stringify(changed));
    clear();
  }
  assert.deepEqual(await lost(exchanges), [], 'after the last one was taken away');
});

test('IPv6 as IPv4', { skip }, async () => {
  const exchanges = everywhere(serverAddresses6, [23, 443]);
  assert.deepEqual(await lost(exchanges), []);
  const own = { homeAddress: clientAddresses6.A };
  for (const [changed, expected] of [
    [{ destination: first6 }, [`tcp ${first6} 23`, `tcp ${first6} 443`, `udp ${first6} 23`, `udp ${first6} 443`]],
    // Both servers lie in it, the second one is allowed.
    [{ destination: '2001:db8:4::/46', port: 443 }, [`tcp ${first6} 443`]],
    [{ port: 23, protocol: 'udp' as const }, [`udp ${first6} 23`]],
  ] as const) {
    assert.equal((await block({ ...own, ...changed })).status, 'done');
    assert.deepEqual(await lost(exchanges), expected.map((text) => `A ${text}`), JSON.stringify(changed));
    clear();
  }
});

test('what comes from a blocked destination does not get in either', { skip }, async () => {
  const listen = (port: number): string => `import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(1)
s.bind(('::', ${port}))
print('ready', flush=True)
try:
    s.recv(100)
    print('got', flush=True)
except TimeoutError:
    print('nothing', flush=True)
`;
  const sendFrom = (address: string, port: number): void => {
    network.runIn('s', ['/usr/bin/python3', '-c', `import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('${address}', ${port}))
s.sendto(b'command', ('${clientAddresses6.A}', 5000))`]);
  };
  const isHeard = async (address: string, port: number): Promise<boolean> => {
    const listener = network.start('cA', ['/usr/bin/python3', '-c', listen(5000)]);
    const said = new Promise<string>((resolve) => {
      let text = '';
      listener.stdout?.on('data', (piece: Buffer) => {
        text += piece.toString();
        if (text === 'ready\n') sendFrom(address, port);
        if (/got|nothing/.test(text)) resolve(text);
      });
    });
    return (await said).includes('got');
  };
  assert.equal(await isHeard(first6, 6000), true);
  await block({ homeAddress: clientAddresses6.A, destination: first6 });
  assert.equal(await isHeard(first6, 6000), false);
  assert.equal(await isHeard(second6, 6000), true);
  clear();
  await block({ homeAddress: clientAddresses6.A, port: 6000, protocol: 'udp' });
  assert.equal(await isHeard(first6, 6000), false);
  assert.equal(await isHeard(first6, 6001), true);
  clear();
});

test('a block ends by itself at its time, also when it is made again in between', { skip }, async () => {
  const exchange: Exchange = { protocol: 'udp', to: first, port: 53 };
  const dueMs = systemClock.nowMs();
  assert.equal((await block({ destination: first }, { dueMs, durationMs: 2_500 })).status, 'done');
  await pause(1_200);
  assert.match((await block({ destination: first }, { dueMs, durationMs: 2_500 })).detail, /blocked already/);
  assert.deepEqual(await lost([exchange]), [`A udp ${first} 53`]);
  await pause(dueMs + 2_700 - systemClock.nowMs());
  assert.deepEqual(await lost([exchange]), []);
  assert.deepEqual(await new NftBlocks(options).list(), []);
  // One that was due a while ago has the rest alone.
  const late = { dueMs: systemClock.nowMs() - 1_500, durationMs: 2_500 };
  assert.equal((await block({ destination: first }, late)).status, 'done');
  assert.deepEqual(await lost([exchange]), [`A udp ${first} 53`]);
  await pause(Math.max(0, late.dueMs + 2_700 - systemClock.nowMs()));
  assert.deepEqual(await lost([exchange]), []);
  clear();
});

test('a longer block replaces a shorter one at once, and a shorter one changes nothing', { skip }, async () => {
  const blocks = new NftBlocks(options);
  const remaining = async (): Promise<number[]> => {
    const listed = await blocks.list();
    assert.ok(Array.isArray(listed), JSON.stringify(listed));
    return listed.map(({ remainingMs }) => Math.round(remainingMs / 10_000));
  };
  for (const [durationMs, expected] of [[100_000, 10], [300_000, 30], [50_000, 30]] as const) {
    assert.equal((await block({ destination: '198.18.0.0/16', port: 443 }, { durationMs })).status, 'done');
    assert.deepEqual(await remaining(), [expected]);
  }
  // The kernel knows one table, its rules once, and the names of actions.
  const listed = network.runIn('p', ['nft', 'list', 'table', 'inet', table]);
  assert.equal(listed.match(/@ipv4_destination16_port drop/g)?.length, 2);
  assert.match(listed, /comment "natlens [0-9a-f]{16}"/);
  clear();
});

test('blocks of a home are listed and released; those of the other home stay', { skip }, async () => {
  const blocks = new NftBlocks(options);
  assert.deepEqual(await blocks.list(), []);
  await block({ destination: first });
  await block({ destination: '198.18.0.0/16' });
  await block({ port: 23 });
  await block({ homeAddress: wanAddresses.B, port: 443 });
  await block({ homeAddress: clientAddresses6.A, destination: '2001:db8:4::/46' });
  const exchanges = everywhere([first, third, first6], [23, 443]);
  const before6 = exchanges.filter(({ from, to }) => from === 'A' && to === first6);
  assert.equal((await lost(before6)).length, before6.length);
  const listed = await blocks.list([home, clientAddresses6.A]);
  assert.ok(Array.isArray(listed), JSON.stringify(listed));
  assert.deepEqual(listed.map(({ destination, port }) => `${destination} ${port}`).sort(), [
    '198.18.0.0/16 undefined', '198.51.100.10 undefined', '2001:db8:4::/46 undefined', 'undefined 23']);
  assert.deepEqual(await blocks.release([home, clientAddresses6.A.toUpperCase()]), { released: 4 });
  assert.deepEqual(await lost(exchanges), [`B tcp ${third} 443`, `B tcp ${first} 443`].sort());
  assert.deepEqual(await blocks.release([home]), { released: 0 });
  clear();
});

test('somebody who flushes all rules ends the blocks, and the next one stands again', { skip }, async () => {
  const exchange: Exchange = { protocol: 'udp', to: first, port: 53 };
  await block({ destination: first });
  network.runIn('p', ['nft', 'flush', 'ruleset']);
  assert.deepEqual(await lost([exchange]), []);
  await block({ destination: first });
  assert.equal((await lost([exchange])).length, 1);
  clear();
});

test('a table that is somebody else\'s, and no rights, are told in a sentence', { skip }, async () => {
  network.runIn('p', ['nft', `add table inet ${table}; add set inet ${table} ipv4_port { type ipv4_addr; }`]);
  const outcome = await block({ port: 23 });
  assert.equal(outcome.status, 'failed', outcome.detail);
  assert.match(outcome.detail, /block\.table/);
  clear();
  // As a user without CAP_NET_ADMIN, within the same namespace.
  const path = join(folder, 'nft-as-nobody');
  writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${network.space('p')} ` +
    'setpriv --reuid 65534 --regid 65534 --clear-groups nft "$@"\n', { mode: 0o755 });
  const executor = createBlockExecutor({ ...options, nft: path }, { nowMs: systemClock.nowMs });
  const refused = await executor.execute(
    sampleAction({ kind: 'block', block: { ...target, port: 23 }, dueMs: systemClock.nowMs() }),
    { markCommitting: () => undefined, signal: new AbortController().signal, wallMs: systemClock.nowMs });
  assert.equal(refused.status, 'failed', refused.detail);
  assert.match(refused.detail, /CAP_NET_ADMIN/);
});
