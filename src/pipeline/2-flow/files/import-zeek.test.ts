/** Zeek's conn.log: tab-separated, labelled, JSON; totals of real logs against awk's. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatAddress } from '#base';
import { bytesSource, fileSource } from './arbitrary-flows.test.ts';
import { readFlows, type FlowReading } from './read-flows.ts';
import { recogniseFlows, type FlowFileKind } from './recognise-flows.ts';

const hosts = fileURLToPath(new URL('../../../../../shared/data/hosts', import.meta.url));

const header = (fields: string, more = ''): string =>
  `#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n${more}#fields\t${fields.replaceAll(' ', '\t')}\n`;
const fields = 'ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state ' +
  'missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents';

async function readAll(text: string, kind: FlowFileKind): Promise<{ reading: FlowReading; rows: Record<string,
  unknown>[] }> {
  const reading = readFlows(bytesSource(text), kind, { batchRows: 3 });
  const rows: Record<string, unknown>[] = [];
  for await (const { columns: c, dictionaries, rowCount } of reading.batches()) {
    for (let row = 0; row < rowCount; row++) {
      rows.push({
        start: c.flowStartMilliseconds[row], end: c.flowEndMilliseconds[row], version: c.ipVersion[row],
        source: formatAddress(c.sourceAddress, row * 4), destination: formatAddress(c.destinationAddress, row * 4),
        ports: [c.sourceTransportPort[row], c.destinationTransportPort[row]], protocol: c.protocolIdentifier[row],
        counters: [c.initiatorPackets[row], c.initiatorOctets[row], c.responderPackets[row], c.responderOctets[row]],
        flags: [c.tcpControlBits[row], c.reverseTcpControlBits[row]], endReason: c.flowEndReason[row],
        icmp: [c.icmpTypeCodeIPv4[row], c.icmpTypeCodeIPv6[row]],
        name: dictionaries.applicationName.decode(c.applicationName[row]!),
          by: dictionaries.applicationNameSource.decode(c.applicationNameSource[row]!),
      });
    }
  }
  return { reading, rows };
}

const tcpRow = {
  start: 1655071198444.458, end: 1655071199579.882, version: 4, source: '147.32.81.167', destination: '40.74.108.123',
    ports: [62771, 443],
  protocol: 6, counters: [14, 1016, 16, 1226], flags: [0x13, 0x13], endReason: 3, icmp: [0, 0], name: 'ssl',
    by: 'exporter',
};

test('a log with header lines, unset fields, ICMP and IPv6', async () => {
  const text = header(fields) +
    '1655071198.444458\tC1\t147.32.81.167\t62771\t40.74.108.123\t443\ttcp\tssl\t1.135424\t1596\t4039\tSF\t0\tShADdaFf\t14\t1016\t16\t1226\t(empty)\n' +
    '1655071200\tC2\t10.0.0.1\t8\t10.0.0.2\t0\ticmp\t-\t-\t-\t-\tOTH\t0\t-\t2\t64\t0\t0\t(empty)\n' +
    '1655071201.5\tC3\tfe80::1\t128\tff02::1\t0\ticmp\t-\t0.25\t-\t-\tOTH\t0\t-\t1\t104\t0\t0\t-\n' +
    '#close\t2022-06-17-00-00-07\n';
  assert.equal(recogniseFlows(new TextEncoder().encode(text)), 'zeek');
  const { reading, rows } = await readAll(text, 'zeek');
  assert.deepEqual(rows[0], tcpRow);
  assert.deepEqual([rows[1]!['icmp'], rows[1]!['ports'], rows[1]!['start'], rows[1]!['end'], rows[1]!['by']],
    [[2048, 0], [0, 0], 1655071200000, 1655071200000, 'none']);
  assert.deepEqual([rows[2]!['icmp'], rows[2]!['protocol'], rows[2]!['version'], rows[2]!['end']],
    [[0, 32768], 58, 6, 1655071201750]);
  assert.deepEqual([reading.rows, reading.rejected.total(), reading.records], [3, 0, 3]);
  assert.equal(reading.info?.origin, 'Zeek conn.log');
  assert.equal(reading.info?.isBiflow, true);
});

test('the labelled variant with blanks between its last columns, another order and another separator', async () => {
  const labelled = header(`${fields}   label   detailed-label`.replaceAll('   ', '~')).replaceAll('~', '   ') +
    '1655071198.444458\tC1\t147.32.81.167\t62771\t40.74.108.123\t443\ttcp\tssl\t1.135424\t1596\t4039\tSF\t0\tShADdaFf\t14\t1016\t16\t1226\t(empty)   Malicious   C&C\n';
  assert.deepEqual((await readAll(labelled, 'zeek')).rows, [tcpRow]);
  const names = fields.split(' ').reverse();
  const values = '(empty)|1226|16|1016|14|ShADdaFf|0|SF|4039|1596|1.135424|ssl|tcp|443|40.74.108.123|62771|147.32.81.167|C1|1655071198.444458';
  const reversed = `#separator |\n#fields|${names.join('|')}\n${values}\n`;
  assert.deepEqual((await readAll(reversed, 'zeek')).rows, [tcpRow]);
});

test('JSON logs, with numbers, dates or milliseconds as time', async () => {
  const record = {
    ts: 1655071198.444458, 'id.orig_h': '147.32.81.167', 'id.orig_p': 62771, 'id.resp_h': '40.74.108.123',
      'id.resp_p': 443, proto: 'tcp', service: 'ssl',
    duration: 1.13542401, conn_state: 'SF', history: 'ShADdaFf', orig_pkts: 14, orig_ip_bytes: 1016,
      resp_pkts: 16, resp_ip_bytes: 1226,
  };
  const text = [record, { ...record, ts: '2022-06-12T21:59:58.444458Z' },
    { ...record, ts: 1655071198444.458 }].map((line) => JSON.stringify(line)).join('\n');
  assert.equal(recogniseFlows(new TextEncoder().encode(text)), 'zeek-json');
  const { rows, reading } = await readAll(text, 'zeek-json');
  assert.deepEqual(rows, [tcpRow, tcpRow, tcpRow]);
  assert.equal(reading.rejected.total(), 0);
});

test('without IP bytes the payload bytes are taken, and that is counted', async () => {
  const row = '1655071198.444458\tC1\t10.0.0.1\t1\t10.0.0.2\t2\tudp\t-\t-\t40\t50\tSF\t0\tDd\t1\t-\t1\t-\t-\n';
  const { reading, rows } = await readAll(header(fields) + row + row, 'zeek');
  assert.deepEqual(rows[0]!['counters'], [1, 40, 1, 50]);
  assert.deepEqual(reading.repaired.toJSON(), { 'payload-bytes': 2 });
});

test('bad rows are rejected with their line; a log without the columns is refused', async () => {
  const good = '1655071198.444458\tC1\t10.0.0.1\t1\t10.0.0.2\t2\tudp\t-\t-\t-\t-\tSF\t0\tDd\t1\t40\t1\t40\t-\n';
  const bad = [
    good.replace('10.0.0.1', '10.0.0.256'), good.replace('udp', 'unknown_transport'),
      good.replace('1655071198.444458', 'soon'),
    good.slice(0, 40), good.replace('\t1\t40\t', '\t-1\t40\t'), good.replace('\t2\tudp', '\t99999\tudp'),
  ].map((line) => (line.endsWith('\n') ? line : `${line}\n`));
  const { reading } = await readAll(header(fields) + good + bad.join('') + good, 'zeek');
  assert.deepEqual([reading.rows, reading.rejected.get('bad-row'), reading.records], [2, 6, 8]);
  assert.match(reading.problems[0]!.detail, /^line 8: id\.orig_h is no address$/);
  await assert.rejects(readAll(header('ts uid id.orig_h'), 'zeek'), { code: 'bad-columns', message: /id\.resp_h/ });
  await assert.rejects(readAll(good, 'zeek'), { code: 'bad-columns', message: /no #fields line/ });
});

/** Sums that awk makes of the same file: an independent reading of it. */
function sumsByAwk(path: string): number[] {
  const program = '!/^#/ {n++; a+=$17; b+=$18; c+=$19; d+=$20; t+=($7=="tcp"); u+=($7=="udp"); i+=($7=="icmp"); s+=($8!="-"); e+=($12=="SF"); ' +
    'f+=($7=="tcp" && $16 ~ /F/)} END {printf "%d %d %d %d %d %d %d %d %d %d %d", n, a, b, c, d, t, u, i, s, e, f}';
  return execFileSync('awk', ['-F', '\t', program, path], { encoding: 'utf8' }).split(' ').map(Number);
}

const hasHosts = existsSync(hosts);
test('the logs of four PCs give the sums that awk gives', { skip: hasHosts ? false : 'no ../shared/data/hosts' },
  async () => {
  const logs = readdirSync(hosts).filter((name) => name.endsWith('.labeled'));
  assert.equal(logs.length, 4);
  for (const log of logs) {
    const path = join(hosts, log);
    const reading = readFlows(fileSource(path), 'zeek');
    const sums = Array.from({ length: 11 }, () => 0);
    for await (const { columns: c, rowCount } of reading.batches()) {
      for (let row = 0; row < rowCount; row++) {
        const protocol = c.protocolIdentifier[row];
        const values = [
          1, c.initiatorPackets[row]!, c.initiatorOctets[row]!, c.responderPackets[row]!, c.responderOctets[row]!,
          Number(protocol === 6), Number(protocol === 17), Number(protocol === 1), Number(c.applicationName[row] !== 0),
        ];
        for (const [i, value] of values.entries()) sums[i]! += value;
        sums[10]! += Number((c.tcpControlBits[row]! & 1) !== 0);
      }
    }
    const expected = sumsByAwk(path);
    // SF is one of several states that end a flow, so awk's count of it has no counterpart here.
    expected[9] = 0;
    assert.deepEqual(sums, expected, log);
    assert.deepEqual([reading.records, reading.rejected.total(), reading.repaired.total()], [expected[0], 0, 0]);
  }
});
