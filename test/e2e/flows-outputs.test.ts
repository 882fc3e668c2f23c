/** What `natlens flows` writes: all formats, a summary that balances, flows and DNS queries beside the truth. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parsePrefix, parseAddress, isInPrefix } from '#base';
import { writeHomeCapture, type HomeCapture } from '#sim';
import { readRows, runLine, runNatlens, type FlowRow, type Ran } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-outputs-'));
after(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]): Ran => runNatlens(args, { cwd: folder });
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

let home: HomeCapture;
let flows: FlowRow[] = [];

before(async () => {
  home = await writeHomeCapture(join(folder, 'home.pcap'), { seed: 21, durationS: 300 });
  const ran = run('flows', 'home.pcap', '-o', 'home.csv');
  assert.equal(ran.status, 0, ran.stderr);
  flows = readRows(read('home.csv'));
});

const sum = (rows: readonly FlowRow[], column: string): number =>
  rows.reduce((total, row) => total + Number(row[column]), 0);

test('every format holds the same flows: read back, each gives the same CSV', () => {
  for (const name of ['home.parquet', 'home.jsonl']) assert.equal(run('flows', 'home.pcap', '-o', name).status, 0);
  const back = ['home.csv', 'home.parquet', 'home.jsonl'].map((name) => {
    const ran = run('flows', name, '-o', `back-${name}.csv`, '--json');
    assert.equal(ran.status, 0, ran.stderr);
    const summary = JSON.parse(ran.stdout) as { records: number; importedFlows: number; rejected: object };
    assert.deepEqual([summary.records, summary.importedFlows, summary.rejected], [flows.length, flows.length, {}]);
    return read(`back-${name}.csv`);
  });
  for (const csv of back) assert.ok(csv === read('home.csv'));
});

test('standard output is CSV, and the summary goes to standard error', () => {
  const ran = run('flows', 'home.pcap', '-o', '-');
  assert.equal(ran.status, 0);
  assert.ok(ran.stdout === read('home.csv'));
  assert.match(ran.stderr, /packets in .*: .* metered into/);
  const json = run('flows', 'home.pcap', '-o', '-', '--json');
  assert.equal((JSON.parse(json.stderr) as { flows: number }).flows, flows.length);
});

test('a reader that goes away ends the output quietly', () => {
  for (const line of [
    'natlens flows home.pcap -o - | head -1', 'cat home.pcap | natlens flows - -o - | head -1',
    'natlens flows home.pcap | head -1', 'natlens flows --help | head -1', 'natlens --help | head -1',
    'natlens flows home.pcap --json | head -1', 'natlens flows home.pcap -o - 2>/dev/null | true',
  ]) {
    const ran = runLine(`set -o pipefail; ${line}`, folder);
    assert.equal(ran.status, 0, `${line}\n${ran.stderr}`);
    assert.doesNotMatch(ran.stderr, /EPIPE|Error| {4}at /, line);
  }
});

test('an output that cannot take the bytes: one sentence, exit code 3', () => {
  for (const line of [
    'natlens flows home.pcap -o -', 'natlens flows home.pcap', 'natlens flows home.pcap --json', 'natlens --help',
    'natlens', 'natlens help', 'natlens help flows', 'natlens flows --help', 'natlens --version',
    'natlens simulate small.pcap --minutes 1', 'natlens demo --json -q',
  ]) {
    const ran = runLine(`${line} > /dev/full`, folder);
    assert.equal(ran.status, 3, `${line}: ${ran.stderr}`);
    assert.match(ran.stderr, /^natlens: Writing standard output failed: [^\n]+\n$/, line);
  }
});

test('a failure of the input is told alone, though standard output fails too', () => {
  const ran = runLine('natlens flows absent.pcap > /dev/full', folder);
  assert.equal(ran.status, 2);
  assert.match(ran.stderr, /^natlens: [^\n]*absent\.pcap[^\n]+\n$/);
});

test('an output that cannot be made: one sentence with the name that was typed and the reason, exit code 2', () => {
  mkdirSync(join(folder, 'folder.csv'));
  mkdirSync(join(folder, 'folder.parquet'));
  const root = process.getuid?.() === 0;
  const closed = join(folder, 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o555);
  chmodSync(folder, 0o755);
  const cases: [output: string, reason: string][] = [];
  for (const suffix of ['csv', 'jsonl', 'parquet', 'ipfix', 'nf9.pcap']) {
    cases.push([`nowhere/x.${suffix}`, 'the folder nowhere does not exist'],
      [`home.pcap/x.${suffix}`, 'home.pcap is no folder'],
      [`closed/x.${suffix}`, 'writing in closed is not permitted']);
  }
  cases.push(['folder.csv', 'it is a folder'], ['folder.parquet', 'it is a folder']);
  for (const [output, reason] of cases) {
    const ran = runNatlens(['flows', 'home.pcap', '-o', output],
      { cwd: folder, ...(root && output.startsWith('closed') ? { uid: 65_534 } : {}) });
    assert.equal(ran.stderr, `natlens: Cannot write ${output}: ${reason}.\n`);
    assert.equal(ran.status, 2);
  }
  const dns = run('flows', 'home.pcap', '--dns', 'nowhere/dns.csv');
  assert.equal(dns.stderr, 'natlens: Cannot write nowhere/dns.csv: the folder nowhere does not exist.\n');
});

test('nothing half written stays behind', () => {
  const names = readdirSync(folder).sort();
  assert.equal(run('flows', 'home.pcap', '-o', 'half.csv', '--dns', 'half.parquet').status, 2);
  assert.equal(run('flows', 'home.pcap', '-o', 'half.parquet', '--dns', 'gone/half.csv').status, 2);
  assert.equal(run('flows', 'home.pcap', 'home.csv', '--l7', 'ndpi', '-o', 'half.csv').status === 0, false);
  assert.deepEqual(readdirSync(folder).sort(), names);
});

test('the summary balances: what came in was metered, taken over or rejected', () => {
  type Summary = {
    packets: number; records: number; meteredPackets: number; importedFlows: number; rejected: Record<string, number>;
    flows: number; octets: number; seconds: number;
  };
  const choices = [['home.pcap'], ['home.pcap', 'home.pcap'], ['home.csv'], ['home.pcap', 'home.csv', 'home.pcap']];
  for (const inputs of choices) {
    const ran = run('flows', ...inputs, '--json');
    assert.equal(ran.status, 0, ran.stderr);
    const summary = JSON.parse(ran.stdout) as Summary;
    const rejected = Object.values(summary.rejected).reduce((total, count) => total + count, 0);
    assert.equal(summary.packets + summary.records, summary.meteredPackets + summary.importedFlows + rejected);
    assert.equal(summary.packets, home.packets * inputs.filter((name) => name === 'home.pcap').length);
    assert.ok(summary.seconds > 0);
    if (inputs.length > 1) continue;
    assert.equal(summary.flows, flows.length);
    if (inputs[0] === 'home.csv') continue;
    assert.equal(summary.meteredPackets, sum(flows, 'initiatorPackets') + sum(flows, 'responderPackets'));
    assert.equal(summary.octets, sum(flows, 'initiatorOctets') + sum(flows, 'responderOctets'));
    assert.equal(summary.rejected['not-ip'], home.devices.reduce((total, device) => total + device.otherFrames, 0));
  }
});

test('packets and bytes of every device, out and in, are the truth', () => {
  for (const device of home.devices) {
    const out = flows.filter((row) => row['sourceMacAddress'] === device.mac);
    const back = flows.filter((row) => row['destinationMacAddress'] === device.mac);
    assert.deepEqual({
      outboundPackets: sum(out, 'initiatorPackets') + sum(back, 'responderPackets'),
      inboundPackets: sum(out, 'responderPackets') + sum(back, 'initiatorPackets'),
      outboundOctets: sum(out, 'initiatorOctets') + sum(back, 'responderOctets'),
      inboundOctets: sum(out, 'responderOctets') + sum(back, 'initiatorOctets'),
    }, {
      outboundPackets: device.outboundPackets,
      inboundPackets: device.inboundPackets,
      outboundOctets: device.outboundOctets,
      inboundOctets: device.inboundOctets,
    }, device.deviceName);
    const addresses = new Set(out.map((row) => row['sourceAddress']).filter((text) => !text?.startsWith('fe80:')));
    for (const address of addresses) assert.ok([device.ipv4, device.ipv6].includes(address as string), address);
  }
});

test('DNS queries are written one row each, as many per device as it sent', () => {
  const ran = run('flows', 'home.pcap', '--dns', 'dns.csv', '--json');
  assert.equal(ran.status, 0, ran.stderr);
  const queries = readRows(read('dns.csv'));
  assert.equal((JSON.parse(ran.stdout) as { dnsQueries: number }).dnsQueries, queries.length);
  for (const device of home.devices) {
    const own = queries.filter((row) => [device.ipv4, device.ipv6].includes(row['sourceAddress'] as string));
    assert.equal(own.length, device.dnsQueries, device.deviceName);
  }
  assert.equal(queries.length, home.devices.reduce((total, device) => total + device.dnsQueries, 0));
  for (const row of queries) {
    assert.match(row['dnsQueryName'] ?? '', /^[a-z0-9.-]+\.[a-z]+$/);
    assert.ok(Number(row['timeMilliseconds']) >= Number(flows[0]?.['flowStartMilliseconds']) - 300_000);
    assert.equal(row['ipId'] === '', row['sourceAddress']?.includes(':'), 'IPv6 has no identification');
  }
});

test('the timeouts bound the flows, and lose no packet', () => {
  assert.equal(run('flows', 'home.pcap', '--active', '5', '--idle', '2.5', '-o', 'short.csv').status, 0);
  const short = readRows(read('short.csv'));
  assert.ok(short.length > flows.length);
  for (const row of short) {
    assert.ok(Number(row['flowEndMilliseconds']) - Number(row['flowStartMilliseconds']) <= 5000);
  }
  for (const column of ['Packets', 'Octets']) {
    const total = (rows: FlowRow[]): number => sum(rows, `initiator${column}`) + sum(rows, `responder${column}`);
    assert.equal(total(short), total(flows));
  }
});

test('--home says which side is the initiator', () => {
  const prefixes = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'];
  const isInside = (text: string): boolean => prefixes.some((prefix) => {
    const words = parseAddress(text);
    return words !== undefined && isInPrefix(Uint32Array.from(words), 0, parsePrefix(prefix) as never);
  });
  const crossing = (rows: FlowRow[]): FlowRow[] => rows.filter((row) =>
    isInside(row['sourceAddress'] as string) !== isInside(row['destinationAddress'] as string));
  // By default the private side is inside; with the servers' networks as the home, it is theirs.
  assert.ok(crossing(flows).every((row) => row['sourceAddress']?.startsWith('192.168.1.')));
  assert.equal(run('flows', 'home.pcap', '-o', 'outside.csv', '--home', prefixes[0] as string,
    prefixes.slice(1).join(',')).status, 0);
  const turned = crossing(readRows(read('outside.csv')));
  assert.ok(turned.length > 30);
  assert.ok(turned.every((row) => isInside(row['sourceAddress'] as string)));
  assert.equal(sum(turned, 'responderOctets'), sum(crossing(flows), 'initiatorOctets'));
});
