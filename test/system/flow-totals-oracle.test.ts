/**
 * The meter beside an independent metering of the shared captures (same key and timeouts, written in another language):
 * flows, packets and bytes of the flows to global IPv4 destinations, server-only pieces left out as there.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { openByteSource, readCapture } from '#capture';
import { Meter } from '#flow';
import { findCaptures, missing, sharedOracle } from './shared-data.ts';

type Totals = { flows: number; packets: number; octets: number };

/** Where the captures of an oracle file's units lie. */
const sets = [
  { name: 'fit', pattern: (unit: string) => `captures/fit/${unit}.pcap` },
  { name: 'blinkhub', pattern: () => 'captures/hub/*.pcap' },
  { name: 'ssi', pattern: () => 'captures/plug/*.pcap' },
  { name: 'nku', pattern: (unit: string) => `captures/nku/${unit.split('-')[0]}*.pcap` },
  { name: 'sentinel', pattern: (unit: string) => `captures/sentinel/${unit.replace(/^st-/, '')}/*.pcap` },
] as const;

function isGlobalIPv4(address: number): boolean {
  const top = address >>> 24;
  if (top === 0 || top === 10 || top === 127 || top >= 224) return false;
  return address >>> 20 !== 0xac1 && address >>> 16 !== 0xc0a8 && address >>> 16 !== 0xa9fe && address >>> 22 !== 0x191;
}

async function meterTotals(paths: readonly string[]): Promise<Totals> {
  const totals: Totals = { flows: 0, packets: 0, octets: 0 };
  for (const path of paths) {
    const meter = new Meter({}, ({ columns, rowCount }) => {
      for (let i = 0; i < rowCount; i++) {
        if (columns.ipVersion[i] !== 4 || columns.initiatorPackets[i] === 0) continue;
        if (!isGlobalIPv4(columns.destinationAddress[i * 4 + 3] as number)) continue;
        totals.flows++;
        totals.packets += (columns.initiatorPackets[i] as number) + (columns.responderPackets[i] as number);
        totals.octets += (columns.initiatorOctets[i] as number) + (columns.responderOctets[i] as number);
      }
    });
    const source = await openByteSource(path);
    for await (const batch of readCapture(source).batches()) meter.add(batch);
    meter.end();
    await source.close();
  }
  return totals;
}

for (const { name, pattern } of sets) {
  const file = `${sharedOracle}flows/${name}.csv.gz`;
  const skip = missing({ data: ['captures'] }) ||
    (existsSync(file) ? false : 'the shared oracle is not beside the project');
  test(`${name}: totals agree with the oracle's`, { skip }, async (context) => {
    const [header = '', ...lines] = gunzipSync(readFileSync(file)).toString().trim().split('\n');
    const columns = header.split(',');
    const expected = new Map<string, Totals>();
    const present = new Set(findCaptures('captures/**/*').map((path) => basename(path, extname(path))));
    for (const line of lines) {
      const cells = line.split(',');
      const get = (column: string): string => cells[columns.indexOf(column)] ?? '';
      // Of this set the oracle metered some captures that are not shared.
      if (name === 'nku' && !present.has(get('cap'))) continue;
      const totals = expected.get(get('unit')) ?? { flows: 0, packets: 0, octets: 0 };
      totals.flows++;
      totals.packets += Number(get('in_pkts')) + Number(get('out_pkts'));
      totals.octets += Number(get('in_bytes')) + Number(get('out_bytes'));
      expected.set(get('unit'), totals);
    }
    assert.ok(expected.size > 0);
    for (const [unit, totals] of expected) {
      const ours = await meterTotals(findCaptures(pattern(unit)));
      assert.deepEqual(ours, totals, unit);
    }
    context.diagnostic(`${expected.size} units equal`);
  });
}
