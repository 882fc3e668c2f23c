/**
 * The bytes of an artifact to a classifier (docs/formats/nlc.md). Nothing in them is run, everything is checked:
 * header, digest, then content, since a digest says that bytes are whole, not that whoever wrote them meant well.
 */
import { createHash } from 'node:crypto';
import { limits, TrustError, type TrustErrorCode } from '#base';
import { describeUnsoundEncoder, findCatalog, layoutOf, type FittedEncoder } from '#feature';
import { algorithms, percentileMax, readBoostedTrees, type Classifier, type Thresholds } from '#score';
import { readCalibration } from './calibration-bytes.ts';
import { readEncoder } from './encoder-bytes.ts';
import { readFingerprint } from './fingerprint-bytes.ts';
import {
  alignSection, artifactFormatVersion, artifactMagic, digestedFrom, headerBytes, headerFields, mapSections,
  placeSections, sectionAlignment, sectionNames, type SectionName, type SectionSizes,
} from './layout.ts';
import { parseManifest, type Manifest } from './manifest.ts';
import { describeMisfit, type ShippedClassifier } from './shipped-classifier.ts';

/** Sizes of an artifact's parts, in bytes; of those that it does not have 0. */
export type ArtifactSizes = SectionSizes & { readonly total: number };

export type Artifact = ShippedClassifier & {
  readonly manifest: Manifest;
  readonly sizes: ArtifactSizes;
  /** SHA-256 of the content, hexadecimal, as the header has it. */
  readonly digest: string;
};

/**
 * @param bytes  a whole artifact; must not change while the classifier lives
 * @throws TrustError  it is none, or cut, damaged, of an unknown version, or no trainer wrote it
 */
export function readClassifier(bytes: Uint8Array): Classifier {
  return readArtifact(bytes).classifier;
}

/** The same, with what there is to tell beside the classifier. @throws TrustError */
export function readArtifact(given: Uint8Array): Artifact {
  const bytes = given.byteOffset % sectionAlignment === 0 ? given : given.slice();
  const { sections, sizes, digest } = checkHeader(bytes);
  const manifest = readManifest(sections.manifest);
  const classifier = buildClassifier(manifest, readThresholds(bytes), sections);
  const { deviceModel, detector: { layout } } = classifier;
  const shipped = {
    classifier,
    fingerprint: readPart(sections.fingerprint, readFingerprint),
    secondStage: readPart(sections.secondStage, (part) => readBoostedTrees(part, layout)),
    calibration: readPart(sections.calibration, (part) => readCalibration(part, deviceModel)),
  };
  const misfit = describeMisfit(shipped);
  if (misfit !== undefined) refuse('artifact-unsound', misfit);
  return { ...shipped, manifest, sizes, digest };
}

/** A section of no bytes is a part that the artifact does not have. */
function readPart<Part>(section: Uint8Array, read: (bytes: Uint8Array) => Part | string): Part | undefined {
  if (section.length === 0) return undefined;
  const part = read(section);
  return typeof part === 'string' ? refuse('artifact-unsound', part) : part;
}

function refuse(code: TrustErrorCode, sentence: string): never {
  throw new TrustError(code, sentence);
}

type Sections = { readonly [Name in SectionName]: Uint8Array };

function checkHeader(bytes: Uint8Array): { sections: Sections; sizes: ArtifactSizes; digest: string } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begins = artifactMagic.every((byte, i) => i >= bytes.length || bytes[i] === byte);
  if (!begins || bytes.length === 0) {
    refuse('artifact-unknown-kind', 'This is no classifier: it does not begin as one.');
  }
  if (bytes.length < headerBytes) {
    refuse('artifact-cut', `The artifact ends within its header, at ${bytes.length} bytes.`);
  }
  const u32 = ({ offset }: { offset: number }): number => view.getUint32(offset, true);
  const version = u32(headerFields.formatVersion);
  if (version !== artifactFormatVersion) {
    refuse('artifact-unknown-version', `The artifact is of format version ${version}; natlens reads ` +
      `${artifactFormatVersion}.`);
  }
  const total = u32(headerFields.totalBytes);
  if (total > limits.artifactBytesMax) {
    refuse('artifact-unsound', `The artifact claims ${total} bytes; ${limits.artifactBytesMax} are the most.`);
  }
  if (total !== bytes.length) {
    refuse('artifact-cut', `The artifact has ${bytes.length} bytes, and says that it has ${total}.`);
  }
  const { offset, bytes: digestBytes } = headerFields.digest;
  const digest = createHash('sha256').update(bytes.subarray(digestedFrom)).digest();
  if (!digest.equals(bytes.subarray(offset, offset + digestBytes))) {
    refuse('artifact-damaged', 'The digest of the artifact does not fit its content: it was damaged or changed.');
  }
  const sizes = { total, ...mapSections((name) => u32(headerFields[`${name}Bytes`])) };
  return { sections: cutSections(bytes, sizes), sizes, digest: digest.toString('hex') };
}

function cutSections(bytes: Uint8Array, sizes: ArtifactSizes): Sections {
  const { offsets, endAt } = placeSections(sizes);
  if (endAt !== sizes.total) refuse('artifact-unsound', 'The sections do not add up to the size of the artifact.');
  if (sizes.manifest > limits.manifestBytesMax) {
    refuse('artifact-unsound', `The manifest has ${sizes.manifest} bytes; ${limits.manifestBytesMax} are the most.`);
  }
  for (const name of sectionNames) {
    const end = offsets[name] + sizes[name];
    if (bytes.subarray(end, alignSection(end)).some((byte) => byte !== 0)) {
      refuse('artifact-unsound', 'Bytes between the sections are not zero.');
    }
  }
  return mapSections((name) => bytes.subarray(offsets[name], offsets[name] + sizes[name]));
}

function readManifest(bytes: Uint8Array): Manifest {
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    refuse('artifact-unsound', 'The manifest is no UTF-8.');
  }
  const manifest = parseManifest(text);
  return typeof manifest === 'string' ? refuse('artifact-unsound', manifest) : manifest;
}

/** Scores lie between 0 and 1, and a higher percentile never has a higher threshold. */
function readThresholds(bytes: Uint8Array): Thresholds {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isScore = (value: number): boolean => value >= 0 && value <= 1;
  const byDefault = view.getFloat64(headerFields.defaultThreshold.offset, true);
  const byPercentile = Float64Array.from({ length: percentileMax + 1 }, (_, p) =>
    view.getFloat64(headerFields.percentileThresholds.offset + p * 8, true));
  const isFalling = byPercentile.every((value, p) => p === 0 || value <= (byPercentile[p - 1] as number));
  if (!isScore(byDefault) || !byPercentile.every(isScore) || !isFalling) {
    refuse('artifact-unsound', 'The thresholds are no scores from 0 to 1, or rise with the percentile.');
  }
  return { default: byDefault, byPercentile };
}

function buildClassifier(manifest: Manifest, thresholds: Thresholds, sections: Sections): Classifier {
  const { deviceModel, catalog, needs, unfit, provenance } = manifest;
  if (findCatalog(catalog.name, catalog.version) === undefined) {
    refuse('artifact-unknown-version', `The classifier needs the feature catalog ${catalog.name} ${catalog.version}, ` +
      'which this natlens does not have.');
  }
  const algorithm = [...algorithms.values()].find(({ name }) => name === manifest.algorithm.name);
  if (algorithm === undefined || algorithm.version !== manifest.algorithm.version) {
    refuse('artifact-unknown-version', `The classifier needs the algorithm ${manifest.algorithm.name} ` +
      `${manifest.algorithm.version}, which this natlens does not have.`);
  }
  const section = readEncoder(sections.encoder);
  if (typeof section === 'string') return refuse('artifact-unsound', section);
  const { numeric, categories, stableFeatures } = section;
  const encoder: FittedEncoder = { catalog: catalog.name, catalogVersion: catalog.version, numeric, categories };
  const fault = describeUnsoundEncoder(encoder);
  if (fault !== undefined) refuse('artifact-unsound', fault);
  const detector = algorithm.read(sections.detector, layoutOf(encoder));
  if (typeof detector === 'string') return refuse('artifact-unsound', detector);
  if (detector.defaultThreshold !== thresholds.default) {
    refuse('artifact-unsound', "The header has another default threshold than the detector.");
  }
  const fitness = { isFit: unfit.length === 0, reasons: unfit };
  return { deviceModel, needs, encoder, detector, stableFeatures, thresholds, fitness, provenance };
}
