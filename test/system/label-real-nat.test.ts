/**
 * Twin labelling through Linux's own NAT, with its usual ports and with fully random ones: no flow and no packet gets
 * the wrong device, and all that gets none is explained.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openByteSource, readCapture } from '#capture';
import { readRows, runNatlens } from '../support/natlens-process.ts';
import { clientMacs, RealNat, routerText, whyNoNamespaces } from './real-nat.ts';
import { missing } from './shared-data.ts';

const skip = missing({ programs: ['ip', 'nft', 'tcpdump', '/usr/bin/python3'] }) || whyNoNamespaces();

/** Letters that conversations of the router carried, and when: the truth, from payload. */
type Truth = Map<string, { timeMs: number; letter: string }[]>;

async function readTruth(path: string): Promise<Truth> {
  const truth: Truth = new Map();
  const source = await openByteSource(path);
  for await (const batch of readCapture(source).batches()) {
    for (let row = 0; row < batch.rowCount; row++) {
      const at = batch.networkOffset[row] as number;
      const packet = Buffer.from(batch.data.buffer, batch.data.byteOffset + at, batch.networkBytes[row]);
      if ([...packet.subarray(12, 16)].join('.') !== routerText) continue;
      const protocol = packet[9] as number;
      const payloadAt = protocol === 6 ? 20 + ((packet[32] as number) >> 4) * 4 : 28;
      const letter = payloadAt < packet.readUInt16BE(2) ? String.fromCharCode(packet[payloadAt] as number) : '';
      if (!(letter in clientMacs)) continue;
      const ports = protocol === 1 ? '' : ` ${packet.readUInt16BE(20)} ${packet.readUInt16BE(22)}`;
      const key = `${[...packet.subarray(16, 20)].join('.')} ${protocol}${ports}`;
      const timeMs = (batch.timeMicroseconds[row] as number) / 1000;
      truth.set(key, [...truth.get(key) ?? [], { timeMs, letter }]);
    }
  }
  await source.close();
  return truth;
}

for (const masquerade of ['masquerade', 'masquerade fully-random']) {
  test(`labels behind nft ${masquerade}`, { skip, timeout: 120_000 }, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'natlens-real-nat-'));
    const nat = new RealNat(folder);
    context.after(() => {
      nat.close();
      rmSync(folder, { recursive: true, force: true });
    });
    nat.open(masquerade);
    const { inside, outside } = await nat.talk();
    const ran = runNatlens(['lab', 'label', '--outside', outside, '--inside', inside, '--router', routerText, '-o',
      'labelled.csv', '--packets', 'packets.csv', '--json', '-q'], { cwd: folder });
    assert.equal(ran.status, 0, ran.stderr);
    const { flows, packets } = JSON.parse(ran.stdout) as Record<'flows' | 'packets', {
      portPolicy: string; clock: { offsetMs: number };
      outside: { total: number; notFromRouter: number; labelled: number;
        ambiguous: Record<string, number>; unmatched: Record<string, number> };
    }>;
    context.diagnostic(JSON.stringify({ flows: flows.outside, packets: packets.outside, clock: flows.clock }));
    const truth = await readTruth(outside);
    const lettersOf = (key: string, fromMs: number, endMs: number): string[] => [...new Set((truth.get(key) ?? [])
      .filter(({ timeMs }) => timeMs >= fromMs - 1 && timeMs <= endMs + 1).map(({ letter }) => letter))];
    const rows = readRows(readFileSync(join(folder, 'labelled.csv'), 'utf8'));
    for (const row of rows) {
      const ports = row.protocolIdentifier === '1' ? ''
        : ` ${row.sourceTransportPort} ${row.destinationTransportPort}`;
      const letters = lettersOf(`${row.destinationAddress} ${row.protocolIdentifier}${ports}`,
        Number(row.flowStartMilliseconds), Number(row.flowEndMilliseconds));
      assert.deepEqual(letters.map((letter) => clientMacs[letter]), [row.device], JSON.stringify(row));
    }
    // Each client has 120 + 120 flows of its own, 40 + 40 in step, 20 from shared ports, and echoes.
    const total = flows.outside.total - flows.outside.notFromRouter;
    assert.ok(total >= 600, `${total} flows`);
    const ambiguous = Object.values(flows.outside.ambiguous).reduce((sum, count) => sum + count, 0);
    const unmatched = Object.values(flows.outside.unmatched).reduce((sum, count) => sum + count, 0);
    assert.equal(total, rows.length + ambiguous + unmatched);
    // 160 flows are alike and in step by design, and only kept ports can tell them apart.
    assert.ok(rows.length >= (masquerade === 'masquerade' ? 0.9 : 0.5) * total, `${rows.length} of ${total}`);
    // Without a twin is only the echo of both clients to one server, which is one flow outside.
    assert.ok(unmatched <= 2, JSON.stringify(flows.outside));
    assert.ok(Math.abs(flows.clock.offsetMs) < 5, `${flows.clock.offsetMs} ms between two taps of one machine`);
    assert.equal(flows.portPolicy, masquerade === 'masquerade' ? 'keep' : 'unknown');

    let checked = 0;
    for (const row of readRows(readFileSync(join(folder, 'packets.csv'), 'utf8'))) {
      if (row.protocolIdentifier === '1') continue;
      const timeMs = Number(row.timeMilliseconds);
      const key = `${row.peerAddress} ${row.protocolIdentifier} ${row.routerPort} ${row.peerPort}`;
      const letters = lettersOf(key, timeMs - 500, timeMs + 500);
      if (letters.length !== 1) continue;
      checked++;
      assert.equal(row.device, clientMacs[letters[0] as string], JSON.stringify(row));
    }
    assert.ok(checked > 0.8 * (packets.outside.total - packets.outside.notFromRouter), `${checked} packets checked`);
  });
}
