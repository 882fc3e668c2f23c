/** A classifier to the bytes of an artifact (docs/formats/nlc.md). The same classifier gives the same bytes. */
import { createHash } from 'node:crypto';
import { assertInvariant, limits } from '#base';
import { algorithms, type Classifier } from '#score';
import { writeEncoder } from './encoder-bytes.ts';
import { artifactFormatVersion, artifactMagic, digestedFrom, headerFields, placeSections } from './layout.ts';
import { describeClassifier, formatManifest, parseManifest } from './manifest.ts';

/**
 * @param classifier  of an algorithm of the registry; read only
 * @throws InvariantError  it is larger than what `readClassifier` takes
 */
export function writeClassifier(classifier: Classifier): Uint8Array<ArrayBuffer> {
  const { encoder, detector, stableFeatures, thresholds } = classifier;
  const algorithm = algorithms.get(detector.algorithm);
  assertInvariant(algorithm !== undefined, `there is no algorithm ${detector.algorithm}`);
  const text = formatManifest(describeClassifier(classifier, algorithm.version));
  // What would be refused when read must not be written.
  assertInvariant(typeof parseManifest(text) !== 'string', `a manifest that cannot be read back: ${text}`);
  const manifest = new TextEncoder().encode(text);
  const { numeric, categories } = encoder;
  const encoded = writeEncoder({ numeric, categories, stableFeatures });
  const detected = algorithm.write(detector);
  const sizes = { manifest: manifest.length, encoder: encoded.length, detector: detected.length };
  const { manifestAt, encoderAt, detectorAt, endAt } = placeSections(sizes);
  assertInvariant(endAt <= limits.artifactBytesMax && manifest.length <= limits.manifestBytesMax,
    `a classifier of ${endAt} bytes, ${manifest.length} of them its manifest, is larger than an artifact may be`);
  const bytes = new Uint8Array(endAt);
  const view = new DataView(bytes.buffer);
  bytes.set(artifactMagic);
  view.setUint32(headerFields.formatVersion.offset, artifactFormatVersion, true);
  view.setUint32(headerFields.totalBytes.offset, endAt, true);
  view.setUint32(headerFields.manifestBytes.offset, manifest.length, true);
  view.setUint32(headerFields.encoderBytes.offset, encoded.length, true);
  view.setUint32(headerFields.detectorBytes.offset, detected.length, true);
  view.setFloat64(headerFields.defaultThreshold.offset, thresholds.default, true);
  for (const [p, threshold] of thresholds.byPercentile.entries()) {
    view.setFloat64(headerFields.percentileThresholds.offset + p * 8, threshold, true);
  }
  bytes.set(manifest, manifestAt);
  bytes.set(encoded, encoderAt);
  bytes.set(detected, detectorAt);
  bytes.set(createHash('sha256').update(bytes.subarray(digestedFrom)).digest(), headerFields.digest.offset);
  return bytes;
}
