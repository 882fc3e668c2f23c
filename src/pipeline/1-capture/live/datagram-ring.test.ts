/** The ring between two threads, both ends in one: what goes in comes out, or is counted for its sender. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mappedWord, type AddressWords } from '#base';
import { RingMemory, recordBytesOf } from './datagram-ring.ts';
import type { ReceivedDatagram } from './received-datagram.ts';
import { RingReader } from './ring-reader.ts';
import { RingWriter } from './ring-writer.ts';

type Taken = { from: number; bytes: string; drops: number; port: number; socket: number };

const scratchBytes = 4_096;

function openRing(ringBytes: number, dropAddresses = 4): {
  memory: RingMemory; writer: RingWriter; put: (from: number, text: string, kernelDrops?: number) => void;
  taken: Taken[]; takeSome: (count: number) => void; reader: RingReader;
} {
  const memory = new RingMemory({ ringBytes, sockets: 1, dropAddresses, scratchBytes });
  const writer = new RingWriter(memory, 0);
  const taken: Taken[] = [];
  const accept = ({ bytes, exporter, kernelDrops, sourcePort, socket }: ReceivedDatagram): void => void taken.push({
    from: exporter[3], bytes: Buffer.from(bytes).toString('latin1'), drops: kernelDrops, port: sourcePort, socket,
  });
  const reader = new RingReader(memory, { accept, nowMs: () => 42 });
  const put = (from: number, text: string, kernelDrops = 0): void => putText(memory, writer, from, text, kernelDrops);
  const takeSome = (count: number): void => {
    const end = taken.length + count;
    reader.read(1_000, () => taken.length < end);
  };
  return { memory, writer, put, taken, takeSome, reader };
}

function putText(memory: RingMemory, writer: RingWriter, from: number, text: string, kernelDrops = 0): void {
  memory.bytes.set(Buffer.from(text, 'latin1'), memory.scratchAt);
  writer.address.set(address(from));
  writer.write(memory.scratchAt, text.length, 0xffff_fffe, 7, kernelDrops);
}

const address = (from: number): AddressWords => [0, 0, mappedWord, from];

test('what goes in comes out in order, or is counted for its sender; whatever the sizes, wherever the ring ends', () => {
  const step = fc.oneof(
    fc.record({ from: fc.integer({ min: 1, max: 3 }), bytes: fc.integer({ min: 0, max: 90 }) }),
    fc.record({ take: fc.integer({ min: 0, max: 4 }) }));
  fc.assert(fc.property(fc.integer({ min: 6, max: 40 }), fc.array(step, { maxLength: 200 }), (sixteenths, steps) => {
    const { memory, writer, put, taken, takeSome } = openRing(sixteenths * 16);
    const wanted: Taken[] = [];
    const drops = [0, 0, 0, 0];
    let number = 0;
    for (const each of steps) {
      if ('take' in each) {
        takeSome(each.take);
        continue;
      }
      const { from } = each;
      const text = String.fromCharCode(number++ & 255).repeat(each.bytes);
      const before = memory.totals[0] as number;
      put(from, text, 100);
      writer.publish();
      const isDropped = (memory.totals[0] as number) > before;
      if (isDropped) drops[from] = (drops[from] as number) + 1;
      else wanted.push({ from, bytes: text, drops: 100 + (drops[from] as number), port: 0xfffe, socket: 0xffff });
      // A ring that was not even half full has room, wherever it was read up to.
      assert.ok(!isDropped || memory.usedBytes() * 2 + recordBytesOf(text.length) * 2 >= sixteenths * 16);
      assert.ok(memory.usedBytes() < sixteenths * 16);
    }
    takeSome(Infinity);
    assert.deepEqual(taken, wanted);
    for (const from of [1, 2, 3]) assert.equal(memory.ringDropsOf(address(from)), drops[from]);
    assert.equal(memory.usedBytes(), 0);
  }));
});

test('addresses beyond the table of drops share a count', () => {
  const { memory, writer, put, taken, takeSome } = openRing(160, 2);
  for (let from = 1; from <= 5; from++) for (let i = 0; i < from; i++) put(from, 'x'.repeat(200));
  assert.deepEqual([1, 2, 3, 4, 5].map((from) => memory.ringDropsOf(address(from))), [1, 2, 12, 12, 12]);
  for (const from of [1, 5]) {
    put(from, '', 10);
    writer.publish();
    takeSome(1);
  }
  assert.deepEqual(taken.map(({ drops }) => drops), [11, 22], 'what is lost is told before it can be missed');
});

test('a writer goes on where the one before it ended', () => {
  const { memory, writer, put, taken, takeSome } = openRing(256);
  put(1, 'a');
  put(2, 'x'.repeat(300));
  writer.publish();
  const next = new RingWriter(memory, 0);
  putText(memory, next, 2, 'b');
  putText(memory, next, 2, 'x'.repeat(300));
  next.publish();
  takeSome(Infinity);
  assert.deepEqual(taken.map(({ bytes, drops }) => [bytes, drops]), [['a', 0], ['b', 1]]);
  assert.deepEqual([memory.ringDropsOf(address(1)), memory.ringDropsOf(address(2))], [0, 2]);
});

test('a datagram that its reader throws at is not handed on again', () => {
  const memory = new RingMemory({ ringBytes: 256, sockets: 1, dropAddresses: 1, scratchBytes });
  const writer = new RingWriter(memory, 0);
  const seen: number[] = [];
  const reader = new RingReader(memory, {
    nowMs: () => 0,
    accept: ({ bytes }) => {
      seen.push(bytes.length);
      if (bytes.length === 2) throw new Error('planted');
    },
  });
  for (const text of ['1', '22', '333']) putText(memory, writer, 1, text);
  writer.publish();
  assert.throws(() => reader.read(1_000, () => true), /planted/);
  assert.equal(reader.read(1_000, () => true), false);
  assert.deepEqual(seen, [1, 2, 3]);
});

test('a reader that is read for no time comes back after a step, and says that there is more', () => {
  const { writer, put, taken, reader } = openRing(1 << 16);
  for (let i = 0; i < 200; i++) put(1, 'x');
  writer.publish();
  assert.equal(reader.read(0, () => true), true);
  assert.ok(taken.length > 0 && taken.length < 200, `${taken.length} of 200`);
  assert.equal(reader.read(1_000, () => true), false);
  assert.equal(taken.length, 200);
});
