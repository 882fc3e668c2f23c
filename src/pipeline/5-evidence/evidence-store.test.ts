/**
 * Evidence flow by flow, in cases that can be worked out by hand, and at every limit. That it is the evidence of the
 * definitions for whatever comes is shown where the definitions are code: src/lab/evaluate/home-evidence.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mappedWord } from '#base';
import { flowOf, rowsOf, type HomeFlow } from '../../../test/support/home-flows.ts';
import { describeUnsoundOptions, evidenceDefaults, type EvidenceClassifier } from './evidence.ts';
import { EvidenceStore } from './evidence-store.ts';

const camera: EvidenceClassifier = { deviceModel: 'webcam.Test.One', classifier: 'c1', stage: 1 };
const plug: EvidenceClassifier = { deviceModel: 'plug.Test.Two', classifier: 'c2', stage: 1 };
/** Windows of five buckets of a second, three late. */
const options = { windowMs: 5_000, bucketMs: 1_000, latenessMs: 3_000 };
const key = { home: 'home', deviceModel: camera.deviceModel, classifier: camera.classifier };

function open(more: ConstructorParameters<typeof EvidenceStore>[0] = {}, classifiers = [camera]): EvidenceStore {
  const store = new EvidenceStore({ ...options, ...more });
  store.setClassifiers(classifiers);
  return store;
}

/** Adds flows of homes named `home`, `home1`, `home2`, … */
function add(store: EvidenceStore, flows: readonly (Partial<HomeFlow> & { endMs: number })[], classifiers = 1): void {
  const { batch, rows } = rowsOf(flows.map(flowOf), classifiers, (home) =>
    store.internHome(home === 0 ? 'home' : `home${home}`));
  store.add(batch, rows);
}

const endsAndScores = (store: EvidenceStore): [number, number][] =>
  store.takeChanges().map(({ windowEndMs, score }) => [windowEndMs, score]);

test('distinct tokens count, repeated flows do not', () => {
  const store = open();
  add(store, [{ endMs: 10_000 }, { endMs: 10_400 }, { endMs: 10_999, octets: 2_047 }]);
  assert.deepEqual(store.evidenceOf(key), {
    home: 'home', deviceModel: 'webcam.Test.One', classifier: 'c1', windowStartMs: 6_000, windowEndMs: 11_000, score: 1,
    tokens: [{ text: 'tcp/443 198.51.100.0/24 2^10', weight: 1, buckets: 1 }],
  });
  add(store, [{ endMs: 11_000 }, { endMs: 11_000, port: 80 }, { endMs: 11_000, octets: 2_048 }]);
  const evidence = store.evidenceOf(key);
  assert.equal(evidence?.score, 3);
  assert.deepEqual(evidence.tokens.map(({ text, buckets }) => [text, buckets]), [
    ['tcp/443 198.51.100.0/24 2^10', 2], ['tcp/443 198.51.100.0/24 2^11', 1], ['tcp/80 198.51.100.0/24 2^10', 1],
  ]);
  assert.ok(Object.isFrozen(evidence) && Object.isFrozen(evidence.tokens) && Object.isFrozen(evidence.tokens[0]));
});

test('a token counts in the windows that hold its bucket, and in no other', () => {
  const store = open();
  add(store, [{ endMs: 10_500 }]);
  assert.equal(store.evidenceOf(key, 10_000), undefined);
  for (const end of [11_000, 12_000, 15_000]) assert.equal(store.evidenceOf(key, end)?.score, 1, `${end}`);
  assert.equal(store.evidenceOf(key, 16_000), undefined);
  assert.equal(store.evidenceOf(key, 11_500), undefined, 'windows end with buckets');
});

test('changes: a window for each bucket with an accepted flow, once', () => {
  const store = open();
  add(store, [{ endMs: 10_000 }, { endMs: 10_001, port: 80 }]);
  assert.deepEqual(store.takeChanges(), [{
    home: 'home', deviceModel: 'webcam.Test.One', classifier: 'c1', windowEndMs: 11_000, score: 2, firstFlowMs: 10_000,
    flowsADay: undefined, flowMs: 10_001,
  }]);
  assert.deepEqual(store.takeChanges(), []);
  add(store, [{ endMs: 10_900 }]);
  assert.deepEqual(store.takeChanges(), [], 'the same token in the same bucket says nothing new');
  add(store, [{ endMs: 12_000 }]);
  assert.deepEqual(endsAndScores(store), [[13_000, 2]], 'seen again: the window is as strong, and ends later');
  add(store, [{ endMs: 13_000, accepted: [false] }]);
  assert.deepEqual(store.takeChanges(), []);
});

test('a late flow strengthens all windows that hold it', () => {
  const store = open();
  add(store, [{ endMs: 10_000 }, { endMs: 12_000, port: 80 }, { endMs: 13_000, port: 81 }]);
  assert.deepEqual(endsAndScores(store), [[11_000, 1], [13_000, 2], [14_000, 3]]);
  add(store, [{ endMs: 11_000, port: 82 }]);
  assert.deepEqual(endsAndScores(store), [[12_000, 2], [13_000, 3], [14_000, 4]]);
  assert.equal(store.evidenceOf(key, 13_000)?.score, 3);
});

test('a flow later than that is counted and is no evidence; lateness is of its own home', () => {
  const store = open();
  add(store, [{ endMs: 13_999 }, { endMs: 10_000, port: 80 }, { endMs: 9_999, port: 81 },
    { endMs: 1_000, port: 82, accepted: [false] }, { endMs: 1_000, home: 1 }]);
  assert.equal(store.evidenceOf(key)?.score, 2);
  const { flows, lateFlows, accepted, lateAccepted } = store.counts();
  assert.deepEqual({ flows, lateFlows, accepted, lateAccepted },
    { flows: 5, lateFlows: 2, accepted: 4, lateAccepted: 1 });
  assert.equal(store.evidenceOf({ ...key, home: 'home1' })?.windowEndMs, 2_000);
});

test('flows that nobody accepts make time go by', () => {
  const store = open();
  add(store, [{ endMs: 10_000 }, { endMs: 14_999, accepted: [false] }]);
  assert.equal(store.evidenceOf(key)?.windowEndMs, 15_000);
  add(store, [{ endMs: 15_000, accepted: [false] }]);
  assert.equal(store.evidenceOf(key), undefined);
  assert.equal(store.evidenceOf(key, 15_000)?.score, 1);
  add(store, [{ endMs: 30_000, accepted: [false] }]);
  store.takeChanges();
  add(store, [{ endMs: 31_000, accepted: [false] }]);
  assert.deepEqual([store.counts().entries, store.counts().tokens], [0, 0], 'what no window can use is given back');
});

test('a batch over a long time loses no window', () => {
  const store = open();
  add(store, Array.from({ length: 40 }, (_, i) => ({ endMs: 10_000 + i * 1_000, port: 80 + i % 3 })));
  const changes = store.takeChanges();
  assert.deepEqual(changes.map(({ windowEndMs }) => windowEndMs),
    Array.from({ length: 40 }, (_, i) => 11_000 + i * 1_000));
  for (const { windowEndMs, score } of changes) assert.equal(store.evidenceOf(key, windowEndMs)?.score, score);
  assert.equal(changes[2]?.score, 3);
  add(store, []);
  assert.equal(store.evidenceOf(key, 11_000), undefined, 'known until flows are added');
});

test('homes and classifiers have evidence of their own', () => {
  const store = open({}, [camera, plug]);
  add(store, [{ endMs: 10_000, accepted: [true, false] }, { endMs: 10_000, port: 80, accepted: [true, true] },
    { endMs: 10_000, home: 1, accepted: [false, true] }], 2);
  const scoreOf = (home: string, { deviceModel, classifier }: EvidenceClassifier): number | undefined =>
    store.evidenceOf({ home, deviceModel, classifier })?.score;
  assert.deepEqual([scoreOf('home', camera), scoreOf('home', plug), scoreOf('home1', camera), scoreOf('home1', plug)],
    [2, 1, undefined, 1]);
  assert.equal(store.counts().entries, 3);
});

test('classifiers of second opinion have evidence, and change nothing', () => {
  const store = open({}, [camera, { ...camera, classifier: 'c3', stage: 2 }]);
  add(store, [{ endMs: 10_000, accepted: [false, true] }, { endMs: 90_000, accepted: [false, true] }], 2);
  assert.deepEqual(store.takeChanges(), []);
  assert.equal(store.evidenceOf({ ...key, classifier: 'c3' })?.score, 1);
});

test('evidence of classifiers that stay is kept in another place, of those gone dropped', () => {
  const store = open({}, [camera, plug]);
  add(store, [{ endMs: 10_000, accepted: [true, true] }, { endMs: 90_000, accepted: [true, true] }], 2);
  const before = JSON.stringify(store.evidenceOf({ ...key, deviceModel: plug.deviceModel, classifier: 'c2' }));
  store.setClassifiers([{ ...camera, classifier: 'newer' }, plug]);
  assert.equal(JSON.stringify(store.evidenceOf({ ...key, deviceModel: plug.deviceModel, classifier: 'c2' })), before);
  assert.equal(store.evidenceOf(key), undefined);
  assert.equal(store.evidenceOf({ ...key, classifier: 'newer' }), undefined);
  assert.deepEqual(store.takeChanges().map(({ deviceModel, windowEndMs }) => [deviceModel, windowEndMs]),
    [[plug.deviceModel, 11_000], [plug.deviceModel, 91_000]]);
  add(store, [{ endMs: 90_000, accepted: [true, false] }], 2);
  assert.equal(store.evidenceOf({ ...key, classifier: 'newer' })?.score, 1);
  assert.throws(() => store.setClassifiers([plug, plug]), /twice/);
});

test('at the limit of tokens the one unseen for longest makes room', () => {
  const store = open({ tokensMax: 2 });
  add(store, [{ endMs: 10_000, port: 80 }, { endMs: 11_000, port: 81 }, { endMs: 12_000, port: 80 },
    { endMs: 12_000, port: 82 }]);
  assert.deepEqual(store.evidenceOf(key)?.tokens.map(({ text }) => text.slice(0, 6)), ['tcp/80', 'tcp/82']);
  assert.equal(store.counts().tokensEvicted, 1);
  assert.equal(store.counts().tokens, 2);
});

test('at the limit of memory a home and classifier get no first token', () => {
  const store = new EvidenceStore(options, { bytesMax: 45 });
  store.setClassifiers([camera]);
  // Twenty bytes each: one word of the chain, three of the token, one of the ring.
  add(store, [{ endMs: 10_000 }, { endMs: 10_000, home: 1 }, { endMs: 10_000, home: 2 }]);
  assert.deepEqual([store.counts().tokens, store.counts().tokensRefused], [2, 1]);
  add(store, [{ endMs: 10_000, port: 80 }]);
  assert.deepEqual([store.counts().tokens, store.counts().tokensEvicted], [2, 1]);
  assert.equal(store.evidenceOf({ ...key, home: 'home2' }), undefined);
});

test('at the limit of homes a further name gets none; a home that is forgotten leaves its place', () => {
  const store = open({ homesMax: 2 });
  assert.deepEqual([store.internHome('a'), store.internHome('b'), store.internHome('a')], [0, 1, 0]);
  assert.equal(store.internHome('c'), EvidenceStore.noHome);
  assert.equal(store.counts().homesRefused, 1);
  const { generation } = store;
  assert.equal(store.forget('a'), true);
  assert.equal(store.forget('a'), false);
  assert.notEqual(store.generation, generation);
  assert.equal(store.internHome('c'), 0);
  assert.deepEqual(store.homes().sort(), ['b', 'c']);
  add(store, [{ endMs: 10_000, home: 7 }]);
  assert.equal(store.counts().flows, 0, 'a flow of no home is none');
});

test('nothing is left of a home that is forgotten', () => {
  const store = open();
  add(store, [{ endMs: 10_000 }, { endMs: 80_000 }, { endMs: 10_000, home: 1 }]);
  store.forget('home');
  assert.deepEqual(store.takeChanges().map(({ home }) => home), ['home1']);
  assert.deepEqual(store.takeDirtyHomes(), ['home1']);
  assert.equal(store.evidenceOf(key), undefined);
  assert.equal(store.snapshot('home'), undefined);
  assert.deepEqual([store.counts().homes, store.counts().entries, store.counts().tokens], [1, 1, 1]);
});

test('homes without flows for long are dropped', () => {
  const store = open();
  add(store, [{ endMs: 10_000 }, { endMs: 20_000, home: 1 }]);
  assert.deepEqual(store.dropIdle(10_999), []);
  assert.deepEqual(store.dropIdle(11_000), ['home']);
  assert.deepEqual(store.homes(), ['home1']);
});

test('homes are dirty when their snapshot changes, not otherwise', () => {
  const store = open();
  add(store, [{ endMs: 10_000 }, { endMs: 10_000, home: 1, accepted: [false] }]);
  assert.deepEqual(store.takeDirtyHomes(), ['home', 'home1']);
  add(store, [{ endMs: 10_500, accepted: [false] }, { endMs: 6_000, home: 1 }, { endMs: NaN, home: 1 }]);
  assert.deepEqual(store.takeDirtyHomes(), ['home'], 'one more flow of the day; what is late or undated is none');
  add(store, [{ endMs: 9_000 }]);
  assert.deepEqual(store.takeDirtyHomes(), ['home']);
  store.markDirty('home1');
  store.markDirty('nobody');
  assert.deepEqual(store.takeDirtyHomes(), ['home1']);
});

test('tokens of each protocol and family have their text', () => {
  const textOf = (flow: Partial<HomeFlow>): string | undefined => {
    const store = open();
    add(store, [{ endMs: 10_000, ...flow }]);
    return store.evidenceOf(key)?.tokens[0]?.text;
  };
  assert.equal(textOf({ protocol: 17, port: 60_000, octets: 0 }), 'udp/dynamic 198.51.100.0/24 2^0');
  assert.equal(textOf({ protocol: 1, port: 0x0800, octets: 84 }), 'icmp/8.0 198.51.100.0/24 2^6');
  assert.equal(textOf({ protocol: 58, port: 0x8000, destination: [0x2001_0db8, 0xabcd_1234, 1, 2] }),
    'icmpv6/128.0 2001:db8:abcd::/48 2^10');
  assert.equal(textOf({ protocol: 47, port: 0, destination: [0, 0, mappedWord, 0xffffff01] }),
    'ip47/0 255.255.255.0/24 2^10');
  assert.equal(textOf({ destination: [0, 0, mappedWord, 0xc0a80101], octets: 2 ** 64 }), 'tcp/443 private 2^63');
  assert.equal(textOf({ destination: [0x0064_ff9b, 0, 0, 0xc6336455] }), 'tcp/443 198.51.100.0/24 2^10');
});

test('options that contradict each other are refused', () => {
  assert.equal(describeUnsoundOptions(evidenceDefaults), undefined);
  const fault = (more: object): string => describeUnsoundOptions({ ...evidenceDefaults, ...more }) ?? '';
  assert.match(fault({ bucketMs: 0.5 }), /whole/);
  assert.match(fault({ bucketMs: 7_000 }), /window/);
  assert.match(fault({ latenessMs: 90_000 }), /lateness/);
  assert.match(fault({ windowMs: 7 * 86_400_000 }), /4096 buckets/);
  assert.match(fault({ tokensMax: 0 }), /one token/);
  assert.throws(() => new EvidenceStore({ bucketMs: 7_000 }), /multiple/);
});

test('a flow whose end is no time is counted, and time does not go by', () => {
  const store = open();
  add(store, [{ endMs: NaN }, { endMs: 1e300 }, { endMs: -Infinity }, { endMs: 10_000 }]);
  const { flows, undatedFlows, lateFlows, accepted, lateAccepted } = store.counts();
  assert.deepEqual({ flows, undatedFlows, lateFlows, accepted, lateAccepted },
    { flows: 4, undatedFlows: 3, lateFlows: 0, accepted: 4, lateAccepted: 3 });
  assert.equal(store.evidenceOf(key)?.windowEndMs, 11_000);
});

test('rows that are not those of the classifiers, or are of no home, are our own bug', () => {
  const store = open();
  assert.throws(() => add(store, [{ endMs: 10_000 }], 2), /other classifiers/);
  const { batch, rows } = rowsOf([flowOf({ endMs: 10_000 })], 1, () => 5);
  assert.throws(() => store.add(batch, rows), /a home that is not there/);
});
