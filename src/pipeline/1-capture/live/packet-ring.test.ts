/** Blocks of made-up rings: frames of all kinds, tags put back, batches smaller than blocks, and blocks that lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Counts, type ProblemCode } from '#base';
import { copyRows, ethernet, frameArp, frameIPv4, frameIPv6, hex, packetIPv4, packetIPv6, type SampleRow } from
  '../capture-samples.ts';
import { createPacketBatch } from '../packet-batch.ts';
import { RingBlock } from './packet-ring.ts';
import { ringBlock, type SampleRingFrame } from './ring-samples.ts';

const blockBytes = 8_192;
const packet4 = Buffer.from(packetIPv4).toString('hex');
const packet6 = Buffer.from(packetIPv6).toString('hex');

function read(blocks: readonly Uint8Array[], options: { isCooked?: boolean; batchRows?: number } = {}): {
  block: RingBlock; rows: SampleRow[]; rejected: Record<string, number>;
} {
  // Surrounded by bytes that must never show.
  const memory = new Uint8Array(blockBytes + 128).fill(0xaa);
  const { isCooked = false } = options;
  const block = new RingBlock(memory.subarray(64, 64 + blockBytes), { isCooked, mtuBytes: 1_500 });
  const batch = createPacketBatch(options.batchRows ?? 64);
  const rows: SampleRow[] = [];
  const rejected = new Counts<ProblemCode>();
  for (const bytes of blocks) {
    block.load(bytes);
    while (!block.isEmpty) {
      batch.rowCount = 0;
      block.parse(batch);
      for (let row = 0; row < batch.rowCount; row++) {
        assert.ok(batch.networkOffset[row] + batch.networkBytes[row] <= blockBytes);
      }
      rows.push(...copyRows(batch));
    }
  }
  block.flush(rejected);
  assert.ok([...memory.subarray(0, 64), ...memory.subarray(64 + blockBytes)].every((byte) => byte === 0xaa));
  assert.equal(block.frames, block.rows + rejected.total());
  assert.equal(block.rows, rows.length);
  return { block, rows, rejected: rejected.toJSON() };
}

test('frames of several blocks, with the kernel\'s times cut to microseconds', () => {
  const { rows, rejected, block } = read([
    ringBlock(blockBytes, [
      { bytes: frameIPv4, seconds: 1_700_000_000, nanoseconds: 123_456_789 },
      { bytes: frameArp }, { bytes: frameIPv6, seconds: 4_000_000_000, nanoseconds: 999_999_999 },
    ]),
    ringBlock(blockBytes, []),
    ringBlock(blockBytes, [{ bytes: frameIPv4, seconds: 2 }, { bytes: hex('0200') }]),
  ]);
  assert.deepEqual(rows.map((row) => [row.microseconds, row.version, row.packet]), [
    [1_700_000_000_123_456, 4, packet4], [4_000_000_000_999_999, 6, packet6], [2_000_000, 4, packet4],
  ]);
  assert.equal(rows[0].macs, '020000000002020000000001');
  assert.deepEqual(rejected, { 'cut-link-header': 1, 'not-ip': 1 });
  assert.deepEqual([block.frames, block.cutFrames, block.vlanRestored], [5, 0, 0]);
});

test('a batch smaller than a block goes on where it ended', () => {
  const frames = Array.from({ length: 10 }, (_, i) => ({ bytes: i % 4 === 1 ? frameArp : frameIPv4, seconds: i }));
  const { rows } = read([ringBlock(blockBytes, frames)], { batchRows: 3 });
  assert.deepEqual(rows.map((row) => row.microseconds / 1e6), [0, 2, 3, 4, 6, 7, 8]);
});

test('tags that the kernel took off are put back, before tags that it left', () => {
  const inner = ethernet('8100 6007 0800', packetIPv4);
  const { rows, block } = read([ringBlock(blockBytes, [
    { bytes: frameIPv4, tag: { control: 0x6064, protocol: 0x8100 } },
    { bytes: frameIPv6, tag: { control: 0x0065 } },
    { bytes: inner, tag: { control: 0xe066, protocol: 0x88a8 } },
    { bytes: frameIPv4, tag: { control: 0x6000, protocol: 0x8100 } },
    { bytes: frameIPv4 },
    { bytes: inner },
  ])]);
  assert.deepEqual(rows.map((row) => row.vlanId), [100, 101, 102, 0, 0, 7]);
  assert.ok(rows.every((row) => row.macs === '020000000002020000000001'));
  assert.deepEqual(rows.map((row) => row.packet), [packet4, packet6, packet4, packet4, packet4, packet4]);
  assert.equal(block.vlanRestored, 4);
});

test('a frame whose stripped tag cannot be told apart from nothing is not given one', () => {
  const { rejected, block } = read([ringBlock(blockBytes, [{ bytes: hex('02000000'), tag: { control: 5 } }])]);
  assert.deepEqual([rejected, block.vlanRestored], [{ 'cut-link-header': 1 }, 0]);
});

test('cooked rings: the protocol stands in the address, and tags too', () => {
  const { rows, rejected } = read([ringBlock(blockBytes, [
    { bytes: packetIPv4, protocol: 0x0800 },
    { bytes: packetIPv6, protocol: 0x86dd },
    { bytes: packetIPv4, protocol: 0x0800, tag: { control: 42, protocol: 0x8100 } },
    { bytes: packetIPv6, protocol: 0x86dd, tag: { control: 43 } },
    { bytes: hex('0001'), protocol: 0x0806 },
  ], true)], { isCooked: true });
  assert.deepEqual(rows.map((row) => [row.version, row.packet, row.vlanId, row.macs]), [
    [4, packet4, 0, ''], [6, packet6, 0, ''], [4, packet4, 42, ''], [6, packet6, 43, ''],
  ]);
  assert.deepEqual(rejected, { 'not-ip': 1 });
});

test('frames longer than the snap length are cut and counted', () => {
  const { rows, block } = read([ringBlock(blockBytes, [
    { bytes: frameIPv4.subarray(0, 40), wireBytes: 1_514 }, { bytes: frameIPv4 },
  ])]);
  assert.deepEqual([rows.length, rows[0].packet, block.cutFrames], [2, packet4.slice(0, 52), 1]);
});

test('frames longer than the interface can carry are several packets, and counted as such', () => {
  const long = (wireBytes: number): SampleRingFrame => ({ bytes: frameIPv4, wireBytes });
  assert.equal(read([ringBlock(blockBytes, [long(1_522), long(1_523), long(9_000)])]).block.joinedFrames, 2);
  const isCooked = true;
  assert.equal(read([ringBlock(blockBytes, [long(1_500), long(1_501)], isCooked)], { isCooked }).block.joinedFrames, 1);
});

const fields: readonly (readonly [name: string, at: number, bytes: 2 | 4, value: number])[] = [
  ['first frame before the header\'s end', 16, 4, 8],
  ['first frame behind the block', 16, 4, blockBytes],
  ['first frame at the end of numbers', 16, 4, 0xffffffff],
  ['length of the block shorter than its header', 20, 4, 10],
  ['next frame is itself', 48, 4, 0],
  ['next frame far away', 48, 4, 0xfffffff0],
  ['more bytes than the block', 48 + 12, 4, blockBytes],
  ['most bytes that can be said', 48 + 12, 4, 0xffffffff],
  ['link header within the frame\'s header', 48 + 24, 2, 20],
  ['link header behind the block', 48 + 24, 2, 0xffff],
];

for (const [name, at, bytes, value] of fields) {
  test(`a block that lies gives up the rest of it: ${name}`, () => {
    const block = ringBlock(blockBytes, [{ bytes: frameIPv4 }, { bytes: frameIPv4 }, { bytes: frameIPv4 }]);
    const view = new DataView(block.buffer);
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    const { rows, rejected } = read([block, ringBlock(blockBytes, [{ bytes: frameIPv6 }])]);
    assert.equal(rows.at(-1)?.packet, packet6, 'the next block is read again');
    assert.equal(rows.length - 1 + (rejected['damaged-file'] ?? 0), 3);
    assert.ok((rejected['damaged-file'] ?? 0) >= 2);
  });
}

test('a block that says that it has four billion frames is not believed', () => {
  const block = ringBlock(blockBytes, [{ bytes: frameIPv4 }]);
  new DataView(block.buffer).setUint32(12, 0xffffffff, true);
  const { rows, rejected } = read([block]);
  assert.equal(rows.length, 1);
  assert.equal(rejected['damaged-file'], Math.ceil(blockBytes / 48) - 1);
});

test('whatever bytes a block has, nothing outside it is read and every frame is counted', () => {
  const frames: SampleRingFrame[] = [
    { bytes: frameIPv4, tag: { control: 3 } }, { bytes: frameArp }, { bytes: frameIPv6 }, { bytes: frameIPv4 },
  ];
  const change = fc.tuple(fc.integer({ min: 8, max: 700 }), fc.integer({ min: 0, max: 255 }));
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), fc.boolean(), (changes, isCooked) => {
    const block = ringBlock(blockBytes, frames, isCooked);
    for (const [at, value] of changes) block[at] = value;
    read([block], { isCooked, batchRows: 2 });
  }), { numRuns: 2_000 });
});
