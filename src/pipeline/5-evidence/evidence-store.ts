/**
 * Evidence of all homes, flow by flow (docs/evidence.md has the definitions; `#lab` has them as code that holds all
 * flows, and a test says that both agree). By the time of flows, not of their arrival; bounded; a home and classifier
 * without a flow that says something cost nothing.
 */
import { assertInvariant, limits } from '#base';
import { readPortClass } from '#feature';
import type { FlowBatch } from '#flow';
import { learnedTokensOf, listTokens, measureWindow, type BucketWindow, type LearnedTokens } from './entry-windows.ts';
import { readEvidence, writeEvidence, type EvidenceParts } from './evidence-bytes.ts';
import { compareKeys, nameKey, windowKey, type EvidenceKey } from './evidence-key.ts';
import {
  describeUnsoundOptions, evidenceDefaults, type Evidence, type EvidenceChange, type EvidenceClassifier,
  type EvidenceCounts, type EvidenceOptions,
} from './evidence.ts';
import { chainEnd, clean, EvidenceTable } from './evidence-table.ts';
import { noToken } from './fingerprint.ts';
import { HomeTable } from './home-table.ts';
import { isLearnedToken, readToken, tokenWords, writeLearnedToken } from './token.ts';

/** Rows of a batch that are of homes. */
export type EvidenceRows = {
  /** [row]: index of the home, or `noHome`. */
  readonly homes: Uint32Array;
  /** [row]: end of the flow. */
  readonly endMs: Float64Array;
  /** [classifier][row]: 1 where it accepts the flow. */
  readonly isAccepted: readonly Uint8Array[];
  /**
   * [classifier][row]: where the classifier has a fingerprint, the index of the token that the flow shows, or `noToken`
   * (`FingerprintMatcher`, less what a second stage refused). What it accepts is then no evidence by itself.
   */
  readonly tokens?: readonly (Uint32Array | undefined)[];
};

/** Bucket of rows that are no evidence. */
const noBucket = NaN;

export class EvidenceStore {
  static readonly noHome = 0xffff_ffff;
  readonly options: EvidenceOptions;
  readonly #windowBuckets: number;
  readonly #latenessBuckets: number;
  readonly #homes: HomeTable;
  readonly #table: EvidenceTable;
  readonly #key = new Uint32Array(tokenWords);
  #classifiers: readonly EvidenceClassifier[] = [];
  /** Index of a classifier by device model and digest. */
  #classifierIndex = new Map<string, number>();
  /** [classifier]: its fingerprint's tokens. */
  #learned: readonly (LearnedTokens | undefined)[] = [];
  #bucketOf = new Float64Array(0);
  #portClass = new Uint32Array(0);
  /** Entries that changed since changes were taken; one may be here twice, and then is clean the second time. */
  readonly #dirtyEntries: number[] = [];
  /** Changes of windows that have left the rings since. */
  #passed: { readonly change: EvidenceChange; readonly evidence: Evidence }[] = [];
  /** Evidence of those that were taken, until flows are added. */
  readonly #passedEvidence = new Map<string, Evidence>();
  #flows = 0;
  #lateFlows = 0;
  #undatedFlows = 0;
  #accepted = 0;
  #lateAccepted = 0;
  #tokensEvicted = 0;
  #tokensRefused = 0;

  /** @throws InvariantError  options that `describeUnsoundOptions` has a sentence about */
  constructor(options: Partial<EvidenceOptions> = {}, { bytesMax = limits.evidenceBytesMax } = {}) {
    this.options = { ...evidenceDefaults, ...options };
    const fault = describeUnsoundOptions(this.options);
    assertInvariant(fault === undefined, fault ?? '');
    const { windowMs, latenessMs, bucketMs, homesMax } = this.options;
    this.#windowBuckets = windowMs / bucketMs;
    this.#latenessBuckets = latenessMs / bucketMs;
    this.#homes = new HomeTable(homesMax, { bucketMs, latenessBuckets: this.#latenessBuckets });
    this.#table = new EvidenceTable({ ringBits: this.#windowBuckets + this.#latenessBuckets, bytesMax });
  }

  /** Whose acceptance rows bring from now on. Evidence of classifiers that stay is kept, of those gone dropped. */
  setClassifiers(list: readonly EvidenceClassifier[]): void {
    const index = new Map(list.map((classifier, i) => [nameKey(classifier.deviceModel, classifier.classifier), i]));
    assertInvariant(index.size === list.length, 'a classifier is there twice');
    const movedTo = this.#classifiers.map(({ deviceModel, classifier, fingerprint }) => {
      const to = index.get(nameKey(deviceModel, classifier));
      // Tokens of the one kind mean nothing among those of the other.
      return to !== undefined && (list[to]?.fingerprint === undefined) === (fingerprint === undefined) ? to : undefined;
    });
    const table = this.#table;
    for (const home of this.#homes.indices()) {
      this.#dropEntries(home, (entry) => movedTo[table.classifier[entry] as number] === undefined);
      for (let entry = this.#homes.firstEntry[home] as number; entry !== chainEnd;) {
        table.classifier[entry] = movedTo[table.classifier[entry] as number] as number;
        entry = table.next[entry] as number;
      }
    }
    const kept = new Set(this.#classifiers.filter((_, i) => movedTo[i] !== undefined)
      .map(({ deviceModel, classifier }) => nameKey(deviceModel, classifier)));
    this.#passed = this.#passed.filter(({ change }) => kept.has(nameKey(change.deviceModel, change.classifier)));
    this.#classifiers = list;
    this.#classifierIndex = index;
    this.#learned = list.map(({ fingerprint }) =>
      (fingerprint === undefined ? undefined : learnedTokensOf(fingerprint)));
  }

  /**
   * Index of a home; a new one where it is not known. It means this home until the home is forgotten or dropped, and
   * may then be another one's: `generation` is another number then.
   *
   * @returns `noHome` when there are as many as there may be (counted)
   */
  internHome(name: string): number {
    return this.#homes.intern(name) ?? EvidenceStore.noHome;
  }

  /** Changes whenever an index may have come to mean another home. */
  get generation(): number {
    return this.#homes.generation;
  }

  /** Name of a home by its index. */
  homeName(home: number): string {
    return this.#homes.name(home);
  }

  /** Takes in flows, in the order in which they came. Read only, nothing is kept. */
  add(batch: FlowBatch, rows: EvidenceRows): void {
    assertInvariant(rows.isAccepted.length === this.#classifiers.length, 'flows were judged by other classifiers');
    assertInvariant(rows.homes.length >= batch.rowCount && rows.endMs.length >= batch.rowCount,
      'rows lack a home or a time');
    this.#passedEvidence.clear();
    const { rowCount } = batch;
    if (this.#bucketOf.length < rowCount) {
      this.#bucketOf = new Float64Array(batch.capacity);
      this.#portClass = new Uint32Array(batch.capacity);
    }
    this.#placeRows(rows, rowCount);
    readPortClass(batch.columns, rowCount, this.#portClass);
    for (let classifier = 0; classifier < rows.isAccepted.length; classifier++) {
      const weights = this.#learned[classifier]?.weights;
      if (weights === undefined) this.#takeAccepted(batch, classifier, rows);
      else this.#takeTokens(rowCount, classifier, rows, weights.length);
    }
    this.#sweep();
  }

  /** Takes what flows did that a classifier accepts. */
  #takeAccepted(batch: FlowBatch, classifier: number, rows: EvidenceRows): void {
    const isAccepted = rows.isAccepted[classifier] as Uint8Array;
    for (let row = 0; row < batch.rowCount; row++) {
      if (isAccepted[row] !== 1 || rows.homes[row] === EvidenceStore.noHome) continue;
      readToken(batch, row, this.#portClass[row] as number, this.#key);
      this.#takeFlow(row, classifier, rows);
    }
  }

  /** Takes tokens of a fingerprint that flows show. */
  #takeTokens(rowCount: number, classifier: number, rows: EvidenceRows, tokenCount: number): void {
    const tokens = rows.tokens?.[classifier];
    assertInvariant(tokens !== undefined && tokens.length >= rowCount, 'nobody looked for tokens of a fingerprint');
    for (let row = 0; row < rowCount; row++) {
      const token = tokens[row] as number;
      if (token === noToken || rows.homes[row] === EvidenceStore.noHome) continue;
      assertInvariant(token < tokenCount, 'a flow shows a token that the fingerprint does not have');
      writeLearnedToken(token, this.#key);
      this.#takeFlow(row, classifier, rows);
    }
  }

  /** Finds the bucket of each row, and which rows are late. */
  #placeRows({ homes, endMs }: EvidenceRows, rowCount: number): void {
    const { bucketMs } = this.options;
    const { latest } = this.#homes;
    for (let row = 0; row < rowCount; row++) {
      const home = homes[row] as number;
      this.#bucketOf[row] = noBucket;
      if (home === EvidenceStore.noHome) continue;
      const bucket = Math.floor((endMs[row] as number) / bucketMs);
      assertInvariant(this.#homes.has(home), 'a flow of a home that is not there');
      this.#flows++;
      if (!Number.isSafeInteger(bucket)) {
        this.#undatedFlows++;
        continue;
      }
      if (bucket > (latest[home] as number)) this.#homes.advance(home, bucket);
      if (bucket < (latest[home] as number) - this.#latenessBuckets) this.#lateFlows++;
      else {
        this.#bucketOf[row] = bucket;
        this.#homes.days.count(home, bucket);
        this.#homes.markDirty(home);
      }
    }
  }

  /** Notes that a flow says `#key`. */
  #takeFlow(row: number, classifier: number, { homes, endMs }: EvidenceRows): void {
    const home = homes[row] as number;
    this.#accepted++;
    const bucket = this.#bucketOf[row] as number;
    if (Number.isNaN(bucket)) {
      this.#lateAccepted++;
      return;
    }
    const table = this.#table;
    let entry = this.#findEntry(home, classifier);
    if (entry !== chainEnd && bucket > (table.head[entry] as number)) {
      this.#settlePassing(entry, bucket);
      table.advance(entry, bucket);
    }
    let token = entry === chainEnd ? chainEnd : table.findToken(entry, this.#key);
    if (token === chainEnd) {
      if (!this.#makeRoom(entry, classifier)) return;
      if (entry === chainEnd) entry = this.#createEntry(home, classifier, bucket);
      token = table.addToken(entry, this.#key);
    }
    if (!table.see(entry, token, bucket)) return;
    if (table.dirtyFrom[entry] === clean) {
      this.#dirtyEntries.push(entry);
      table.flowMs[entry] = endMs[row] as number;
    }
    table.dirtyFrom[entry] = Math.min(table.dirtyFrom[entry] as number, bucket);
    table.flowMs[entry] = Math.max(table.flowMs[entry] as number, endMs[row] as number);
    this.#homes.markDirty(home);
  }

  /** Room for one more token of an entry. @returns false when there is none; counted */
  #makeRoom(entry: number, classifier: number): boolean {
    const table = this.#table;
    const tokens = entry === chainEnd ? 0 : table.tokensOf[entry] as number;
    // A fingerprint's own length bounds its tokens.
    const tokensMax = this.#learned[classifier] === undefined ? this.options.tokensMax : Infinity;
    if (tokens < tokensMax && !table.isFull) return true;
    if (tokens === 0) {
      this.#tokensRefused++;
      return false;
    }
    table.evictToken(entry);
    this.#tokensEvicted++;
    return true;
  }

  #findEntry(home: number, classifier: number): number {
    const table = this.#table;
    let entry = this.#homes.firstEntry[home] as number;
    while (entry !== chainEnd && table.classifier[entry] !== classifier) entry = table.next[entry] as number;
    return entry;
  }

  #createEntry(home: number, classifier: number, head: number): number {
    const entry = this.#table.createEntry(home, classifier, head);
    this.#table.next[entry] = this.#homes.firstEntry[home] as number;
    this.#homes.firstEntry[home] = entry;
    return entry;
  }

  /** Gives back entries whose rings hold nothing that a window could still use. */
  #sweep(): void {
    const table = this.#table;
    for (const home of this.#homes.takeAdvanced()) {
      const oldest = (this.#homes.latest[home] as number) - table.ringBits;
      this.#dropEntries(home, (entry) =>
        (table.head[entry] as number) <= oldest && table.dirtyFrom[entry] === clean);
    }
  }

  #dropEntries(home: number, isGone: (entry: number) => boolean): void {
    const table = this.#table;
    let before = chainEnd;
    for (let entry = this.#homes.firstEntry[home] as number; entry !== chainEnd;) {
      const next = table.next[entry] as number;
      if (isGone(entry)) {
        if (before === chainEnd) this.#homes.firstEntry[home] = next;
        else table.next[before] = next;
        table.freeEntry(entry);
      } else before = entry;
      entry = next;
    }
  }

  /**
   * Windows of first-stage classifiers that grew since the last call, in order of time. `evidenceOf` knows them until
   * flows are added.
   */
  takeChanges(): EvidenceChange[] {
    const table = this.#table;
    this.#passedEvidence.clear();
    const changes: EvidenceChange[] = [];
    for (const { change, evidence } of this.#passed) {
      changes.push(change);
      this.#passedEvidence.set(windowKey(change, change.windowEndMs), evidence);
    }
    this.#passed = [];
    for (const entry of this.#dirtyEntries) {
      if (table.dirtyFrom[entry] === clean) continue;
      this.#collectChanges(entry, table.head[entry] as number, (change) => changes.push(change));
      table.dirtyFrom[entry] = clean;
    }
    this.#dirtyEntries.length = 0;
    this.#homes.days.forgetPassed();
    return changes.length < 2 ? changes : changes.sort((a, b) => a.windowEndMs - b.windowEndMs || compareKeys(a, b));
  }

  /** Keeps changes of windows that would have left the rings when somebody asks. */
  #settlePassing(entry: number, bucket: number): void {
    const last = bucket - this.#latenessBuckets - 1;
    if ((this.#table.dirtyFrom[entry] as number) > last) return;
    this.#collectChanges(entry, last, (change, end) => {
      const evidence = this.#describe(entry, end);
      assertInvariant(evidence !== undefined, 'a window grew that holds nothing');
      this.#passed.push({ change, evidence });
    });
  }

  /** All windows from the first that grew on: whether a later one supports a verdict may depend on an earlier one. */
  #collectChanges(entry: number, last: number, take: (change: EvidenceChange, end: number) => void): void {
    const table = this.#table;
    const home = table.home[entry] as number;
    const classifier = this.#classifiers[table.classifier[entry] as number] as EvidenceClassifier;
    if (classifier.stage !== 1) return;
    const weights = this.#learned[table.classifier[entry] as number]?.weights;
    const head = table.head[entry] as number;
    const first = Math.max(table.dirtyFrom[entry] as number, head - this.#latenessBuckets);
    const { bucketMs } = this.options;
    for (let end = first; end <= Math.min(last, head); end++) {
      const measured = measureWindow(table, entry, this.#windowAt(end), weights);
      if (measured === undefined) continue;
      take({
        home: this.#homes.name(home), deviceModel: classifier.deviceModel, classifier: classifier.classifier,
        windowEndMs: (end + 1) * bucketMs, score: measured.score, firstFlowMs: measured.firstBucket * bucketMs,
        flowsADay: this.#homes.days.flowsADay(home, end), flowMs: table.flowMs[entry] as number,
      }, end);
    }
  }

  /**
   * Evidence of a window.
   *
   * @param windowEndMs  a multiple of `bucketMs`; by default the end of the bucket of the home's latest flow
   * @returns undefined when nothing speaks for the device model, or when the window lies so far back that flows of it
   *          would be late, and is no change that was just taken
   */
  evidenceOf(key: EvidenceKey, windowEndMs?: number): Evidence | undefined {
    const home = this.#homes.find(key.home);
    const classifier = this.#classifierIndex.get(nameKey(key.deviceModel, key.classifier));
    if (home === undefined || classifier === undefined) return undefined;
    const latest = this.#homes.latest[home] as number;
    const end = windowEndMs === undefined ? latest : windowEndMs / this.options.bucketMs - 1;
    const passed = windowEndMs === undefined ? undefined : this.#passedEvidence.get(windowKey(key, windowEndMs));
    if (passed !== undefined) return passed;
    const entry = this.#findEntry(home, classifier);
    if (entry === chainEnd || !Number.isSafeInteger(end)) return undefined;
    // The rings of an entry stay as they are until a later flow of it comes: they know more than its home's time says.
    return end < (this.#table.head[entry] as number) - this.#latenessBuckets ? undefined : this.#describe(entry, end);
  }

  #windowAt(end: number): BucketWindow {
    return { end, buckets: this.#windowBuckets };
  }

  #describe(entry: number, end: number): Evidence | undefined {
    const table = this.#table;
    const index = table.classifier[entry] as number;
    const { deviceModel, classifier } = this.#classifiers[index] as EvidenceClassifier;
    const tokens = listTokens(table, entry, this.#windowAt(end), this.#learned[index]);
    if (tokens.length === 0) return undefined;
    const { bucketMs, windowMs } = this.options;
    const windowEndMs = (end + 1) * bucketMs;
    return Object.freeze({
      home: this.#homes.name(table.home[entry] as number), deviceModel, classifier,
      windowStartMs: windowEndMs - windowMs, windowEndMs, score: tokens.reduce((sum, { weight }) => sum + weight, 0),
      tokens,
    });
  }

  /** Evidence of a home as bytes (`evidence-bytes.ts`), the same for the same evidence; undefined: no such home. */
  snapshot(home: string): Uint8Array | undefined {
    const index = this.#homes.find(home);
    if (index === undefined) return undefined;
    const table = this.#table;
    const latest = this.#homes.latest[index] as number;
    const entries: EvidenceParts['entries'][number][] = [];
    for (let entry = this.#homes.firstEntry[index] as number; entry !== chainEnd; entry = table.next[entry] as number) {
      const tokens = table.copyTokens(entry, latest);
      const classifier = this.#classifiers[table.classifier[entry] as number] as EvidenceClassifier;
      if (tokens.length > 0) entries.push({ ...classifier, tokens });
    }
    return writeEvidence({ latestBucket: latest, days: this.#homes.days.keep(index), entries }, this.options);
  }

  /**
   * Takes evidence of a home back, in place of what is there. That of classifiers that are not set is left out, and
   * that of classifiers which have a fingerprint now and had none when it was collected, or the other way round.
   *
   * @returns one sentence when it is refused; nothing has changed then
   */
  restore(home: string, bytes: Uint8Array): string | undefined {
    const parts = readEvidence(bytes, this.options);
    if (typeof parts === 'string') return parts;
    const taken = parts.entries.flatMap(({ deviceModel, classifier, tokens }) => {
      const classifierIndex = this.#classifierIndex.get(nameKey(deviceModel, classifier));
      if (classifierIndex === undefined) return [];
      const tokenCount = this.#learned[classifierIndex]?.weights.length;
      const isLearned = isLearnedToken(tokens[0] as Uint32Array, 0);
      return isLearned === (tokenCount !== undefined) ? [{ classifierIndex, tokenCount, tokens }] : [];
    });
    if (taken.some(({ tokenCount = Infinity, tokens }) =>
      tokenCount !== Infinity && tokens.some(([token = Infinity]) => token >= tokenCount))) {
      return 'The evidence holds a token that the fingerprint of its classifier does not have.';
    }
    const index = this.#homes.intern(home);
    if (index === undefined) return `There are ${this.options.homesMax} homes already, which is as many as may be.`;
    this.#dropEntries(index, () => true);
    this.#homes.advance(index, parts.latestBucket);
    this.#homes.days.restore(index, parts.days, parts.latestBucket);
    for (const { classifierIndex, tokens } of taken) {
      let entry = chainEnd;
      for (const words of tokens) {
        if (!this.#makeRoom(entry, classifierIndex)) break;
        if (entry === chainEnd) entry = this.#createEntry(index, classifierIndex, parts.latestBucket);
        this.#table.restoreToken(entry, words);
      }
    }
    return undefined;
  }

  /** Homes whose snapshots changed since the last call. */
  takeDirtyHomes(): string[] {
    return this.#homes.takeDirty();
  }

  /** Lets `takeDirtyHomes` name a home again, as when its snapshot could not be written. */
  markDirty(home: string): void {
    const index = this.#homes.find(home);
    if (index !== undefined) this.#homes.markDirty(index);
  }

  /** Erases a home. @returns false when there is none of that name */
  forget(home: string): boolean {
    const index = this.#homes.find(home);
    if (index === undefined) return false;
    this.#dropEntries(index, () => true);
    this.#homes.remove(index);
    this.#passed = this.#passed.filter(({ change }) => change.home !== home);
    this.#passedEvidence.clear();
    return true;
  }

  /** Erases homes whose latest flow ended before a time. @returns their names */
  dropIdle(beforeMs: number): string[] {
    const idle = [...this.#homes.indices()].filter((home) =>
      ((this.#homes.latest[home] as number) + 1) * this.options.bucketMs <= beforeMs);
    const names = idle.map((home) => this.#homes.name(home));
    for (const name of names) this.forget(name);
    return names;
  }

  /**
   * Flows of a home on the last whole day before a window, as changes have it; undefined also for windows that lie
   * further back than those that may still change.
   *
   * @param windowEndMs  by default the end of the bucket of the home's latest flow
   */
  flowsADay(home: string, windowEndMs?: number): number | undefined {
    const index = this.#homes.find(home);
    if (index === undefined) return undefined;
    const end = windowEndMs === undefined ? this.#homes.latest[index] as number
      : windowEndMs / this.options.bucketMs - 1;
    return this.#homes.days.flowsADay(index, end);
  }

  homes(): string[] {
    return [...this.#homes.indices()].map((home) => this.#homes.name(home));
  }

  counts(): EvidenceCounts {
    return {
      flows: this.#flows, lateFlows: this.#lateFlows, undatedFlows: this.#undatedFlows, accepted: this.#accepted,
      lateAccepted: this.#lateAccepted, tokensEvicted: this.#tokensEvicted, tokensRefused: this.#tokensRefused,
      homesRefused: this.#homes.refused, homes: this.#homes.count, entries: this.#table.entryCount,
      tokens: this.#table.tokenCount,
    };
  }
}
