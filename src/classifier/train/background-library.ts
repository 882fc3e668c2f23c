/**
 * A background library: other units than those of the device model, which its tokens are weighed against. A unit counts
 * as one, however many flows it has: what a single busy device does is no common thing.
 */
import type { FlowBatch } from '#flow';
import { countTokenHours, eachPlainToken, type TokenHours } from './token-hours.ts';
import { FlowsByUnit, type FlowsByUnitOptions, type UnitFlows } from './unit-flows.ts';

export type LibraryUnit = UnitFlows & {
  /** Tokens of the families that do not depend on a classifier. */
  readonly tokens: TokenHours;
};

/** Makes a unit of a library; it may be in many libraries. @param unit  kept, read only from now on */
export function createLibraryUnit(unit: UnitFlows): LibraryUnit {
  return { ...unit, tokens: countTokenHours(unit.flows, eachPlainToken) };
}

export type LibraryCounts = {
  readonly taken: number;
  /** Flows of the device model itself: they are no background. */
  readonly own: number;
  /** Flows that no device is named for. */
  readonly unlabelled: number;
};

export type LibraryFlowsOptions = Pick<FlowsByUnitOptions, 'flowsMax' | 'unitsMax'> & {
  readonly deviceModel: string;
  /** Units of the device model: their flows are its own even where `device_model` is empty. */
  readonly ownDevices: readonly string[];
};

/** Collects a library from labelled flows, batch by batch. */
export class LibraryFlows {
  readonly #deviceModel: string;
  readonly #ownDevices: ReadonlySet<string>;
  readonly #flows: FlowsByUnit;
  #own = 0;
  #unlabelled = 0;

  constructor({ deviceModel, ownDevices, ...bounds }: LibraryFlowsOptions) {
    this.#deviceModel = deviceModel;
    // Flows without a device are nobody's, even if the device model was trained on such.
    this.#ownDevices = new Set(ownDevices.filter((device) => device !== ''));
    this.#flows = new FlowsByUnit(bounds);
  }

  get counts(): LibraryCounts {
    return { taken: this.#flows.rowCount, own: this.#own, unlabelled: this.#unlabelled };
  }

  /**
   * @param batch  may be reused afterwards; all batches share their dictionaries
   * @throws OperatorError  as `FlowsByUnit.add`
   */
  add(batch: FlowBatch): void {
    const { columns, dictionaries, rowCount } = batch;
    for (let row = 0; row < rowCount; row++) {
      const device = dictionaries.device.decode(columns.device[row] as number);
      const deviceModel = dictionaries.device_model.decode(columns.device_model[row] as number);
      if (deviceModel === this.#deviceModel || this.#ownDevices.has(device)) this.#own++;
      else if (device === '') this.#unlabelled++;
      else this.#flows.add(batch, row);
    }
  }

  /** The units, ordered by the names of device model and device. */
  units(): LibraryUnit[] {
    return this.#flows.units().map(createLibraryUnit);
  }
}
