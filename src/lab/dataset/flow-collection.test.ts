/** Which flows are kept and whose they are; every flow is counted once. Files, folders and names of data sets too. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mappedWord, OperatorError } from '#base';
import type { FlowBatch, FlowSetInfo } from '#flow';
import { batchOf, madeByNatlens, makeFlows, type MadeFlow } from '../../../test/support/labelled-flows.ts';
import { addressKey, macKey, type InventoryDevice } from '../inventory/inventory.ts';
import { dropTemporaryFolders, FileNames, openDatasetFolder } from './dataset-folder.ts';
import { FlowCollection, type CollectedSource } from './flow-collection.ts';

const camera: InventoryDevice =
  { device: 'cam', deviceModel: 'webcam.Test.One', kind: 'iot', mac: '02:00:00:00:00:01' };
const computer: InventoryDevice =
  { device: 'pc', deviceModel: 'pc.Test.One', kind: 'non-iot', address: '192.168.1.2' };
const source: CollectedSource = {
  index: 0, path: 'x.pcap', made: madeByNatlens,
  devices: {
    byMac: new Map([[macKey(0x0200, 1), camera]]),
    byAddress: new Map([[addressKey([0, 0, mappedWord, 0xc0a80102], 0), computer]]),
  },
};
const nobody: CollectedSource = { ...source, devices: { byMac: new Map(), byAddress: new Map() } };

/** Flows without labels, from 192.168.1.2 to 8.8.8.8. */
function unlabelled(collection: FlowCollection, count: number, more: Partial<MadeFlow> = {}): FlowBatch {
  return batchOf(makeFlows(count, 1, { device: '', deviceModel: '', ...more }), collection.dictionaries);
}

test('a flow is its initiator\'s, by MAC before address; others are counted by reason', () => {
  const collection = new FlowCollection([camera, computer]);
  const flows = unlabelled(collection, 10);
  const { sourceMacAddress, sourceAddress, initiatorPackets, destinationAddress } = flows.columns;
  sourceMacAddress.set([0x0200, 1], 0);
  sourceMacAddress.set([0x0200, 2], 2);
  sourceAddress.set([0, 0, mappedWord, 0xc0a80163], 2 * 4);
  initiatorPackets[3] = 0;
  destinationAddress.set([0, 0, mappedWord, 0xc0a80101], 4 * 4);
  destinationAddress.set([0, 0, mappedWord, 0xe00000fb], 5 * 4);
  collection.add(flows, source);
  const devices = collection.finish();
  assert.deepEqual(devices.map(({ device, flows: { rowCount } }) => [device.device, rowCount]),
    [['pc', 5], ['cam', 1]]);
  assert.deepEqual(collection.leftOut(), { 'no-device': 1, 'responder-only': 1, inside: 2, duplicate: 0 });
  assert.equal(collection.readCount, 10);
  assert.equal(collection.labelledCount, 6);
});

test('labels of flow files count more than the inventory, and bring devices of their own', () => {
  const collection = new FlowCollection([camera, computer]);
  collection.add(unlabelled(collection, 4, { device: 'cam-2', deviceModel: 'webcam.Test.One' }), source);
  collection.add(unlabelled(collection, 4, { deviceModel: 'laptop.Test.One' }), { ...nobody, index: 1 });
  const devices = collection.finish().map(({ device }) => device);
  assert.deepEqual(devices, [
    { device: 'laptop.Test.One', deviceModel: 'laptop.Test.One', kind: 'non-iot' },
    { device: 'cam-2', deviceModel: 'webcam.Test.One', kind: 'iot' },
  ]);
  assert.deepEqual(collection.silentDevices(), ['cam', 'pc']);
});

test('a device of two device models is refused, and so are sources made differently', () => {
  const collection = new FlowCollection([camera]);
  const refuses = (action: () => void, pattern: RegExp): void => assert.throws(action, (thrown) =>
    thrown instanceof OperatorError && pattern.test(thrown.message));
  refuses(() => collection.add(unlabelled(collection, 1, { device: 'cam', deviceModel: 'x' }), nobody),
    /x\.pcap calls cam a x, and elsewhere it is a webcam\.Test\.One/);
  const labels = { device: 'cam', deviceModel: 'webcam.Test.One' };
  collection.add(unlabelled(collection, 2, labels), nobody);
  const made: FlowSetInfo = { ...madeByNatlens, idleTimeoutMs: 15_000 };
  refuses(() => collection.add(unlabelled(collection, 2, labels), { ...nobody, index: 1, path: 'y.csv', made }),
    /The flows of cam in y\.csv were made with other timeouts/);
  const small = new FlowCollection([camera], 3);
  refuses(() => small.add(unlabelled(small, 4, labels), nobody), /more than 3 flows for one data set/);
});

test('rows are put in order of time, copies are left out, parts are filled', () => {
  const collection = new FlowCollection([]);
  const labels = { device: 'cam', deviceModel: 'webcam.Test.One' };
  const later = batchOf(makeFlows(300, 3, labels).slice(150), collection.dictionaries);
  const all = batchOf(makeFlows(300, 3, labels), collection.dictionaries);
  collection.add(later, nobody);
  collection.add(all, { ...nobody, index: 1 });
  assert.equal(collection.labelledCount, 450);
  const [device] = collection.finish();
  assert.ok(device !== undefined);
  assert.equal(device.flows.rowCount, 300);
  assert.equal(collection.labelledCount, 300);
  assert.equal(collection.leftOut().duplicate, 150);
  assert.match(collection.remarks.join(), /^cam: 150 flows came twice/);
  assert.deepEqual(device.flows.columns.initiatorOctets, all.columns.initiatorOctets);
  const { columns, dictionaries } = device.flows;
  const parts = Map.groupBy(columns.partition, (code) => dictionaries.partition.decode(code));
  assert.deepEqual([...parts].map(([name, rows]) => [name, rows.length]),
    [['train', 210], ['validation', 30], ['test', 60]]);
});

const folder = mkdtempSync(join(tmpdir(), 'natlens-dataset-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a data set appears whole, in place of one before it, and never in place of anything else', async () => {
  const path = join(folder, 'lab');
  const write = async (name: string, keep: boolean): Promise<void> => {
    const opened = await openDatasetFolder(path);
    writeFileSync(join(opened.temporary, name), '');
    await (keep ? opened.keep() : opened.drop());
  };
  await write('manifest.json', true);
  await write('other', false);
  assert.deepEqual(readdirSync(path), ['manifest.json']);
  await openDatasetFolder(path);
  dropTemporaryFolders();
  assert.deepEqual(readdirSync(folder), ['lab']);
  writeFileSync(join(path, 'old'), '');
  await write('manifest.json', true);
  assert.deepEqual(readdirSync(path), ['manifest.json']);
  mkdirSync(join(folder, 'photos'));
  writeFileSync(join(folder, 'photos/a.jpg'), '');
  await assert.rejects(openDatasetFolder(join(folder, 'photos')), /holds something that is no data set/);
  await assert.rejects(openDatasetFolder(join(folder, 'photos/a.jpg')), /it is a file/);
  assert.ok(existsSync(join(folder, 'photos/a.jpg')));
});

test('names of files are safe and differ', () => {
  const names = new FileNames();
  assert.deepEqual(['a b', 'a/b', 'A_B', '..', '', 'x'.repeat(300)].map((text) => names.choose(text)),
    ['a_b', 'a_b-2', 'A_B-3', '_', '_-2', 'x'.repeat(120)]);
});
