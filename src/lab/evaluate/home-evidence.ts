/**
 * Evidence and verdicts of one home by their definitions (docs/evidence.md), over all of its flows at once: no ring, no
 * stream, no state. What a detector finds out as flows come must be this, to the last byte.
 */
import { assertInvariant, limits, OperatorError } from '#base';
import type { Evidence, EvidenceClassifier, EvidenceOptions, EvidenceToken } from '#evidence';
import type { FlowBatch } from '#flow';
import { noVerdict, type DecisionRule, type Verdict, type VerdictOptions } from '#verdict';
import { describeToken, findShownToken } from './home-evidence-tokens.ts';

export type HomeEvidenceOptions = {
  readonly home: string;
  readonly evidence: Pick<EvidenceOptions, 'windowMs' | 'bucketMs' | 'latenessMs'>;
  readonly verdict: VerdictOptions;
};

const dayMs = 86_400_000;

export type HomeClassifier = Pick<EvidenceClassifier, 'deviceModel' | 'classifier' | 'fingerprint'> & {
  /** What decides on windows that end then; needed by the policy `calibrated`. */
  readonly ruleAt?: (windowEndMs: number) => DecisionRule;
};

/** A flow that is evidence for a classifier. */
type SayingFlow = { readonly bucket: number; readonly token: string };

/** A verdict and all that came before it. */
export type HomeVerdict = {
  readonly deviceModel: string;
  /** As of the home's latest flow. */
  readonly verdict: Verdict;
  /** The verdict of each episode as it was at its end, or is. */
  readonly episodes: readonly Verdict[];
};

export type HomeFlowCounts = {
  /** Flows of the home. */
  readonly flows: number;
  /** Those that came too late to be evidence. */
  readonly lateFlows: number;
  /** Those whose end is no time. */
  readonly undatedFlows: number;
  /** [classifier] accepted, or where it has a fingerprint: showing a token. Late and undated ones among them. */
  readonly accepted: readonly number[];
};

export class HomeFlows {
  readonly #options: HomeEvidenceOptions;
  readonly #classifiers: readonly HomeClassifier[];
  readonly #accepted: readonly SayingFlow[][];
  readonly #acceptedCounts: number[];
  /** One text for each token, however often it is seen. */
  readonly #texts = new Map<string, string>();
  readonly #flowsMax: number;
  #held = 0;
  #flows = 0;
  #lateFlows = 0;
  #undatedFlows = 0;
  #latestBucket = -Infinity;
  #latestMs = -Infinity;
  /** Flows that are not late, by day of their bucket. */
  readonly #flowsOfDay = new Map<number, number>();

  constructor(classifiers: readonly HomeClassifier[], options: HomeEvidenceOptions,
    { flowsMax = limits.labEvidenceFlowsMax } = {}) {
    this.#options = options;
    this.#classifiers = classifiers;
    this.#accepted = classifiers.map(() => []);
    this.#acceptedCounts = classifiers.map(() => 0);
    this.#flowsMax = flowsMax;
  }

  /**
   * Takes in flows in the order in which they came.
   *
   * @param isOfHome    of a row: is the flow one of the home's?
   * @param isAccepted  [classifier][row]
   * @param isRefused   [classifier][row]: 1 where a second stage says that a flow which shows a token is another's
   * @throws OperatorError  more flows of evidence than memory is for
   */
  add(batch: FlowBatch, isOfHome: (row: number) => boolean, isAccepted: readonly Uint8Array[],
    isRefused: readonly (Uint8Array | undefined)[] = []): void {
    const { bucketMs, latenessMs } = this.#options.evidence;
    for (let row = 0; row < batch.rowCount; row++) {
      if (!isOfHome(row)) continue;
      const endMs = batch.columns.flowEndMilliseconds[row] as number;
      const bucket = Math.floor(endMs / bucketMs);
      const isDated = Number.isSafeInteger(bucket);
      if (isDated) {
        this.#latestBucket = Math.max(this.#latestBucket, bucket);
        this.#latestMs = Math.max(this.#latestMs, endMs);
      }
      this.#flows++;
      const isLate = isDated && bucket < this.#latestBucket - latenessMs / bucketMs;
      if (isLate) this.#lateFlows++;
      if (!isDated) this.#undatedFlows++;
      if (isDated && !isLate) {
        const day = Math.floor(bucket * bucketMs / dayMs);
        this.#flowsOfDay.set(day, (this.#flowsOfDay.get(day) ?? 0) + 1);
      }
      for (const [i, accepted] of isAccepted.entries()) {
        const token = this.#tokenOf(i, batch, row, accepted[row] === 1);
        if (token === undefined || isRefused[i]?.[row] === 1) continue;
        this.#acceptedCounts[i] = (this.#acceptedCounts[i] as number) + 1;
        if (isDated && !isLate) this.#keep(i, { bucket, token });
      }
    }
  }

  /** What a row says to a classifier; undefined: nothing. */
  #tokenOf(classifier: number, batch: FlowBatch, row: number, isAccepted: boolean): string | undefined {
    const fingerprint = this.#classifiers[classifier]?.fingerprint;
    if (fingerprint !== undefined) return findShownToken(batch, row, isAccepted, fingerprint)?.text;
    return isAccepted ? describeToken(batch, row) : undefined;
  }

  #keep(classifier: number, { bucket, token }: SayingFlow): void {
    if (++this.#held > this.#flowsMax) {
      throw new OperatorError('bad-option', `More than ${this.#flowsMax} flows are accepted or show a token, ` +
        'which is as many as are held at once: take a shorter time or fewer classifiers.');
    }
    let text = this.#texts.get(token);
    if (text === undefined) this.#texts.set(token, text = token);
    this.#accepted[classifier]?.push({ bucket, token: text });
  }

  counts(): HomeFlowCounts {
    return {
      flows: this.#flows, lateFlows: this.#lateFlows, undatedFlows: this.#undatedFlows,
      accepted: [...this.#acceptedCounts],
    };
  }

  /** Evidence of a window, by default the one that ends with the latest flow's bucket; undefined: there is none. */
  evidenceOf(classifier: number, windowEndMs?: number): Evidence | undefined {
    const { bucketMs } = this.#options.evidence;
    const end = windowEndMs === undefined ? this.#latestBucket : windowEndMs / bucketMs - 1;
    return this.#describeWindow(classifier, this.#accepted[classifier] ?? [], end);
  }

  /** The evidence of a window ending with bucket `end`: the distinct tokens of flows that ended in it. */
  #describeWindow(classifier: number, flows: readonly SayingFlow[], end: number): Evidence | undefined {
    const { home, evidence: { windowMs, bucketMs } } = this.#options;
    const bucketsOf = new Map<string, Set<number>>();
    for (const { bucket, token } of flows) {
      if (bucket <= end - windowMs / bucketMs || bucket > end) continue;
      const buckets = bucketsOf.get(token);
      if (buckets === undefined) bucketsOf.set(token, new Set([bucket]));
      else buckets.add(bucket);
    }
    if (bucketsOf.size === 0) return undefined;
    const { deviceModel, classifier: digest, fingerprint } = this.#classifiers[classifier] as HomeClassifier;
    const weightOf = (text: string): number =>
      fingerprint?.tokens.find((token) => token.text === text)?.weight ?? 1;
    const tokens: EvidenceToken[] = [...bucketsOf.keys()].sort()
      .map((text) => ({ text, weight: weightOf(text), buckets: bucketsOf.get(text)?.size ?? 0 }));
    const windowEndMs = (end + 1) * bucketMs;
    const score = tokens.reduce((sum, { weight }) => sum + weight, 0);
    return {
      home, deviceModel, classifier: digest, windowStartMs: windowEndMs - windowMs, windowEndMs, score, tokens,
    };
  }

  /**
   * Flows of the home on the last whole day (UTC) that had ended a lateness or more before the window's last bucket
   * began; undefined when the home was first seen on that day or later, or had no flow on it.
   */
  flowsADay(windowEndMs: number): number | undefined {
    const { bucketMs, latenessMs } = this.#options.evidence;
    let day = Math.floor(windowEndMs / dayMs);
    while ((day + 1) * dayMs > windowEndMs - bucketMs - latenessMs) day--;
    return [...this.#flowsOfDay.keys()].some((earlier) => earlier < day) ? this.#flowsOfDay.get(day) : undefined;
  }

  /** The verdicts on all device models, in the order of the classifiers, as of the latest flow. */
  verdicts(): HomeVerdict[] {
    return [...new Set(this.#classifiers.map(({ deviceModel }) => deviceModel))].map((deviceModel) =>
      this.#judge(deviceModel));
  }

  /** Goes through all windows in order of time, of one time by the digests of the classifiers. */
  #judge(deviceModel: string): HomeVerdict {
    const { home, verdict: { expiryMs } } = this.#options;
    const members = [...this.#classifiers.entries()].filter(([, name]) => name.deviceModel === deviceModel);
    const windows = members.flatMap(([i]) => this.windowsOf(i)).sort((a, b) =>
      a.windowEndMs - b.windowEndMs || (a.classifier < b.classifier ? -1 : 1));
    const episodes: Verdict[] = [];
    let verdict = noVerdict({ home, deviceModel, classifier: members[0]?.[1].classifier ?? '' });
    const expire = (nowMs: number): void => {
      if (verdict.state === 'present' && nowMs >= verdict.supportedMs + expiryMs) {
        verdict = { ...verdict, state: 'not yet', sinceMs: verdict.supportedMs + expiryMs };
        episodes[episodes.length - 1] = verdict;
      }
    };
    for (const window of windows) {
      expire(window.windowEndMs);
      if (verdict.state === 'present') {
        if (this.#isSupport(window)) verdict = { ...verdict, supportedMs: window.windowEndMs };
      } else if (this.#isStrong(window)) {
        verdict = this.#begin(window, verdict.episode + 1);
        episodes.push(verdict);
      }
      if (verdict.state === 'present') episodes[episodes.length - 1] = verdict;
    }
    expire(this.#latestMs);
    return { deviceModel, verdict, episodes };
  }

  #isStrong(window: Evidence): boolean {
    const { policy, presentScore } = this.#options.verdict;
    const rule = this.#ruleOf(window);
    return policy === 'single-flow' ||
      window.score >= (rule?.presentScoreOf(this.flowsADay(window.windowEndMs)) ?? presentScore);
  }

  #isSupport(window: Evidence): boolean {
    const { policy, keepScore } = this.#options.verdict;
    const rule = this.#ruleOf(window);
    return policy === 'single-flow' ||
      window.score >= (rule?.keepScoreOf(this.flowsADay(window.windowEndMs)) ?? keepScore);
  }

  /** Undefined: the same scores decide on all windows. */
  #ruleOf({ deviceModel, classifier, windowEndMs }: Evidence): DecisionRule | undefined {
    if (this.#options.verdict.policy !== 'calibrated') return undefined;
    const found = this.#classifiers.find((name) => name.deviceModel === deviceModel && name.classifier === classifier);
    assertInvariant(found?.ruleAt !== undefined, 'a calibrated verdict is judged without a rule');
    return found.ruleAt(windowEndMs);
  }

  #begin(window: Evidence, episode: number): Verdict {
    const { home, evidence: { bucketMs } } = this.#options;
    const { deviceModel, classifier, windowStartMs, windowEndMs } = window;
    const index = this.#classifiers.findIndex((name) =>
      name.deviceModel === deviceModel && name.classifier === classifier);
    const starts = (this.#accepted[index] ?? []).map(({ bucket }) => bucket * bucketMs)
      .filter((startMs) => startMs >= windowStartMs && startMs < windowEndMs);
    const firstFlowMs = starts.reduce((first, startMs) => Math.min(first, startMs), Infinity);
    const rule = this.#ruleOf(window);
    const p = rule?.pValueOf(window.score, this.flowsADay(windowEndMs));
    return {
      home, deviceModel, classifier, state: 'present', episode, sinceMs: windowEndMs, firstFlowMs,
      supportedMs: windowEndMs, evidence: window,
      ...p !== undefined && { p },
      ...rule !== undefined && rule.group.length > 0 && { group: rule.group },
    };
  }

  /** The windows that end with a bucket in which a flow of evidence ended, in order of time. */
  windowsOf(classifier: number): Evidence[] {
    const { evidence: { windowMs, bucketMs } } = this.#options;
    const flows = [...this.#accepted[classifier] ?? []].sort((a, b) => a.bucket - b.bucket);
    const windows: Evidence[] = [];
    // `first` is the first flow that is not too old; what comes behind the window is left out by its description.
    for (let first = 0, last = 0; last < flows.length; last++) {
      const end = (flows[last] as SayingFlow).bucket;
      if (flows[last + 1]?.bucket === end) continue;
      while ((flows[first] as SayingFlow).bucket <= end - windowMs / bucketMs) first++;
      const window = this.#describeWindow(classifier, flows.slice(first, last + 1), end);
      if (window !== undefined) windows.push(window);
    }
    return windows;
  }
}
