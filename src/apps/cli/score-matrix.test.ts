/** The matrix output: names of columns, both formats, its limit. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatorError } from '#base';
import { createEncodedRows, findCatalog, layoutOf, type EncodedRows, type FittedEncoder } from '#feature';
import { MatrixOutput, nameColumns } from './score-matrix.ts';

const paper = findCatalog('paper');
const encoder: FittedEncoder = {
  catalog: 'paper', catalogVersion: paper?.version ?? 0, numeric: [0, 0, 0].map(() => ({ min: 0, max: 1 })),
  categories: [['0'], ['0'], ['6', '17'], ['443'], ['DNS', 'a,b']],
};
const names = ['initiatorOctets', 'responderOctets', 'flowDurationMilliseconds', 'ipClassOfService=0',
  'reverseIpClassOfService=0', 'protocolIdentifier=6', 'protocolIdentifier=17', 'destinationTransportPort=443',
  'applicationName=DNS', 'applicationName=a,b'];

function rowsOf(count: number): EncodedRows {
  const rows = createEncodedRows(layoutOf(encoder), count);
  rows.rowCount = count;
  (rows.numeric[0] as Float32Array).fill(0.1);
  (rows.codes[2] as Uint16Array).fill(1);
  (rows.codes[4] as Uint16Array).fill(2);
  return rows;
}

const row = [Math.fround(0.1), 0, 0, 1, 1, 0, 1, 1, 0, 0];

test('columns are named by feature and category', () => assert.deepEqual(nameColumns(encoder), names));

test('CSV and npy hold the rows in order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-matrix-'));
  try {
    for (const suffix of ['csv', 'npy']) {
      const output = new MatrixOutput(join(folder, `m.${suffix}`), encoder);
      output.add(rowsOf(2));
      output.add(rowsOf(1));
      await output.end();
    }
    const lines = readFileSync(join(folder, 'm.csv'), 'utf8').trimEnd().split('\n');
    assert.equal(lines[0], `${names.slice(0, -1).join(',')},"applicationName=a,b"`);
    assert.deepEqual(lines.slice(1).map((line) => line.split(',').map(Number)), [row, row, row]);
    const npy = readFileSync(join(folder, 'm.npy'));
    assert.deepEqual([...npy.subarray(0, 8)], [0x93, ...Buffer.from('NUMPY'), 1, 0]);
    const end = 10 + npy.readUInt16LE(8);
    assert.equal(end % 64, 0);
    assert.match(npy.subarray(10, end).toString(),
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 10\), \} *\n$/);
    assert.deepEqual([...new Float32Array(npy.buffer.slice(npy.byteOffset + end, npy.byteOffset + npy.length))],
      [...row, ...row, ...row]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a suffix that is none and a matrix that is too large are refused', () => {
  assert.throws(() => new MatrixOutput('m.parquet', encoder), OperatorError);
  const output = new MatrixOutput('m.npy', encoder, 2 * names.length * 4);
  output.add(rowsOf(2));
  assert.throws(() => output.add(rowsOf(1)), OperatorError);
});
