/** Fingerprints to bytes and back: every family, the size, one way to write, and bytes that are to be refused. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '#base';
import {
  describeTokens, familyParts, formatFingerprintToken, tokenFamilies, type Fingerprint, type FingerprintToken,
} from '#evidence';
import { batchOf, makeFlows } from '../../../test/support/labelled-flows.ts';
import { makeFingerprint } from '../../../test/support/shipped-parts.ts';
import { rootFolder } from '../../../test/support/source-tree.ts';
import { packFingerprint, readFingerprint, writeFingerprint } from './fingerprint-bytes.ts';
import { SectionWriter } from './section-cursor.ts';

const sample = makeFingerprint(40);
const sampleBytes = writeFingerprint(sample);

/** A fingerprint of one token with some parts changed. */
function oneToken(more: Partial<FingerprintToken> = {}): Fingerprint {
  const token = {
    family: 'name-octets', protocol: 6, portClass: 8_883, name: 'MQTT.Amazon', initiatorSize: 222, responderSize: 142,
    weight: 4, recall: 0.5, prevalence: 0.01, ...more,
  } as const;
  return { tokens: [{ ...token, text: formatFingerprintToken(token) }], libraryUnits: 30 };
}

test('what is read is what was written, of every family', () => {
  assert.deepEqual(new Set(sample.tokens.map(({ family }) => family)), new Set(tokenFamilies));
  assert.deepEqual(readFingerprint(sampleBytes), sample);
  const empty = { tokens: [], libraryUnits: 0 };
  assert.deepEqual(readFingerprint(writeFingerprint(empty)), empty);
});

test('a packed fingerprint is the same one at every look', () => {
  const packed = packFingerprint(sample);
  for (let look = 0; look < 2; look++) {
    assert.deepEqual({ tokens: packed.tokens, libraryUnits: packed.libraryUnits }, sample);
  }
  assert.notEqual(packed.tokens, packed.tokens);
});

test('tokens that flows show can be written', () => {
  const batch = batchOf(makeFlows(50, 2));
  const tokens = new Map<string, FingerprintToken>();
  for (let row = 0; row < batch.rowCount; row++) {
    for (const token of describeTokens(batch, row)) {
      tokens.set(token.text, { ...token, weight: 1 / 64, recall: 1, prevalence: 1 });
    }
  }
  const fingerprint = {
    tokens: [...tokens.values()].sort((a, b) => (a.text < b.text ? -1 : 1)), libraryUnits: 1,
  };
  assert.ok(fingerprint.tokens.length > tokenFamilies.length);
  assert.deepEqual(readFingerprint(writeFingerprint(fingerprint)), fingerprint);
});

test('the largest fingerprint stays below 12 kB', (context) => {
  const largest = makeFingerprint(limits.fingerprintTokensMax);
  const bytes = writeFingerprint(largest);
  assert.deepEqual(readFingerprint(bytes), largest);
  assert.ok(bytes.length < 12_000, `${bytes.length} bytes`);
  context.diagnostic(`${bytes.length} bytes`);
});

test('octets of a flow of any size, and weights down to the smallest', () => {
  const odd = oneToken({ initiatorSize: Number.MAX_SAFE_INTEGER, responderSize: 0, weight: 1 / 64 });
  assert.deepEqual(readFingerprint(writeFingerprint(odd)), odd);
});

test('changed bytes are refused with a sentence, or are another fingerprint written the one way', () => {
  let soundCount = 0;
  const edit = fc.record({ at: fc.nat(sampleBytes.length - 1), value: fc.oneof(fc.nat(255), fc.constant(0x80)) });
  fc.assert(fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
    const bytes = sampleBytes.slice();
    for (const { at, value } of edits) bytes[at] = value;
    const read = readFingerprint(bytes);
    if (typeof read === 'string') return assert.match(read, /^\S.*\.$/);
    soundCount++;
    assert.deepEqual(writeFingerprint(read), bytes);
  }), { numRuns: 5_000 });
  assert.ok(soundCount > 0, 'another recall is a fingerprint still');
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    const read = readFingerprint(bytes);
    if (typeof read === 'string') assert.match(read, /^\S.*\.$/);
    else assert.deepEqual(writeFingerprint(read), bytes);
  }), { numRuns: 5_000 });
});

test('every cut is seen, and every byte more', () => {
  for (let length = 0; length < sampleBytes.length; length++) {
    assert.equal(typeof readFingerprint(sampleBytes.subarray(0, length)), 'string', `${length} bytes`);
  }
  assert.equal(readFingerprint(Uint8Array.of(...sampleBytes, 0)), '1 bytes behind the tokens of the fingerprint.');
});

test('each way to be unsound is known', () => {
  const refused = (fingerprint: Fingerprint, sentence: RegExp): void =>
    assert.match(String(readFingerprint(writeFingerprint(fingerprint))), sentence);
  assert.deepEqual(readFingerprint(writeFingerprint(oneToken())), oneToken());
  const noFlow = /^Token 0 of the fingerprint is none that a flow can show\.$/;
  for (const more of [
    { name: 'MQTT\u001b[31m' }, { name: '\u202eMQTT' }, { name: 'M'.repeat(limits.fingerprintNameLengthMax + 1) },
    // A class of port that protocols without ports have, and one that there is not.
    { portClass: 0x2_0800 }, { portClass: 65_537 }, { portClass: 0x4_0000 }, { protocol: 1 },
    { portClass: 2 ** 32 + 443 },
  ]) refused(oneToken(more), noFlow);
  const prefixed = { family: 'prefix', name: undefined, initiatorSize: undefined, responderSize: undefined };
  for (const prefix of [[0x100_0001, 0], [0x0808, 1], [2 ** 32, 0], [0x2001_0db8, 0x2_0000]]) {
    refused(oneToken({ ...prefixed, prefix } as unknown as FingerprintToken), noFlow);
  }
  const quarters = { family: 'name-size', initiatorSize: 256 } as const;
  refused(oneToken(quarters), noFlow);
  const badShare = /^Token 0 of the fingerprint has a weight or share that there cannot be\.$/;
  for (const more of [
    { weight: 0 }, { weight: 16 + 1 / 64 }, { recall: 0 }, { recall: 1.01 }, { recall: NaN }, { recall: -0 },
    { prevalence: 0 }, { prevalence: Infinity },
  ]) refused(oneToken(more), badShare);
  const [first, second] = sample.tokens as [FingerprintToken, FingerprintToken];
  refused({ tokens: [second, first], libraryUnits: 1 }, /order of their texts/);
  refused({ tokens: [first, first], libraryUnits: 1 }, /order of their texts/);
  const many = makeFingerprint(limits.fingerprintTokensMax + 1);
  refused(many, /claims 257 tokens .* 256 tokens are the most\.$/);
});

test('what could be written shorter is refused', () => {
  /** One token by hand. @param names  of the table; the token has the first */
  const byHand = (names: readonly string[], nameIndex: number, libraryUnits: readonly number[]): Uint8Array => {
    const writer = new SectionWriter().count(1);
    for (const byte of libraryUnits) writer.byte(byte);
    writer.count(names.length);
    for (const name of names) writer.text(name);
    return writer.byte(tokenFamilies.indexOf('accepted')).byte(6).count(443).count(nameIndex).count(64).float(0.5)
      .float(0.1).bytes();
  };
  assert.equal(typeof readFingerprint(byHand(['TLS'], 0, [30])), 'object');
  const otherwise = 'The fingerprint is not written as natlens writes it.';
  assert.equal(readFingerprint(byHand(['TLS'], 0, [0x80 | 30, 0])), otherwise);
  assert.match(String(readFingerprint(byHand(['TLS'], 1, [30]))), /a name that is not there/);
  assert.match(String(readFingerprint(byHand(['TLS', 'VNC'], 0, [30]))), /claims 1 tokens with 2 names/);
  assert.match(String(readFingerprint(byHand(['TLS'], 0, [255, 255, 255, 255, 255, 255, 255, 255, 127]))),
    /does not end|beyond/);
});

test('the table of families of the page is that of the code', () => {
  const page = readFileSync(join(rootFolder, 'docs/formats/nlc.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+) \| `([\w-]+)` \| (\w+) \| (\w+) \| (\w+) \|$/gm)]
    .map((row) => row.slice(1));
  assert.deepEqual(rows, tokenFamilies.map((family, i) => {
    const { peer, initiator, responder } = familyParts[family];
    return [String(i), family, peer, initiator, responder];
  }));
});

test('no text has an own place in the bytes', () => {
  const bytes = writeFingerprint(oneToken());
  const [token] = (readFingerprint(bytes) as Fingerprint).tokens;
  assert.equal(token?.text, 'tcp/8883 MQTT.Amazon 222/142');
  assert.ok(!Buffer.from(bytes).includes('tcp/'));
});
