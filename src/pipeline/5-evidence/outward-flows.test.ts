/** Which flows are a home's outward ones, by tables of addresses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressWords, parseAddress, parsePrefix, type Prefix } from '#base';
import { createFlowBatch } from '#flow';
import { isOutward } from './outward-flows.ts';

function judge(source: string, destination: string, inside: readonly string[] = []): boolean {
  const batch = createFlowBatch(2);
  batch.rowCount = 2;
  // The second row: what is at the first must not matter.
  batch.columns.sourceAddress.set(parseAddress(source) ?? [], addressWords);
  batch.columns.destinationAddress.set(parseAddress(destination) ?? [], addressWords);
  return isOutward(batch, 1, inside.map((text) => parsePrefix(text) as Prefix));
}

const withoutPrefixes: readonly (readonly [string, string, boolean])[] = [
  ['192.168.1.7', '198.51.100.4', true],
  ['10.0.0.7', '8.8.8.8', true],
  ['100.64.3.1', '8.8.8.8', true],
  ['fd12::7', '2001:db8::1', true],
  ['192.168.1.7', '192.168.1.1', false],
  ['192.168.1.7', '10.1.2.3', false],
  ['192.168.1.7', '239.255.255.250', false],
  ['192.168.1.7', '255.255.255.255', false],
  ['fe80::7', 'ff02::fb', false],
  ['8.8.8.8', '192.168.1.7', false],
  // Outside a NAT, or a home with global addresses: the initiator's side.
  ['203.0.113.7', '198.51.100.4', true],
  ['2001:db8:7::1', '2001:db8:8::1', true],
  // What is no host's address sends nothing out of a home.
  ['0.0.0.0', '198.51.100.4', false],
  ['169.254.3.3', '198.51.100.4', false],
  ['fe80::7', '2001:db8::1', false],
  ['127.0.0.1', '198.51.100.4', false],
  ['::1', '2001:db8::1', false],
  ['224.0.0.1', '198.51.100.4', false],
];

test('without prefixes, from one host to one that the Internet routes', () => {
  for (const [source, destination, isOut] of withoutPrefixes) {
    assert.equal(judge(source, destination), isOut, `${source} → ${destination}`);
  }
});

const inside = ['203.0.113.0/24', '2001:db8:7::/48'];
const withPrefixes: readonly (readonly [string, string, boolean])[] = [
  ['203.0.113.7', '198.51.100.4', true],
  ['2001:db8:7::1', '2001:db8:8::1', true],
  ['203.0.113.7', '203.0.113.8', false],
  ['198.51.100.4', '203.0.113.7', false],
  ['192.168.1.7', '198.51.100.4', false],
  // A server of the provider's own, in a private network that is not the homes'.
  ['203.0.113.7', '10.0.0.53', true],
  ['203.0.113.7', '239.255.255.250', false],
  ['203.0.113.7', '169.254.1.1', false],
];

test('with prefixes, from within them to a host that is not', () => {
  for (const [source, destination, isOut] of withPrefixes) {
    assert.equal(judge(source, destination, inside), isOut, `${source} → ${destination}`);
  }
});
