/**
 * What `natlens export` sends, and what `-o x.ipfix` and `-o x.nf9.pcap` write, read by tshark, nfcapd with nfdump, and
 * nfacctd: every flow of a simulated home, field by field. Servers listen on loopback only and end with the test.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { formatAddress, parseAddress } from '#base';
import { writeHomeCapture } from '#sim';
import { readRows, runNatlens, type FlowRow } from '../support/natlens-process.ts';
import { missing } from './shared-data.ts';

let folder = '';
let rows: readonly FlowRow[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-readback-'));
  await writeHomeCapture(join(folder, 'home.pcap'), { seed: 7, durationS: 600, servers: 'clouds' });
  for (const output of ['home.csv', 'home.ipfix', 'home.nf9.pcap']) {
    const run = runNatlens(['flows', 'home.pcap', '-o', output], { cwd: folder });
    assert.equal(run.status, 0, run.stderr);
  }
  rows = readRows(readFileSync(join(folder, 'home.csv'), 'utf8'));
  assert.ok(rows.length > 300 && rows.some((row) => row.ipVersion === '6'), `${rows.length} flows`);
  assert.ok(rows.some((row) => row.reverseIpClassOfService !== '0'));
});

after(() => rmSync(folder, { recursive: true, force: true }));

type Versions = readonly { readonly option: '--v9' | '--ipfix'; readonly file: string }[];
const versions: Versions = [{ option: '--v9', file: 'home.nf9.pcap' }, { option: '--ipfix', file: 'home.ipfix' }];

/** A flow as a line of the fields that are compared; times in milliseconds. */
type Seen = Readonly<Record<string, string | number>>;
const sorted = (flows: readonly Seen[]): string[] => flows.map((flow) => JSON.stringify(flow)).toSorted();

/** One spelling for an address. */
function spell(text: string): string {
  const words = parseAddress(text);
  assert.ok(words !== undefined, text);
  return formatAddress(Uint32Array.from(words), 0);
}

const isIcmp = (protocol: string): boolean => protocol === '1' || protocol === '58';

/** What every reader must show of a row. */
function essence(row: FlowRow): Seen {
  const port = (text: string | undefined): number => isIcmp(row.protocolIdentifier ?? '') ? 0 : Number(text);
  return {
    start: Number(row.flowStartMilliseconds), end: Number(row.flowEndMilliseconds),
    source: spell(row.sourceAddress ?? ''), destination: spell(row.destinationAddress ?? ''),
    sourcePort: port(row.sourceTransportPort), destinationPort: port(row.destinationTransportPort),
    protocol: Number(row.protocolIdentifier),
    packets: Number(row.initiatorPackets), octets: Number(row.initiatorOctets),
  };
}

function withResponder(row: FlowRow): Seen {
  return { ...essence(row), packetsBack: Number(row.responderPackets), octetsBack: Number(row.responderOctets) };
}

/** nfacctd's names of protocols. */
const protocolNumbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1, 'ipv6-icmp': 58, igmp: 2 };

/** TCP flags as nfdump shows them. */
function spellFlags(flags: number): string {
  return [...'CEUAPRSF'].map((letter, i) => ((flags & (0x80 >> i)) === 0 ? '.' : letter)).join('');
}

/** A port of loopback that nobody uses now. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

const pause = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));

/** Waits for something, at most ten seconds. */
async function waitUntil(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isDone(); i++) await pause(100);
}

/** Exports the home to a server that is started first and ended in any case. */
async function exportTo(
  command: readonly string[], option: string, port: number, isDone: (output: string) => boolean,
): Promise<void> {
  const [program = '', ...args] = command;
  const server: ChildProcess = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(server, 'exit');
  let output = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream?.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  }
  try {
    // The server is ready when a datagram to its port is not refused: the kernel lists the sockets.
    const listening = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} `);
    await waitUntil(() => listening.test(readFileSync('/proc/net/udp', 'utf8')));
    const run = runNatlens(['export', 'home.csv', '--to', `127.0.0.1:${port}`, option, '--json'], { cwd: folder });
    assert.equal(run.status, 0, run.stderr);
    assert.equal((JSON.parse(run.stdout) as { flows: number }).flows, rows.length);
    await waitUntil(() => isDone(output));
    // What still lies in the socket's queue.
    await pause(300);
  } finally {
    server.kill('SIGINT');
    const force = setTimeout(() => server.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(force);
  }
}

for (const { option, file } of versions) {
  test(`tshark reads ${file}`, { skip: missing({ programs: ['tshark'] }) }, () => {
    const run = spawnSync('tshark', ['-r', file, '-d', 'udp.port==2055,cflow', '-V', '-n'],
      { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, TZ: 'UTC' } });
    assert.equal(run.status, 0, run.stderr);
    assert.doesNotMatch(run.stdout, /Malformed|Expert Info|Unexpected flow sequence/);
    const blocks = run.stdout.split(/^ +Flow \d+$/m).slice(1);
    const isV9 = option === '--v9';
    const seen = blocks.map((block) => {
      const get = (pattern: string): string => new RegExp(`^ +${pattern}$`, 'm').exec(block)?.[1] ?? 'absent';
      return {
        start: Date.parse(get('StartTime: (.*) UTC').replace(/(\.\d{3})\d+/, '$1') + ' UTC'),
        end: Date.parse(get('EndTime: (.*) UTC').replace(/(\.\d{3})\d+/, '$1') + ' UTC'),
        source: spell(get('SrcAddr: (.*)')), destination: spell(get('DstAddr: (.*)')),
        sourcePort: Number(get('SrcPort: (\\d+)')), destinationPort: Number(get('DstPort: (\\d+)')),
        protocol: Number(get('Protocol: .*\\((\\d+)\\)')),
        packets: Number(get('Packets: (\\d+)')), octets: Number(get('Octets: (\\d+)')),
        packetsBack: Number(isV9 ? get('Post Packets: (\\d+)') : get('Packets: (\\d+) \\(Reverse.*')),
        octetsBack: Number(isV9 ? get('Post Octets: (\\d+)') : get('Octets: (\\d+) \\(Reverse.*')),
        tos: Number(get('IP ToS: (0x\\w+)')),
        tosBack: Number(isV9 ? get('Post IP ToS: (0x\\w+)') : get('IP ToS: (0x\\w+) \\(Reverse.*')),
        flags: Number(get('TCP Flags: (0x\\w+)(?:, [A-Z, ]+)?')),
        reason: Number(get('Flow End Reason: .*\\((\\d+)\\)')),
        vlan: Number(get('Vlan Id: (\\d+)')),
        mac: get('Source Mac Address: (?:.*\\()?([0-9a-f:]{17})\\)?'),
        name: get('Layer 7 protocol name: (.*)'),
      };
    });
    assert.deepEqual(sorted(seen), sorted(rows.map((row) => ({
      ...withResponder(row), tos: Number(row.ipClassOfService), tosBack: Number(row.reverseIpClassOfService),
      flags: Number(row.tcpControlBits), reason: Number(row.flowEndReason), vlan: Number(row.vlanId),
      mac: row.sourceMacAddress ?? '', name: row.applicationName ?? '',
    }))));
  });

  test(`nfcapd takes natlens export ${option}`, { skip: missing({ programs: ['nfcapd', 'nfdump'] }) }, async () => {
    const port = await freePort();
    const spool = join(folder, `nfcapd${option}`);
    mkdirSync(spool);
    const command = ['nfcapd', '-w', spool, '-b', '127.0.0.1', '-p', String(port), '-t', '3600'];
    await exportTo(command, option, port, (output) => /New (?:v9|ipfix) exporter/.test(output));
    const run = spawnSync('nfdump', ['-R', spool, '-o', 'json'],
      { encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, TZ: 'UTC' } });
    assert.equal(run.status, 0, run.stderr);
    const records = JSON.parse(run.stdout) as Record<string, string | number>[];
    const seen = records.map((record) => {
      const proto = String(record.proto);
      return {
        start: Date.parse(`${record.first}Z`), end: Date.parse(`${record.last}Z`),
        source: spell(String(record.src4_addr ?? record.src6_addr)),
        destination: spell(String(record.dst4_addr ?? record.dst6_addr)),
        sourcePort: isIcmp(proto) ? 0 : Number(record.src_port),
        destinationPort: isIcmp(proto) ? 0 : Number(record.dst_port),
        protocol: Number(proto), packets: Number(record.in_packets), octets: Number(record.in_bytes),
        packetsBack: Number(record.out_packets ?? 0), octetsBack: Number(record.out_bytes ?? 0),
        tos: Number(record.src_tos), flags: String(record.tcp_flags ?? '........'), mac: String(record.in_src_mac),
        icmp: Number(record.icmp_type ?? 0) * 256 + Number(record.icmp_code ?? 0),
      };
    });
    const expected = rows.map((row) => ({
      ...withResponder(row), tos: Number(row.ipClassOfService), flags: spellFlags(Number(row.tcpControlBits)),
      mac: row.sourceMacAddress ?? '',
      // In v9 it knows element 32 alone.
      icmp: Number(row.icmpTypeCodeIPv4) + (option === '--v9' ? 0 : Number(row.icmpTypeCodeIPv6)),
    }));
    assert.ok(expected.some(({ icmp }) => icmp !== 0));
    assert.deepEqual(sorted(seen), sorted(expected));
  });

  test(`nfacctd takes natlens export ${option}`, { skip: missing({ programs: ['nfacctd'] }) }, async () => {
    const port = await freePort();
    const [settings, table] = [join(folder, `nfacctd${option}.conf`), join(folder, `nfacctd${option}.csv`)];
    writeFileSync(settings, ['daemonize: false', 'nfacctd_ip: 127.0.0.1', `nfacctd_port: ${port}`, 'plugins: print[p]',
      'aggregate[p]: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, timestamp_start, timestamp_end',
      'print_output[p]: csv', `print_output_file[p]: ${table}`, 'print_refresh_time[p]: 2',
      'print_cache_entries[p]: 16411', 'timestamps_since_epoch: true', ''].join('\n'));
    await exportTo(['nfacctd', '-f', settings], option, port, () => existsSync(table) &&
      readFileSync(table, 'utf8').split('\n').length > rows.length);
    const [heading = '', ...lines] = readFileSync(table, 'utf8').trim().split('\n');
    const names = heading.split(',');
    const seen = lines.map((line) => {
      const cells = line.split(',');
      const get = (name: string): string => cells[names.indexOf(name)] ?? 'absent';
      const milliseconds = (name: string): number => Math.round(Number(get(name)) * 1000);
      const protocol = protocolNumbers[get('PROTOCOL')] ?? Number(get('PROTOCOL'));
      const ports = isIcmp(String(protocol)) ? [0, 0] : [Number(get('SRC_PORT')), Number(get('DST_PORT'))];
      return {
        start: milliseconds('TIMESTAMP_START'), end: milliseconds('TIMESTAMP_END'),
        source: spell(get('SRC_IP')), destination: spell(get('DST_IP')), sourcePort: ports[0] as number,
        destinationPort: ports[1] as number, protocol,
        packets: Number(get('PACKETS')), octets: Number(get('BYTES')), tos: Number(get('TOS')),
        flags: Number(get('TCP_FLAGS')),
      };
    });
    assert.deepEqual(sorted(seen), sorted(rows.map((row) => ({
      ...essence(row), tos: Number(row.ipClassOfService),
      // It reads one byte of the two that IPFIX has (RFC 7125 §3): the upper one.
      flags: option === '--v9' ? Number(row.tcpControlBits) : Number(row.tcpControlBits) >>> 8,
    }))));
  });
}
