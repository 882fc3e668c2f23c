/** Calibrations to bytes and back: only bins that hold something, one way to write, and what is to be refused. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '#base';
import { activityCount, nullBinCount, type Calibration, type CalibrationCard } from '#verdict';
import { makeCalibration } from '../../../test/support/shipped-parts.ts';
import { rootFolder } from '../../../test/support/source-tree.ts';
import { readCalibration, writeCalibration } from './calibration-bytes.ts';

const deviceModel = 'webcam.Test.One';
const sample = makeCalibration(deviceModel);
const sampleBytes = writeCalibration(sample);

const read = (calibration: Calibration): Calibration | string =>
  readCalibration(writeCalibration(calibration), deviceModel);

test('what is read is what was written', (context) => {
  assert.deepEqual(readCalibration(sampleBytes, deviceModel), sample);
  const text = new TextDecoder().decode(sampleBytes);
  const beginning = '{"windowMs":3600000,"bucketMs":60000,"nullTable":{"activityBounds":[300,1500,7500],' +
    '"binWidth":0.25,"binCount":400,"homeDays":[[[';
  assert.equal(text.slice(0, beginning.length), beginning);
  assert.ok(sampleBytes.length < 6_000, `${sampleBytes.length} bytes`);
  context.diagnostic(`${sampleBytes.length} bytes with 12,000 home-days`);
});

test('strata without home-days, and a card that says little, can be written', () => {
  const bare: Calibration = {
    windowMs: 3_600_000, bucketMs: 60_000,
    nullTable: { homeDays: Array.from({ length: activityCount }, () => []) },
    ownFloor: 0, group: [], expiresMs: 0,
    card: {
      sources: ['field'], promisedFpr: 1, measuredFpr: 0, fprUpper95: 1, testHomeDays: 0, nullUnits: 0, detection: [],
      confusers: [],
    },
  };
  assert.deepEqual(read(bare), bare);
});

test('changed bytes are refused with a sentence, or are another calibration written the one way', () => {
  let soundCount = 0;
  const digit = fc.constantFrom(...'0123456789[]{}",.-e:').map((char) => char.charCodeAt(0));
  const edit = fc.record({ at: fc.nat(sampleBytes.length - 1), value: fc.oneof(digit, fc.nat(255)) });
  fc.assert(fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
    const bytes = sampleBytes.slice();
    for (const { at, value } of edits) bytes[at] = value;
    const found = readCalibration(bytes, deviceModel);
    if (typeof found === 'string') return assert.match(found, /^\S.*\.$/);
    soundCount++;
    assert.deepEqual(writeCalibration(found), bytes);
  }), { numRuns: 5_000 });
  assert.ok(soundCount > 0, 'another count is a calibration still');
  fc.assert(fc.property(fc.json(), (text) => {
    assert.match(String(readCalibration(new TextEncoder().encode(text), deviceModel)), /^\S.*\.$/);
  }));
});

test('the table of the page has the fields, in their order', () => {
  const page = readFileSync(join(rootFolder, 'docs/formats/nlc.md'), 'utf8');
  const section = page.slice(page.indexOf('## Calibration'), page.indexOf('## What is refused'));
  const named = [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([\w.]+)`/g)].map(([, name]) => name));
  const { windowMs, bucketMs, nullTable, card, ...rest } =
    JSON.parse(new TextDecoder().decode(sampleBytes)) as Record<string, object>;
  const keysOf = (prefix: string, fields: object | undefined): string[] =>
    Object.keys(fields ?? {}).map((name) => `${prefix}.${name}`);
  assert.ok(windowMs !== undefined && bucketMs !== undefined);
  assert.deepEqual(named, ['windowMs', 'bucketMs', ...keysOf('nullTable', nullTable), ...Object.keys(rest),
    ...keysOf('card', card)]);
});

/** Bins with another count in one of them, which may lie behind the last. */
const withCount = (bins: readonly number[], bin: number, count: number): number[] =>
  Array.from({ length: Math.max(bins.length, bin + 1) }, (_, at) => (at === bin ? count : bins[at] ?? 0));

test('every field is checked', () => {
  const { card, nullTable: { homeDays } } = sample;
  const withBin = (bin: number, count: number): Calibration =>
    ({ ...sample, nullTable: { homeDays: [withCount(homeDays[0] ?? [], bin, count), ...homeDays.slice(1)] } });
  const refused = (calibration: unknown, sentence: RegExp): void =>
    assert.match(String(read(calibration as Calibration)), sentence);
  const withCard = (more: { [Name in keyof CalibrationCard]?: unknown }, sentence: RegExp): void =>
    refused({ ...sample, card: { ...card, ...more } }, sentence);
  refused({ ...sample, nullTable: { homeDays: homeDays.slice(1) } }, /lacks strata/);
  for (const count of [0.5, -1, NaN]) refused(withBin(3, count), /counts of home-days/);
  const tooLong = [withCount(homeDays[0] ?? [], nullBinCount, 1), ...homeDays.slice(1)];
  refused({ ...sample, nullTable: { homeDays: tooLong } }, /counts of home-days/);
  refused(withBin(3, Number.MAX_SAFE_INTEGER), /more home-days than can be counted/);
  for (const windowMs of [0, -60_000, 90_001, 1.5, '1h']) refused({ ...sample, windowMs }, /which windows/);
  for (const bucketMs of [0, 7, NaN]) refused({ ...sample, bucketMs }, /which windows/);
  for (const ownFloor of [-1, NaN, Infinity, '1']) refused({ ...sample, ownFloor }, /score that the device model/);
  for (const expiresMs of [-1, 0.5, null, 8_640_000_000_000_001]) refused({ ...sample, expiresMs }, /when it expires/);
  for (const group of [
    [deviceModel], ['a.B.c', 'd.E.f'], [deviceModel, 'a.B.c'], [deviceModel, deviceModel], ['a b', deviceModel],
    ['a\u001b', deviceModel], 'x', [...Array.from({ length: limits.calibrationNamesMax }, (_, i) =>
      `a.${String(i).padStart(4, '0')}`), deviceModel],
  ]) refused({ ...sample, group }, /group is no list/);
  for (const sources of [[], ['lab', 'lab'], ['field', 'lab'], ['elsewhere']]) withCard({ sources }, /come from/);
  for (const promisedFpr of [-0.1, 1.1, null]) withCard({ promisedFpr }, /promises no share/);
  withCard({ fprUpper95: 0 }, /below its upper bound/);
  withCard({ measuredFpr: null }, /below its upper bound/);
  for (const testHomeDays of [-1, 0.5]) withCard({ testHomeDays }, /how much it rests on/);
  withCard({ nullUnits: -1 }, /how much it rests on/);
  const [rate] = card.detection;
  for (const detection of [
    [{ ...rate, minutes: 0 }], [{ ...rate, rate: 2 }], [{ ...rate, homes: 0.5 }], [rate, rate],
    [...card.detection].reverse(),
    Array.from({ length: limits.detectionRatesMax + 1 }, (_, i) => ({ minutes: i + 1, rate: 1, homes: 1 })),
  ]) withCard({ detection }, /how many minutes/);
  const [confuser] = card.confusers;
  for (const confusers of [
    [confuser, confuser], [...card.confusers].reverse(), [{ deviceModel, rate: 0.1 }], [{ ...confuser, rate: -1 }],
    [{ deviceModel: '', rate: 0.1 }], Array.from({ length: limits.calibrationNamesMax + 1 }, (_, i) =>
      ({ deviceModel: `a.B.${i}`, rate: 0.1 })),
  ]) withCard({ confusers }, /confusers that are none/);
});

test('what JSON can say otherwise is refused', () => {
  const text = new TextDecoder().decode(sampleBytes);
  const change = (from: string, to: string): string => {
    assert.ok(text.includes(from), from);
    return String(readCalibration(new TextEncoder().encode(text.replace(from, to)), deviceModel));
  };
  const otherwise = /^The calibration is not written as natlens writes it\.$/;
  assert.match(change('"ownFloor":12.5', '"ownFloor": 12.5'), otherwise);
  assert.match(change('"ownFloor":12.5', '"ownFloor":12.50'), otherwise);
  assert.match(change('"ownFloor":12.5', '"note":"","ownFloor":12.5'), otherwise);
  assert.match(change('"ownFloor":12.5', '"ownFloor":1,"ownFloor":12.5'), otherwise);
  assert.match(change('"homeDays":[[[', '"homeDays":[[[399,0],['), /counts of home-days/);
  assert.match(change('"homeDays":[[', '"homeDays":[[[400,1],'), /counts of home-days/);
  assert.match(change('[300,1500,7500]', '[300,1500,7501]'), /other strata or bins/);
  assert.match(change('"binWidth":0.25', '"binWidth":0.5'), /other strata or bins/);
  assert.match(change('{"windowMs"', '\ufeff{"windowMs"'), /no JSON in UTF-8/);
  assert.match(String(readCalibration(Uint8Array.of(0x7b, 0xff, 0x7d), deviceModel)), /no JSON in UTF-8/);
  const large = new TextEncoder().encode(text.padEnd(limits.calibrationBytesMax + 1));
  assert.match(String(readCalibration(large, deviceModel)), /are the most/);
});
