/** pcapng files made by hand: sections, interfaces and their clocks, the packet blocks, limits, cuts and damage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  block, concat, frameArp, frameIPv4, frameIPv6, hex, interfaceBlock, memorySource, numbers, packetBlock, packetIPv4,
  readRows, sectionBlock,
} from './capture-samples.ts';
import { type CaptureOptions, type CaptureReading, readCapture } from './capture-reader.ts';

async function read(file: Uint8Array, options?: CaptureOptions): Promise<{
  reading: CaptureReading; rows: Awaited<ReturnType<typeof readRows>>;
}> {
  const reading = readCapture(memorySource(file), options);
  const rows = await readRows(reading);
  assert.equal(reading.frames, reading.rows + reading.rejected.total());
  assert.equal(rows.length, reading.rows);
  return { reading, rows };
}

const packet4 = Buffer.from(packetIPv4).toString('hex');

for (const order of [true, false]) {
  const name = order ? 'little' : 'big';
  test(`enhanced packets, ${name} endian`, async () => {
    const { reading, rows } = await read(concat(sectionBlock(order), interfaceBlock(order),
      packetBlock(order, 0, 1_700_000_000_123_456n, frameIPv4), packetBlock(order, 0, 5n, frameArp),
      packetBlock(order, 0, 1_700_000_000_123_457n, frameIPv6)));
    assert.deepEqual(rows.map((row) => [row.microseconds, row.version]),
      [[1_700_000_000_123_456, 4], [1_700_000_000_123_457, 6]]);
    assert.equal(rows[0].packet, packet4);
    assert.equal(rows[0].macs, '020000000002020000000001');
    assert.deepEqual([reading.kind, reading.rejected.toJSON(), reading.problems], ['pcapng', { 'not-ip': 1 }, []]);
  });

  test(`simple and obsolete packets, ${name} endian`, async () => {
    const simple = block(order, 3, concat(numbers(order, [4, frameIPv4.length]), frameIPv4));
    const obsolete = block(order, 2, concat(
      numbers(order, [2, 1], [2, 0], [4, 0], [4, 77], [4, packetIPv4.length], [4, packetIPv4.length]), packetIPv4));
    const { rows } = await read(concat(sectionBlock(order), interfaceBlock(order),
      interfaceBlock(order, { linkType: 101 }), simple, obsolete, simple));
    assert.deepEqual(rows.map((row) => [row.microseconds, row.interfaceIndex, row.packet]),
      [[0, 0, packet4], [77, 1, packet4], [77, 0, packet4]]);
  });
}

test('sections of both byte orders after one another; interfaces begin anew in each', async () => {
  const { rows, reading } = await read(concat(
    sectionBlock(true), interfaceBlock(true), interfaceBlock(true, { linkType: 101 }),
    packetBlock(true, 1, 1n, packetIPv4), sectionBlock(false), interfaceBlock(false, { linkType: 228 }),
    packetBlock(false, 0, 2n, packetIPv4),
    packetBlock(false, 1, 3n, packetIPv4)));
  assert.deepEqual(rows.map((row) => [row.microseconds, row.interfaceIndex]), [[1, 1], [2, 0]]);
  assert.deepEqual(reading.rejected.toJSON(), { 'damaged-file': 1 });
  assert.match(reading.problems[0].detail, /unknown interface 1/);
});

const clocks: readonly (readonly [resolution: number, offsetSeconds: bigint, ticks: bigint, microseconds: number])[] = [
  [6, 0n, 1_700_000_000_999_999n, 1_700_000_000_999_999],
  [0, 0n, 1_700_000_000n, 1_700_000_000_000_000],
  [3, 0n, 1_700_000_000_123n, 1_700_000_000_123_000],
  [9, 0n, 1_700_000_000_123_456_789n, 1_700_000_000_123_456],
  [9, 0n, 1_700_000_000_999_999_999n, 1_700_000_000_999_999],
  [7, 0n, 17_000_000_001_234_569n, 1_700_000_000_123_456],
  [12, 0n, 18_446_744_073_709_551_615n, 18_446_744_073_709],
  [13, 0n, 10_000_000n, 1],
  [127, 0n, 18_446_744_073_709_551_615n, 0],
  [0x80 | 20, 0n, (1_700_000_000n << 20n) | (1n << 19n), 1_700_000_000_500_000],
  [0x80 | 32, 0n, (1_700_000_000n << 32n) | 0xffff_ffffn, 1_700_000_000_999_999],
  [0x80, 0n, 1_700_000_000n, 1_700_000_000_000_000],
  [6, 1_700_000_000n, 5n, 1_700_000_000_000_005],
  [6, -10n, 20_000_000n, 10_000_000],
  [9, 1_700_000_000n, 1_999n, 1_700_000_000_000_001],
];
for (const [resolution, offsetSeconds, ticks, expected] of clocks) {
  test(`clock: resolution ${resolution}, offset ${offsetSeconds} s, ${ticks} ticks`, async () => {
    for (const order of [true, false]) {
      const { rows } = await read(concat(sectionBlock(order), interfaceBlock(order, { resolution, offsetSeconds }),
        packetBlock(order, 0, ticks, frameIPv4)));
      assert.equal(rows[0].microseconds, expected);
    }
  });
}

test('the snap length of the interface bounds simple packets', async () => {
  const body = concat(numbers(true, [4, 5000]), frameIPv4, new Uint8Array(6));
  const { rows } = await read(concat(sectionBlock(true), interfaceBlock(true, { snapLengthBytes: frameIPv4.length }),
    block(true, 3, body)));
  assert.equal(rows[0].packet, packet4);
});

const head = concat(sectionBlock(true), interfaceBlock(true));
const good = packetBlock(true, 0, 1n, frameIPv4);

test('unknown blocks are passed over, in memory and across reads', async () => {
  const file = concat(head, block(true, 4, new Uint8Array(20)), good, block(true, 0x0bad, new Uint8Array(900)), good);
  for (const readChunkBytes of [64, 1 << 16]) {
    const { rows, reading } = await read(file, { limits: { readChunkBytes } });
    assert.equal(rows.length, 2);
    assert.equal(reading.skippedBlocks, 2);
    assert.deepEqual(reading.problems, []);
  }
});

test('a packet block above the limit is passed over and counted', async () => {
  const file = concat(head, packetBlock(true, 0, 1n, new Uint8Array(600)), good);
  const { rows, reading } = await read(file, { limits: { captureBlockBytesMax: 256, readChunkBytes: 64 } });
  assert.equal(rows.length, 1);
  assert.deepEqual(reading.rejected.toJSON(), { 'damaged-file': 1 });
});

test('a frame above the limit is counted', async () => {
  const file = concat(head, packetBlock(true, 0, 1n, new Uint8Array(600)), good);
  const { rows, reading } = await read(file, { limits: { frameBytesMax: 256 } });
  assert.equal(rows.length, 1);
  assert.match(reading.problems[0].detail, /too large a frame/);
});

test('interfaces above the limit are told, their packets counted', async () => {
  const file = concat(head, interfaceBlock(true), interfaceBlock(true), good, packetBlock(true, 1, 1n, frameIPv4),
    packetBlock(true, 2, 1n, frameIPv4));
  const { rows, reading } = await read(file, { limits: { captureInterfacesMax: 2 } });
  assert.deepEqual(rows.map((row) => row.interfaceIndex), [0, 1]);
  assert.equal(reading.problems.length, 2);
  assert.match(reading.problems[0].detail, /one interface too many/);
});

test('no more problems are described than the limit, all are counted', async () => {
  const bad = packetBlock(true, 9, 1n, frameIPv4);
  const { reading } = await read(concat(head, bad, bad, bad, bad, bad), { limits: { captureProblemsMax: 3 } });
  assert.equal(reading.problems.length, 3);
  assert.equal(reading.rejected.get('damaged-file'), 5);
});

test('packet blocks whose fields do not fit together are counted; the next block is read', async () => {
  const tooLong = packetBlock(true, 0, 1n, frameIPv4).slice();
  new DataView(tooLong.buffer).setUint32(20, tooLong.length, true);
  const tooShort = block(true, 6, new Uint8Array(8));
  const shortInterface = block(true, 1, new Uint8Array(4));
  const { rows, reading } = await read(concat(head, tooLong, tooShort, shortInterface, good));
  assert.equal(rows.length, 1);
  assert.deepEqual(reading.rejected.toJSON(), { 'damaged-file': 2 });
  assert.equal(reading.problems.length, 3);
});

const broken: readonly (readonly [name: string, bytes: Uint8Array, isPacket: boolean])[] = [
  ['a length that is no multiple of four', hex('06000000 21000000 00000000'), true],
  ['a length below the smallest', hex('06000000 08000000 00000000'), true],
  ['another block of length 0', hex('99000000 00000000 00000000'), false],
  ['two different lengths', concat(good.subarray(0, good.length - 4), hex('ffff0000')), true],
  ['a section of unknown byte order', hex('0a0d0d0a 1c000000 11111111 01000000 ffffffff ffffffff 1c000000'), false],
  ['a section of unknown version', hex('0a0d0d0a 1c000000 4d3c2b1a 02000000 ffffffff ffffffff 1c000000'), false],
  ['a section that is too short', hex('0a0d0d0a 10000000 4d3c2b1a 01000000 ffffffff ffffffff 1c000000'), false],
];
for (const [name, bytes, isPacket] of broken) {
  test(`damage stops the reading there: ${name}`, async () => {
    const { rows, reading } = await read(concat(head, good, bytes, good));
    assert.equal(rows.length, 1);
    assert.deepEqual(reading.problems.map(({ code, offsetBytes }) => [code, offsetBytes]),
      [['damaged-file', head.length + good.length]]);
    assert.equal(reading.rejected.get('damaged-file'), isPacket ? 1 : 0);
  });
}

test('cut at every byte: whole packets before the cut are given, the cut is told with its place', async () => {
  const arp = packetBlock(true, 0, 2n, frameArp);
  const parts = [sectionBlock(true), interfaceBlock(true), good, arp, block(true, 5, hex('00000000')), good];
  const file = concat(...parts);
  const starts = parts.map((_, index) => concat(...parts.slice(0, index)).length);
  for (let length = 4; length < file.length; length++) {
    const { rows, reading } = await read(file.subarray(0, length));
    assert.equal(rows.length, length >= starts[3] ? 1 : 0);
    const at = starts.findLast((start) => start <= length) as number;
    if (at === length) assert.deepEqual(reading.problems, [], `cut to ${length} bytes`);
    else assert.deepEqual(reading.problems.map((problem) => [problem.code, problem.offsetBytes]), [['cut-file', at]]);
  }
});
