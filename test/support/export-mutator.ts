/**
 * Makes bad export messages out of good ones, for fuzzing the export decoder: bits, 16-bit values, lengths, cuts,
 * joints, sets, templates and headers are changed. Shares no code with the decoder. One seed gives the same messages.
 */
import type { Random } from '#base';

/** Messages to start from; neighbours are of one exporter, so a template stands before its data. */
export type Corpus = readonly Uint8Array[];

type Mutation = (bytes: Uint8Array, random: Random, corpus: Corpus) => Uint8Array;
type SetPlace = { readonly at: number; readonly end: number; readonly id: number };

/** Values at which length and count checks turn. */
const interesting8 = [0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 127, 128, 254, 255];
const interesting16 = [0, 1, 2, 3, 4, 5, 7, 8, 16, 24, 48, 255, 256, 257, 258, 300, 1023, 1024, 32_767, 32_768,
  57_471, 57_472, 65_534, 65_535];

const read16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);

function write16(bytes: Uint8Array, at: number, value: number): void {
  if (at < 0 || at + 2 > bytes.length) return;
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Parts in one piece. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The sets of a message as far as its own lengths lead. */
function findSets(bytes: Uint8Array): SetPlace[] {
  const version = read16(bytes, 0);
  const sets: SetPlace[] = [];
  let at = version === 9 ? 20 : version === 10 ? 16 : bytes.length;
  while (at + 4 <= bytes.length) {
    const end = at + read16(bytes, at + 2);
    if (end < at + 4 || end > bytes.length) break;
    sets.push({ at, end, id: read16(bytes, at) });
    at = end;
  }
  return sets;
}

/** Applies a change to a set of the message, or to none when it has no whole set. */
const onSet = (change: (bytes: Uint8Array, place: SetPlace, random: Random, sets: readonly SetPlace[]) =>
Uint8Array): Mutation => (bytes, random) => {
  const sets = findSets(bytes);
  return sets.length === 0 ? bytes : change(bytes, random.pick(sets), random, sets);
};

/** Applies a change to a set with templates. */
const onTemplates = (change: (bytes: Uint8Array, place: SetPlace, random: Random) => void): Mutation =>
  (bytes, random) => {
    const sets = findSets(bytes).filter(({ id, at, end }) => id < 4 && end - at >= 12);
    if (sets.length > 0) change(bytes, random.pick(sets), random);
    return bytes;
  };

const flipBit: Mutation = (bytes, random) => {
  const at = random.integer(0, bytes.length - 1);
  bytes[at] = (bytes[at] as number) ^ (1 << random.integer(0, 7));
  return bytes;
};

const setByte: Mutation = (bytes, random) => {
  bytes[random.integer(0, bytes.length - 1)] = random.pick(interesting8);
  return bytes;
};

const set16: Mutation = (bytes, random) => {
  write16(bytes, random.integer(0, bytes.length >> 1) * 2, random.pick(interesting16));
  return bytes;
};

/** A length a little, or wholly, wrong. */
const wrongLength = (value: number, random: Random): number =>
  (random.chance(0.6) ? (value + random.integer(-9, 9)) & 0xffff : random.pick(interesting16));

const editMessageLength: Mutation = (bytes, random) => {
  write16(bytes, 2, wrongLength(read16(bytes, 2), random));
  return bytes;
};

const editSetLength = onSet((bytes, { at }, random) => {
  write16(bytes, at + 2, wrongLength(read16(bytes, at + 2), random));
  return bytes;
});

const editSetId = onSet((bytes, { at }, random, sets) => {
  write16(bytes, at, random.chance(0.5) ? random.pick(sets).id : random.pick(interesting16));
  return bytes;
});

const truncate: Mutation = (bytes, random) => bytes.slice(0, random.integer(0, bytes.length));

const extend: Mutation = (bytes, random) => {
  const more = new Uint8Array(random.integer(1, random.chance(0.1) ? 2000 : 24));
  const value = random.chance(0.5) ? 0 : random.integer(0, 255);
  return concat(bytes, more.fill(value));
};

/** The beginning of one message and the end of another. */
const splice: Mutation = (bytes, random, corpus) => {
  const other = random.pick(corpus);
  const cut = random.integer(0, bytes.length);
  return concat(bytes.subarray(0, cut), other.subarray(random.integer(0, Math.min(other.length, cut + 8))));
};

const duplicateSet = onSet((bytes, { at, end }) => concat(bytes.subarray(0, end), bytes.subarray(at)));

const removeSet = onSet((bytes, { at, end }) => concat(bytes.subarray(0, at), bytes.subarray(end)));

/** A set behind the last one: data before its template, a template after its data. */
const moveSetToEnd = onSet((bytes, { at, end }) =>
  concat(bytes.subarray(0, at), bytes.subarray(end), bytes.subarray(at, end)));

/** Another template id, often one that the message already uses. */
const renumberTemplate = onTemplates((bytes, { at }, random) => {
  const id = read16(bytes, at + 4);
  write16(bytes, at + 4, random.chance(0.5) ? id + random.integer(-2, 2) : random.integer(254, 262));
});

/** The same id for other fields: a word of a template's specifiers changed. */
const redefineTemplate = onTemplates((bytes, { at, end }, random) => {
  const word = at + 8 + 2 * random.integer(0, Math.max(0, ((end - at - 8) >> 1) - 1));
  const value = random.pick([0, 1, 2, 3, 4, 8, 16, 255, 65_534, 65_535, 0x8001, 12, 27, 82, 291]);
  if (word + 2 <= end) write16(bytes, word, value);
});

const editFieldCount = onTemplates((bytes, { at }, random) => {
  write16(bytes, at + 6, wrongLength(read16(bytes, at + 6), random));
});

/** NetFlow v9's scope length, or IPFIX's scope count, in an options template; a specifier in another. */
const editScopeCount = onTemplates((bytes, { at }, random) => {
  write16(bytes, at + 8, wrongLength(read16(bytes, at + 8), random));
});

/** Version, sequence, domain and clocks; domains are few, so that messages meet each other's templates. */
const editHeader: Mutation = (bytes, random) => {
  const version = read16(bytes, 0);
  const what = random.integer(0, 4);
  if (what === 0) write16(bytes, 0, random.pick([5, 9, 10, 10, 9, 1, 7, 0]));
  else if (what === 1) write16(bytes, version === 10 ? 14 : 18, random.integer(0, 7));
  else if (what === 2) write16(bytes, version === 10 ? 10 : 14, random.integer(0, 40));
  else if (bytes.length >= 12) bytes.set([random.integer(0, 255), random.integer(0, 255)], 4 * random.integer(1, 2));
  return bytes;
};

/** All ways to change a message, by name. */
export const mutations: Readonly<Record<string, Mutation>> = {
  flipBit, setByte, set16, editMessageLength, editSetLength, editSetId, truncate, extend, splice, duplicateSet,
  removeSet, moveSetToEnd, renumberTemplate, redefineTemplate, editFieldCount, editScopeCount, editHeader,
};

const mutationList = Object.values(mutations);

/** Gives a message, of whatever version, a domain below 256. */
export function setDomain(bytes: Uint8Array, domain: number): void {
  const version = read16(bytes, 0);
  if (version === 5) write16(bytes, 20, domain);
  else for (const at of [0, 2]) write16(bytes, (version === 10 ? 12 : 16) + at, at === 0 ? 0 : domain);
}

/** A message of the corpus with up to six changes; one in eight stays whole, so that templates become known. */
export function mutateMessage(random: Random, corpus: Corpus, index: number): Uint8Array {
  let bytes: Uint8Array = (corpus[index % corpus.length] as Uint8Array).slice();
  const changes = random.chance(0.125) ? 0 : 1 + Math.min(random.integer(0, 5), random.integer(0, 5));
  for (let i = 0; i < changes && bytes.length > 2; i++) bytes = random.pick(mutationList)(bytes, random, corpus);
  // Most changes of size would end at the length of the header; with a repaired one the sets behind it are reached.
  if (random.chance(0.6) && read16(bytes, 0) === 10) write16(bytes, 2, Math.min(bytes.length, 65_535));
  return bytes;
}
