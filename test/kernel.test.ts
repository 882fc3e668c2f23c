/**
 * The meter's WebAssembly kernel: it is what its source compiles to, and its layouts are those of the TypeScript side.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as table from '../src/pipeline/2-flow/meter/flow-table.ts';
import * as slab from '../src/pipeline/2-flow/meter/header-slab.ts';
import { parameter } from '../src/pipeline/2-flow/meter/meter-memory.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = readFileSync(join(root, 'kernels/meter/meter-kernel.ts'), 'utf8');

/** Byte offsets by name, from the TypeScript side: words are 4 bytes, doubles 8. */
function expectedLayout(): Map<string, number> {
  const layout = new Map<string,
    number>([['headerBytes', slab.headerWords * 4], ['recordBytes', table.recordWords * 4]]);
  for (const [name, value] of [...Object.entries(slab), ...Object.entries(table)]) {
    if (typeof value !== 'number') continue;
    if (/^(d[A-Z]|hTime$)/.test(name)) layout.set(name, value * 8);
    else if (/^[hw][A-Z]/.test(name)) layout.set(name, value * 4);
    else layout.set(name, value);
  }
  return layout;
}

/** Names of constants in the kernel whose value differs from the TypeScript side's. */
function findDifferences(kernelSource: string): string[] {
  const expected = expectedLayout();
  const differences: string[] = [];
  for (const [, name = '', text = ''] of kernelSource.matchAll(/^const (\w+): (?:usize|u32) = (\w+);$/gm)) {
    const value = expected.get(name);
    if (value !== undefined && value !== Number(text)) differences.push(`${name}: ${text}, not ${value}`);
  }
  return differences;
}

test('the constants of the kernel are those of the slab and the table', () => {
  const shared = [...source.matchAll(/^const ([hdw][A-Z]\w*|headerBytes|recordBytes): usize/gm)].map(
    ([, name = '']) => name);
  assert.ok(shared.length > 25);
  const expected = expectedLayout();
  assert.deepEqual(shared.filter((name) => !expected.has(name)), []);
  assert.deepEqual(findDifferences(source), []);
});

test('a planted difference is found', () => {
  assert.deepEqual(findDifferences(source.replace('const wPorts: usize = 112;', 'const wPorts: usize = 116;')),
    ['wPorts: 116, not 112']);
});

test('the parameters that the kernel reads are those that the meter writes', () => {
  const used = new Set([...source.matchAll(/parameter\((\d+)\)/g)].map(([, index]) => Number(index)));
  const written = new Set<number>(Object.values(parameter));
  assert.deepEqual([...used].filter((index) => !written.has(index)), []);
});

test('the checked-in kernel is what its source compiles to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-kernel-'));
  try {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string,
      string> };
    const words = (manifest.scripts['kernels'] ?? '').split(' ').slice(1);
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
