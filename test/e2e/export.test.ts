/** `natlens export` as a user types it: to a socket on loopback, and every way to get it wrong. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#base';
import { environment, launcher, readRows, runNatlens } from '../support/natlens-process.ts';

let folder = '';
let flowCount = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-export-'));
  for (const args of [['simulate', 'home.pcap', '--minutes', '3', '--seed', '3'],
    ['flows', 'home.pcap', '-o', 'home.csv']]) {
    const run = runNatlens(args, { cwd: folder });
    assert.equal(run.status, 0, run.stderr);
  }
  flowCount = readRows(readFileSync(join(folder, 'home.csv'), 'utf8')).length;
  assert.ok(flowCount > 20);
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs an export to a socket of ours and gives what it printed and what came. */
async function exportTo(
  args: readonly string[], address = '127.0.0.1',
): Promise<{ stdout: string; received: Buffer[] }> {
  const socket = createSocket(address === '::1' ? 'udp6' : 'udp4');
  const received: Buffer[] = [];
  socket.on('message', (message) => void received.push(message));
  socket.bind(0, address);
  await once(socket, 'listening');
  try {
    const place = address === '::1' ? `[::1]:${socket.address().port}` : `${address}:${socket.address().port}`;
    const child = spawn(process.execPath, [launcher, 'export', ...args, '--to', place],
      { cwd: folder, env: environment(folder), stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString(); });
    const [code] = await once(child, 'close') as [number];
    assert.equal(code, 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { stdout, received };
  } finally {
    socket.close();
  }
}

test('a flow file and a capture go out whole, and the summary says so', async () => {
  for (const input of ['home.csv', 'home.pcap']) {
    const { stdout, received } = await exportTo([input, '--json', '--domain', '4711']);
    const summary = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(summary.flows, flowCount);
    assert.equal(summary.format, 'IPFIX');
    assert.equal(summary.datagrams, received.length);
    assert.equal(summary.bytes, received.reduce((sum, { length }) => sum + length, 0));
    assert.ok(received.every((message) => message.readUInt16BE(0) === 10 && message.readUInt32BE(12) === 4_711));
    assert.deepEqual(summary.notes, []);
  }
});

test('NetFlow v9, for people, with a rate that it keeps to', async () => {
  const startMs = systemClock.monotonicMs();
  const { stdout, received } = await exportTo(['home.csv', '--v9', '--rate', String(flowCount * 2)]);
  // Half a second of records, less those of the last datagram, which need no wait behind them.
  assert.ok(systemClock.monotonicMs() - startMs >= 350);
  assert.match(stdout, new RegExp(`^${flowCount} flows sent to 127.0.0.1:\\d+ as NetFlow v9, domain 0: `));
  assert.ok(received.every((message) => message.readUInt16BE(0) === 9));
  assert.deepEqual(received.map((message) => message.readUInt32BE(12)), received.map((_, i) => i));
});

test('IPv6 places stand in brackets', async (context) => {
  try {
    const { stdout } = await exportTo(['home.csv'], '::1');
    assert.match(stdout, /flows sent to \[::1\]:\d+/);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EADDRNOTAVAIL') throw thrown;
    context.skip('no IPv6 loopback');
  }
});

test('what is wrong is said in one sentence', async () => {
  const refused = createSocket('udp4');
  refused.bind(0, '127.0.0.1');
  await once(refused, 'listening');
  const { port } = refused.address();
  refused.close();
  await once(refused, 'close');
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['home.csv', '--to', '127.0.0.1'], 2, /HOST:PORT/],
    [['home.csv', '--to', '::1:2055'], 2, /\[::1\]:2055/],
    [['home.csv', '--to', '127.0.0.1:0'], 2, /HOST:PORT/],
    [['home.csv', '--to', '127.0.0.1:65536'], 2, /HOST:PORT/],
    [['home.csv'], 2, /--to/],
    [['home.csv', '--to', '127.0.0.1:9', '--v9', '--ipfix'], 2, /not both/],
    [['home.csv', '--to', '127.0.0.1:9', '--rate', 'fast'], 2, /--rate/],
    [['home.csv', '--to', '127.0.0.1:9', '--domain', '-1'], 2, /--domain/],
    [['absent.csv', '--to', '127.0.0.1:9'], 2, /absent\.csv/],
    [['home.csv', '--to', `127.0.0.1:${port}`], 3, /nobody listens there/],
  ];
  for (const [args, status, message] of cases) {
    const run = runNatlens(['export', ...args], { cwd: folder });
    assert.equal(run.status, status, `${args.join(' ')}: ${run.stderr}`);
    assert.match(run.stderr, message);
    assert.equal(run.stdout, '');
    assert.doesNotMatch(run.stderr, /\n\s+at /);
  }
});
