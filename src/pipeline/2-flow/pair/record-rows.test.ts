/** Rows as plain objects, in and out of batches, for the tests of this folder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, formatMac, parseAddress, parseMac } from '#base';
import { createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import { schema, type ColumnDefinition, type ColumnName } from '../schema.ts';
import { FlowPairer, type FlowPairerCounts, type FlowPairerOptions } from './flow-pairer.ts';

export type Cell = number | string;
export type Row = Record<ColumnName, Cell>;

function readCell(flows: FlowBatch, column: ColumnDefinition, row: number): Cell {
  const array = flows.columns[column.name as ColumnName];
  if (column.storage === 'address') return formatAddress(array as Uint32Array, row * 4);
  if (column.storage === 'mac') return formatMac(array as Uint32Array, row * 2);
  const value = array[row] as number;
  return column.storage === 'dictionary' ? flows.dictionaries[column.name as 'device'].decode(value) : value;
}

export function readRows(flows: FlowBatch): Row[] {
  return Array.from({ length: flows.rowCount }, (_, row) =>
    Object.fromEntries(schema.map((column) => [column.name, readCell(flows, column, row)])) as Row);
}

/** A batch of rows; what a row leaves out has its default. */
export function batchRows(rows: readonly Partial<Row>[], dictionaries: Dictionaries = createDictionaries()): FlowBatch {
  const flows = createFlowBatch(Math.max(rows.length, 1), dictionaries);
  flows.rowCount = rows.length;
  for (const { name, storage } of schema) {
    const array = flows.columns[name];
    rows.forEach((row, i) => {
      const cell = row[name];
      if (cell === undefined) return;
      if (storage === 'address') (array as Uint32Array).set(parseAddress(String(cell)) ?? [], i * 4);
      else if (storage === 'mac') (array as Uint32Array).set(parseMac(String(cell)) ?? [], i * 2);
      else array[i] = storage === 'dictionary' ? dictionaries[name].encode(String(cell)) : Number(cell);
    });
  }
  return flows;
}

/** Pairs rows, so many in a batch. */
export function pairRows(rows: readonly Partial<Row>[], options: Partial<FlowPairerOptions> = {}, perBatch = Infinity):
{ flows: Row[]; counts: FlowPairerCounts } {
  const flows: Row[] = [];
  const dictionaries = createDictionaries();
  const pairer = new FlowPairer(options, (batch) => void flows.push(...readRows(batch)), { dictionaries });
  for (let first = 0; first < rows.length; first += perBatch) {
    pairer.add(batchRows(rows.slice(first, first + perBatch), dictionaries));
    assertBalanced(pairer.counts());
  }
  pairer.end();
  assertBalanced(pairer.counts());
  assert.equal(pairer.counts().waiting, 0);
  return { flows, counts: pairer.counts() };
}

/** Every record is somewhere. */
export function assertBalanced(counts: FlowPairerCounts): void {
  assert.equal(counts.records,
    2 * counts.paired + counts.joined + counts.single + counts.alreadyBiflow + counts.waiting, JSON.stringify(counts));
}

/** What must come out as it came in, whoever sent it. */
export function totalsOf(rows: readonly Partial<Row>[]): { packets: number; octets: number } {
  const sum = (name: ColumnName): number => rows.reduce((total, row) => total + Number(row[name] ?? 0), 0);
  return {
    packets: sum('initiatorPackets') + sum('responderPackets'), octets: sum('initiatorOctets') + sum('responderOctets'),
  };
}

test('rows survive a batch', () => {
  const row = { sourceAddress: '2001:db8::1', sourceMacAddress: '02:00:00:00:00:01', applicationName: 'DNS',
    flowStartMilliseconds: 1.5, vlanId: 7 };
  const [read] = readRows(batchRows([row]));
  assert.deepEqual({ ...read, ...row }, read);
  assert.equal(read?.device, '');
});
