/**
 * IPFIX over TCP and over TLS with certificates on both sides (RFC 7011 §10.4, §11), through the link that loses,
 * delays and copies: the transport mends it, so nothing is lost. Who has no certificate of the authority's is not let
 * in.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Random, systemClock } from '#base';
import { exportDay, writeHomeCapture } from '#sim';
import { batchOf, makeFlows } from '../support/labelled-flows.ts';
import { makeCertificate } from '../support/test-certificate.ts';
import { runSoftflowd } from './link-exporters.ts';
import { collectorAddress, exporterAddress, LossyNetwork } from './lossy-network.ts';
import { ended, whyNoNamespaces } from './real-nat.ts';
import { RunningCollector, whereabouts } from './running-collector.ts';
import { missing } from './shared-data.ts';

const skip = missing({ programs: ['ip', 'openssl', 'tcpdump', '/usr/bin/python3'] }) || whyNoNamespaces();
const folder = mkdtempSync(join(tmpdir(), 'natlens-stream-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const [tcpPort, tlsPort] = [4739, 4740];
const exporterName = 'router-1.example.net';

/**
 * Sends messages, `-` begins another connection. Arguments: host, port, seconds between two messages, and for TLS the
 * certificate of the collector, our key and our certificate, or nothing for these two.
 */
const senderScript = `
import socket, ssl, sys, time
host, port, pause, *tls = sys.argv[1:]
def connect():
    stream = socket.create_connection((host, int(port)), 20)
    if not tls:
        return stream
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls[0])
    if len(tls) > 1:
        context.load_cert_chain(tls[2], tls[1])
    return context.wrap_socket(stream, server_hostname=host)
def close():
    # What the collector would say of an error comes before its end.
    if tls:
        stream.unwrap()
    else:
        stream.shutdown(socket.SHUT_WR)
        stream.recv(1)
    stream.close()
stream = connect()
for line in sys.stdin:
    if line.strip() == '-':
        close()
        stream = connect()
        continue
    stream.sendall(bytes.fromhex(line))
    time.sleep(float(pause))
close()
`;

/** An exporter's three runs as lines of its sender, and how many records they hold. */
function makeRuns(seed: number): { lines: string; records: number; runs: number } {
  const startMs = Math.floor(systemClock.nowMs() / 1000) * 1000;
  const flows = batchOf(makeFlows(1_500, seed).map((flow, i) => ({ ...flow, startMs: startMs + i * 5_000 })));
  const { messages } = exportDay(flows, {
    version: 10, isOneWay: false, startMs, endMs: startMs + 7_500_000,
    restarts: [{ atMs: startMs + 2_500_000, downMs: 30_000 }, { atMs: startMs + 5_000_000, downMs: 30_000 }],
    templateEveryMs: 900_000, holdMsMax: 40_000, clockAhead: () => 0,
  }, new Random(seed));
  const lines: string[] = [];
  let run = 0;
  for (const message of messages) {
    if (message.run !== run) lines.push('-');
    run = message.run;
    lines.push(Buffer.from(message.bytes).toString('hex'));
  }
  return {
    lines: `${lines.join('\n')}\n`, runs: run + 1,
    records: messages.reduce((sum, { records }) => sum + records.length, 0),
  };
}

test('over a lossy link, IPFIX by TCP and by TLS loses nothing', { skip, timeout: 180_000 }, async (context) => {
  const network = new LossyNetwork(folder);
  context.after(() => network.close());
  const [tcp, tls, stranger, softflowd] = [1, 2, 3, 4];
  const server = makeCertificate(folder, 'collector', `IP:${collectorAddress(tls)},IP:${collectorAddress(stranger)}`);
  const client = makeCertificate(folder, exporterName, `DNS:${exporterName}`);
  const foreign = makeCertificate(folder, 'stranger', 'DNS:stranger.example.net');
  assert.ok(server !== undefined && client !== undefined && foreign !== undefined);
  await network.open(31);
  const collector = new RunningCollector(folder, `[input]
listen = ["tcp://0.0.0.0:${tcpPort}", "tls://0.0.0.0:${tlsPort}"]
[tls]
key_file = "${server.keyFile}"
certificate_file = "${server.certFile}"
authorities_file = "${client.certFile}"`, (words, environment) => network.start('collector', words, environment));
  await collector.start();
  await network.setFates({
    lostShare: 0.05, burstShare: 0.2, copiedShare: 0.03, lateShare: 0.1, delayMs: 2, lateMsMax: 15,
  });
  const send = async (place: number, port: number, lines: string, ...more: string[]): Promise<string | undefined> => {
    const child = network.start('exporters', ['/usr/bin/python3', '-c', senderScript, collectorAddress(place),
      String(port), '0.005', ...more]);
    let told = '';
    child.stderr?.on('data', (text: Buffer) => { told += text.toString(); });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(lines);
    return await ended(child) === 0 ? undefined : told;
  };
  const [plain, secret] = [makeRuns(5), makeRuns(6)];
  assert.ok(plain.runs === 3 && plain.records > 1_400);
  const capture = join(folder, 'home.pcap');
  await writeHomeCapture(capture, { seed: 3, durationS: 300, servers: 'clouds' });
  const isSoftflowd = spawnSync('softflowd', ['-h']).error === undefined;
  const faults = await Promise.all([
    send(tcp, tcpPort, plain.lines),
    send(tls, tlsPort, secret.lines, server.certFile, client.keyFile, client.certFile),
    // Nobody, and somebody whom another authority vouches for.
    send(stranger, tlsPort, plain.lines, server.certFile),
    send(stranger, tlsPort, plain.lines, server.certFile, foreign.keyFile, foreign.certFile),
    isSoftflowd ? runSoftflowd({ network, folder, place: softflowd, port: tcpPort }, capture, 10, '-P', 'tcp')
      .then(() => undefined) : undefined,
  ]);
  const { exporters, collector: back } = await network.counts();
  const status = await collector.untilIdle();
  context.diagnostic(JSON.stringify({ exporters, back, tcp: status.input.tcp }));
  assert.deepEqual([faults[0], faults[1]], [undefined, undefined]);
  for (const fault of faults.slice(2, 4)) assert.match(fault ?? '', /Error/);
  assert.ok(exporters.lost > 15 && back.lost > 15, 'the link lost much');

  for (const [place, { records }] of [[tcp, plain], [tls, secret]] as const) {
    const [own, ...others] = status.domains.filter(({ exporter }) => exporter === exporterAddress(place));
    assert.ok(own !== undefined && others.length === 0);
    assert.deepEqual(whereabouts(own),
      { sent: records, came: records, lostInKernel: 0, lostOnTheWay: 0, lostWhileStopped: 0 });
    assert.deepEqual([own.account.decoded, own.account.flows, own.duplicates], [records, records, 0]);
  }
  assert.deepEqual(status.domains.filter(({ exporter }) => exporter === exporterAddress(stranger)), []);
  assert.equal(status.input.tcp.ended.untrusted, 2, JSON.stringify(status.input.tcp));
  assert.ok(JSON.stringify(status.input.tcp).includes(exporterName), 'whom certificates name is shown');
  if (isSoftflowd) {
    const own = status.domains.find(({ exporter }) => exporter === exporterAddress(softflowd));
    assert.ok(own !== undefined);
    const { sent, came, lostOnTheWay } = whereabouts(own);
    assert.ok(came > 100 && came === sent && lostOnTheWay === 0, JSON.stringify(own.account));
  }
  assert.equal(await collector.end('SIGTERM'), 0, collector.lines.slice(-5).join('\n'));
  const rows = collector.storedRows();
  assert.deepEqual([rows.get(`${exporterAddress(tcp)} 0`), rows.get(`${exporterAddress(tls)} 0`)],
    [plain.records, secret.records]);
});
