/** The shared captures and the computers of the Zeek logs beside them, as one inventory of a folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sharedData } from './shared-data.ts';

export const sharedComputers: readonly string[] = ['147.32.81.167', '147.32.83.234', '147.32.83.165', '147.32.83.161'];

/** Writes `inventory.csv`; paths in it are relative to the folder. */
export function writeSharedInventory(folder: string): void {
  const [, ...lines] = readFileSync(`${sharedData}captures/inventory.csv`, 'utf8').trim().split(/\r?\n/);
  const rows = lines.map((line) => {
    const [capture = '', mac, deviceModel, kind] = line.split(',');
    return [relative(folder, join(sharedData, capture)), mac, '', deviceModel, kind];
  });
  const hosts = sharedComputers.map((address) => ['', '', address, 'computer.Windows', 'non-iot']);
  writeFileSync(join(folder, 'inventory.csv'), [['capture', 'mac', 'address', 'device_model', 'kind'], ...rows,
    ...hosts].map((cells) => `${cells.join(',')}\n`).join(''));
}
