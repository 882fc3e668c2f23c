/**
 * pmacctd's nfprobe beside our own metering, as softflowd in paired-softflowd.test.ts: one-way records of NetFlow v5,
 * v9 and IPFIX, paired. nfprobe does apply its timeouts to a file; it may cut a conversation elsewhere than we do, so
 * sums over conversations are compared.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { describe, meterCapture, pairDatagrams, runExporter } from './exported-conversations.ts';
import { findCaptures, missing } from './shared-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-nfprobe-'));
after(() => rmSync(folder, { recursive: true }));

/**
 * Times that pmacctd may fail to end well: now and then its two processes miss each other's end, and it exits with 1.
 */
const failuresMax = 4;

/** What nfprobe sends of a capture. */
async function exportCapture(capture: string, version: number, failures = 0): Promise<Uint8Array[]> {
  try {
    return await exportOnce(capture, version);
  } catch (thrown) {
    if (failures === failuresMax || !String(thrown).includes('connection lost to')) throw thrown;
    return exportCapture(capture, version, failures + 1);
  }
}

async function exportOnce(capture: string, version: number): Promise<Uint8Array[]> {
  return runExporter((port) => {
    const settings = join(folder, `settings-${port}`);
    writeFileSync(settings, `daemonize: false
plugins: nfprobe
aggregate: src_host,dst_host,src_port,dst_port,proto,tos,tcpflags
nfprobe_receiver: 127.0.0.1:${port}
nfprobe_version: ${version}
nfprobe_timeouts: tcp=60:tcp.rst=60:tcp.fin=60:udp=60:icmp=60:general=60:maxlife=120:expint=1
pcap_savefile: ${capture}
pcap_savefile_delay: 1
`);
    return ['pmacctd', '-f', settings];
  }, () => NaN);
}

const captures = ['captures/plug/*', 'captures/hub/*', 'captures/nku/*setup*', 'captures/sentinel/HueBridge/Setup-A-1*',
  'metering/captures/mixed.pcap'].flatMap(findCaptures);
const skip = missing({ data: ['captures', 'metering'], programs: ['pmacctd'] });

for (const version of [5, 9, 10]) {
  test(`nfprobe's records of version ${version}, paired, are our own metering`, { skip }, async (context) => {
    const ipVersions = version === 5 ? [4] : [4, 6];
    const counts = { conversations: 0, paired: 0, single: 0, otherInitiators: 0 };
    // nfprobe sleeps most of its time. Nothing else is done meanwhile: who does not read loses datagrams.
    const exported = await Promise.all(captures.map((capture) => exportCapture(capture, version)));
    for (const [i, capture] of captures.entries()) {
      const theirs = pairDatagrams(exported[i] ?? [], true);
      const ours = await meterCapture(capture, { ipVersions, isTyped: true, isPadded: false });
      assert.deepEqual(describe(theirs.conversations, true), describe(ours.conversations, true), capture);
      for (const [key, { initiators }] of ours.conversations) {
        if (!theirs.conversations.get(key)?.initiators.isSubsetOf(initiators)) counts.otherInitiators++;
      }
      counts.conversations += ours.conversations.size;
      counts.paired += theirs.counts.paired;
      counts.single += theirs.counts.single;
    }
    context.diagnostic(JSON.stringify(counts));
    assert.ok(counts.conversations > 300 && counts.paired > 600, JSON.stringify(counts));
    assert.equal(counts.otherInitiators, version === 5 ? 0 : 1, 'one pair of ICMPv6 neighbours has no telling side');
  });
}
