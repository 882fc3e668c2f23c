/** Times in every encoding, against values worked out by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRunDelta, readRunNtp, readRunUptime, microsecondFractionMask, nanosecondFractionMask,
  placeUptime } from './times.ts';
import { join, u32, u64, uint } from './message-samples.ts';

const run = (bytes: Uint8Array, lengthBytes: number, count = 1) =>
  ({ bytes, at: 0, lengthBytes, stride: lengthBytes, count, row: 0 });

test('uptime: before and after the wrap, ahead of the header, shortened, and Unix milliseconds in 8 bytes', () => {
  const clock = { uptimeMs: 500, unixMs: 1_700_000_000_000 };
  const out = new Float64Array(3);
  readRunUptime(run(join(u32(400), u32(0xffff_ffff), u32(650)), 4, 3), out, clock);
  assert.deepEqual([...out], [1_700_000_000_000 - 100, 1_700_000_000_000 - 501, 1_700_000_000_000 + 150]);
  readRunUptime(run(join(uint(400, 3)), 3), out, clock);
  assert.equal(out[0], 1_700_000_000_000 - 100);
  readRunUptime(run(join(u64(1_600_000_000_123), u64(400)), 8, 2), out, clock);
  assert.deepEqual([out[0], out[1]], [1_600_000_000_123, 1_700_000_000_000 - 100]);
});

test('any uptime within 24 days of the header is placed exactly, whatever has wrapped', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: -2_000_000_000,
    max: 2_000_000_000 }),
    (uptimeMs, agoMs) => {
      const flowUptimeMs = (uptimeMs - agoMs) >>> 0;
      assert.equal(placeUptime(flowUptimeMs, { uptimeMs, unixMs: 1e12 }), 1e12 - agoMs);
    }));
});

test('NTP time stamps: RFC 7011 §6.1.9 drops 11 bits, §6.1.10 none; the era after 2036', () => {
  const out = new Float64Array(1);
  // 2023-11-14T22:13:20Z is 1700000000 of Unix, 3908988800 of NTP.
  const bytes = join(u32(3_908_988_800), u32(0x8000_07ff));
  readRunNtp(run(bytes, 8), out, microsecondFractionMask);
  assert.equal(out[0], 1_700_000_000_500);
  readRunNtp(run(bytes, 8), out, nanosecondFractionMask);
  assert.ok((out[0] as number) > 1_700_000_000_500 && (out[0] as number) < 1_700_000_000_500.001);
  readRunNtp(run(join(u32(0), u32(0)), 8), out, nanosecondFractionMask);
  assert.equal(out[0], Date.UTC(2036, 1, 7, 6, 28, 16));
});

test('deltas are microseconds before the export time', () => {
  const out = new Float64Array(1);
  readRunDelta(run(join(u32(1_500_250)), 4), out, 10_000);
  assert.equal(out[0], 8499.75);
});
