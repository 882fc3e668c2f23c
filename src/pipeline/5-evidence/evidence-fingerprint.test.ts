/** Evidence of classifiers with a fingerprint, by hand: weights, room, restarts, and what must not be mixed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { InvariantError, limits } from '#base';
import { flowOf, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';
import type { EvidenceClassifier } from './evidence.ts';
import { EvidenceStore } from './evidence-store.ts';
import { noToken, type Fingerprint } from './fingerprint.ts';
import { formatFingerprintToken } from './fingerprint-keys.ts';

const options = { windowMs: 5_000, bucketMs: 1_000, latenessMs: 3_000 };
const key = { home: 'home', deviceModel: 'hub.Test.One', classifier: 'c1' };

/** Tokens `tcp/443 - 1/1`, `tcp/443 - 2/2`, … with these weights. */
function fingerprintOf(weights: readonly number[]): Fingerprint {
  const tokens = weights.map((weight, i) => {
    const token = { family: 'name-octets', protocol: 6, portClass: 443, name: '', initiatorSize: i + 1,
      responderSize: i + 1 } as const;
    return { ...token, text: formatFingerprintToken(token), weight, recall: 0.5, prevalence: 0.01 };
  });
  return { tokens, libraryUnits: 10 };
}

const withFingerprint = (weights: readonly number[]): EvidenceClassifier =>
  ({ deviceModel: 'hub.Test.One', classifier: 'c1', stage: 1, fingerprint: fingerprintOf(weights) });
const without: EvidenceClassifier = { deviceModel: 'hub.Test.One', classifier: 'c1', stage: 1 };

function open(classifier: EvidenceClassifier, more: object = {}): EvidenceStore {
  const store = new EvidenceStore({ ...options, ...more });
  store.setClassifiers([classifier]);
  return store;
}

type Shown = Partial<HomeFlow> & { readonly endMs: number; readonly token?: number };

/** Adds flows of the home that show a token, or none. */
function add(store: EvidenceStore, flows: readonly Shown[]): void {
  const { batch, rows } = rowsOf(flows.map(flowOf), 1, () => store.internHome('home'));
  store.add(batch, { ...rows, tokens: [Uint32Array.from(flows, ({ token = noToken }) => token)] });
}

const changesOf = (store: EvidenceStore): [number, number][] =>
  store.takeChanges().map(({ windowEndMs, score }) => [windowEndMs, score]);

test('tokens count once and by their weight; what the classifier accepts is nothing by itself', () => {
  const store = open(withFingerprint([1.5, 0.25, 4]));
  add(store,
    [{ endMs: 10_000, token: 0 }, { endMs: 10_500, token: 0 }, { endMs: 10_600 }, { endMs: 11_000, token: 2 }]);
  assert.deepEqual(changesOf(store), [[11_000, 1.5], [12_000, 5.5]]);
  add(store, [{ endMs: 10_700, token: 1, accepted: [false] }]);
  assert.deepEqual(changesOf(store), [[11_000, 1.75], [12_000, 5.75]]);
  assert.deepEqual(store.evidenceOf(key)?.tokens, [
    { text: 'tcp/443 - 1/1', weight: 1.5, buckets: 1 }, { text: 'tcp/443 - 2/2', weight: 0.25, buckets: 1 },
    { text: 'tcp/443 - 3/3', weight: 4, buckets: 1 },
  ]);
  assert.deepEqual([store.counts().flows, store.counts().accepted], [5, 4]);
});

test('late and undated flows that show a token are missed, and counted', () => {
  const store = open(withFingerprint([1]));
  add(store, [{ endMs: 20_000 }, { endMs: 16_000, token: 0 }, { endMs: NaN, token: 0 }]);
  assert.equal(store.evidenceOf(key), undefined);
  const { lateFlows, undatedFlows, accepted, lateAccepted } = store.counts();
  assert.deepEqual({ lateFlows, undatedFlows, accepted, lateAccepted },
    { lateFlows: 1, undatedFlows: 1, accepted: 2, lateAccepted: 2 });
});

test('all tokens of a fingerprint have room, whatever the limit of others', () => {
  const weights = Array.from({ length: limits.fingerprintTokensMax }, () => 0.5);
  const store = open(withFingerprint(weights), { tokensMax: 2 });
  add(store, weights.map((_, token) => ({ endMs: 10_000, token })));
  assert.equal(store.evidenceOf(key)?.score, 128);
  assert.equal(store.counts().tokensEvicted, 0);
  const restored = open(withFingerprint(weights), { tokensMax: 2 });
  assert.equal(restored.restore('home', store.snapshot('home') as Uint8Array), undefined);
  assert.deepEqual(restored.evidenceOf(key), store.evidenceOf(key));
  const tight = new EvidenceStore(options, { bytesMax: 200 });
  tight.setClassifiers([withFingerprint(weights)]);
  add(tight, weights.map((_, token) => ({ endMs: 10_000, token })));
  assert.ok(tight.counts().tokensEvicted > 200, 'but not beyond the room of all');
});

test('evidence with a fingerprint is none without, and the other way round', () => {
  const learned = open(withFingerprint([1, 1]));
  add(learned, [{ endMs: 10_000, token: 1 }]);
  const plain = open(without);
  add(plain, [{ endMs: 10_000 }]);
  for (const [from, to] of [[learned, without], [plain, withFingerprint([1, 1])]] as const) {
    const other = open(to);
    assert.equal(other.restore('home', from.snapshot('home') as Uint8Array), undefined);
    assert.deepEqual(other.homes(), ['home']);
    assert.equal(other.evidenceOf(key), undefined);
    // The change of the first window has left the ring and waits to be taken.
    add(from, [{ endMs: 60_000, token: 0 }]);
    from.setClassifiers([to]);
    assert.deepEqual([from.evidenceOf(key), from.counts().tokens, from.takeChanges()], [undefined, 0, []]);
  }
});

test('a token that the fingerprint does not have is refused', () => {
  const store = open(withFingerprint([1, 1, 1]));
  add(store, [{ endMs: 10_000, token: 2 }]);
  const bytes = store.snapshot('home') as Uint8Array;
  const other = open(withFingerprint([1, 1]));
  assert.match(other.restore('home', bytes) ?? '', /a token that the fingerprint of its classifier does not have/);
  assert.deepEqual(other.homes(), []);
});

test('bytes with tokens of two kinds, an index beyond every fingerprint, or impossible days are refused', () => {
  const store = open(withFingerprint([1, 1]));
  add(store, [{ endMs: 10_000, token: 0 }, { endMs: 10_000, token: 1 }]);
  const bytes = store.snapshot('home') as Uint8Array;
  const tokenBytes = 4 * (3 + 1);
  const secondAt = bytes.length - tokenBytes;
  const changed = (change: (view: DataView) => void): string => {
    const copy = bytes.slice();
    change(new DataView(copy.buffer));
    copy.set(createHash('sha256').update(copy.subarray(16)).digest().subarray(0, 8), 8);
    return open(withFingerprint([1, 1])).restore('home', copy) ?? '';
  };
  assert.equal(changed(() => {}), '');
  assert.match(changed((view) => view.setUint32(secondAt + 8, 6 << 18 | 443, true)), /of a fingerprint and others/);
  assert.match(changed((view) => view.setUint32(secondAt, limits.fingerprintTokensMax, true)), /no flow makes/);
  assert.match(changed((view) => view.setUint32(secondAt + 4, 1, true)), /no flow makes/);
  const [firstDayAt, countsAt] = [44, 52];
  for (const day of [NaN, -Infinity, Infinity, 0.5, 1, -1]) {
    assert.match(changed((view) => view.setFloat64(firstDayAt, day, true)), /days that had none/, `${day}`);
  }
  for (const count of [NaN, -1, -0, 0, 0.5, Infinity, 2 ** 60]) {
    assert.match(changed((view) => view.setFloat64(countsAt, count, true)), /days that had none/, `${count}`);
  }
  assert.match(changed((view) => view.setFloat64(countsAt + 8, 3, true)), /days that had none/, 'before the first');
});

test('flows a day can be asked for', () => {
  const store = open(withFingerprint([1]));
  const dayMs = 86_400_000;
  add(store, [{ endMs: 0 }, { endMs: dayMs, accepted: [false] }, { endMs: dayMs + 1 }, { endMs: 2 * dayMs + 3_000 }]);
  assert.equal(store.flowsADay('home'), 2);
  assert.equal(store.flowsADay('home', 2 * dayMs + 3_000), undefined, 'the first day');
  assert.equal(store.flowsADay('nobody'), undefined);
  add(store, [{ endMs: 9 * dayMs }]);
  assert.equal(store.flowsADay('home', 2 * dayMs + 4_000), 2);
  store.takeChanges();
  assert.equal(store.flowsADay('home', 2 * dayMs + 4_000), undefined, 'nobody asks any more');
});

test('broken fingerprints and rows are our own bug', () => {
  for (const weight of [0, -1, 1 / 128, NaN]) {
    assert.throws(() => open(withFingerprint([weight])), InvariantError, `${weight}`);
  }
  const tooMany = Array.from({ length: limits.fingerprintTokensMax + 1 }, () => 1);
  assert.throws(() => open(withFingerprint(tooMany)), InvariantError);
  const store = open(withFingerprint([1]));
  assert.throws(() => add(store, [{ endMs: 1, token: 1 }]), InvariantError);
  const { batch, rows } = rowsOf([flowOf({ endMs: 1 })], 1, () => store.internHome('home'));
  assert.throws(() => store.add(batch, rows), InvariantError);
  assert.throws(() => store.add(batch, { ...rows, tokens: [new Uint32Array(0)] }), InvariantError);
});
