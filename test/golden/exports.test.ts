/**
 * Drop-in cases: every folder below test/golden/exports holds exports (a capture that carries them, or a file of bare
 * messages), the rows that they must give byte for byte as CSV, the account of every byte, and why. A case needs no
 * code: put a folder there, and it runs.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type ByteSource, type ExportDatagram, ExportDatagramFinder, fileDatagram, IpfixMessageSplitter, NetflowSplitter,
  openByteSource, readCapture, recogniseCapture, recogniseExports,
} from '#capture';
import {
  createExporterNamer, ExportDecoder, type ExportCounts, type FlowBatch, type FlowSetInfo,
} from '#flow';
import { openFlowSink } from '#flow/files';
import { runFlows } from '../../src/apps/cli/flows-run.ts';
import { findAccountFault } from '../support/export-fuzzer.ts';
import { withoutZeros } from './export-cases/case.ts';
import { assertCheckedIn, listCases, openCase } from './golden-folder.ts';
import { describedExportCases } from './make-export-cases.ts';

const casesFolder = fileURLToPath(new URL('exports/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'natlens-golden-'));
after(() => rmSync(folder, { recursive: true }));
const target = join(folder, 'flows.csv');

/** Options of a case: those of `natlens flows` by these names. */
type CaseOptions = { readonly renormalise?: boolean };

type Decoded = { readonly csv: string; readonly counts: object };

/** As `natlens flows --exports` reads the file. */
async function decodeAsCommand(input: string, options: CaseOptions): Promise<Decoded> {
  const { summary } = await runFlows([input],
    { ...options, output: target, exports: true, active: 120, idle: 60, home: [], quiet: true });
  assert.ok(summary.exports !== null);
  const problems = summary.problems.map(({ code }) => code);
  return { csv: readFileSync(target, 'utf8'), counts: { ...summary.exports, problems } };
}

/** Datagram by datagram, each row a batch of its own; what waits is counted before the decoder gives up on it. */
async function decodeSlowly(input: string, options: CaseOptions): Promise<Decoded> {
  const info: FlowSetInfo = {
    origin: 'golden', l7Source: 'exporter', l7Version: '', activeTimeoutMs: 0, idleTimeoutMs: 0,
  };
  const sink = await openFlowSink(target);
  const busy: (void | Promise<void>)[] = [];
  const namer = createExporterNamer((flows: FlowBatch) => void busy.push(sink.write(flows)));
  const decoder = new ExportDecoder({ ...options, batchRows: 1 }, (flows) => namer.name(flows));
  const source = await openByteSource(input);
  for await (const datagram of readDatagrams(source)) {
    decoder.decode(datagram);
    assertBalanced(decoder.counts());
    decoder.flush();
    await Promise.all(busy.splice(0));
  }
  await source.close();
  const waitingBeforeEnd = decoder.counts().waiting;
  decoder.end();
  assertBalanced(decoder.counts());
  await Promise.all(busy);
  await sink.end(info);
  return { csv: readFileSync(target, 'utf8'), counts: { ...decoder.counts(), waitingBeforeEnd } };
}

/** Pieces of a file of messages: so small that none holds a message. */
const pieceBytes = 7;

async function *readDatagrams(source: ByteSource): AsyncGenerator<ExportDatagram, void, void> {
  if (recogniseCapture(source.head) !== undefined) {
    const finder = new ExportDatagramFinder();
    for await (const packets of readCapture(source, { batchRows: 1 }).batches()) yield* finder.find(packets);
    assert.equal(finder.rejected.total(), 0, 'the capture of a case holds exports only');
    return;
  }
  const isIpfix = recogniseExports(source.head, source.sizeBytes) === 'ipfix';
  const splitter = isIpfix ? new IpfixMessageSplitter() : new NetflowSplitter();
  for await (const chunk of source.chunks()) {
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      for (const message of splitter.push(chunk.subarray(at, at + pieceBytes))) yield fileDatagram(message);
    }
  }
  if (splitter instanceof NetflowSplitter) for (const datagram of splitter.end()) yield fileDatagram(datagram);
}

function assertBalanced(counts: ExportCounts): void {
  const { bytes, bytesByFate, flows, optionsRecords, otherRecords, records, waiting } = counts;
  assert.equal(bytesByFate.decoded + bytesByFate.waiting + bytesByFate.rejected, bytes);
  assert.equal(flows + optionsRecords + otherRecords, records);
  assert.equal(bytesByFate.waiting, waiting.bytes);
}

/** Accounts are told by worlds whose truth is known (`domain-account.test.ts`): here they must add up. */
function withoutAccounts(counts: object): object {
  const { exporters } = counts as ExportCounts;
  return { ...counts, exporters: exporters.map(({ account, ...others }) => {
    assert.equal(findAccountFault(account), undefined);
    return others;
  }) };
}

for (const name of listCases(casesFolder)) {
  test(`exports/${name}`, async () => {
    const { input, expected, counts, options } = openCase(casesFolder, name, 'exports');
    const { waitingBeforeEnd, problems, ...rest } = counts as Record<string, unknown>;
    const whole = await decodeAsCommand(input, options);
    assert.equal(whole.csv, expected);
    assert.deepEqual(withoutZeros(withoutAccounts(whole.counts)), withoutZeros({ ...rest, problems }));
    const slow = await decodeSlowly(input, options);
    assert.equal(slow.csv, expected);
    assert.deepEqual(withoutZeros(withoutAccounts(slow.counts)), withoutZeros({ ...rest, waitingBeforeEnd }));
  });
}

test('the cases that are described are checked in as they are described', () => {
  assertCheckedIn(casesFolder, describedExportCases, 'test/golden/make-export-cases.ts');
});

test('a wrong expectation is noticed', async () => {
  const sampled = openCase(casesFolder, 'v5-sampling', 'exports');
  const other = await decodeAsCommand(sampled.input, { renormalise: true });
  assert.notEqual(other.csv, sampled.expected);
  const lossy = openCase(casesFolder, 'v9-loss-copy-disorder', 'exports');
  const { counts } = await decodeSlowly(lossy.input, {});
  const plain = withoutZeros(withoutAccounts(counts));
  assert.deepEqual(plain, lossy.counts);
  assert.notDeepEqual(plain, openCase(casesFolder, 'v9-sequence-wrap', 'exports').counts);
});
