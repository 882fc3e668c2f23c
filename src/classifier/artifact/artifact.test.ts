/** Artifacts: round trip, the same bytes, size, the byte table of the page, and bytes that are to be refused. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits, TrustError, type TrustErrorCode } from '#base';
import { TrainingFlows, fitClassifier } from '#classifier/train';
import { createEncodedRows, findCatalog, layoutOf, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { scoreRows, type AlgorithmName, type Classifier } from '#score';
import { trainers } from '#score/fit';
import { batchOf, madeByNatlens, makeFlows } from '../../../test/support/labelled-flows.ts';
import { rootFolder } from '../../../test/support/source-tree.ts';
import { digestedFrom, headerBytes, headerFields } from './layout.ts';
import { readArtifact, readClassifier } from './read-classifier.ts';
import { writeClassifier } from './write-classifier.ts';

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
  fc.assert(fc.property(fc.nat(forestBytes.length * 8 - 1), (bit) => {
    const bytes = forestBytes.slice();
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.notEqual(codeOf(bytes), 'sound');
  }), { numRuns: 2_000 });
  for (let length = 0; length < forestBytes.length; length += length < headerBytes ? 1 : 97) {
    const code = codeOf(forestBytes.subarray(0, length));
    assert.equal(code, length === 0 ? 'artifact-unknown-kind' : 'artifact-cut', `${length} bytes`);
  }
  assert.equal(codeOf(Uint8Array.of(...forestBytes, 0)), 'artifact-cut');
  assert.equal(codeOf(new TextEncoder().encode('no classifier')), 'artifact-unknown-kind');
});

test('hostile bytes with a digest that fits do no more than to be refused, or score within 0 … 1', () => {
  const edit = fc.record({
    at: fc.nat(forestBytes.length - 1), value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
  });
  // The head is where lengths and counts lie; the rest is mostly trees.
  const headEdit = fc.record({ at: fc.integer({ min: digestedFrom, max: headerBytes + 900 }), value: fc.nat(255) });
  let soundCount = 0;
  fc.assert(fc.property(fc.array(fc.oneof(edit, headEdit), { minLength: 1, maxLength: 4 }), (edits) => {
    const bytes = forestBytes.slice();
    for (const { at, value } of edits) if (at >= headerFields.manifestBytes.offset) bytes[at] = value;
    if (codeOf(seal(bytes)) !== 'sound') return;
    soundCount++;
    for (const score of scoresOf(readClassifier(bytes))) assert.ok(score >= 0 && score <= 1, `score ${score}`);
  }), { numRuns: 3_000 });
  assert.ok(soundCount > 0, 'some changes of trees are still trees');
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
  assert.equal(u32(headerFields.formatVersion, 2), 'artifact-unknown-version');
  assert.equal(u32(headerFields.totalBytes, limits.artifactBytesMax + 1), 'artifact-unsound');
  assert.equal(u32(headerFields.manifestBytes, 0xffff_ffff), 'artifact-unsound');
  assert.equal(u32(headerFields.encoderBytes, 0), 'artifact-unsound');
  assert.equal(u32(headerFields.reserved, 1), 'artifact-unsound');
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
