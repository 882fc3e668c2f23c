/** A detector that is handed flows and datagrams: it counts both, and decides about both. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { AddressWords } from '#base';
import { createFlowBatch } from '#flow';
import { layOutDetector } from '../../../test/support/detector-world.ts';
import { readConfig } from './config/read-config.ts';
import { openLiveDetector } from './live-detector.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-live-detector-'));
after(() => rmSync(folder, { recursive: true }));

const exporter: AddressWords = [0, 0, 0xffff, 0x7f000001];

test('flows of any batch size and datagrams are counted, and it ends in order', async () => {
  const config = await readConfig(layOutDetector(folder, `
[input]
listen = []
pair = false
[homes]
map = "address"
inside = ["198.51.100.0/24"]
[[home]]
name = "household-1"
prefixes = ["198.51.100.1"]
`));
  const lines: { event?: string }[] = [];
  const bugs: unknown[] = [];
  const detector = await openLiveDetector(config, {
    logStream: { write: (line) => lines.push(JSON.parse(line) as { event?: string }) },
    onBug: (thrown) => bugs.push(thrown),
  });
  const batch = createFlowBatch(1_000);
  batch.rowCount = 700;
  const { columns } = batch;
  for (let row = 0; row < batch.rowCount; row++) {
    columns.sourceAddress.set([0, 0, 0xffff, row % 2 === 0 ? 0xc6336401 : 0xc0000209], row * 4);
    columns.destinationAddress.set([0, 0, 0xffff, 0xcb007105], row * 4);
    columns.ipVersion[row] = 4;
    columns.protocolIdentifier[row] = 17;
    columns.flowStartMilliseconds[row] = columns.flowEndMilliseconds[row] = 1_700_000_000_000;
    columns.initiatorPackets[row] = 1;
    columns.initiatorOctets[row] = 60;
  }
  detector.accept(batch);
  detector.accept(batch);
  // A datagram of NetFlow v5 with one record, of that home.
  const datagram = Buffer.alloc(72);
  datagram.writeUInt16BE(5, 0);
  datagram.writeUInt16BE(1, 2);
  datagram.writeUInt32BE(1_700_000_000, 8);
  datagram.writeUInt32BE(0xc6336401, 24);
  datagram.writeUInt32BE(0xcb007105, 28);
  datagram.writeUInt32BE(2, 40);
  datagram.writeUInt32BE(90, 44);
  datagram[62] = 17;
  detector.acceptDatagram({ bytes: datagram, exporter, receivedMs: 1 });
  try {
    for (let i = 0; i < 100 && (await detector.status()).flows.ofHomes < 701; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { flows, input } = await detector.status();
    assert.deepEqual([flows.ofHomes, flows.ofNoHome.inward], [701, 700]);
    assert.equal(input.intake.exports.datagrams, 1);
  } finally {
    assert.equal(await detector.stop(), false);
  }
  assert.deepEqual(bugs, []);
  assert.equal(lines.at(-1)?.event, 'stopped');
});
