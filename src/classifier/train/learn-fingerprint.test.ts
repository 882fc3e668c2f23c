/** Fingerprints of made-up flows: recall, what does not last, prevalence, the cap, rotating clouds, any order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import {
  describeUnsoundFingerprint, FingerprintMatcher, noToken, tokenFamilies, type Fingerprint, type FingerprintToken,
} from '#evidence';
import { createDictionaries, type FlowBatch } from '#flow';
import { batchOfTokenFlows, type TokenFlow } from '../../../test/support/token-flows.ts';
import { createLibraryUnit, type LibraryUnit } from './background-library.ts';
import { learnFingerprint } from './learn-fingerprint.ts';
import type { OwnFlows } from './unit-flows.ts';

const hours = (count: number, flow: (hour: number) => Partial<TokenFlow> = () => ({})): TokenFlow[] =>
  Array.from({ length: count }, (_, hour) => ({ hour, ...flow(hour) }));

const dictionaries = createDictionaries();
const batchesOf = (flows: readonly TokenFlow[]): FlowBatch[] =>
  (flows.length === 0 ? [] : [batchOfTokenFlows(flows, dictionaries)]);
const ownOf = (training: readonly TokenFlow[], validation: readonly TokenFlow[] = []): OwnFlows =>
  ({ training: batchesOf(training), validation: batchesOf(validation) });

function unitOf(device: string, flows: readonly TokenFlow[]): LibraryUnit {
  const deviceModel = 'tv.Other.Two';
  const batch = batchOfTokenFlows(flows.map((flow) => ({ ...flow, device, deviceModel })), dictionaries);
  return createLibraryUnit({ device, deviceModel, flows: [batch] });
}

/** Units that do something else altogether. */
const strangers = (count: number): LibraryUnit[] => Array.from({ length: count }, (_, i) =>
  unitOf(`tv-${i}`, hours(4, () =>
    ({ to: '203.0.113.9', port: 443, name: 'TLS.Video', octets: [9_000 + i, 80_000] }))));

const textsOf = ({ tokens }: Fingerprint): string[] => tokens.map(({ text }) => text);
const find = ({ tokens }: Fingerprint, text: string): FingerprintToken | undefined =>
  tokens.find((token) => token.text === text);
const assertClose = (value: number | undefined, expected: number): void =>
  assert.ok(value !== undefined && Math.abs(value - expected) < 1e-12, `${String(value)} is not ${expected}`);

test('a fingerprint has a token of each family that is learned and does not ask the classifier, and is sound', () => {
  const fingerprint = learnFingerprint(ownOf(hours(10), hours(3)), strangers(3));
  assert.deepEqual(textsOf(fingerprint), [
    'tcp/8883 198.51.100.0/24', 'tcp/8883 198.51.100.0/24 222/142', 'tcp/8883 198.51.100.0/24 2^7.75',
    'tcp/8883 MQTT.Cloud 222/142',
  ]);
  const all = learnFingerprint(ownOf(hours(10), hours(3)), strangers(3), undefined, { families: tokenFamilies });
  assert.deepEqual(textsOf(all), [...textsOf(fingerprint), 'tcp/8883 MQTT.Cloud 2^7.75/2^7.00']);
  assert.equal(fingerprint.libraryUnits, 3);
  assert.equal(describeUnsoundFingerprint(fingerprint), undefined);
});

test('recall is the share of hours with flows, not of flows nor of the time that went by', () => {
  // Ten hours with flows in a hundred; in the tenth of them ever so many of the odd ones, in the first one of them.
  const usual = hours(10, (hour) => ({ hour: 10 * hour }));
  const odd = { port: 9_999, octets: [60, 60] as const };
  const many = Array.from({ length: 50 }, (_, minute) => ({ hour: 90, minute, ...odd }));
  const fingerprint = learnFingerprint(ownOf([...usual, ...many, { hour: 0, ...odd }]), strangers(3));
  assertClose(find(fingerprint, 'tcp/8883 MQTT.Cloud 222/142')?.recall, 1);
  assertClose(find(fingerprint, 'tcp/9999 MQTT.Cloud 60/60')?.recall, 0.2);
  // Seen in one hour only, however often: left out.
  const once = learnFingerprint(ownOf([...usual, ...many]), strangers(3));
  assert.equal(find(once, 'tcp/9999 MQTT.Cloud 60/60'), undefined);
  // In two hours of a hundred and one: less than a fiftieth.
  const rare = learnFingerprint(ownOf([...hours(101), ...many, { hour: 0, ...odd }]), strangers(3));
  assert.equal(find(rare, 'tcp/9999 MQTT.Cloud 60/60'), undefined);
});

test('an hour of one unit is another than the same hour of a second unit', () => {
  const second = hours(10, () => ({ device: 'unit-2', octets: [500, 500] }));
  const fingerprint = learnFingerprint(ownOf([...hours(10), ...second]), strangers(3));
  assertClose(find(fingerprint, 'tcp/8883 MQTT.Cloud 222/142')?.recall, 0.5);
  assertClose(find(fingerprint, 'tcp/8883 198.51.100.0/24')?.recall, 1);
});

test('what does not last is left out, once there are five validation hours', () => {
  const gone = hours(10, () => ({ octets: [70, 70] }));
  const half = hours(10, (hour) => (hour % 2 === 0 ? { octets: [80, 80] } : { octets: [81, 81] }));
  const later = (count: number): TokenFlow[] =>
    hours(count, (hour) => ({ hour: 20 + hour, octets: hour === 0 ? [80, 80] : [222, 142] }));
  const fingerprint = learnFingerprint(ownOf([...hours(10), ...gone, ...half], later(5)), strangers(3));
  assert.equal(find(fingerprint, 'tcp/8883 MQTT.Cloud 70/70'), undefined);
  assertClose(find(fingerprint, 'tcp/8883 MQTT.Cloud 80/80')?.recall, 0.2);
  assertClose(find(fingerprint, 'tcp/8883 MQTT.Cloud 222/142')?.recall, 0.8);
  // Four hours say nothing.
  const unsure = learnFingerprint(ownOf([...hours(10), ...gone], later(4)), strangers(3));
  assertClose(find(unsure, 'tcp/8883 MQTT.Cloud 70/70')?.recall, 1);
});

test('prevalence counts units by the share of their hours, and the weight is its logarithm', () => {
  const shows = unitOf('tv-a', hours(4));
  const showsHalf = unitOf('tv-b', hours(4, (hour) => (hour < 2 ? {} : { port: 443 })));
  const library = [...strangers(17), shows, showsHalf];
  const fingerprint = learnFingerprint(ownOf(hours(10)), library);
  const token = find(fingerprint, 'tcp/8883 MQTT.Cloud 222/142');
  assertClose(token?.prevalence, (1 + 0.5 + 0.5) / 20);
  assert.equal(token?.weight, Math.floor(64 * Math.log(10)) / 64);
  // A thousand flows of one unit are one unit.
  const busy = unitOf('tv-a', Array.from({ length: 1_000 }, (_, i) => ({ hour: i % 4, minute: i % 60 })));
  assert.deepEqual(learnFingerprint(ownOf(hours(10)), [...strangers(17), busy, showsHalf]), fingerprint);
});

test('what others show nearly as often is left out', () => {
  // In two of ten hours of the device model, and among one in six of the units: ln 1.2 is below 0.3.
  const sometimes = hours(10, (hour) => (hour < 2 ? {} : { to: '192.0.2.1', port: 443, name: 'TLS.X' }));
  const library = [...strangers(4), unitOf('tv-a', hours(2, (hour) => (hour === 0 ? {} : { port: 443 })))];
  const fingerprint = learnFingerprint(ownOf(sometimes), library);
  assert.equal(find(fingerprint, 'tcp/8883 MQTT.Cloud 222/142'), undefined);
  assert.ok(find(fingerprint, 'tcp/443 TLS.X 222/142') !== undefined);
  // Common to all: nothing.
  const common = Array.from({ length: 5 }, (_, i) => unitOf(`tv-${i}`, hours(4)));
  assert.deepEqual(learnFingerprint(ownOf(hours(10)), common).tokens, []);
});

test('no token weighs more than the cap, and a small library lets none weigh much', () => {
  const heavy = learnFingerprint(ownOf(hours(10)), strangers(200));
  assert.ok(heavy.tokens.every(({ weight }) => weight === 4));
  const uncapped = learnFingerprint(ownOf(hours(10)), strangers(200), undefined, { weightMax: 9 });
  assert.ok(uncapped.tokens.every(({ weight }) => weight === Math.floor(64 * Math.log(402)) / 64));
  const light = learnFingerprint(ownOf(hours(10)), strangers(1));
  assert.ok(light.tokens.every(({ weight }) => weight === Math.floor(64 * Math.log(4)) / 64));
  assert.deepEqual(learnFingerprint(ownOf(hours(10)), []).tokens.map(({ weight }) => weight),
    light.tokens.map(() => Math.floor(64 * Math.log(2)) / 64));
});

test('what a sibling shows too is left out where the rest suffices, and kept where it is all there is', () => {
  const line = hours(10, () => ({ to: '192.0.2.1', port: 9_000, name: 'TLS.Maker', octets: [70, 90] }));
  const report = hours(10, () => ({ to: '192.0.2.1', port: 9_000, name: 'TLS.Maker', octets: [800, 90] }));
  // The same platform: the sibling shows the heartbeat in each of its hours, and nothing of the maker's.
  const library = [...strangers(20), unitOf('sibling', hours(4))];
  const told = learnFingerprint(ownOf([...hours(10), ...line, ...report]), library);
  assert.ok(told.tokens.length >= 5);
  assert.ok(textsOf(told).every((text) => text.startsWith('tcp/9000 ')), textsOf(told).join());
  // One token of its own in an hour is less than two tokens' worth: siblings are told apart by it no more than at all.
  const group = learnFingerprint(ownOf([...hours(10), ...line.slice(0, 5)]), library);
  assert.ok(find(group, 'tcp/8883 MQTT.Cloud 222/142') !== undefined);
  assert.ok(find(group, 'tcp/9000 TLS.Maker 70/90') !== undefined);
  // Seen at the sibling now and then, it is no sibling's.
  const seldom = unitOf('sibling', hours(8, (hour) => (hour === 0 ? {} : { port: 443, name: 'TLS.Video' })));
  const kept = learnFingerprint(ownOf([...hours(10), ...line, ...report]), [...strangers(20), seldom]);
  assert.ok(find(kept, 'tcp/8883 MQTT.Cloud 222/142') !== undefined);
});

test('of too many tokens those are kept that tell most: by recall times weight', () => {
  const flows = hours(20, (hour) => ({ octets: [100 + Math.floor(hour / 2), 100] }));
  const fingerprint = learnFingerprint(ownOf([...flows, ...hours(20)]), strangers(3), undefined, { tokensMax: 4 });
  assert.deepEqual(fingerprint.tokens.map(({ recall }) => recall), [1, 1, 1, 1]);
  const texts = textsOf(fingerprint);
  assert.deepEqual(texts, [...texts].sort());
});

test('a flow shows the heaviest of its tokens, and of equal ones the most particular', () => {
  // Someone else calls at the same prefix, with other sizes: the prefix weighs less than the octets.
  const neighbour = unitOf('tv-n', hours(4, () => ({ octets: [5_000, 5_000], name: 'TLS.Video' })));
  const options = { sharedShareMin: Infinity };
  const fingerprint = learnFingerprint(ownOf(hours(10)), [...strangers(10), neighbour], undefined, options);
  const shown = (flow: Partial<TokenFlow>): string | undefined => {
    const out = new Uint32Array(1);
    new FingerprintMatcher([fingerprint]).match(batchOfTokenFlows([{ hour: 0, ...flow }], dictionaries),
      [new Uint8Array(1)], [out]);
    return out[0] === noToken ? undefined : fingerprint.tokens[out[0] as number]?.text;
  };
  assert.equal(shown({}), 'tcp/8883 198.51.100.0/24 222/142');
  assert.equal(shown({ octets: [5_000, 5_000], name: 'TLS.Video' }), 'tcp/8883 198.51.100.0/24');
  assert.equal(shown({ to: '192.0.2.77' }), 'tcp/8883 MQTT.Cloud 222/142');
  assert.equal(shown({ to: '192.0.2.77', port: 443 }), undefined);
});

test('where a cloud gives a new address every hour, the prefixes are left out and the name stays', () => {
  const rotating = (first: number, count: number): TokenFlow[] => hours(count, (hour) =>
    ({ hour: first + hour, to: `44.${10 + Math.floor((first + hour) / 200)}.${(first + hour) % 200}.1` }));
  const fingerprint = learnFingerprint(ownOf(rotating(0, 150), rotating(150, 20)), strangers(5));
  assert.deepEqual(textsOf(fingerprint), ['tcp/8883 MQTT.Cloud 222/142']);
});

test('accepted flows are tokens of their name, weighed by what is accepted of others', () => {
  const own = ownOf(hours(10));
  // Accepts what is large: one of four of the strangers' units, and every other flow of the device model.
  const library = [...strangers(3), unitOf('tv-l', hours(4, () => ({ octets: [700, 20], to: '203.0.113.9' })))];
  const mixed = ownOf([...hours(10), ...hours(10, () => ({ octets: [700, 700] }))]);
  const accept = ({ columns, rowCount }: FlowBatch): Uint8Array =>
    Uint8Array.from({ length: rowCount }, (_, row) => Number(columns.initiatorOctets[row] === 700));
  const whole = { sharedShareMin: Infinity };
  const token = find(learnFingerprint(mixed, library, accept, whole), 'tcp/8883 MQTT.Cloud accepted');
  assertClose(token?.recall, 1);
  assertClose(token?.prevalence, 1.5 / 5);
  assert.equal(find(learnFingerprint(own, library, accept, whole), 'tcp/8883 MQTT.Cloud accepted'), undefined);
  assert.equal(find(learnFingerprint(mixed, library, undefined, whole), 'tcp/8883 MQTT.Cloud accepted'), undefined);
  const families = learnFingerprint(mixed, library, accept, { ...whole, families: ['accepted', 'prefix'] });
  assert.deepEqual(textsOf(families), ['tcp/8883 198.51.100.0/24', 'tcp/8883 MQTT.Cloud accepted']);
});

test('flows inside the home, without an end or with a hostile name are no tokens', () => {
  const inside = hours(10, () => ({ to: '192.168.1.9', octets: [33, 33] }));
  const hostile = hours(10, () => ({ name: 'TLS\u202e', octets: [44, 44] }));
  const own = ownOf([...hours(5), ...inside, ...hostile]);
  (own.training[0] as FlowBatch).columns.flowEndMilliseconds[0] = Number.NaN;
  const fingerprint = learnFingerprint(own, strangers(3));
  assert.ok(textsOf(fingerprint).every((text) => !/private|33\/33|\u202e/.test(text)), textsOf(fingerprint).join('\n'));
  // Hours without a flow out of the home are none, and an undated flow is in none.
  assertClose(find(fingerprint, 'tcp/8883 MQTT.Cloud 222/142')?.recall, 0.4);
  assert.equal(describeUnsoundFingerprint(fingerprint), undefined);
});

const arbitraryFlow: fc.Arbitrary<TokenFlow> = fc.record({
  device: fc.constantFrom('unit-1', 'unit-2'), hour: fc.nat({ max: 6 }), minute: fc.nat({ max: 59 }),
  to: fc.constantFrom('198.51.100.7', '198.51.101.7', '2001:db8::7', '192.168.1.7'),
  port: fc.constantFrom(53, 443, 8_883, 60_000), name: fc.constantFrom('', 'DNS', 'TLS.Cloud'),
  octets: fc.tuple(fc.constantFrom(40, 41, 222), fc.constantFrom(0, 142)),
});

test('the order of flows, batches and units makes no difference, and the same gives the same', () => {
  const flows = fc.array(arbitraryFlow, { minLength: 1, maxLength: 40 });
  const world = fc.tuple(flows, flows, fc.array(flows, { maxLength: 4 }), fc.nat());
  fc.assert(fc.property(world, ([training, validation, others, seed]) => {
    const random = new Random(seed);
    const library = others.map((ofUnit, i) => unitOf(`tv-${i}`, ofUnit));
    const learned = learnFingerprint(ownOf(training, validation), library);
    const cut = (given: readonly TokenFlow[]): FlowBatch[] => {
      const mixed = shuffle(given, random);
      const at = random.integer(0, mixed.length);
      return [...batchesOf(mixed.slice(0, at)), ...batchesOf(mixed.slice(at))];
    };
    const again = learnFingerprint({ training: cut(training), validation: cut(validation) }, shuffle(library, random));
    assert.deepEqual(again, learned);
    assert.equal(describeUnsoundFingerprint(learned), undefined);
    assert.ok(learned.tokens.every(({ weight, recall }) => weight <= 4 && recall >= 0.02));
  }), { numRuns: 60 });
});

function shuffle<T>(given: readonly T[], random: Random): T[] {
  const mixed = [...given];
  for (let i = mixed.length - 1; i > 0; i--) {
    const other = random.integer(0, i);
    [mixed[i], mixed[other]] = [mixed[other] as T, mixed[i] as T];
  }
  return mixed;
}
