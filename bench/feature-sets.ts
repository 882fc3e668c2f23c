/**
 * How much each group of features helps: the figures of docs/features.md. Run by hand: `node bench/feature-sets.ts`.
 * Needs the shared flow tables. Of every unit the latest fifth of its flows is never read, so that choosing features by
 * these figures leaves a test part untouched. Judges features by two simple scores, not by the detectors that we ship.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { assertInvariant, parseAddress } from '#base';
import { createDictionaries, createFlowBatch, type FlowBatch } from '#flow';
import {
  createEncodedRows, createEncoderOf, createFeatureMatrix, findCatalog, readFeatures, type Catalog, type EncodedRows,
  type FeatureMatrix,
} from '#feature';
import { fitEncoder } from '#feature/fit';
import { trainers } from '#score/fit';

const tables = ['fit', 'ssi', 'blinkhub', 'nku', 'sentinel', 'strato'];
const folder = fileURLToPath(new URL('../../shared/oracle/flows/', import.meta.url));
/** Flows that a device model needs here. */
const flowsMin = 1_000;
const testShare = 0.2;
const trainShare = 0.7;
const seeds = [0, 1];

type LabFlow = { readonly unit: string; readonly model: string; readonly cells: Readonly<Record<string, string>> };

function readTable(name: string): LabFlow[] {
  const [header = '', ...lines] = gunzipSync(readFileSync(`${folder}${name}.csv.gz`)).toString().trim().split(/\r?\n/);
  const names = header.split(',');
  return lines.map((line) => {
    // Only the last column, which is not read, may hold a comma.
    const cells = Object.fromEntries(line.split(',').slice(0, names.length).map((cell, i) => [names[i], cell]));
    return { unit: `${cells.model} ${cells.unit}`, model: cells.model as string, cells };
  });
}

const numberColumns = {
  flowStartMilliseconds: 'start_ms', flowEndMilliseconds: 'end_ms', initiatorOctets: 'in_bytes',
  responderOctets: 'out_bytes', initiatorPackets: 'in_pkts', responderPackets: 'out_pkts', ipClassOfService: 'src_tos',
  reverseIpClassOfService: 'dst_tos', protocolIdentifier: 'protocol', destinationTransportPort: 'l4_dst_port',
  tcpControlBits: 'flags_fwd', reverseTcpControlBits: 'flags_rev',
} as const;

const dictionaries = createDictionaries();

function toBatch(flows: readonly LabFlow[]): FlowBatch {
  const batch = createFlowBatch(flows.length, dictionaries);
  batch.rowCount = flows.length;
  for (const [row, { cells }] of flows.entries()) {
    for (const [column, cell] of Object.entries(numberColumns)) {
      batch.columns[column as keyof typeof numberColumns][row] = Number(cells[cell]);
    }
    batch.columns.destinationAddress.set(parseAddress(cells.dst_ip as string) ?? [], row * 4);
    batch.columns.applicationName[row] = dictionaries.applicationName.encode(cells.l7 as string);
  }
  return batch;
}

function featuresOf(catalog: Catalog, flows: readonly LabFlow[]): FeatureMatrix {
  const matrix = createFeatureMatrix(catalog, flows.length);
  readFeatures(toBatch(flows), matrix);
  return matrix;
}

/** Training flows by device model, and the flows that follow them, of all units together. */
function split(flows: readonly LabFlow[]): { train: Map<string, LabFlow[]>; judged: LabFlow[]; models: string[] } {
  const train = new Map<string, LabFlow[]>();
  const judged: LabFlow[] = [];
  for (const ofUnit of Map.groupBy(flows, ({ unit }) => unit).values()) {
    const inOrder = ofUnit.toSorted((a, b) => Number(a.cells.start_ms) - Number(b.cells.start_ms));
    const end = Math.floor(inOrder.length * (1 - testShare));
    const middle = Math.floor(end * trainShare);
    const { model } = inOrder[0] as LabFlow;
    train.set(model, [...train.get(model) ?? [], ...inOrder.slice(0, middle)]);
    judged.push(...inOrder.slice(middle, end));
  }
  const byModel = Map.groupBy(flows, ({ model }) => model);
  // A computer is everyone's confuser, and no device model.
  const models = [...byModel.keys()].filter((model) =>
    !model.startsWith('nonIoT') && (byModel.get(model)?.length ?? 0) >= flowsMin);
  return { train, judged, models };
}

const binCount = 16;

/**
 * Minus the log likelihood with features taken for independent: numbers in bins of equally many training flows, or
 * outside of what training showed; an unseen category as likely as the categories that came once (Good and Turing).
 */
function scoreLikelihood(train: EncodedRows, rows: EncodedRows): Float64Array {
  const out = new Float64Array(rows.rowCount);
  const n = train.rowCount;
  for (const [i, column] of train.numeric.entries()) {
    const sorted = column.toSorted();
    const edges = [...new Set(Array.from({ length: binCount - 1 }, (_, k) =>
      sorted[Math.floor((n - 1) * (k + 1) / binCount)] as number))];
    const binOf = (value: number): number => edges.filter((edge) => edge < value).length;
    const counts = new Float64Array(edges.length + 1).fill(0.5);
    for (const value of column) counts[binOf(value)]! += 1;
    const total = counts.reduce((sum, count) => sum + count, 0);
    for (const [row, value] of (rows.numeric[i] as Float32Array).entries()) {
      const isOutside = value < (sorted[0] as number) || value > (sorted[n - 1] as number);
      out[row]! -= Math.log(isOutside ? 0.5 / (n + 1) : (counts[binOf(value)] as number) / total);
    }
  }
  for (const [i, column] of train.codes.entries()) {
    const counts = new Float64Array((train.layout.categoryCounts[i] as number) + 1);
    for (const code of column) counts[code]! += 1;
    const unseen = (counts.filter((count) => count === 1).length + 1) / (n + 2);
    for (const [row, code] of (rows.codes[i] as Uint16Array).entries()) {
      const isUnseen = code === counts.length - 1;
      // One of many: an unseen category is not told apart from others, so its share is divided by a good few.
      out[row]! -= Math.log(isUnseen ? unseen / 20 : (counts[code] as number) / n * (1 - unseen));
    }
  }
  return out;
}

function scoreForest(train: EncodedRows, rows: EncodedRows): Float64Array {
  const trainer = trainers.get('isolation-forest');
  assertInvariant(trainer !== undefined, 'there is no trainer of forests');
  const sum = new Float64Array(rows.rowCount);
  for (const seed of seeds) {
    const out = new Float64Array(rows.rowCount);
    trainer.fit(train, {}, seed).score(rows, out);
    for (let row = 0; row < out.length; row++) sum[row]! += (out[row] as number) / seeds.length;
  }
  return sum;
}

function countUnseen({ codes, layout, rowCount }: EncodedRows): Uint8Array {
  const counts = new Uint8Array(rowCount);
  for (const [i, column] of codes.entries()) {
    for (let row = 0; row < rowCount; row++) counts[row]! += Number(column[row] === layout.categoryCounts[i]);
  }
  return counts;
}

/** Area under the ROC curve: how often another flow scores higher than an own one, ties half. */
function areaUnder(scores: Float64Array, isOwn: (row: number) => boolean): number {
  const order = Array.from(scores.keys()).sort((a, b) => (scores[a] as number) - (scores[b] as number));
  let [ownBefore, sum, others] = [0, 0, 0];
  for (let at = 0; at < order.length;) {
    let [own, other] = [0, 0];
    const score = scores[order[at] as number];
    for (; at < order.length && scores[order[at] as number] === score; at++) {
      if (isOwn(order[at] as number)) own++;
      else other++;
    }
    sum += other * (ownBefore + own / 2);
    ownBefore += own;
    others += other;
  }
  return sum / (ownBefore * others);
}

/** Share of other flows that are accepted where nine of ten own ones are. */
function falseShare(scores: Float64Array, isOwn: (row: number) => boolean): number {
  const own = scores.filter((_, row) => isOwn(row)).sort();
  const others = scores.filter((_, row) => !isOwn(row));
  const threshold = own[Math.ceil(own.length * 0.9) - 1] as number;
  return others.filter((score) => score <= threshold).length / others.length;
}

/** A catalog with some of the features of others. */
function selectFeatures(name: string, from: readonly string[], left: (feature: string) => boolean): Catalog {
  const all = from.map((catalog) => findCatalog(catalog) as Catalog);
  const unique = <T extends { readonly name: string }>(features: readonly T[]): T[] =>
    [...new Map(features.map((feature) => [feature.name, feature])).values()].filter((feature) => left(feature.name));
  return {
    name, version: 1, meaning: '', numeric: unique(all.flatMap(({ numeric }) => numeric)),
    categorical: unique(all.flatMap(({ categorical }) => categorical)),
  };
}

/** Ports from 1024 up in two classes by registration: what the port class of our catalogs might have been. */
function withCoarsePorts(catalog: Catalog): Catalog {
  return {
    ...catalog, name: 'portable, ports in coarse classes',
    categorical: catalog.categorical.map((feature) => feature.name !== 'destinationPortClass' ? feature : {
      ...feature,
      read: (batch: FlowBatch, out: Uint32Array) => {
        feature.read(batch, out);
        for (let row = 0; row < batch.rowCount; row++) {
          const port = out[row] as number;
          if (port >= 1_024 && port < 49_152) out[row] = 1_024;
        }
      },
    }),
  };
}

const own = (pattern: RegExp) => (name: string): boolean => !pattern.test(name);
const portable = findCatalog('portable') as Catalog;
const sets: readonly Catalog[] = [
  findCatalog('paper') as Catalog,
  portable,
  selectFeatures('portable without packets', ['portable'], own(/Packet/)),
  selectFeatures('portable without TCP flags', ['portable'], own(/ControlBits/)),
  withCoarsePorts(portable),
  selectFeatures('portable and DST_TOS', ['portable', 'paper'],
    own(/^(?:initiatorOctets|responderOctets|flowDurationMilliseconds|destinationTransportPort)$/)),
  selectFeatures('natlens without the prefix', ['natlens'], own(/^destinationPrefix/)),
  selectFeatures('natlens without the block', ['natlens'], own(/^destinationBlock/)),
  findCatalog('natlens') as Catalog,
];

function judge(catalog: Catalog, { train, judged, models }: ReturnType<typeof split>): string {
  const matrix = featuresOf(catalog, judged);
  const figures = models.map((model) => {
    const trainMatrix = featuresOf(catalog, train.get(model) as LabFlow[]);
    const encoder = createEncoderOf(catalog, fitEncoder(catalog, [trainMatrix]));
    const [trainRows, rows] = [trainMatrix, matrix].map((features) => {
      const encoded = createEncodedRows(encoder.layout, features.rowCount);
      encoder.encode(features, encoded);
      return encoded;
    }) as [EncodedRows, EncodedRows];
    const isOwn = (row: number): boolean => judged[row]?.model === model;
    const unseen = countUnseen(rows);
    const forest = scoreForest(trainRows, rows);
    const rejecting = forest.map((score, row) => score + (unseen[row] as number));
    const scores = [forest, rejecting, scoreLikelihood(trainRows, rows)];
    const ownUnseen = judged.filter((_, row) => isOwn(row) && unseen[row] !== 0).length;
    return [
      ...scores.flatMap((score) => [areaUnder(score, isOwn), falseShare(score, isOwn)]),
      ownUnseen / judged.filter(({ model: judgedModel }) => judgedModel === model).length,
    ];
  });
  const means = (figures[0] as number[]).map((_, i) =>
    figures.reduce((sum, row) => sum + (row[i] as number), 0) / models.length);
  return `| ${[catalog.name, ...means.map((mean) => mean.toFixed(3))].join(' | ')} |`;
}

if (!existsSync(folder)) throw new Error('the shared flow tables are not beside the project');
const parts = split(tables.flatMap(readTable));
console.log(`${parts.models.join(', ')}; ${parts.judged.length} flows judged`);
console.log('| features | forest: AUC | FPR | and unseen: AUC | FPR | likelihood: AUC | FPR | own flows unseen |');
for (const catalog of sets) console.log(judge(catalog, parts));
