/**
 * A million messages, made by changing, cutting and joining recorded ones of many vendors, and hostile ones: the export
 * decoder does not throw or hang, its memory is bounded, and a second account agrees with its own. NATLENS_FUZZ_SEED
 * repeats a run.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { ExportDatagramFinder, openByteSource, readCapture } from '#capture';
import { exportProblemCodes } from '../../src/pipeline/2-flow/decode/export-types.ts';
import { type FuzzOptions, type FuzzResult, printFinding, runFuzz } from '../support/export-fuzz-run.ts';
import { settingCount } from '../support/export-fuzzer.ts';
import type { Corpus } from '../support/export-mutator.ts';
import { exportSamples } from '../support/export-samples.ts';
import { findCaptures, missing, sharedData } from './shared-data.ts';

/**
 * Two decoders, the corpus and a session's messages are in these. Of 4,096 domains with 25,000 templates a decoder
 * holds 56 MiB; the rest is what V8 has not collected yet when the next chunk is checked.
 */
const heapMebibytesMax = 192;
const bufferBytesMax = 128 << 20;
const usualSeed = 3954;
const progressMessages = 100_000;

/** UDP ports to which the recorded captures were exported. */
const recordedPorts = [9991, 9992];

/** Recorded messages, those of one exporter side by side. */
async function readCorpus(): Promise<Corpus> {
  const files = globSync(`${sharedData}netflow/*/*/*.{dat,bin}`).sort();
  const corpus = files.map((path) => new Uint8Array(readFileSync(path)));
  for (const path of findCaptures('netflow/pmacct/*/*')) {
    const source = await openByteSource(path);
    const finder = new ExportDatagramFinder(recordedPorts);
    for await (const packets of readCapture(source).batches()) {
      for (const { bytes } of finder.find(packets)) corpus.push(bytes.slice());
    }
    await source.close();
  }
  return corpus;
}

type Amount = Pick<FuzzOptions, 'sessions'> & { readonly sessionMessages: number };

/** Runs the fuzzer over the recorded messages, or our own where those are absent. */
async function fuzz(context: TestContext, { sessions, sessionMessages }: Amount): Promise<FuzzResult> {
  const absent = missing({ data: ['netflow'] });
  const corpus = absent === false ? await readCorpus() : exportSamples;
  if (absent !== false) context.diagnostic(`from ${corpus.length} messages of our own: ${absent}`);
  else assert.ok(corpus.length > 150, `${corpus.length} recorded messages`);
  const seed = Number(process.env['NATLENS_FUZZ_SEED'] ?? usualSeed);
  const result = await runFuzz({
    plan: { seed, corpus, sessionMessages }, sessions, heapMebibytesMax, bufferBytesMax, messageSecondsMax: 60,
    onSession: (done) => {
      const messages = done * sessionMessages;
      if (messages % progressMessages < sessionMessages) process.stderr.write(`${messages} messages\n`);
    },
  });
  assert.equal(result.finding, undefined, printFinding(result.finding));
  assert.equal(result.messages, sessions * sessionMessages);
  const mebibytes = [result.heapBytesMost, result.bufferBytesMost].map((bytes) => (bytes / 2 ** 20).toFixed(0));
  context.diagnostic(`seed ${seed}, ${result.messages} messages from ${corpus.length}, at most ${mebibytes[0]} MiB ` +
    `of heap (limit ${heapMebibytesMax}), ${mebibytes[1]} MiB of buffers`);
  return result;
}

test('a million mutated messages', { timeout: 600_000 }, async (context) => {
  const { codes } = await fuzz(context, { sessions: 400, sessionMessages: 2500 });
  // A fuzzer that never gets past the header would prove nothing.
  assert.deepEqual(exportProblemCodes.filter((code) => !codes.has(code)), [], 'never reached');
});

test('what one decoder remembers of forty thousand messages stays bounded', { timeout: 600_000 }, async (context) => {
  const { codes } = await fuzz(context, { sessions: settingCount, sessionMessages: 40_000 });
  assert.ok(codes.has('exporter-limit') && codes.has('waiting-limit') && codes.has('template-limit'));
});
