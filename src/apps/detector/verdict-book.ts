/**
 * The verdicts of a detector in memory, with what of them is not yet on disk. Decides by `judge` and `expire` alone.
 */
import type { Evidence, EvidenceChange } from '#evidence';
import {
  expire, judge, type DecisionRule, type Verdict, type VerdictOptions, type VerdictState,
} from '#verdict';

/** A verdict that came, changed or went. */
export type VerdictWrite = {
  readonly home: string;
  readonly deviceModel: string;
  /** Undefined: to be dropped. */
  readonly verdict: Verdict | undefined;
};

export class VerdictBook {
  readonly #options: VerdictOptions;
  /** By home, then by device model. */
  readonly #verdicts = new Map<string, Map<string, Verdict>>();
  readonly #unsaved = new Map<string, Set<string>>();

  constructor(options: VerdictOptions) {
    this.#options = options;
  }

  /** Takes over verdicts of an earlier run. */
  restore(verdicts: Iterable<Verdict>): void {
    for (const verdict of verdicts) this.#put(verdict);
  }

  find(home: string, deviceModel: string): Verdict | undefined {
    return this.#verdicts.get(home)?.get(deviceModel);
  }

  ofHome(home: string): readonly Verdict[] {
    return [...this.#verdicts.get(home)?.values() ?? []];
  }

  *all(): Generator<Verdict, void, void> {
    for (const ofHome of this.#verdicts.values()) yield* ofHome.values();
  }

  /** Homes with verdicts. */
  homes(): string[] {
    return [...this.#verdicts.keys()];
  }

  countByState(): Record<VerdictState, number> {
    const counts = { present: 0, 'not yet': 0 };
    for (const { state } of this.all()) counts[state]++;
    return counts;
  }

  /**
   * Judges a window whose evidence grew.
   *
   * @param evidence  of that window; asked for only when the verdict becomes `present`
   * @param rule      of the classifier, for windows of that time
   * @returns the new verdict if its state changed
   */
  apply(change: EvidenceChange, evidence: () => Evidence, rule: DecisionRule): Verdict | undefined {
    const previous = this.find(change.home, change.deviceModel);
    const verdict = judge(previous, change, this.#options, evidence, rule);
    if (verdict === undefined) return undefined;
    this.#change(verdict);
    return verdict.state === (previous?.state ?? 'not yet') ? undefined : verdict;
  }

  /** Verdicts whose time is over. */
  expire(nowMs: number): Verdict[] {
    const expired: Verdict[] = [];
    for (const verdict of this.all()) {
      const changed = expire(verdict, nowMs, this.#options);
      if (changed !== undefined) expired.push(changed);
    }
    for (const verdict of expired) this.#change(verdict);
    return expired;
  }

  /**
   * Drops verdicts that are not `present` and were not supported since a time.
   *
   * @param isNeeded  of a home: actions of its episodes are remembered, so that their numbers must not come again
   */
  prune(beforeMs: number, isNeeded: (home: string) => boolean): void {
    const old: Verdict[] = [];
    for (const verdict of this.all()) {
      const isOld = verdict.state !== 'present' && verdict.supportedMs < beforeMs && verdict.sinceMs < beforeMs;
      if (isOld && !isNeeded(verdict.home)) old.push(verdict);
    }
    for (const { home, deviceModel } of old) {
      this.#remove(home, deviceModel);
      this.#note(home, deviceModel);
    }
  }

  /** Drops all verdicts on a home; nothing is left to be written. */
  forget(home: string): boolean {
    this.#unsaved.delete(home);
    return this.#verdicts.delete(home);
  }

  /** What is to be written, and keeps it as unsaved until `markSaved`. */
  unsaved(): VerdictWrite[] {
    return [...this.#unsaved].flatMap(([home, models]) =>
      [...models].map((deviceModel) => ({ home, deviceModel, verdict: this.find(home, deviceModel) })));
  }

  markSaved(): void {
    this.#unsaved.clear();
  }

  #change(verdict: Verdict): void {
    this.#put(verdict);
    this.#note(verdict.home, verdict.deviceModel);
  }

  #put(verdict: Verdict): void {
    const ofHome = this.#verdicts.get(verdict.home);
    if (ofHome === undefined) this.#verdicts.set(verdict.home, new Map([[verdict.deviceModel, verdict]]));
    else ofHome.set(verdict.deviceModel, verdict);
  }

  #remove(home: string, deviceModel: string): void {
    const ofHome = this.#verdicts.get(home);
    ofHome?.delete(deviceModel);
    if (ofHome?.size === 0) this.#verdicts.delete(home);
  }

  #note(home: string, deviceModel: string): void {
    const models = this.#unsaved.get(home);
    if (models === undefined) this.#unsaved.set(home, new Set([deviceModel]));
    else models.add(deviceModel);
  }
}
