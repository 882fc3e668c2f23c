/**
 * What the detector's benchmark works with, all of it from one seed: classifiers of a hundred device models (those of
 * the simulated lab, and variations of them with other ports and sizes), each with a fingerprint that was learned
 * against the others and with a calibration; a pool of flows of other units and of computers; and probes, sets of flows
 * that make a verdict in whatever home they are seen.
 */
import { addressWords, parseMac } from '#base';
import type { ShippedClassifier } from '#classifier/artifact';
import {
  createAcceptFlows, createLibraryUnit, fitClassifier, learnFingerprint, splitOwnFlows, TrainingFlows,
} from '#classifier/train';
import { noToken, TokenFinder } from '#evidence';
import {
  createEncodedRows, createEncoderOf, createFeatureMatrix, expandOneHot, findCatalog, oneHotColumnCount,
  readFeatures, type Catalog, type FeatureMatrix, type FlowNeeds,
} from '#feature';
import {
  copyRows, createDictionaries, createFlowBatch, createPrefixNamer, isGlobalUnicast, Meter, meterDefaults,
  type Dictionaries, type FlowBatch,
} from '#flow';
import { acceptScores, chooseThreshold, Scorer, type Classifier } from '#score';
import { activityCount, nullBinCount, type Calibration } from '#verdict';
import { labDeviceModels, simulateLab, type LabOptions } from '../sim/lab/simulate-lab.ts';
import { batchPackets } from '../sim/packet-batches.ts';

export const classifierCount = 100;
/** Distinct tokens that a probe shows at most, the heaviest ones. */
const probeTokens = 6;
/** What a verdict takes: two tokens of the heaviest sort, or more of others. */
const presentScore = 8;
const probesPerClassifier = 3;
/** Flows of one classifier's training that the peer is given: it fits each of its trees on 256 of them. */
const peerRowsMax = 1_000;
const percentile = 10;
const isHost = (deviceModel: string): boolean => /^(?:laptop|desktop|smartphone)\./.test(deviceModel);
const needs: FlowNeeds = {
  isBiflow: true, l7Source: 'prefix', activeTimeoutMs: meterDefaults.activeTimeoutMs,
  idleTimeoutMs: meterDefaults.idleTimeoutMs,
};

/** Rows of the pool. */
export type Probe = { readonly deviceModel: string; readonly rows: readonly number[] };

/** What the peer needs to do the same with one classifier: one-hot rows, row-major. */
export type PeerMatrix = { readonly columns: number; readonly training: Float32Array; readonly scored: Float32Array };

export type DetectorWork = {
  readonly classifiers: readonly ShippedClassifier[];
  readonly pool: FlowBatch;
  readonly probes: readonly Probe[];
  readonly peer: readonly PeerMatrix[];
};

/** @param scoredRows  flows of the pool that the peer is to score @param say  progress, a line at a time */
export function makeDetectorWork(seed: number, scoredRows: number, say: (line: string) => void): DetectorWork {
  const iot = labDeviceModels.filter((name) => !isHost(name));
  const dictionaries = createDictionaries();
  say(`simulating ${classifierCount} device models to train on`);
  const models = Array.from({ length: classifierCount }, (_, i) => iot[i % iot.length] as string);
  const training = meterLab({ seed, days: 10, scale: 0.06, units: models }, dictionaries);
  say('simulating the units whose flows are sent');
  const pool = joinFlows([
    meterLab({ seed: seed + 1, days: 3, scale: 0.06, units: models }, dictionaries),
    meterLab({ seed: seed + 2, days: 5, scale: 0.06, units: labDeviceModels.filter(isHost) }, dictionaries),
  ]);
  const catalog = findCatalog('portable', 1);
  if (catalog === undefined) throw new Error('there is no catalog portable');
  say(`fitting ${classifierCount} classifiers`);
  const scored = featuresOf(catalog, pool, Array.from({ length: scoredRows },
    (_, i) => Math.floor(i * pool.rowCount / scoredRows)));
  const fitted = [...Map.groupBy(rowNumbers(training), (row) => training.columns.device[row])].map(([, rows]) => {
    const deviceModel = training.dictionaries.device_model.decode(
      training.columns.device_model[rows[0] as number] as number);
    const flows = new TrainingFlows(catalog, { deviceModel });
    flows.add(pickRows(training, rows));
    const split = flows.split();
    const { classifier } = fitClassifier(split, {
      deviceModel, needs, algorithm: 'chow-liu-tree', seed, natlensVersion: '0.0.0',
    });
    return { classifier, peer: expandForPeer(classifier, split.training.matrix, scored) };
  });
  if (fitted.length !== classifierCount) throw new Error(`${fitted.length} units have flows`);
  say(`learning ${classifierCount} fingerprints`);
  const units = unitsOf(training).map(createLibraryUnit);
  const classifiers = fitted.map(({ classifier }): ShippedClassifier => {
    const isOwn = (unit: { readonly deviceModel: string }): boolean => unit.deviceModel === classifier.deviceModel;
    const own = splitOwnFlows(units.filter(isOwn));
    const library = units.filter((unit) => !isOwn(unit));
    const fingerprint = learnFingerprint(own, library, createAcceptFlows(classifier));
    return { classifier, fingerprint, secondStage: undefined, calibration };
  });
  return { classifiers, pool, probes: findProbes(classifiers, pool), peer: fitted.map(({ peer }) => peer) };
}

/** Home-days enough for the default budget, none of which shows anything. */
const calibration: Calibration = {
  windowMs: 3_600_000, bucketMs: 60_000,
  nullTable: {
    homeDays: Array.from({ length: activityCount }, () =>
      Array.from({ length: nullBinCount }, (_, bin) => (bin === 0 ? 20_000 : 0))),
  },
  ownFloor: presentScore, group: [], expiresMs: Date.UTC(2100, 0, 1),
  card: {
    sources: ['simulator'], promisedFpr: 0.0001, measuredFpr: 0, fprUpper95: 0.0002, testHomeDays: 20_000,
    nullUnits: classifierCount, detection: [], confusers: [],
  },
};

/** Flows of each unit, as a library has them. */
function unitsOf(flows: FlowBatch): { device: string; deviceModel: string; flows: FlowBatch[] }[] {
  const { columns, dictionaries } = flows;
  return [...Map.groupBy(rowNumbers(flows), (row) => columns.device[row] as number)].map(([device, rows]) => ({
    device: dictionaries.device.decode(device),
    deviceModel: dictionaries.device_model.decode(columns.device_model[rows[0] as number] as number),
    flows: [pickRows(flows, rows)],
  }));
}

/**
 * Flows of a simulated lab to global addresses, named, with labels. Where a device model has several units, each
 * further one stands for another model that talks to other ports, and more.
 */
function meterLab(options: LabOptions, dictionaries: Dictionaries): FlowBatch {
  const lab = simulateLab(options);
  const byMac = new Map(lab.devices.map((device, i) => {
    const variation = lab.devices.slice(0, i).filter(({ deviceModel }) => deviceModel === device.deviceModel).length;
    return [(parseMac(device.mac) ?? []).join(), { ...device, variation }];
  }));
  const pieces: FlowBatch[] = [];
  const namer = createPrefixNamer((named) => pieces.push(pickRows(named, rowNumbers(named))));
  const meter = new Meter({}, (made) => {
    const kept = createFlowBatch(made.rowCount, dictionaries);
    for (let row = 0; row < made.rowCount; row++) {
      const { sourceMacAddress: mac, destinationAddress } = made.columns;
      const device = byMac.get([mac[row * 2], mac[row * 2 + 1]].join());
      if (device === undefined || !isGlobalUnicast(destinationAddress, row * addressWords)) continue;
      copyRows(made, row, row + 1, kept);
      varyRow(kept, kept.rowCount - 1, device.variation);
      kept.columns.device[kept.rowCount - 1] = dictionaries.device.encode(device.deviceName);
      kept.columns.device_model[kept.rowCount - 1] =
        dictionaries.device_model.encode(`${device.deviceModel}_${device.variation}`);
    }
    namer.name(kept);
  }, { dictionaries });
  for (const packets of batchPackets(lab)) meter.add(packets);
  meter.end();
  return joinFlows(pieces);
}

/**
 * Other ports, so other services to the namer, and other sizes. DNS and time move with the rest: otherwise every flow
 * to them would be evidence of a dozen device models, and the bench would measure their verdicts.
 */
function varyRow({ columns }: FlowBatch, row: number, variation: number): void {
  if (variation === 0) return;
  columns.destinationTransportPort[row] = (columns.destinationTransportPort[row] as number) + 11 * variation;
  for (const name of ['initiatorOctets', 'responderOctets'] as const) {
    columns[name][row] = Math.floor((columns[name][row] as number) * (1 + variation / 3));
  }
}

/** @param pieces  at least one; all share their dictionaries */
function joinFlows(pieces: readonly FlowBatch[]): FlowBatch {
  const rowCount = pieces.reduce((sum, piece) => sum + piece.rowCount, 0);
  const flows = createFlowBatch(rowCount, (pieces[0] as FlowBatch).dictionaries);
  for (const piece of pieces) copyRows(piece, 0, piece.rowCount, flows);
  return flows;
}

function rowNumbers({ rowCount }: FlowBatch): number[] {
  return Array.from({ length: rowCount }, (_, row) => row);
}

function pickRows(flows: FlowBatch, rows: readonly number[]): FlowBatch {
  const picked = createFlowBatch(rows.length, flows.dictionaries);
  for (const row of rows) copyRows(flows, row, row + 1, picked);
  return picked;
}

function featuresOf(catalog: Catalog, flows: FlowBatch, rows: readonly number[]): FeatureMatrix {
  const matrix = createFeatureMatrix(catalog, rows.length);
  readFeatures(pickRows(flows, rows), matrix);
  return matrix;
}

function expandForPeer({ encoder: fitted }: Classifier, training: FeatureMatrix, scored: FeatureMatrix): PeerMatrix {
  const encoder = createEncoderOf(findCatalog('portable', 1) as Catalog, fitted);
  const columns = oneHotColumnCount(encoder.layout);
  const expand = (matrix: FeatureMatrix, rowsMax: number): Float32Array => {
    const encoded = createEncodedRows(encoder.layout, matrix.rowCount);
    encoder.encode(matrix, encoded);
    const out = new Float32Array(encoded.rowCount * columns);
    expandOneHot(encoded, out);
    return out.subarray(0, rowsMax * columns);
  };
  return { columns, training: expand(training, peerRowsMax), scored: expand(scored, scored.rowCount) };
}

/**
 * Flows of the pool that show distinct tokens of a classifier's fingerprint, the heaviest first. Those of one probe
 * have one device model's classifier in common.
 */
function findProbes(classifiers: readonly ShippedClassifier[], pool: FlowBatch): Probe[] {
  const scores = new Scorer(classifiers.map(({ classifier }) => classifier), { batchRows: pool.rowCount }).score(pool);
  const isAccepted = classifiers.map(({ classifier: { thresholds } }, i) => {
    const accepted = new Uint8Array(pool.rowCount);
    acceptScores(scores.anomalyScore[i] as Float64Array, pool.rowCount, chooseThreshold(thresholds, percentile),
      accepted);
    return accepted;
  });
  const { tokens } = new TokenFinder(classifiers, pool.rowCount).find(pool, isAccepted);
  const kept = new Set<string>();
  return classifiers.flatMap(({ classifier: { deviceModel }, fingerprint }, i) => {
    const weightOf = (token: number): number => fingerprint?.tokens[token]?.weight ?? 0;
    const rowsOf = new Map<number, number[]>();
    for (let row = 0; row < pool.rowCount; row++) {
      const token = tokens[i]?.[row] ?? noToken;
      // A flow without an answer may be half of one, for which the detector waits.
      if (token === noToken || (pool.columns.responderPackets[row] as number) === 0) continue;
      const rows = rowsOf.get(token);
      if (rows === undefined) rowsOf.set(token, [row]);
      else rows.push(row);
    }
    const shown = [...rowsOf.keys()].sort((a, b) => weightOf(b) - weightOf(a) || a - b).slice(0, probeTokens);
    if (shown.reduce((sum, token) => sum + weightOf(token), 0) < presentScore) return [];
    const probes = Array.from({ length: probesPerClassifier }, (_, at) => shown.map((token) => {
      const rows = rowsOf.get(token) ?? [];
      return rows[at % rows.length] as number;
    }));
    return probes.filter((probe) => !kept.has(probe.join()) && kept.add(probe.join()))
      .map((probe) => ({ deviceModel, rows: probe }));
  });
}
