/**
 * `natlens probe` at a real interface, in a network namespace: known traffic comes out as the flows of its capture, no
 * thread keeps a right, names by nDPI are those of the file of the same packets, also while its child is killed again
 * and again, and what the kernel drops is told to the packet.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { readThreadRights, type ProbeStatus } from '#probe';
import { environment, launcher, readRows, runNatlens } from '../support/natlens-process.ts';
import { blastFrom } from '../support/packet-blaster.ts';
import { run, whyNoNamespaces } from './real-nat.ts';
import { RunningCollector } from './running-collector.ts';
import { missing } from './shared-data.ts';
import { assertSoundUnit } from './sound-unit.ts';

const skip = missing({ programs: ['ip', 'tcpreplay'] }) || whyNoNamespaces();
const skipNames = skip || missing({ programs: ['tcpdump', 'ndpiReader'] });
const namespace = `nlp${process.pid}`;
/** What the probe listens at, and the other end of the wire. */
const [listening, sending] = ['nlp0', 'nlp1'];
const inside = ['ip', 'netns', 'exec', namespace];
const nobody = 65_534;

let folder = '';

before(() => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-live-'));
  // Whom root becomes writes here.
  chmodSync(folder, 0o777);
  run(['ip', 'netns', 'add', namespace]);
  // Nothing but what the tests send.
  run([...inside, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']);
  run([...inside, 'ip', 'link', 'add', listening, 'type', 'veth', 'peer', 'name', sending]);
  for (const name of [listening, sending]) run([...inside, 'ip', 'link', 'set', name, 'up']);
  const made = runNatlens(['simulate', 'home.pcap', '--minutes', '10', '--seed', '5'], { cwd: folder });
  assert.equal(made.status, 0, made.stderr);
});

after(() => {
  if (skip !== false) return;
  spawnSync('ip', ['netns', 'del', namespace]);
  rmSync(folder, { recursive: true, force: true });
});

type Ended = { status: ProbeStatus & { notes: string[] }; stderr: string };

/** A probe that runs: its process is the probe itself. */
class LiveProbe {
  readonly child: ChildProcess;
  #stdout = '';
  #stderr = '';

  /** @param words  before the program: whom to run it as */
  constructor(args: readonly string[], words: readonly string[] = []) {
    const [program = '', ...rest] = [...inside, ...words, process.execPath, launcher, 'probe', listening, '--json',
      ...args];
    this.child = spawn(program, rest, { cwd: folder, env: environment(folder), stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk: Buffer) => { this.#stdout += chunk.toString(); });
    this.child.stderr?.on('data', (chunk: Buffer) => { this.#stderr += chunk.toString(); });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Waits until it meters. */
  async open(): Promise<this> {
    for (let i = 0; i < 400 && !this.#stderr.includes('metering'); i++) {
      assert.equal(this.child.exitCode, null, this.#stderr);
      await pause(25);
    }
    assert.match(this.#stderr, /metering/);
    return this;
  }

  async end(): Promise<Ended> {
    // What lies in the ring and on the wire.
    await pause(300);
    this.child.kill('SIGINT');
    const [code, signal] = await once(this.child, 'close') as [number | null, string | null];
    assert.deepEqual([code, signal], [0, null], this.#stderr + this.#stdout);
    const status = JSON.parse(this.#stdout) as Ended['status'];
    const rejected = Object.values(status.rejected).reduce((sum, count) => sum + count, 0);
    assert.equal(status.frames, status.meteredPackets + status.unsampledPackets + rejected);
    assert.equal(status.kernel?.packets, status.frames + (status.kernel?.dropped ?? 0));
    return { status, stderr: this.#stderr };
  }
}

/** Plays the home's capture onto the wire. @param packetsPerSecond  as fast as this */
async function replay(packetsPerSecond: number): Promise<void> {
  const [program = '', ...words] = [...inside, 'tcpreplay', '-q', '-i', sending, '--pps', String(packetsPerSecond),
    join(folder, 'home.pcap')];
  const child = spawn(program, words, { stdio: 'ignore' });
  const [code] = await once(child, 'close') as [number];
  assert.equal(code, 0);
}

const rowsOf = (name: string): Record<string, string>[] => readRows(readFileSync(join(folder, name), 'utf8'));

/** Packets and octets of each conversation, whatever the times. */
function sumConversations(rows: readonly Record<string, string>[]): Map<string, string> {
  const sums = new Map<string, number[]>();
  for (const row of rows) {
    const key = ['sourceAddress', 'destinationAddress', 'sourceTransportPort', 'destinationTransportPort',
      'protocolIdentifier', 'icmpTypeCodeIPv4', 'icmpTypeCodeIPv6', 'ipClassOfService'].map((name) => row[name])
      .join(' ');
    const sum = sums.get(key) ?? [0, 0, 0, 0];
    sums.set(key, ['initiatorPackets', 'responderPackets', 'initiatorOctets', 'responderOctets']
      .map((name, i) => (sum[i] as number) + Number(row[name])));
  }
  return new Map([...sums].map(([key, sum]) => [key, sum.join(' ')]));
}

function assertNoRights(pid: number, user: number): void {
  const threads = readThreadRights(pid);
  // Those of V8 and libuv are there.
  assert.ok(threads.length > 4, `${threads.length} threads`);
  for (const { thread, permitted, effective, ambient, users } of threads) {
    assert.match(`${permitted} ${effective} ${ambient}`, /^[0 ]+$/, `thread ${thread} kept rights`);
    assert.deepEqual(users, [user, user, user, user], `thread ${thread}`);
  }
}

for (const { title, words } of [
  { title: 'as root, which becomes nobody', words: [] },
  { title: 'as a user with CAP_NET_RAW alone', words: ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`,
    '--clear-groups', '--inh-caps=-all,+net_raw', '--ambient-caps=-all,+net_raw', '--bounding-set=-all,+net_raw'] },
]) {
  const skipHere = skip || (words.length > 0 && missing({ programs: ['setpriv'] }));
  test(`${title}: known traffic, all of it, and no thread has a right`, { skip: skipHere }, async () => {
    const probe = await new LiveProbe(['-o', 'live.csv', '--keep-duplicates'], words).open();
    assertNoRights(probe.pid, nobody);
    await replay(8_000);
    assertNoRights(probe.pid, nobody);
    const { status } = await probe.end();
    const asFile = runNatlens(['flows', 'home.pcap', '-o', 'file.csv', '--keep-duplicates', '--json'], { cwd: folder });
    const { packets, octets } = JSON.parse(asFile.stdout) as { packets: number; octets: number };
    assert.deepEqual([status.frames, status.octets, status.kernel?.dropped], [packets, octets, 0]);
    assert.equal(rowsOf('live.csv').length, status.flows);
    assert.deepEqual(sumConversations(rowsOf('live.csv')), sumConversations(rowsOf('file.csv')));
    rmSync(join(folder, 'live.csv'));
  });
}

test('without the right it says what to type', { skip: skip || missing({ programs: ['setpriv'] }) }, async () => {
  const [program = '', ...words] = [...inside, 'setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups',
    '--bounding-set=-all', process.execPath, launcher, 'probe', listening, '--for', '1s'];
  const { status, stderr } = spawnSync(program, words, { cwd: folder, env: environment(folder), encoding: 'utf8' });
  assert.equal(status, 3, stderr);
  assert.match(stderr, /sudo natlens probe nlp0/);
  assert.match(stderr, /sudo setcap cap_net_raw\+ep \S*node/);
  assert.match(stderr, /AmbientCapabilities=CAP_NET_RAW/);
});

test('a right of the program file is given up, too', { skip: skip || missing({ programs: ['setpriv', 'setcap'] }) },
  async (context) => {
    // A Node of our own: the one that tests run on is not ours to change.
    const node = join(folder, 'node-with-a-right');
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    const { status } = spawnSync('setcap', ['cap_net_raw+ep', node]);
    if (status !== 0) return context.skip('files have no capabilities here');
    const child = spawn('ip', ['netns', 'exec', namespace, 'setpriv', `--reuid=${nobody}`, `--regid=${nobody}`,
      '--clear-groups', node, launcher, 'probe', listening, '--json'],
    { cwd: folder, env: environment(folder), stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString(); });
    for (let i = 0; i < 400 && !stderr.includes('metering') && child.exitCode === null; i++) await pause(25);
    assert.match(stderr, /metering/);
    assertNoRights(child.pid as number, nobody);
    child.kill('SIGTERM');
    const [code] = await once(child, 'close') as [number];
    assert.equal(code, 0, stderr);
  });

/** Captures what a probe sees. */
async function openTcpdump(file: string): Promise<() => Promise<void>> {
  const [program = '', ...words] = [...inside, 'tcpdump', '-i', listening, '-s', '0', '-B', '32768', '-U', '-w',
    join(folder, file), '-Z', 'root'];
  const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  for (let i = 0; i < 200 && !said.includes('listening on'); i++) await pause(25);
  assert.match(said, /listening on/);
  return async () => {
    // The kernel hands it packets a second late, and the last ones not at all when it ends before.
    await pause(1_500);
    child.kill('SIGINT');
    await once(child, 'close');
    assert.match(said, /\b0 packets dropped by kernel/);
  };
}

/** Without times: each socket of packets has a stamp of its own, some microseconds apart. */
const nameKey = (row: Record<string, string>): string => ['sourceAddress', 'destinationAddress',
  'sourceTransportPort', 'destinationTransportPort', 'protocolIdentifier', 'initiatorPackets', 'responderPackets',
  'initiatorOctets', 'responderOctets', 'flowEndReason'].map((name) => row[name]).join(' ');

/** Processes that a process started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number);
}

for (const isKilled of [false, true]) {
  test(`nDPI live${isKilled ? ', its child killed again and again' : ''}: flows and names of the file of these packets`,
    { skip: skipNames }, async () => {
      const endCapture = await openTcpdump('seen.pcap');
      const probe = await new LiveProbe(['-o', 'live.csv', '--l7', 'ndpi']).open();
      let isOver = false;
      let kills = 0;
      const killing = (async () => {
        while (isKilled && !isOver) {
          await pause(150);
          for (const child of childrenOf(probe.pid)) {
            process.kill(child, 'SIGKILL');
            kills++;
          }
        }
      })();
      await replay(3_000);
      isOver = true;
      await killing;
      const { status } = await probe.end();
      await endCapture();
      const asFile = runNatlens(['flows', 'seen.pcap', '-o', 'file.csv', '--l7', 'ndpi', '--json'], { cwd: folder });
      const { packets, meteredPackets } = JSON.parse(asFile.stdout) as { packets: number; meteredPackets: number };
      assert.deepEqual([status.frames, status.meteredPackets, status.kernel?.dropped], [packets, meteredPackets, 0]);
      const [live, file] = [rowsOf('live.csv'), rowsOf('file.csv')];
      assert.deepEqual(live.map(nameKey).sort(), file.map(nameKey).sort());
      const withName = (row: Record<string, string>): string => `${nameKey(row)} ${row.applicationName}`;
      const names = new Set(file.map(withName));
      const named = live.filter((row) => row.applicationName !== '');
      const differing = named.filter((row) => !names.has(withName(row)));
      if (!isKilled) {
        assert.equal(named.length, live.length);
        assert.deepEqual(live.map(withName).sort(), file.map(withName).sort());
        return;
      }
      assert.ok(kills >= 5, `${kills} kills`);
      assert.ok((status.l7.counts.childRestarts ?? 0) >= 3, JSON.stringify(status.l7.counts));
      // A child that saw only the end of a conversation may name it by less: most it saw whole.
      assert.ok(named.length > live.length / 4, `${named.length} of ${live.length} are named`);
      assert.ok(differing.length <= named.length / 5, JSON.stringify(differing.slice(0, 3)));
      const { counts } = status.l7;
      assert.equal((counts.named ?? 0) + (counts.namedUnknown ?? 0) + (counts.unnamedChildDied ?? 0) +
        (counts.unnamedNotInspected ?? 0) + (counts.unnamedChildBehind ?? 0) + (counts.unnamedChildGone ?? 0) +
        (counts.unnamedWaitingFull ?? 0), live.length);
    });
}

test('what the kernel has no room for is told to the packet', { skip }, async () => {
  const probe = await new LiveProbe(['--ring', '1', '--keep-duplicates']).open();
  // As a process that gets no time.
  probe.child.kill('SIGSTOP');
  const sent = await blastFrom({ interfaceName: sending, packets: 20_000, packetsPerSecond: 40_000, flows: 50,
    frameBytesMax: 600, hasTags: false }, namespace);
  probe.child.kill('SIGCONT');
  const { status } = await probe.end();
  assert.equal(sent.packets, 20_000);
  assert.equal(status.kernel?.packets, sent.packets);
  assert.ok((status.kernel?.dropped ?? 0) > 1_000, `${status.kernel?.dropped} dropped`);
  assert.ok(status.health.some(({ code }) => code === 'kernel-drops'));
});

test('by TCP, while its collector is restarted: every flow arrives, once', { skip, timeout: 120_000 }, async (t) => {
  run([...inside, 'ip', 'link', 'set', 'lo', 'up']);
  const [program = '', ...words] = inside;
  const collector = new RunningCollector(folder, '[input]\nlisten = ["tcp://127.0.0.1:4739"]\n', (argv, env) =>
    spawn(program, [...words, ...argv], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] }));
  t.after(() => collector.kill());
  await collector.start();
  const probe = await new LiveProbe(['--to', '127.0.0.1:4739', '--tcp', '--idle', '1', '--active', '2']).open();
  t.after(() => void probe.child.kill('SIGKILL'));
  await replay(6_000);
  await collector.untilIdle();
  assert.equal(await collector.end('SIGTERM'), 0);
  // Flows end while nobody takes them.
  await replay(6_000);
  await collector.start();
  await collector.untilIdle();
  await replay(6_000);
  const { status } = await probe.end();
  await collector.untilIdle();
  assert.equal(await collector.end('SIGTERM'), 0);
  assert.ok(status.flows > 300, `${status.flows} flows`);
  assert.ok((status.export?.connections ?? 0) >= 2);
  assert.deepEqual([status.export?.flows, status.export?.sentRecords, status.export?.lostRecords],
    [status.flows, status.flows, 0]);
  const stored = [...collector.storedRows().values()].reduce((sum, rows) => sum + rows, 0);
  assert.equal(stored, status.flows);
});

test('the unit that is shipped is sound', { skip: missing({ programs: ['systemd-analyze'] }) }, (t) => {
  const own = mkdtempSync(join(tmpdir(), 'natlens-unit-'));
  try {
    // Packets of the host's interfaces, and the right to them, are worth half a point.
    assertSoundUnit(t, 'natlens-probe.service', { program: '/usr/bin/natlens', folder: own, exposureMax: 2 });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
});
