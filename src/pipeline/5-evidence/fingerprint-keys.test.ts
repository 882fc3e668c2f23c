/** What a flow could say: texts of every family, exact quarters, and no two tokens with one text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { privatePrefix } from '#feature';
import { arbitraryHomeFlow, flowOf, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';
import { describeTokens, quarterBinOf, wholeOctetsOf, type TokenDescription } from './fingerprint-keys.ts';
import { isSoundToken } from './sound-fingerprint.ts';

const describe = (flow: Partial<HomeFlow>): readonly TokenDescription[] =>
  describeTokens(rowsOf([flowOf({ endMs: 1, ...flow })], 1).batch, 0);
const textsOf = (flow: Partial<HomeFlow>): string[] => describe(flow).map(({ text }) => text);

test('a flow says one token of each family', () => {
  assert.deepEqual(describe({ name: 'MQTT.Amazon', port: 8_883, octets: 222, responderOctets: 142 }).map((token) =>
    [token.family, token.text]), [
    ['prefix-octets', 'tcp/8883 198.51.100.0/24 222/142'],
    ['name-octets', 'tcp/8883 MQTT.Amazon 222/142'],
    ['prefix-size', 'tcp/8883 198.51.100.0/24 2^7.75'],
    ['name-size', 'tcp/8883 MQTT.Amazon 2^7.75/2^7.00'],
    ['prefix', 'tcp/8883 198.51.100.0/24'],
    ['accepted', 'tcp/8883 MQTT.Amazon accepted'],
  ]);
  const [exact, , sized] = describe({ destination: [0x2001_0db8, 0xabcd_1234, 1, 2], protocol: 58, port: 0x8000 });
  assert.deepEqual(exact, {
    family: 'prefix-octets', text: 'icmpv6/128.0 2001:db8:abcd::/48 1500/0', protocol: 58, portClass: 0x3_8000,
    prefix: [0x2001_0db8, 0x1_abcd], initiatorSize: 1_500, responderSize: 0,
  });
  assert.equal(sized?.initiatorSize, 42);
  assert.deepEqual(describe({ destination: [0, 0, 0xffff, 0xc0a8_0001] })[4]?.prefix, [privatePrefix, 0]);
});

test('a name that could be taken for something else is quoted', () => {
  const names = ['', '-', 'private', 'a b', '198.51.100.0/24', '"', 'TLS.A-1_b+c'];
  assert.deepEqual(names.map((name) => textsOf({ name })[5]), [
    'tcp/443 - accepted', 'tcp/443 "-" accepted', 'tcp/443 "private" accepted', 'tcp/443 "a b" accepted',
    'tcp/443 "198.51.100.0/24" accepted', String.raw`tcp/443 "\"" accepted`, 'tcp/443 TLS.A-1_b+c accepted',
  ]);
});

test('quarters are exact: of n octets the whole binary logarithm of the fourth power', () => {
  const define = (octets: bigint): number => Math.min(255, (octets ** 4n).toString(2).length - 1);
  const arbitraryOctets = fc.oneof(fc.maxSafeNat(), fc.integer({ min: 0, max: 65_535 }),
    // Beside every bound of a quarter.
    fc.tuple(fc.integer({ min: 0, max: 211 }), fc.integer({ min: -2, max: 2 })).map(([quarter, by]) =>
      Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(2 ** (quarter / 4)) + by))));
  fc.assert(fc.property(arbitraryOctets, (octets) => {
    assert.equal(quarterBinOf(octets), define(BigInt(octets)));
  }), { numRuns: 5_000 });
  assert.deepEqual([0, 1, 2, 2 ** 63, 2 ** 64, 1e300, Infinity].map(quarterBinOf), [0, 0, 4, 252, 255, 255, 255]);
  assert.deepEqual([NaN, -5, 0.5, 7.9].map(wholeOctetsOf), [0, 0, 0, 7]);
});

test('tokens with one text are the same, and sound', () => {
  const arbitraryFlow = fc.record({
    flow: arbitraryHomeFlow({ homes: 1, classifiers: 1, bucketMs: 1, buckets: 1 }),
    name: fc.oneof(fc.constantFrom('', 'private', '-', 'accepted', '1/2'), fc.string({ unit: 'grapheme-ascii' })),
    responderOctets: fc.constantFrom(0, 1, 142),
  }).map(({ flow, ...more }) => ({ ...flow, octets: Math.min(flow.octets, Number.MAX_SAFE_INTEGER), ...more }));
  const known = new Map<string, TokenDescription>();
  fc.assert(fc.property(arbitraryFlow, (flow) => {
    for (const token of describe(flow)) {
      assert.ok(isSoundToken(token), token.text);
      const same = known.get(token.text);
      if (same === undefined) known.set(token.text, token);
      else assert.deepEqual(token, same);
    }
  }), { numRuns: 2_000 });
});
