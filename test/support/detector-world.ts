/**
 * A small world for tests of the detector: a device model with a classifier, flows of it and of others, and datagrams
 * that carry them. Flows are those of `labelled-flows.ts`, to several servers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mappedWord, parseAddress, Random } from '#base';
import { readArtifact, writeArtifact, writeClassifier, type ShippedClassifier } from '#classifier/artifact';
import { fitClassifier, TrainingFlows } from '#classifier/train';
import { describeTokens, type Fingerprint, type FingerprintToken } from '#evidence';
import { findCatalog, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { createDictionaries, FlowEncoder, type Dictionaries, type EncoderCounts, type FlowBatch } from '#flow';
import { activityCount, nullBinCount, type Calibration } from '#verdict';
import { batchOf, madeByNatlens, makeFlows, type MadeFlow } from './labelled-flows.ts';

export const deviceModel = 'webcam.Test.One';

/** The artifact of a classifier of the device model; the same bytes for the same seed. */
export function makeArtifact(seed = 1, name: string = deviceModel): Uint8Array {
  const flows = new TrainingFlows(findCatalog('portable', 1) as Catalog, { deviceModel: name });
  flows.add(batchOf(makeFlows(800, seed, { deviceModel: name })));
  const { classifier } = fitClassifier(flows.split(), {
    deviceModel: name, needs: needsOf({ ...madeByNatlens, l7Source: 'exporter' }) as FlowNeeds,
    algorithm: 'chow-liu-tree', seed, natlensVersion: '0.0.0',
  });
  return writeClassifier(classifier);
}

/** Servers of the device model, each by its prefix: three tokens of 4 nats, which nothing else in the world shows. */
export function makeWorldFingerprint(): Fingerprint {
  const endMs = Array.from({ length: 200 }, (_, i) => i);
  const batch = makeHomeFlows({ from: '198.51.100.1', isDevice: true, endMs });
  const tokens = new Map<string, FingerprintToken>();
  for (let row = 0; row < batch.rowCount; row++) {
    const token = describeTokens(batch, row)
      .find(({ family, portClass }) => family === 'prefix' && portClass === 8_883);
    if (token !== undefined) tokens.set(token.text, { ...token, weight: 4, recall: 0.9, prevalence: 1 / 64 });
  }
  return { tokens: [...tokens.values()].sort((a, b) => (a.text < b.text ? -1 : 1)), libraryUnits: 31 };
}

/** A calibration by home-days without any evidence: two tokens of the fingerprint above make a verdict. */
export function makeWorldCalibration({ homeDays = 20_000, expiresMs = Date.UTC(2030, 0, 1), group = [],
  windowMs = 3_600_000, bucketMs = 60_000 }: {
  readonly windowMs?: number; readonly bucketMs?: number;
  readonly homeDays?: number; readonly expiresMs?: number; readonly group?: readonly string[];
} = {}): Calibration {
  const bins = Array.from({ length: nullBinCount }, (_, bin) => (bin === 0 ? homeDays : 0));
  return {
    windowMs, bucketMs, nullTable: { homeDays: Array.from({ length: activityCount }, () => bins) }, ownFloor: 8, group,
    expiresMs,
    card: {
      sources: ['lab'], promisedFpr: 0.0001, measuredFpr: 0, fprUpper95: 0.0002, testHomeDays: 20_000, nullUnits: 31,
      detection: [], confusers: [],
    },
  };
}

/** The artifact of `makeArtifact` with parts that decide on homes. */
export function makeShippedArtifact(parts: Partial<ShippedClassifier> = {}, seed = 1, name: string = deviceModel):
Uint8Array {
  const shipped: ShippedClassifier = {
    ...readArtifact(makeArtifact(seed, name)), fingerprint: makeWorldFingerprint(), calibration: makeWorldCalibration(),
    ...parts,
  };
  const { classifier, fingerprint, secondStage, calibration } = shipped;
  return writeArtifact({ classifier, fingerprint, secondStage, calibration });
}

/** Where the flows of a home come from, and what they do. */
export type HomeFlows = {
  /** Address of the home's side. */
  readonly from: string;
  /** When each flow ends, ascending. */
  readonly endMs: readonly number[];
  /** Of the device model, or of something that no classifier knows. */
  readonly isDevice: boolean;
  readonly seed?: number;
  readonly dictionaries?: Dictionaries;
};

const servers = ['203.0.113.7', '203.0.114.7', '203.0.115.7'];

/** Flows of one home as a batch. */
export function makeHomeFlows(
  { from, endMs, isDevice, seed = 3, dictionaries = createDictionaries() }: HomeFlows,
): FlowBatch {
  const random = new Random(seed);
  const stranger = { port: 6_667, name: 'Unknown', octets: 90_000 };
  const made: MadeFlow[] = makeFlows(endMs.length, seed, isDevice ? {} : stranger);
  const batch = batchOf(made.map((flow, row) => ({ ...flow, startMs: (endMs[row] as number) - 10 * flow.octets })),
    dictionaries);
  const { columns } = batch;
  const source = parseAddress(from) ?? [0, 0, mappedWord, 0];
  for (let row = 0; row < batch.rowCount; row++) {
    columns.sourceAddress.set(source, row * 4);
    columns.destinationAddress.set(parseAddress(random.pick(servers)) ?? source, row * 4);
    columns.sourceTransportPort[row] = 40_000 + row % 20_000;
    columns.device[row] = dictionaries.device.encode('');
    columns.device_model[row] = dictionaries.device_model.encode('');
  }
  return batch;
}

/** Export messages of a batch, all of them at once. */
export function encodeFlows(batch: FlowBatch, exportMs: number, version: 9 | 10 = 10): {
  datagrams: Uint8Array[]; counts: EncoderCounts;
} {
  const datagrams: Uint8Array[] = [];
  const encoder = new FlowEncoder({ version }, (datagram) => datagrams.push(new Uint8Array(datagram)));
  encoder.encode(batch, exportMs);
  encoder.flush(exportMs);
  return { datagrams, counts: encoder.counts() };
}

/** Lays out a detector's folder: `classifiers/`, `state/`, `detector.toml`. @returns path of the config */
export function layOutDetector(folder: string, more = '', classifiers: Readonly<Record<string, Uint8Array>> =
  { 'webcam.nlc': makeArtifact() }): string {
  mkdirSync(join(folder, 'classifiers'), { recursive: true });
  for (const [name, bytes] of Object.entries(classifiers)) writeFileSync(join(folder, 'classifiers', name), bytes);
  const path = join(folder, 'detector.toml');
  writeFileSync(path, [
    'state_folder = "state"',
    more.includes('[input]') ? '' : '[input]\nlisten = ["udp://127.0.0.1:0"]\nl7 = "exporter"',
    '[classifiers]\nfolder = "classifiers"', more, '',
  ].join('\n'));
  return path;
}
