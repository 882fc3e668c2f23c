/**
 * Packets off real (virtual) wires, in network namespaces: each seen once with the right bytes, held against the
 * sender's own list and against tcpdump; rates; drops to the packet; VLANs that the kernel took off; interfaces that go
 * and come.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { openByteSource, readCapture } from '#capture';
import { liveCaptureDefaults, openPacketSocket } from '#capture/live';
import { CapturingChild, packetLine, packetLines, type CapturePlan } from '../support/live-capture-child.ts';
import { BlastFrames, blastFrom, type BlastPlan } from '../support/packet-blaster.ts';
import { ended, run, said, whyNoNamespaces } from './real-nat.ts';

const skip = whyNoNamespaces();
const skipDump = skip === false && spawnSync('tcpdump', ['--version']).status !== 0 ? 'no tcpdump' : skip;
const [sender, receiver] = [`nlc${process.pid}s`, `nlc${process.pid}r`];
let folder = '';

const within = (namespace: string): string[] => ['ip', 'netns', 'exec', namespace];
const ip = (namespace: string, ...words: string[]): void => run(['ip', '-n', namespace, ...words]);

const pause = (durationMs: number): Promise<void> => new Promise((resolve) => {
  setTimeout(resolve, durationMs);
});

/** A cable between the two namespaces. */
function lay(): void {
  ip(sender, 'link', 'add', 'out', 'type', 'veth', 'peer', 'name', 'in', 'netns', receiver);
  ip(sender, 'link', 'set', 'out', 'up');
  ip(receiver, 'link', 'set', 'in', 'up');
}

before(() => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-live-'));
  for (const namespace of [sender, receiver]) {
    run(['ip', 'netns', 'add', namespace]);
    // Hosts without IPv6 say nothing by themselves, so that what is sent is all there is.
    run([...within(namespace), 'sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6']);
    ip(namespace, 'link', 'set', 'lo', 'up');
  }
  lay();
});

after(() => {
  if (skip !== false) return;
  for (const child of children) child.kill('SIGKILL');
  for (const namespace of [sender, receiver]) spawnSync('ip', ['netns', 'del', namespace]);
  rmSync(folder, { recursive: true });
});

const children: ChildProcess[] = [];

/** Remembers a process, so that it ends with the tests even when they fail. */
function keep(child: ChildProcess): ChildProcess {
  children.push(child);
  return child;
}

async function open(plan: CapturePlan, namespace: string = receiver): Promise<CapturingChild> {
  const child = new CapturingChild(within(namespace), plan);
  keep(child.process);
  await child.said('ready');
  return child;
}

const blastPlan: BlastPlan = {
  interfaceName: 'out', packets: 20_000, packetsPerSecond: 20_000, flows: 97, frameBytesMax: 300, hasTags: true,
};

/** What a capture should list of a frame. */
function expectedLine(frames: BlastFrames, number: number): string {
  const frame = frames.frame(number);
  let at = 12;
  while (frame[at] === 0x81 || frame[at] === 0x88) at += 4;
  const packet = frame.subarray(at + 2);
  return packetLine(frame.subarray(0, 12), frames.vlanId(number), (packet[0] as number) >>> 4, packet);
}

/** Lines of a list, one at a time: lists are long. */
async function* linesOf(path: string): AsyncGenerator<string, void, void> {
  for await (const line of createInterface({ input: createReadStream(path) })) if (line !== '') yield line;
}

/**
 * That a list has the sender's frames, all of them, once each and in order.
 *
 * @param isSenders  false for lines about packets of others
 */
async function assertList(path: string, plan: BlastPlan, isSenders = (_line: string): boolean => true): Promise<void> {
  const frames = new BlastFrames(plan);
  let number = 0;
  for await (const line of linesOf(path)) {
    if (isSenders(line)) assert.equal(line, expectedLine(frames, number++), `frame ${number - 1}`);
  }
  assert.equal(number, plan.packets);
}

test('every frame is seen once, in order, with its bytes and its VLANs', { skip }, async () => {
  const listPath = join(folder, 'all.txt');
  const child = await open({ options: { interfaceName: 'in' }, listPath });
  const sent = await blastFrom(blastPlan, sender);
  const report = await child.report();
  assert.deepEqual([report.frames, report.rows, report.kernelDrops, report.rejected],
    [sent.packets, sent.packets, 0, {}]);
  // Two conversations of five have a tag, and the kernel takes off every outermost one.
  const frames = new BlastFrames(blastPlan);
  const tagged = Array.from({ length: sent.packets }, (_, i) => frames.vlanId(i)).filter((id) => id !== 0).length;
  assert.equal(report.vlanRestored, tagged);
  assert.ok(tagged > sent.packets / 3);
  await assertList(listPath, blastPlan);
  assert.ok(report.ageMsMax < 2_000, `${report.ageMsMax} ms old`);
});

test('what a host sends itself is seen once too, on the interface and on loopback', { skip }, async () => {
  for (const interfaceName of ['out', 'lo']) {
    const listPath = join(folder, `own-${interfaceName}.txt`);
    const plan = { ...blastPlan, interfaceName, packets: 5_000, hasTags: interfaceName === 'out' };
    const child = await open({ options: { interfaceName }, listPath }, sender);
    await blastFrom(plan, sender);
    const report = await child.report();
    assert.deepEqual([report.rows, report.kernelPackets, report.kernelDrops], [5_000, 5_000, 0], interfaceName);
    await assertList(listPath, plan);
  }
});

test('150,000 packets/s for five seconds with a meter behind: none is lost', { skip }, async (t) => {
  const plan = { ...blastPlan, packets: 750_000, packetsPerSecond: 150_000, flows: 2_000, frameBytesMax: 600 };
  const child = await open({ options: { interfaceName: 'in' }, hasMeter: true });
  const sent = await blastFrom(plan, sender);
  const report = await child.report();
  t.diagnostic(`${sent.packets} packets in ${sent.seconds.toFixed(2)} s; capture and meter took ` +
    `${report.cpuSeconds.toFixed(2)} s of CPU, ${(report.cpuSeconds / sent.packets * 1e9).toFixed(0)} ns a packet`);
  assert.deepEqual([report.rows, report.kernelDrops, report.kernelPackets, report.meteredPackets],
    [750_000, 0, 750_000, 750_000]);
  assert.ok(sent.seconds < 6, `the sender took ${sent.seconds} s`);
});

test('a tiny ring and a reader that waits or stalls: read and dropped are sent, to the packet', { skip }, async (t) => {
  const options = { interfaceName: 'in', ringBytes: 1 << 17, snapBytes: 2_048 };
  for (const plan of [{ options, isWaiting: true }, { options, stallMs: 15 }]) {
    const child = await open(plan);
    const sent = await blastFrom({ ...blastPlan, packets: 100_000, packetsPerSecond: 50_000 }, sender);
    child.tell('read');
    const report = await child.report();
    t.diagnostic(`read ${report.frames}, dropped ${report.kernelDrops}, the ring was full ${report.ringFreezes} times`);
    assert.ok(report.kernelDrops > 1_000 && report.rows > 100 && report.ringFreezes > 0);
    assert.equal(report.rows + report.kernelDrops, sent.packets);
    assert.equal(report.kernelPackets, sent.packets);
  }
});

test('frames are cut to the snap length, with a restored tag on top', { skip }, async () => {
  const listPath = join(folder, 'cut.txt');
  const plan = { ...blastPlan, packets: 970 };
  const child = await open({ options: { interfaceName: 'in', snapBytes: 100 }, listPath });
  await blastFrom(plan, sender);
  const report = await child.report();
  const frames = new BlastFrames(plan);
  let [number, cut] = [0, 0];
  for await (const line of linesOf(listPath)) {
    const frame = frames.frame(number);
    const room = 100 + (frames.vlanId(number) === 0 ? 0 : 4);
    if (frame.length > room) cut++;
    const whole = expectedLine(frames, number++);
    assert.equal(line, whole.slice(0, whole.length - 2 * Math.max(0, frame.length - room)));
  }
  assert.deepEqual([number, report.cutFrames], [plan.packets, cut]);
  assert.ok(cut > 100);
});

/** Lines of all packets of a capture file. */
async function fileLines(path: string): Promise<string[]> {
  const source = await openByteSource(path);
  const lines: string[] = [];
  for await (const batch of readCapture(source).batches()) lines.push(...packetLines(batch));
  await source.close();
  return lines;
}

/** Answers datagrams. */
const answerScript = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 9000))
print('ready', flush=True)
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data * 2, peer)
`;

/** Asks twenty times. */
const askScript = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
for i in range(20):
    s.sendto(bytes([i]) * (600 + i), (sys.argv[1], 9000))
    s.recv(4096)
`;

const asTcpdump = 'hosts that talk, over a VLAN where there are any: the same packets as tcpdump, both ways';
test(asTcpdump, { skip: skipDump }, async (t) => {
  const hosts = [[sender, 'out', 1], [receiver, 'in', 2]] as const;
  const hasVlans = spawnSync('ip', ['-n', sender, 'link', 'add', 'link', 'out', 'name', 'tagged', 'type', 'vlan',
    'id', '7']).status === 0;
  if (hasVlans) ip(receiver, 'link', 'add', 'link', 'in', 'name', 'tagged', 'type', 'vlan', 'id', '7');
  else t.diagnostic('this kernel has no VLAN interfaces: hosts talk without');
  for (const [namespace, link, host] of hosts) {
    ip(namespace, 'address', 'add', `192.168.8.${host}/24`, 'dev', link);
    if (!hasVlans) continue;
    ip(namespace, 'link', 'set', 'tagged', 'up');
    ip(namespace, 'address', 'add', `192.168.7.${host}/24`, 'dev', 'tagged');
  }
  const [listPath, dumpPath] = [join(folder, 'talk.txt'), join(folder, 'talk.pcap')];
  const dump = keep(spawn('ip', ['netns', 'exec', receiver, 'tcpdump', '-i', 'in', '-n', '-U',
    '--immediate-mode', '-Z', 'root', '-w', dumpPath], { stdio: ['ignore', 'pipe', 'pipe'] }));
  await said(dump, 'listening');
  const child = await open({ options: { interfaceName: 'in' }, listPath });
  const addresses = ['192.168.8.2', ...hasVlans ? ['192.168.7.2'] : []];
  const server = keep(spawn('ip', ['netns', 'exec', receiver, '/usr/bin/python3', '-c', answerScript],
    { stdio: ['ignore', 'pipe', 'pipe'] }));
  await said(server, 'ready');
  for (const to of addresses) run([...within(sender), '/usr/bin/python3', '-c', askScript, to]);
  const report = await child.report();
  await pause(300);
  dump.kill('SIGINT');
  await ended(dump);
  const lines: string[] = [];
  for await (const line of linesOf(listPath)) lines.push(line);
  assert.deepEqual(lines, await fileLines(dumpPath));
  assert.equal(lines.length, 40 * addresses.length);
  assert.equal(lines.filter((line) => line.split(' ')[1] === '7').length, hasVlans ? 40 : 0);
  // ARP, which asks before the first of each.
  assert.ok((report.rejected['not-ip'] ?? 0) >= 2);
  for (const [namespace, link] of hosts) {
    if (hasVlans) ip(namespace, 'link', 'del', 'tagged');
    ip(namespace, 'address', 'flush', 'dev', link);
  }
});

/** Sends four megabytes over TCP to itself through nothing but loopback of a small MTU. */
const bulkScript = `
import socket, threading
server = socket.create_server(('127.0.0.1', 9001))
def take():
    peer, _ = server.accept()
    while peer.recv(65536):
        pass
thread = threading.Thread(target=take)
thread.start()
with socket.create_connection(('127.0.0.1', 9001)) as s:
    s.sendall(b'x' * 4000000)
thread.join()
`;

test('segments that the kernel joined are longer than the interface can carry, and told', { skip }, async () => {
  ip(receiver, 'link', 'set', 'lo', 'mtu', '1500');
  const child = await open({ options: { interfaceName: 'lo' } });
  run([...within(receiver), '/usr/bin/python3', '-c', bulkScript]);
  const report = await child.report();
  assert.ok(report.joinedFrames > 10, `${report.joinedFrames} of ${report.frames}`);
  assert.deepEqual([report.cutFrames, report.kernelDrops], [0, 0], 'and whole nevertheless');
  ip(receiver, 'link', 'set', 'lo', 'mtu', '65536');
});

test('behind a bridge, frames go out with tags that stand beside them: those are restored too', { skip }, async () => {
  ip(receiver, 'link', 'add', 'bridge', 'type', 'bridge');
  ip(receiver, 'link', 'add', 'port', 'type', 'veth', 'peer', 'name', 'far');
  for (const link of ['in', 'port']) ip(receiver, 'link', 'set', link, 'master', 'bridge');
  for (const link of ['bridge', 'port', 'far']) ip(receiver, 'link', 'set', link, 'up');
  const plan = { ...blastPlan, packets: 3_000 };
  const taps = await Promise.all(['port', 'far'].map(async (interfaceName) => {
    const listPath = join(folder, `bridge-${interfaceName}.txt`);
    return { listPath, child: await open({ options: { interfaceName }, listPath }) };
  }));
  await blastFrom(plan, sender);
  for (const { child, listPath } of taps) {
    const report = await child.report();
    assert.ok(report.vlanRestored > 1_000);
    // Bridges ask for multicast listeners.
    await assertList(listPath, plan, (line) => line.startsWith('020000000002020000000001'));
  }
  for (const link of ['bridge', 'port']) ip(receiver, 'link', 'del', link);
});

/** Writes packets into a tunnel as a VPN's program does: 100 of IPv4, 50 of IPv6. */
const tunnelScript = `
import fcntl, os, struct, sys
tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))
print('open', flush=True)
sys.stdin.readline()
for i in range(100):
    packet = bytes.fromhex('4500001c00000000401100000a0900010a090002') + struct.pack('!HHHH', 1, i, 8, 0)
    os.write(tun, packet)
for i in range(50):
    addresses = ('fd' + '00' * 14 + '01') + ('fd' + '00' * 14 + '02')
    os.write(tun, bytes.fromhex('6000000000081140' + addresses) + struct.pack('!HHHH', 1, i, 8, 0))
print('written', flush=True)
sys.stdin.readline()
`;

test('an interface without link headers: packets by the protocol that the kernel tells', { skip }, async (t) => {
  const tunnel = spawn('ip', ['netns', 'exec', receiver, '/usr/bin/python3', '-c', tunnelScript],
    { stdio: ['pipe', 'pipe', 'pipe'] });
  keep(tunnel);
  try {
    await said(tunnel, 'open');
  } catch (thrown) {
    t.skip(`no tunnels here: ${String(thrown).split('\n').at(-2)}`);
    return;
  }
  ip(receiver, 'link', 'set', 'tun0', 'up');
  const listPath = join(folder, 'tunnel.txt');
  const child = await open({ options: { interfaceName: 'tun0' }, listPath });
  tunnel.stdin.write('\n');
  await said(tunnel, 'written');
  const report = await child.report();
  tunnel.stdin.write('\n');
  await ended(tunnel);
  const lines = readFileSync(listPath, 'utf8').split('\n');
  assert.deepEqual([report.rows, report.kernelPackets, report.rejected], [150, 150, {}]);
  assert.deepEqual([lines.filter((line) => line.startsWith(' 0 4 4500')).length,
    lines.filter((line) => line.startsWith(' 0 6 6000')).length], [100, 50]);
});

test('an interface that goes down and comes back, and one that is made anew, go on', { skip }, async () => {
  const child = await open({ options: { interfaceName: 'in', isPromiscuous: true } });
  const plan = { ...blastPlan, packets: 1_000 };
  await blastFrom(plan, sender);
  ip(receiver, 'link', 'set', 'in', 'down');
  await child.said('state down');
  ip(receiver, 'link', 'set', 'in', 'up');
  await child.said('state up');
  await blastFrom(plan, sender);
  ip(receiver, 'link', 'del', 'in');
  await child.said('state away');
  lay();
  // The second time, so it must be the last thing that it said.
  await child.said('state away\nstate up');
  await blastFrom(plan, sender);
  const report = await child.report();
  assert.deepEqual([report.rows, report.kernelPackets, report.interfaceLosses], [3_000, 3_000, 2]);
});

test('no such interface, and no right: who must do what', { skip }, async () => {
  const absent = new CapturingChild(within(receiver), { options: { interfaceName: 'inn' } });
  assert.equal(await absent.failure(), 'bad-option: there is no interface inn; there are in, lo.');
  const lo = { ...liveCaptureDefaults, interfaceName: 'lo' };
  assert.throws(() => openPacketSocket({ ...lo, ringBytes: 1_000 }), /a ring of 1000 bytes is not possible/);
  assert.throws(() => openPacketSocket({ ...lo, ringBytes: 1 << 17 }), /do not fit into a ring of 131072/);
  assert.throws(() => openPacketSocket({ ...lo, snapBytes: 1 << 20 }), /a snap length of 1048576/);
  const limited = (...rights: string[]): CapturingChild => {
    const words = ['setpriv', '--inh-caps', '-all', '--bounding-set', ...rights];
    const child = new CapturingChild([...within(receiver), ...words], { options: { interfaceName: 'in' } });
    keep(child.process);
    return child;
  };
  const rightless = limited('-net_raw');
  const words = await rightless.failure();
  assert.match(words, /^no-capture-right: .*sudo setcap cap_net_raw\+ep .*AmbientCapabilities=CAP_NET_RAW/);
  const barely = limited('-all,+net_raw');
  await barely.said('ready');
  assert.equal((await barely.report()).kernelDrops, 0, 'CAP_NET_RAW alone is enough');
});
