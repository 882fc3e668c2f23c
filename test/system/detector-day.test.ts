/**
 * Days of a detector on which all goes wrong that can: export messages are lost, come twice and out of order, exporters
 * restart and send their templates late, clocks are set, the detector is stopped and killed. On a calm day its evidence
 * is that of all flows, and on a rough one that of the flows that came through: by the lab's definitions, in every
 * window, to the last byte. Its counts say how many did not come. The plan of the faults alone says what came through.
 */
import assert, { AssertionError } from 'node:assert/strict';
import { test } from 'node:test';
import { liveThrough, type DayOutcome } from '../support/day-check.ts';
import { hourMs, makeDay, minuteMs, type Day, type DayKind } from '../support/day-world.ts';
import type { DayPlants, DayRun } from '../support/detector-day.ts';

const kinds = [
  { version: 9, isOneWay: false }, { version: 10, isOneWay: false }, { version: 9, isOneWay: true },
  { version: 10, isOneWay: true },
] as const;
const nameOf = ({ version, isOneWay }: Pick<DayKind, 'version' | 'isOneWay'>): string =>
  `${version === 9 ? 'NetFlow v9' : 'IPFIX'}, ${isOneWay ? 'one-way records' : 'biflows'}`;

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const rowsOf = ({ stories }: Day): number => sumOf([...stories.values()].map(({ flows }) => flows.rowCount));
const exportersOf = (runs: readonly DayRun[]): DayRun['intake']['exports']['exporters'][number][] =>
  runs.flatMap(({ intake }) => intake.exports.exporters);
const handedOn = (runs: readonly DayRun[]): number => sumOf(runs.map(({ intake }) => intake.flows));
const lostUnits = (runs: readonly DayRun[]): number => sumOf(exportersOf(runs).map((counts) => counts.lostUnits));

for (const kind of kinds) {
  test(`a calm day (${nameOf(kind)}): the evidence of all flows, and nothing to account for`, async (t) => {
    const day = makeDay({ seed: 1, ...kind, isCalm: true });
    const { runs, loss, lateFlows, windowsWithEvidence, verdicts } = await liveThrough(t, day);
    assert.deepEqual([loss, lateFlows], [{ told: 0, untold: 0, undecoded: 0, unsent: 0 }, 0]);
    assert.equal(handedOn(runs), rowsOf(day));
    assert.equal(lostUnits(runs), 0);
    assert.ok(windowsWithEvidence > 1_000, `${windowsWithEvidence} windows`);
    assert.deepEqual([...verdicts].sort(), ['never 0', 'not yet 1', 'not yet 2', 'present 1', 'present 2']);
  });
}

/** All kinds of faults took place. */
function assertRough({ runs, flows, loss, lateFlows, windowsWithEvidence, verdicts }: DayOutcome, kind: DayKind): void {
  const exporters = exportersOf(runs);
  const total = (name: 'duplicates' | 'reordered' | 'restarts' | 'lostUnits'): number =>
    sumOf(exporters.map((counts) => counts[name]));
  assert.ok(total('duplicates') > 50 && total('lostUnits') > 300 && total('reordered') > 5);
  assert.equal(total('restarts'), 5, 'every restart of an exporter is known');
  assert.ok(loss.told > 500 && loss.undecoded > 10 && loss.unsent > 10);
  assert.ok(windowsWithEvidence > 1_000 && verdicts.size >= 5, [...verdicts].join());
  if (!kind.isOneWay) {
    assert.ok(lateFlows > 10, `${lateFlows} flows are late after a clock was ahead`);
    assert.ok(sumOf(runs.map(({ engine }) => engine.flowsMisdated)) > 300, 'clocks that are far off are not believed');
  }
  // Kills lose what came since evidence was written; clean ends nothing.
  const forgotten = flows.filter(({ isForgotten }) => isForgotten);
  assert.deepEqual([...new Set(forgotten.map(({ run }) => run))], [1, 2], 'the runs that were killed');
  for (const { handedMs, run } of forgotten) {
    const { untilMs, verdictsMs } = runs[run] as DayRun;
    assert.ok(untilMs - handedMs <= minuteMs, 'no more than between two checkpoints');
    assert.ok(!verdictsMs.some((ms) => ms > untilMs - minuteMs), 'no verdict brought a checkpoint of its own');
  }
}

for (const seed of [1, 2]) {
  for (const kind of kinds) {
    test(`a rough day ${seed} (${nameOf(kind)}): the evidence of what came through, and counts of what did not`,
      async (t) => {
        const day = makeDay({ seed, ...kind });
        const outcome = await liveThrough(t, day);
        assertRough(outcome, day.kind);
        const { runs, loss, flows, windows } = outcome;
        const { told, untold, undecoded, unsent } = loss;
        if (kind.version === 10) assert.equal(lostUnits(runs), told, 'IPFIX numbers records: all are told');
        if (!kind.isOneWay) {
          assert.equal(handedOn(runs) + told + untold + undecoded + unsent, rowsOf(day), 'every flow is accounted for');
        }
        assert.ok(untold <= told / 10, 'little is lost where no number tells of it');
        const forgotten = flows.filter(({ isForgotten }) => isForgotten).length;
        t.diagnostic(`${rowsOf(day)} flows, ${handedOn(runs)} handed on; records lost ${told} (told), ${untold} ` +
          `(untold), ${undecoded} without template, ${unsent} in exporters; ${forgotten} forgotten by kills; ` +
          `${windows} windows equal`);
      });
  }
}

for (const kind of kinds) {
  test(`a day without mercy (${nameOf(kind)}): the same evidence, and counts that are nearly right`, async (t) => {
    const day = makeDay({ seed: 3, ...kind, isUnprotected: true });
    const { runs, foreseenRuns } = await liveThrough(t, day);
    const foreseen = sumOf(foreseenRuns.flatMap(({ exporters }) =>
      [...exporters.values()].map((counts) => counts.lostUnits)));
    // Unknown templates hide how many records an IPFIX message has; a set clock looks like a restart in v9.
    assert.ok(Math.abs(lostUnits(runs) - foreseen) <= foreseen * 0.05, `${lostUnits(runs)} of ${foreseen}`);
  });
}

/** Faults of the detector, or of what it is compared with, that must be found. */
type Plant = {
  readonly what: string;
  /** By default IPFIX with biflows. */
  readonly kind?: Pick<DayKind, 'version' | 'isOneWay'>;
  readonly plants?: DayPlants;
  readonly foreseen?: Parameters<typeof liveThrough>[3];
  readonly finds: RegExp;
};

let batches = 0;
const planted: readonly Plant[] = [
  {
    what: 'a batch in five hundred is lost between intake and engine', finds: /evidence of|run \d/,
    plants: { accept: (accept) => (flows, receivedMs) => {
      if (++batches % 500 !== 0) accept(flows, receivedMs);
    } },
  },
  {
    what: 'a batch in five hundred is taken twice', finds: /run \d/,
    plants: { accept: (accept) => (flows, receivedMs) => {
      accept(flows, receivedMs);
      if (++batches % 500 === 0) accept(flows, receivedMs);
    } },
  },
  {
    what: 'arrivals are taken for two minutes later', finds: /evidence of/,
    plants: { accept: (accept) => (flows, receivedMs) => accept(flows, receivedMs + 2 * minuteMs) },
  },
  { what: 'evidence is written at clean ends alone', finds: /evidence of/, plants: { skipsCheckpoints: true } },
  {
    what: 'the account of losses is one too high', finds: /counts of 192\.0\.2\.1/,
    plants: { counts: (counts) => ({
      ...counts,
      exporters: counts.exporters.map((each, i) => ({ ...each, lostUnits: each.lostUnits + (i === 0 ? 1 : 0) })),
    }) },
  },
  { what: 'data sets do not wait for their template', finds: /evidence of|counts of/,
    foreseen: { settings: { templateWaitMs: 0 } } },
  { what: 'data sets wait for their template for ever', finds: /evidence of|counts of/,
    foreseen: { settings: { templateWaitMs: hourMs } } },
  { what: 'clocks that are far off are believed', finds: /evidence of/,
    foreseen: { settings: { clockSkewMs: 99 * 365 * 24 * hourMs } } },
  { what: 'steps of the wall clock stay in', finds: /evidence of/, foreseen: { plan: { clockSteps: [] } } },
  { what: 'a kill loses nothing', finds: /evidence of/, foreseen: { settings: { checkpointMs: 1_000 } } },
  { what: 'directions are not joined', finds: /evidence of|run \d/, kind: { version: 10, isOneWay: true },
    foreseen: { settings: { isPaired: false } } },
];

for (const { what, kind, plants, foreseen, finds } of planted) {
  test(`planted, and found: ${what}`, async (t) => {
    batches = 0;
    const day = makeDay({ seed: 1, version: 10, isOneWay: false, ...kind });
    await assert.rejects(liveThrough(t, day, plants, foreseen), (thrown: unknown) =>
      thrown instanceof AssertionError && finds.test(thrown.message));
  });
}
