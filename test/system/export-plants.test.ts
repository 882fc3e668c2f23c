/** The fuzzer of exports finds bugs: each planted one, in a copy of the decoder that differs by one expression. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { printFinding, runFuzz } from '../support/export-fuzz-run.ts';
import { exportSamples } from '../support/export-samples.ts';
import { rootFolder } from '../support/source-tree.ts';
import { type ExportPlant, exportPlants } from './export-plants.ts';

const decodeFolder = 'src/pipeline/2-flow/decode';
const entry = `${decodeFolder}/export-decoder.ts`;
/** A plant that is not found in so many messages is not found. */
const sessions = 40;
const sessionMessages = 2500;

/** Copies the folders that the decoder loads from, puts the fault in, and returns the URL of its entry. */
function plant({ file, from, to }: ExportPlant, folder: string): string {
  for (const path of ['package.json', 'src/base', 'src/pipeline/1-capture', 'src/pipeline/2-flow']) {
    cpSync(join(rootFolder, path), join(folder, path), { recursive: true });
  }
  symlinkSync(join(rootFolder, 'node_modules'), join(folder, 'node_modules'));
  const planted = `${decodeFolder}/${file}`;
  const parts = readFileSync(join(rootFolder, planted), 'utf8').split(from);
  assert.equal(parts.length, 2, `${planted} has this ${parts.length - 1} times: ${from}`);
  const kept = to.includes('kept.') ? '\nconst kept: Uint8Array[] = [];\n' : '';
  writeFileSync(join(folder, planted), parts.join(to) + kept);
  return pathToFileURL(join(folder, entry)).href;
}

const run = (decoder: string | undefined): ReturnType<typeof runFuzz> => runFuzz({
  ...(decoder === undefined ? {} : { decoder }), plan: { seed: 7011, corpus: exportSamples, sessionMessages }, sessions,
  heapMebibytesMax: 64, bufferBytesMax: 20 << 20, messageSecondsMax: 10,
});

test('nothing is found where nothing is planted', { timeout: 300_000 }, async () => {
  const { finding, messages } = await run(undefined);
  assert.equal(finding, undefined, printFinding(finding));
  assert.equal(messages, sessions * sessionMessages);
});

for (const each of exportPlants) {
  test(`found: ${each.fault}`, { timeout: 300_000 }, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'natlens-plant-'));
    context.after(() => rmSync(folder, { recursive: true }));
    const { finding, messages } = await run(plant(each, folder));
    assert.ok(finding !== undefined, `not found in ${messages} messages`);
    assert.match(finding.what, each.finds);
    assert.match(finding.reproduce, /^seed 7011, session/);
    const left = finding.messages.length;
    context.diagnostic(`${finding.what.slice(0, 120)} | ${finding.reproduce.slice(0, 40)}, shown by ${left} messages`);
  });
}
