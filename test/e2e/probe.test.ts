/**
 * `natlens probe` on capture files, which needs no right: the flows are those of `natlens flows`, also after the way
 * over a network, and sampling leaves what it says.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AddressWords } from '#base';
import { IpfixMessageSplitter } from '#capture';
import { ExportDecoder } from '#flow';
import { layOutDetector } from '../support/detector-world.ts';
import { environment, launcher, readRows, runNatlens, runNatlensBeside, type Ran } from '../support/natlens-process.ts';

let folder = '';
const exporter: AddressWords = [0, 0, 0xffff, 0x7f000001];
/** Rows of the home's capture by `natlens flows`. */
let expected: Record<string, string>[] = [];

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-probe-'));
  for (const args of [['simulate', 'home.pcap', '--minutes', '5', '--seed', '21'],
    ['flows', 'home.pcap', '-o', 'home.csv', '-q'], ['flows', 'home.pcap', '-o', 'none.csv', '--l7', 'none', '-q']]) {
    const run = runNatlens(args, { cwd: folder });
    assert.equal(run.status, 0, run.stderr);
  }
  expected = readRows(readFileSync(join(folder, 'home.csv'), 'utf8'));
  assert.ok(expected.length > 50);
});

after(() => rmSync(folder, { recursive: true, force: true }));

const probe = (...args: string[]): Promise<Ran> => runNatlensBeside(['probe', ...args], folder);

type Summary = {
  frames: number; meteredPackets: number; unsampledPackets: number; rejected: Record<string, number>; flows: number;
  octets: number; kernel: unknown; notes: string[];
  export: { records: number; sentRecords: number; lostRecords: number; waitingRecords: number; flows: number } | null;
};

function summaryOf({ status, stdout, stderr }: Ran): Summary {
  assert.equal(status, 0, stderr);
  const summary = JSON.parse(stdout) as Summary;
  const rejected = Object.values(summary.rejected).reduce((sum, count) => sum + count, 0);
  assert.equal(summary.frames, summary.meteredPackets + summary.unsampledPackets + rejected);
  if (summary.export !== null) {
    const { records, sentRecords, lostRecords, waitingRecords } = summary.export;
    assert.equal(records, sentRecords + lostRecords + waitingRecords);
  }
  return summary;
}

/** What tells flows apart, by columns that travel over every way. */
const travelling = ['flowStartMilliseconds', 'flowEndMilliseconds', 'sourceAddress', 'destinationAddress',
  'sourceTransportPort', 'destinationTransportPort', 'protocolIdentifier', 'initiatorPackets', 'responderPackets',
  'initiatorOctets', 'responderOctets', 'ipClassOfService', 'flowEndReason', 'applicationName'];
const describe = (rows: readonly Record<string, string>[]): string[] =>
  rows.map((row) => travelling.map((name) => row[name]).join(' ')).sort();

test('as fast as it goes: the very file that natlens flows writes, for every source of names', async () => {
  for (const [l7, file] of [['prefix', 'home.csv'], ['none', 'none.csv']] as const) {
    const summary = summaryOf(await probe('home.pcap', '--fast', '-o', 'fast.csv', '--l7', l7, '--json'));
    assert.equal(readFileSync(join(folder, 'fast.csv'), 'utf8'), readFileSync(join(folder, file), 'utf8'));
    assert.equal(summary.flows, expected.length);
    assert.equal(summary.kernel, null);
  }
});

test('at the pace of the capture: the same flows, and it takes as long', async () => {
  // The first seconds, so that a test can wait for them: flows that go on are cut in both.
  const head = readFileSync(join(folder, 'home.pcap'));
  const firstSeconds = head.readUInt32LE(24) + head.readUInt32LE(28) / 1e6;
  let at = 24;
  let lastSeconds = firstSeconds;
  while (at < head.length) {
    const seconds = head.readUInt32LE(at) + head.readUInt32LE(at + 4) / 1e6;
    if (seconds - firstSeconds > 4) break;
    lastSeconds = seconds;
    at += 16 + head.readUInt32LE(at + 8);
  }
  writeFileSync(join(folder, 'short.pcap'), head.subarray(0, at));
  const timeouts = ['--active', '2', '--idle', '1'];
  assert.equal(runNatlens(['flows', 'short.pcap', '-o', 'short.csv', ...timeouts], { cwd: folder }).status, 0);
  const run = await probe('short.pcap', '-o', 'paced.csv', '--json', ...timeouts);
  const { seconds } = JSON.parse(run.stdout) as { seconds: number };
  assert.ok(seconds >= lastSeconds - firstSeconds - 0.1, `${seconds} s`);
  const rows = (name: string): string[] => describe(readRows(readFileSync(join(folder, name), 'utf8')));
  assert.ok(rows('short.csv').length > 5);
  assert.deepEqual(rows('paced.csv'), rows('short.csv'));
});

/** Everything that comes at a UDP port of ours, as a capture would have it: bare datagrams one after the other. */
async function collectUdp(args: readonly string[]): Promise<{ run: Ran; received: Buffer[] }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  const received: Buffer[] = [];
  socket.on('message', (message) => void received.push(message));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  try {
    const run = await probe(...args, '--to', `127.0.0.1:${socket.address().port}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { run, received };
  } finally {
    socket.close();
  }
}

async function collectTcp(args: readonly string[]): Promise<{ run: Ran; received: Buffer[] }> {
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    const splitter = new IpfixMessageSplitter();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => { for (const bytes of splitter.push(chunk)) received.push(Buffer.from(bytes)); });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as { port: number };
    return { run: await probe(...args, '--tcp', '--to', `127.0.0.1:${port}`), received };
  } finally {
    server.close();
  }
}

for (const { title, args, collect, suffix } of [
  { title: 'IPFIX over UDP', args: [], collect: collectUdp, suffix: 'ipfix' },
  { title: 'IPFIX over TCP', args: [], collect: collectTcp, suffix: 'ipfix' },
  { title: 'NetFlow v9 over UDP', args: ['--v9'], collect: collectUdp, suffix: 'nf9' },
]) {
  test(`${title}: natlens flows reads back what natlens flows would have made`, async () => {
    const { run, received } = await collect(['home.pcap', '--fast', '--json', '--domain', '9', ...args]);
    const summary = summaryOf(run);
    assert.equal(summary.export?.flows, expected.length);
    assert.deepEqual([summary.export?.lostRecords, summary.export?.waitingRecords], [0, 0]);
    writeFileSync(join(folder, `received.${suffix}`), Buffer.concat(received));
    const back = runNatlens(['flows', `received.${suffix}`, '-o', 'back.csv', '--json'], { cwd: folder });
    assert.equal(back.status, 0, back.stderr);
    assert.deepEqual(describe(readRows(readFileSync(join(folder, 'back.csv'), 'utf8'))), describe(expected));
    const { exports } = JSON.parse(back.stdout) as { exports: { exporters: Record<string, number>[] } };
    assert.deepEqual(exports.exporters.map(({ domain, sequenceGaps, lostUnits }) => [domain, sequenceGaps, lostUnits]),
      [[9, 0, 0]]);
  });
}

for (const way of ['systematic', 'random'] as const) {
  test(`sampling, ${way}: the packets are a sample, and decoders renormalise to what there was`, async () => {
    const interval = 8;
    for (const args of [[], ['--v9']]) {
      const { run, received } = await collectUdp(['home.pcap', '--fast', '--json', '--sample', `1:${interval}`,
        '--sample-way', way, '--keep-duplicates', ...args]);
      const summary = summaryOf(run);
      const packets = summary.meteredPackets + summary.unsampledPackets +
        Object.values(summary.rejected).reduce((sum, count) => sum + count, 0);
      assert.equal(packets, summary.frames);
      const share = 1 / interval;
      // Four deviations of a binomial: once in 16,000 for chance alone.
      const deviation = Math.sqrt(packets * share * (1 - share));
      assert.ok(Math.abs(summary.meteredPackets - packets * share) < 4 * deviation, `${summary.meteredPackets}`);
      let told = 0;
      let renormalised = 0;
      const decoder = new ExportDecoder({ renormalise: true }, ({ columns, rowCount }) => {
        for (let row = 0; row < rowCount; row++) {
          renormalised += (columns.initiatorPackets[row] as number) + (columns.responderPackets[row] as number);
        }
      });
      for (const bytes of received) decoder.decode({ bytes, exporter, receivedMs: 1_800_000_000_000 });
      decoder.end();
      told = decoder.counts().exporters[0]?.samplingInterval ?? 0;
      assert.equal(told, interval);
      assert.equal(renormalised, summary.meteredPackets * interval);
      assert.ok(Math.abs(renormalised - packets) < 4 * deviation * interval);
    }
  });
}

test('the same seed samples the same packets, another one others', async () => {
  const flowsOf = async (seed: string): Promise<string> => {
    summaryOf(await probe('home.pcap', '--fast', '--json', '--sample', '1:5', '--sample-way', 'random', '--seed', seed,
      '-o', 'sampled.csv'));
    return readFileSync(join(folder, 'sampled.csv'), 'utf8');
  };
  const first = await flowsOf('3');
  assert.equal(await flowsOf('3'), first);
  assert.notEqual(await flowsOf('4'), first);
});

test('without an aim the largest flows are shown; a signal ends in order, with everything that came', async () => {
  const shown = await probe('home.pcap', '--fast');
  assert.equal(shown.status, 0, shown.stderr);
  assert.match(shown.stdout, /The 20 largest of \d+ flows[\s\S]* metered into /);
  const child = spawn(process.execPath, [launcher, 'probe', 'home.pcap', '-o', 'ended.csv', '--json'],
    { cwd: folder, env: environment(folder), stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => {
    // It says so once everything is open.
    if (stderr === '') setTimeout(() => child.kill('SIGTERM'), 1_500);
    stderr += chunk.toString();
  });
  const [status, signal] = await once(child, 'close') as [number | null, string | null];
  assert.deepEqual([status, signal], [0, null], stderr);
  assert.match(stderr, /metering home\.pcap into ended\.csv; Ctrl-C ends/);
  const summary = JSON.parse(stdout) as Summary;
  assert.ok(summary.meteredPackets > 0 && summary.flows > 0);
  assert.ok(summary.meteredPackets < expected.reduce((sum, row) => sum + Number(row.initiatorPackets), 0));
  assert.equal(readRows(readFileSync(join(folder, 'ended.csv'), 'utf8')).length, summary.flows);
});

test('--for ends in order, too; metrics and health are there meanwhile', async () => {
  const free = createServer();
  free.listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as { port: number };
  free.close();
  await once(free, 'close');
  const probing = probe('home.pcap', '--for', '4s', '--json', '--metrics', `127.0.0.1:${port}`, '-q');
  let [metrics, health] = ['', ''];
  for (let i = 0; i < 200 && !/natlens_probe_metered_packets_total [1-9]/.test(metrics); i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    try {
      metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      health = await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
    } catch {
      // It is not open yet.
    }
  }
  assert.match(metrics, /natlens_probe_metered_packets_total [1-9]/);
  assert.match(metrics, /natlens_probe_healthy 1/);
  assert.deepEqual(JSON.parse(health), { status: 'ok', reasons: [] });
  const run = await probing;
  const { seconds } = JSON.parse(run.stdout) as { seconds: number };
  assert.equal(run.status, 0, run.stderr);
  assert.ok(seconds >= 2 && seconds < 20, `${seconds}`);
});

test('a detector in the same process has the flows, and ends with the probe', async () => {
  const place = mkdtempSync(join(folder, 'detector-'));
  const config = layOutDetector(place, `
[input]
listen = []
l7 = "prefix"
active_timeout = "30s"
idle_timeout = "10s"
[homes]
map = "address"
inside = ["192.168.0.0/16"]
[[home]]
name = "household-1"
prefixes = ["192.168.0.0/16"]
`);
  assert.equal(runNatlens(['flows', 'home.pcap', '-o', 'made.csv', '--active', '30', '--idle', '10', '--home',
    '192.168.0.0/16'], { cwd: folder }).status, 0);
  // Timeouts and home are the config's.
  const run = await probe('home.pcap', '--fast', '--detector', config, '-o', 'detected.csv', '--json', '-q');
  const { flows } = summaryOf(run);
  assert.equal(readFileSync(join(folder, 'detected.csv'), 'utf8'), readFileSync(join(folder, 'made.csv'), 'utf8'));
  assert.ok(flows > 0);
  const events = run.stderr.split('\n').filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { event: string }).event);
  assert.ok(events.includes('started'), run.stderr);
  assert.equal(events.at(-1), 'stopped');
  for (const [args, said] of [
    [['--active', '120'], /made as 30\/10\/prefix/], [['--l7', 'none'], /30\/10\/none/],
  ] as const) {
    const refused = await probe('home.pcap', '--fast', '--detector', config, ...args);
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, said);
  }
});

test('what is wrong is said in a sentence, with exit code 2', async () => {
  writeFileSync(join(folder, 'text.txt'), 'no capture');
  for (const [args, said] of [
    [['nowhere0'], /no interface nowhere0; there are .*lo/], [['text.txt'], /text\.txt is no capture/],
    [['home.pcap', '--tcp'], /--to HOST:PORT says where/], [['home.pcap', '--v9'], /--to HOST:PORT says where/],
    [['home.pcap', '--tcp', '--v9', '--to', '127.0.0.1:9'], /UDP only/],
    [['home.pcap', '--l7', 'exporter'], /packets have none/], [['home.pcap', '--sample', '10'], /--sample is 1:N/],
    [['home.pcap', '--sample', '1:0'], /--sample is 1:N/],
    [['home.pcap', '--sample-way', 'odd'], /systematic or random/],
    [['home.pcap', '--promiscuous'], /are for interfaces/], [['home.pcap', '--ring', '0'], /MiB/],
    [['home.pcap', '--for', 'soon'], /--for is a time/], [['home.pcap', '--metrics', 'here'], /ADDRESS:PORT/],
    [['home.pcap', '--seed', 'x'], /--seed/], [['lo', '--fast'], /its own pace|own pace/],
  ] as const) {
    const run = await probe(...args);
    assert.equal(run.status, 2, `${args.join(' ')}: ${run.stderr}${run.stdout}`);
    assert.match(run.stderr, said);
  }
});
