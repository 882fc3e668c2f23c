/**
 * Labels against the truth: a simulated home with two devices of each kind goes through the NAT for captures with each
 * port policy, with clocks that differ and drift. None may get the wrong label, and at least 99.9 % of the flows that
 * can be told apart must get theirs.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openByteSource, readCapture } from '#capture';
import { createDictionaries, createFlowBatch, copyRows, Meter, type FlowBatch } from '#flow';
import { openTableSink, openTarget } from '#flow/files';
import { parsePrefix, formatMac, formatAddress, parseAddress, type Prefix } from '#base';
import { writeHomeCapture } from '#sim';
import { FlowLabeller } from './label-flows.ts';
import { labelPackets } from './label-packets.ts';
import { natCaptures, natTruthColumns, type NatCaptureOptions, type NatSummary } from './nat-captures.ts';
import { natPortPolicies } from './nat-bindings.ts';

const routerText = '203.0.113.7';
const router = parseAddress(routerText);
let folder = '';
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-label-'));
  await writeHomeCapture(join(folder, 'home.pcap'), {
    seed: 3, durationS: 3_600, devices: ['camera', 'camera', 'camera', 'plug', 'plug', 'hub', 'hub', 'laptop', 'phone'],
  });
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function* meter(path: string, home: readonly Prefix[]): AsyncGenerator<FlowBatch> {
  const ready: FlowBatch[] = [];
  const dictionaries = createDictionaries();
  const metering = new Meter({ home }, (flows) => {
    const copy = createFlowBatch(flows.rowCount, dictionaries);
    copyRows(flows, 0, flows.rowCount, copy);
    ready.push(copy);
  }, { dictionaries });
  const source = await openByteSource(path);
  for await (const batch of readCapture(source).batches()) {
    metering.add(batch);
    yield* ready.splice(0);
  }
  metering.end();
  yield* ready.splice(0);
  await source.close();
}

async function translate(name: string, options: Partial<NatCaptureOptions>): Promise<NatSummary> {
  const source = await openByteSource(join(folder, 'home.pcap'));
  const outside = await openTarget(join(folder, `${name}.pcap`));
  const truth = await openTableSink(join(folder, `${name}.csv`), natTruthColumns);
  const summary = await natCaptures([source], { outside, truth }, {
    routerAddress: router?.[3] ?? 0, ports: 'keep', seed: 5, home: [], isAligned: false, offsetMs: 0, driftPpm: 0,
    jitterMs: 0.3, ...options,
  });
  await outside.finish();
  await truth.end();
  await source.close();
  return summary;
}

type TruthRow = { key: string; peer: string; firstMs: number; lastMs: number; device: string };

function readTruth(name: string): TruthRow[] {
  const [, ...lines] = readFileSync(join(folder, `${name}.csv`), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [firstMs, lastMs, protocol, , routerPort, peer, peerPort, device] = line.split(',') as string[];
    return { key: protocol === '1' ? `1 ${peer}` : `${protocol} ${peer} ${peerPort} ${routerPort}`,
      peer: peer as string, firstMs: Number(firstMs), lastMs: Number(lastMs), device: device as string };
  });
}

type Row = { key: string; alike: string; startMs: number; endMs: number; device: string; mac: string };

/** What the checks need of a flow: read here anew, not by the labeller's code. */
function readRow({ columns, dictionaries }: FlowBatch, row: number): Row {
  const peer = formatAddress(columns.destinationAddress, row * 4);
  const protocol = columns.protocolIdentifier[row] as number;
  const port = columns.destinationTransportPort[row];
  return {
    key: protocol === 1 ? `1 ${peer}` : `${protocol} ${peer} ${port} ${columns.sourceTransportPort[row]}`,
    alike: [protocol, peer, port, columns.initiatorPackets[row], columns.initiatorOctets[row],
      columns.responderPackets[row], columns.responderOctets[row], columns.tcpControlBits[row],
      columns.reverseTcpControlBits[row]].join(' '),
    startMs: columns.flowStartMilliseconds[row] as number, endMs: columns.flowEndMilliseconds[row] as number,
    device: dictionaries.device.decode(columns.device[row] as number),
    mac: formatMac(columns.sourceMacAddress, row * 2),
  };
}

async function readRows(batches: AsyncIterable<FlowBatch>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) for (let row = 0; row < batch.rowCount; row++) rows.push(readRow(batch, row));
  return rows;
}

/** Devices that truly had a flow; outside time is turned back to inside time first. */
function trueDevices(row: Row, truth: ReadonlyMap<string, TruthRow[]>, toInside: (ms: number) => number): string[] {
  const [from, end] = [toInside(row.startMs) - 3, toInside(row.endMs) + 3];
  return [...new Set((truth.get(row.key) ?? []).filter(({ firstMs, lastMs }) => firstMs <= end && lastMs >= from)
    .map(({ device }) => device))];
}

const clocks = [
  { offsetMs: 0, driftPpm: 0 }, { offsetMs: 5_000, driftPpm: 60 }, { offsetMs: -5_000, driftPpm: -100 },
];
for (const ports of natPortPolicies) {
  for (const { offsetMs, driftPpm } of clocks) {
    test(`labels behind a NAT: ${ports}, clock ${offsetMs} ms and ${driftPpm} ppm off`, async (context) => {
      const name = `${ports}${offsetMs}`;
      await translate(name, { ports, offsetMs, driftPpm });
      const home = [parsePrefix(routerText)].filter((prefix) => prefix !== undefined);
      const outside = join(folder, `${name}.pcap`);
      const insideRows = await readRows(meter(join(folder, 'home.pcap'), []));
      const outsideRows = await readRows(meter(outside, home));
      const labeller = new FlowLabeller({ router, matcher: { windowMs: 600_000 } });
      const labelled = await readRows(labeller.label(meter(outside, home), meter(join(folder, 'home.pcap'), [])));
      const { summary } = labeller.account;
      assert.ok(summary !== undefined && summary.outside.labelled === labelled.length);
      assert.equal(summary.outside.total, outsideRows.length);

      const truth = Map.groupBy(readTruth(name), ({ key }) => key);
      const bound = new Set(truth.keys());
      // Errors of routers on the way belong to the conversation that they quote: who got them is known inside.
      for (const { key, mac, startMs, endMs } of insideRows) {
        if (!key.startsWith('1 ') || bound.has(key)) continue;
        truth.set(key, [...truth.get(key) ?? [], { key, peer: '', firstMs: startMs, lastMs: endMs, device: mac }]);
      }
      const originMs = Math.min(...insideRows.map(({ startMs }) => startMs));
      const toInside = (ms: number): number => (ms - offsetMs - originMs) / (1 + driftPpm / 1e6) + originMs;
      for (const row of labelled) assert.deepEqual(trueDevices(row, truth, toInside), [row.device], row.key);

      // Matchable: one device had it, its twin was metered alike, and no other device's was at the same instant.
      const byAlike = Map.groupBy(insideRows, ({ alike }) => alike);
      const matchable = outsideRows.filter((row) => {
        const devices = trueDevices(row, truth, toInside);
        const near = (byAlike.get(row.alike) ?? [])
          .filter(({ startMs }) => Math.abs(startMs - toInside(row.startMs)) < 5);
        return devices.length === 1 && near.length > 0 && near.every(({ mac }) => mac === devices[0]);
      });
      const found = new Set(labelled.map(({ key, startMs }) => `${key} ${startMs}`));
      const missed = matchable.filter(({ key, startMs }) => !found.has(`${key} ${startMs}`));
      context.diagnostic(`${labelled.length} of ${outsideRows.length} flows, ${missed.length} of ${matchable.length} ` +
        `matchable ones missed; ${JSON.stringify(summary.outside)} ${JSON.stringify(summary.clock)}`);
      assert.ok(matchable.length > 0.98 * outsideRows.length, `${matchable.length} of ${outsideRows.length} matchable`);
      assert.ok(missed.length <= 0.001 * matchable.length, JSON.stringify(missed.slice(0, 3)));
      assert.ok(Math.abs(summary.clock.driftPpm - driftPpm) < 5, `drift ${summary.clock.driftPpm} ppm`);
    });
  }
}

for (const ports of natPortPolicies) {
  test(`labels packets behind a NAT: ${ports}`, async () => {
    const nat = await translate(`packets-${ports}`, { ports, offsetMs: 3_000, driftPpm: 50 });
    const outside = await openByteSource(join(folder, `packets-${ports}.pcap`));
    const inside = await openByteSource(join(folder, 'home.pcap'));
    const path = join(folder, `labelled-${ports}.csv`);
    const sink = await openTableSink(path, ['t', 'direction', 'protocol', 'peer', 'peerPort', 'routerPort', 'octets',
      'ipId', 'device', 'device_model']);
    const { summary } = await labelPackets(outside, inside, sink, { routerAddress: router?.[3] ?? 0, home: [] });
    await sink.end();
    await outside.close();
    await inside.close();
    const total = nat.outward + nat.inward;
    assert.equal(summary?.outside.total, total);
    assert.ok((summary?.outside.labelled ?? 0) >= 0.999 * total, JSON.stringify(summary?.outside));
    const truth = Map.groupBy(readTruth(`packets-${ports}`), ({ key }) => key);
    let checkedCount = 0;
    for (const line of readFileSync(path, 'utf8').trimEnd().split('\n').slice(1)) {
      const [, , protocol, peer, peerPort, routerPort, , , device] = line.split(',') as string[];
      const owners = truth.get(`${protocol} ${peer} ${peerPort} ${routerPort}`) ?? [];
      const devices = new Set(owners.map((owner) => owner.device));
      // A port that several devices had, one after the other, would ask for times; flows are checked with them.
      if (devices.size !== 1) continue;
      checkedCount++;
      assert.ok(devices.has(device as string), line);
    }
    assert.ok(checkedCount > 0.9 * total, `${checkedCount} of ${total} checked`);
  });
}
