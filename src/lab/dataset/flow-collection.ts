/**
 * Labelled flows on their way into a data set: told whose they are, counted, and kept by device. A flow is kept if its
 * initiator is a known device and it leads out of the home; every other flow is counted under the reason why not.
 */
import { addressWords, assertInvariant, limits, OperatorError } from '#base';
import {
  copyRows, createDictionaries, createFlowBatch, elementsPerRow, isGlobalUnicast, schema, type Dictionaries,
  type FlowBatch, type FlowSetInfo,
} from '#flow';
import { addressKey, macKey, type DeviceTable, type InventoryDevice } from '../inventory/inventory.ts';
import { guessKind } from '../inventory/device-kind.ts';
import { flowKey } from './flow-key.ts';
import { leftOutReasons, partitionOf, splitCounts, type LeftOutReason } from './manifest.ts';

/** All flows of a device, in order of time, with the label columns filled. */
export type CollectedDevice = {
  readonly device: InventoryDevice;
  readonly flows: FlowBatch;
  readonly made: FlowSetInfo;
  /** [row]: which of the flows that were added for this device it is, counted from 0. */
  readonly order: Uint32Array;
};

/**
 * Told of a flow that is kept.
 *
 * @param index  which of the device's flows, counted from 0 as they are added
 * @param row    of the batch that was added
 */
export type TellKept = (device: string, index: number, row: number) => void;

/** What is being read, for whoever labels. */
export type CollectedSource = {
  readonly index: number;
  readonly path: string;
  readonly devices: DeviceTable;
  readonly made: FlowSetInfo;
};

const firstPieceRows = 256;

/** Flows of one device, in pieces that never move. */
class DeviceFlows {
  readonly device: InventoryDevice;
  readonly pieces: FlowBatch[] = [];
  /** Number of the last source. */
  source = -1;
  rowCount = 0;
  made: FlowSetInfo | undefined;

  constructor(device: InventoryDevice) {
    this.device = device;
  }

  add(flows: FlowBatch, row: number): void {
    let piece = this.pieces.at(-1);
    if (piece === undefined || piece.rowCount === piece.capacity) {
      const rows = piece === undefined ? firstPieceRows : Math.min(2 * piece.capacity, limits.flowBatchRows);
      this.pieces.push(piece = createFlowBatch(rows, flows.dictionaries));
    }
    copyRows(flows, row, row + 1, piece);
    this.rowCount++;
  }
}

export class FlowCollection {
  readonly dictionaries: Dictionaries = createDictionaries();
  readonly #byName = new Map<string, DeviceFlows>();
  readonly #kinds: ReadonlyMap<string, InventoryDevice['kind']>;
  readonly #rowsMax: number;
  readonly #leftOut = new Map<LeftOutReason, number>();
  #readCount = 0;
  #labelledCount = 0;
  /** Devices with flows that came twice, in sentences. */
  readonly remarks: string[] = [];

  /** @param devices  those of the inventory */
  constructor(devices: readonly InventoryDevice[], rowsMax: number = limits.datasetFlowsMax) {
    for (const device of devices) this.#byName.set(device.device, new DeviceFlows(device));
    this.#kinds = new Map(devices.map(({ deviceModel, kind }) => [deviceModel, kind]));
    this.#rowsMax = rowsMax;
  }

  get readCount(): number {
    return this.#readCount;
  }

  get labelledCount(): number {
    return this.#labelledCount;
  }

  /** Flows left out, by reason; all reasons are there. */
  leftOut(): Record<LeftOutReason, number> {
    return Object.fromEntries(leftOutReasons.map((reason) => [reason, this.#leftOut.get(reason) ?? 0])) as
      Record<LeftOutReason, number>;
  }

  /**
   * Takes the flows that are a device's.
   *
   * @param flows     may be reused afterwards; of this collection's dictionaries
   * @param tellKept  told of each flow that is kept, though one that came twice goes at the end
   * @throws OperatorError  a device is of two device models; there are too many flows
   */
  add(flows: FlowBatch, source: CollectedSource, tellKept?: TellKept): void {
    const { destinationAddress, initiatorPackets } = flows.columns;
    for (let row = 0; row < flows.rowCount; row++) {
      const found = this.#findDevice(flows, row, source);
      if (found === undefined) this.#leaveOut('no-device');
      // What the device never sent anything of may be the rest of a flow before, and is none that it initiated.
      else if (initiatorPackets[row] === 0) this.#leaveOut('responder-only');
      // What stays in the home is not seen where exporters are.
      else if (!isGlobalUnicast(destinationAddress, row * addressWords)) this.#leaveOut('inside');
      else {
        this.#keep(found, flows, row, source);
        tellKept?.(found.device.device, found.rowCount - 1, row);
      }
    }
    this.#readCount += flows.rowCount;
  }

  #leaveOut(reason: LeftOutReason): void {
    this.#leftOut.set(reason, (this.#leftOut.get(reason) ?? 0) + 1);
  }

  #keep(found: DeviceFlows, flows: FlowBatch, row: number, { index, path, made }: CollectedSource): void {
    if (this.#labelledCount === this.#rowsMax) {
      throw new OperatorError('bad-option',
        `There are more than ${this.#rowsMax} flows for one data set: name fewer captures.`);
    }
    if (found.source !== index) {
      found.source = index;
      found.made = joinMade(found.made, made, found.device.device, path);
    }
    found.add(flows, row);
    this.#labelledCount++;
  }

  /** A label that a flow carries has the first word; then the inventory's, by MAC and by address. */
  #findDevice(flows: FlowBatch, row: number, { devices, path }: CollectedSource): DeviceFlows | undefined {
    const { columns, dictionaries } = flows;
    const modelCode = columns.device_model[row] as number;
    if (modelCode !== 0) {
      const deviceModel = dictionaries.device_model.decode(modelCode);
      const device = dictionaries.device.decode(columns.device[row] as number) || deviceModel;
      return this.#enterLabelled(device, deviceModel, path);
    }
    const mac = columns.sourceMacAddress;
    const found = devices.byMac.get(macKey(mac[row * 2] as number, mac[row * 2 + 1] as number)) ??
      devices.byAddress.get(addressKey(columns.sourceAddress, row * addressWords));
    return found === undefined ? undefined : this.#byName.get(found.device);
  }

  #enterLabelled(device: string, deviceModel: string, path: string): DeviceFlows {
    const known = this.#byName.get(device);
    if (known !== undefined && known.device.deviceModel !== deviceModel) {
      throw new OperatorError('bad-option', `${path} calls ${device} a ${deviceModel}, and elsewhere it is a ` +
        `${known.device.deviceModel}: a device is of one device model; mend the column device_model or device.`);
    }
    if (known !== undefined) return known;
    const kind = this.#kinds.get(deviceModel) ?? guessKind(deviceModel);
    const entered = new DeviceFlows({ device, deviceModel, kind });
    this.#byName.set(device, entered);
    return entered;
  }

  /** Devices without a flow out of the home, by name. */
  silentDevices(): string[] {
    return [...this.#byName.values()].filter(({ rowCount }) => rowCount === 0).map(({ device }) => device.device)
      .sort();
  }

  /**
   * What was collected, each flow once, ordered by the names of device model and device. Call it once, last; counts are
   * final then.
   */
  finish(): CollectedDevice[] {
    return [...this.#byName.values()].filter(({ rowCount }) => rowCount > 0)
      .sort((a, b) => compareTexts(a.device.deviceModel, b.device.deviceModel) ||
        compareTexts(a.device.device, b.device.device))
      .map((device) => this.#finishDevice(device));
  }

  #finishDevice({ device, pieces, rowCount, made }: DeviceFlows): CollectedDevice {
    assertInvariant(made !== undefined, 'a device has flows of no source');
    const joined = createFlowBatch(rowCount, this.dictionaries);
    for (const piece of pieces) copyRows(piece, 0, piece.rowCount, joined);
    pieces.length = 0;
    const order = dropCopies(joined, orderByTime(joined));
    const copies = rowCount - order.length;
    if (copies > 0) {
      this.#labelledCount -= copies;
      this.#leftOut.set('duplicate', (this.#leftOut.get('duplicate') ?? 0) + copies);
      this.remarks.push(`${device.device}: ${copies} flows came twice, as when captures overlap; each is kept once.`);
    }
    const flows = gatherRows(joined, order);
    const { device: names, device_model: models, partition: parts } = this.dictionaries;
    flows.columns.device.fill(names.encode(device.device));
    flows.columns.device_model.fill(models.encode(device.deviceModel));
    const counts = splitCounts(flows.rowCount);
    for (let row = 0; row < flows.rowCount; row++) {
      flows.columns.partition[row] = parts.encode(partitionOf(row, counts));
    }
    return { device, flows, made, order };
  }
}

/** By code units: the order of a data set must not depend on the locale. */
function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** What holds for flows of two sources of one device. @throws OperatorError  they were made differently */
function joinMade(one: FlowSetInfo | undefined, other: FlowSetInfo, device: string, path: string): FlowSetInfo {
  if (one === undefined) return other;
  const { l7Source, activeTimeoutMs, idleTimeoutMs, isBiflow } = one;
  if (l7Source !== other.l7Source || activeTimeoutMs !== other.activeTimeoutMs ||
    idleTimeoutMs !== other.idleTimeoutMs || isBiflow !== other.isBiflow) {
    throw new OperatorError('bad-option', `The flows of ${device} in ${path} were made with other timeouts or names ` +
      'than those before: flows made differently are not to be mixed in one device; give it one kind of source.');
  }
  if (one.origin === other.origin && one.l7Version === other.l7Version) return one;
  const origins = [...new Set([...one.origin.split(', '), other.origin])].sort(compareTexts);
  return { ...one, origin: origins.join(', '), l7Version: one.l7Version === other.l7Version ? one.l7Version : '' };
}

/** Rows by start, then end, then as they came. */
function orderByTime({ columns, rowCount }: FlowBatch): Uint32Array {
  const { flowStartMilliseconds: start, flowEndMilliseconds: end } = columns;
  return Uint32Array.from({ length: rowCount }, (_, row) => row).sort((a, b) =>
    (start[a] as number) - (start[b] as number) || (end[a] as number) - (end[b] as number) || a - b);
}

/** Leaves out rows that are copies of one before. @param order  by start: copies stand near each other */
function dropCopies(flows: FlowBatch, order: Uint32Array): Uint32Array {
  const { flowStartMilliseconds: start } = flows.columns;
  let nowMs = NaN;
  const keys = new Set<string>();
  return order.filter((row) => {
    if (start[row] !== nowMs) keys.clear();
    nowMs = start[row] as number;
    const key = flowKey(flows, row);
    if (keys.has(key)) return false;
    keys.add(key);
    return true;
  });
}

/** Some rows in some order as a batch of their own, column by column. */
function gatherRows(flows: FlowBatch, order: Uint32Array): FlowBatch {
  const out = createFlowBatch(order.length, flows.dictionaries);
  for (const { name, storage } of schema) {
    const width = elementsPerRow(storage);
    const [from, to] = [flows.columns[name], out.columns[name]];
    for (let row = 0; row < order.length; row++) {
      for (let i = 0; i < width; i++) to[row * width + i] = from[(order[row] as number) * width + i] as number;
    }
  }
  out.rowCount = order.length;
  return out;
}
