/** pcap as written is what our own reader reads: times, bytes and lengths, also of cut frames and of large ones. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openByteSource, readCapture } from './index.ts';
import { encodePcapHeader, PcapChunk } from './pcap-writer.ts';

const frameOf = (bytes: number): Uint8Array => {
  const frame = Uint8Array.from({ length: bytes }, (_, i) => i & 255);
  frame.set([0x08, 0x00, 0x45], 12);
  return frame;
};

test('what is written is read back', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-pcap-writer-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const frames = [
    { timeMicroseconds: 1_700_000_000_123_456, frame: frameOf(60), wireBytes: 60 },
    { timeMicroseconds: 1_700_000_000_999_999, frame: frameOf(100), wireBytes: 1_514 },
    { timeMicroseconds: 1_700_000_001_000_000, frame: frameOf(9_000), wireBytes: 9_000 },
  ];
  const chunk = new PcapChunk(256);
  const parts: Uint8Array[] = [encodePcapHeader()];
  for (const frame of frames) {
    if (chunk.isFull(frame.frame.length)) parts.push(chunk.take().slice());
    chunk.add(frame);
  }
  parts.push(chunk.take().slice());
  assert.equal(parts.length, 3, 'two small frames share a chunk, the large one has its own');
  const path = join(folder, 'written.pcap');
  writeFileSync(path, Buffer.concat(parts));
  const source = await openByteSource(path);
  const reading = readCapture(source);
  const read: { time: number; bytes: Uint8Array }[] = [];
  for await (const batch of reading.batches()) {
    for (let row = 0; row < batch.rowCount; row++) {
      const at = batch.networkOffset[row] as number;
      read.push({ time: batch.timeMicroseconds[row] as number,
        bytes: batch.data.slice(at - 14, at + (batch.networkBytes[row] as number)) });
    }
  }
  await source.close();
  assert.deepEqual(reading.problems, []);
  assert.deepEqual(read, frames.map(({ timeMicroseconds, frame }) => ({ time: timeMicroseconds, bytes: frame })));
  assert.equal(Buffer.concat(parts).readUInt32LE(24 + 76 + 12), 1_514);
});
