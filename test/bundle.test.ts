/**
 * The detector's one-file bundle: it is made twice to the same bytes, holds what it must and nothing else, and every
 * way to put something forbidden into it is found. What it does when it runs is in test/system/detector-bundle.test.ts.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bundleBytesMax, bundleDetector, detectorEntry } from '../deploy/detector-bundle.ts';
import { rootFolder } from './support/source-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-bundle-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs a text as the bundle's main. */
async function runBundled(source: string): Promise<{ stdout: string; stderr: string }> {
  const path = join(folder, 'bundle.mjs');
  writeFileSync(path, (await bundleDetector({ source })).bytes);
  const { stdout, stderr, error } = spawnSync(process.execPath, [path], { encoding: 'utf8', env: {} });
  if (error !== undefined) throw error;
  return { stdout, stderr };
}

const skip = existsSync(join(rootFolder, detectorEntry)) ? false : 'not built yet';

test('the bundle is made twice to the same bytes, and is small', { skip }, async (context) => {
  const [first, second] = [await bundleDetector(), await bundleDetector()];
  assert.ok(Buffer.from(first.bytes).equals(second.bytes));
  assert.ok(first.bytes.length <= bundleBytesMax);
  const text = Buffer.from(first.bytes).toString('latin1');
  const [header = ''] = text.split('*/');
  assert.ok(header.startsWith('#!/usr/bin/env node\n/*\nnatlens-detector '));
  for (const name of first.packages) assert.match(header, new RegExp(`\\n  ${name} \\d+\\.\\d+\\.\\d+`), name);
  assert.match(header, /--- Licence of natlens/);
  assert.ok(header.includes('Route Views'), 'whoever ships the owner table names where it comes from');
  assert.ok(!text.includes(rootFolder), 'a path of this machine is in it');
  context.diagnostic(`${first.bytes.length} bytes, ${first.files.length} files, ${first.packages.join(' ')}`);
});

test('shipped files come out of the bundle as they went in', async () => {
  const names = ['src/pipeline/2-flow/l7/owner-table.bin', 'src/pipeline/2-flow/decode/decode-kernel.wasm'];
  const { stdout } = await runBundled(`import { readShippedFile } from '#base';
    for (const name of ${JSON.stringify(names)}) {
      console.log(Buffer.from(readShippedFile(new URL('file:///nowhere/' + name))).toString('base64'));
    }
    console.log(Buffer.from(readShippedFile(new URL('file:///nowhere/package.json'))).toString());`);
  const [table, kernel, manifest = ''] = stdout.split('\n');
  assert.equal(table, readFileSync(join(rootFolder, names[0] as string)).toString('base64'));
  assert.equal(kernel, readFileSync(join(rootFolder, names[1] as string)).toString('base64'));
  const { version } = JSON.parse(readFileSync(join(rootFolder, 'package.json'), 'utf8')) as { version: string };
  assert.deepEqual(JSON.parse(manifest), { name: 'natlens', version });
});

test('SQLite says nothing of being experimental; any other warning is still told', async () => {
  const { stdout, stderr } = await runBundled(`import { DatabaseSync } from 'node:sqlite';
    console.log(typeof DatabaseSync);
    process.emitWarning('planted', 'ExperimentalWarning');`);
  assert.equal(stdout, 'function\n');
  assert.ok(!stderr.includes('SQLite'), stderr);
  assert.match(stderr, /ExperimentalWarning: planted/);
});

test('what loads Node’s HTTP server does not load its HTTP client as well', async () => {
  const { stdout } = await runBundled(`import { createServer } from 'node:http';
    createServer();
    console.log(process.moduleLoadList.filter((name) => name.includes('undici')).length);`);
  assert.equal(stdout, '0\n');
});

test('an older Node is told so in a sentence', async () => {
  const path = join(folder, 'older.mjs');
  writeFileSync(path, (await bundleDetector({ source: "import { limits } from '#base'; console.log(limits);" })).bytes);
  const run = (node: string): { status: number | null; stderr: string } => {
    const versions = `{...process.versions,node:'${node}'}`;
    const { status, stderr } = spawnSync(process.execPath,
      ['--import', `data:text/javascript,Object.defineProperty(process,'versions',{value:${versions}})`, path],
      { encoding: 'utf8' });
    return { status, stderr };
  };
  for (const node of ['18.20.1', '20.19.0', '22.12.0']) {
    const { status, stderr } = run(node);
    assert.equal(status, 3, node);
    assert.match(stderr, /^natlens-detector needs Node 22\.13 or later, and this is v[\d.]+\.\n$/);
  }
  for (const node of ['22.13.0', '23.0.0', '24.21.0']) assert.deepEqual(run(node), { status: 0, stderr: '' });
});

const plants: readonly (readonly [what: string, source: string, complaint: RegExp])[] = [
  ['fits', "import { trainers } from '#score/fit'; console.log(trainers);", /fit\/.* is in it, which fits/],
  ['trains', "import { fitClassifier } from '#classifier/train'; console.log(fitClassifier);", /train\/.*fits/],
  ['lab', "import { areaUnderCurve } from '#lab'; console.log(areaUnderCurve);", /src\/lab\/.*is of the lab/],
  ['sim', "import { simulateHome } from '#sim'; console.log(simulateHome);", /sim\/.*simulates/],
  ['onnx', "import { exportOnnx } from '#classifier/onnx'; console.log(exportOnnx);", /other programs/],
  ['native', "console.log(await import('koffi'));", /koffi is left over as an import/],
  ['left over', "console.log(await import('https://127.0.0.1/x.mjs'));", /x\.mjs is left over as an import/],
  ['unknown', "import 'no-such-package';", /no-such-package/],
];
for (const [what, source, complaint] of plants) {
  test(`planted: ${what}`, async () => {
    await assert.rejects(bundleDetector({ source }), complaint);
  });
}

test('planted: too large', async () => {
  const source = "import { limits } from '#base'; console.log(limits);";
  const { bytes } = await bundleDetector({ source });
  await bundleDetector({ source, bytesMax: bytes.length });
  await assert.rejects(bundleDetector({ source, bytesMax: bytes.length - 1 }), /and \d+ are allowed/);
});
