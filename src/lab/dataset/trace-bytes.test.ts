/** Traces survive their file bit for bit, in however many row groups; same traces have the same bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DeviceTrace } from '../baseline/device-trace.ts';
import { createTrace, formatTrace, parseTrace } from './trace-bytes.ts';

const word = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constant(0xffff_ffff), fc.nat(3));
const packet = fc.tuple(fc.double({ noNaN: true, min: 0, max: 2e12 }), fc.nat(0xffff), word, word, word);
const traces = fc.array(packet, { minLength: 1, maxLength: 60 }).map((packets): DeviceTrace => ({
  timeMs: Float64Array.from(packets, ([timeMs]) => timeMs), ipId: Uint16Array.from(packets, ([, ipId]) => ipId),
  destination: Uint32Array.from(packets, ([,, code]) => code), name: Uint32Array.from(packets, ([,,, code]) => code),
  flow: Uint32Array.from(packets, ([,,,, row]) => row),
}));

test('there and back, in one row group and in many', async () => {
  await fc.assert(fc.asyncProperty(traces, fc.integer({ min: 1, max: 70 }), async (trace, groupRows) => {
    const bytes = formatTrace(trace, groupRows);
    assert.deepEqual(await parseTrace(bytes), trace);
    assert.deepEqual(formatTrace(trace, groupRows), bytes);
    // Wherever the bytes lie in their buffer.
    const moved = new Uint8Array(bytes.length + 9);
    moved.set(bytes, 5);
    assert.deepEqual(await parseTrace(moved.subarray(5, 5 + bytes.length)), trace);
  }), { numRuns: 60 });
});

test('bytes that are cut or are something else are no trace', async () => {
  const trace = { ...createTrace(3), ipId: Uint16Array.of(1, 2, 3) };
  const bytes = formatTrace(trace);
  for (let length = 0; length < bytes.length; length++) await assert.rejects(parseTrace(bytes.subarray(0, length)));
  await assert.rejects(parseTrace(new Uint8Array(100)));
});
