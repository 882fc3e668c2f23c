/**
 * fprobe's NetFlow v5 beside our own metering, as softflowd in paired-softflowd.test.ts. fprobe counts packets of one
 * link layer only, so each capture goes through it twice: its plain frames, then those with an 802.1Q tag. Reading a
 * file it applies its timeouts by the time of day and sends most at the end: sums over conversations are compared.
 */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { describe, hasOneSideInside, meterCapture, pairDatagrams, runExporter } from './exported-conversations.ts';
import { findCaptures, missing } from './shared-data.ts';

const headerBytes = 24;
const recordBytes = 48;
const sourcePortAt = 32;
const destinationPortAt = 34;
const protocolAt = 38;
const octetsAt = 20;

/** Bytes before IP in frames of Ethernet with a tag; without one, libpcap tells fprobe. */
const taggedHeaderBytes = 18;

/** A capture of Linux cooked frames, where libpcap knows no tags. */
const cookedCapture = 'mqtt.pcap';

/** What fprobe sends of a capture. What does not fit its queue (of 100 packets by default) is lost without a word. */
async function exportCapture(capture: string): Promise<Uint8Array[]> {
  const runOnce = (options: readonly string[]): Promise<Uint8Array[]> => runExporter((port) =>
    ['bash', '-c', 'exec fprobe "$@" < "$0"', capture, '-i', '-', '-q', '200000', '-l', '2', ...options,
      `127.0.0.1:${port}`], () => NaN);
  const plain = await runOnce(['-f', 'ip']);
  if (basename(capture) === cookedCapture) return plain;
  return [...plain, ...await runOnce(['-f', 'vlan and ip', '-K', String(taggedHeaderBytes)])];
}

/** The records of a NetFlow v5 datagram. */
function* records(datagram: Uint8Array): Generator<DataView, void, void> {
  for (let at = headerBytes; at < datagram.length; at += recordBytes) {
    yield new DataView(datagram.buffer, datagram.byteOffset + at, recordBytes);
  }
}

/**
 * fprobe alone has the type of ICMP in the source port and the code in the destination port (docs/decoding.md). Moves
 * them to where Cisco and all others have them, both in the destination port.
 *
 * @returns  records that were mended
 */
function mendIcmp(datagrams: readonly Uint8Array[]): number {
  let mended = 0;
  for (const datagram of datagrams) {
    for (const record of records(datagram)) {
      if (record.getUint8(protocolAt) !== 1) continue;
      const [type, code] = [record.getUint16(sourcePortAt), record.getUint16(destinationPortAt)];
      assert.ok(type < 256 && code < 256, `ICMP ${type} ${code}`);
      record.setUint16(sourcePortAt, 0);
      record.setUint16(destinationPortAt, type * 256 + code);
      if (type > 0) mended++;
    }
  }
  return mended;
}

const captures = ['captures/{fit,hub,plug,nku}/*', 'captures/sentinel/*/Setup-A-1-STA.pcap', 'metering/captures/*']
  .flatMap(findCaptures);
const skip = missing({ data: ['captures', 'metering'], programs: ['fprobe'] });

test('fprobe\'s NetFlow v5, decoded and paired, is our own metering', { skip }, async (context) => {
  const counts = { conversations: 0, paired: 0, single: 0, ownInitiator: 0, icmpMended: 0 };
  const others: string[] = [];
  // fprobe sleeps most of its time. Nothing else is done meanwhile: who does not read loses datagrams.
  const exported = await Promise.all(captures.map(exportCapture));
  for (const [i, capture] of captures.entries()) {
    const datagrams = exported[i] ?? [];
    counts.icmpMended += mendIcmp(datagrams);
    const theirs = pairDatagrams(datagrams, true);
    const ours = await meterCapture(capture, { ipVersions: [4], isTyped: true, isPadded: false });
    assert.deepEqual(describe(theirs.conversations, true), describe(ours.conversations, true), capture);
    for (const [key, { initiators }] of ours.conversations) {
      const name = `${basename(capture)}: ${key}`;
      if (!theirs.conversations.get(key)?.initiators.isSubsetOf(initiators)) others.push(name);
      else if (hasOneSideInside(name)) counts.ownInitiator++;
    }
    counts.conversations += ours.conversations.size;
    counts.paired += theirs.counts.paired;
    counts.single += theirs.counts.single;
  }
  const told = JSON.stringify({ ...counts, otherInitiators: others.length });
  context.diagnostic(told);
  assert.ok(counts.conversations > 1500 && counts.paired > 1000 && counts.icmpMended > 20, told);
  // Its times waver by milliseconds from datagram to datagram: between two sides inside they do not tell who began.
  assert.deepEqual(others.filter(hasOneSideInside), []);
  assert.ok(counts.ownInitiator > 500, told);
});

test('one octet more in one of fprobe\'s records is seen', { skip }, async () => {
  const capture = captures.find((path) => basename(path) === 'tls.pcap') ?? '';
  const datagrams = await exportCapture(capture);
  mendIcmp(datagrams);
  const ours = await meterCapture(capture, { ipVersions: [4], isTyped: true, isPadded: false });
  const expected = describe(ours.conversations, true);
  assert.deepEqual(describe(pairDatagrams(datagrams, true).conversations, true), expected);
  const record = datagrams.flatMap((datagram) => [...records(datagram)]).at(-1);
  assert.ok(record !== undefined);
  record.setUint32(octetsAt, record.getUint32(octetsAt) + 1);
  assert.notDeepEqual(describe(pairDatagrams(datagrams, true).conversations, true), expected);
});
