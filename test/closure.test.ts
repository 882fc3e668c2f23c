/**
 * What an entry may load. The detector and the nDPI child run at the edge, next to packets: code that is not there can
 * neither fail nor be attacked. A size budget keeps it so.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { computeClosure, type Closure } from './support/closure.ts';
import { rootFolder } from './support/source-tree.ts';

type Budget = {
  readonly entry: string;
  /** Every file of the closure must match one of these. */
  readonly files: readonly RegExp[];
  /** No file of the closure may match one of these. */
  readonly forbiddenFiles: readonly RegExp[];
  /** The packages that it may load, and Node's own modules that it may not. */
  readonly packages: readonly string[];
  readonly forbiddenBuiltins: readonly string[];
  readonly sourceBytesMax: number;
  /** What is imported only when some line runs does not count: the question is what start-up costs. */
  readonly isStartOnly?: boolean;
};

const sockets = ['node:net', 'node:dgram', 'node:http', 'node:https', 'node:http2', 'node:tls', 'node:dns'];
const database = ['node:sqlite'];
const neverInPipeline = [/^src\/lab\//, /^sim\//, /^src\/apps\//, /^src\/classifier\//, /\.test\.ts$/, /^test\//];

const budgets: readonly Budget[] = [
  {
    entry: 'src/pipeline/2-flow/l7/ndpi-child.ts',
    files: [/^src\/pipeline\/2-flow\/l7\/ndpi-[a-z-]+\.ts$/, /^src\/base\//],
    forbiddenFiles: neverInPipeline,
    packages: ['koffi', 'ipaddr.js'],
    forbiddenBuiltins: [...sockets, ...database, 'node:child_process'],
    sourceBytesMax: 67_000,
  },
  {
    entry: 'src/pipeline/1-capture/index.ts',
    files: [/^src\/pipeline\/1-capture\//, /^src\/base\//],
    forbiddenFiles: neverInPipeline,
    packages: ['ipaddr.js', 'fzstd'],
    forbiddenBuiltins: [...database, 'node:child_process'],
    sourceBytesMax: 145_000,
  },
  {
    entry: 'src/pipeline/2-flow/index.ts',
    files: [/^src\/pipeline\/[12]-/, /^src\/base\//],
    forbiddenFiles: [...neverInPipeline, /^src\/pipeline\/2-flow\/files\//, /\/ndpi-(?:child|library|process|namer)/],
    packages: ['ipaddr.js', 'fzstd'],
    forbiddenBuiltins: [...sockets, ...database, 'node:child_process'],
    sourceBytesMax: 580_000,
  },
  {
    // Threads that score: classifiers from bytes, their parts for homes among them, and nothing that reads files of
    // users, fits or talks.
    entry: 'src/apps/cli/score-worker.ts',
    files: [/^src\/(?:base|pipeline|classifier\/artifact)\//, /^src\/apps\/cli\/score-worker\.ts$/],
    forbiddenFiles: [/^src\/pipeline\/2-flow\/files\//, /\/fit(?:\/|[.-])/, /\/ndpi-(?:child|library|process|namer)/,
      /\.test\.ts$/],
    packages: ['ipaddr.js', 'fzstd'],
    forbiddenBuiltins: [...sockets, ...database, 'node:child_process'],
    sourceBytesMax: 1_000_000,
  },
  {
    entry: 'src/apps/cli/main.ts',
    files: [/^src\//, /^sim\//],
    forbiddenFiles: [/^sim\//, /^src\/lab\//, /^src\/classifier\//, /\.test\.ts$/],
    packages: ['commander', 'ipaddr.js', 'fzstd'],
    forbiddenBuiltins: [...sockets, ...database],
    sourceBytesMax: 200_000,
    isStartOnly: true,
  },
  {
    // Runs for years in or beside homes. `node:sqlite` is a part of Node (docs/decisions/0011-sqlite-of-node.md).
    entry: 'src/apps/detector/main.ts',
    files: [/^src\/(?:base|pipeline|classifier\/(?:artifact|verify|update)|apps\/(?:detector|service))\//],
    forbiddenFiles: [/^src\/pipeline\/2-flow\/files\//, /\/fit(?:\/|[.-])/, /\/onnx\.ts$/, /\/parallel\//,
      /\/ndpi-(?:child|library|process|namer)/, /\.test\.ts$/],
    packages: ['commander', 'ipaddr.js', 'mustache', 'nodemailer', 'prom-client', 'smol-toml'],
    forbiddenBuiltins: ['node:worker_threads', 'node:cluster', 'node:vm', 'node:inspector', 'node:repl', 'node:http2'],
    sourceBytesMax: 1_550_000,
  },
];

/** Sentences about what a closure holds that its budget does not allow. */
function findExcess(closure: Closure, budget: Budget): string[] {
  const { entry } = budget;
  const found = closure.missing.map((what) => `${entry}: leads nowhere: ${what}`);
  for (const file of closure.files) {
    const isKnown = file === entry || budget.files.some((pattern) => pattern.test(file));
    if (!isKnown || budget.forbiddenFiles.some((pattern) => pattern.test(file))) found.push(`${entry}: loads ${file}`);
  }
  for (const name of closure.packages) {
    const isBuiltin = name.startsWith('node:');
    const isAllowed = isBuiltin ? !budget.forbiddenBuiltins.includes(name) : budget.packages.includes(name);
    if (!isAllowed) found.push(`${entry}: loads ${name}`);
  }
  const { sourceBytes } = closure;
  if (sourceBytes > budget.sourceBytesMax) found.push(
    `${entry}: ${sourceBytes} bytes, ${budget.sourceBytesMax} allowed`);
  return found;
}

const doors = (JSON.parse(readFileSync(join(rootFolder, 'package.json'), 'utf8')) as { imports: Record<string,
  string> })
  .imports;
const readReal = (path: string): string | undefined => {
  const full = join(rootFolder, path);
  return existsSync(full) ? readFileSync(full, 'utf8') : undefined;
};

for (const budget of budgets) {
  const isAbsent = !existsSync(join(rootFolder, budget.entry));
  test(`${budget.entry} loads what it may`, { skip: isAbsent ? 'not built yet' : false }, (context) => {
    const { isStartOnly = false } = budget;
    const closure = computeClosure(budget.entry, { read: readReal, doors, isStartOnly });
    assert.deepEqual(findExcess(closure, budget), []);
    context.diagnostic(`${closure.files.size} files, ${closure.sourceBytes} bytes, ${[...closure.packages].join(' ')}`);
  });
}

const plantedDoors = { '#base': './src/base/index.ts', '#lab': './src/lab/index.ts' };
const plantedBudget: Budget = {
  entry: 'src/apps/detector/main.ts', files: [/^src\/base\//], forbiddenFiles: [/^src\/base\/secret/],
    packages: ['koffi'],
  forbiddenBuiltins: database, sourceBytesMax: 500,
};

function excessOf(files: Record<string, string>, isStartOnly = false): string {
  const read = (path: string): string | undefined => files[path];
  const closure = computeClosure(plantedBudget.entry, { read, doors: plantedDoors, isStartOnly });
  return findExcess(closure, plantedBudget).join('; ').replaceAll(`${plantedBudget.entry}: `, '');
}

test('planted: every way to load something forbidden is found', () => {
  const base = { 'src/base/index.ts': "export * from './a.ts';", 'src/base/a.ts': '', 'src/lab/index.ts': '' };
  const main = plantedBudget.entry;
  assert.equal(excessOf({ ...base, [main]: "import { a } from '#base'; import koffi from 'koffi/x';" }), '');
  assert.equal(excessOf({ ...base, [main]: "import type { L } from '#lab'; import { type M } from '#lab';" }), '');
  assert.equal(excessOf({ ...base, [main]: "// import '#lab'\nconst a = `import '#lab'`;" }), '');
  assert.equal(excessOf({ ...base, [main]: "import { a } from '#lab';" }), 'loads src/lab/index.ts');
  assert.equal(excessOf({ ...base, [main]: "import { type A, b } from '#lab';" }), 'loads src/lab/index.ts');
  assert.equal(excessOf({ ...base, [main]: "import '../../lab/index.ts';" }), 'loads src/lab/index.ts');
  assert.equal(excessOf({ ...base, [main]: "import * as a from '#base';",
    'src/base/a.ts': "export { b } from '#lab';" }),
    'loads src/lab/index.ts');
  assert.equal(excessOf({ ...base, [main]: "const lab = await import('#lab');" }), 'loads src/lab/index.ts');
  assert.equal(excessOf({ ...base, [main]: "const lab = await import('#lab');" }, true), '');
  assert.equal(excessOf({ ...base, [main]: "import duck from '@duckdb/node-api/x';" }), 'loads @duckdb/node-api');
  assert.equal(excessOf({ ...base, [main]: "import { DatabaseSync } from 'node:sqlite';" }), 'loads node:sqlite');
  assert.equal(excessOf({ ...base, [main]: "const r = require('duckdb');" }), 'loads duckdb');
  assert.equal(excessOf({ ...base, [main]: "import { a } from '#nowhere';" }),
    'leads nowhere: #nowhere');
  assert.equal(excessOf({ ...base, [main]: "import { a } from './gone.ts';" }),
    'leads nowhere: src/apps/detector/gone.ts');
  assert.equal(excessOf({ ...base, [main]: "import '../../base/secret.ts';", 'src/base/secret.ts': '' }),
    'loads src/base/secret.ts');
  assert.match(excessOf({ ...base, [main]: `/* ${'x'.repeat(600)} */` }), /^\d+ bytes, 500 allowed$/);
});

test('planted: circles end', () => {
  const main = plantedBudget.entry;
  assert.equal(excessOf({ [main]: "import '#base';", 'src/base/index.ts': `import '../apps/detector/main.ts';` }), '');
});
