/**
 * Traces of real captures beside tshark: the packets that a device sent out of its home, with time, identification,
 * destination and the name asked for, one by one; and on all of the shared captures every flow has its packets.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseAddress } from '#base';
import { isGlobalUnicast, isPrivate } from '#flow';
import { buildDataset, loadTraces, readDataset } from '#lab';
import { noFlow } from '../../src/lab/baseline/device-trace.ts';
import { openNamer } from '../../src/apps/cli/open-namer.ts';
import { missing, sharedData } from './shared-data.ts';

const skip = missing({ data: ['captures'], programs: ['tshark'] });
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-traces-'));
});
after(() => rmSync(folder, { recursive: true }));

async function build(inventory: string, out: string): Promise<void> {
  await buildDataset({
    inventory, out: join(folder, out), name: out, natlensVersion: '0', openNamer, flows: [], l7Source: 'prefix',
    activeTimeoutMs: 120_000, idleTimeoutMs: 60_000, traces: true,
  });
}

/** What a device sends to the Internet over IPv4, and asks a resolver at home, as tshark reads it. */
function readSent(path: string, mac: string): string[] {
  const fields = ['frame.time_epoch', 'ip.id', 'ip.dst', 'dns.qry.name', 'udp.dstport', 'dns.flags.response'];
  const text = execFileSync('tshark', ['-n', '-r', path, '-Y', `eth.src == ${mac} && ip`, '-T', 'fields', '-E',
    'occurrence=f', '-o', 'ip.defragment:FALSE', ...fields.flatMap((field) => ['-e', field])],
  { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  return text.trimEnd().split('\n').flatMap((line) => {
    const [time = '', id = '', to = '', asked = '', port, response] = line.split('\t');
    const words = Uint32Array.from(parseAddress(to) ?? assert.fail(`${to} is no address`));
    const name = port === '53' && /^(?:0|False)$/.test(response ?? '') ? asked.toLowerCase() : '';
    const isSeen = isGlobalUnicast(words, 0) || (name !== '' && isPrivate(words, 0));
    const [seconds = '', fraction = ''] = time.split('.');
    const microseconds = Number(seconds) * 1e6 + Number(fraction.slice(0, 6));
    return isSeen ? [`${microseconds / 1_000} ${Number(id)} ${to} ${name}`] : [];
  });
}

const units = [
  ['fit/schlage-lock-01.pcap', '78:db:2f:db:43:48'], ['fit/blink-cam-01.pcap', 'f4:b8:5e:ff:2b:1b'],
  ['fit/ultraloq-hub-01.pcap', 'a4:cf:12:32:5b:88'],
] as const;

for (const [capture, mac] of units) {
  test(`${capture} as tshark reads it`, { skip }, async () => {
    const path = join(sharedData, 'captures', capture);
    const inventory = join(folder, `${mac.replaceAll(':', '')}.csv`);
    writeFileSync(inventory, `capture,mac,device_model,kind,device\n${path},${mac},type.Make.Model,iot,unit\n`);
    await build(inventory, mac);
    const traces = await loadTraces(join(folder, mac));
    const { timeMs, ipId, destination, name } = await traces.load('unit');
    const found = Array.from(timeMs, (time, i) => `${time} ${ipId[i]} ` +
      `${traces.texts.destinations[destination[i] as number]} ${traces.texts.names[name[i] as number]}`);
    const sent = readSent(path, mac);
    assert.ok(sent.length > 300);
    assert.deepEqual(found.sort(), sent.sort());
  });
}

test('every flow of the shared captures has its packets', { skip }, async () => {
  await build(join(sharedData, 'captures/inventory.csv'), 'all');
  const traces = await loadTraces(join(folder, 'all'));
  const dataset = await readDataset(join(folder, 'all'));
  const { counts } = traces;
  assert.equal(counts.incompleteFlows, 0);
  assert.ok(counts.packets > 100_000 && counts.queries > 3_000, JSON.stringify(counts));
  for (const device of dataset.manifest.devices) {
    const { flow } = await traces.load(device.device);
    const { columns, rowCount } = await dataset.load(device);
    const sent = new Uint32Array(rowCount);
    for (const row of flow) if (row !== noFlow) sent[row] = (sent[row] as number) + 1;
    for (let row = 0; row < rowCount; row++) {
      assert.equal(sent[row], columns.ipVersion[row] === 4 ? columns.initiatorPackets[row] : 0, device.device);
    }
  }
});
