/**
 * Flows and a classifier for the scoring benchmarks: 20,000 training flows of some device whose one-hot form has 60
 * columns, an isolation forest of 100 trees on them, and flows to be scored of which some are the device's. Everything
 * from one seed, so that all peers work on the same.
 */
import { Random } from '../src/base/index.ts';
import {
  createEncodedRows, createEncoder, createFeatureMatrix, type EncodedRows, type Encoder, findCatalog, readFeatures,
} from '../src/pipeline/3-feature/index.ts';
import { EncoderBuilder } from '../src/pipeline/3-feature/fit/index.ts';
import { createFlowBatch, type FlowBatch } from '../src/pipeline/2-flow/index.ts';
import { type Classifier } from '../src/pipeline/4-score/index.ts';
import { trainers } from '../src/pipeline/4-score/fit/index.ts';

export const trainingRows = 20_000;
export const scoredRows = 10_000;
export const seed = 1;

type Kind = {
  service: number; reverseService: number; protocol: number; port: number; name: string; octets: number; back: number;
  durationMs: number;
};

/** What a device talks about: a few dozen kinds of conversation, some of them far more often than others. */
function kindsOf(device: number): Kind[] {
  return Array.from({ length: 48 }, (_, i) => ({
    service: [0, 8, 16, 32, 184][i * i % 5] as number, reverseService: [0, 8, 16, 32, 184][i % 5] as number,
    protocol: [6, 17, 1][i % 3] as number, port: 80 + (i % 20) * 97 + device, name: `Service${i % 24 + device}`,
    octets: 60 + i * 37 % 1500, back: 80 + i * 91 % 9000, durationMs: 10 + i * i * 7 % 20_000,
  }));
}

/**
 * Flows of one device.
 *
 * @param foreign  share of flows with values that training never shows
 */
export function makeFlows(flowSeed: number, rowCount: number, foreign: number, device = 0): FlowBatch {
  const random = new Random(flowSeed);
  const kinds = kindsOf(device);
  const batch = createFlowBatch(rowCount);
  const { columns, dictionaries } = batch;
  batch.rowCount = rowCount;
  for (let row = 0; row < rowCount; row++) {
    const isForeign = random.chance(foreign);
    const kind = kinds[Math.floor(random.uniform() ** 2 * kinds.length)] as Kind;
    columns.flowStartMilliseconds[row] = 1e12;
    columns.flowEndMilliseconds[row] = 1e12 + Math.floor(kind.durationMs * (0.5 + random.uniform() ** 4 * 8));
    columns.initiatorPackets[row] = random.integer(1, 9);
    columns.responderPackets[row] = random.integer(1, 9);
    columns.initiatorOctets[row] = Math.floor(kind.octets * (1 + random.uniform() ** 3 * 5));
    columns.responderOctets[row] = Math.floor(kind.back * (1 + random.uniform() ** 3 * 9));
    columns.ipClassOfService[row] = kind.service;
    columns.reverseIpClassOfService[row] = kind.reverseService;
    columns.protocolIdentifier[row] = kind.protocol;
    columns.destinationTransportPort[row] = isForeign ? random.integer(20_000, 60_000) : kind.port;
    columns.applicationName[row] = dictionaries.applicationName.encode(isForeign ? 'Other' : kind.name);
    // Port and type · 256 + code are one feature: an ICMP flow of these ports.
    columns.icmpTypeCodeIPv4[row] = columns.destinationTransportPort[row] as number;
  }
  return batch;
}

export type Fitted = {
  readonly encoder: Encoder;
  readonly rows: EncodedRows;
  readonly classifier: Classifier;
};

/** Training flows of a device as a detector sees them. */
export function encodeTraining(device = 0, catalogName = 'paper'): { encoder: Encoder; rows: EncodedRows } {
  const flows = makeFlows(7, trainingRows, 0, device);
  const catalog = findCatalog(catalogName, 1);
  if (catalog === undefined) throw new Error(`there is no catalog ${catalogName}`);
  const matrix = createFeatureMatrix(catalog, trainingRows);
  readFeatures(flows, matrix);
  const builder = new EncoderBuilder(catalog);
  builder.add(matrix);
  const encoder = createEncoder(builder.fit());
  const rows = createEncodedRows(encoder.layout, trainingRows);
  encoder.encode(matrix, rows);
  return { encoder, rows };
}

/**
 * Encoder, training rows and classifier.
 *
 * @param more  another device, and the catalog `portable`, whose categories are stable and so may reject
 */
export function fitForest(forestSeed: number = seed, more: { device?: number; isPortable?: boolean } = {}): Fitted {
  const { device = 0, isPortable = false } = more;
  const { encoder, rows } = encodeTraining(device, isPortable ? 'portable' : 'paper');
  const trainer = trainers.get('isolation-forest');
  if (trainer === undefined) throw new Error('nothing trains forests');
  const detector = trainer.fit(rows, {}, forestSeed);
  return {
    encoder, rows,
    classifier: {
      deviceModel: `bench.any.device_${device}`, encoder: encoder.fitted, detector,
      stableFeatures: isPortable ? encoder.catalog.categorical.map((_, i) => i) : [],
      needs: { isBiflow: true, l7Source: 'none', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000 },
      thresholds: { default: detector.defaultThreshold, byPercentile: new Float64Array(31).fill(0.5) },
      fitness: { isFit: true, reasons: [] },
      provenance: {
        natlensVersion: '0.0.0', trainingDigest: '0'.repeat(64), trainingFlows: trainingRows, validationFlows: 0,
        devices: 1, seed: forestSeed, parameters: { treeCount: 100, maxSamples: 256, contamination: 'auto' },
      },
    },
  };
}
