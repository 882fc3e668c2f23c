/**
 * The flows that a classifier is trained on, collected batch by batch: of one device model, as raw features. Then cut
 * in time (Meidan et al. 2019 §4): of each device the earliest 70 % train, the next 10 % validate, the latest 20 % are
 * left for a test that training never sees.
 */
import { createHash, type Hash } from 'node:crypto';
import { assertInvariant, limits, OperatorError } from '#base';
import { createFeatureMatrix, readFeatures, type Catalog, type FeatureMatrix } from '#feature';
import type { Dictionary, FlowBatch } from '#flow';

/** Raw features of one part, device by device, each in order of time. */
export type FlowPart = {
  readonly matrix: FeatureMatrix;
  /** [rowCount]: place of the row in its device's time, 0 … 1 over training and validation together. */
  readonly age: Float64Array;
};

export type SplitFlows = {
  readonly training: FlowPart;
  readonly validation: FlowPart;
  /** Flows left for a test. */
  readonly testFlows: number;
  /** Units of the device model. */
  readonly devices: readonly string[];
  /** SHA-256 (hexadecimal) of training and validation flows as the catalog sees them. */
  readonly digest: string;
};

export type TrainingFlowsOptions = {
  /** Takes rows with this in `device_model`; undefined: all rows. */
  readonly deviceModel: string | undefined;
  readonly rowsMax?: number;
};

/** Device models that a message names at most. */
const namedModelsMax = 8;

export class TrainingFlows {
  readonly catalog: Catalog;
  readonly #deviceModel: string | undefined;
  readonly #rowsMax: number;
  /** Rows of other device models, by name: for the message when there are none of this one. */
  readonly #others = new Set<string>();
  #scratch: FeatureMatrix | undefined;
  #dictionaries: FlowBatch['dictionaries'] | undefined;
  #rowCount = 0;
  #startMs = new Float64Array(0);
  #device = new Uint32Array(0);
  #numeric: Float64Array[];
  #categorical: Uint32Array[];

  constructor(catalog: Catalog, { deviceModel, rowsMax = limits.classifierFlowsMax }: TrainingFlowsOptions) {
    this.catalog = catalog;
    this.#deviceModel = deviceModel;
    this.#rowsMax = rowsMax;
    this.#numeric = catalog.numeric.map(() => new Float64Array(0));
    this.#categorical = catalog.categorical.map(() => new Uint32Array(0));
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Names of other device models that were seen, the first few. */
  get otherModels(): readonly string[] {
    return [...this.#others];
  }

  /**
   * Takes the rows of the device model.
   *
   * @param batch  may be reused afterwards; all batches share their dictionaries
   * @throws OperatorError  more rows than may be held
   */
  add(batch: FlowBatch): void {
    this.#dictionaries ??= batch.dictionaries;
    assertInvariant(this.#dictionaries === batch.dictionaries, 'batches must share dictionaries to train on');
    const rows = this.#chooseRows(batch);
    if (rows.length === 0) return;
    if (this.#rowCount + rows.length > this.#rowsMax) {
      throw new OperatorError('bad-option',
        `There are more than ${this.#rowsMax} flows to train on: name fewer files.`);
    }
    if (this.#scratch === undefined || this.#scratch.capacity < batch.rowCount) {
      this.#scratch = createFeatureMatrix(this.catalog, batch.capacity);
    }
    const scratch = this.#scratch;
    readFeatures(batch, scratch);
    this.#reserve(this.#rowCount + rows.length);
    const first = this.#rowCount;
    copyChosen(batch.columns.flowStartMilliseconds, rows, this.#startMs, first);
    copyChosen(batch.columns.device, rows, this.#device, first);
    this.#numeric.forEach((column, i) => copyChosen(scratch.numeric[i] as Float64Array, rows, column, first));
    this.#categorical.forEach((column, i) => copyChosen(scratch.categorical[i] as Uint32Array, rows, column, first));
    this.#rowCount += rows.length;
  }

  /** Is a row one of the device model's? */
  takes({ columns, dictionaries }: FlowBatch, row: number): boolean {
    return this.#deviceModel === undefined ||
      dictionaries.device_model.decode(columns.device_model[row] as number) === this.#deviceModel;
  }

  #chooseRows(batch: FlowBatch): number[] {
    const rows: number[] = [];
    const { columns, dictionaries, rowCount } = batch;
    for (let row = 0; row < rowCount; row++) {
      const code = columns.device_model[row] as number;
      if (this.takes(batch, row)) rows.push(row);
      else if (code !== 0 && this.#others.size < namedModelsMax) {
        this.#others.add(dictionaries.device_model.decode(code));
      }
    }
    return rows;
  }

  #reserve(rows: number): void {
    if (rows <= this.#startMs.length) return;
    const capacity = Math.max(rows, 2 * this.#startMs.length, limits.flowBatchRows);
    this.#startMs = widen(this.#startMs, new Float64Array(capacity));
    this.#device = widen(this.#device, new Uint32Array(capacity));
    this.#numeric = this.#numeric.map((column) => widen(column, new Float64Array(capacity)));
    this.#categorical = this.#categorical.map((column) => widen(column, new Uint32Array(capacity)));
  }

  /** Cuts the rows into parts. The order in which they came decides only between flows of one device and time. */
  split(): SplitFlows {
    const dictionaries = this.#dictionaries;
    const byDevice = new Map<string, number[]>();
    for (let row = 0; row < this.#rowCount; row++) {
      const name = dictionaries?.device.decode(this.#device[row] as number) ?? '';
      const rows = byDevice.get(name);
      if (rows === undefined) byDevice.set(name, [row]);
      else rows.push(row);
    }
    const devices = [...byDevice.keys()].sort();
    const parts = { training: [] as number[], validation: [] as number[] };
    const ages = { training: [] as number[], validation: [] as number[] };
    const hash = createHash('sha256').update(JSON.stringify([this.catalog.name, this.catalog.version]));
    for (const device of devices) {
      const rows = (byDevice.get(device) ?? []).sort((a, b) =>
        (this.#startMs[a] as number) - (this.#startMs[b] as number) || a - b);
      // Whole numbers: 0.7 times a count may fall short of one.
      const trainEnd = Math.floor(rows.length * 7 / 10);
      const end = Math.floor(rows.length * 8 / 10);
      for (let i = 0; i < end; i++) {
        const part = i < trainEnd ? 'training' : 'validation';
        parts[part].push(rows[i] as number);
        ages[part].push(i / end);
      }
      this.#digest(hash, device, rows.slice(0, end), trainEnd);
    }
    const [training, validation] = [this.#gather(parts.training, ages.training),
      this.#gather(parts.validation, ages.validation)];
    const testFlows = this.#rowCount - parts.training.length - parts.validation.length;
    return { training, validation, testFlows, devices, digest: hash.digest('hex') };
  }

  #gather(rows: readonly number[], age: readonly number[]): FlowPart {
    const matrix = {
      ...createFeatureMatrix(this.catalog, rows.length),
      rowCount: rows.length,
      dictionaries: this.catalog.categorical.map((_, feature) => this.#dictionaryOf(feature)),
    };
    matrix.numeric.forEach((column, i) => copyChosen(this.#numeric[i] as Float64Array, rows, column, 0));
    matrix.categorical.forEach((column, i) => copyChosen(this.#categorical[i] as Uint32Array, rows, column, 0));
    return { matrix, age: Float64Array.from(age) };
  }

  #dictionaryOf(feature: number): Dictionary | undefined {
    const name = this.catalog.categorical[feature]?.dictionary;
    return name === undefined ? undefined : this.#dictionaries?.[name];
  }

  /** Device, number of training flows, then column by column: times and numbers as float64, categories as texts. */
  #digest(hash: Hash, device: string, rows: readonly number[], trainEnd: number): void {
    hash.update(JSON.stringify([device, trainEnd, rows.length]));
    for (const column of [this.#startMs, ...this.#numeric]) {
      const values = new Float64Array(rows.length);
      copyChosen(column, rows, values, 0);
      hash.update(values);
    }
    for (const [feature, column] of this.#categorical.entries()) {
      const dictionary = this.#dictionaryOf(feature);
      const textOf = (row: number): string => {
        const value = column[row] as number;
        return dictionary === undefined ? String(value) : dictionary.decode(value);
      };
      hash.update(JSON.stringify(rows.map(textOf)));
    }
  }
}

type Column = Float64Array | Uint32Array;

/** Copies the values of some rows, one behind the other, from index `first` on. A kernel. */
function copyChosen(from: Column, rows: readonly number[], to: Column, first: number): void {
  for (let i = 0; i < rows.length; i++) to[first + i] = from[rows[i] as number] as number;
}

function widen<C extends Column>(from: C, to: C): C {
  to.set(from as never);
  return to;
}
