/**
 * A data set of the shared captures: flows of each device as an independent metering counts them (another language,
 * the same key and timeouts), two pairs of devices behind one MAC kept apart, computers from Zeek's logs, all in time.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { systemClock } from '#base';
import { buildDataset, queryDataset, readDataset, type Dataset } from '#lab';
import { openNamer } from '../../src/apps/cli/open-namer.ts';
import { missing, sharedData, sharedOracle } from './shared-data.ts';

const skip = missing({ data: ['captures', 'hosts'] }) ||
  (existsSync(`${sharedOracle}flows`) ? false : 'the shared oracle is not beside the project');
/** The computers of the logs; all else in them are attacks from outside. */
const computers = { '008': '147.32.81.167', '010': '147.32.83.234', '011': '147.32.83.165', '012': '147.32.83.161' };
const secondsMax = 60;
let folder = '';
let dataset: Dataset;
let seconds = 0;

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-build-'));
  symlinkSync(join(sharedData, 'captures'), join(folder, 'captures'));
  const rows = Object.values(computers).map((address) => `,${address},pc.Test.Windows,non-iot\n`);
  writeFileSync(join(folder, 'inventory.csv'),
    `# Public captures.\n${readFileSync(join(sharedData, 'captures/inventory.csv'), 'utf8').trim()}\n${rows.join('')}`);
  const startMs = systemClock.monotonicMs();
  await buildDataset({
    inventory: join(folder, 'inventory.csv'), out: join(folder, 'lab'), name: 'shared', natlensVersion: '0', openNamer,
    flows: Object.keys(computers).map((name) => join(sharedData, `hosts/${name}-conn.log.labeled`)),
    l7Source: 'prefix', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000,
  });
  seconds = (systemClock.monotonicMs() - startMs) / 1_000;
  dataset = await readDataset(join(folder, 'lab'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Flows and packets of the units of a table of the oracle. */
function unitsOf(table: string): Map<string, { flows: number; packets: number }> {
  const [header = '', ...lines] = gunzipSync(readFileSync(`${sharedOracle}flows/${table}.csv.gz`)).toString().trim()
    .split('\n');
  const names = header.split(',');
  const units = new Map<string, { flows: number; packets: number }>();
  for (const line of lines) {
    const cells = line.split(',');
    const get = (name: string): string => cells[names.indexOf(name)] ?? '';
    const unit = units.get(get('unit')) ?? { flows: 0, packets: 0 };
    unit.flows++;
    unit.packets += Number(get('in_pkts')) + Number(get('out_pkts'));
    units.set(get('unit'), unit);
  }
  return units;
}

/** Our device of a unit of the oracle, by the inventory's globs: `st-Aria` is `sentinel/Aria`. */
function deviceOf(unit: string): string | undefined {
  const place = unit.startsWith('st-') ? `sentinel/${unit.slice(3)}/` : `/${unit}.pcap`;
  const row = readFileSync(join(sharedData, 'captures/inventory.csv'), 'utf8').split('\n')
    .find((line) => line.includes(place))?.trim().split(',');
  return row === undefined ? undefined : `${row[2]}-${row[1]?.replaceAll(':', '')}`;
}

test('flows and packets of each device are those of the oracle', { skip }, async (context) => {
  // The oracle has IPv4 alone. Flows that captures have twice stand in it twice.
  const { rows } = await queryDataset(dataset, 'select device, count(*), sum(initiatorPackets + responderPackets) ' +
    'from flows where ipVersion = 4 group by all');
  const ours = new Map(rows.map(([device, flows, packets]) => [device, { flows, packets }]));
  let compared = 0;
  let flowsCompared = 0;
  for (const table of ['fit', 'sentinel']) {
    for (const [unit, expected] of unitsOf(table)) {
      const device = deviceOf(unit);
      if (device === undefined) continue;
      const { flows, packets } = ours.get(device) as { flows: number; packets: number };
      const copies = device.startsWith('sensor.D_Link.DCH_S160') ? 14 : 0;
      assert.equal(flows, expected.flows - copies, device);
      if (copies === 0) assert.equal(packets, expected.packets, device);
      compared++;
      flowsCompared += flows;
    }
  }
  assert.ok(compared >= 30 && flowsCompared > 20_000, `${compared} units, ${flowsCompared} flows`);
  context.diagnostic(`${compared} units and ${flowsCompared} flows equal; built in ${seconds.toFixed(1)} s`);
});

/** Whether an IPv4 address is one that the Internet routes. */
const isOutside = (address: string): boolean =>
  !/^(?:0|10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])|2[2-5]\d)\./
    .test(address);

test('computers have the connections that they began, as their logs say', { skip }, () => {
  for (const [name, address] of Object.entries(computers)) {
    const lines = readFileSync(join(sharedData, `hosts/${name}-conn.log.labeled`), 'utf8').split('\n')
      .map((line) => line.split('\t'));
    const begun = lines.filter((cells) => cells[2] === address && Number(cells[16]) > 0 &&
      /^[\d.]+$/.test(cells[4] ?? '') && isOutside(cells[4] ?? ''));
    assert.ok(begun.length > 1_000);
    const device = dataset.manifest.devices.find((known) => known.address === address);
    assert.equal(device?.flows, begun.length, name);
    assert.equal(device?.kind, 'non-iot');
  }
});

test('devices behind one MAC are kept apart by their captures', { skip }, () => {
  const { devices, remarks } = dataset.manifest;
  for (const mac of ['00:17:88:24:76:ff', '1c:5f:2b:aa:fd:4e']) {
    assert.equal(new Set(devices.filter((device) => device.mac === mac).map(({ deviceModel }) => deviceModel)).size, 2);
    assert.ok(remarks.some((remark) => remark.includes(`share the MAC ${mac}`)));
  }
});

test('every flow read is accounted for, and the build is fast', { skip }, () => {
  const { counts: { read, labelled, leftOut }, devices } = dataset.manifest;
  assert.equal(read, labelled + Object.values(leftOut).reduce((sum, count) => sum + count, 0));
  assert.equal(labelled, devices.reduce((sum, { flows }) => sum + flows, 0));
  assert.equal(leftOut.duplicate, 14);
  assert.ok(seconds < secondsMax, `${seconds} s`);
});
