/**
 * What would make results of a data set look better than they are, found before anybody trains on it: features that
 * say which device it is or when it was, a flow in two parts or under two devices, parts that are not in order of time.
 * Each check refuses with a sentence.
 */
import { addressWords, OperatorError } from '#base';
import { createFeatureMatrix, readFeatures, type Catalog, type Feature } from '#feature';
import { createFlowBatch, elementsPerRow, findColumn, schema, type ColumnName, type FlowBatch } from '#flow';
import { flowKey } from './flow-key.ts';
import { partitionOf, partitions, splitCounts } from './manifest.ts';

function leak(what: string): OperatorError {
  return new OperatorError('bad-option', `The data leak: ${what}`);
}

const times: readonly ColumnName[] = ['flowStartMilliseconds', 'flowEndMilliseconds'];

/** Columns that no feature may be made of: who it is, and ground truth; a source port says which computer it is. */
function isForbidden(name: string): boolean {
  const privacy = findColumn(name)?.privacy;
  return privacy === 'identity' || privacy === 'label' || name === 'sourceTransportPort';
}

/**
 * Refuses a catalog with a feature made of identifiers, addresses of devices, labels or absolute time: by the columns
 * that it names, and by what it really reads from flows that differ in these alone.
 *
 * @throws OperatorError
 */
export function checkCatalog(catalog: Catalog): void {
  for (const feature of [...catalog.numeric, ...catalog.categorical]) {
    const named = feature.columns.find(isForbidden);
    if (named !== undefined) throw leaking(catalog, feature, `is made of ${named}`);
    const oneTime = times.filter((name) => feature.columns.includes(name));
    if (oneTime.length === 1) throw leaking(catalog, feature, `is made of ${oneTime[0]} alone, an absolute time`);
  }
  const plain = probeFlows();
  for (const { name, storage } of schema.filter((column) => isForbidden(column.name))) {
    const changed = probeFlows();
    const width = elementsPerRow(storage);
    // The first word of an address says of which family it is; others may be anything.
    const first = storage === 'address' ? addressWords - 1 : 0;
    for (let row = 0; row < changed.rowCount; row++) {
      for (let i = first; i < width; i++) changed.columns[name][row * width + i] = 1 + 3 * row + i;
    }
    compareProbes(catalog, { plain, changed, what: `reads ${name}` });
  }
  const later = probeFlows();
  for (const name of times) {
    // A year and a bit: another hour, day of the week and month too.
    later.columns[name].forEach((timeMs, row, column) => void (column[row] = timeMs + 34_567_890_123));
  }
  compareProbes(catalog, { plain, changed: later, what: 'changes with absolute time' });
}

function leaking({ name }: Catalog, feature: Feature, what: string): OperatorError {
  return leak(`the feature ${feature.name} of the catalog ${name} ${what}, which says whose flow it is or when it ` +
    'was; take it out of the catalog.');
}

const probeRows = 24;

/** Flows that differ in everything; the same each time. */
function probeFlows(): FlowBatch {
  const flows = createFlowBatch(probeRows);
  flows.rowCount = probeRows;
  for (let row = 0; row < probeRows; row++) {
    for (const { name, storage } of schema) {
      const width = elementsPerRow(storage);
      for (let i = 0; i < width; i++) flows.columns[name][row * width + i] = (row * 7 + i + name.length) % 50;
    }
    const { columns } = flows;
    columns.ipVersion[row] = 4;
    columns.protocolIdentifier[row] = [6, 17, 1][row % 3] as number;
    for (const name of ['sourceAddress', 'destinationAddress'] as const) {
      columns[name].set([0, 0, 0xffff, 0x0a000000 + row * 70_001], row * addressWords);
    }
    columns.flowStartMilliseconds[row] = 1_600_000_000_000 + row * 3_600_000;
    columns.flowEndMilliseconds[row] = 1_600_000_000_000 + row * 3_600_000 + row * 250;
  }
  return flows;
}

function compareProbes(
  catalog: Catalog, { plain, changed, what }: { plain: FlowBatch; changed: FlowBatch; what: string },
): void {
  const [one, other] = [plain, changed].map((flows) => {
    const matrix = createFeatureMatrix(catalog, flows.rowCount);
    readFeatures(flows, matrix);
    return [...matrix.numeric, ...matrix.categorical];
  });
  const features = [...catalog.numeric, ...catalog.categorical];
  const found = features.find((_, i) => {
    const [before, after] = [one?.[i], other?.[i]];
    return before?.some((value, row) => value !== after?.[row]) === true;
  });
  if (found !== undefined) throw leaking(catalog, found, what);
}

/**
 * Refuses flows of a device whose parts are not in order of time, or not as large as the split says.
 *
 * @throws OperatorError
 */
export function checkPartitions(device: string, { columns, dictionaries, rowCount }: FlowBatch): void {
  const counts = splitCounts(rowCount);
  const { flowStartMilliseconds: start } = columns;
  for (let row = 0; row < rowCount; row++) {
    const name = dictionaries.partition.decode(columns.partition[row] as number);
    const expected = partitionOf(row, counts);
    if (row > 0 && (start[row] as number) < (start[row - 1] as number)) {
      throw leak(`flow ${row + 1} of ${device} begins before the one ahead of it, so training may know what comes ` +
        'after validation or test; sort the flows by time.');
    }
    if (name !== expected) {
      throw leak(`flow ${row + 1} of ${device} is in '${name}' and by its time belongs to ${expected}: parts are the ` +
        `earliest, the next and the latest flows (${partitions.join(', ')}).`);
    }
  }
}

/**
 * Finds a flow that stands twice in a data set, so in two parts or under two devices: what is trained on would be
 * tested on too. A device's own copies are left out when a data set is built; here none may be left.
 */
export class DuplicateCheck {
  readonly #seen = new Map<string, { readonly device: string; readonly partition: string }>();

  /** @throws OperatorError  a flow of these is one that was there before */
  add(device: string, flows: FlowBatch): void {
    const { columns, dictionaries, rowCount } = flows;
    for (let row = 0; row < rowCount; row++) {
      const key = flowKey(flows, row);
      const partition = dictionaries.partition.decode(columns.partition[row] as number);
      const before = this.#seen.get(key);
      if (before === undefined) {
        this.#seen.set(key, { device, partition });
        continue;
      }
      const at = `begun at ${new Date(columns.flowStartMilliseconds[row] as number).toISOString()}`;
      if (before.device !== device) {
        throw leak(`a flow ${at} is ${before.device}'s and ${device}'s too; give each capture to one of them.`);
      }
      throw leak(`a flow of ${device} ${at} is in ${before.partition} and in ${partition}; build the data set again.`);
    }
  }
}
