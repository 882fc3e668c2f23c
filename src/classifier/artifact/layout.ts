/**
 * Where things lie in an artifact (`.nlc`): one buffer, little-endian, a fixed header, then its sections, each at a
 * multiple of 8. docs/formats/nlc.md shows these very tables; a test compares both.
 */
import { percentileMax } from '#score';

/** The first bytes. Like PNG's, they show a transfer that changed line ends or cut the eighth bit. */
export const artifactMagic: readonly number[] = [0x89, 0x4e, 0x4c, 0x43, 0x0d, 0x0a, 0x1a, 0x0a];

/** Rises whenever these tables change. */
export const artifactFormatVersion = 2;

export type HeaderField = {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly type: string;
  readonly meaning: string;
};

/** The sections in their order. Of the last three each may be absent, which is a size of 0. */
export const sectionNames =
  ['manifest', 'encoder', 'detector', 'fingerprint', 'secondStage', 'calibration'] as const;
export type SectionName = (typeof sectionNames)[number];
export type SectionSizes = { readonly [Name in SectionName]: number };

const thresholdCount = percentileMax + 1;

export const headerFields = {
  magic: { name: 'magic', offset: 0, bytes: 8, type: 'bytes', meaning: '`89 4e 4c 43 0d 0a 1a 0a`' },
  formatVersion: {
    name: 'formatVersion', offset: 8, bytes: 4, type: 'u32', meaning: `${artifactFormatVersion}`,
  },
  totalBytes: { name: 'totalBytes', offset: 12, bytes: 4, type: 'u32', meaning: 'size of the artifact' },
  digest: { name: 'digest', offset: 16, bytes: 32, type: 'bytes', meaning: 'SHA-256 of all bytes behind it' },
  manifestBytes: { name: 'manifestBytes', offset: 48, bytes: 4, type: 'u32', meaning: 'size of the manifest' },
  encoderBytes: { name: 'encoderBytes', offset: 52, bytes: 4, type: 'u32', meaning: 'size of the encoder' },
  detectorBytes: { name: 'detectorBytes', offset: 56, bytes: 4, type: 'u32', meaning: 'size of the detector' },
  fingerprintBytes: {
    name: 'fingerprintBytes', offset: 60, bytes: 4, type: 'u32', meaning: 'size of the fingerprint, 0 without one',
  },
  secondStageBytes: {
    name: 'secondStageBytes', offset: 64, bytes: 4, type: 'u32', meaning: 'size of the second stage, 0 without one',
  },
  calibrationBytes: {
    name: 'calibrationBytes', offset: 68, bytes: 4, type: 'u32', meaning: 'size of the calibration, 0 without one',
  },
  defaultThreshold: {
    name: 'defaultThreshold', offset: 72, bytes: 8, type: 'f64', meaning: "the algorithm's own threshold",
  },
  percentileThresholds: {
    name: 'percentileThresholds', offset: 80, bytes: 8 * thresholdCount, type: `f64 × ${thresholdCount}`,
    meaning: 'threshold of percentile 0, 1, … 30',
  },
} as const satisfies Record<`${SectionName}Bytes`, HeaderField> & Record<string, HeaderField>;

/** What the digest covers begins here. */
export const digestedFrom: number = headerFields.digest.offset + headerFields.digest.bytes;
export const headerBytes: number = headerFields.percentileThresholds.offset + headerFields.percentileThresholds.bytes;

/** Sections begin at multiples of this, filled up with zeros. */
export const sectionAlignment = 8;

export function alignSection(offset: number): number {
  return Math.ceil(offset / sectionAlignment) * sectionAlignment;
}

/** A value for every section, in their order. */
export function mapSections<Value>(make: (name: SectionName) => Value): Record<SectionName, Value> {
  return Object.fromEntries(sectionNames.map((name) => [name, make(name)])) as Record<SectionName, Value>;
}

/** Offsets of the sections, and of the end, for their sizes. */
export function placeSections(sizes: SectionSizes): { offsets: Record<SectionName, number>; endAt: number } {
  let endAt = headerBytes;
  const offsets = mapSections((name) => {
    const at = endAt;
    endAt = alignSection(at + sizes[name]);
    return at;
  });
  return { offsets, endAt };
}
