/**
 * The meter beside tshark: with duplicate removal off, packets and IP-length bytes per conversation and direction are
 * the same for every shared capture, and no packet that tshark finds an IP length in is rejected.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '#base';
import { openByteSource, readCapture } from '#capture';
import { Meter } from '#flow';
import { askAhead } from './oracle-ahead.ts';
import { findCaptures, missing, sharedData } from './shared-data.ts';
import { addTo, readWithTshark, type Conversations } from './tshark-conversations.ts';

async function meterConversations(
  path: string,
): Promise<{ conversations: Conversations; packets: number; rejected: string }> {
  const conversations: Conversations = new Map();
  const meter = new Meter({ duplicateWindowMs: 0 }, ({ columns, rowCount }) => {
    for (let i = 0; i < rowCount; i++) {
      const source = formatAddress(columns.sourceAddress, i * 4);
      const destination = formatAddress(columns.destinationAddress, i * 4);
      const protocol = columns.protocolIdentifier[i];
      const sourcePort = columns.sourceTransportPort[i];
      const destinationPort = columns.destinationTransportPort[i];
      if (columns.initiatorPackets[i] !== 0) {
        addTo(conversations, `${source} ${destination} ${protocol} ${sourcePort} ${destinationPort}`,
          columns.initiatorPackets[i] as number, columns.initiatorOctets[i] as number);
      }
      if (columns.responderPackets[i] !== 0) {
        addTo(conversations, `${destination} ${source} ${protocol} ${destinationPort} ${sourcePort}`,
          columns.responderPackets[i] as number, columns.responderOctets[i] as number);
      }
    }
  });
  const source = await openByteSource(path);
  const reading = readCapture(source);
  for await (const batch of reading.batches()) meter.add(batch);
  meter.end();
  await source.close();
  const { packets, rejected } = meter.counts();
  assert.equal(reading.frames, packets + rejected.total() + reading.rejected.total(), path);
  return { conversations, packets, rejected: JSON.stringify([reading.rejected, rejected]) };
}

/** First differences between two sets of conversations, as text. */
function compare(ours: Conversations, theirs: Conversations): string[] {
  const differences: string[] = [];
  for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
    const our = ours.get(key);
    const their = theirs.get(key);
    if (our?.packets !== their?.packets || our?.octets !== their?.octets) {
      differences.push(`${key}: ours ${our?.packets}/${our?.octets}, tshark ${their?.packets}/${their?.octets}`);
    }
  }
  return differences;
}

for (const folder of ['metering/captures', 'captures']) {
  const skip = missing({ data: [folder], programs: ['tshark'] });
  test(`${folder}: conversations equal tshark's`, { skip }, async (context) => {
    const captures = findCaptures(`${folder}/**/*`);
    assert.ok(captures.length > 0, 'no capture found');
    const askTshark = askAhead(captures, readWithTshark);
    let conversationCount = 0;
    let packetCount = 0;
    for (const path of captures) {
      const expected = await askTshark(path);
      const metered = await meterConversations(path);
      const differences = compare(metered.conversations, expected.conversations);
      assert.deepEqual(differences.slice(0, 5), [], `${path.slice(sharedData.length)} ${metered.rejected}`);
      assert.equal(metered.packets, expected.packets, path);
      conversationCount += expected.conversations.size;
      packetCount += expected.packets;
    }
    context.diagnostic(`${captures.length} captures, ${packetCount} packets, ` +
      `${conversationCount} directed conversations equal`);
  });
}
