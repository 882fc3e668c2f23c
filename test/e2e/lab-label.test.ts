/** `natlens lab nat` and `natlens lab label` as a user types them: captures and flow files, names, errors. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readRows, runNatlens } from '../support/natlens-process.ts';

let folder = '';
const run = (...args: string[]): string => {
  const { status, stdout, stderr } = runNatlens(args, { cwd: folder });
  assert.equal(status, 0, stderr);
  return stdout;
};
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
let devices: readonly { readonly deviceModel: string; readonly mac: string; readonly deviceName: string }[] = [];

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-label-'));
  ({ devices } = JSON.parse(run('simulate', 'home.pcap', '--seed', '2', '--minutes', '60', '--devices',
    'camera,camera,plug,phone', '--json')) as { devices: typeof devices });
  run('lab', 'nat', 'home.pcap', '--router', '203.0.113.7', '--ports', 'randomise', '--offset', '2.5', '-o',
    'outside.pcap', '--inside', 'inside.pcap', '--truth', 'truth.csv', '-q');
  writeFileSync(join(folder, 'inventory.csv'), ['capture,mac,device,device_model,kind', ...devices.map((device) =>
    `home.pcap,${device.mac},${device.deviceName},${device.deviceModel},iot`)].join('\n'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

type Summary = { flows: { router: string; outside: { total: number; labelled: number };
  inside: { total: number }; clock: { offsetMs: number }; devices: Record<string, number> } };

test('captures: an inventory names the devices', () => {
  const { flows } = JSON.parse(run('lab', 'label', '--outside', 'outside.pcap', '--inside', 'inside.pcap', '--router',
    '203.0.113.7', '--inventory', 'inventory.csv', '-o', 'labelled.csv', '--json', '-q')) as Summary;
  assert.ok(flows.outside.labelled >= 0.99 * flows.outside.total && flows.outside.total > 100);
  assert.ok(Math.abs(flows.clock.offsetMs - 2_500) < 2, `${flows.clock.offsetMs}`);
  const rows = readRows(read('labelled.csv'));
  assert.equal(rows.length, flows.outside.labelled);
  for (const row of rows) {
    assert.equal(row.sourceAddress, '203.0.113.7');
    assert.equal(row.device_model, devices.find(({ deviceName }) => deviceName === row.device)?.deviceModel);
  }
});

test('flow files give the same labels as their captures, and the router is found', () => {
  run('flows', 'outside.pcap', '--home', '203.0.113.7/32', '-o', 'outside.parquet', '-q');
  run('flows', 'inside.pcap', '-o', 'inside.csv', '-q');
  const { flows } = JSON.parse(run('lab', 'label', '--outside', 'outside.parquet', '--inside', 'inside.csv',
    '--inventory', 'inventory.csv', '-o', 'of-files.csv', '--json', '-q')) as Summary;
  assert.equal(flows.router, '203.0.113.7');
  assert.equal(read('of-files.csv'), read('labelled.csv'));
});

test('the same seed gives the same capture, another one other ports', () => {
  const translate = (seed: string): Buffer => {
    run('lab', 'nat', 'home.pcap', '--router', '203.0.113.7', '--ports', 'randomise', '--seed', seed, '-o', 'x.pcap',
      '-q');
    return readFileSync(join(folder, 'x.pcap'));
  };
  const first = translate('1');
  assert.deepEqual(translate('1'), first);
  assert.notDeepEqual(translate('2'), first);
});

test('the people-readable account names clock, ports and devices', () => {
  const text = run('lab', 'label', '--outside', 'outside.pcap', '--inside', 'inside.pcap', '--router', '203.0.113.7',
    '-o', 'account.csv', '--packets', 'packets.csv', '-q');
  assert.match(text, /clock outside \+2\.50\d s/);
  assert.match(text, /ports: unknown/);
  for (const { mac } of devices) assert.ok(text.includes(mac), mac);
  assert.ok(readRows(read('packets.csv')).length > 1_000);
});

test('what cannot be done is said in one sentence, and no output is left', () => {
  const filesBefore = readdirSync(folder).length;
  for (const [args, message] of [
    [['lab', 'nat', 'home.pcap', '--router', 'home', '-o', 'y.pcap'], /--router is an IPv4 address/],
    [['lab', 'nat', 'inventory.csv', '--router', '203.0.113.7', '-o', 'y.pcap'], /no pcap or pcapng capture/],
    [['lab', 'nat', 'home.pcap', '--router', '203.0.113.7', '--ports', 'none', '-o', 'y.pcap'], /--ports is one of/],
    [['lab', 'nat', 'home.pcap', '--router', '203.0.113.7', '-o', 'y.pcap', '--truth', 'y.pcap'], /different files/],
    [['lab', 'label', '--outside', 'none.pcap', '--inside', 'inside.pcap', '-o', 'y.csv'], /none\.pcap/],
    [['lab', 'label', '--outside', 'outside.pcap', '--inside', 'inside.pcap', '-o', 'y.csv', '--packets', 'z.csv'],
      /--router/],
    [['lab', 'label', '--outside', 'outside.pcap', '--inside', 'inside.pcap', '-o', 'y.doc', '--router',
      '203.0.113.7'], /no suffix/],
  ] as const) {
    const { status, stderr } = runNatlens([...args, '-q'], { cwd: folder });
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  }
  assert.equal(readdirSync(folder).length, filesBefore);
});
