/**
 * Puts a detector through a day and compares what it finds and counts with what the plan of the faults foresees.
 * Evidence is compared in every window that a flow can still change, every half hour; counts after each run.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { limits } from '#base';
import { HomeFlows } from '#lab';
import { ClassifierRule, type Verdict } from '#verdict';
import { acceptScores, chooseThreshold, Scorer } from '#score';
import { readConfig } from '../../src/apps/detector/config/read-config.ts';
import type { OpenedCore } from '../../src/apps/detector/core.ts';
import { DayClock } from './day-clock.ts';
import {
  batchForeseen, foresee, type ForeseenFlow, type ForeseenLoss, type ForeseenRun, type OracleSettings,
} from './day-oracle.ts';
import { minuteMs, type Day } from './day-world.ts';
import { DetectorDay, tickMs, type DayPlan, type DayPlants, type DayRun } from './detector-day.ts';
import { deviceModel, layOutDetector } from './detector-world.ts';

export type DayOutcome = {
  readonly runs: readonly DayRun[];
  readonly foreseenRuns: readonly ForeseenRun[];
  readonly flows: readonly ForeseenFlow[];
  readonly loss: ForeseenLoss;
  /** Windows whose evidence was compared, those in which there was some, and verdicts by state and episode. */
  readonly windows: number;
  readonly windowsWithEvidence: number;
  readonly verdicts: ReadonlySet<string>;
  /** By the definitions. */
  readonly lateFlows: number;
  readonly accepted: number;
};

/**
 * @param plants    faults of the detector
 * @param foreseen  a plan other than the day's, and rules other than the detector's: what is foreseen is wrong then
 * @throws AssertionError  evidence, verdicts or counts differ
 */
export async function liveThrough(t: TestContext, day: Day, plants: DayPlants = {},
  foreseen: { plan?: Partial<DayPlan>; settings?: Partial<OracleSettings> } = {}): Promise<DayOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-day-'));
  const clock = new DayClock(day.plan.startMs);
  let detector: DetectorDay | undefined;
  try {
    const { isPaired, pairWaitMs } = day.settings;
    const config = await readConfig(layOutDetector(folder, [
      '[input]', 'l7 = "exporter"', `pair = ${isPaired}`, `pair_wait = "${pairWaitMs / 1_000}s"`,
      '[homes]', 'map = "exporter"', '[verdict]', 'present_score = 6', 'keep_score = 3', 'expiry = "2h"',
    ].join('\n')));
    clock.install(t);
    const checker = new DayChecker({ ...day, settings: { ...day.settings, ...foreseen.settings } },
      { ...day.plan, ...foreseen.plan });
    detector = new DetectorDay({ folder, config, clock, plan: day.plan, plants });
    const arrivals = [...day.stories.values()].flatMap((story) => story.arrivals).sort((a, b) => a.atMs - b.atMs);
    await detector.run(arrivals, (core, nowMs) => checker.check(core, nowMs));
    return checker.finish(detector.runs);
  } finally {
    detector?.abandon();
    t.mock.restoreAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

class DayChecker {
  readonly #day: Day;
  readonly #flows: readonly ForeseenFlow[];
  readonly #runs: readonly ForeseenRun[];
  readonly #loss: ForeseenLoss;
  readonly #homes = new Map<string, HomeFlows>();
  #next = 0;
  #windows = 0;
  #windowsWithEvidence = 0;
  readonly #verdicts = new Set<string>();

  constructor(day: Day, foreseenPlan: DayPlan) {
    this.#day = day;
    const { flows, runs, loss } = foresee([...day.stories.values()], foreseenPlan, day.settings);
    this.#loss = loss;
    this.#flows = flows;
    this.#runs = runs;
  }

  /** Evidence and verdicts of all homes, as of now. */
  check({ engine, config }: OpenedCore, nowMs: number): void {
    this.#feed(engine, config, nowMs);
    const { bucketMs, latenessMs } = config.evidence;
    const { isPaired, pairWaitMs, templateWaitMs } = this.#day.settings;
    const key = { deviceModel, classifier: engine.classifiers[0]?.digest ?? '' };
    for (const [home, defined] of this.#homes) {
      const what = `${home} at ${new Date(nowMs).toISOString()}`;
      const latestEndMs = this.#latestEndMs(home, bucketMs, nowMs);
      // A lone direction is handed on when its wait is over, which may be a moment later than foreseen.
      const untilMs = isPaired ? nowMs - pairWaitMs - templateWaitMs - minuteMs : Infinity;
      for (let endMs = latestEndMs - latenessMs; endMs <= Math.min(latestEndMs, untilMs); endMs += bucketMs) {
        const expected = defined.evidenceOf(0, endMs);
        const found = engine.evidence.evidenceOf({ home, ...key }, endMs);
        assert.equal(JSON.stringify(found), JSON.stringify(expected),
          `evidence of ${what}, window to ${new Date(endMs).toISOString()}`);
        this.#windows++;
        if (expected !== undefined) this.#windowsWithEvidence++;
      }
      const judged = asOf(defined.verdicts()[0]?.episodes.at(-1), nowMs - nowMs % tickMs, config.verdict.expiryMs);
      const verdict = engine.book.find(home, deviceModel);
      this.#verdicts.add(`${verdict?.state ?? 'never'} ${verdict?.episode ?? 0}`);
      if (isPaired && judged !== undefined && verdict !== undefined) {
        // Support may be a moment ahead of what is foreseen.
        assert.ok(Math.abs(verdict.supportedMs - judged.supportedMs) <= 2 * bucketMs, `support of ${what}`);
        continue;
      }
      assert.equal(JSON.stringify(verdict), JSON.stringify(judged), `verdict on ${what}`);
    }
  }

  /** End of the bucket of the latest flow of a home. */
  #latestEndMs(home: string, bucketMs: number, nowMs: number): number {
    let latestMs = -Infinity;
    for (const { exporter, row, movedMs, handedMs, isForgotten } of this.#flows) {
      if (exporter !== home || isForgotten || handedMs > nowMs) continue;
      latestMs = Math.max(latestMs, this.#trueEndMs(exporter, row) + movedMs);
    }
    return (Math.floor(latestMs / bucketMs) + 1) * bucketMs;
  }

  #trueEndMs(exporter: string, row: number): number {
    return this.#day.stories.get(exporter)?.flows.columns.flowEndMilliseconds[row] as number;
  }

  /** Gives the definitions what was handed on until a time and is not forgotten. */
  #feed(engine: OpenedCore['engine'], config: OpenedCore['config'], untilMs: number): void {
    const [loaded] = engine.classifiers;
    assert.ok(loaded !== undefined);
    if (this.#homes.size === 0) {
      const rule = new ClassifierRule(loaded, config.verdict, config.falseAlarms);
      for (const home of this.#day.stories.keys()) {
        this.#homes.set(home, new HomeFlows([{
          deviceModel, classifier: loaded.digest, ruleAt: (windowEndMs) => rule.at(windowEndMs),
        }],
          { home, evidence: config.evidence, verdict: config.verdict }));
      }
    }
    const scorer = new Scorer([loaded.classifier]);
    const threshold = chooseThreshold(loaded.classifier.thresholds, config.classifiers.threshold);
    const accepted = new Uint8Array(limits.flowBatchRows);
    while (this.#next < this.#flows.length && (this.#flows[this.#next] as ForeseenFlow).handedMs <= untilMs) {
      const piece: ForeseenFlow[] = [];
      for (; piece.length < limits.flowBatchRows && this.#next < this.#flows.length; this.#next++) {
        const flow = this.#flows[this.#next] as ForeseenFlow;
        if (flow.handedMs > untilMs) break;
        if (!flow.isForgotten) piece.push(flow);
      }
      const batch = batchForeseen(piece, this.#day.stories, this.#day.settings.isPaired);
      acceptScores(scorer.score(batch).anomalyScore[0] as Float64Array, batch.rowCount, threshold, accepted);
      for (const [home, defined] of this.#homes) defined.add(batch, (row) => piece[row]?.exporter === home, [accepted]);
    }
  }

  /** The counts of all runs. */
  finish(runs: readonly DayRun[]): DayOutcome {
    assert.equal(runs.length, this.#runs.length);
    for (const [i, run] of runs.entries()) compareCounts(run, this.#runs[i] as ForeseenRun, this.#day, `run ${i + 1}`);
    const counts = [...this.#homes.values()].map((home) => home.counts());
    const lateFlows = counts.reduce((sum, count) => sum + count.lateFlows, 0);
    assert.equal(runs.reduce((sum, { evidence }) => sum + evidence.lateFlows, 0), lateFlows, 'flows too late');
    return {
      runs, foreseenRuns: this.#runs, flows: this.#flows, loss: this.#loss, windows: this.#windows,
      windowsWithEvidence: this.#windowsWithEvidence, verdicts: this.#verdicts,
      lateFlows,
      accepted: counts.reduce((sum, { accepted }) => sum + (accepted[0] ?? 0), 0),
    };
  }
}

/** The lab's verdict is as of the latest flow; a detector looks at its clock. */
function asOf(verdict: Verdict | undefined, nowMs: number, expiryMs: number): Verdict | undefined {
  if (verdict?.state !== 'present' || nowMs < verdict.supportedMs + expiryMs) return verdict;
  return { ...verdict, state: 'not yet', sinceMs: verdict.supportedMs + expiryMs };
}

function compareCounts(run: DayRun, foreseen: ForeseenRun, { kind, stories }: Day, what: string): void {
  const { exports, pairing, flows } = run.intake;
  for (const [exporter, expected] of foreseen.exporters) {
    const found = exports.exporters.find((domain) => domain.exporter === exporter);
    assert.ok(found !== undefined, `${what}: ${exporter} is known`);
    const { datagrams, duplicates, lostUnits, reordered, restarts, records } = found;
    if (kind.isUnprotected === true) {
      assert.deepEqual({ datagrams, records }, { datagrams: expected.datagrams, records: expected.records },
        `${what}: counts of ${exporter}`);
      continue;
    }
    assert.deepEqual({ datagrams, duplicates, lostUnits, reordered, restarts, records }, expected,
      `${what}: counts of ${exporter}`);
    assert.equal(found.unit, stories.get(exporter)?.version === 9 ? 'packets' : 'records');
  }
  const undecoded = exports.rejected['no-template'] + exports.waiting.sets;
  assert.equal(undecoded, foreseen.undecodedSets, `${what}: sets without a template`);
  if (!run.isKilled) {
    assert.deepEqual([flows, run.engine.flows, run.evidence.flows],
      [foreseen.flows, foreseen.flows, foreseen.flows], what);
  }
  assert.equal(run.engine.flowsMisdated, foreseen.misdated, `${what}: flows whose clock is not believed`);
  if (pairing !== null) {
    const records = [...foreseen.exporters.values()].reduce((sum, counts) => sum + counts.records, 0);
    assert.equal(pairing.records, records, what);
  }
}
