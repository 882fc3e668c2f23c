/**
 * Captures with bytes changed, cut out or doubled, through reader, meter and prefix names: never thrown, always
 * balanced.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { openByteSource, readCapture } from '#capture';
import { createPrefixNamer, Meter } from '#flow';
import { encodeCapture, simulateHome } from '#sim';

const folder = mkdtempSync(join(tmpdir(), 'natlens-mutated-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const frames = [...simulateHome({ seed: 77, durationS: 40 })].slice(0, 400);
const originals = (['pcap', 'pcapng'] as const).map((kind) => Buffer.concat([...encodeCapture(frames, { kind })]));

async function meterBytes(bytes: Uint8Array, path: string): Promise<void> {
  writeFileSync(path, bytes);
  const source = await openByteSource(path);
  let packets = 0;
  const namer = createPrefixNamer(({ columns, rowCount }) => {
    for (let i = 0; i < rowCount; i++) {
      packets += (columns.initiatorPackets[i] as number) + (columns.responderPackets[i] as number);
    }
  });
  const meter = new Meter({ openFlowsMax: 16, reorderPacketsMax: 32 }, (flows) => namer.name(flows));
  const reading = readCapture(source, { allocate: meter.allocateWindow });
  for await (const batch of reading.batches()) meter.add(batch);
  meter.end();
  await source.close();
  assert.equal(packets + meter.counts().rejected.total() + reading.rejected.total(), reading.frames);
  // A mutation can make a record shorter, never one record more than the bytes have room for.
  assert.ok(reading.frames <= bytes.length / 16 + 1);
}

type Mutation = { kind: 'set' | 'cut' | 'double'; at: number; value: number };

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('set', 'set', 'set', 'cut', 'double'), at: fc.double({ min: 0, max: 1, noNaN: true }),
  value: fc.integer({ min: 0, max: 255 }),
});

function mutate(original: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  let bytes = Uint8Array.from(original);
  for (const { kind, at, value } of mutations) {
    const place = 24 + Math.floor(at * (bytes.length - 25));
    if (kind === 'set') bytes[place] = value;
    else if (kind === 'cut') bytes = Uint8Array.of(...bytes.subarray(0, place), ...bytes.subarray(place + value));
    else bytes = Uint8Array.of(...bytes.subarray(0, place), ...bytes.subarray(place - Math.min(value, place)));
  }
  return bytes;
}

for (const original of originals) {
  const kind = original === originals[0] ? 'pcap' : 'pcapng';
  test(`fuzz: mutated ${kind} captures`, async () => {
    await fc.assert(fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 12 }), async (mutations) => {
      await meterBytes(mutate(original.subarray(0, 60_000), mutations), join(folder, `mutated.${kind}`));
    }), { numRuns: 120 });
  });
}
