/**
 * For every rule of test/tidy-rules.ts: files that break it, each of which must be found, and files close to them that
 * do not, none of which may be. Words that the rules look for in plain text are put together here from parts.
 */
import type { SourceFile } from './support/source-tree.ts';

export type Plant = {
  readonly breaks: readonly SourceFile[];
  readonly keeps: readonly SourceFile[];
};

const at = (path: string, ...lines: string[]): SourceFile => (
  { path, text: ['/** Planted. */', ...lines, ''].join('\n') });
const score = 'src/pipeline/4-score/planted.ts';
const flow = 'src/pipeline/2-flow/planted.ts';
const cli = 'src/apps/cli/planted.ts';
const unitTest = 'src/base/planted.test.ts';
const slash = '/';

export const plants: Readonly<Record<string, Plant>> = {
  'one-way': {
    breaks: [
      at(flow, "import { score } from '#score';"),
      at(flow, "import { readFlows } from '#flow/files';"),
      at(flow, "import { readFlows } from './files/index.ts';"),
      at(score, "export { verify } from '#classifier/verify';"),
      at(score, "const lab = await import('#lab');"),
      at('src/base/planted.ts', "import type { FlowBatch } from '#flow';"),
      at('src/classifier/verify/planted.ts', "import { sign } from '#classifier/sign';"),
      at('src/classifier/train/planted.ts', "import { label } from '#lab';"),
      at('src/lab/planted.ts', "import { main } from '../apps/cli/main.ts';"),
      at('src/apps/detector/planted.ts', "import { main } from '../cli/main.ts';"),
      at('src/lab/planted.ts', "import { simulateHome } from '#sim';"),
      at(cli, "import { simulateHome } from '#sim';"),
      at('sim/planted.ts', "import { label } from '#lab';"),
      at(cli, "import { x } from '#nowhere';"),
    ],
    keeps: [
      at(score, "import { createFlowBatch } from '#flow';", "import { limits } from '#base';",
        "import { x } from './forest/x.ts';"),
      at('src/pipeline/2-flow/files/planted.ts', "import { schema } from '../schema.ts';"),
      at('src/classifier/publish/planted.ts', "import { sign } from '#classifier/sign';",
        "import { schema } from '#flow';"),
      at('src/apps/cli/simulate-command.ts', "import { simulateHome } from '#sim';"),
      at('src/apps/cli/demo.ts', "import { simulateHome } from '#sim';"),
      at(unitTest, "import { simulateHome } from '#sim';"),
      at(flow, "// import { score } from '#score';", "const text = `import { score } from '#score';`;"),
    ],
  },
  'doors-only': {
    breaks: [
      at(flow, "import { readPcap } from '../1-capture/pcap.ts';"),
      at(flow, "import { readPcap } from '../1-capture/index.ts';"),
      at(cli, "export * from '../../pipeline/2-flow/schema.ts';"),
      at(cli, "const door = await import('../../../test/support/frame-reader.ts');"),
    ],
    keeps: [
      at(flow, "import { schema } from './schema.ts';", "import type { Namer } from './l7/namer.ts';"),
      at('src/pipeline/2-flow/files/csv/planted.ts', "import { schema } from '../../schema.ts';"),
    ],
  },
  'every-file-has-a-room': {
    breaks: [at('src/planted.ts'), at('src/pipeline/planted.ts'), at('src/pipeline/8-more/planted.ts'),
      at('src/apps/planted.ts')],
    keeps: [at(flow), at('src/apps/hub/console/planted.ts'), at('test/planted.ts'),
      { path: 'src/README.md', text: 'The map.' }],
  },
  'doors-only-re-export': {
    breaks: [
      at('src/base/index.ts', "export * from './a.ts';", 'export const answer = 42;'),
      at('src/base/index.ts', "import { a } from './a.ts';", 'export { a };'),
      at('src/base/index.ts', "import './register.ts';"),
    ],
    keeps: [
      at('src/base/index.ts', "export * from './a.ts';", 'export {', '  b, type C,', "} from './b.ts';",
        "export type { D as E } from './d.ts';"),
      at('src/base/other.ts', 'export const answer = 42;'),
    ],
  },
  'no-files-in-the-middle': {
    breaks: [
      at(score, "import { readFileSync } from 'node:fs';"),
      at('src/pipeline/2-flow/meter/planted.ts', "import { open } from 'node:fs/promises';"),
      at('src/pipeline/5-evidence/planted.ts', "const zlib = await import('node:zlib');"),
      at('src/base/planted.ts', "import { spawn } from 'child_process';"),
      at('src/classifier/verify/planted.ts', "import fs from 'node:fs';"),
    ],
    keeps: [
      at('src/pipeline/2-flow/files/planted.ts', "import { open } from 'node:fs/promises';"),
      at('src/pipeline/2-flow/l7/planted.ts', "import { spawn } from 'node:child_process';"),
      at('src/pipeline/4-score/planted.test.ts', "import { readFileSync } from 'node:fs';"),
      at(score, "import { join } from 'node:path';"),
    ],
  },
  'no-sockets-in-the-middle': {
    breaks: [
      at(score, "import dgram from 'node:dgram';"),
      at('src/pipeline/6-verdict/planted.ts', "import { request } from 'node:https';"),
      at('src/pipeline/2-flow/l7/planted.ts', "import { lookup } from 'node:dns/promises';"),
      at('src/lab/planted.ts', "import net from 'net';"),
    ],
    keeps: [
      at('src/pipeline/1-capture/planted.ts', "import dgram from 'node:dgram';"),
      at('src/pipeline/7-action/planted.ts', "import tls from 'node:tls';"),
      at('src/apps/hub/planted.ts', "import http from 'node:http';"),
    ],
  },
  'no-threads-in-the-middle': {
    breaks: [
      at(score, "import { Worker } from 'node:worker_threads';"),
      at('src/pipeline/2-flow/meter/planted.ts', "const { Worker } = await import('worker_threads');"),
      at('src/classifier/train/planted.ts', "import cluster from 'node:cluster';"),
    ],
    keeps: [
      at('src/pipeline/4-score/parallel/planted.ts', "import { Worker } from 'node:worker_threads';"),
      at('src/apps/detector/planted.ts', "import { Worker } from 'node:worker_threads';"),
    ],
  },
  'kebab-case': {
    breaks: [at('src/base/flowBatch.ts'), at('src/base/Flow.test.ts'), at('sim/snake_case.ts'),
      at('src/pipeline/2-flow/L7/x.ts')],
    keeps: [at('src/pipeline/2-flow/flow-batch.test.ts'), at('bin/strip-types.cjs'), at('bench/meter.bench.ts'),
      { path: 'docs/README.md', text: '' }],
  },
  'telling-names': {
    breaks: [at('src/base/utils.ts'), at('src/lab/string-helpers.ts'), at('src/apps/hub/flow-manager.test.ts'),
      at('src/common/x.ts')],
    keeps: [at('src/base/uncommon.ts'), at('src/lab/manage.ts')],
  },
  'erasable-types': {
    breaks: [
      at(flow, 'export enum Kind { A, B }'),
      at(flow, 'const enum Kind { A }'),
      at(flow, 'namespace Inner { export const a = 1; }'),
      at(flow, 'class A {', '  constructor(', '    private readonly name: string,', '  ) {}', '}'),
    ],
    keeps: [
      at(flow, 'class A {', '  readonly name: string;', '  constructor(name: string) {}', '}'),
      at(flow, 'class A {', '  constructor(a: readonly string[], b: { readonly c: number }) {}', '}'),
      at(flow, "const text = 'enum Kind { A }';"),
      at('src/base/foreign.d.ts', 'declare namespace Foreign { class A {} }'),
    ],
  },
  'first-line-says-what': {
    breaks: [{ path: flow, text: "import { limits } from '#base';\n" },
      { path: 'bin/planted.cjs', text: '\n// late\n' }],
    keeps: [{ path: flow, text: '/** What it is. */\n' }, { path: 'bin/planted.cjs', text: '#!/usr/bin/env node\n' }],
  },
  'at-most-500-lines': {
    breaks: [at(flow, ...Array.from({ length: 500 }, () => '//')),
      at(unitTest, ...Array.from({ length: 500 }, () => '//'))],
    keeps: [at(flow, ...Array.from({ length: 499 }, () => '//')), { path: 'docs/long.md', text: '\n'.repeat(900) }],
  },
  'at-most-120-columns': {
    breaks: [
      at(flow, `// ${'x'.repeat(118)}`), at(unitTest, `/* ${'x y '.repeat(30)}*/`),
      at(flow, `const text = '${'x'.repeat(40)}' + ${'f() + '.repeat(12)}1;`),
      at(flow, `f(${"'text', ".repeat(20)}1);`),
    ],
    keeps: [
      at(flow, `// ${'x'.repeat(117)}`), at(flow, `// ${'§'.repeat(117)}`),
        at(flow, `const row = '${'1,'.repeat(90)}';`),
      at('src/pipeline/2-flow/schema.ts', `// ${'x'.repeat(118)}`),
    ],
  },
  'clocks-and-chance-in-base': {
    breaks: [
      at(flow, 'const now = Date.now();'), at(flow, 'const chance = Math.random();'),
        at(flow, 'const today = new Date();'),
      at('sim/planted.ts', 'const now = performance.now();'),
        at(unitTest.replace('base', 'lab'), 'const now = Date.now();'),
      at(flow, 'const read = Date.now;'), at(flow, 'const text = `${new Date()}`;'),
        at(cli, 'process.hrtime.bigint();'),
      at(flow, 'const today = new Date;'),
    ],
    keeps: [
      at('src/base/planted.ts', 'const now = Date.now();'), at(flow, 'const then = new Date(timeMs);'),
      at(flow, '// Date.now() is for base', "const text = 'Date.now()';", 'const pattern = /Math.random/;'),
    ],
  },
  'input-is-never-code': {
    breaks: [at(flow, 'const run = new Function("return 1");'), at('bin/planted.cjs', 'eval(text);'),
      at(flow, 'Function(text)();')],
    keeps: [at(flow, 'const retrieval = (x: number): number => x;', 'retrieval(1);', 'scope.eval(1);', '// eval(x)')],
  },
  'nothing-left-for-later': {
    breaks: [at(flow, `// ${'TO'}${'DO'}: later`), at(unitTest, `/* ${'FIX'}${'ME'} */`),
      at(flow, 'const a = 1; // XXX')],
    keeps: [at(flow, '// Todos are for the tracker', "const text = 'TODO';")],
  },
  'no-path-of-one-machine': {
    breaks: [
      at(flow, `const path = '${slash}work${slash}main';`), at(flow, `// see ${slash}tmp${slash}x`),
      { path: 'docs/recipe.md', text: `cd ${slash}home${slash}alice${slash}natlens` },
      { path: 'package.json', text: `"${slash}root${slash}x"` },
    ],
    keeps: [
      at(flow, "const path = join(tmpdir(), 'x');", "const relative = '../work/x';", "const other = 'node/tmp/x';"),
      { path: 'docs/recipe.md', text: 'src/home/x and https://example.org/home/ and /var/lib/natlens' },
    ],
  },
  'no-registry-host': {
    breaks: [
      { path: '.npmrc', text: `registry=https://${'registry'}.npmjs.org/` },
      { path: 'package-lock.json', text: `"resolved": "https${':'}//packages.example/x.tgz"` },
      { path: 'docs/install.md', text: `our ${'verda'}${'ccio'} mirror` },
    ],
    keeps: [{ path: 'package-lock.json', text: '"integrity": "sha512-x"' },
      { path: 'docs/install.md', text: 'the npm registry' }],
  },
  'every-test-runs': {
    breaks: [at(unitTest, "test.only('x', () => {});"), at(unitTest, "test('x', { only: true }, () => {});")],
    keeps: [at(unitTest, "test('only: true', () => {});", '// test.only')],
  },
  'every-test-asserts': {
    breaks: [
      at(unitTest, "import assert from 'node:assert/strict';", "test('x', () => { run(); });"),
      at(unitTest, 'assert.ok(true);'), at(unitTest, "test('x', () => { /* assert.ok(x) */ });"),
    ],
    keeps: [at(unitTest, "test('x', () => { assert.equal(run(), 1); });"),
      at('test/support/planted.ts', 'export const x = 1;')],
  },
};
