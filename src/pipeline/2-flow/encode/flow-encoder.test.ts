/** The encoder against layouts worked out by hand from RFC 3954, RFC 7011 and RFC 5103. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parseMac, type AddressWords } from '#base';
import { createFlowBatch, type FlowBatch } from '../flow-batch.ts';
import { FlowEncoder, smallestDatagramBytes, type FlowEncoderOptions } from './flow-encoder.ts';

type Message = { bytes: Buffer; records: number };

/** Encodes whole batches, one call each, and gives copies of the messages. */
function encodeAll(options: Partial<FlowEncoderOptions>, batches: readonly FlowBatch[], exportMs = 1_700_000_000_500,
): { messages: Message[]; encoder: FlowEncoder } {
  const messages: Message[] = [];
  const encoder = new FlowEncoder(options,
    (bytes, records) => void messages.push({ bytes: Buffer.from(bytes), records }));
  for (const batch of batches) encoder.encode(batch, exportMs);
  encoder.flush(exportMs);
  return { messages, encoder };
}

const words = (text: string): AddressWords => parseAddress(text) as AddressWords;

/** One TCP flow between the addresses, with a value of its own in every field. */
function oneFlow(source = '192.168.1.20', destination = '198.51.100.7', rows = 1): FlowBatch {
  const batch = createFlowBatch(rows);
  const { columns } = batch;
  batch.rowCount = rows;
  for (let row = 0; row < rows; row++) {
    columns.flowStartMilliseconds[row] = 1_600_000_000_123;
    columns.flowEndMilliseconds[row] = 1_600_000_004_567;
    columns.ipVersion[row] = source.includes(':') ? 6 : 4;
    columns.sourceAddress.set(words(source), row * 4);
    columns.destinationAddress.set(words(destination), row * 4);
    columns.sourceTransportPort[row] = 50_123;
    columns.destinationTransportPort[row] = 443;
    columns.protocolIdentifier[row] = 6;
    columns.ipClassOfService[row] = 0x10;
    columns.reverseIpClassOfService[row] = 0x28;
    columns.initiatorPackets[row] = 11;
    columns.responderPackets[row] = 13;
    columns.initiatorOctets[row] = 0x1_0000_0005;
    columns.responderOctets[row] = 2_000;
    columns.tcpControlBits[row] = 0x11b;
    columns.reverseTcpControlBits[row] = 0x12;
    columns.flowEndReason[row] = 3;
    columns.ingressInterface[row] = 7;
    columns.egressInterface[row] = 70_000;
    columns.vlanId[row] = 42;
    columns.applicationName[row] = batch.dictionaries.applicationName.encode('TLS.Amazon');
    columns.device[row] = batch.dictionaries.device.encode('camera-1');
    columns.device_model[row] = batch.dictionaries.device_model.encode('webcam.Example.Cam_1');
  }
  return batch;
}

/** The record above without addresses and name, as RFC 7011 §6.1 writes numbers. */
const afterAddresses = (icmp: string, flags = '0012011b'): string => [
  'c3cb', '01bb', '06', null, '28', '10',
  '0000000100000005', '000000000000000b', '00000000000007d0', '000000000000000d',
  flags, icmp, '03', '00000007', '00011170', '002a',
].map((part) => part ?? 'VV').join('');
const times = '00000174876e807b00000174876e91d7';
const name = Buffer.from('TLS.Amazon').toString('hex');

/** Sets of a message: id, content. Fails unless their lengths meet the end of the message exactly. */
function setsOf({ bytes }: Message, headerBytes: number): { id: number; content: Buffer }[] {
  const sets = [];
  let at = headerBytes;
  while (at < bytes.length) {
    const length = bytes.readUInt16BE(at + 2);
    assert.ok(length >= 4 && length % 4 === 0, `set of ${length} bytes`);
    sets.push({ id: bytes.readUInt16BE(at), content: bytes.subarray(at + 4, at + length) });
    at += length;
  }
  assert.equal(at, bytes.length);
  return sets;
}

/** Field specifiers of the template with an id, as `id/length` or `enterprise.id/length`. */
function templateFields(content: Buffer, templateId: number, version: 9 | 10 = 10): string[] {
  for (let at = 0; at < content.length;) {
    const id = content.readUInt16BE(at);
    const count = content.readUInt16BE(at + 2);
    at += 4;
    const fields: string[] = [];
    for (let i = 0; i < count; i++, at += 4) {
      const element = content.readUInt16BE(at);
      const length = content.readUInt16BE(at + 2);
      if (version === 9 || element < 0x8000) fields.push(`${element}/${length}`);
      else {
        fields.push(`${content.readUInt32BE(at + 4)}.${element & 0x7fff}/${length}`);
        at += 4;
      }
    }
    if (id === templateId) return fields;
  }
  throw new Error(`no template ${templateId}`);
}

test('IPFIX: header, template and record of an IPv4 flow', () => {
  const { messages } = encodeAll({ version: 10, domain: 0x01020304 }, [oneFlow()]);
  assert.equal(messages.length, 1);
  const message = messages[0] as Message;
  const { bytes } = message;
  // RFC 7011 §3.1: version 10, length, export time in seconds, sequence, observation domain.
  assert.equal(bytes.readUInt16BE(0), 10);
  assert.equal(bytes.readUInt16BE(2), bytes.length);
  assert.equal(bytes.readUInt32BE(4), 1_700_000_000);
  assert.equal(bytes.readUInt32BE(8), 0);
  assert.equal(bytes.readUInt32BE(12), 0x01020304);
  const [templates, data, ...more] = setsOf(message, 16);
  assert.equal(more.length, 0);
  assert.equal(templates?.id, 2);
  assert.deepEqual(templateFields(templates?.content as Buffer, 256), [
    '152/8', '153/8', '8/4', '12/4', '7/2', '11/2', '4/1', '60/1', '29305.5/1', '5/1', '1/8', '2/8', '29305.1/8',
    '29305.2/8', '29305.6/2', '6/2', '32/2', '136/1', '10/4', '14/4', '58/2', '35632.119/65535',
  ]);
  assert.equal(data?.id, 256);
  const record = `${times}c0a80114c6336407${afterAddresses('0000').replace('VV', '04')}0a${name}`;
  const padding = '00'.repeat((4 - (record.length / 2) % 4) % 4);
  assert.equal(data?.content.toString('hex'), record + padding);
  assert.ok(!bytes.includes('camera') && !bytes.includes('webcam'), 'labels stay at home');
});

test('NetFlow v9: header, template and record of an IPv6 flow', () => {
  const { messages } = encodeAll({ version: 9, domain: 9 }, [oneFlow('2001:db8::1', '2001:db8:1::2')]);
  const message = messages[0] as Message;
  const { bytes } = message;
  // RFC 3954 §5.1: version, count of records (four templates, one flow), uptime, seconds, sequence, source id.
  assert.deepEqual([bytes.readUInt16BE(0), bytes.readUInt16BE(2)], [9, 5]);
  assert.deepEqual([4, 8, 12, 16].map((at) => bytes.readUInt32BE(at)), [0, 1_700_000_000, 0, 9]);
  const [templates, data] = setsOf(message, 20);
  assert.equal(templates?.id, 0);
  assert.deepEqual(templateFields(templates?.content as Buffer, 257, 9), [
    '152/8', '153/8', '27/16', '28/16', '7/2', '11/2', '4/1', '60/1', '55/1', '5/1', '1/8', '2/8', '23/8',
    '24/8', '57551/1', '6/1', '139/2', '136/1', '10/4', '14/4', '58/2', '57591/32',
  ]);
  assert.equal(data?.id, 257);
  const addresses = '20010db800000000000000000000000120010db8000100000000000000000002';
  const fixedName = name.padEnd(64, '0');
  const record = `${times}${addresses}${afterAddresses('0000', '121b').replace('VV', '06')}${fixedName}`;
  assert.equal(data?.content.toString('hex').slice(0, record.length), record);
});

test('link addresses have templates of their own, ICMP its element of the family', () => {
  const batch = oneFlow();
  batch.columns.sourceMacAddress.set(parseMac('02:00:00:00:00:0a') as [number, number]);
  batch.columns.destinationMacAddress.set(parseMac('02:00:00:00:00:0b') as [number, number]);
  batch.columns.icmpTypeCodeIPv4[0] = 0x0301;
  const [templates, data] = setsOf(encodeAll({}, [batch]).messages[0] as Message, 16);
  assert.deepEqual(templateFields(templates?.content as Buffer, 258).slice(-3), ['56/6', '80/6', '35632.119/65535']);
  assert.ok(templateFields(templates?.content as Buffer, 258).includes('32/2'));
  assert.ok(templateFields(templates?.content as Buffer, 259).includes('139/2'));
  assert.equal(data?.id, 258);
  const text = data?.content.toString('hex') ?? '';
  assert.ok(text.includes(`02000000000a02000000000b0a${name}`));
  assert.ok(text.includes('03010300000007'), 'type and code before the end reason');
});

test('an address of no family goes by the IPv6 template', () => {
  const batch = oneFlow();
  batch.columns.destinationAddress.fill(0);
  const data = setsOf(encodeAll({}, [batch]).messages[0] as Message, 16)[1];
  assert.equal(data?.id, 257);
  assert.equal(data?.content.toString('hex', 16, 48), '00000000000000000000ffffc0a80114' + '0'.repeat(32));
});

for (const version of [9, 10] as const) {
  test(`version ${version}: datagrams keep to their size, sequence and padding hold, templates come again`, () => {
    const v4 = oneFlow('192.168.1.20', '198.51.100.7', 7);
    const v6 = oneFlow('2001:db8::1', '2001:db8:1::2', 3);
    v4.columns.tcpControlBits.fill(0x1b);
    v6.columns.tcpControlBits.fill(0x1b);
    const batches = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? v4 : v6));
    const { messages, encoder } = encodeAll(
      { version, datagramBytesMax: smallestDatagramBytes + 3, templateEveryDatagrams: 5 }, batches);
    const header = version === 9 ? 20 : 16;
    let records = 0;
    let templateSends = 0;
    for (const [i, message] of messages.entries()) {
      assert.ok(message.bytes.length <= smallestDatagramBytes);
      const sets = setsOf(message, header);
      const hasTemplates = sets[0]?.id === (version === 9 ? 0 : 2);
      assert.equal(hasTemplates, i % 5 === 0);
      if (hasTemplates) templateSends++;
      const sequence = message.bytes.readUInt32BE(version === 9 ? 12 : 8);
      assert.equal(sequence, version === 9 ? i : records);
      if (version === 9) assert.equal(message.bytes.readUInt16BE(2), message.records + (hasTemplates ? 4 : 0));
      records += message.records;
    }
    assert.equal(records, 20 * 7 + 20 * 3);
    assert.ok(messages.length > 25, `${messages.length} messages`);
    assert.deepEqual(encoder.counts(), {
      records, datagrams: messages.length, templateSends, namesCut: 0, timesCut: 0, flagsCut: 0, numbersBent: 0,
      bytes: messages.reduce((sum, { bytes }) => sum + bytes.length, 0),
    });
  });
}

test('templates come again when time has passed, uptime of v9 with it', () => {
  const messages: Buffer[] = [];
  const encoder = new FlowEncoder({ version: 9, templateEveryMs: 1_000 },
    (bytes) => void messages.push(Buffer.from(bytes)));
  for (const exportMs of [5_000, 5_500, 6_000, 6_999, 7_000]) {
    encoder.encode(oneFlow(), exportMs);
    encoder.flush(exportMs);
  }
  assert.deepEqual(messages.map((bytes) => bytes.readUInt16BE(20) === 0), [true, false, true, false, true]);
  assert.deepEqual(messages.map((bytes) => bytes.readUInt32BE(4)), [0, 500, 1_000, 1_999, 2_000]);
});

test('names: RFC 7011 §7 beyond 254 bytes, cut at a character and counted at the limit', () => {
  const batch = oneFlow();
  batch.columns.applicationName[0] = batch.dictionaries.applicationName.encode('n'.repeat(300));
  const long = encodeAll({}, [batch]).messages[0] as Message;
  assert.ok(long.bytes.toString('latin1').includes(`\xff\x01\x2c${'n'.repeat(300)}`));
  batch.columns.applicationName[0] = batch.dictionaries.applicationName.encode('abc☃☃');
  const { messages, encoder } = encodeAll({ version: 9, nameBytesMax: 8 }, [batch]);
  assert.equal(encoder.counts().namesCut, 1);
  const content = setsOf(messages[0] as Message, 20)[1]?.content as Buffer;
  const end = content.lastIndexOf(Buffer.from('abc☃'));
  assert.deepEqual([...content.subarray(end + 6, end + 8)], [0, 0]);
});

test('a name that finds no room beside the templates follows in the next message', () => {
  const batch = oneFlow();
  batch.columns.applicationName[0] = batch.dictionaries.applicationName.encode('n'.repeat(500));
  const { messages } = encodeAll({ datagramBytesMax: smallestDatagramBytes, templateEveryDatagrams: 1 }, [batch]);
  assert.deepEqual(messages.map(({ records }) => records), [0, 1]);
  for (const message of messages) assert.ok(setsOf(message, 16).length === 1);
});

test('templates can be sent alone, and then need not come with the next record', () => {
  const messages: Buffer[] = [];
  const encoder = new FlowEncoder({}, (bytes) => void messages.push(Buffer.from(bytes)));
  encoder.announce(1_000);
  encoder.encode(oneFlow(), 1_000);
  encoder.announce(2_000);
  assert.deepEqual(messages.map((bytes) => bytes.readUInt16BE(16)), [2, 256, 2]);
  // RFC 7011 §3.1: the sequence counts data records alone.
  assert.deepEqual(messages.map((bytes) => bytes.readUInt32BE(8)), [0, 0, 1]);
});

test('NetFlow v9 has eight TCP flags: a ninth is cut off and counted', () => {
  assert.equal(encodeAll({ version: 9 }, [oneFlow()]).encoder.counts().flagsCut, 1);
  assert.equal(encodeAll({ version: 10 }, [oneFlow()]).encoder.counts().flagsCut, 0);
});

test('numbers that the wire cannot hold are bent and counted', () => {
  const batch = oneFlow();
  batch.columns.flowStartMilliseconds[0] = 1_600_000_000_123.75;
  batch.columns.initiatorPackets[0] = Number.NaN;
  batch.columns.responderPackets[0] = -4;
  batch.columns.responderOctets[0] = 1e300;
  const { messages, encoder } = encodeAll({}, [batch]);
  const { timesCut, numbersBent } = encoder.counts();
  assert.deepEqual([timesCut, numbersBent], [1, 3]);
  const text = setsOf(messages[0] as Message, 16)[1]?.content.toString('hex') ?? '';
  assert.ok(text.startsWith('00000174876e807b'));
  assert.ok(text.includes(`0000000100000005${'0'.repeat(16)}001fffffffffffff${'0'.repeat(16)}`));
});

test('batches with dictionaries of their own are told apart; nothing is sent for nothing', () => {
  const other = oneFlow();
  other.dictionaries.applicationName.encode('first');
  const batch = createFlowBatch(1);
  batch.dictionaries.applicationName.encode('DNS');
  batch.rowCount = 1;
  batch.columns.applicationName[0] = 1;
  const { messages } = encodeAll({}, [other, batch]);
  const text = (messages[0] as Message).bytes.toString('latin1');
  assert.ok(text.includes('\x0aTLS.Amazon') && text.includes('\x03DNS'));
  assert.equal(encodeAll({}, [createFlowBatch(1)]).messages.length, 0);
});

test('options out of range are our own bug', () => {
  for (const options of [{ datagramBytesMax: 100 }, { datagramBytesMax: 70_000 },
    { datagramBytesMax: 800, nameBytesMax: 700 }]) {
    assert.throws(() => new FlowEncoder(options, () => undefined), { name: 'InvariantError' });
  }
});
