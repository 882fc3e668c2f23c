/** Captures are recognised by every magic number in both byte orders, and nothing else is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, numbers, sectionBlock } from './capture-samples.ts';
import { recogniseCapture } from './recognise.ts';

test('pcap: three magic numbers, both byte orders', () => {
  for (const magic of [0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34]) {
    for (const isLittleEndian of [true, false]) {
      assert.equal(recogniseCapture(numbers(isLittleEndian, [4, magic])), 'pcap');
    }
  }
});

test('pcapng: both byte orders, and cut before the byte-order magic', () => {
  assert.equal(recogniseCapture(sectionBlock(true)), 'pcapng');
  assert.equal(recogniseCapture(sectionBlock(false)), 'pcapng');
  assert.equal(recogniseCapture(hex('0a0d0d0a 1c000000')), 'pcapng');
});

test('what is no capture', () => {
  assert.equal(recogniseCapture(hex('')), undefined);
  assert.equal(recogniseCapture(hex('a1b2c3')), undefined);
  assert.equal(recogniseCapture(hex('0a0d0d0a 1c000000 00000000')), undefined);
  assert.equal(recogniseCapture(new TextEncoder().encode('#separator \\x09\n')), undefined);
  assert.equal(recogniseCapture(hex('a1b2c3d5 00000000 00000000')), undefined);
});

test('a head that is a part of a larger buffer', () => {
  assert.equal(recogniseCapture(hex('ffff d4c3b2a1').subarray(2)), 'pcap');
});
