/**
 * Evidence of a home as bytes: what a detector keeps over a restart. Little-endian; the same evidence is the same
 * bytes, so entries and tokens ascend. Whatever is not as `writeEvidence` makes it is refused with a sentence.
 *
 *   0  "NLEV"   4  u16 version   6  u16 zero   8  the first 8 bytes of SHA-256 over all from byte 16 on
 *   16 f64 bucketMs   24 u32 buckets of a window   28 u32 buckets of lateness   32 f64 latest bucket (-Infinity: none)
 *   40 u32 entries   44 f64 day of the first flow (Infinity: none)   52 f64 flows of the latest day, of the one before
 *      it, and so on (`home-days.ts`), then each entry:
 *      u16 bytes of the device model   u16 bytes of the classifier's digest   u32 tokens   both texts in UTF-8
 *      each token: its key (`token.ts`), its ring from the latest bucket on (`bucket-ring.ts`), all u32
 */
import { createHash } from 'node:crypto';
import { limits } from '#base';
import { ringWordsOf } from './bucket-ring.ts';
import type { EvidenceOptions } from './evidence.ts';
import { dayMs, keptDaysOf, type KeptDays } from './home-days.ts';
import { isLearnedToken, isToken, tokenWords } from './token.ts';

/** What is kept of one home. */
export type EvidenceParts = {
  readonly latestBucket: number;
  readonly days: KeptDays;
  readonly entries: readonly {
    readonly deviceModel: string;
    readonly classifier: string;
    /** Of each token, in any order: key and ring. */
    readonly tokens: readonly Uint32Array[];
  }[];
};

const magic = 0x5645_4c4e;
const version = 2;
const digestBytes = 8;
const digestedFrom = 16;
const firstDayAt = 44;
const dayCountsAt = 52;
const entryHeaderBytes = 8;

function digestOf(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes.subarray(digestedFrom)).digest().subarray(0, digestBytes);
}

function ringBitsOf({ windowMs, latenessMs, bucketMs }: EvidenceOptions): number {
  return (windowMs + latenessMs) / bucketMs;
}

function dayCountOf({ bucketMs, latenessMs }: EvidenceOptions): number {
  return keptDaysOf({ bucketMs, latenessBuckets: latenessMs / bucketMs });
}

/** Where the first entry begins. */
function headerBytesOf(options: EvidenceOptions): number {
  return dayCountsAt + 8 * dayCountOf(options);
}

/** The bytes of a home's evidence. */
export function writeEvidence({ latestBucket, days, entries }: EvidenceParts, options: EvidenceOptions): Uint8Array {
  const headerBytes = headerBytesOf(options);
  const encoded = entries.map(({ deviceModel, classifier, tokens }) => ({
    texts: [Buffer.from(deviceModel), Buffer.from(classifier)] as const, tokens: [...tokens].sort(compareKeys),
  })).sort((a, b) => compareTexts(a.texts, b.texts));
  const tokenBytes = 4 * (tokenWords + ringWordsOf(ringBitsOf(options)));
  const size = encoded.reduce((sum, { texts, tokens }) =>
    sum + entryHeaderBytes + texts[0].length + texts[1].length + tokens.length * tokenBytes, headerBytes);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint16(4, version, true);
  view.setFloat64(16, options.bucketMs, true);
  view.setUint32(24, options.windowMs / options.bucketMs, true);
  view.setUint32(28, options.latenessMs / options.bucketMs, true);
  view.setFloat64(32, latestBucket, true);
  view.setUint32(40, encoded.length, true);
  view.setFloat64(firstDayAt, days.firstDay, true);
  for (const [i, count] of days.counts.entries()) view.setFloat64(dayCountsAt + 8 * i, count, true);
  let at = headerBytes;
  for (const { texts, tokens } of encoded) {
    view.setUint16(at, texts[0].length, true);
    view.setUint16(at + 2, texts[1].length, true);
    view.setUint32(at + 4, tokens.length, true);
    at += entryHeaderBytes;
    for (const text of texts) {
      bytes.set(text, at);
      at += text.length;
    }
    for (const words of tokens) {
      for (const word of words) {
        view.setUint32(at, word, true);
        at += 4;
      }
    }
  }
  bytes.set(digestOf(bytes), 8);
  return bytes;
}

/**
 * The evidence in bytes.
 *
 * @returns one sentence when they are none, damaged, made with other options, or what `writeEvidence` never makes
 */
export function readEvidence(bytes: Uint8Array, options: EvidenceOptions): EvidenceParts | string {
  if (bytes.length < dayCountsAt) return `Evidence of ${bytes.length} bytes ends within its header.`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) return 'These bytes are no evidence.';
  if (view.getUint16(4, true) !== version || view.getUint16(6, true) !== 0) {
    return `The evidence is of version ${view.getUint16(4, true)}; natlens reads ${version}.`;
  }
  if (Buffer.compare(digestOf(bytes), bytes.subarray(8, digestedFrom)) !== 0) {
    return 'The digest of the evidence does not fit its content: it was damaged.';
  }
  const { bucketMs, windowMs, latenessMs } = options;
  if (view.getFloat64(16, true) !== bucketMs || view.getUint32(24, true) !== windowMs / bucketMs ||
    view.getUint32(28, true) !== latenessMs / bucketMs) {
    return 'The evidence was collected with another window, bucket or lateness.';
  }
  const latestBucket = view.getFloat64(32, true);
  const entryCount = view.getUint32(40, true);
  if (!Number.isSafeInteger(latestBucket) && latestBucket !== -Infinity) return 'The evidence is of no time.';
  if (entryCount > limits.detectorClassifiersMax || (entryCount > 0 && latestBucket === -Infinity)) {
    return `The evidence claims ${entryCount} classifiers.`;
  }
  if (bytes.length < headerBytesOf(options)) return `Evidence of ${bytes.length} bytes ends within its header.`;
  const days = readDays(view, latestBucket, options);
  if (typeof days === 'string') return days;
  const reader = new EntryReader(bytes, view, options);
  const entries: EvidenceParts['entries'][number][] = [];
  for (let i = 0; i < entryCount; i++) {
    const entry = reader.read();
    if (typeof entry === 'string') return entry;
    entries.push(entry);
  }
  return reader.at === bytes.length ? { latestBucket, days, entries }
    : `The evidence has ${bytes.length} bytes where ${reader.at} hold all of it.`;
}

/** Flows by day; those of the latest one are there, none before the first, as the latest bucket has it. */
function readDays(view: DataView, latestBucket: number, options: EvidenceOptions): KeptDays | string {
  const firstDay = view.getFloat64(firstDayAt, true);
  const counts = Array.from({ length: dayCountOf(options) }, (_, i) => view.getFloat64(dayCountsAt + 8 * i, true));
  const latestDay = Math.floor(latestBucket * options.bucketMs / dayMs);
  const isEmpty = latestBucket === -Infinity;
  const isFirstDay = isEmpty ? firstDay === Infinity : Number.isInteger(firstDay) && firstDay <= latestDay;
  const isCounted = counts.every((count, i) => Number.isSafeInteger(count) && count >= 0 && !Object.is(count, -0) &&
    (count > 0 ? !isEmpty && latestDay - i >= firstDay : isEmpty || (i > 0 && latestDay - i !== firstDay)));
  return isFirstDay && isCounted ? { firstDay, counts } : 'The evidence counts flows on days that had none.';
}

/** Reads one entry after the other and checks that each comes after the one before it. */
class EntryReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: EvidenceOptions;
  #before: readonly [Uint8Array, Uint8Array] | undefined;

  constructor(bytes: Uint8Array, view: DataView, options: EvidenceOptions) {
    this.#bytes = bytes;
    this.#view = view;
    this.#options = options;
    this.at = headerBytesOf(options);
  }

  read(): EvidenceParts['entries'][number] | string {
    const view = this.#view;
    if (this.at + entryHeaderBytes > this.#bytes.length) return 'The evidence ends within an entry.';
    const lengths = [view.getUint16(this.at, true), view.getUint16(this.at + 2, true)] as const;
    const tokenCount = view.getUint32(this.at + 4, true);
    const tokensAt = this.at + entryHeaderBytes + lengths[0] + lengths[1];
    const wordCount = tokenWords + ringWordsOf(ringBitsOf(this.#options));
    if (tokensAt + tokenCount * wordCount * 4 > this.#bytes.length) return 'The evidence ends within an entry.';
    const isLearned = tokenCount > 0 && isLearnedToken(this.#wordsAt(tokensAt, wordCount), 0);
    const tokensMax = isLearned ? limits.fingerprintTokensMax : this.#options.tokensMax;
    if (tokenCount === 0 || tokenCount > tokensMax) {
      return `An entry of the evidence claims ${tokenCount} tokens; 1 to ${tokensMax} there may be.`;
    }
    const split = this.at + entryHeaderBytes + lengths[0];
    const texts = [this.#bytes.subarray(this.at + entryHeaderBytes, split), this.#bytes.subarray(split, tokensAt)] as
      const;
    if (this.#before !== undefined && compareTexts(this.#before, texts) >= 0) {
      return 'The entries of the evidence do not ascend.';
    }
    this.#before = texts;
    const [deviceModel, classifier] = [decodeText(texts[0]), decodeText(texts[1])];
    if (deviceModel === undefined || classifier === undefined) return 'An entry of the evidence has no name.';
    const tokens: Uint32Array[] = [];
    this.at = tokensAt;
    for (let i = 0; i < tokenCount; i++, this.at += wordCount * 4) {
      const words = this.#wordsAt(this.at, wordCount);
      const before = tokens.at(-1);
      if (before !== undefined && compareKeys(before, words) >= 0) return 'The tokens of the evidence do not ascend.';
      if (!isToken(words, 0) || !isRing(words, ringBitsOf(this.#options))) {
        return 'The evidence holds a token that no flow makes.';
      }
      if (isLearnedToken(words, 0) !== isLearned) {
        return 'An entry of the evidence holds tokens of a fingerprint and others.';
      }
      tokens.push(words);
    }
    return { deviceModel, classifier, tokens };
  }

  #wordsAt(at: number, count: number): Uint32Array {
    return Uint32Array.from({ length: count }, (_, word) => this.#view.getUint32(at + word * 4, true));
  }
}

/** Does the ring behind a key have a bit, and none beyond its length? */
function isRing(words: Uint32Array, ringBits: number): boolean {
  const spare = ringBits & 31;
  const isWithin = spare === 0 || (words.at(-1) as number) >>> spare === 0;
  return isWithin && words.subarray(tokenWords).some((word) => word !== 0);
}

/** Text of UTF-8 bytes; undefined for none, and for bytes that are no text. */
function decodeText(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

type Texts = readonly [Uint8Array, Uint8Array];

function compareTexts(a: Texts, b: Texts): number {
  return Buffer.compare(a[0], b[0]) || Buffer.compare(a[1], b[1]);
}

function compareKeys(a: Uint32Array, b: Uint32Array): number {
  for (let i = 0; i < tokenWords; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

