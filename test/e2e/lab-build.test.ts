/**
 * `natlens lab build`, `describe` and `query` as a user types them, on simulated homes whose devices are known: the
 * same bytes twice, flow files beside captures, the card, answers in SQL, and every way to get it wrong.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DatasetDescription, DatasetManifest } from '#lab';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { readRows, runNatlens, type Ran } from '../support/natlens-process.ts';

let folder = '';
let inventoryRows: string[] = [];
const heading = 'capture,mac,device_model,kind,device\n';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const manifestOf = (dataset: string): DatasetManifest =>
  JSON.parse(readFileSync(join(folder, dataset, 'manifest.json'), 'utf8')) as DatasetManifest;
/** Flows of `natlens flows` in CSV, which have the simulator's labels. */
const labelledRows = (): Readonly<Record<string, string>>[] => readRows(readFileSync(join(folder, 'lab.csv'), 'utf8'));

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-build-'));
  makeLabelledHome(folder);
  const devices = new Map(labelledRows().filter(({ device }) => device !== '').map((row) => [row.device, row]));
  inventoryRows = [...devices.values()].map(({ sourceMacAddress, device_model: model, device }) =>
    `home.pcap,${sourceMacAddress},${model},iot,${device}\n`);
  assert.equal(inventoryRows.length, 3);
  write('inventory.csv', `# Simulated: a home.\n# No licence.\n${heading}${inventoryRows.join('')}`);
  const run = natlens('lab', 'build', '--inventory', 'inventory.csv', '--out', 'lab');
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^device model/);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const isPrivate = (address: string): boolean => /^(?:10|192\.168|127|22[4-9]|2[3-5]\d)\./.test(address);

test('the data set has the flows that leave the home, of each device, and counts the others', () => {
  const manifest = manifestOf('lab');
  assert.ok(manifest.isSimulated);
  assert.equal(manifest.note, 'Simulated: a home.\nNo licence.');
  assert.equal(manifest.name, folder.split('/').at(-1));
  const rows = labelledRows();
  assert.equal(manifest.counts.read, rows.length);
  const { leftOut, labelled } = manifest.counts;
  assert.equal(labelled + Object.values(leftOut).reduce((sum, count) => sum + count, 0), rows.length);
  for (const { device, deviceModel, flows, train, validation, test: tested, firstMs } of manifest.devices) {
    const expected = rows.filter((row) => row.device === device && Number(row.initiatorPackets) > 0 &&
      !isPrivate(row.destinationAddress ?? ''));
    assert.ok(expected.length > 20);
    assert.equal(flows, expected.length, device);
    assert.equal(expected[0]?.device_model, deviceModel);
    assert.equal(train, Math.floor(flows * 7 / 10));
    assert.equal(train + validation + tested, flows);
    assert.equal(firstMs, Math.min(...expected.map((row) => Number(row.flowStartMilliseconds))));
  }
  assert.deepEqual(manifest.sources.map(({ path, is }) => [path, is]),
    [['inventory.csv', 'inventory'], ['home.pcap', 'capture']]);
});

test('the same inputs give the same bytes, and nothing else is left behind', () => {
  const run = natlens('lab', 'build', '--inventory', 'inventory.csv', '--out', 'again', '--json');
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(JSON.parse(run.stdout), manifestOf('lab'));
  const files = (dataset: string): string[] =>
    readdirSync(join(folder, dataset), { recursive: true, encoding: 'utf8' }).sort();
  assert.deepEqual(files('again'), files('lab'));
  for (const { file } of manifestOf('lab').devices) {
    assert.ok(readFileSync(join(folder, 'again', file)).equals(readFileSync(join(folder, 'lab', file))), file);
  }
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('.') && name !== '.cache'), []);
});

test('with traces there are packets beside the flows, which are the same; the summary counts them', () => {
  const run = natlens('lab', 'build', '--inventory', 'inventory.csv', '--out', 'traced', '--traces');
  assert.equal(run.status, 0, run.stderr);
  const packets = labelledRows().filter((row) => row.device !== '' && row.ipVersion === '4' &&
    !isPrivate(row.destinationAddress ?? '')).reduce((sum, row) => sum + Number(row.initiatorPackets), 0);
  const traces = JSON.parse(readFileSync(join(folder, 'traced/traces.json'), 'utf8')) as {
    counts: { packets: number; queries: number }; names: string[];
  };
  assert.ok(traces.counts.packets >= packets && traces.counts.packets <= packets + traces.counts.queries);
  assert.ok(packets > 100 && traces.names.length > 2);
  assert.match(run.stdout, /\ntraces: [\d,]+ packets, [\d,]+ of them queries for \d+ names; left out: /);
  assert.deepEqual(manifestOf('traced'), manifestOf('lab'));
  assert.ok(!existsSync(join(folder, 'lab/traces.json')));
});

test('flow files join by their labels, or by addresses of the inventory', () => {
  write('empty.csv', `${heading},192.0.2.77,pc.Test.One,non-iot,pc\n`);
  const byLabel = natlens('lab', 'build', '--inventory', 'empty.csv', '--flows', 'lab.csv', '--made-as', asMetered,
    '--out', 'labelled', '--json');
  assert.equal(byLabel.status, 0, byLabel.stderr);
  const flowsOf = ({ devices }: DatasetManifest): unknown => devices.map(({ device, deviceModel, flows, firstMs }) =>
    ({ device, deviceModel, flows, firstMs }));
  assert.deepEqual(flowsOf(JSON.parse(byLabel.stdout) as DatasetManifest), flowsOf(manifestOf('lab')));
  const row = labelledRows().find(({ device }) => device !== '');
  write('address.csv', `${heading},${row?.sourceAddress},laptop.Test.One,non-iot,guest\n`);
  const byAddress = natlens('lab', 'build', '--inventory', 'address.csv', '--flows', 'home.parquet', '--out', 'address',
    '--json');
  assert.equal(byAddress.status, 0, byAddress.stderr);
  const { devices, counts } = JSON.parse(byAddress.stdout) as DatasetManifest;
  assert.deepEqual(devices.map(({ device, kind, address }) => [device, kind, address]),
    [['guest', 'non-iot', row?.sourceAddress]]);
  assert.ok(counts.leftOut['no-device'] > 0);
  assert.equal(devices[0]?.made.isBiflow, true);
});

test('the card tells what is in it, as text, page and JSON', () => {
  const text = natlens('lab', 'describe', 'lab');
  assert.equal(text.status, 0, text.stderr);
  assert.match(text.stdout, /^# Data set /);
  assert.match(text.stdout, /\*\*Simulated data\.\*\*/);
  const page = natlens('lab', 'describe', 'lab', '-o', 'card.html');
  assert.equal(page.status, 0, page.stderr);
  const html = readFileSync(join(folder, 'card.html'), 'utf8');
  assert.ok(html.includes('<svg') && !/<script|https?:\/\/(?!www\.w3\.org)/.test(html));
  const json = JSON.parse(natlens('lab', 'describe', 'lab', '--json').stdout) as DatasetDescription;
  const manifest = manifestOf('lab');
  assert.deepEqual(json.devices.map(({ flows }) => flows), manifest.devices.map(({ flows }) => flows));
  for (const { device, names, flows, destinations, octets } of json.devices) {
    assert.ok(text.stdout.includes(`| ${device} |`) && html.includes(device.split('-')[0] as string));
    assert.ok(destinations > 0 && octets > 0);
    assert.ok(names.reduce((sum, name) => sum + name.flows, 0) <= flows);
  }
});

test('queries are answered from flows and devices, and reach no file', () => {
  const ask = (...args: string[]): Ran => natlens('lab', 'query', 'lab', ...args);
  const run = ask('select device, partition, count(*) as n, sum(initiatorOctets) as o from flows group by all', '--json');
  assert.equal(run.status, 0, run.stderr);
  const counted = JSON.parse(run.stdout) as { device: string; partition: 'train'; n: number; o: number }[];
  for (const device of manifestOf('lab').devices) {
    for (const part of ['train', 'validation', 'test'] as const) {
      const found = counted.find((row) => row.device === device.device && row.partition === part);
      assert.equal(found?.n, device[part]);
      assert.ok((found?.o ?? 0) > 0);
    }
  }
  assert.match(ask('select sum(flows) from devices').stdout, /1 rows\n$/);
  for (const sql of ['select nonsense', "copy flows to 'x.csv'", "select * from read_csv('inventory.csv')",
    'set enable_external_access = true']) {
    const failed = ask(sql);
    assert.equal(failed.status, 2, sql);
    assert.match(failed.stderr, /^natlens: The query fails\. [^\n]+\n$/);
  }
  assert.ok(!existsSync(join(folder, 'x.csv')));
});

test('what cannot be a data set is refused with a sentence, and nothing is written', () => {
  const second = inventoryRows[0]?.replace(/,[^,]*,iot,/, ',plug.Other.One,iot,').replace('home.pcap', 'copy.pcap');
  cpSync(join(folder, 'home.pcap'), join(folder, 'copy.pcap'));
  write('leaky.csv', `${heading}${inventoryRows[0]}${second?.replace(/,[^,]*\n$/, ',other\n')}`);
  write('strangers.csv', `${heading}home.pcap,02:ff:ff:ff:ff:fe,x,iot,x\n`);
  write('text.txt', 'no capture\n');
  write('odd.csv', `${heading}text.txt,02:ff:ff:ff:ff:fe,x,iot,x\n`);
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['--inventory', 'leaky.csv'], /The data leak: a flow begun at .* is other's and .*'s too/],
    [['--inventory', 'strangers.csv'], /No flow of [\d]+ that were read is one of a known device/],
    [['--inventory', 'odd.csv'], /text\.txt is neither a capture/],
    [['--inventory', 'absent.csv'], /Cannot read the inventory absent\.csv/],
    [['--inventory', 'inventory.csv', '--flows', 'absent.parquet'], /absent\.parquet/],
    [['--inventory', 'inventory.csv', '--idle', '0'], /A timeout is a number of seconds/],
  ];
  for (const [args, message] of cases) {
    const run = natlens('lab', 'build', ...args, '--out', 'refused');
    assert.equal(run.status, 2, args.join(' '));
    assert.match(run.stderr, message);
    assert.ok(!existsSync(join(folder, 'refused')));
  }
  assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.partial')), []);
  const occupied = natlens('lab', 'build', '--inventory', 'inventory.csv', '--out', '.');
  assert.equal(occupied.status, 2);
  assert.match(occupied.stderr, /holds something that is no data set/);
});

test('a data set that was changed is refused', () => {
  cpSync(join(folder, 'lab'), join(folder, 'changed'), { recursive: true });
  const [device] = manifestOf('changed').devices;
  const path = join(folder, 'changed', device?.file ?? '');
  const bytes = readFileSync(path);
  bytes[100] = (bytes[100] as number) ^ 1;
  writeFileSync(path, bytes);
  const run = natlens('lab', 'describe', 'changed');
  assert.equal(run.status, 2);
  assert.match(run.stderr, /is not the file that its data set's manifest tells of \(its digest is another\)/);
  assert.match(natlens('lab', 'describe', 'absent').stderr, /absent is no data set/);
});
