/**
 * Drop-in cases: every folder below test/golden/meter is a capture, the flows that it must give byte for byte as CSV,
 * the counts beside them, and why. A case needs no code: put a folder there, and it runs.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openByteSource, readCapture } from '#capture';
import { createDictionaries, createNoneNamer, Meter, type FlowBatch, type FlowSetInfo, type MeterOptions } from '#flow';
import { openFlowSink } from '#flow/files';
import { assertCheckedIn, listCases, openCase } from './golden-folder.ts';
import { describedMeterCases } from './make-cases.ts';
import { meterCases, type GoldenCounts } from './meter-cases.ts';

const casesFolder = fileURLToPath(new URL('meter/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'natlens-golden-'));
after(() => rmSync(folder, { recursive: true }));

const info: FlowSetInfo = { origin: 'golden', l7Source: 'none', l7Version: '', activeTimeoutMs: 0, idleTimeoutMs: 0 };

async function meterCase(
  capture: string, options: Partial<MeterOptions>, batchRows: number,
): Promise<{ csv: string; counts: GoldenCounts }> {
  const target = join(folder, 'flows.csv');
  const sink = await openFlowSink(target);
  const busy: (void | Promise<void>)[] = [];
  const namer = createNoneNamer((flows: FlowBatch) => void busy.push(sink.write(flows)));
  const meter = new Meter(options, (flows) => namer.name(flows), { dictionaries: createDictionaries() });
  const source = await openByteSource(capture);
  const reading = readCapture(source, { batchRows });
  for await (const batch of reading.batches()) meter.add(batch);
  meter.end();
  await Promise.all(busy);
  await sink.end(info);
  await source.close();
  const { packets, rejected, latePackets, unresolvedFragments } = meter.counts();
  rejected.merge(reading.rejected);
  const problems = reading.problems.map(({ code, offsetBytes }) => [code, offsetBytes] as const);
  return {
    csv: readFileSync(target, 'utf8'),
    counts: {
      frames: reading.frames, packets, rejected: rejected.toJSON(), latePackets, unresolvedFragments, problems,
    },
  };
}

for (const name of listCases(casesFolder)) {
  test(`meter/${name}`, async () => {
    const { input, expected, counts, options } = openCase(casesFolder, name, 'capture');
    // In one batch, and packet by packet: how packets come in batches must not matter.
    for (const batchRows of [1024, 1]) {
      const metered = await meterCase(input, options, batchRows);
      assert.equal(metered.csv, expected);
      assert.deepEqual(metered.counts, counts);
    }
  });
}

test('the cases that are described are checked in as they are described', () => {
  assertCheckedIn(casesFolder, describedMeterCases, 'test/golden/make-cases.ts');
});

test('a wrong expectation is noticed', async () => {
  const golden = meterCases[0];
  assert.ok(golden !== undefined);
  const { csv, counts } = await meterCase(join(casesFolder, golden.name, golden.file), { idleTimeoutMs: 15 }, 1);
  assert.notEqual(csv, readFileSync(join(casesFolder, golden.name, 'expected.csv'), 'utf8'));
  assert.equal(counts.packets, golden.counts.packets);
});
