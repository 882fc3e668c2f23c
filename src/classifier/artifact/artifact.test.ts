/** Artifacts: round trip, the same bytes, size, the byte table of the page, and bytes that are to be refused. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits, TrustError, type TrustErrorCode } from '#base';
import { FingerprintMatcher } from '#evidence';
import { TrainingFlows, fitClassifier } from '#classifier/train';
import { createEncodedRows, findCatalog, layoutOf, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { predictBoostedTrees, scoreRows, type AlgorithmName, type Classifier } from '#score';
import { trainers } from '#score/fit';
import { createDecisionRule, falseAlarmDefaults, type Calibration } from '#verdict';
import { batchOf, madeByNatlens, makeFlows } from '../../../test/support/labelled-flows.ts';
import { makeCalibration, makeFingerprint, makeSecondStage } from '../../../test/support/shipped-parts.ts';
import { rootFolder } from '../../../test/support/source-tree.ts';
import { digestedFrom, headerBytes, headerFields, placeSections, sectionNames } from './layout.ts';
import { readArtifact, readClassifier } from './read-classifier.ts';
import type { ShippedClassifier } from './shipped-classifier.ts';
import { writeArtifact, writeClassifier } from './write-classifier.ts';

function train(algorithm: AlgorithmName, flowCount = 400): Classifier {
  const training = new TrainingFlows(findCatalog('natlens') as Catalog, { deviceModel: undefined });
  training.add(batchOf(makeFlows(flowCount, 5)));
  return fitClassifier(training.split(), {
    deviceModel: 'webcam.Tëst.One', needs: needsOf(madeByNatlens) as FlowNeeds, algorithm, seed: 3,
    natlensVersion: '1.2.3',
  }).classifier;
}

const forest = train('isolation-forest');
const forestBytes = writeClassifier(forest);
const bare: ShippedClassifier =
  { classifier: forest, fingerprint: undefined, secondStage: undefined, calibration: undefined };
const shipped: ShippedClassifier = {
  ...bare, fingerprint: makeFingerprint(30), secondStage: makeSecondStage(forest.detector.layout),
  calibration: makeCalibration(forest.deviceModel),
};
const shippedBytes = writeArtifact(shipped);

function scoresOf(classifier: Classifier): Float64Array {
  const layout = layoutOf(classifier.encoder);
  const rows = createEncodedRows(layout, 64);
  rows.rowCount = 64;
  rows.numeric.forEach((column, i) => column.forEach((_, row) => { column[row] = ((row * 7 + i * 3) % 10) / 8; }));
  rows.codes.forEach((column, i) => column.forEach((_, row) => {
    column[row] = (row + i) % ((layout.categoryCounts[i] as number) + 1);
  }));
  const out = new Float64Array(64);
  scoreRows(classifier, rows, out);
  return out;
}

test('every algorithm comes back as it was, bit for bit', () => {
  for (const algorithm of trainers.keys()) {
    const classifier = algorithm === 'isolation-forest' ? forest : train(algorithm);
    const bytes = writeClassifier(classifier);
    const read = readClassifier(bytes);
    const { detector: _, ...rest } = read;
    const { detector: __, ...expected } = classifier;
    assert.deepEqual(rest, expected, algorithm);
    assert.deepEqual(scoresOf(read), scoresOf(classifier), algorithm);
    assert.deepEqual(writeClassifier(read), bytes, algorithm);
  }
});

/** The bytes of one section. */
function sectionOf(bytes: Uint8Array, name: (typeof sectionNames)[number]): Uint8Array {
  const { sizes } = readArtifact(bytes);
  const at = placeSections(sizes).offsets[name];
  return bytes.slice(at, at + sizes[name]);
}

test('each part comes back as it was, with or without the others', () => {
  for (const [name, parts] of Object.entries({
    all: shipped, bare, fingerprint: { ...shipped, secondStage: undefined, calibration: undefined },
    secondStage: { ...shipped, calibration: undefined }, uncascaded: { ...shipped, secondStage: undefined },
    calibration: { ...bare, calibration: shipped.calibration },
  })) {
    const bytes = writeArtifact(parts);
    const { classifier, fingerprint, secondStage, calibration, sizes } = readArtifact(bytes);
    assert.deepEqual({ fingerprint, secondStage, calibration },
      { fingerprint: parts.fingerprint, secondStage: parts.secondStage, calibration: parts.calibration }, name);
    assert.deepEqual(writeArtifact({ classifier, fingerprint, secondStage, calibration }), bytes, name);
    assert.equal(placeSections(sizes).endAt, bytes.length);
    for (const part of ['fingerprint', 'secondStage', 'calibration'] as const) {
      assert.equal(sizes[part] > 0, parts[part] !== undefined, `${name}: ${part}`);
    }
  }
  assert.deepEqual(writeArtifact(bare), forestBytes);
});

test('another calibration leaves the bytes of all other sections as they were', () => {
  const uncalibrated = writeArtifact({ ...shipped, calibration: undefined });
  const { classifier, fingerprint, secondStage } = readArtifact(uncalibrated);
  const calibrated = writeArtifact({ classifier, fingerprint, secondStage, calibration: shipped.calibration });
  assert.deepEqual(calibrated, shippedBytes);
  for (const name of sectionNames.filter((other) => other !== 'calibration')) {
    assert.deepEqual(sectionOf(calibrated, name), sectionOf(uncalibrated, name), name);
  }
});

test('what would be refused when read is not written', () => {
  const { fingerprint, calibration } = shipped;
  const tokens = [...fingerprint?.tokens ?? []].reverse();
  assert.throws(() => writeArtifact({ ...bare, fingerprint: { tokens, libraryUnits: 1 } }), /order of their texts/);
  assert.throws(() => writeArtifact({ ...bare, calibration: { ...calibration as Calibration, ownFloor: NaN } }),
    /cannot be read back/);
  const ofAnother = makeCalibration('webcam.Another.Two');
  assert.throws(() => writeArtifact({ ...bare, calibration: ofAnother }), /group is no list/);
  const { secondStage } = shipped;
  assert.throws(() => writeArtifact({ ...bare, secondStage }), /no fingerprint whose flows/);
  const layout = { ...forest.detector.layout, numericCount: forest.detector.layout.numericCount + 1 };
  assert.throws(() => writeArtifact({ ...shipped, secondStage: makeSecondStage(layout) }), /other features/);
});

test('an artifact may lie anywhere in a buffer, and is not changed by reading', () => {
  const buffer = new Uint8Array(forestBytes.length + 16);
  for (const at of [0, 1, 3, 8]) {
    buffer.set(forestBytes, at);
    const given = buffer.subarray(at, at + forestBytes.length);
    assert.deepEqual(scoresOf(readClassifier(given)), scoresOf(forest));
    assert.deepEqual(given.slice(), forestBytes.slice());
  }
});

test('unfit classifiers are sound, and say why', () => {
  const few = train('isolation-forest', 40);
  const { classifier, manifest } = readArtifact(writeClassifier(few));
  assert.equal(classifier.fitness.isFit, false);
  assert.deepEqual(manifest.unfit.map(({ code }) => code), ['few-training-flows', 'few-validation-flows']);
});

test('100 trees stay below 100 kB', (context) => {
  assert.ok(forestBytes.length < 100_000, `${forestBytes.length} bytes`);
  context.diagnostic(`${forestBytes.length} bytes`);
});

test('the table of the page is that of the code', () => {
  const page = readFileSync(join(rootFolder, 'docs/formats/nlc.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+) \| (\d+) \| ([^|]+) \| `(\w+)` \| (.+) \|$/gm)]
    .map(([, offset, bytes, type, name, meaning]) =>
      ({ name, offset: Number(offset), bytes: Number(bytes), type, meaning }));
  assert.deepEqual(rows, Object.values(headerFields));
  let at = 0;
  for (const { offset, bytes } of Object.values(headerFields)) {
    assert.equal(offset, at);
    at += bytes;
  }
  assert.equal(headerBytes, at);
  assert.match(page, new RegExp(`The header has ${headerBytes} bytes`));
});

/** Gives changed bytes the digest that fits them: what an attacker does. */
function seal(bytes: Uint8Array): Uint8Array {
  bytes.set(createHash('sha256').update(bytes.subarray(digestedFrom)).digest(), headerFields.digest.offset);
  return bytes;
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function codeOf(bytes: Uint8Array): TrustErrorCode | 'sound' {
  try {
    readClassifier(bytes);
    return 'sound';
  } catch (thrown) {
    assert.ok(thrown instanceof TrustError, String(thrown));
    assert.match(thrown.message, /^[A-Z0-9\w].*\.$/s);
    return thrown.code;
  }
}

test('any flipped bit is seen, and any cut', () => {
  fc.assert(fc.property(fc.nat(shippedBytes.length * 8 - 1), (bit) => {
    const bytes = shippedBytes.slice();
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.notEqual(codeOf(bytes), 'sound');
  }), { numRuns: 2_000 });
  for (let length = 0; length < shippedBytes.length; length += length < headerBytes ? 1 : 97) {
    const code = codeOf(shippedBytes.subarray(0, length));
    assert.equal(code, length === 0 ? 'artifact-unknown-kind' : 'artifact-cut', `${length} bytes`);
  }
  assert.equal(codeOf(Uint8Array.of(...shippedBytes, 0)), 'artifact-cut');
  assert.equal(codeOf(new TextEncoder().encode('no classifier')), 'artifact-unknown-kind');
});

/** What a detector does with the parts of an artifact that it was given. */
function use({ classifier, fingerprint, secondStage, calibration }: ShippedClassifier): void {
  const batch = batchOf(makeFlows(20, 1));
  new FingerprintMatcher([fingerprint]).match(batch, [new Uint8Array(20)], [new Uint32Array(20)]);
  const rows = createEncodedRows(layoutOf(classifier.encoder), 4);
  rows.rowCount = 4;
  if (secondStage !== undefined) predictBoostedTrees(secondStage, rows, new Float64Array(4));
  const { rule } = createDecisionRule(calibration, falseAlarmDefaults, 0);
  for (const flowsADay of [undefined, 0, 1_000, 1e6]) {
    assert.ok(!Number.isNaN(rule.presentScoreOf(flowsADay)) && !Number.isNaN(rule.keepScoreOf(flowsADay)));
  }
}

test('hostile bytes with a digest that fits do no more than to be refused, or score within 0 … 1', () => {
  const value = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff));
  const edit = fc.record({ at: fc.nat(shippedBytes.length - 1), value });
  // The head is where lengths and counts lie; the rest is mostly trees, so the last parts have a share of their own.
  const headEdit = fc.record({ at: fc.integer({ min: digestedFrom, max: headerBytes + 900 }), value: fc.nat(255) });
  const partsAt = placeSections(readArtifact(shippedBytes).sizes).offsets.fingerprint;
  const partEdit = fc.record({ at: fc.integer({ min: partsAt, max: shippedBytes.length - 1 }), value });
  const soundIn = { trees: 0, parts: 0 };
  fc.assert(fc.property(fc.array(fc.oneof(edit, headEdit, partEdit), { minLength: 1, maxLength: 4 }), (edits) => {
    const bytes = shippedBytes.slice();
    for (const { at, value: byte } of edits) if (at >= headerFields.manifestBytes.offset) bytes[at] = byte;
    if (codeOf(seal(bytes)) !== 'sound') return;
    const { manifest: _, sizes: __, digest: ___, ...read } = readArtifact(bytes);
    if (isSame(bytes, shippedBytes)) return;
    soundIn[isSame(bytes.subarray(partsAt), shippedBytes.subarray(partsAt)) ? 'trees' : 'parts']++;
    for (const score of scoresOf(read.classifier)) assert.ok(score >= 0 && score <= 1, `score ${score}`);
    assert.doesNotThrow(() => use(read));
    assert.deepEqual(writeArtifact(read), bytes, 'there is one way to write it');
  }), { numRuns: 3_000 });
  assert.ok(soundIn.trees > 0 && soundIn.parts > 0, `some changes are sound: ${JSON.stringify(soundIn)}`);
});

/** The artifact with one change, sealed. */
function change(make: (bytes: Uint8Array, view: DataView) => Uint8Array | void): TrustErrorCode | 'sound' {
  const bytes = forestBytes.slice();
  return codeOf(seal(make(bytes, new DataView(bytes.buffer)) ?? bytes));
}

const { manifest: manifestBytes } = readArtifact(forestBytes).sizes;

/** The artifact with another manifest of the same length. */
function changeManifest(from: string, to: string): TrustErrorCode | 'sound' {
  return change((bytes) => {
    const text = new TextDecoder().decode(bytes.subarray(headerBytes, headerBytes + manifestBytes));
    assert.ok(text.includes(from), from);
    const changed = new TextEncoder().encode(text.replace(from, to));
    assert.equal(changed.length, manifestBytes, `${from} and ${to} differ in length`);
    bytes.set(changed, headerBytes);
  });
}

test('a manifest may not be larger than its limit', () => {
  const more = Math.ceil(limits.manifestBytesMax / 8) * 8;
  const code = change((bytes) => {
    const larger = new Uint8Array(bytes.length + more);
    larger.set(bytes.subarray(0, headerBytes));
    larger.set(bytes.subarray(headerBytes), headerBytes + more);
    const view = new DataView(larger.buffer);
    view.setUint32(headerFields.totalBytes.offset, larger.length, true);
    view.setUint32(headerFields.manifestBytes.offset, manifestBytes + more, true);
    return larger;
  });
  assert.equal(code, 'artifact-unsound');
});

test('each way to be unsound is known', () => {
  assert.equal(change(() => undefined), 'sound');
  const u32 = (field: { offset: number }, value: number): TrustErrorCode | 'sound' =>
    change((_, view) => view.setUint32(field.offset, value, true));
  for (const version of [0, 1, 3]) assert.equal(u32(headerFields.formatVersion, version), 'artifact-unknown-version');
  assert.equal(u32(headerFields.totalBytes, limits.artifactBytesMax + 1), 'artifact-unsound');
  assert.equal(u32(headerFields.manifestBytes, 0xffff_ffff), 'artifact-unsound');
  assert.equal(u32(headerFields.encoderBytes, 0), 'artifact-unsound');
  for (const field of [headerFields.fingerprintBytes, headerFields.secondStageBytes, headerFields.calibrationBytes]) {
    for (const size of [1, 8, 0xffff_ffff]) assert.equal(u32(field, size), 'artifact-unsound', field.name);
  }
  const f64 = (offset: number, value: number): TrustErrorCode | 'sound' =>
    change((_, view) => view.setFloat64(offset, value, true));
  assert.equal(f64(headerFields.defaultThreshold.offset, 0.6), 'artifact-unsound');
  for (const value of [NaN, -1, 1.5, Infinity]) {
    assert.equal(f64(headerFields.percentileThresholds.offset, value), 'artifact-unsound');
  }
  // A threshold that rises with the percentile.
  assert.equal(f64(headerFields.percentileThresholds.offset + 8 * 30, 1), 'artifact-unsound');
  assert.equal(changeManifest('"natlens","version":1', '"natlens","version":9'), 'artifact-unknown-version');
  assert.equal(changeManifest('isolation-forest","version":1', 'isolation-forest","version":2'),
    'artifact-unknown-version');
  assert.equal(changeManifest('"catalog"', '"cataloX"'), 'artifact-unsound');
  assert.equal(changeManifest('"seed":3', '"seed":-'), 'artifact-unsound');
  assert.equal(changeManifest('"isBiflow":true', '"isBiflow":   1'), 'artifact-unsound');
  assert.equal(changeManifest('"l7Source":"prefix"', '"l7Source":"guesse"'), 'artifact-unsound');
  // Sound JSON that natlens does not write so: nothing hides between the words.
  assert.equal(changeManifest('"unfit":[]', '"unfit":{}'), 'artifact-unsound');
  assert.equal(changeManifest('"devices":1', '"devices":"'), 'artifact-unsound');
  // What would write to a terminal otherwise than it looks.
  assert.equal(changeManifest('webcam', '\\u001b'), 'artifact-unsound');
  assert.equal(changeManifest('webcam.', 'web am.'), 'artifact-unsound');
});
