/**
 * An inventory with its files found: which devices may appear in which capture or flow file, and under which MAC or
 * address. Two devices may share a MAC as long as no file has both: the file decides then.
 */
import { globSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, relative, resolve, sep } from 'node:path';
import { createHash } from 'node:crypto';
import { describeError, formatAddress, formatMac, limits, OperatorError } from '#base';
import { parseInventory, type DeviceKind, type InventoryRow } from './inventory-table.ts';

/** One unit. */
export type InventoryDevice = {
  readonly device: string;
  readonly deviceModel: string;
  readonly kind: DeviceKind;
  readonly mac?: string;
  readonly address?: string;
};

/** Who is who in one file: keys as `macKey` and `addressKey` make them. */
export type DeviceTable = {
  readonly byMac: ReadonlyMap<string, InventoryDevice>;
  readonly byAddress: ReadonlyMap<string, InventoryDevice>;
};

/** A file that the inventory names. */
export type InventoryFile = { readonly path: string; readonly devices: DeviceTable };

export type Inventory = {
  readonly path: string;
  /** Folder that paths of sources are told relative to. */
  readonly folder: string;
  /** SHA-256 of its bytes, hexadecimal. */
  readonly digest: string;
  readonly bytes: number;
  readonly note: string;
  readonly isSimulated: boolean;
  readonly devices: readonly InventoryDevice[];
  /** Ordered by path. */
  readonly files: readonly InventoryFile[];
  /** Devices of flow files that are named beside the inventory: rows without a capture. */
  readonly elsewhere: DeviceTable;
  /** MACs of two devices, in sentences. */
  readonly remarks: readonly string[];
};

/** Key of the two words of a MAC. */
export function macKey(high: number, low: number): string {
  return `${high}:${low}`;
}

/** Key of the four words of an address at `at`. */
export function addressKey(words: ArrayLike<number>, at: number): string {
  return `${words[at]}:${words[at + 1]}:${words[at + 2]}:${words[at + 3]}`;
}

/**
 * Reads an inventory and finds its files.
 *
 * @throws OperatorError  it cannot be read, a line is wrong, a glob matches nothing, a file has two devices of one MAC
 */
export async function readInventory(path: string): Promise<Inventory> {
  const bytes = await readBounded(path);
  const { rows, note, isSimulated } = parseInventory(new TextDecoder().decode(bytes), path);
  const devices = joinDevices(rows, path);
  const folder = dirname(resolve(path));
  const tables = new Map<string, MutableTable>();
  const elsewhere = createTable();
  for (const row of rows) {
    const device = devices.get(row.device) as InventoryDevice;
    if (row.capture === '') enterRow(elsewhere, row, device, path, 'the flow files');
    for (const file of row.capture === '' ? [] : findFiles(row, folder, path)) {
      let table = tables.get(file);
      if (table === undefined) tables.set(file, table = createTable());
      enterRow(table, row, device, path, basename(file));
    }
  }
  // By code units: the order of a data set must not depend on the locale.
  const files = [...tables].map(([file, table]) => ({ path: file, devices: table }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  return {
    path, folder: commonFolder(folder, files.map((file) => file.path)),
    digest: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, note, isSimulated,
    devices: [...devices.values()].sort((a, b) => (a.device < b.device ? -1 : 1)), files, elsewhere,
    remarks: findSharedMacs(devices),
  };
}

async function readBounded(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    if (statSync(path).size > limits.inventoryBytesMax) throw new Error(`over ${limits.inventoryBytesMax} bytes long`);
    bytes = await readFile(path);
  } catch (thrown) {
    throw new OperatorError('input-unreadable', `Cannot read the inventory ${path}: ${describeError(thrown)}.`, thrown);
  }
  return bytes;
}

/** One device for each name; rows of one name must say the same of it. */
function joinDevices(rows: readonly InventoryRow[], path: string): Map<string, InventoryDevice> {
  const devices = new Map<string, InventoryDevice>();
  const firstLines = new Map<string, number>();
  for (const { device, deviceModel, kind, mac, address, line } of rows) {
    const known = devices.get(device);
    const firstLine = firstLines.get(device) ?? line;
    if (known !== undefined && known.deviceModel !== deviceModel) {
      throw new OperatorError('bad-option', `${path}, line ${line}: ${device} is a ${deviceModel}, and in line ` +
        `${firstLine} a ${known.deviceModel}; a device is of one device model.`);
    }
    if (known !== undefined && known.kind !== kind) {
      throw new OperatorError('bad-option',
        `${path}, line ${line}: ${device} is ${kind}, and in line ${firstLine} ${known.kind}.`);
    }
    firstLines.set(device, firstLine);
    devices.set(device, {
      ...known, device, deviceModel, kind,
      ...(mac !== undefined && { mac: formatMac(Uint32Array.from(mac), 0) }),
      ...(address !== undefined && { address: formatAddress(Uint32Array.from(address), 0) }),
    });
  }
  return devices;
}

type MutableTable = {
  readonly byMac: Map<string, InventoryDevice>;
  readonly byAddress: Map<string, InventoryDevice>;
};

function createTable(): MutableTable {
  return { byMac: new Map(), byAddress: new Map() };
}

function enterRow(
  table: MutableTable, { mac, address, line }: InventoryRow, device: InventoryDevice, path: string, where: string,
): void {
  const enter = (devices: Map<string, InventoryDevice>, key: string): void => {
    const known = devices.get(key);
    if (known !== undefined && known !== device) {
      throw new OperatorError('bad-option', `${path}, line ${line}: ${where} would have ${device.device} and ` +
        `${known.device} under one MAC or address; whose flows they are cannot be said.`);
    }
    devices.set(key, device);
  };
  if (mac !== undefined) enter(table.byMac, macKey(...mac));
  if (address !== undefined) enter(table.byAddress, addressKey(address, 0));
}

/** Relative to the inventory's folder; an inventory among its captures may name them from the folder above. */
function findFiles({ capture, line }: InventoryRow, folder: string, path: string): string[] {
  for (const cwd of [folder, dirname(folder)]) {
    const files = globSync(capture, { cwd }).map((file) => resolve(cwd, file))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
    if (files.length > 0) return files;
  }
  throw new OperatorError('input-unreadable',
    `${path}, line ${line}: no file is named ${capture}, from the folder of the inventory or the one above.`);
}

/** The folder of the inventory, or the one above where files lie beside it. */
function commonFolder(folder: string, files: readonly string[]): string {
  const isBelow = (file: string): boolean => !relative(folder, file).startsWith(`..${sep}`);
  return files.every(isBelow) ? folder : dirname(folder);
}

function findSharedMacs(devices: ReadonlyMap<string, InventoryDevice>): string[] {
  const byMac = Map.groupBy([...devices.values()].filter(({ mac }) => mac !== undefined), ({ mac }) => mac as string);
  return [...byMac].filter(([, sharing]) => sharing.length > 1).map(([mac, sharing]) =>
    `${sharing.map(({ device }) => device).sort().join(' and ')} share the MAC ${mac}: the file decides which it is.`)
    .sort();
}
