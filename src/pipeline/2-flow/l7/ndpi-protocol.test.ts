/** What the namer and its child send each other survives any cutting. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  readGreeting,
  encodeNotice, encodeText, NoticeStream, RecordBlock, recordBytes, recordBytesMax, recordHeadBytes, RecordReader,
  releaseMark, textBytesMax, textMark, verdictBytes, VerdictStream,
} from './ndpi-protocol.ts';

const blockBytes = 1 << 18;

type Sent = { conversation: number; flags: number; timeMs: number; packet: Uint8Array };

const sentRecords = fc.array(fc.record({
  conversation: fc.integer({ min: 0, max: 0xffff_fff0 }),
  flags: fc.integer({ min: 0, max: 7 }),
  timeMs: fc.integer({ min: 0, max: 2 ** 52 }),
  packet: fc.uint8Array({ maxLength: 300 }),
}), { maxLength: 40 });

/** Cuts bytes into chunks at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length));
}

function readAll(reader: RecordReader, memory: ArrayBuffer, offset: number, usedBytes: number): Sent[] {
  const read: Sent[] = [];
  reader.begin(offset, usedBytes);
  while (reader.next()) {
    const packet = new Uint8Array(memory.slice(reader.packetOffset, reader.packetOffset + reader.packetBytes));
    read.push({ conversation: reader.conversation, flags: reader.flags, timeMs: reader.timeMs, packet });
  }
  return read;
}

test('records come out of a block as they went in', () => {
  fc.assert(fc.property(sentRecords, fc.integer({ min: 0, max: 7 }), (sent, lead) => {
    const block = new RecordBlock(blockBytes);
    for (const { conversation, flags, timeMs, packet } of sent) {
      const source = Buffer.concat([Buffer.alloc(lead, 0xee), packet]);
      assert.ok(block.hasRoom(packet.length));
      block.append(conversation, flags, timeMs, source, lead, packet.length);
    }
    const memory = new ArrayBuffer(blockBytes * 2);
    new Uint8Array(memory).set(block.bytes.subarray(0, block.usedBytes), blockBytes);
    assert.deepEqual(readAll(new RecordReader(memory), memory, blockBytes, block.usedBytes),
      sent.map((one) => ({ ...one })));
  }));
});

test('a block takes the largest packet, and not one byte more than it has', () => {
  const block = new RecordBlock(recordBytesMax);
  assert.ok(block.hasRoom(65_535));
  block.append(1, 0, 0, Buffer.alloc(65_535), 0, 65_535);
  assert.equal(block.usedBytes, recordBytes(65_535));
  assert.ok(!block.hasRoom(0));
  assert.throws(() => new RecordBlock(recordBytesMax - 8), { code: 'invariant' });
});

test('a block that is cut, or lies outside the memory, is an error and no record', () => {
  const block = new RecordBlock(blockBytes);
  block.append(7, 0, 0, Buffer.alloc(20), 0, 20);
  const memory = new ArrayBuffer(blockBytes);
  new Uint8Array(memory).set(block.bytes);
  for (const usedBytes of [8, recordHeadBytes, block.usedBytes - 8]) {
    assert.throws(() => readAll(new RecordReader(memory), memory, 0, usedBytes), { code: 'invariant' },
      String(usedBytes));
  }
  assert.throws(() => new RecordReader(memory).begin(blockBytes - 8, 16), { code: 'invariant' });
});

test('notices survive any chunking', () => {
  const places = fc.array(fc.nat(), { maxLength: 30 });
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(7), fc.nat(blockBytes)), { maxLength: 20 }), places, (sent, cuts) => {
    const bytes = Buffer.concat(sent.map(([slot, used]) => encodeNotice(slot, used)));
    const stream = new NoticeStream();
    const read: [number, number][] = [];
    for (const chunk of cut(bytes, cuts)) stream.push(chunk, chunk.length, (slot, used) => read.push([slot, used]));
    assert.deepEqual(read, sent);
  }));
});

test('verdicts, releases and texts survive any chunking', () => {
  const message = fc.oneof(
    fc.record({ kind: fc.constant('verdict' as const), conversation: fc.nat(0xffff_fff0), word: fc.nat(0xffff_ffff) }),
    fc.record({ kind: fc.constant('release' as const), conversation: fc.constant(releaseMark), word: fc.nat(7) }),
    fc.record({ kind: fc.constant('text' as const), text: fc.string({ unit: 'grapheme', maxLength: 60 }) }),
  );
  fc.assert(fc.property(fc.array(message, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 30 }), (sent, cuts) => {
    const bytes = Buffer.concat(sent.map((one) => {
      if (one.kind === 'text') return encodeText(one.text);
      const verdict = Buffer.alloc(verdictBytes);
      verdict.writeUInt32LE(one.conversation, 0);
      verdict.writeUInt32LE(one.word, 4);
      return verdict;
    }));
    const read: unknown[] = [];
    const stream = new VerdictStream({
      onVerdict: (conversation, word) => read.push({ kind: 'verdict', conversation, word }),
      onRelease: (word) => read.push({ kind: 'release', conversation: releaseMark, word }),
      onText: (text) => read.push({ kind: 'text', text }),
    });
    for (const chunk of cut(bytes, cuts)) assert.ok(stream.push(chunk));
    assert.deepEqual(read, sent.map((one) => ({ ...one })));
  }));
});

test('a text longer than any that we send is a broken stream', () => {
  const bytes = Buffer.alloc(verdictBytes);
  bytes.writeUInt32LE(textMark, 0);
  bytes.writeUInt32LE(textBytesMax + 1, 4);
  const ignore = (): void => undefined;
  assert.equal(new VerdictStream({ onVerdict: ignore, onRelease: ignore, onText: ignore }).push(bytes), false);
});

test('a greeting is read, and anything else that a child may say is none', () => {
  assert.deepEqual(readGreeting('{"kind":"ready","version":"4.2.0","protocolNames":["DNS",1]}'),
    { kind: 'ready', version: '4.2.0', protocolNames: ['DNS', '1'] });
  assert.deepEqual(readGreeting('{"kind":"failed","code":"ndpi-absent","message":"not here"}'),
    { kind: 'failed', code: 'ndpi-absent', message: 'not here' });
  for (const text of ['', '{', 'null', '[]', '7', '{"kind":"ready"}', '{"kind":"failed","code":1,"message":"x"}',
    '\u0000']) {
    assert.equal(readGreeting(text), undefined, text);
  }
});
