/**
 * Evidence as bytes: what is written is read back, to the same evidence and the same bytes; whatever else comes is
 * refused with a sentence, with a fitting digest or without.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { dynamicPort, icmpBase, privatePrefix } from '#feature';
import { arbitraryHomeFlow, arriveLate, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';
import { readEvidence, writeEvidence } from './evidence-bytes.ts';
import { EvidenceStore } from './evidence-store.ts';
import type { EvidenceClassifier } from './evidence.ts';

const classifiers: readonly EvidenceClassifier[] = [
  { deviceModel: 'webcam.Test.One', classifier: 'c1', stage: 1 },
  { deviceModel: 'webcam.Test.One', classifier: 'c0', stage: 2 },
  { deviceModel: 'plug.Tést.Two', classifier: 'c2', stage: 1 },
];
/** 37 buckets: a ring of two words, the second with spare bits. */
const options = { windowMs: 30_000, bucketMs: 1_000, latenessMs: 7_000 };
const flows = fc.array(arbitraryHomeFlow({ homes: 1, classifiers: 3, bucketMs: 1_000, buckets: 60 }),
  { maxLength: 60, size: 'max' });
const manyFlows = fc.sample(flows, { numRuns: 30, seed: 5 }).flat().sort((a, b) => a.endMs - b.endMs);

function storeOf(given: readonly HomeFlow[], list = classifiers): EvidenceStore {
  const store = new EvidenceStore(options);
  store.setClassifiers(list);
  const { batch, rows } = rowsOf(given, 3, () => store.internHome('home'));
  store.internHome('home');
  if (list === classifiers) store.add(batch, rows);
  return store;
}

const snapshotOf = (store: EvidenceStore): Uint8Array => {
  const bytes = store.snapshot('home');
  assert.ok(bytes !== undefined);
  return bytes;
};

/** All windows that a late flow could still change, and some after them. */
const evidenceOf = (store: EvidenceStore): string => JSON.stringify(classifiers.flatMap((classifier) => {
  const keyed = { home: 'home', ...classifier };
  const end = store.evidenceOf(keyed)?.windowEndMs;
  return [store.evidenceOf(keyed), ...end === undefined ? [] : Array.from({ length: 15 }, (_, i) =>
    store.evidenceOf(keyed, end + (i - 7) * options.bucketMs))];
}));

test('a restored home has the same evidence, to the byte, and makes the same bytes again', () => {
  fc.assert(fc.property(flows, (given) => {
    const store = storeOf(given);
    const bytes = snapshotOf(store);
    const restored = storeOf([], [...classifiers].reverse());
    assert.equal(restored.restore('home', bytes), undefined);
    assert.equal(evidenceOf(restored), evidenceOf(store));
    assert.deepEqual(snapshotOf(restored), bytes);
    assert.deepEqual(restored.takeChanges(), []);
  }));
});

test('a restored home goes on as if nothing had happened', () => {
  fc.assert(fc.property(flows, flows, (before, after) => {
    const whole = storeOf(before);
    const restored = storeOf([]);
    restored.restore('home', snapshotOf(whole));
    for (const store of [whole, restored]) {
      store.takeChanges();
      const { batch, rows } = rowsOf(after, 3, () => store.internHome('home'));
      store.add(batch, rows);
    }
    assert.deepEqual(restored.takeChanges(), whole.takeChanges());
    assert.equal(evidenceOf(restored), evidenceOf(whole));
    assert.deepEqual(snapshotOf(restored), snapshotOf(whole));
  }));
});

test('the same flows in another order make the same bytes', () => {
  const delays = fc.array(fc.nat({ max: 10 }).map((tenths) => tenths / 10),
    { minLength: 1, maxLength: 60, size: 'max' });
  fc.assert(fc.property(flows, delays, (given, late) => {
    const inOrder = [...given].sort((a, b) => a.endMs - b.endMs);
    assert.deepEqual(snapshotOf(storeOf(arriveLate(inOrder, late, options.latenessMs))),
      snapshotOf(storeOf(inOrder)));
  }));
});

test('evidence of classifiers that are not there is left out', () => {
  const store = storeOf(manyFlows);
  const other = storeOf([], classifiers.slice(2));
  assert.equal(other.restore('home', snapshotOf(store)), undefined);
  const plug = { home: 'home', ...classifiers[2] as EvidenceClassifier };
  assert.deepEqual(other.evidenceOf(plug), store.evidenceOf(plug));
  assert.equal(other.counts().entries, 1);
});

test('restoring replaces what is there, and needs room', () => {
  const store = storeOf(manyFlows);
  const few = storeOf(manyFlows.slice(0, 3));
  assert.equal(store.restore('home', snapshotOf(few)), undefined);
  assert.deepEqual(snapshotOf(store), snapshotOf(few));
  const full = new EvidenceStore({ ...options, homesMax: 1 });
  full.internHome('other');
  assert.match(full.restore('home', snapshotOf(store)) ?? '', /1 homes already/);
});

/** A snapshot with much in it. */
const sample = snapshotOf(storeOf(manyFlows));

function withDigest(bytes: Uint8Array): Uint8Array {
  bytes.set(createHash('sha256').update(bytes.subarray(16)).digest().subarray(0, 8), 8);
  return bytes;
}

function refusal(bytes: Uint8Array, more: object = {}): string {
  const store = new EvidenceStore({ ...options, ...more });
  store.setClassifiers(classifiers);
  const sentence = store.restore('home', bytes) ?? '';
  assert.deepEqual(store.homes(), sentence === '' ? ['home'] : [], 'nothing changes when it is refused');
  return sentence;
}

test('what is cut, damaged, of another version or of other options is refused', () => {
  assert.equal(refusal(sample), '');
  assert.match(refusal(new Uint8Array()), /ends within its header/);
  assert.match(refusal(new Uint8Array(52)), /no evidence/);
  assert.match(refusal(Uint8Array.from(sample, (byte, i) => (i === 4 ? 1 : byte))), /version 1/);
  assert.match(refusal(withDigest(sample.slice(0, 60))), /ends within its header/);
  assert.match(refusal(Uint8Array.from(sample, (byte, i) => (i === 100 ? byte ^ 1 : byte))), /damaged/);
  assert.match(refusal(withDigest(sample.slice(0, -4))), /ends within an entry/);
  assert.match(refusal(withDigest(Uint8Array.of(...sample, 0, 0))), /hold all of it/);
  assert.match(refusal(sample, { windowMs: 31_000, latenessMs: 6_000 }), /another window/);
  assert.match(refusal(sample, { tokensMax: 3 }), /1 to 3 there may be/);
});

/** Key of `tcp/443 198.51.100.0/24 2^10`, and a ring with the latest bucket. */
const soundToken = [0xc6_3364, 10 << 17, 6 << 18 | 443, 1, 0];
const unsound: readonly (readonly [string, readonly (readonly number[])[], RegExp])[] = [
  ['a token twice', [soundToken, soundToken], /tokens of the evidence do not ascend/],
  ['no token', [], /claims 0 tokens/],
  ['a token that was never seen', [[...soundToken.slice(0, 3), 0, 0]], /no flow makes/],
  ['a bucket beyond window and lateness', [[...soundToken.slice(0, 4), 1 << 5]], /no flow makes/],
  ['a prefix that is none', [[privatePrefix + 1, ...soundToken.slice(1)]], /no flow makes/],
  ['IPv4 with more bits', [[0xc6_3364, 10 << 17 | 1, ...soundToken.slice(2)]], /no flow makes/],
  ['a larger size than there is', [[0xc6_3364, 64 << 17, ...soundToken.slice(2)]], /no flow makes/],
  ['a protocol that is none', [[0xc6_3364, 10 << 17, 256 << 18 | 443, 1, 0]], /no flow makes/],
  ['a port class that is none', [[0xc6_3364, 10 << 17, 6 << 18 | dynamicPort + 1, 1, 0]], /no flow makes/],
  ['ICMP of TCP', [[0xc6_3364, 10 << 17, 6 << 18 | icmpBase, 1, 0]], /no flow makes/],
  ['ICMP of ICMPv6', [[0xc6_3364, 10 << 17, 58 << 18 | icmpBase, 1, 0]], /no flow makes/],
  ['a port of ICMP', [[0xc6_3364, 10 << 17, 1 << 18 | 443, 1, 0]], /no flow makes/],
];

test('what no flow makes is refused though its digest fits', () => {
  const whole = { ...options, homesMax: 1, tokensMax: 128 };
  const bytesOf = (tokens: readonly (readonly number[])[], more: object = {}, copies = 1, latestBucket = 5) => {
    const entry = { deviceModel: 'webcam.Test.One', classifier: 'c1',
      tokens: tokens.map((words) => Uint32Array.from(words)), ...more };
    const days = { firstDay: 0, counts: [1, 0, 0] };
    return writeEvidence({ latestBucket, days, entries: Array.from({ length: copies }, () => entry) }, whole);
  };
  assert.equal(refusal(bytesOf([soundToken])), '');
  for (const [what, tokens, sentence] of unsound) assert.match(refusal(bytesOf(tokens)), sentence, what);
  assert.match(refusal(bytesOf([soundToken], {}, 2)), /entries of the evidence do not ascend/);
  assert.match(refusal(bytesOf([soundToken], { classifier: '' })), /no name/);
  assert.match(refusal(bytesOf([soundToken], {}, 1, -Infinity)), /claims 1 classifiers/);
  assert.match(refusal(bytesOf([soundToken], {}, 1, 0.5)), /no time/);
});

test('fuzz: changed bytes are refused, or are what evidence that there could be is written as', () => {
  const change = fc.tuple(fc.nat({ max: sample.length - 1 }), fc.nat({ max: 255 }));
  let refusedCount = 0;
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean(), (changes, isDigested) => {
    const bytes = sample.slice();
    for (const [at, byte] of changes) bytes[at] = byte;
    if (isDigested) withDigest(bytes);
    const whole = { ...options, homesMax: 1, tokensMax: 128 };
    const parts = readEvidence(bytes, whole);
    if (typeof parts === 'string') {
      refusedCount++;
      assert.match(refusal(bytes), /^[A-Z].*\.$/);
    } else {
      assert.deepEqual(writeEvidence(parts, whole), bytes);
      assert.equal(refusal(bytes), '');
    }
  }), { numRuns: 2_000 });
  assert.ok(refusedCount > 1_000, `${refusedCount} refused`);
});

test('fuzz: bytes that are anything at all are refused', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (tail, isHeaded) => {
    const bytes = isHeaded ? withDigest(Uint8Array.of(...sample.subarray(0, 40), ...tail)) : tail;
    const parts = readEvidence(bytes, { ...options, homesMax: 1, tokensMax: 128 });
    if (typeof parts !== 'string') assert.equal(parts.entries.length, 0);
  }));
});
