/**
 * Labelled flows kept by unit, as a fingerprint and a second stage are learned from whole flows: those of the device
 * model, cut in time as `TrainingFlows` cuts them, and those of a background library. Bounded by rows and units.
 */
import { assertInvariant, limits, OperatorError } from '#base';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';

/** All flows of one unit that came, in the order in which they came. */
export type UnitFlows = {
  readonly device: string;
  readonly deviceModel: string;
  /** Of shared dictionaries. */
  readonly flows: readonly FlowBatch[];
};

/** Flows of a device model, cut in time; of any number of units. */
export type OwnFlows = {
  readonly training: readonly FlowBatch[];
  readonly validation: readonly FlowBatch[];
};

export type FlowsByUnitOptions = {
  /** What all flows are of, whatever their labels say; undefined: each device is of what its flows say. */
  readonly deviceModel?: string | undefined;
  readonly flowsMax?: number;
  readonly unitsMax?: number;
};

type Kept = { readonly device: string; readonly deviceModel: string; readonly pieces: FlowBatch[] };

const firstPieceRows = 64;

export class FlowsByUnit {
  /** By code of the device's name. */
  readonly #units = new Map<number, Kept>();
  readonly #deviceModel: string | undefined;
  readonly #flowsMax: number;
  readonly #unitsMax: number;
  #rowCount = 0;

  constructor(options: FlowsByUnitOptions = {}) {
    const { deviceModel, flowsMax = limits.libraryFlowsMax, unitsMax = limits.libraryUnitsMax } = options;
    this.#deviceModel = deviceModel;
    this.#flowsMax = flowsMax;
    this.#unitsMax = unitsMax;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /**
   * Takes a row for the unit that its column `device` names.
   *
   * @param batch  may be reused afterwards; all batches share their dictionaries
   * @throws OperatorError  more flows or units than may be held, or a device of two device models
   */
  add(batch: FlowBatch, row: number): void {
    if (this.#rowCount === this.#flowsMax) {
      throw new OperatorError('bad-option', `There are more than ${this.#flowsMax} flows to keep: name fewer files.`);
    }
    const { pieces } = this.#unitOf(batch, row);
    let piece = pieces.at(-1);
    if (piece === undefined || piece.rowCount === piece.capacity) {
      const rows = piece === undefined ? firstPieceRows : Math.min(2 * piece.capacity, limits.flowBatchRows);
      pieces.push(piece = createFlowBatch(rows, batch.dictionaries));
    }
    copyRows(batch, row, row + 1, piece);
    this.#rowCount++;
  }

  #unitOf({ columns, dictionaries }: FlowBatch, row: number): Kept {
    const code = columns.device[row] as number;
    const deviceModel = this.#deviceModel ?? dictionaries.device_model.decode(columns.device_model[row] as number);
    const known = this.#units.get(code);
    const device = dictionaries.device.decode(code);
    if (known !== undefined && known.deviceModel !== deviceModel) {
      throw new OperatorError('bad-option', `${device} is called a ${known.deviceModel || 'nothing'} and a ` +
        `${deviceModel || 'nothing'}: a device is of one device model; mend the column device_model or device.`);
    }
    if (known !== undefined) return known;
    if (this.#units.size === this.#unitsMax) {
      throw new OperatorError('bad-option', `There are more than ${this.#unitsMax} devices: name fewer files.`);
    }
    const unit: Kept = { device, deviceModel, pieces: [] };
    this.#units.set(code, unit);
    return unit;
  }

  /** What was kept, ordered by the names of device model and device. */
  units(): UnitFlows[] {
    return [...this.#units.values()]
      .sort((a, b) => compareTexts(a.deviceModel, b.deviceModel) || compareTexts(a.device, b.device))
      .map(({ device, deviceModel, pieces }) => ({ device, deviceModel, flows: pieces }));
  }
}

/** By code units: what is learned must not depend on the locale. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * Cuts flows of units in time, as `TrainingFlows.split` does: the earliest 70 % of each train, the next 10 % validate.
 *
 * @param units  all of shared dictionaries; read only
 */
export function splitOwnFlows(units: readonly UnitFlows[]): OwnFlows {
  const parts = { training: [] as FlowBatch[], validation: [] as FlowBatch[] };
  for (const { flows } of units) {
    const places = flows.flatMap((batch) => Array.from({ length: batch.rowCount }, (_, row) =>
      ({ batch, row, startMs: batch.columns.flowStartMilliseconds[row] as number })));
    places.sort((a, b) => a.startMs - b.startMs);
    // Whole numbers: 0.7 times a count may fall short of one.
    const trainEnd = Math.floor(places.length * 7 / 10);
    const end = Math.floor(places.length * 8 / 10);
    for (const [part, chosen] of [
      ['training', places.slice(0, trainEnd)], ['validation', places.slice(trainEnd, end)],
    ] as const) {
      for (let first = 0; first < chosen.length; first += limits.flowBatchRows) {
        parts[part].push(gather(chosen.slice(first, first + limits.flowBatchRows)));
      }
    }
  }
  return parts;
}

function gather(places: readonly { readonly batch: FlowBatch; readonly row: number }[]): FlowBatch {
  const dictionaries = places[0]?.batch.dictionaries;
  assertInvariant(dictionaries !== undefined, 'a part of no flows');
  const gathered = createFlowBatch(places.length, dictionaries);
  for (const { batch, row } of places) copyRows(batch, row, row + 1, gathered);
  return gathered;
}
