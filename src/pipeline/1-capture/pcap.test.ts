/** pcap files made by hand: every magic number in both byte orders, header fields, limits, cuts and damage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  concat, ethernet, frameArp, frameIPv4, frameIPv6, hex, memorySource, numbers, packetIPv4, packetIPv6, pcapFile,
  type PcapForm, pcapHeader, pcapRecord, readRows, type SampleFrame,
} from './capture-samples.ts';
import { readCapture } from './capture-reader.ts';

const frames: readonly SampleFrame[] = [
  { seconds: 1_700_000_000, fraction: 123_456, bytes: frameIPv4 },
  { seconds: 1_700_000_001, fraction: 999_999, bytes: frameArp },
  { seconds: 4_294_967_295, fraction: 1, bytes: ethernet('8100 0007 86dd', packetIPv6) },
];
const text4 = Buffer.from(packetIPv4).toString('hex');
const text6 = Buffer.from(packetIPv6).toString('hex');

for (const magic of [0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34]) {
  for (const isLittleEndian of [true, false]) {
    test(`magic ${magic.toString(16)}, ${isLittleEndian ? 'little' : 'big'} endian`, async () => {
      const reading = readCapture(memorySource(pcapFile({ magic, isLittleEndian }, frames)));
      const rows = await readRows(reading);
      const fraction = (value: number): number => (magic === 0xa1b23c4d ? Math.floor(value / 1000) : value);
      assert.deepEqual(rows.map((row) => [row.microseconds, row.version, row.packet, row.vlanId, row.interfaceIndex]), [
        [1_700_000_000e6 + fraction(123_456), 4, text4, 0, 0],
        [4_294_967_295e6 + fraction(1), 6, text6, 7, 0],
      ]);
      assert.ok(rows.every((row) => row.macs === '020000000002020000000001'));
      assert.deepEqual([reading.kind, reading.frames, reading.rows], ['pcap', 3, 2]);
      assert.deepEqual(reading.rejected.toJSON(), { 'not-ip': 1 });
      assert.deepEqual(reading.problems, []);
    });
  }
}

const little: PcapForm = { isLittleEndian: true };

test('nanoseconds are cut off, not rounded', async () => {
  const file = pcapFile({ isLittleEndian: true, magic: 0xa1b23c4d },
    [{ seconds: 5, fraction: 999_999_999, bytes: frameIPv4 }]);
  const [row] = await readRows(readCapture(memorySource(file)));
  assert.equal(row.microseconds, 5_999_999);
});

test('the link type is the lower half of its field; snap length 0 means no limit', async () => {
  const file = pcapFile({ isLittleEndian: false, linkType: 0x5400_0001, snapLengthBytes: 0 }, frames);
  assert.equal((await readRows(readCapture(memorySource(file)))).length, 2);
});

test('frames of a link type that nobody knows are counted', async () => {
  const reading = readCapture(memorySource(pcapFile({ isLittleEndian: true, linkType: 127 }, frames)));
  assert.deepEqual(await readRows(reading), []);
  assert.deepEqual([reading.frames, reading.rejected.toJSON()], [3, { 'unknown-link-type': 3 }]);
});

test('before version 2.3 the captured length is the second one', async () => {
  for (const isLittleEndian of [true, false]) {
    const lengths = numbers(isLittleEndian, [4, 1], [4, 2], [4, 1500], [4, frameIPv4.length]);
    const file = concat(pcapHeader({ isLittleEndian, minorVersion: 2 }), lengths, frameIPv4);
    const [row] = await readRows(readCapture(memorySource(file)));
    assert.deepEqual([row.microseconds, row.packet], [1_000_002, text4]);
  }
});

test('no frames at all', async () => {
  const reading = readCapture(memorySource(pcapHeader(little)));
  assert.deepEqual(await readRows(reading), []);
  assert.deepEqual([reading.frames, reading.problems], [0, []]);
});

test('cut at every byte: whole frames before the cut are given, the cut is told with its place', async () => {
  const file = pcapFile(little, frames);
  const starts = [24, 24 + 16 + frames[0].bytes.length];
  starts.push(starts[1] + 16 + frames[1].bytes.length, file.length);
  for (let length = 4; length < file.length; length++) {
    const reading = readCapture(memorySource(file.subarray(0, length)));
    const rows = await readRows(reading);
    const wholeFrames = starts.filter((start) => start <= length).length - 1;
    const expectedRows = [0, 1, 1, 2][Math.max(wholeFrames, 0)];
    assert.equal(rows.length, expectedRows, `cut to ${length} bytes`);
    assert.equal(reading.frames, reading.rows + reading.rejected.total());
    if (starts.includes(length)) {
      assert.deepEqual(reading.problems, []);
      continue;
    }
    assert.deepEqual(reading.problems.map(({ code, offsetBytes }) => [code, offsetBytes]),
      [['cut-file', length < 24 ? 0 : starts[wholeFrames]]], `cut to ${length} bytes`);
    assert.equal(reading.rejected.get('cut-file'), length < 24 ? 0 : 1);
  }
});

test('an impossible length stops the reading there; everything before is given', async () => {
  const file = concat(pcapFile(little, frames), numbers(true, [4, 1], [4, 2], [4, 0x7fff_0000], [4, 0x7fff_0000]),
    pcapRecord(little, frames[0]));
  const reading = readCapture(memorySource(file));
  assert.equal((await readRows(reading)).length, 2);
  const at = pcapFile(little, frames).length;
  assert.deepEqual(reading.problems.map(({ code, offsetBytes }) => [code, offsetBytes]), [['damaged-file', at]]);
  assert.match(reading.problems[0].detail, new RegExp(`byte ${at} `));
  assert.deepEqual([reading.frames, reading.rejected.toJSON()], [4, { 'damaged-file': 1, 'not-ip': 1 }]);
});

test('a frame above the limit that the file promised is passed over, even across reads', async () => {
  const form: PcapForm = { isLittleEndian: true, snapLengthBytes: 10_000 };
  const large = ethernet('0800', concat(packetIPv4, new Uint8Array(3000)));
  const file = pcapFile(form, [frames[0], { seconds: 1, fraction: 2, bytes: large }, frames[2]]);
  for (const readChunkBytes of [64, 100_000]) {
    const reading = readCapture(memorySource(file), { limits: { frameBytesMax: 200, readChunkBytes } });
    const rows = await readRows(reading);
    assert.deepEqual(rows.map((row) => row.version), [4, 6]);
    assert.deepEqual([reading.frames, reading.rejected.toJSON()], [3, { 'damaged-file': 1 }]);
    assert.match(reading.problems[0].detail, /too large/);
  }
});

test('a file that ends within a frame that is passed over', async () => {
  const form: PcapForm = { isLittleEndian: true, snapLengthBytes: 10_000 };
  const large = ethernet('0800', concat(packetIPv4, new Uint8Array(3000)));
  const file = pcapFile(form, [frames[0], { seconds: 1, fraction: 2, bytes: large }]).subarray(0, 400);
  const reading = readCapture(memorySource(file), { limits: { frameBytesMax: 200, readChunkBytes: 64 } });
  assert.equal((await readRows(reading)).length, 1);
  assert.deepEqual(reading.problems.map((problem) => problem.code), ['damaged-file', 'cut-file']);
  assert.equal(reading.frames, 2);
});

test('a frame of exactly the limit is read', async () => {
  const file = pcapFile(little, [frames[0]]);
  const exact = readCapture(memorySource(file), { limits: { frameBytesMax: frameIPv4.length } });
  assert.equal((await readRows(exact)).length, 1);
  const below = readCapture(memorySource(file), { limits: { frameBytesMax: frameIPv4.length - 1 } });
  assert.equal((await readRows(below)).length, 0);
});

test('an empty frame is a cut link header', async () => {
  const reading = readCapture(memorySource(pcapFile(little, [{ seconds: 1, fraction: 0, bytes: hex('') }])));
  await readRows(reading);
  assert.deepEqual([reading.frames, reading.rejected.toJSON()], [1, { 'cut-link-header': 1 }]);
});

test('frames without a MAC pair say so', async () => {
  const file = pcapFile({ isLittleEndian: true, linkType: 101 }, [{ seconds: 1, fraction: 0, bytes: packetIPv6 }]);
  const [row] = await readRows(readCapture(memorySource(file)));
  assert.deepEqual([row.version, row.macs, row.packet], [6, '', text6]);
});

test('IPv6 in Ethernet', async () => {
  const file = pcapFile(little, [{ seconds: 1, fraction: 0, bytes: frameIPv6 }]);
  const [row] = await readRows(readCapture(memorySource(file)));
  assert.equal(row.packet, text6);
});
