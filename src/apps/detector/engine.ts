/**
 * The detector's heart: named batches of flows in, verdicts and planned actions out. It has no socket and no clock of
 * its own; the live detector, the replay and the simulations run this very code.
 */
import { assertInvariant, EnvironmentError, limits } from '#base';
import type { PlannedAction, VerificationAnswer } from '#action';
import {
  EvidenceStore, IndicatorMatcher, noToken, TokenFinder, type Evidence, type EvidenceChange,
} from '#evidence';
import { BatchSplitter, type FlowBatch } from '#flow';
import { acceptScores, chooseThreshold, Scorer } from '#score';
import { fingerprintFor, nullBinOf, type Verdict } from '#verdict';
import type { ActionDesk } from './action-desk.ts';
import { ClassifierDesk } from './classifier-desk.ts';
import type { LoadedClassifier } from './classifier-folder.ts';
import type { DetectorConfig } from './config/detector-config.ts';
import { DriftWatch } from './drift-watch.ts';
import { FieldSketch } from './field-sketch.ts';
import { HomeMapper } from './homes.ts';
import type { StateStore } from './state-store.ts';
import type { SavedTime } from './steady-clock.ts';
import { VerdictBook } from './verdict-book.ts';

export type EngineEvent =
  | { readonly name: 'verdict'; readonly verdict: Verdict }
  | { readonly name: 'planned'; readonly action: PlannedAction }
  | { readonly name: 'state-unwritable'; readonly detail: string }
  | { readonly name: 'state-writable' };

export type EngineParts = {
  readonly config: DetectorConfig;
  readonly store: StateStore;
  readonly desk: ActionDesk;
  /** Steady time. */
  readonly nowMs: () => number;
  /** What a restart needs to go on with the same timeline. */
  readonly saveTime: () => SavedTime;
  readonly onEvent: (event: EngineEvent) => void;
  /**
   * Rows that are scored together, and windows judged after. Fewer take less memory, but windows of late flows are then
   * looked at more often on the way to what they hold in the end.
   */
  readonly batchRows?: number;
};

/** When a batch came, on both timelines. */
export type Arrival = {
  readonly steadyMs: number;
  /** Wall clock minus steady time. */
  readonly offsetMs: number;
};

export type EngineCounts = {
  readonly flows: number;
  /** Flows whose end lay too far from their arrival, which was believed instead. */
  readonly flowsMisdated: number;
  /** [classifier] flows of homes that are evidence for it, since it is in use: accepted, or showing a token. */
  readonly flowsAccepted: readonly number[];
  readonly indicatorHits: number;
};

export class DetectorEngine {
  readonly evidence: EvidenceStore;
  readonly book: VerdictBook;
  readonly mapper: HomeMapper;
  readonly decisions: ClassifierDesk;
  readonly sketch: FieldSketch;
  readonly #parts: EngineParts;
  readonly #indicators: IndicatorMatcher;
  readonly #batchRows: number;
  readonly #splitter: BatchSplitter;
  readonly #drift = new DriftWatch();
  readonly #homes: Uint32Array;
  readonly #endMs: Float64Array;
  #classifiers: readonly LoadedClassifier[] = [];
  #thresholds: readonly number[] = [];
  #scorer = new Scorer([]);
  #finder: TokenFinder;
  #isAccepted: readonly Uint8Array[] = [];
  #accepted = new Float64Array(0);
  #flowCount = 0;
  #misdatedCount = 0;
  #hitCount = 0;
  #planDueMs = -Infinity;
  /** Homes that the round of plans under way has not come to. */
  #homesToPlan: string[] = [];
  /** Homes that something is to be planned for. */
  readonly #changedHomes = new Set<string>();
  /** Verdicts that changed since the last write. */
  readonly #untold: Verdict[] = [];
  #isRestored = false;
  #stateFault: string | undefined;
  /** Remains of a home that was forgotten are still in the file of the state. */
  #hasRemains = false;
  #nextRewriteMs: number | undefined;

  /** Takes over what the store kept of an earlier run. */
  constructor(parts: EngineParts) {
    const { config, store } = parts;
    this.#parts = parts;
    this.#batchRows = parts.batchRows ?? batchRowsDefault;
    this.#splitter = new BatchSplitter(this.#batchRows);
    this.#homes = new Uint32Array(this.#batchRows);
    this.#endMs = new Float64Array(this.#batchRows);
    this.#finder = new TokenFinder([], this.#batchRows);
    this.evidence = new EvidenceStore(config.evidence);
    this.book = new VerdictBook(config.verdict);
    this.mapper = new HomeMapper(config.homes, this.evidence);
    this.decisions = new ClassifierDesk(config.verdict, config.falseAlarms);
    this.sketch = new FieldSketch({ latenessMs: config.evidence.latenessMs });
    for (const [digest, counts] of store.sketches()) this.sketch.restore(digest, counts);
    for (const digest of store.driftedClassifiers()) this.decisions.setDrifted(digest, true);
    this.#indicators = new IndicatorMatcher(config.indicators);
    this.book.restore(store.verdicts());
  }

  /** Why the state cannot be written; undefined while it can. */
  get stateFault(): string | undefined {
    return this.#stateFault;
  }

  get classifiers(): readonly LoadedClassifier[] {
    return this.#classifiers;
  }

  /** Scores with these from the next batch on; evidence of those that stay is kept. */
  setClassifiers(classifiers: readonly LoadedClassifier[]): void {
    this.#classifiers = classifiers;
    const values = classifiers.map(({ classifier }) => classifier);
    this.#scorer = new Scorer(values, { batchRows: this.#batchRows });
    this.#thresholds = values.map(({ thresholds }) =>
      chooseThreshold(thresholds, this.#parts.config.classifiers.threshold));
    this.#isAccepted = values.map(() => new Uint8Array(this.#batchRows));
    this.#accepted = new Float64Array(values.length);
    this.decisions.setClassifiers(classifiers);
    const { verdict } = this.#parts.config;
    const fingerprints = classifiers.map((loaded) => fingerprintFor(verdict, loaded));
    this.#finder = new TokenFinder(classifiers.map(({ classifier, secondStage }, i) =>
      ({ classifier, secondStage, fingerprint: fingerprints[i] })), this.#batchRows);
    this.evidence.setClassifiers(this.decisions.evidenceClassifiers());
    this.sketch.setClassifiers(classifiers.map(({ digest, stage }, i) =>
      (stage === 1 && fingerprints[i] !== undefined ? digest : undefined)));
    if (classifiers.length > 0 && !this.#isRestored) this.#restoreEvidence();
  }

  /** Evidence of classifiers that are no more is left out, so that it waits for the first ones. */
  #restoreEvidence(): void {
    const { store } = this.#parts;
    this.#isRestored = true;
    for (const { home, evidence } of store.evidence()) {
      const fault = this.evidence.restore(home, evidence);
      if (fault !== undefined) store.damagedRows++;
    }
    this.evidence.takeDirtyHomes();
  }

  /**
   * Takes in flows; verdicts follow at once.
   *
   * @param batch    named; read only
   * @param arrival  undefined: flows of a file, whose own times are believed
   */
  accept(batch: FlowBatch, arrival: Arrival | undefined): void {
    for (const piece of this.#splitter.split(batch)) this.#acceptRows(piece, arrival);
  }

  #acceptRows(batch: FlowBatch, arrival: Arrival | undefined): void {
    this.#flowCount += batch.rowCount;
    this.mapper.map(batch, this.#homes);
    this.#placeInTime(batch, arrival);
    const { anomalyScore } = this.#scorer.score(batch);
    for (let i = 0; i < this.#classifiers.length; i++) {
      const isAccepted = this.#isAccepted[i] as Uint8Array;
      acceptScores(anomalyScore[i] as Float64Array, batch.rowCount, this.#thresholds[i] as number, isAccepted);
    }
    const { tokens } = this.#finder.find(batch, this.#isAccepted);
    this.#countEvidence(batch.rowCount, tokens);
    this.evidence.add(batch, { homes: this.#homes, endMs: this.#endMs, isAccepted: this.#isAccepted, tokens });
    this.#noteIndicators(batch);
    this.#seeHomes(batch.rowCount);
    for (const change of this.evidence.takeChanges()) {
      this.sketch.note(change);
      this.#judge(change);
    }
    if (this.#changedHomes.size > 0) this.#settle(this.#changedHomes);
  }

  /** Counts flows of homes that are evidence for a classifier. */
  #countEvidence(rowCount: number, tokens: readonly (Uint32Array | undefined)[]): void {
    for (let i = 0; i < this.#classifiers.length; i++) {
      const isAccepted = this.#isAccepted[i] as Uint8Array;
      const shown = tokens[i];
      let count = 0;
      for (let row = 0; row < rowCount; row++) {
        if (this.#homes[row] === EvidenceStore.noHome) continue;
        if (shown === undefined ? isAccepted[row] === 1 : shown[row] !== noToken) count++;
      }
      this.#accepted[i] = (this.#accepted[i] as number) + count;
    }
  }

  /** Says to the sketch whose flows these are. */
  #seeHomes(rowCount: number): void {
    for (let row = 0; row < rowCount; row++) {
      const home = this.#homes[row] as number;
      if (home !== EvidenceStore.noHome) this.sketch.see(this.evidence.homeName(home), this.#endMs[row] as number);
    }
  }

  /** Steady times of the flows' ends; a clock that is far off is not believed. */
  #placeInTime({ columns: { flowEndMilliseconds }, rowCount }: FlowBatch, arrival: Arrival | undefined): void {
    const offsetMs = arrival?.offsetMs ?? 0;
    for (let row = 0; row < rowCount; row++) this.#endMs[row] = (flowEndMilliseconds[row] as number) - offsetMs;
    if (arrival === undefined) return;
    const { steadyMs } = arrival;
    const { clockSkewMs } = this.#parts.config.input;
    for (let row = 0; row < rowCount; row++) {
      // Also where the end is no number.
      if (Math.abs((this.#endMs[row] as number) - steadyMs) <= clockSkewMs) continue;
      this.#endMs[row] = steadyMs;
      this.#misdatedCount++;
    }
  }

  #noteIndicators(batch: FlowBatch): void {
    if (this.#indicators.isEmpty) return;
    const hits = this.#indicators.match(batch, { homes: this.#homes, endMs: this.#endMs },
      (index) => this.evidence.homeName(index));
    this.#hitCount += hits.length;
    this.#parts.desk.noteHits(hits);
    for (const { home } of hits) this.#changedHomes.add(home);
  }

  #judge(change: EvidenceChange): void {
    const rule = this.decisions.ruleAt(change.classifier, this.toWall(change.windowEndMs));
    const verdict = this.book.apply(change, () => this.#evidenceOf(change), rule);
    if (verdict === undefined) return;
    this.#changedHomes.add(verdict.home);
    this.#untold.push(verdict);
  }

  /** A steady time by the wall clock, which calibrations expire by. */
  toWall(steadyMs: number): number {
    return steadyMs + this.#parts.saveTime().offsetMs;
  }

  #evidenceOf(change: EvidenceChange): Evidence {
    const evidence = this.evidence.evidenceOf(change, change.windowEndMs);
    assertInvariant(evidence !== undefined, 'evidence grew that is not there');
    return evidence;
  }

  /** What the second classifier says of the window that led to a verdict. */
  secondOpinion(home: string, deviceModel: string): VerificationAnswer {
    const verdict = this.book.find(home, deviceModel);
    const second = this.#classifiers.find(({ stage, classifier }) =>
      stage === 2 && classifier.deviceModel === deviceModel);
    if (verdict?.evidence === undefined || second === undefined) return 'unsure';
    const rule = this.decisions.ruleAt(second.digest, this.toWall(this.#parts.nowMs()));
    const key = { home, deviceModel, classifier: second.digest };
    const scores = [this.evidence.evidenceOf(key, verdict.evidence.windowEndMs), this.evidence.evidenceOf(key)]
      .map((evidence) => evidence?.score ?? 0);
    const score = Math.max(...scores);
    if (score >= rule.presentScoreOf(undefined)) return 'confirmed';
    // Of one that must not decide nothing follows.
    return score < rule.keepScoreOf(undefined) && rule.keepScoreOf(undefined) < Infinity ? 'refuted' : 'unsure';
  }

  /** Time goes by: verdicts expire, plans fall due, homes are given up. Call it every few seconds. */
  tick(): void {
    const nowMs = this.#parts.nowMs();
    this.#settleDays(nowMs);
    for (const verdict of this.book.expire(nowMs)) {
      this.#changedHomes.add(verdict.home);
      this.#untold.push(verdict);
    }
    if (nowMs >= this.#planDueMs) {
      this.#planDueMs = nowMs + planEveryMs;
      this.#homesToPlan = this.book.homes();
    }
    // A few homes at a time: thousands at once would hold up flows, and take memory that stays taken.
    for (const home of this.#homesToPlan.splice(-homesPerTick)) this.#changedHomes.add(home);
    if (this.#changedHomes.size > 0 || this.#stateFault !== undefined) this.#settle(this.#changedHomes);
  }

  /** Counts days of homes that are over, and looks whether device models that were found still show themselves. */
  #settleDays(nowMs: number): void {
    this.sketch.settle(nowMs, (home, day, binOf) => {
      for (const { state, sinceMs, classifier, p } of this.book.ofHome(home)) {
        const floor = this.decisions.ownFloorOf(classifier);
        const bin = binOf(classifier);
        const isKnown = state === 'present' && p !== undefined && sinceMs <= day * 86_400_000;
        if (isKnown && floor !== undefined && bin !== undefined) this.#drift.note(classifier, bin < nullBinOf(floor));
      }
    });
    for (const { digest, isDrifted } of this.#drift.look()) this.decisions.setDrifted(digest, isDrifted);
  }

  /** Plans for some homes: something was done about them. */
  planFor(homes: Iterable<string>): void {
    for (const home of homes) this.#changedHomes.add(home);
    if (this.#changedHomes.size > 0) this.#settle(this.#changedHomes);
  }

  /** Plans for all homes at once; ticks do it a few homes at a time. */
  planAll(): void {
    this.#planDueMs = this.#parts.nowMs() + planEveryMs;
    this.#homesToPlan = [];
    this.#settle(undefined);
  }

  /** Writes verdicts that changed and what is planned about these homes, together or not at all. */
  #settle(homes: ReadonlySet<string> | undefined): void {
    const { desk, onEvent } = this.#parts;
    const nowMs = this.#parts.nowMs();
    let planned: readonly PlannedAction[] = [];
    const isWritten = this.#write(() => {
      this.#saveVerdicts(nowMs);
      planned = desk.plan(this.book, nowMs, homes);
    });
    // Only now: what was told is known after a kill, too, but where the disk does not take it.
    for (const verdict of this.#untold.splice(0)) onEvent({ name: 'verdict', verdict });
    if (!isWritten) return;
    this.book.markSaved();
    this.#changedHomes.clear();
    for (const action of planned) onEvent({ name: 'planned', action });
  }

  #saveVerdicts(nowMs: number): void {
    const { store } = this.#parts;
    const homes = new Set<string>();
    for (const { home, deviceModel, verdict } of this.book.unsaved()) {
      if (verdict === undefined) store.dropVerdict(home, deviceModel);
      else store.saveVerdict(verdict);
      homes.add(home);
    }
    if (this.#isRestored) for (const home of homes) this.#saveEvidence(home, nowMs);
  }

  #saveEvidence(home: string, nowMs: number): void {
    const { store } = this.#parts;
    const snapshot = this.evidence.snapshot(home);
    if (snapshot === undefined) store.dropEvidence(home);
    else store.saveEvidence(home, snapshot, nowMs);
  }

  /** Writes all that changed, and drops what is too old. @returns whether it could be written */
  checkpoint(): boolean {
    const { store, config, desk, nowMs: readNow } = this.#parts;
    const nowMs = readNow();
    const idle = this.evidence.dropIdle(nowMs - config.retention.homesMs);
    this.book.prune(nowMs - config.retention.verdictsMs, (home) => desk.remembers(home));
    // What an earlier run kept waits for the classifiers that it is about: until then it is not written over.
    const homes = this.#isRestored ? this.evidence.takeDirtyHomes() : [];
    const isWritten = this.#write(() => {
      this.#saveVerdicts(nowMs);
      for (const home of homes) this.#saveEvidence(home, nowMs);
      for (const home of idle) store.dropEvidence(home);
      store.saveTime(this.#parts.saveTime());
      store.saveDriftedClassifiers(this.decisions.drifted());
      for (const [digest, counts] of this.sketch.unsaved()) store.saveSketch(digest, counts, nowMs);
      store.dropSketches(nowMs - config.retention.verdictsMs, this.#classifiers.map(({ digest }) => digest));
      desk.prune(this.book, nowMs);
    });
    if (isWritten) this.#overwriteRemains(nowMs);
    if (isWritten) this.sketch.markSaved();
    if (isWritten) this.book.markSaved();
    else for (const home of homes) this.evidence.markDirty(home);
    return isWritten;
  }

  /** Of a home that was forgotten, as soon as it can be; of what grew too old, now and then. */
  #overwriteRemains(nowMs: number): void {
    const { store } = this.#parts;
    this.#nextRewriteMs ??= nowMs + rewriteEveryMs;
    const isTime = nowMs >= this.#nextRewriteMs;
    if (isTime) this.#nextRewriteMs = nowMs + rewriteEveryMs;
    if (this.#hasRemains) this.#hasRemains = !store.rewrite();
    else if (isTime && store.bytes() <= limits.stateRewriteBytesMax) store.rewrite();
    else if (isTime) store.emptyJournal();
  }

  /** @returns false when the disk does not take it; said once, tried again with the next write */
  #write(write: () => void): boolean {
    const { store, onEvent } = this.#parts;
    try {
      store.transaction(write);
    } catch (thrown) {
      if (!(thrown instanceof EnvironmentError)) throw thrown;
      if (this.#stateFault === undefined) onEvent({ name: 'state-unwritable', detail: thrown.message });
      this.#stateFault = thrown.message;
      return false;
    }
    if (this.#stateFault !== undefined) onEvent({ name: 'state-writable' });
    this.#stateFault = undefined;
    return true;
  }

  /**
   * Erases a home everywhere.
   *
   * @returns false: the file of the state could not be written anew; remains of the home are in it until a checkpoint
   * can
   * @throws EnvironmentError  `disk`: it is as known as before
   */
  forget(home: string): boolean {
    const { store, desk } = this.#parts;
    store.transaction(() => {
      store.forget(home);
      desk.forget(home, this.#parts.nowMs());
    });
    this.evidence.forget(home);
    this.mapper.forget(home);
    this.sketch.forget(home);
    this.#indicators.forget(home);
    this.#changedHomes.delete(home);
    this.book.forget(home);
    store.pseudonyms.forget(home);
    this.#hasRemains = !store.rewrite();
    return !this.#hasRemains;
  }

  counts(): EngineCounts {
    return {
      flows: this.#flowCount, flowsMisdated: this.#misdatedCount, flowsAccepted: [...this.#accepted],
      indicatorHits: this.#hitCount,
    };
  }
}

const batchRowsDefault = 1_024;
/** Homes that are planned for in one tick, when nothing happened in them. */
const homesPerTick = 64;
/** Between two looks at what is due: a notice that waits ten minutes may wait one longer. */
const planEveryMs = 60_000;
/** Rows that grew too old are overwritten when they go, and what SQLite left of them elsewhere at least so often. */
const rewriteEveryMs = 86_400_000;
