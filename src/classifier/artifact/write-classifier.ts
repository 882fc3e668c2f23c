/**
 * A classifier and the parts that ship with it to the bytes of an artifact (docs/formats/nlc.md). The same parts give
 * the same bytes.
 */
import { createHash } from 'node:crypto';
import { assertInvariant, limits } from '#base';
import { algorithms, readBoostedTrees, writeBoostedTrees, type Classifier } from '#score';
import { readCalibration, writeCalibration } from './calibration-bytes.ts';
import { writeEncoder } from './encoder-bytes.ts';
import { readFingerprint, writeFingerprint } from './fingerprint-bytes.ts';
import {
  artifactFormatVersion, artifactMagic, digestedFrom, headerFields, mapSections, placeSections, sectionNames,
  type SectionName,
} from './layout.ts';
import { describeClassifier, formatManifest, parseManifest } from './manifest.ts';
import { describeMisfit, type ShippedClassifier } from './shipped-classifier.ts';

/**
 * @param classifier  of an algorithm of the registry; read only
 * @throws InvariantError  it is larger than what `readClassifier` takes
 */
export function writeClassifier(classifier: Classifier): Uint8Array<ArrayBuffer> {
  return writeArtifact({ classifier, fingerprint: undefined, secondStage: undefined, calibration: undefined });
}

/**
 * An artifact. Whoever adds a part to one that was read, or takes one out, leaves the bytes of all other sections as
 * they were.
 *
 * @param shipped  its classifier of an algorithm of the registry; read only
 * @throws InvariantError  a part is larger than what `readArtifact` takes, or would be refused by it
 */
export function writeArtifact(shipped: ShippedClassifier): Uint8Array<ArrayBuffer> {
  const sections = writeSections(shipped);
  const { offsets, endAt } = placeSections(mapSections((name) => sections[name].length));
  const { length: manifestBytes } = sections.manifest;
  assertInvariant(endAt <= limits.artifactBytesMax && manifestBytes <= limits.manifestBytesMax,
    `a classifier of ${endAt} bytes, ${manifestBytes} of them its manifest, is larger than an artifact may be`);
  const bytes = new Uint8Array(endAt);
  const view = new DataView(bytes.buffer);
  bytes.set(artifactMagic);
  view.setUint32(headerFields.formatVersion.offset, artifactFormatVersion, true);
  view.setUint32(headerFields.totalBytes.offset, endAt, true);
  for (const name of sectionNames) {
    view.setUint32(headerFields[`${name}Bytes`].offset, sections[name].length, true);
    bytes.set(sections[name], offsets[name]);
  }
  const { thresholds } = shipped.classifier;
  view.setFloat64(headerFields.defaultThreshold.offset, thresholds.default, true);
  for (const [p, threshold] of thresholds.byPercentile.entries()) {
    view.setFloat64(headerFields.percentileThresholds.offset + p * 8, threshold, true);
  }
  bytes.set(createHash('sha256').update(bytes.subarray(digestedFrom)).digest(), headerFields.digest.offset);
  return bytes;
}

/** The bytes of every section. What would be refused when read must not be written. */
function writeSections(shipped: ShippedClassifier): Record<SectionName, Uint8Array> {
  const { classifier, fingerprint, secondStage, calibration } = shipped;
  const { encoder: { numeric, categories }, detector, stableFeatures, deviceModel } = classifier;
  const algorithm = algorithms.get(detector.algorithm);
  assertInvariant(algorithm !== undefined, `there is no algorithm ${detector.algorithm}`);
  const manifest = formatManifest(describeClassifier(classifier, algorithm.version));
  assertInvariant(typeof parseManifest(manifest) !== 'string', `a manifest that cannot be read back: ${manifest}`);
  const misfit = describeMisfit(shipped);
  assertInvariant(misfit === undefined, `parts of different classifiers: ${misfit}`);
  return {
    manifest: new TextEncoder().encode(manifest),
    encoder: writeEncoder({ numeric, categories, stableFeatures }),
    detector: algorithm.write(detector),
    fingerprint: writePart(fingerprint, writeFingerprint, readFingerprint),
    secondStage: writePart(secondStage, writeBoostedTrees, (bytes) => readBoostedTrees(bytes, detector.layout)),
    calibration: writePart(calibration, writeCalibration, (bytes) => readCalibration(bytes, deviceModel)),
  };
}

/** The bytes of a part, none of one that is not there. */
function writePart<Part>(
  part: Part | undefined, write: (part: Part) => Uint8Array, read: (bytes: Uint8Array) => Part | string,
): Uint8Array {
  if (part === undefined) return new Uint8Array();
  const bytes = write(part);
  const back = read(bytes);
  assertInvariant(typeof back !== 'string', `a part that cannot be read back: ${String(back)}`);
  return bytes;
}
