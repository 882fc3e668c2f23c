/**
 * What a detector finds out of flows as they come (matcher, store, judge), and what the lab's definitions say of the
 * same flows, in one form: texts that must be equal, to the byte.
 */
import assert from 'node:assert/strict';
import {
  EvidenceStore, FingerprintMatcher, type EvidenceClassifier, type EvidenceCounts, type EvidenceOptions,
} from '#evidence';
import { HomeFlows } from '../../src/lab/evaluate/home-evidence.ts';
import { expire, judge, type DecisionRule, type Verdict, type VerdictOptions } from '#verdict';
import { rowsOf, type HomeFlow } from './home-flows.ts';

export type EvidenceWorld = {
  readonly classifiers: readonly EvidenceClassifier[];
  readonly evidence: Pick<EvidenceOptions, 'windowMs' | 'bucketMs' | 'latenessMs'>;
  readonly homeCount: number;
  /** Does the second stage of every fingerprint refuse the flow? */
  readonly isRefused?: (flow: HomeFlow) => boolean;
  /** What decides on windows of every classifier; needed by the policy `calibrated`. */
  readonly rule?: DecisionRule;
};

/** How flows come, and when somebody looks. */
export type Pace = {
  /** Rows of batches, again and again. */
  readonly sizes: readonly number[];
  /** Batches between two looks at changes, and at the time. */
  readonly lookEvery: number;
  /** Looks between two restarts, over which evidence is kept as bytes; undefined: none. */
  readonly restartEvery?: number | undefined;
};

export type Outcome = {
  /** Texts of verdicts and windows, as JSON. */
  readonly found: readonly (string | undefined)[];
  /** Of a run without restarts. */
  readonly counts?: Pick<EvidenceCounts, 'flows' | 'lateFlows' | 'accepted'>;
};

const nameOf = (home: number): string => `home-${home}`;

const endsOf = (flows: readonly HomeFlow[], bucketMs: number): number[] =>
  [...new Set(flows.map(({ endMs }) => (Math.floor(endMs / bucketMs) + 1) * bucketMs))];

/** Ends of windows that a late flow could still change. */
function windowsOf(flows: readonly HomeFlow[], { evidence: { bucketMs, latenessMs } }: EvidenceWorld): number[] {
  const ends = endsOf(flows, bucketMs);
  const last = Math.max(...ends, 0);
  return ends.filter((end) => end >= last - latenessMs).sort((a, b) => a - b);
}

/** What a detector finds out. */
export class EvidenceStream {
  readonly #world: EvidenceWorld;
  readonly #verdict: VerdictOptions;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #latest = new Map<string, number>();
  /** Score and flows a day of each window as it was told of last. */
  readonly #windows = new Map<string, readonly [number, number | undefined]>();
  #store: EvidenceStore;
  #restarts = 0;

  constructor(world: EvidenceWorld, verdict: VerdictOptions) {
    this.#world = world;
    this.#verdict = verdict;
    this.#store = this.#openStore();
  }

  run(flows: readonly HomeFlow[], { sizes, lookEvery, restartEvery }: Pace): Outcome {
    let looks = 0;
    for (let first = 0, i = 0; first < flows.length; i++) {
      const end = first + (sizes[i % sizes.length] as number);
      this.#add(flows.slice(first, end));
      first = end;
      if (i % lookEvery !== 0) continue;
      this.#look();
      if (restartEvery !== undefined && ++looks % restartEvery === 0) this.#restart();
    }
    this.#look();
    const { flows: flowCount, lateFlows, accepted } = this.#store.counts();
    const found = this.#describe(flows);
    return this.#restarts > 0 ? { found } : { found, counts: { flows: flowCount, lateFlows, accepted } };
  }

  #openStore(): EvidenceStore {
    const store = new EvidenceStore(this.#world.evidence);
    store.setClassifiers(this.#world.classifiers);
    return store;
  }

  /** Another store takes over from bytes. */
  #restart(): void {
    const next = this.#openStore();
    for (const home of this.#store.homes()) {
      const bytes = this.#store.snapshot(home);
      assert.ok(bytes !== undefined);
      assert.equal(next.restore(home, bytes), undefined);
      assert.deepEqual(next.snapshot(home), bytes);
    }
    this.#store = next;
    this.#restarts++;
  }

  #add(flows: readonly HomeFlow[]): void {
    const { classifiers, isRefused } = this.#world;
    for (const { home, endMs } of flows) {
      this.#latest.set(nameOf(home), Math.max(this.#latest.get(nameOf(home)) ?? 0, endMs));
    }
    const { batch, rows } = rowsOf(flows, classifiers.length, (home) => this.#store.internHome(nameOf(home)));
    const tokens = classifiers.map(({ fingerprint }) =>
      (fingerprint === undefined ? undefined : new Uint32Array(batch.capacity)));
    new FingerprintMatcher(classifiers.map(({ fingerprint }) => fingerprint)).match(batch, rows.isAccepted, tokens);
    for (const [row, flow] of flows.entries()) {
      if (isRefused?.(flow) === true) for (const ofRows of tokens) ofRows?.fill(0xffff_ffff, row, row + 1);
    }
    this.#store.add(batch, { ...rows, tokens });
  }

  #look(): void {
    for (const change of this.#store.takeChanges()) {
      const { home, deviceModel, classifier, windowEndMs, score, flowsADay } = change;
      const window = JSON.stringify([home, deviceModel, classifier, windowEndMs]);
      const known = this.#windows.get(window);
      if (known !== undefined) assert.deepEqual(known[1], flowsADay, 'what is known of a day does not change');
      this.#windows.set(window, [score, flowsADay]);
      const key = `${home} ${deviceModel}`;
      const next = judge(this.#verdicts.get(key), change, this.#verdict, () => {
        const found = this.#store.evidenceOf(change, windowEndMs);
        assert.ok(found !== undefined);
        return found;
      }, this.#world.rule);
      if (next !== undefined) this.#verdicts.set(key, next);
    }
    for (const [key, found] of this.#verdicts) {
      const next = expire(found, this.#latest.get(found.home) ?? 0, this.#verdict);
      if (next !== undefined) this.#verdicts.set(key, next);
    }
  }

  #describe(flows: readonly HomeFlow[]): (string | undefined)[] {
    const { classifiers, homeCount } = this.#world;
    const found: (string | undefined)[] = [];
    for (let home = 0; home < homeCount; home++) {
      const ofHome = flows.filter((flow) => flow.home === home);
      for (const deviceModel of new Set(classifiers.map((classifier) => classifier.deviceModel))) {
        found.push(JSON.stringify(this.#verdicts.get(`${nameOf(home)} ${deviceModel}`)));
      }
      for (const classifier of classifiers) {
        const key = { home: nameOf(home), ...classifier };
        for (const end of windowsOf(ofHome, this.#world)) found.push(JSON.stringify(this.#store.evidenceOf(key, end)));
        found.push(JSON.stringify(this.#store.evidenceOf(key)));
      }
    }
    return [...found, ...[...this.#windows].map((window) => JSON.stringify(window)).sort()];
  }
}

/** What the definitions say. */
export function defineOutcome(world: EvidenceWorld, verdict: VerdictOptions, flows: readonly HomeFlow[]): Outcome &
Required<Pick<Outcome, 'counts'>> {
  const { classifiers, evidence, homeCount, isRefused, rule } = world;
  const judged = classifiers.map((classifier) =>
    ({ ...classifier, ...rule === undefined ? {} : { ruleAt: () => rule } }));
  const found: (string | undefined)[] = [];
  const windows: string[] = [];
  const counts = { flows: 0, lateFlows: 0, accepted: 0 };
  for (let home = 0; home < homeCount; home++) {
    const ofHome = flows.filter((flow) => flow.home === home);
    const reference = new HomeFlows(judged, { home: nameOf(home), evidence, verdict });
    const { batch, rows } = rowsOf(flows, classifiers.length);
    const refused = Uint8Array.from(flows, (flow) => (isRefused?.(flow) === true ? 1 : 0));
    reference.add(batch, (row) => rows.homes[row] === home, rows.isAccepted,
      classifiers.map(({ fingerprint }) => (fingerprint === undefined ? undefined : refused)));
    for (const { verdict: last } of reference.verdicts()) {
      // A detector keeps nothing of what was never there.
      found.push(JSON.stringify(last.episode === 0 ? undefined : last));
    }
    for (const [i, { deviceModel, classifier, stage }] of classifiers.entries()) {
      for (const end of windowsOf(ofHome, world)) found.push(JSON.stringify(reference.evidenceOf(i, end)));
      found.push(JSON.stringify(reference.evidenceOf(i)));
      if (stage !== 1) continue;
      for (const { windowEndMs, score } of reference.windowsOf(i)) {
        const window = JSON.stringify([nameOf(home), deviceModel, classifier, windowEndMs]);
        windows.push(JSON.stringify([window, [score, reference.flowsADay(windowEndMs)]]));
      }
    }
    const own = reference.counts();
    counts.flows += own.flows;
    counts.lateFlows += own.lateFlows;
    counts.accepted += own.accepted.reduce((sum, count) => sum + count, 0);
  }
  return { found: [...found, ...windows.sort()], counts };
}
