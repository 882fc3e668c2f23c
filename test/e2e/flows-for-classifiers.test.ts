/**
 * What Parquet files of `natlens flows` say of their flows, and which of them a classifier takes: those that are made
 * as its training flows were. The same home, metered, exported and decoded again, with and without pairing.
 */
import assert from 'node:assert/strict';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkNeeds, needsOf, type FlowNeeds } from '#feature';
import { readFlows } from '#flow/files';
import type { FlowSetInfo } from '#flow';
import { writeHomeCapture } from '#sim';
import { runNatlens } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-needs-'));
after(() => rmSync(folder, { recursive: true }));

before(async () => {
  await writeHomeCapture(join(folder, 'home.pcap'), { seed: 22, durationS: 120 });
});

/** What a Parquet file says that `natlens flows` made of the inputs. */
async function infoOf(...args: string[]): Promise<FlowSetInfo | undefined> {
  const path = join(folder, 'out.parquet');
  const ran = runNatlens(['flows', ...args, '-o', path], { cwd: folder });
  assert.equal(ran.status, 0, ran.stderr);
  const reading = readFlows({ path, chunks: () => createReadStream(path) }, 'parquet');
  let rowCount = 0;
  for await (const batch of reading.batches()) rowCount += batch.rowCount;
  assert.ok(rowCount > 0);
  return reading.info;
}

test('flows of one metering fit a classifier; other timeouts and other names do not', async () => {
  const needs = needsOf(await infoOf('home.pcap')) as FlowNeeds;
  assert.deepEqual(needs, { l7Source: 'prefix', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000, isBiflow: true });
  assert.equal(checkNeeds(needs, await infoOf('home.pcap')), undefined);
  assert.match(checkNeeds(needs, await infoOf('home.pcap', '--idle', '15')) ?? '', /idle timeout of 15 s/);
  assert.match(checkNeeds(needs, await infoOf('home.pcap', '--l7', 'none')) ?? '', /the flows have none/);
});

test('what a file says is kept when it is read and written again, and lost in CSV', async () => {
  assert.equal(runNatlens(['flows', 'home.pcap', '-o', 'first.parquet'], { cwd: folder }).status, 0);
  const info = await infoOf('first.parquet');
  assert.equal(info?.isBiflow, true);
  assert.equal((await infoOf('first.parquet', '--pair'))?.isBiflow, true);
  assert.equal(runNatlens(['flows', 'home.pcap', '-o', 'first.csv'], { cwd: folder }).status, 0);
  assert.match(needsOf(await infoOf('first.csv')) as string, /not known whether/);
});

test('of exports it is not known whether they are biflows, until they are paired', async () => {
  assert.equal(runNatlens(['flows', 'home.pcap', '-o', 'home.nf9.pcap'], { cwd: folder }).status, 0);
  assert.match(needsOf(await infoOf('--exports', 'home.nf9.pcap')) as string, /not known whether/);
  const paired = await infoOf('--exports', 'home.nf9.pcap', '--pair');
  assert.deepEqual(needsOf(paired), { l7Source: 'exporter', activeTimeoutMs: 0, idleTimeoutMs: 0, isBiflow: true });
});
