/** nProbe text dumps: three column orders and delimiters give the same flows; units of time; what cannot be read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, formatMac } from '#base';
import { bytesSource } from './arbitrary-flows.test.ts';
import { guessTimeUnit, parseSecondsMs, parseTimeMs } from './import-times.ts';
import { readFlows, type FlowReading } from './read-flows.ts';
import { recogniseFlows } from './recognise-flows.ts';

async function readAll(text: string): Promise<{ reading: FlowReading; rows: unknown[][] }> {
  assert.equal(recogniseFlows(new TextEncoder().encode(text)), 'nprobe');
  const reading = readFlows(bytesSource(text, 11), 'nprobe', { batchRows: 2 });
  const rows: unknown[][] = [];
  for await (const { columns: c, dictionaries, rowCount } of reading.batches()) {
    for (let row = 0; row < rowCount; row++) {
      rows.push([
        c.flowStartMilliseconds[row], c.flowEndMilliseconds[row], formatAddress(c.sourceAddress, row * 4),
          c.sourceTransportPort[row],
        formatAddress(c.destinationAddress, row * 4), c.destinationTransportPort[row], c.protocolIdentifier[row],
          c.initiatorPackets[row],
        c.initiatorOctets[row], c.responderPackets[row], c.responderOctets[row], c.ipClassOfService[row],
          c.reverseIpClassOfService[row],
        c.tcpControlBits[row], dictionaries.applicationName.decode(c.applicationName[row]!),
      ]);
    }
  }
  return { reading, rows };
}

const record: Record<string, string> = {
  IPV4_SRC_ADDR: '192.168.1.10', L4_SRC_PORT: '50123', IPV4_DST_ADDR: '52.1.2.3', L4_DST_PORT: '443', PROTOCOL: '6',
    IN_PKTS: '7', IN_BYTES: '900',
  OUT_PKTS: '5', OUT_BYTES: '4100', SRC_TOS: '0', DST_TOS: '32', TCP_FLAGS: '27', L7_PROTO: '91.178',
    L7_PROTO_NAME: 'TLS.Amazon',
  FIRST_SWITCHED: '1655071198', LAST_SWITCHED: '1655071202', IN_SRC_MAC: '0A:1B:2C:3D:4E:5F', SRC_HOST_NAME: 'x',
};
const expected = [1655071198000, 1655071202000, '192.168.1.10', 50123, '52.1.2.3', 443, 6, 7, 900, 5, 4100, 0, 32, 27,
  'TLS.Amazon'];

function dump(names: readonly string[], delimiter: string, prefix = '', rows = 1): string {
  const line = names.map((name) => record[name]).join(delimiter);
  return `${names.map((name) => prefix + name).join(delimiter)}\n${`${line}\n`.repeat(rows)}`;
}

test('any column order, delimiter and prefix give the same flow', async () => {
  const names = Object.keys(record);
  const orders: [string[], string, string][] = [
    [names, '|', ''], [[...names].reverse(), ',', '%'], [[...names].sort(), '\t', ''],
  ];
  for (const [order, delimiter, prefix] of orders) {
    const { reading, rows } = await readAll(dump(order, delimiter, prefix, 5));
    assert.deepEqual(rows, Array.from({ length: 5 }, () => expected));
    assert.deepEqual([reading.rows, reading.rejected.total()], [5, 0]);
    assert.deepEqual(reading.notes, ['Times are read as seconds, judged by the first row.']);
  }
});

test('milliseconds, microseconds and seconds win over SWITCHED times; two address families', async () => {
  const text = 'FLOW_START_MILLISECONDS|FLOW_END_MILLISECONDS|FIRST_SWITCHED|LAST_SWITCHED|IPV4_SRC_ADDR|IPV6_SRC_ADDR|IPV4_DST_ADDR|IPV6_DST_ADDR|' +
    'L4_SRC_PORT|L4_DST_PORT|PROTOCOL|IN_BYTES|IN_PKTS|IN_SRC_MAC|EXPORTER_IPV4_ADDRESS|ICMP_TYPE|\n' +
    '1655071198123|1655071198999|1|2|0.0.0.0|2001:db8::1|0.0.0.0|2001:db8::2|5|6|17|100|1|00:11:22:33:44:55|10.0.0.1|0|\n' +
    '1655071198123|1655071198999|1|2|10.0.0.2|::|10.0.0.3|::|8|0|1|84|1|00:11:22:33:44:55|10.0.0.1|2048|\n';
  const reading = readFlows(bytesSource(text), 'nprobe');
  let seen = 0;
  for await (const { columns: c, rowCount } of reading.batches()) {
    seen += rowCount;
    assert.deepEqual([...c.ipVersion.subarray(0, 2)], [6, 4]);
    assert.equal(c.flowStartMilliseconds[0], 1655071198123);
    assert.equal(formatAddress(c.sourceAddress, 0), '2001:db8::1');
    assert.equal(formatAddress(c.destinationAddress, 4), '10.0.0.3');
    assert.equal(formatAddress(c.exporterAddress, 0), '10.0.0.1');
    assert.equal(formatMac(c.sourceMacAddress, 2), '00:11:22:33:44:55');
    assert.deepEqual([c.icmpTypeCodeIPv4[1], c.sourceTransportPort[1]], [2048, 0]);
  }
  assert.equal(seen, 2);
  assert.ok(reading.notes.some((note) => note.includes('OUT_BYTES')), 'a feature that is missing is said to be');
});

test('rows that do not fit are rejected with their line', async () => {
  const good = dump(Object.keys(record), '|', '', 1);
  const [head, row] = good.split('\n') as [string, string];
  const bad = [
    row.replace('|900|', '|nine|'), row.replace('|443|', '|70000|'), row.replace('52.1.2.3', '52.1.2'), `${row}|x`,
      row.slice(0, 30),
    row.replace('1655071202', '1655071100'), row.replace('1655071202', ''), row.replace('|6|', '|256|'),
      row.replace('|900|', '||'),
    row.replace('0A:1B', '0A:1'),
  ];
  const { reading } = await readAll([head, row, ...bad, row].join('\n'));
  assert.deepEqual([reading.rows, reading.rejected.get('bad-row'), reading.records], [2, bad.length, 2 + bad.length]);
  assert.equal(reading.problems[0]!.detail, 'line 3: initiatorOctets cannot be nine');
});

test('a dump without what makes a flow is refused, naming it', async () => {
  const names = Object.keys(record).filter((name) => name !== 'IN_BYTES' && name !== 'LAST_SWITCHED');
  await assert.rejects(readAll(dump(names, '|')), { code: 'bad-columns',
    message: 'This nProbe dump lacks the columns IN_BYTES, LAST_SWITCHED; nothing can be read from it.' });
});

test('units of time', () => {
  assert.equal(parseSecondsMs('1655071198.444458'), 1655071198444.458);
  assert.equal(parseSecondsMs('0.000010'), 0.01);
  assert.equal(parseSecondsMs('1655071198.4444589999'), 1655071198444.458);
  for (const bad of ['', '.5', '1.', '-1', '1e3', '1.2.3', 'x',
    '99999999999']) assert.ok(Number.isNaN(parseSecondsMs(bad)), bad);
  assert.deepEqual(['1655071198', '1655071198.4', '1655071198444', '1655071198444458', '3600000', '2022-06-12 21:59:58',
    'x', ''].map(guessTimeUnit),
    ['seconds', 'seconds', 'milliseconds', 'microseconds', 'milliseconds', 'date', undefined, undefined]);
  assert.equal(parseTimeMs('1655071198444458', 'microseconds'), 1655071198444.458);
  assert.equal(parseTimeMs('2022-06-12 21:59:58.5', 'date'), 1655071198500);
  assert.ok(Number.isNaN(parseTimeMs('2022-13-12 21:59:58', 'date')));
});
