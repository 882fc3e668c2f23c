/**
 * Traces of a simulated lab against what can be known of them without the code that makes them: the frames of the
 * simulator, read by a reader apart from it, the counters of the flows, and what the tap for queries sees.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { OperatorError } from '#base';
import { openByteSource, readCapture } from '#capture';
import { DnsQueryTap, Meter, type DnsQuery, type ObservePackets } from '#flow';
import { simulateLab, writeLabFolder } from '#sim';
import { readFrame } from '../../../test/support/frame-reader.ts';
import { buildByPrefix } from '../../../test/support/lab-builds.ts';
import { noFlow } from '../baseline/device-trace.ts';
import { readInventory } from '../inventory/inventory.ts';
import type { DatasetManifest } from './manifest.ts';
import { readDataset } from './read-dataset.ts';
import { loadTraces, type Traces } from './read-traces.ts';
import { TraceCollection } from './trace-collection.ts';

const lab = { seed: 7, days: 3, scale: 0.01 };
let folder = '';
let manifest: DatasetManifest;
let traces: Traces;

async function build(out: string, isTraced: boolean, inventory = 'lab/inventory.csv'): Promise<DatasetManifest> {
  return buildByPrefix(join(folder, inventory), join(folder, out), isTraced);
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-traces-'));
  await writeLabFolder(join(folder, 'lab'), { ...lab, portPolicy: 'preserve', clockOffsetMs: 0 });
  manifest = await build('one', true);
  traces = await loadTraces(join(folder, 'one'));
});
after(() => rmSync(folder, { recursive: true }));

/** Shows the packets of the inner side to somebody. */
async function observePackets(observe: ObservePackets): Promise<void> {
  const meter = new Meter({}, () => undefined, { observe });
  const source = await openByteSource(join(folder, 'lab/inside.pcap'), { headBytes: 1_024 });
  try {
    for await (const batch of readCapture(source, { allocate: meter.allocateWindow }).batches()) meter.add(batch);
  } finally {
    await source.close();
  }
}

const isGlobal = (address: string): boolean => !/^(?:0|10|127|192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254|2[2-5]\d)\./
  .test(address);

/** @returns packets of all traces of a data set whose flows have what they counted */
async function countInFlows(name: string): Promise<number> {
  const dataset = await readDataset(join(folder, name));
  const opened = await loadTraces(join(folder, name));
  let packets = 0;
  for (const device of dataset.manifest.devices) {
    const trace = await opened.load(device.device);
    const { columns, rowCount } = await dataset.load(device);
    const counted = new Uint32Array(rowCount);
    for (let i = 0; i < trace.timeMs.length; i++) {
      const timeMs = trace.timeMs[i] as number;
      assert.ok(i === 0 || (trace.timeMs[i - 1] as number) <= timeMs, device.device);
      const row = trace.flow[i] as number;
      if (row === noFlow) continue;
      counted[row] = (counted[row] as number) + 1;
      assert.ok(timeMs >= (columns.flowStartMilliseconds[row] as number));
      assert.ok(timeMs < (columns.flowEndMilliseconds[row] as number) + 1);
    }
    for (let row = 0; row < rowCount; row++) {
      assert.equal(counted[row], columns.ipVersion[row] === 4 ? columns.initiatorPackets[row] : 0,
        `${device.device}, flow ${row}`);
    }
    packets += trace.timeMs.length;
  }
  assert.equal(opened.counts.packets, packets);
  assert.equal(opened.counts.incompleteFlows, 0);
  return packets;
}

test('each IPv4 flow has as many packets as its initiator sent, in its time; times ascend', async () => {
  const packets = await countInFlows('one');
  assert.ok(packets > 10_000, `${packets} packets`);
});

test('so it is with devices that are known by their address, whoever has it', async () => {
  const { devices } = JSON.parse(readFileSync(join(folder, 'lab/lab.json'), 'utf8')) as
    { devices: { deviceName: string; deviceModel: string; kind: string; ipv4: string }[] };
  const rows = devices.map(({ deviceName, deviceModel, kind, ipv4 }) =>
    `inside.pcap,${ipv4},${deviceModel},${kind},${deviceName}\n`);
  writeFileSync(join(folder, 'lab/addresses.csv'), `capture,mac,device_model,kind,device\n${rows.join('')}`);
  await build('addressed', true, 'lab/addresses.csv');
  assert.ok(await countInFlows('addressed') > 9_000);
});

test('time, identification and destination are those of the frames that the device sent', async () => {
  const simulated = simulateLab(lab);
  const sent = new Map<string, string[]>();
  for (const { timeMicroseconds, frame } of simulated) {
    const read = readFrame(frame);
    const mac = [...frame.subarray(6, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    if (read.version !== 4 || !isGlobal(read.destination)) continue;
    const packet = `${timeMicroseconds / 1_000} ${read.identification} ${read.destination}`;
    if (!sent.has(mac)) sent.set(mac, []);
    sent.get(mac)?.push(packet);
  }
  for (const { mac = '', device } of manifest.devices) {
    const { timeMs, ipId, destination, flow } = await traces.load(device);
    const found = Array.from(timeMs, (time, i) =>
      `${time} ${ipId[i]} ${traces.texts.destinations[destination[i] as number]}`).filter((_, i) => flow[i] !== noFlow);
    assert.deepEqual(found, sent.get(mac), device);
  }
});

test('names are those that the tap for queries sees, of resolvers at home too', async () => {
  const seen: string[] = [];
  const noteOf = ({ timeMilliseconds, ipId, destinationAddress, name }: DnsQuery): string =>
    `${timeMilliseconds} ${ipId} ${destinationAddress} ${name}`;
  const tap = new DnsQueryTap((query) => {
    if (query.ipId !== undefined) seen.push(noteOf(query));
  });
  await observePackets((...all) => tap.observe(...all));
  const found: string[] = [];
  let insideCount = 0;
  for (const { device } of manifest.devices) {
    const { timeMs, ipId, destination, name, flow } = await traces.load(device);
    for (const [i, code] of name.entries()) {
      if (code === 0) {
        assert.notEqual(flow[i], noFlow, 'a packet without a flow asks for nothing');
        continue;
      }
      const to = traces.texts.destinations[destination[i] as number] as string;
      assert.equal(flow[i] === noFlow, !isGlobal(to));
      if (flow[i] === noFlow) insideCount++;
      found.push(`${timeMs[i]} ${ipId[i]} ${to} ${traces.texts.names[code]}`);
    }
  }
  assert.deepEqual(found.sort(), seen.sort());
  assert.equal(traces.counts.queries, seen.length);
  assert.ok(insideCount > 300 && seen.length - insideCount > 100, `${insideCount} of ${seen.length} at home`);
});

test('codes are of texts that are there once, and used', async () => {
  for (const key of ['destinations', 'names'] as const) {
    const texts = traces.texts[key];
    assert.equal(texts[0], '');
    assert.equal(new Set(texts).size, texts.length);
    const used = new Set<number>([0]);
    for (const { device } of manifest.devices) {
      const trace = await traces.load(device);
      for (const code of key === 'names' ? trace.name : trace.destination) used.add(code);
    }
    assert.equal(used.size, texts.length);
  }
});

test('the same inputs give the same bytes, and flows and manifest are those of a build without', async () => {
  const [again, without] = [await build('two', true), await build('without', false)];
  assert.deepEqual(again, manifest);
  assert.deepEqual(without, manifest);
  const files = (name: string): string[] => readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map(({ parentPath, name: file }) => join(parentPath, file)
      .slice(join(folder, name).length + 1)).sort();
  assert.deepEqual(files('two'), files('one'));
  assert.deepEqual(files('without'), files('one').filter((file) => !file.startsWith('traces')));
  assert.equal(files('one').length, 2 * manifest.devices.length + 2);
  for (const file of files('one')) {
    assert.ok(readFileSync(join(folder, 'two', file)).equals(readFileSync(join(folder, 'one', file))), file);
  }
});

test('captures that overlap give each packet once', async () => {
  copyFileSync(join(folder, 'lab/inside.pcap'), join(folder, 'lab/inside-again.pcap'));
  writeFileSync(join(folder, 'lab/both.csv'), readFileSync(join(folder, 'lab/inventory.csv'), 'utf8')
    .replaceAll('inside.pcap', 'inside*.pcap'));
  await build('both', true, 'lab/both.csv');
  const both = await loadTraces(join(folder, 'both'));
  assert.deepEqual(both.counts, {
    ...traces.counts, leftOut: { ...both.counts.leftOut, 'duplicate': traces.counts.packets },
    unreadableQueries: 2 * traces.counts.unreadableQueries,
  });
  for (const { device } of manifest.devices) assert.deepEqual(await both.load(device), await traces.load(device));
});

test('packets beyond the limit end the build with a sentence; those of nobody known do not count', async () => {
  const [file] = (await readInventory(join(folder, 'lab/inventory.csv'))).files;
  const few = new TraceCollection(100);
  few.beginSource(file?.devices ?? assert.fail('the inventory names no file'));
  await assert.rejects(observePackets(few.observe), (thrown) => thrown instanceof OperatorError &&
    /more than 100 packets.*leave out --traces/.test(thrown.message));
  const none = new TraceCollection(100);
  none.beginSource({ byMac: new Map(), byAddress: new Map() });
  await observePackets(none.observe);
  none.endSource('capture');
  assert.equal(none.counts().leftOut['no-flow'], 0);
});

test('who asks for traces that are not there, or are others, is told so', async () => {
  await assert.rejects(loadTraces(join(folder, 'without')), (thrown) => thrown instanceof OperatorError &&
    /has no traces.*natlens lab build --traces/.test(thrown.message));
  await assert.rejects(traces.load('nobody'), /there is no trace of nobody/);
  const file = readdirSync(join(folder, 'two/traces'), { recursive: true, encoding: 'utf8' })
    .find((name) => name.endsWith('.parquet')) as string;
  const path = join(folder, 'two/traces', file);
  const bytes = readFileSync(path);
  bytes[8] = (bytes[8] as number) ^ 1;
  writeFileSync(path, bytes);
  const two = await loadTraces(join(folder, 'two'));
  const unit = manifest.devices.find((device) => device.file.endsWith(file))?.device as string;
  const refuses = (work: Promise<unknown>, pattern: RegExp): Promise<void> =>
    assert.rejects(work, (thrown) => thrown instanceof OperatorError && pattern.test(thrown.message));
  await refuses(two.load(unit), /its digest is another.*build the data set again/);
  writeFileSync(path, bytes.subarray(0, bytes.length >>> 1));
  await refuses(two.load(unit), /its digest is another.*build the data set again/);
  rmSync(path);
  await refuses(two.load(unit), /ENOENT.*build the data set again/);
  const table = join(folder, 'two/traces.json');
  const text = readFileSync(table, 'utf8');
  const whole = JSON.parse(text) as object;
  writeFileSync(table, text.replace(/"flowsDigest": "./, '"flowsDigest": "?'));
  await refuses(loadTraces(join(folder, 'two')), /none of its flows there: build the data set again/);
  writeFileSync(table, text.slice(0, -20));
  await refuses(loadTraces(join(folder, 'two')), /is no JSON/);
  for (const other of ['null', '[]', ...['format', 'units', 'names', 'destinations', 'counts']
    .map((key) => JSON.stringify({ ...whole, [key]: undefined }))]) {
    writeFileSync(table, other);
    await refuses(loadTraces(join(folder, 'two')), /holds no traces of format 1: build the data set again/);
  }
});
