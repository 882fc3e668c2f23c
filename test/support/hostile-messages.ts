/**
 * Export messages that no exporter would send: templates with huge counts, fields without bytes, thousands of ids,
 * lists in lists whose lengths lie, options with more scopes than fields, withdrawals of everything. For fuzzing.
 */
import type { Random } from '#base';
import { concat } from './export-mutator.ts';

type Field = readonly [elementId: number, lengthBytes: number];

/** Big-endian 16-bit words. */
function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 2);
  for (const [i, value] of values.entries()) {
    bytes[2 * i] = value >>> 8;
    bytes[2 * i + 1] = value;
  }
  return bytes;
}

const noise = (random: Random, lengthBytes: number): Uint8Array => {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = random.uint32();
  return bytes;
};

const set = (id: number, ...body: readonly Uint8Array[]): Uint8Array => {
  const bytes = concat(...body);
  return concat(words(id, Math.min(bytes.length + 4, 65_535)), bytes);
};

const template = (id: number, fields: readonly Field[], count = fields.length): Uint8Array =>
  concat(words(id, count), words(...fields.flat()));

/** A set of templates, by the number that the version has for it. */
const templates = (version: number, ...body: readonly Uint8Array[]): Uint8Array =>
  set(version === 9 ? 0 : 2, ...body);
const optionsTemplates = (version: number, ...body: readonly Uint8Array[]): Uint8Array =>
  set(version === 9 ? 1 : 3, ...body);

function message(version: number, random: Random, sets: readonly Uint8Array[]): Uint8Array {
  const body = concat(...sets);
  const domain = random.integer(0, 7);
  const sequence = random.integer(0, 500);
  return version === 9
    ? concat(words(9, sets.length, 0, 9000, 25_000, 1, 0, sequence, 0, domain), body)
    : concat(words(10, Math.min(16 + body.length, 65_535), 25_000, 1, 0, sequence, 0, domain), body);
}

type Hostile = (version: number, id: number, random: Random) => readonly Uint8Array[];

/** Now and then as much as a datagram holds, else little. */
const sizeOf = (random: Random, usual: number, most: number): number =>
  random.integer(1, random.chance(0.03) ? most : usual);

const hugeCount: Hostile = (version, id, random) => [
  templates(version, template(id, [[8, 4], [12, 4]], random.pick([3, 1024, 1025, 16_384, 65_535]))),
  set(id, noise(random, 40)),
];

const manyFields: Hostile = (version, id, random) => {
  const fields = Array.from({ length: sizeOf(random, 60, 8000) }, (): Field => [random.integer(1, 500), 1]);
  return [templates(version, template(id, fields)), set(id, noise(random, sizeOf(random, 300, 9000)))];
};

/** Records of no bytes, or of one byte among many fields without any. */
const zeroLengths: Hostile = (version, id, random) => {
  const fields = Array.from({ length: random.integer(1, 30) }, (): Field => [random.pick([1, 8, 12, 82, 95]), 0]);
  const last = random.pick<readonly Field[]>([[], [[4, 1]], [[82, 65_535]]]);
  return [templates(version, template(id, [...fields, ...last])), set(id, noise(random, sizeOf(random, 90, 20_000)))];
};

const hugeLengths: Hostile = (version, id, random) => {
  const fields = Array.from({ length: random.integer(1, 40) }, (): Field => [random.integer(1, 300), 65_534]);
  return [templates(version, template(id, fields)), set(id, noise(random, random.integer(0, 400)))];
};

const variableLengths: Hostile = (version, id, random) => {
  const fields = Array.from({ length: random.integer(1, 12) }, (): Field => [random.pick([8, 1, 82, 95, 96, 371]),
    65_535]);
  const data = noise(random, random.integer(0, 300));
  for (let i = 0; i < data.length; i++) if (random.chance(0.7)) data[i] = random.pick([0, 1, 2, 4, 255]);
  return [templates(version, template(id, fields)), set(id, data)];
};

const thousandsOfIds: Hostile = (version, _id, random) => {
  const first = random.integer(256, 60_000);
  const body = Array.from({ length: sizeOf(random, 40, 4000) }, (_, i) => template(first + i, [[8, 4], [1, 4]]));
  return [templates(version, ...body), set(first, noise(random, 24))];
};

/** Many sets without a template, most without a byte. */
const manyWaiting: Hostile = (_version, _id, random) => Array.from({ length: sizeOf(random, 30, 3000) }, () =>
  set(random.integer(40_000, 65_535), noise(random, random.chance(0.9) ? 0 : random.integer(0, 900))));

/** A list in a list, each of which says a length of its own (RFC 6313 §4.5). */
function nest(random: Random, depth: number): Uint8Array {
  let inner = noise(random, random.integer(0, 12));
  for (let i = 0; i < depth; i++) {
    const kind = random.integer(0, 2);
    const lie = random.chance(0.3) ? random.integer(-3, 40) : 0;
    const length = (inner.length + lie) & 0xffff;
    const head = kind === 0 ? concat(new Uint8Array([3]), words(291, 65_535))
      : kind === 1 ? concat(new Uint8Array([0]), words(300)) : concat(new Uint8Array([4]), words(300, length + 4));
    inner = concat(head, new Uint8Array([255]), words(length), inner);
  }
  return inner;
}

const nestedLists: Hostile = (version, id, random) => {
  const list = nest(random, sizeOf(random, 8, 400));
  const length = (list.length + (random.chance(0.3) ? random.integer(-4, 300) : 0)) & 0xffff;
  return [
    templates(version, template(id, [[random.integer(291, 293), 65_535], [8, 4], [12, 4], [1, 3]])),
    set(id, new Uint8Array([255]), words(length), list, noise(random, 11)),
  ];
};

const scopesBeyondFields: Hostile = (version, id, random) => {
  const scopes = random.pick([0, 1, 2, 3, 5, 8, 12, 65_535]);
  const count = random.pick([0, 2, 4, 8, 65_535]);
  return [
    optionsTemplates(version, words(id, version === 9 ? scopes : count, version === 9 ? count : scopes,
      149, 4, 34, 4, 50, 4)),
    set(id, noise(random, random.integer(0, 60))),
  ];
};

/** Options that name applications and samplers, each a new one. */
const manyOptionEntries: Hostile = (version, id, random) => [
  version === 9
    ? optionsTemplates(version, words(id, 4, 16, 1, 4, 95, 4, 96, 6, 48, 2, 34, 1))
    : optionsTemplates(version, words(id, 5, 1, 149, 4, 95, 4, 96, 6, 48, 2, 34, 1)),
  set(id, noise(random, 17 * sizeOf(random, 12, 1500))),
  templates(version, template(id + 1, [[8, 4], [12, 4], [95, 4], [48, 2], [1, 4]])),
  set(id + 1, noise(random, 18 * random.integer(0, 5))),
];

const withdrawals: Hostile = (version, id, random) => [
  random.chance(0.5) ? templates(version, words(id, 0)) : optionsTemplates(version, words(id, 0)),
  random.pick([templates(version, words(2, 0)), optionsTemplates(version, words(3, 0)), templates(version, words(3, 0)),
    templates(version, words(id, 0, id, 0, 0, 0))]),
  set(id, noise(random, 16)),
];

/** A template between its data sets, then another meaning of the same id, once as options. */
const redefinitions: Hostile = (version, id, random) => [
  set(id, noise(random, 24)),
  templates(version, template(id, [[8, 4], [12, 4]])),
  set(id, noise(random, 24)),
  optionsTemplates(version, version === 9 ? words(id, 4, 4, 1, 4, 34, 4) : words(id, 2, 1, 149, 4, 34, 4)),
  set(id, noise(random, 24)),
  templates(version, template(id, [[27, 16], [1, random.integer(0, 9)]])),
  set(id, noise(random, 60)),
];

/** All ways to be hostile, by name. */
export const hostileKinds: Readonly<Record<string, Hostile>> = {
  hugeCount, manyFields, zeroLengths, hugeLengths, variableLengths, thousandsOfIds, manyWaiting, nestedLists,
  scopesBeyondFields, manyOptionEntries, withdrawals, redefinitions,
};

const hostileList = Object.values(hostileKinds);

/** A hostile message of at most 65,535 bytes, NetFlow v9 or IPFIX. */
export function createHostileMessage(random: Random): Uint8Array {
  const version = random.pick([9, 10]);
  const sets = random.pick(hostileList)(version, random.integer(256, 262), random);
  const bytes = message(version, random, sets);
  return bytes.length <= 65_535 ? bytes : bytes.slice(0, 65_535);
}
