/** Captures in every format, read back field by field. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatorError } from '#base';
import { encodeCapture, writeCapture, type CaptureFormat, type TimedFrame } from './pcap-writer.ts';

const packets: readonly TimedFrame[] = Array.from({ length: 700 }, (_, i) => ({
  timeMicroseconds: 1_767_571_200_999_000 + i * 777,
  frame: Uint8Array.from({ length: 42 + i }, (_byte, at) => (at * 7 + i) & 255),
}));

function encode(format: CaptureFormat): DataView {
  const joined = Buffer.concat([...encodeCapture(packets, format)]);
  return new DataView(joined.buffer, joined.byteOffset, joined.byteLength);
}

function sliceOf(view: DataView, at: number, lengthBytes: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, lengthBytes);
}

for (const resolution of ['microseconds', 'nanoseconds'] as const) {
  for (const byteOrder of ['little', 'big'] as const) {
    test(`pcap with ${resolution}, ${byteOrder} endian`, () => {
      const view = encode({ kind: 'pcap', resolution, byteOrder });
      const isLittle = byteOrder === 'little';
      assert.equal(view.getUint32(0, isLittle), resolution === 'microseconds' ? 0xa1b2c3d4 : 0xa1b23c4d);
      assert.equal(view.getUint32(20, isLittle), 1);
      let at = 24;
      for (const { timeMicroseconds, frame } of packets) {
        const part = view.getUint32(at + 4, isLittle) / (resolution === 'microseconds' ? 1 : 1000);
        assert.equal(view.getUint32(at, isLittle) * 1e6 + part, timeMicroseconds);
        assert.equal(view.getUint32(at + 8, isLittle), frame.length);
        assert.equal(view.getUint32(at + 12, isLittle), frame.length);
        assert.deepEqual(sliceOf(view, at + 16, frame.length), frame);
        at += 16 + frame.length;
      }
      assert.equal(at, view.byteLength);
    });
  }
}

test('pcapng', () => {
  const view = encode({ kind: 'pcapng' });
  let at = view.getUint32(4, true);
  at += view.getUint32(at + 4, true);
  for (const { timeMicroseconds, frame } of packets) {
    const blockBytes = view.getUint32(at + 4, true);
    assert.equal(view.getUint32(at, true), 6);
    assert.equal(view.getUint32(at + 12, true) * 2 ** 32 + view.getUint32(at + 16, true), timeMicroseconds);
    assert.deepEqual(sliceOf(view, at + 28, view.getUint32(at + 20, true)), frame);
    assert.equal(view.getUint32(at + blockBytes - 4, true), blockBytes);
    assert.equal(blockBytes % 4, 0);
    at += blockBytes;
  }
  assert.equal(at, view.byteLength);
});

test('a file holds the encoded bytes; a path that cannot be written is said in one sentence', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-'));
  try {
    const path = join(folder, 'x.pcap');
    const written = await writeCapture(path, packets, { kind: 'pcap' });
    const view = encode({ kind: 'pcap' });
    assert.deepEqual(written, { packets: packets.length, fileBytes: view.byteLength });
    assert.ok(readFileSync(path).equals(Buffer.from(view.buffer, view.byteOffset, view.byteLength)));
    await assert.rejects(writeCapture(join(folder, 'none', 'x.pcap'), packets, { kind: 'pcap' }), OperatorError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
