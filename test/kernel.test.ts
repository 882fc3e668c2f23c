/**
 * The WebAssembly kernels: they are what their sources compile to, and their layouts are those of the TypeScript side.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as protocols from '../src/base/protocols.ts';
import { hashConstants, hashLayout } from '../src/pipeline/2-flow/decode/datagram-hash.ts';
import { operation, programLayout } from '../src/pipeline/2-flow/decode/record-program.ts';
import { sampling } from '../src/pipeline/2-flow/files/column-numbers.ts';
import { encoderLayout } from '../src/pipeline/2-flow/files/parquet-memory.ts';
import * as table from '../src/pipeline/2-flow/meter/flow-table.ts';
import * as slab from '../src/pipeline/2-flow/meter/header-slab.ts';
import { forestLayout } from '../src/pipeline/4-score/isolation-forest/compile-forest.ts';
import { workLayout } from '../src/pipeline/4-score/isolation-forest/forest-kernel.ts';
import { growerLayout } from '../src/pipeline/4-score/isolation-forest/grow-kernel.ts';
import { twisterLayout } from '../src/pipeline/4-score/isolation-forest/mt19937-kernel.ts';
import { parameter } from '../src/pipeline/2-flow/meter/meter-memory.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const meterSource = readFileSync(join(root, 'kernels/meter/meter-kernel.ts'), 'utf8');
const scoreSource = readFileSync(join(root, 'kernels/score/forest-kernel.ts'), 'utf8');
const fitSource = readFileSync(join(root, 'kernels/fit/mt19937-kernel.ts'), 'utf8');
const growSource = readFileSync(join(root, 'kernels/fit/grow-kernel.ts'), 'utf8');
const parquetSource = readFileSync(join(root, 'kernels/parquet/parquet-kernel.ts'), 'utf8');
const decodeSource = readFileSync(join(root, 'kernels/decode/decode-kernel.ts'), 'utf8');

/** Byte offsets by name, from the TypeScript side: words are 4 bytes, doubles 8. And the numbers of protocols. */
function meterLayout(): Map<string, number> {
  const layout = new Map<string, number>([
    ['headerBytes', slab.headerWords * 4], ['recordBytes', table.recordWords * 4], ...Object.entries(protocols),
  ]);
  for (const [name, value] of [...Object.entries(slab), ...Object.entries(table)]) {
    if (typeof value !== 'number') continue;
    if (/^(d[A-Z]|hTime$)/.test(name)) layout.set(name, value * 8);
    else if (/^[hw][A-Z]/.test(name)) layout.set(name, value * 4);
    else layout.set(name, value);
  }
  return layout;
}

const programs = { ...operation, ...programLayout };
const decodeLayout = new Map<string, number>(
  Object.entries({ ...programs, ...protocols, ...hashLayout, ...hashConstants }));

/** Names of constants in the kernel whose value differs from the TypeScript side's. */
function findDifferences(kernelSource: string, expected: ReadonlyMap<string, number>): string[] {
  const differences: string[] = [];
  for (const [, name = '', text = ''] of kernelSource.matchAll(/^const (\w+): (?:usize|u32) = (\w+);$/gm)) {
    const value = expected.get(name);
    if (value !== undefined && value !== Number(text)) differences.push(`${name}: ${text}, not ${value}`);
  }
  return differences;
}

test('the constants of the meter\'s kernel are those of the slab and the table', () => {
  const shared = [...meterSource.matchAll(/^const ([hdw][A-Z]\w*|headerBytes|recordBytes): usize/gm)].map(
    ([, name = '']) => name);
  assert.ok(shared.length > 25);
  const expected = meterLayout();
  assert.deepEqual(shared.filter((name) => !expected.has(name)), []);
  assert.deepEqual(findDifferences(meterSource, expected), []);
});

test('the constants of the decoder\'s kernel are those of its programs', () => {
  const shared = [...decodeSource.matchAll(/^const (op\w+|\w+At|stepBytes): (?:usize|u32)/gm)].map(
    ([, name = '']) => name);
  assert.deepEqual(shared.sort(), Object.keys(programs).sort());
  assert.deepEqual(findDifferences(decodeSource, decodeLayout), []);
});

test('the constants of the scoring kernel are those of compiled forests', () => {
  const tables = { ...forestLayout, ...workLayout };
  const shared = [...scoreSource.matchAll(/^const (\w+): (?:usize|u32) = /gm)].map(([, name = '']) => name);
  assert.deepEqual(shared.filter((name) => name !== 'none').sort(), Object.keys(tables).sort());
  assert.deepEqual(findDifferences(scoreSource, new Map(Object.entries(tables))), []);
});

test('the constants of the Parquet kernel are those of its memory', () => {
  const tables = { ...encoderLayout, ...sampling };
  const shared = [...parquetSource.matchAll(/^const (\w+At|sample\w+): (?:usize|u32) = /gm)].map(
    ([, name = '']) => name);
  assert.deepEqual(shared.sort(), Object.keys(tables).sort());
  assert.deepEqual(findDifferences(parquetSource, new Map(Object.entries(tables))), []);
});

const fitKernels = [['twister', fitSource, twisterLayout], ['grower', growSource, growerLayout]] as const;
for (const [name, source, layout] of fitKernels) {
  test(`the constants of the fitting kernel are those of the ${name}`, () => {
    const shared = [...source.matchAll(/^const (\w+At): usize = /gm)].map(([, constant = '']) => constant);
    assert.deepEqual(shared.sort(), Object.keys(layout).sort());
    assert.deepEqual(findDifferences(source, new Map(Object.entries(layout))), []);
  });
}

test('a planted difference is found', () => {
  assert.deepEqual(
    findDifferences(meterSource.replace('const wPorts: usize = 112;', 'const wPorts: usize = 116;'), meterLayout()),
    ['wPorts: 116, not 112']);
  assert.deepEqual(
    findDifferences(decodeSource.replace('const opMac: u32 = 15;', 'const opMac: u32 = 14;'), decodeLayout),
    ['opMac: 14, not 15']);
});

test('the parameters that the kernel reads are those that the meter writes', () => {
  const used = new Set([...meterSource.matchAll(/parameter\((\d+)\)/g)].map(([, index]) => Number(index)));
  const written = new Set<number>(Object.values(parameter));
  assert.deepEqual([...used].filter((index) => !written.has(index)), []);
});

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const compilations = (manifest.scripts['kernels'] ?? '').split(' && ').map((command) => command.split(' ').slice(1));

test('every kernel is compiled', () => {
  assert.deepEqual(compilations.map(([source]) => source),
    ['kernels/meter/meter-kernel.ts', 'kernels/decode/decode-kernel.ts', 'kernels/score/forest-kernel.ts',
      'kernels/fit/mt19937-kernel.ts', 'kernels/parquet/parquet-kernel.ts', 'kernels/fit/grow-kernel.ts']);
});

for (const words of compilations) {
  test(`the checked-in kernel is what ${words[0]} compiles to`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'natlens-kernel-'));
    try {
      const output = words.indexOf('--outFile') + 1;
      const target = join(folder, 'kernel.wasm');
      const argv = words.map((word, i) => (i === output ? target : word));
      execFileSync(process.execPath, [join(root, 'node_modules/assemblyscript/bin/asc.js'), ...argv],
        { cwd: root, stdio: 'pipe' });
      assert.ok(readFileSync(target).equals(readFileSync(join(root, words[output] as string))), 'run npm run kernels');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
