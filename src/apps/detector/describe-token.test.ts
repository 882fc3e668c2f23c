/** Tokens in words: every family of fingerprints, tokens of accepted flows, odd names, what cannot be read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFingerprintToken } from '#evidence';
import { describeToken } from './describe-token.ts';

const minuteMs = 60_000;
const words = (text: string, buckets = 12): string => describeToken({ text, buckets }, minuteMs);
const tcp = { protocol: 6, portClass: 8_883 };
const prefix = [0xcb_0071, 0] as const;

test('the tokens of a fingerprint, family by family, as the matcher writes them', () => {
  const told = [
    formatFingerprintToken({ ...tcp, family: 'prefix-octets', prefix, initiatorSize: 222, responderSize: 1_142 }),
    formatFingerprintToken({ ...tcp, family: 'name-octets', name: 'MQTT.Amazon', initiatorSize: 1, responderSize: 0 }),
    formatFingerprintToken({ ...tcp, family: 'prefix-size', prefix, initiatorSize: 31 }),
    formatFingerprintToken({ ...tcp, family: 'name-size', name: 'TLS', initiatorSize: 31, responderSize: 40 }),
    formatFingerprintToken({ ...tcp, family: 'prefix', prefix }),
    formatFingerprintToken({ ...tcp, family: 'accepted', name: 'Unknown.Example_Cloud' }),
  ].map((text) => words(text));
  assert.deepEqual(told, [
    'servers in the network 203.0.113.0/24 (TCP port 8883): 222 bytes out and 1,142 back, in 12 minutes',
    'servers of Amazon, by MQTT, messages of devices (TCP port 8883): 1 byte out and 0 back, in 12 minutes',
    'servers in the network 203.0.113.0/24 (TCP port 8883): about 215 bytes out, in 12 minutes',
    'servers, by TLS, encrypted (TCP port 8883): about 215 bytes out and 1,024 back, in 12 minutes',
    'servers in the network 203.0.113.0/24 (TCP port 8883), in 12 minutes',
    'servers of Example Cloud (TCP port 8883): flows as its classifier knows them, in 12 minutes',
  ]);
});

test('tokens of accepted flows, ports and protocols of every kind', () => {
  assert.equal(words('udp/53 private 2^6', 1),
    'addresses inside a network (UDP port 53): 64 to 127 bytes out, in 1 minute');
  assert.equal(words('udp/dynamic 2001:db8:7::/48 2^0'),
    'servers in the network 2001:db8:7::/48 (UDP, a changing port): hardly a byte out, in 12 minutes');
  assert.match(words('icmp/8.0 198.51.100.0/24 2^6'), /\(ICMP type 8\.0\)/);
  assert.match(words('ip47/0 198.51.100.0/24 2^6'), /\(protocol 47\)/);
});

test('names that exporters made up do not break a sentence, and what is no token is told as it is', () => {
  assert.match(words('tcp/443 "a \\"b\\".c d" 1/2'), /^servers of c d, by a "b" \(TCP port 443\): 1 byte out/);
  assert.match(words('tcp/443 - 1/2'), /^servers without a name/);
  assert.match(words('tcp/443 Unknown 1/2'), /^servers that nobody knows/);
  assert.equal(words('anything'), 'anything, in 12 minutes');
  assert.match(words('tcp/1 2.2.2.0/24 odd'), /: odd, in 12/);
});

test('buckets that are no minutes', () => {
  assert.match(describeToken({ text: 'tcp/1 a', buckets: 1 }, 30_000), /, once$/);
  assert.match(describeToken({ text: 'tcp/1 a', buckets: 3 }, 30_000), /, in 3 spans of 30 s$/);
});
