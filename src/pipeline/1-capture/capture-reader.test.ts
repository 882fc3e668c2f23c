/** What holds for every capture, however it is cut into reads, batched or damaged; and the window it is read in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvariantError, OperatorError } from '#base';
import {
  block, concat, ethernet, frameArp, frameIPv4, frameIPv6, interfaceBlock, memorySource, packetBlock, packetIPv4,
  pcapFile, readRows, type SampleRow, sectionBlock,
} from './capture-samples.ts';
import { type CaptureReading, readCapture } from './capture-reader.ts';
import { RecordWindow } from './record-window.ts';

const frames = [frameIPv4, frameArp, frameIPv6, ethernet('8100 0005 0800', packetIPv4), new Uint8Array(7),
  ethernet('0800', concat(packetIPv4, new Uint8Array(300)))];
const pcap = pcapFile({ isLittleEndian: true },
  [...frames, ...frames].map((bytes, index) => ({ seconds: index, fraction: index, bytes })));
const pcapng = concat(
  sectionBlock(false), interfaceBlock(false),
  ...frames.map((frame, index) => packetBlock(false, 0, BigInt(index), frame)),
  block(false, 0x0bad, new Uint8Array(400)), sectionBlock(true), interfaceBlock(true, { resolution: 9 }),
  ...frames.map((frame, index) => packetBlock(true, 0, BigInt(index * 1000), frame)));
const captures: readonly (readonly [name: string, bytes: Uint8Array])[] = [['pcap', pcap], ['pcapng', pcapng]];

/** Everything that a reading told. */
async function readAll(reading: CaptureReading): Promise<object> {
  const rows: SampleRow[] = await readRows(reading);
  const { frames: frameCount, rejected, problems, skippedBlocks } = reading;
  assert.equal(frameCount, rows.length + rejected.total());
  return { rows, frameCount, rejected: rejected.toJSON(), problems, skippedBlocks };
}

for (const [name, bytes] of captures) {
  test(`property: reads of any size give the same (${name})`, async () => {
    const expected = await readAll(readCapture(memorySource(bytes)));
    assert.ok((expected as { rows: SampleRow[] }).rows.length === 8);
    await fc.assert(fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 9 }),
      async (pieces, readChunkBytes, batchRows) => {
        const reading = readCapture(memorySource(bytes, pieces), { batchRows, limits: { readChunkBytes } });
        assert.deepEqual(await readAll(reading), expected);
      },
    ), { numRuns: 200 });
  });

  test(`property: reads of every size up to 64 bytes give the same (${name})`, async () => {
    const expected = await readAll(readCapture(memorySource(bytes)));
    for (let size = 1; size <= 64; size++) {
      const reading = readCapture(memorySource(bytes, [size]), { limits: { readChunkBytes: size } });
      assert.deepEqual(await readAll(reading), expected);
    }
  });

  test(`fuzz: a mutated capture never throws or hangs, and its counts balance (${name})`, async () => {
    // Behind what recognises the kind.
    const place = fc.integer({ min: 12, max: bytes.length - 1 });
    const mutation = fc.record({
      at: place, value: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 })),
      removed: fc.constantFrom(0, 0, 0, 1, 4, 40), width: fc.constantFrom(1, 1, 2, 4),
    });
    await fc.assert(fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 12 }), place, async (list, end) => {
      let mutated: Uint8Array = bytes.slice(0, end + 1);
      for (const { at, value, removed, width } of list) {
        mutated.fill(value, at, at + width);
        if (removed > 0) mutated = concat(mutated.subarray(0, at), mutated.subarray(at + removed));
      }
      const reading = readCapture(memorySource(mutated), {
        limits: { readChunkBytes: 256, frameBytesMax: 500, captureBlockBytesMax: 1000, captureProblemsMax: 4 },
      });
      await readAll(reading);
      assert.ok(reading.problems.length <= 4);
      assert.ok(reading.frames <= mutated.length / 12);
    }), { numRuns: 1500, interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, endOnFailure: true });
  });
}

test('batches hold as many rows as asked for and are one and the same object', async () => {
  const batches = new Set<object>();
  const counts: number[] = [];
  for await (const batch of readCapture(memorySource(pcap), { batchRows: 3 }).batches()) {
    batches.add(batch);
    counts.push(batch.rowCount);
  }
  assert.equal(batches.size, 1);
  assert.deepEqual(counts, [3, 3, 2]);
});

test('what is no capture is refused with a sentence', () => {
  assert.throws(() => readCapture(memorySource(new TextEncoder().encode('no capture at all'))),
    (thrown) => thrown instanceof OperatorError && thrown.code === 'input-unknown-kind' &&
      thrown.message.startsWith('memory is no'));
});

test('the window keeps to its size unless a record is larger', async () => {
  const window = new RecordWindow(16);
  const source = memorySource(new Uint8Array(1000).map((_, index) => index));
  assert.equal(await window.fill(source, 10), true);
  assert.deepEqual([window.from, window.end, window.data.length], [0, 16, 32]);
  window.from = 12;
  assert.equal(await window.fill(source, 8), true);
  assert.deepEqual([window.offsetBytes, window.end, window.data.length, window.data[0]], [12, 20, 32, 12]);
  assert.equal(await window.fill(source, 100), true);
  assert.deepEqual([window.offsetBytes, window.data.length, window.data[99]], [12, 100, 111]);
  assert.equal(await window.skip(source, 500), true);
  assert.equal(window.offsetBytes, 512);
  assert.equal(await window.fill(source, 1), true);
  assert.equal(window.data[window.from], 512 % 256);
  assert.equal(await window.skip(source, 500), false);
  assert.equal(window.offsetBytes, 1000);
});

test('a parser that went too far is our bug', async () => {
  const window = new RecordWindow(16);
  window.from = 1;
  await assert.rejects(window.fill(memorySource(new Uint8Array(4)), 1), InvariantError);
});
