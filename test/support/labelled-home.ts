/** A simulated home whose flows carry the simulator's labels: what a lab makes, for tests of train and score. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNatlens } from './natlens-process.ts';

type Truth = {
  readonly devices: readonly { readonly deviceName: string; readonly deviceModel: string; readonly ipv4: string }[];
};

/**
 * Writes `lab.csv` (with labels), `home.csv` and `home.parquet` (without) into a folder.
 *
 * @returns device models of the home
 */
export function makeLabelledHome(folder: string): string[] {
  const run = (args: readonly string[]): string => {
    const { status, stdout, stderr } = runNatlens(args, { cwd: folder });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const truth = JSON.parse(run(['simulate', 'home.pcap', '--seed', '11', '--minutes', '240', '--devices',
    'camera,hub,plug', '--json'])) as Truth;
  run(['flows', 'home.pcap', '-o', 'home.parquet', '-q']);
  run(['flows', 'home.parquet', '-o', 'home.csv', '-q']);
  const [heading = '', ...lines] = readFileSync(join(folder, 'home.csv'), 'utf8').trimEnd().split('\n');
  const names = heading.split(',');
  const [address, device, model] = ['sourceAddress', 'device', 'device_model'].map((name) => names.indexOf(name));
  const labelled = lines.map((line) => {
    const cells = line.split(',');
    const found = truth.devices.find(({ ipv4 }) => ipv4 === cells[address as number]);
    cells[device as number] = found?.deviceName ?? '';
    cells[model as number] = found?.deviceModel ?? '';
    return cells.join(',');
  });
  writeFileSync(join(folder, 'lab.csv'), `${[heading, ...labelled].join('\n')}\n`);
  return truth.devices.map(({ deviceModel }) => deviceModel);
}

/** How `natlens flows` makes flows by default. */
export const asMetered = '120/60/prefix';
