/** Rows whose numbers fit their columns but cannot be a flow's are bad rows in every format. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFlows } from './read-flows.ts';
import type { FlowFileKind } from './recognise-flows.ts';

const header = 'flowStartMilliseconds,flowEndMilliseconds,sourceAddress,destinationAddress,sourceTransportPort,' +
  'destinationTransportPort,protocolIdentifier,initiatorPackets,initiatorOctets';
const good = ['1000', '2000', '192.0.2.1', '192.0.2.2', '1', '2', '17', '3', '90'];

async function read(kind: FlowFileKind, text: string): Promise<{ rows: number; problems: string[] }> {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(text);
  };
  const reading = readFlows({ path: 'x', chunks }, kind);
  for await (const batch of reading.batches()) assert.ok(batch.rowCount > 0);
  return { rows: reading.rows, problems: reading.problems.map(({ detail }) => detail) };
}

test('counters that are no whole numbers and times beyond all dates are rejected with their line', async () => {
  const bad: [number, string][] = [[8, '1.5'], [8, '1e300'], [7, '0.5'], [0, '1e300'], [1, '8.65e15']];
  const lines = bad.map(([at, value]) => good.map((cell, i) => (i === at ? value : cell)).join(','));
  const { rows, problems } = await read('csv', [header, good.join(','), ...lines, ''].join('\n'));
  assert.equal(rows, 1);
  assert.equal(problems.length, bad.length);
  assert.match(problems[0] ?? '', /^line 3: initiatorOctets is not a whole number/);
  assert.match(problems[4] ?? '', /^line 7: a time is later than any date/);
});

test('the same in JSON lines', async () => {
  const record = { ipVersion: 4, ipClassOfService: 0, responderPackets: 0, responderOctets: 0,
    ...Object.fromEntries(header.split(',').map(
      (name, i) => [name, /^\d+$/.test(good[i] ?? '') ? Number(good[i]) : good[i]])) };
  const text = [record, { ...record, initiatorOctets: 2.5 },
    { ...record, flowStartMilliseconds: 9e15 }].map((row) => JSON.stringify(row)).join('\n');
  const { rows, problems } = await read('jsonl', text);
  assert.deepEqual([rows, problems.length], [1, 2]);
});
