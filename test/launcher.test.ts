/** The launcher alone, with a main of the test's own: versions of Node, exit codes, signals, what children inherit. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rootFolder } from './support/source-tree.ts';
import { scanSource } from './support/source-scan.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-launcher-'));
after(() => rmSync(folder, { recursive: true }));
const bundledNode = join(rootFolder, 'node_modules', `node-${process.platform}-${process.arch}`);
const withoutBundle = existsSync(bundledNode) ? false : 'no Node is bundled for this platform';

/** A main that says what it sees; types in it make sure that they are stripped, in a child and a worker too. */
const main = `
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
const kid = new URL('kid.ts', import.meta.url);
export async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'wait') {
    process.once('SIGTERM', () => process.exit(7));
    console.log('ready');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  if (argv[0] === 'hang') {
    console.log('ready');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  if (argv[0] === 'kids') {
    const child = spawnSync(process.execPath, [decodeURI(kid.pathname)], { encoding: 'utf8' });
    console.log(child.stdout.trim(), child.stderr, child.status);
    console.log('worker', ...(await once(new Worker(kid), 'exit')));
  }
  console.log(JSON.stringify({ argv, version: process.version }));
  return 5;
}
`;

/** A folder with the launcher and the main above; `isInstalled` puts it below a node_modules folder. */
function install(name: string, isInstalled: boolean, hasBundle: boolean): string {
  const home = isInstalled ? join(folder, name, 'node_modules', 'natlens') : join(folder, name);
  mkdirSync(join(home, 'src/apps/cli'), { recursive: true });
  cpSync(join(rootFolder, 'bin'), join(home, 'bin'), { recursive: true });
  writeFileSync(join(home, 'package.json'), '{"type":"module"}');
  writeFileSync(join(home, 'src/apps/cli/main.ts'), main);
  writeFileSync(join(home, 'src/apps/cli/kid.ts'), 'const kid: string = "kid";\nconsole.log(kid);\n');
  if (hasBundle) symlinkSync(join(rootFolder, 'node_modules'), join(home, 'node_modules'));
  return join(home, 'bin', 'natlens.cjs');
}

/** Loaded first, it makes this Node look old to the launcher; the Node that the launcher starts does not load it. */
const pretendOld = join(folder, 'pretend-old.cjs');
writeFileSync(pretendOld,
  "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } });");
const asOld = ['--require', pretendOld];

function run(launcher: string, nodeOptions: readonly string[], ...args: string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') };
  return spawnSync(process.execPath, [...nodeOptions, launcher, ...args], { encoding: 'utf8', env });
}

for (const isInstalled of [false, true]) {
  const where = isInstalled ? 'below node_modules' : 'in a clone';
  for (const isOld of [false, true]) {
    const options = isOld ? asOld : [];
    const name = `${isInstalled ? 'installed' : 'clone'} ${isOld ? 'old' : 'new'}`;
    test(`${where}, ${isOld ? 'an older' : 'this'} Node: arguments, exit code, children`,
      { skip: isOld && withoutBundle }, () => {
      const launcher = install(name, isInstalled, true);
      const plain = run(launcher, options, 'flows', '--l7', 'a b');
      assert.equal(plain.stderr, '');
      assert.equal(plain.status, 5);
      assert.deepEqual((JSON.parse(plain.stdout) as { argv: string[] }).argv, ['flows', '--l7', 'a b']);
      const kids = run(launcher, options, 'kids');
      assert.equal(kids.stderr, '');
      assert.deepEqual(kids.stdout.split('\n').slice(0, 3).sort(), ['kid', 'kid  0', 'worker 0']);
    });
  }
}

test('an older Node without another one: one sentence that says what to do, exit code 3', () => {
  const result = run(install('alone', false, false), asOld);
  assert.equal(result.status, 3);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, /^natlens needs Node 24 [^\n]*npm ci[^\n]*\n$/);
});

test('signals go down, and the way the child ended comes up', { skip: withoutBundle }, async () => {
  const launcher = install('signals', false, true);
  for (const [verb, signal, expected] of [
    ['wait', 'SIGTERM', [7, null]], ['hang', 'SIGTERM', [null, 'SIGTERM']], ['hang', 'SIGINT', [null, 'SIGINT']],
  ] as const) {
    const child = spawn(process.execPath, [...asOld, launcher, verb], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill(signal);
    assert.deepEqual(await once(child, 'exit'), expected, `${verb} ${signal}`);
  }
});

test('the launcher uses no syntax that came after Node 12', () => {
  const { code } = scanSource(readFileSync(join(rootFolder, 'bin/natlens.cjs'), 'utf8'));
  assert.doesNotMatch(code, /\?\.[^\d]|\?\?|\|\|=|&&=|#\w+\s*[=(;]|\bawait\b|\bimport\s+[\w{*]|\bexport\b/);
});
