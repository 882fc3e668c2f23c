/**
 * Finds the tokens of all fingerprints in flows at once. A flow is looked up by what it is (service and prefix, service
 * and name, then the sizes of either), not by classifier: most flows fit nothing and cost two questions, however many
 * classifiers there are.
 */
import { assertInvariant, limits } from '#base';
import { readPortClass } from '#feature';
import type { Dictionary, FlowBatch } from '#flow';
import { ExactTable, notFound } from './exact-table.ts';
import { quarterBinOf, wholeOctetsOf } from './fingerprint-keys.ts';
import { noToken, tokenFamilies, type Fingerprint, type FingerprintToken } from './fingerprint.ts';
import { prefixDetailMask, readToken, serviceWordOf, tokenWords } from './token.ts';

/** Stands in place of word 1 of a prefix, which is never so large: word 0 is then the index of a name. */
const nameMark = 0xffff_ffff;
/** In place of the responder's size, where a family has none. */
const noSize = -1;

/** Of a classifier of which nothing is found. */
const noRank = 0xffff_ffff;

/** What tokens of a peer (service with prefix or name) ask for beyond it. */
const asksOctets = 1;
const asksSize = 2;
const asksNothing = 4;

/** Of a code that was not looked up; of a name that no fingerprint has. Larger numbers: index of the name, plus 2. */
const codeUnknown = 0;
const nameUnknown = 1;

/** Tokens of one key, of whatever fingerprints: one after the other in `#posting…`, from `first` to before `end`. */
type Posting = { readonly classifier: number; readonly token: number };

export class FingerprintMatcher {
  /** [classifier]: it has a fingerprint. */
  readonly #hasFingerprint: readonly boolean[];
  readonly #names = new Map<string, number>();
  /** Codes of each dictionary that batches came with. */
  readonly #nameOfCode = new WeakMap<Dictionary, Uint32Array>();
  readonly #peers: ExactTable;
  /** Peer and what is asked for, then sizes. */
  readonly #keys: ExactTable;
  /** [peer]: what its tokens ask for. */
  readonly #asks: Uint8Array;
  /** [key]: its first posting; one more at the end. */
  readonly #firstPosting: Uint32Array;
  readonly #postingClassifier: Uint32Array;
  readonly #postingToken: Uint32Array;
  /** 0 of the token that goes before all others of its fingerprint. */
  readonly #postingRank: Uint32Array;
  /** [classifier]: what is found of the row at hand. */
  readonly #bestRank: Uint32Array;
  readonly #bestToken: Uint32Array;
  /** Classifiers of which something is found. */
  readonly #foundFor: Uint32Array;
  #foundCount = 0;
  readonly #words = new Uint32Array(tokenWords);
  #portClass = new Uint32Array(0);

  /** @param fingerprints  [classifier]; read only. Of classifiers without one no flow shows a token */
  constructor(fingerprints: readonly (Fingerprint | undefined)[]) {
    this.#hasFingerprint = fingerprints.map((fingerprint) => fingerprint !== undefined);
    const tokensOf = fingerprints.map((fingerprint) => fingerprint?.tokens ?? []);
    const ranks = tokensOf.map(rankTokens);
    const tokenCount = tokensOf.reduce((sum, { length }) => sum + length, 0);
    this.#peers = new ExactTable(tokenCount);
    this.#keys = new ExactTable(tokenCount);
    this.#asks = new Uint8Array(tokenCount);
    const postings: Posting[][] = [];
    for (const [classifier, tokens] of tokensOf.entries()) {
      assertInvariant(tokens.length <= limits.fingerprintTokensMax, `a fingerprint of ${tokens.length} tokens`);
      for (const [token, described] of tokens.entries()) {
        (postings[this.#internKey(described)] ??= []).push({ classifier, token });
      }
    }
    this.#firstPosting = new Uint32Array(postings.length + 1);
    for (const [key, ofKey] of postings.entries()) {
      this.#firstPosting[key + 1] = (this.#firstPosting[key] as number) + ofKey.length;
    }
    this.#postingClassifier = Uint32Array.from(postings.flat(), ({ classifier }) => classifier);
    this.#postingToken = Uint32Array.from(postings.flat(), ({ token }) => token);
    this.#postingRank = Uint32Array.from(postings.flat(), ({ classifier, token }) =>
      ranks[classifier]?.[token] as number);
    this.#bestRank = new Uint32Array(fingerprints.length).fill(noRank);
    this.#bestToken = new Uint32Array(fingerprints.length);
    this.#foundFor = new Uint32Array(fingerprints.length);
  }

  /**
   * The token that each row shows of each fingerprint: of those that it matches, the heaviest; of equally heavy ones
   * the most particular.
   *
   * @param batch       read only
   * @param isAccepted  [classifier][row]: 1 where the per-flow classifier accepts the row; read only
   * @param out         [classifier][rowCount]: index of the token in its fingerprint, or `noToken`; overwritten. May
   *                    be undefined where there is no fingerprint
   * @throws InvariantError  arrays are missing or too short
   */
  match(batch: FlowBatch, isAccepted: readonly Uint8Array[], out: readonly (Uint32Array | undefined)[]): void {
    const { rowCount } = batch;
    this.#prepare(rowCount, isAccepted, out);
    const { columns } = batch;
    readPortClass(columns, rowCount, this.#portClass);
    const { protocolIdentifier, applicationName } = columns;
    const nameOfCode = this.#codesOf(batch.dictionaries.applicationName);
    const words = this.#words;
    for (let row = 0; row < rowCount; row++) {
      const portClass = this.#portClass[row] as number;
      readToken(batch, row, portClass, words);
      const service = serviceWordOf(protocolIdentifier[row] as number, portClass);
      const prefixPeer = this.#peers.find(service, words[0] as number, (words[1] as number) & prefixDetailMask);
      if (prefixPeer !== notFound) this.#matchPrefix(batch, row, prefixPeer);
      const code = applicationName[row] as number;
      const known = nameOfCode[code] as number;
      const name = known === codeUnknown ? this.#lookUpName(batch.dictionaries.applicationName, code) : known;
      const namePeer = name === nameUnknown ? notFound : this.#peers.find(service, name, nameMark);
      if (namePeer !== notFound) this.#matchName(batch, row, namePeer, isAccepted);
      if (this.#foundCount > 0) this.#write(row, out);
    }
  }

  #prepare(rowCount: number, isAccepted: readonly Uint8Array[], out: readonly (Uint32Array | undefined)[]): void {
    const count = this.#hasFingerprint.length;
    assertInvariant(isAccepted.length === count && out.length === count, 'flows were judged by other classifiers');
    for (let i = 0; i < count; i++) {
      const tokens = out[i];
      assertInvariant(tokens === undefined ? !this.#hasFingerprint[i] : tokens.length >= rowCount,
        'a fingerprint has no room for its tokens');
      assertInvariant((isAccepted[i] as Uint8Array).length >= rowCount, 'rows lack a classifier that judged them');
      tokens?.fill(noToken, 0, rowCount);
    }
    if (this.#portClass.length < rowCount) this.#portClass = new Uint32Array(rowCount);
  }

  #matchPrefix({ columns }: FlowBatch, row: number, peer: number): void {
    const asks = this.#asks[peer] as number;
    const initiator = wholeOctetsOf(columns.initiatorOctets[row] as number);
    if ((asks & asksOctets) !== 0) {
      const responder = wholeOctetsOf(columns.responderOctets[row] as number);
      this.#take(this.#keys.find(8 * peer + asksOctets, initiator, responder), row, undefined);
    }
    if ((asks & asksSize) !== 0) {
      this.#take(this.#keys.find(8 * peer + asksSize, quarterBinOf(initiator), noSize), row, undefined);
    }
    if ((asks & asksNothing) !== 0) {
      this.#take(this.#keys.find(8 * peer + asksNothing, noSize, noSize), row, undefined);
    }
  }

  #matchName({ columns }: FlowBatch, row: number, peer: number, isAccepted: readonly Uint8Array[]): void {
    const asks = this.#asks[peer] as number;
    const initiator = wholeOctetsOf(columns.initiatorOctets[row] as number);
    const responder = wholeOctetsOf(columns.responderOctets[row] as number);
    if ((asks & asksOctets) !== 0) {
      this.#take(this.#keys.find(8 * peer + asksOctets, initiator, responder), row, undefined);
    }
    if ((asks & asksSize) !== 0) {
      const key = this.#keys.find(8 * peer + asksSize, quarterBinOf(initiator), quarterBinOf(responder));
      this.#take(key, row, undefined);
    }
    if ((asks & asksNothing) !== 0) {
      this.#take(this.#keys.find(8 * peer + asksNothing, noSize, noSize), row, isAccepted);
    }
  }

  /** Notes the tokens of a key. @param isAccepted  undefined: they are shown whether the row is accepted or not */
  #take(key: number, row: number, isAccepted: readonly Uint8Array[] | undefined): void {
    if (key === notFound) return;
    const end = this.#firstPosting[key + 1] as number;
    for (let i = this.#firstPosting[key] as number; i < end; i++) {
      const classifier = this.#postingClassifier[i] as number;
      if (isAccepted !== undefined && (isAccepted[classifier] as Uint8Array)[row] !== 1) continue;
      const rank = this.#postingRank[i] as number;
      const best = this.#bestRank[classifier] as number;
      if (rank >= best) continue;
      if (best === noRank) this.#foundFor[this.#foundCount++] = classifier;
      this.#bestRank[classifier] = rank;
      this.#bestToken[classifier] = this.#postingToken[i] as number;
    }
  }

  /** Writes what was found of a row, once: the arrays of a hundred classifiers do not fit the cache. */
  #write(row: number, out: readonly (Uint32Array | undefined)[]): void {
    for (let i = 0; i < this.#foundCount; i++) {
      const classifier = this.#foundFor[i] as number;
      (out[classifier] as Uint32Array)[row] = this.#bestToken[classifier] as number;
      this.#bestRank[classifier] = noRank;
    }
    this.#foundCount = 0;
  }

  /** Index of what a token asks of a flow. */
  #internKey({ family, protocol, portClass, prefix, name, initiatorSize, responderSize }: FingerprintToken): number {
    const service = serviceWordOf(protocol, portClass);
    const peer = prefix === undefined ? this.#peers.intern(service, this.#internName(name ?? ''), nameMark)
      : this.#peers.intern(service, prefix[0], prefix[1]);
    const asks = askOf[family];
    this.#asks[peer] = (this.#asks[peer] as number) | asks;
    return this.#keys.intern(8 * peer + asks, initiatorSize ?? noSize, responderSize ?? noSize);
  }

  #internName(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const index = this.#names.size + nameUnknown + 1;
    this.#names.set(name, index);
    return index;
  }

  /** What is known of the codes of a dictionary, which may have grown. */
  #codesOf(dictionary: Dictionary): Uint32Array {
    const known = this.#nameOfCode.get(dictionary);
    if (known !== undefined && known.length >= dictionary.size) return known;
    const wider = new Uint32Array(Math.max(64, 2 * dictionary.size));
    if (known !== undefined) wider.set(known);
    this.#nameOfCode.set(dictionary, wider);
    return wider;
  }

  #lookUpName(dictionary: Dictionary, code: number): number {
    const name = this.#names.get(dictionary.decode(code)) ?? nameUnknown;
    this.#codesOf(dictionary)[code] = name;
    return name;
  }
}

const askOf = {
  'prefix-octets': asksOctets, 'name-octets': asksOctets, 'prefix-size': asksSize, 'name-size': asksSize,
  prefix: asksNothing, accepted: asksNothing,
} as const;

/** [token]: its place when the heaviest goes first, of equally heavy ones the most particular, then by text. */
function rankTokens(tokens: readonly FingerprintToken[]): Uint32Array {
  const particularity = (family: FingerprintToken['family']): number => tokenFamilies.indexOf(family);
  const order = [...tokens.entries()].sort(([i, a], [j, b]) =>
    b.weight - a.weight || particularity(a.family) - particularity(b.family) || i - j);
  const ranks = new Uint32Array(tokens.length);
  for (const [rank, [token]] of order.entries()) ranks[token] = rank;
  return ranks;
}
