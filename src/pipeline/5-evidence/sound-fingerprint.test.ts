/** Sound fingerprints: what flows show is sound, but for names unfit for a terminal; all else is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits, mappedWord } from '#base';
import { batchOf, makeFlows } from '../../../test/support/labelled-flows.ts';
import { makeFingerprint } from '../../../test/support/shipped-parts.ts';
import { describeTokens, formatFingerprintToken } from './fingerprint-keys.ts';
import type { FingerprintToken } from './fingerprint.ts';
import {
  describeUnsoundFingerprint, familyParts, isSoundToken, tokenWeightMax, weightsPerNat,
} from './sound-fingerprint.ts';

test('every token that a flow shows is sound, unless its name is unfit to be shown', () => {
  const batch = batchOf(makeFlows(1, 1));
  const { columns, dictionaries } = batch;
  const word = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(fc.property(fc.record({
    name: fc.string({ unit: 'grapheme', maxLength: 40 }), address: fc.array(word, { minLength: 4, maxLength: 4 }),
    isIPv4: fc.boolean(), protocol: fc.oneof(fc.nat(255), fc.constantFrom(1, 58)), port: fc.nat(65_535),
    type: fc.nat(65_535),
    octets: fc.oneof(fc.nat(5_000), fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true })),
  }), ({ name, address, isIPv4, protocol, port, type, octets }) => {
    columns.destinationAddress.set(isIPv4 ? [0, 0, mappedWord, address[3] as number] : address);
    columns.protocolIdentifier[0] = protocol;
    columns.destinationTransportPort[0] = port;
    columns.icmpTypeCodeIPv4[0] = type;
    columns.icmpTypeCodeIPv6[0] = type;
    columns.initiatorOctets[0] = octets;
    columns.responderOctets[0] = octets / 2;
    columns.applicationName[0] = dictionaries.applicationName.encode(name);
    const isShown = !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name);
    for (const token of describeTokens(batch, 0)) {
      assert.equal(isSoundToken(token), isShown || token.name === undefined, JSON.stringify(token));
    }
  }), { numRuns: 2_000 });
});

const weighed = { weight: 1, recall: 0.5, prevalence: 0.1 };

/** A sound token with some parts changed, and the text that fits them. */
function tokenWith(more: object): FingerprintToken {
  const token = {
    family: 'name-octets', protocol: 6, portClass: 443, name: 'TLS', initiatorSize: 100, responderSize: 200, ...more,
  } as unknown as FingerprintToken;
  return { ...weighed, ...token, text: formatFingerprintToken(token) };
}

test('parts of another family, or missing ones, are seen', () => {
  assert.ok(isSoundToken(tokenWith({})));
  for (const more of [
    { name: undefined }, { prefix: [1, 0] }, { initiatorSize: undefined }, { responderSize: -1 },
    { initiatorSize: 0.5 }, { family: 'name-size', initiatorSize: 256 }, { family: 'accepted' },
    { family: 'prefix-octets' }, { protocol: 256 }, { portClass: 443.5 },
    { name: 'T'.repeat(limits.fingerprintNameLengthMax + 1) }, { name: '\u{d800}' },
  ]) assert.ok(!isSoundToken(tokenWith(more)), JSON.stringify(more));
  assert.ok(!isSoundToken({ ...tokenWith({}), text: 'tcp/443 TLS 100/201' }), 'a text of something else');
});

test('every family has a peer, and sizes as its name says', () => {
  for (const [family, { peer, initiator }] of Object.entries(familyParts)) {
    assert.equal(peer === 'prefix', family.startsWith('prefix'), family);
    assert.equal(initiator === 'octets', family.endsWith('octets'), family);
    assert.equal(initiator === 'quarters', family.endsWith('size'), family);
  }
});

test('a fingerprint is sound in one order, up to its limit', () => {
  const { tokens } = makeFingerprint(limits.fingerprintTokensMax + 1);
  const faultOf = (some: readonly FingerprintToken[], libraryUnits = 3): string | undefined =>
    describeUnsoundFingerprint({ tokens: some, libraryUnits });
  assert.equal(faultOf(tokens.slice(1)), undefined);
  assert.equal(faultOf([]), undefined, 'one of which nothing is known is never present, and says so');
  assert.match(String(faultOf(tokens)), /257 tokens; 256 are the most/);
  assert.match(String(faultOf(tokens.slice(1).reverse())), /order of their texts/);
  assert.match(String(faultOf([], 0.5)), /how many units/);
  for (const more of [
    { weight: 0 }, { weight: 1 / weightsPerNat / 2 }, { weight: tokenWeightMax + 1 }, { weight: NaN }, { recall: 0 },
    { prevalence: 1.5 },
  ]) assert.match(String(faultOf([{ ...tokenWith({}), ...more }])), /weight or share/);
});
