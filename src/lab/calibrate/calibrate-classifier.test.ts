/**
 * Calibration of a classifier on made-up devices whose tokens are known: who is told apart and who is not, what is
 * promised and measured, and that no device that calibrates tests.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError, Random } from '#base';
import { noToken } from '#evidence';
import { createDictionaries } from '#flow';
import { countHomeDays, NullCounter, type Calibration } from '#verdict';
import { batchOf, makeFlows } from '../../../test/support/labelled-flows.ts';
import { gatherTokens, type FlowTokens } from '../homes/home-windows.ts';
import type { Recording } from '../homes/recording.ts';
import { assignRoles } from '../homes/roles.ts';
import {
  addFieldNull, calibrateClassifier, calibrateDefaults, type CalibrateOptions, type CalibrationOutcome,
} from './calibrate-classifier.ts';
import { recordUnit, type CalibrationUnit, type ClassifierTokens } from './calibration-units.ts';

const own = 'webcam.Test.One';
const weights = [4, 4, 4, 2];
/** Flows of two days, one every two minutes: enough for every part to last over hours. */
const flowCount = 1_440;
const options: CalibrateOptions = {
  ...calibrateDefaults, nullHomes: 3_000, testHomes: 2_000, positiveHomes: 200, confuserDays: 40,
  seed: 1, windowMs: 3_600_000, bucketMs: 60_000, budget: { perMonth: 0.03 }, expiresMs: 2e12, usesLibrary: false,
};

/** Of a flow of a device model: a token, or none. Asked once for each flow. */
type Shows = (random: Random) => number;
const nothing: Shows = () => noToken;
const everything: Shows = (random) => random.integer(0, 3);

type Made = {
  readonly units: readonly CalibrationUnit[];
  readonly tokens: ClassifierTokens;
  /** Devices of which flows were asked for. */
  readonly used: Set<string>;
};

/** Twenty device models of one unit each and people's machines; what they show is said by name. */
function makeLab(shows: Readonly<Record<string, Shows>>): Made {
  const dictionaries = createDictionaries();
  const names = [own, ...Array.from({ length: 20 }, (_, i) => `plug.Test.P${i}`), ...['a', 'b', 'c', 'd', 'e', 'f']
    .map((letter) => `computer.Test.${letter}`)];
  const rows = new Map<string, Uint32Array>();
  const units = names.map((deviceModel, i): CalibrationUnit => {
    const device = `${deviceModel}-1`;
    const flows = batchOf(makeFlows(flowCount, i, { device, deviceModel }).map((flow) =>
      ({ ...flow, startMs: flow.startMs + (flow.startMs - 1_600_000_000_000) })), dictionaries);
    const random = new Random(i);
    const show = shows[deviceModel] ?? nothing;
    rows.set(device, Uint32Array.from({ length: flowCount }, () => show(random)));
    return {
      device, deviceModel, kind: deviceModel.startsWith('computer') ? 'non-iot' : 'iot', source: 'lab', flows,
      train: flowCount * 0.5, validation: flowCount * 0.25,
    };
  });
  const used = new Set<string>();
  const known = new WeakMap<Recording, FlowTokens>();
  const rowsOf = (device: string): Uint32Array => rows.get(device) ?? new Uint32Array(0);
  const tokensOf = (recording: Recording): FlowTokens => {
    used.add(recording.unit.device);
    const tokens = known.get(recording) ?? gatherTokens(recording, rowsOf(recording.unit.device));
    known.set(recording, tokens);
    return tokens;
  };
  return { units, used, tokens: { weights, rowsOf, tokensOf } };
}

function run({ units, tokens }: Made, more: Partial<CalibrateOptions> = {}): CalibrationOutcome {
  return calibrateClassifier(own, tokens, units.map(recordUnit), { ...options, ...more });
}

/** Names of device models by what they do for the seed of `options`. */
function modelsOf(role: 'library' | 'calibration' | 'test', { units }: Made = makeLab({})): string[] {
  const roles = assignRoles(units, { deviceModel: own, seed: options.seed });
  return units.filter(({ device, kind }) => kind === 'iot' && roles.get(device) === role)
    .map(({ deviceModel }) => deviceModel);
}

const rateAfter = ({ calibration }: CalibrationOutcome, minutes: number): number | undefined =>
  calibration.card.detection.find((each) => each.minutes === minutes)?.rate;

test('a device model that nobody else looks like: found soon, without false alarms, as the card says', () => {
  const outcome = run(makeLab({ [own]: everything }));
  const { calibration: { group, card, nullTable, ownFloor, expiresMs }, uncalibrated, unknown } = outcome;
  assert.deepEqual([group, card.confusers, uncalibrated, unknown.newcomers], [[], [], undefined, []]);
  assert.equal(rateAfter(outcome, 60), 1);
  assert.deepEqual([card.measuredFpr, card.testHomeDays, card.sources, expiresMs],
    [0, options.testHomes, ['lab'], options.expiresMs]);
  // The exact bound of none in so many: 3 / n.
  assert.ok(Math.abs(card.fprUpper95 * options.testHomes - 3) < 0.01, String(card.fprUpper95));
  assert.equal(card.promisedFpr, 0.001);
  assert.ok(countHomeDays(nullTable) >= options.nullHomes);
  // Homes of the lab are quiet; those that are busier than any were made by uniting some.
  assert.ok(countHomeDays(nullTable, 3) >= 1 / card.promisedFpr - 1);
  assert.ok(ownFloor > 4, 'no single token decides');
});

test('a twin that calibrates is of the group, and its homes are no null', () => {
  const [twin = ''] = modelsOf('calibration');
  const { calibration, unknown, uncalibrated } = run(makeLab({ [own]: everything, [twin]: everything }));
  assert.deepEqual(calibration.group, [own, twin].sort());
  assert.equal(calibration.card.confusers[0]?.deviceModel, twin);
  assert.ok((calibration.card.confusers[0]?.rate ?? 0) > 0.9);
  assert.deepEqual([uncalibrated, unknown.newcomers, calibration.card.measuredFpr], [undefined, [], 0]);
});

test('a twin that tests is of the group too, and what it would have cost is said', () => {
  const [twin = ''] = modelsOf('test');
  const { calibration, unknown } = run(makeLab({ [own]: everything, [twin]: everything }));
  assert.deepEqual(calibration.group, [own, twin].sort());
  assert.deepEqual([unknown.newcomers, calibration.card.measuredFpr], [[twin], 0]);
  assert.ok(unknown.rate > 0.2 && unknown.upper95 > unknown.rate, JSON.stringify(unknown));
});

test('who looks a little alike raises the score that it takes, and is no member of a group', () => {
  const [alike = ''] = modelsOf('calibration');
  // Two of the tokens: as much as the floor asks for, less than the device model shows.
  const outcome = run(makeLab({ [own]: everything, [alike]: (random) => random.integer(0, 1) }));
  const { calibration, strata, uncalibrated } = outcome;
  assert.deepEqual([calibration.group, uncalibrated, calibration.card.measuredFpr], [[], undefined, 0]);
  for (const { presentScore, homeDays } of strata) if (homeDays > 0) assert.ok(presentScore > 8, String(presentScore));
  assert.equal(rateAfter(outcome, 60), 1);
});

test('who is taken for it now and then, and only tests, breaks the promise, and that is said', () => {
  const [alike = ''] = modelsOf('test');
  // All of the tokens in the second hour of its two days, and never else.
  let flows = 0;
  const once: Shows = (random) => (++flows > 36 && flows <= 60 ? everything(random) : noToken);
  const { calibration: { group, card }, keepsPromise, measured } = run(makeLab({ [own]: everything, [alike]: once }));
  assert.deepEqual([group, keepsPromise], [[], false]);
  assert.ok(measured.rate > 0.002 && measured.rate < 0.1, String(measured.rate));
  assert.ok(card.measuredFpr === measured.rate && card.fprUpper95 > measured.rate);
  assert.ok(run(makeLab({ [own]: everything })).keepsPromise);
});

test("people's machines that show all of it make it useless, not a group", () => {
  const shows = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [`computer.Test.${name}`, everything]));
  const outcome = run(makeLab({ ...shows, [own]: everything }));
  assert.deepEqual([outcome.calibration.group, outcome.uncalibrated], [[], 'not-separable']);
  assert.deepEqual([rateAfter(outcome, 1_440), outcome.calibration.card.measuredFpr], [0, 0]);
});

test('the busiest stratum is filled up to where it decides; too few devices are refused', () => {
  const outcome = run(makeLab({ [own]: everything }), { nullHomes: 200, budget: { perMonth: 0.003 } });
  assert.equal(outcome.uncalibrated, undefined);
  assert.ok((outcome.strata[3]?.homeDays ?? 0) >= 9_999 && (outcome.strata[3]?.homeDays ?? 0) < 10_500);
  const lonely = makeLab({ [own]: everything });
  assert.throws(() => calibrateClassifier(own, lonely.tokens, lonely.units.slice(0, 4).map(recordUnit), options),
    (thrown) => thrown instanceof OperatorError && /it takes 3/.test(thrown.message));
});

test('no unit has two roles; the library takes no part, unless it was of other units', () => {
  const made = makeLab({ [own]: everything });
  const first = run(made);
  // Who is asked about without being of null homes: the library, as it may be confused, too.
  assert.equal(made.used.size, made.units.length);
  const all = run(makeLab({ [own]: everything }), { usesLibrary: true });
  assert.equal(all.testUnits, first.testUnits);
  assert.equal(all.calibrationUnits, made.units.length - 1 - first.testUnits);
  assert.ok(first.calibrationUnits < all.calibrationUnits);
  const [library = ''] = modelsOf('library');
  const quiet = run(makeLab({ [own]: everything, [library]: (random) => random.integer(0, 1) }));
  assert.deepEqual(quiet.calibration.nullTable, first.calibration.nullTable, 'the library is not in the null table');
});

test('the same seed gives the same, and units beside the data set leave its roles alone', () => {
  const one = run(makeLab({ [own]: everything }));
  assert.deepEqual(run(makeLab({ [own]: everything })), one);
  assert.notDeepEqual(run(makeLab({ [own]: everything }), { seed: 2 }).calibration, one.calibration);
  const made = makeLab({ [own]: everything });
  const extra = made.units.filter(({ kind }) => kind === 'non-iot').map((unit): CalibrationUnit =>
    ({ ...unit, device: `extra-${unit.device}`, deviceModel: `${unit.deviceModel}-x`, source: 'simulator',
      isExtra: true }));
  const more = calibrateClassifier(own, made.tokens, [...made.units, ...extra].map(recordUnit), options);
  assert.deepEqual(more.calibration.card.sources, ['lab', 'simulator']);
  assert.ok(more.testUnits > one.testUnits && more.calibrationUnits > one.calibrationUnits);
});

test('home-days of the field are added, below what the device model itself reaches', () => {
  const { calibration } = run(makeLab({ [own]: everything }));
  const sketch = (strong: number): NullCounter => {
    const counter = new NullCounter();
    for (let i = 0; i < 5_000; i++) counter.add(i % 50 === 0 ? 2 : 0, 2_000);
    for (let i = 0; i < strong; i++) counter.add(14, 2_000);
    return counter;
  };
  const before = countHomeDays(calibration.nullTable);
  const { calibration: after } = addFieldNull(calibration, sketch(10).table());
  assert.ok(countHomeDays(after.nullTable) > before + 4_000);
  assert.deepEqual([after.card.sources, after.group, after.ownFloor], [['lab', 'field'], [], calibration.ownFloor]);
  // More homes with it than may have it: the sketch is not believed.
  const { calibration: same, field } = addFieldNull(calibration, sketch(4_000).table());
  assert.deepEqual([same, field.strata[2]?.fault], [calibration satisfies Calibration, 'many-strong']);
  const outcome = run(makeLab({ [own]: everything }), { field: sketch(10).table() });
  assert.deepEqual(outcome.calibration.card.sources, ['lab', 'field']);
  assert.equal(rateAfter(outcome, 60), 1);
});

test('flows of the device model must be there, and show its tokens', () => {
  const made = makeLab({ [own]: everything });
  const others = made.units.filter(({ deviceModel }) => deviceModel !== own);
  const refused = (units: readonly CalibrationUnit[], tokens: ClassifierTokens, pattern: RegExp): void =>
    assert.throws(() => calibrateClassifier(own, tokens, units.map(recordUnit), options),
      (thrown) => thrown instanceof OperatorError && pattern.test(thrown.message));
  refused(others, made.tokens, /no validation flows/);
  const none: ClassifierTokens = { ...made.tokens, weights: [] };
  refused(makeLab({}).units, { ...none, tokensOf: makeLab({}).tokens.tokensOf }, /shows a token/);
});
