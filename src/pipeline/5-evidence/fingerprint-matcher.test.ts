/**
 * The matcher against its definition (of the tokens that a flow could say, those of the fingerprint; the heaviest of
 * them), for many fingerprints at once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvariantError, limits } from '#base';
import type { FlowBatch } from '#flow';
import { arbitraryHomeFlow, flowOf, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';
import { describeTokens, type TokenDescription } from './fingerprint-keys.ts';
import { FingerprintMatcher } from './fingerprint-matcher.ts';
import { noToken, tokenFamilies, type Fingerprint, type FingerprintToken } from './fingerprint.ts';

const classifierCount = 3;

const arbitraryFlow = fc.record({
  flow: arbitraryHomeFlow({ homes: 1, classifiers: classifierCount, bucketMs: 1, buckets: 1 }),
  name: fc.constantFrom('', 'TLS.A', 'MQTT'), responderOctets: fc.constantFrom(0, 142),
}).map(({ flow, ...more }) => ({ ...flow, ...more }));
const arbitraryFlows = fc.array(arbitraryFlow, { minLength: 1, maxLength: 20 });

function weigh(token: TokenDescription, weight: number): FingerprintToken {
  return { ...token, weight, recall: 0.5, prevalence: 0.01 };
}

function fingerprintOf(tokens: readonly FingerprintToken[]): Fingerprint {
  const distinct = new Map(tokens.map((token) => [token.text, token]));
  return { tokens: [...distinct.values()].sort((a, b) => (a.text < b.text ? -1 : 1)), libraryUnits: 10 };
}

/** What the row shows, from all that it could say. */
function define(batch: FlowBatch, row: number, isAccepted: boolean, { tokens }: Fingerprint): number {
  let best = noToken;
  // From the most particular family on, so that of equally heavy ones the first stays.
  for (const { text, family } of describeTokens(batch, row)) {
    const index = tokens.findIndex((token) => token.text === text);
    if (index < 0 || (family === 'accepted' && !isAccepted)) continue;
    if (best === noToken || (tokens[index]?.weight ?? 0) > (tokens[best]?.weight ?? 0)) best = index;
  }
  return best;
}

test('every flow shows the token of the definition, of every fingerprint', () => {
  let shownCount = 0;
  const arbitraryPicks = fc.array(fc.record({
    flow: fc.nat({ max: 19 }), family: fc.nat({ max: tokenFamilies.length - 1 }),
    weight: fc.integer({ min: 1, max: 4 }),
  }), { maxLength: 12 });
  const arbitraryAll = fc.array(arbitraryPicks, { maxLength: 2 });
  fc.assert(fc.property(arbitraryFlows, arbitraryFlows, arbitraryAll, (flows, others, picks) => {
    const trained = rowsOf(flows, 0).batch;
    const fingerprints = Array.from({ length: classifierCount }, (_, i) => (picks[i] === undefined ? undefined
      : fingerprintOf(picks[i].map(({ flow, family, weight }) =>
        weigh(describeTokens(trained, flow % flows.length)[family] as TokenDescription, weight)))));
    const matcher = new FingerprintMatcher(fingerprints);
    // Two batches, with dictionaries of their own.
    for (const given of [flows, others, flows]) {
      const { batch, rows } = rowsOf(given, classifierCount);
      const out = fingerprints.map((fingerprint) =>
        (fingerprint === undefined ? undefined : new Uint32Array(batch.capacity).fill(7)));
      matcher.match(batch, rows.isAccepted, out);
      for (const [i, fingerprint] of fingerprints.entries()) {
        if (fingerprint === undefined) continue;
        const expected = given.map((_, row) => define(batch, row, rows.isAccepted[i]?.[row] === 1, fingerprint));
        assert.deepEqual([...out[i]?.subarray(0, given.length) ?? []], expected);
        shownCount += expected.filter((token) => token !== noToken).length;
      }
    }
  }), { numRuns: 500 });
  assert.ok(shownCount > 2_000, `${shownCount} tokens shown`);
});

const flow: HomeFlow = flowOf({ endMs: 1, name: 'TLS.A', accepted: [false] });
const { batch, rows } = rowsOf([flow], 1);
const all = describeTokens(batch, 0);
const shownOf = (tokens: readonly FingerprintToken[], isAccepted = false): string | undefined => {
  const fingerprint = fingerprintOf(tokens);
  const out = new Uint32Array(1);
  new FingerprintMatcher([fingerprint]).match(batch, [Uint8Array.of(isAccepted ? 1 : 0)], [out]);
  return fingerprint.tokens[out[0] as number]?.text;
};

test('of equally heavy tokens the most particular is shown; that of an accepted flow only where it is accepted', () => {
  assert.equal(shownOf(all.map((token) => weigh(token, 2)), true), 'tcp/443 198.51.100.0/24 1500/0');
  assert.equal(shownOf(all.map((token, i) => weigh(token, 1 + i)), true), 'tcp/443 TLS.A accepted');
  assert.equal(shownOf(all.map((token, i) => weigh(token, 1 + i))), 'tcp/443 198.51.100.0/24');
  assert.equal(shownOf([]), undefined);
});

test('names that a growing dictionary brings are found', () => {
  const fingerprint = fingerprintOf([weigh(all[1] as TokenDescription, 1)]);
  const matcher = new FingerprintMatcher([fingerprint]);
  const { batch: growing } = rowsOf([flow], 1);
  const out = new Uint32Array(1);
  const codeOf = (name: string): number => growing.dictionaries.applicationName.encode(name);
  for (let i = 0; i < 300; i++) {
    growing.columns.applicationName[0] = codeOf(`name-${i}`);
    matcher.match(growing, rows.isAccepted, [out]);
    assert.equal(out[0], noToken);
  }
  growing.columns.applicationName[0] = codeOf('TLS.A');
  matcher.match(growing, rows.isAccepted, [out]);
  assert.equal(out[0], 0);
});

test('what is missing, too short or too much is our own bug', () => {
  const fingerprint = fingerprintOf([weigh(all[0] as TokenDescription, 1)]);
  const matcher = new FingerprintMatcher([fingerprint]);
  assert.throws(() => matcher.match(batch, rows.isAccepted, []), InvariantError);
  assert.throws(() => matcher.match(batch, [], [new Uint32Array(1)]), InvariantError);
  assert.throws(() => matcher.match(batch, rows.isAccepted, [undefined]), InvariantError);
  assert.throws(() => matcher.match(batch, rows.isAccepted, [new Uint32Array(0)]), InvariantError);
  assert.throws(() => matcher.match(batch, [new Uint8Array(0)], [new Uint32Array(1)]), InvariantError);
  const tooMany = Array.from({ length: limits.fingerprintTokensMax + 1 }, (_, i) =>
    weigh({ ...all[0] as TokenDescription, text: `${i}`, initiatorSize: i }, 1));
  assert.throws(() => new FingerprintMatcher([fingerprintOf(tooMany)]), InvariantError);
});
