/** Inventories: what a row may say, which files it names, and every way to get it wrong, told with its line. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { OperatorError } from '#base';
import { guessKind } from './device-kind.ts';
import { parseInventory } from './inventory-table.ts';
import { addressKey, macKey, readInventory } from './inventory.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-inventory-'));
  for (const name of ['one/a.pcap', 'one/b.pcap', 'two/a.pcap', 'lists/x.csv']) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

const heading = 'capture,mac,device_model,kind\n';
const camera = 'one/*.pcap,A4:CF:12:32:5b:88,webcam.Test.One,iot\n';

function write(text: string, name = 'inventory.csv'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('rows name devices by MAC or address, and units by both', () => {
  const { rows, note, isSimulated } = parseInventory('\uFEFF# From a lab.\r\n# CC0\r\n\r\n' +
    'capture,mac,address,device_model,kind,device,room\r\n' +
    'a.pcap,a4cf12325b88,,webcam.Test.One,IoT,,hall\r\n# no row\r\n' +
    '"b,c.pcap",192.0.2.7,,pc.Test.One,non_iot,anna,"the ""office"""\r\n' +
    ',,2001:db8::7,pc.Test.One,non-iot,,\r\n', 'x.csv');
  assert.equal(note, 'From a lab.\nCC0');
  assert.equal(isSimulated, false);
  const texts = rows.map(({ line, capture, device, deviceModel, kind }) => [line, capture, device, deviceModel, kind]);
  assert.deepEqual(texts, [
    [5, 'a.pcap', 'webcam.Test.One-a4cf12325b88', 'webcam.Test.One', 'iot'],
    [7, 'b,c.pcap', 'anna', 'pc.Test.One', 'non-iot'],
    [8, '', 'pc.Test.One-2001:db8::7', 'pc.Test.One', 'non-iot'],
  ]);
  assert.deepEqual(rows[0]?.mac, [0xa4cf, 0x12325b88]);
  assert.deepEqual(rows[1]?.address, [0, 0, 0xffff, 0xc0000207]);
  assert.ok(parseInventory(`# Simulated lab, seed 1\n${heading}${camera}`, '').isSimulated);
});

test('what is wrong in a line is told with the line', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /no heading/],
    [heading, /names no device/],
    ['capture,mac\n', /line 1: the heading has no device_model, kind/],
    ['capture,device_model,kind\n', /line 1: the heading has no mac/],
    ['capture,mac,mac,device_model,kind\n', /has mac twice/],
    [`${heading}a,b\n`, /line 2: 2 cells where the heading has 4/],
    [`${heading}${camera}a.pcap,nonsense,x,iot\n`, /line 3: 'nonsense' is neither a MAC/],
    [`${heading}a.pcap,,x,iot\n`, /line 2: neither a MAC nor an address/],
    [`${heading}a.pcap,01:00:5e:00:00:fb,x,iot\n`, /line 2: .* no MAC of one device/],
    [`${heading}a.pcap,00:00:00:00:00:00,x,iot\n`, /line 2: .* no MAC of one device/],
    [`${heading}a.pcap,a4:cf:12:32:5b:88,,iot\n`, /line 2: no device_model/],
    [`${heading}a.pcap,a4:cf:12:32:5b:88,x y,iot\n`, /line 2: device_model is a name without blanks/],
    [`${heading}a.pcap,a4:cf:12:32:5b:88,x,thing\n`, /line 2: kind is iot or non-iot, not 'thing'/],
    [`${heading}"a.pcap,a4:cf:12:32:5b:88,x,iot\n`, /line 2: a quote is not closed/],
    ['capture,mac,address,device_model,kind\na,192.0.2.1,192.0.2.2,x,iot\n', /in both columns/],
    ['capture,address,device_model,kind\na,192.0.2.256,x,iot\n', /'192.0.2.256' is no IP address/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseInventory(text, 'x.csv'), (thrown) =>
      thrown instanceof OperatorError && message.test(thrown.message), text);
  }
});

test('globs are resolved from the folder of the inventory, or from the one above', async () => {
  const inventory = await readInventory(write(`${heading}${camera}two/a.pcap,a4:cf:12:32:5b:89,plug.Test.One,iot\n`));
  assert.deepEqual(inventory.files.map(({ path }) => path), ['one/a.pcap', 'one/b.pcap', 'two/a.pcap']
    .map((name) => join(folder, name)));
  assert.equal(inventory.files[0]?.devices.byMac.get(macKey(0xa4cf, 0x12325b88))?.deviceModel, 'webcam.Test.One');
  assert.equal(inventory.files[2]?.devices.byMac.size, 1);
  assert.equal(inventory.folder, folder);
  const beside = await readInventory(write(heading + camera, 'lists/x.csv'));
  assert.deepEqual(beside.files.map(({ path }) => path),
    ['one/a.pcap', 'one/b.pcap'].map((name) => join(folder, name)));
  assert.equal(beside.folder, folder);
  const path = write(`${heading}none/*.pcap,a4:cf:12:32:5b:88,x,iot\n`);
  await assert.rejects(readInventory(path), /line 2: no file is named none\/\*\.pcap/);
  await assert.rejects(readInventory(join(folder, 'absent.csv')), /Cannot read the inventory/);
});

test('a shared MAC is decided by the file, and refused within one', async () => {
  const other = (capture: string): string => `${capture},a4:cf:12:32:5b:88,plug.Test.One,iot\n`;
  const { files, remarks, devices } = await readInventory(write(heading + camera + other('two/a.pcap')));
  assert.deepEqual(files.map(({ devices: { byMac } }) => [...byMac.values()].map(({ deviceModel }) => deviceModel)),
    [['webcam.Test.One'], ['webcam.Test.One'], ['plug.Test.One']]);
  assert.equal(devices.length, 2);
  assert.match(remarks.join(), /^plug\.Test\.One-a4cf12325b88 and webcam\.Test\.One-a4cf12325b88 share the MAC/);
  await assert.rejects(readInventory(write(heading + camera + other('one/b.pcap'))),
    /line 3: b\.pcap would have plug\.Test\.One-a4cf12325b88 and webcam\.Test\.One-a4cf12325b88 under one MAC/);
});

test('a device is of one device model and kind; rows without a capture are for flow files', async () => {
  const named = 'capture,mac,device_model,kind,device\n';
  const row = (model: string, kind: string): string => `one/a.pcap,a4:cf:12:32:5b:88,${model},${kind},x\n`;
  await assert.rejects(readInventory(write(named + row('a', 'iot') + row('b', 'iot'))),
    /line 3: x is a b, and in line 2 a a; a device is of one device model/);
  await assert.rejects(readInventory(write(named + row('a', 'iot') + row('a', 'non-iot'))), /line 3: x is non-iot/);
  const { elsewhere, files, devices } = await readInventory(write(`${heading},192.0.2.7,pc.Test.One,non-iot\n`));
  assert.equal(files.length, 0);
  assert.equal(elsewhere.byAddress.get(addressKey([0, 0, 0xffff, 0xc0000207], 0))?.device, 'pc.Test.One-192.0.2.7');
  assert.deepEqual(devices, [
    { device: 'pc.Test.One-192.0.2.7', deviceModel: 'pc.Test.One', kind: 'non-iot', address: '192.0.2.7' }]);
});

test('kinds of flow files are guessed from the type', () => {
  assert.deepEqual(['nonIoT-pc', 'non-iot.x.y', 'laptop.Dell.XPS', 'Phone.A.B'].map(guessKind).filter((kind) =>
    kind === 'non-iot').length, 4);
  assert.deepEqual(['webcam.D_Link.DCS_930L', 'pcb.Maker.X'].map(guessKind), ['iot', 'iot']);
});
