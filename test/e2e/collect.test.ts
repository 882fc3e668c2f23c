/**
 * `natlens collect` as a user runs it: a process that takes v5, v9 and IPFIX by UDP, TCP and TLS on loopback, is ended,
 * killed and started again, and at the end accounts for everything that its exporters ever sent.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CollectorStatus } from '#collector';
import type { DetectorStatus } from '#detector';
import { CollectorProcess, storedIds } from '../support/collector-process.ts';
import { layOutDetector } from '../support/detector-world.ts';
import { runNatlens } from '../support/natlens-process.ts';
import { ScriptedExporter } from '../support/scripted-exporter.ts';
import { makeCertificate } from '../support/test-certificate.ts';

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-collect-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

type Domain = CollectorStatus['domains'][number];

/** The line of an exporter, whose account adds up. */
function domainOf({ domains }: CollectorStatus, { address, version }: ScriptedExporter): Domain {
  const found = domains.find((each) => each.exporter === address && each.version === version);
  assert.ok(found !== undefined, `${address} v${version} in ${domains.map(({ exporter }) => exporter).join(' ')}`);
  const { sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, limited, undecodable } = found.account;
  const bad = Object.values(undecodable).reduce<number>((sum, units) => sum + (units ?? 0), 0);
  assert.equal(sent, decoded + waiting + lostInKernel + lostOnTheWay + lostWhileStopped + limited + bad);
  return found;
}

/** Sends 40 messages of which two are lost, one comes twice, and two change places. */
async function sendLossy(exporter: ScriptedExporter): Promise<void> {
  const messages = Array.from({ length: 40 }, (_, i) => exporter.make(i % 10 === 0));
  const order = [...messages.keys()].filter((i) => i !== 7 && i !== 8);
  order.splice(order.indexOf(12) + 3, 0, 12);
  order.splice(order.indexOf(20), 2, 21, 20);
  for (const i of order) {
    const message = messages[i];
    assert.ok(message !== undefined);
    await exporter.send(message);
  }
}

const usual = `state_folder = "state"
checkpoint = "1s"
[input]
listen = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
receive_buffer = "256KiB"
[output]
folder = "flows"
rotate = "1h"
`;

const total = (status: CollectorStatus): number => status.domains.reduce((sum, { account }) => sum + account.flows, 0);

test('everything is accounted for, through losses, copies, an end, a kill, and new ports', { timeout: 120_000 },
  async (t) => {
    const folder = makeFolder(t);
    const mine = makeCertificate(folder, 'collector');
    const theirs = makeCertificate(folder, 'router-1', 'DNS:router-1');
    const config = mine === undefined || theirs === undefined ? usual : `${usual.replace(
      '"tcp://127.0.0.1:0"]', '"tcp://127.0.0.1:0", "tls://127.0.0.1:0"]')}
[tls]
key_file = ${JSON.stringify(mine.keyFile)}
certificate_file = ${JSON.stringify(mine.certFile)}
authorities_file = ${JSON.stringify(theirs.certFile)}
names = ["router-1"]
`;
    const byUdp = [new ScriptedExporter(5, '127.0.0.5'), new ScriptedExporter(9, '127.0.0.9'),
      new ScriptedExporter(10, '127.0.0.10')];
    const byStream = [new ScriptedExporter(10, '127.0.0.11'),
      ...(mine === undefined ? [] : [new ScriptedExporter(10, '127.0.0.12')])];
    const exporters = [...byUdp, ...byStream];
    const openAll = async (collector: CollectorProcess): Promise<void> => {
      for (const exporter of exporters) {
        const kind = byUdp.includes(exporter) ? 'udp' : exporter === byStream[0] ? 'tcp' : 'tls';
        const identity = mine === undefined || theirs === undefined ? undefined
          : { key: theirs.key, cert: theirs.cert, ca: mine.cert };
        await exporter.open({ kind, port: collector.port(kind), identity });
      }
    };
    const closeAll = (): Promise<unknown> => Promise.all(exporters.map((exporter) => exporter.close()));
    t.after(closeAll);
    const expectedFlows = (): number => exporters.reduce((sum, { sentIds }) => sum + sentIds.size, 0);

    // The first run: losses, copies and late ones by UDP.
    let collector = await CollectorProcess.start(t, folder, config);
    await openAll(collector);
    for (const exporter of byUdp) await sendLossy(exporter);
    for (const exporter of byStream) await exporter.sendMany(40, true);
    let status = await collector.until('all came', (each) => total(each) === expectedFlows());
    for (const exporter of byUdp) {
      const { account, duplicates, reordered } = domainOf(status, exporter);
      const units = exporter.unitsOfMessage;
      assert.deepEqual([account.sent, account.decoded, account.lostOnTheWay], [40 * units, 38 * units, 2 * units]);
      assert.deepEqual([duplicates, reordered], [1, 1]);
    }
    for (const exporter of byStream) {
      const { account } = domainOf(status, exporter);
      assert.deepEqual([account.sent, account.decoded], [200, 200]);
    }
    if (theirs !== undefined) assert.deepEqual(status.input.tcp.peers?.map(({ name }) => name), ['router-1']);
    await closeAll();
    await collector.end('SIGTERM');
    assert.deepEqual(storedIds(folder), exporters.flatMap(({ sentIds }) => [...sentIds]).sort((a, b) => a - b));

    // The second: what was sent meanwhile is missed, templates are known, exporters come from other ports.
    for (const exporter of exporters) for (let i = 0; i < 3; i++) exporter.make(false);
    collector = await CollectorProcess.start(t, folder, config);
    await openAll(collector);
    for (const exporter of exporters) await exporter.sendMany(20, !byUdp.includes(exporter));
    status = await collector.until('all came', (each) => total(each) === expectedFlows());
    for (const exporter of exporters) {
      const { account, restarts } = domainOf(status, exporter);
      assert.equal(account.lostWhileStopped, 3 * exporter.unitsOfMessage, exporter.address);
      assert.equal(account.waiting, 0);
      assert.equal(restarts, 0);
      assert.equal(account.sent, exporter.sentUnits);
    }

    // A kill, after the state was saved with all that came: what was in the open file is lost, and told.
    const rowsBefore = expectedFlows();
    const stored = storedIds(folder).length;
    await collector.until('it was saved', ({ state, uptimeMs }) => state.ageMs !== null && uptimeMs > 2_500);
    await sleep(1_200);
    await closeAll();
    await collector.end('SIGKILL');
    collector = await CollectorProcess.start(t, folder, config);
    status = await collector.status();
    assert.equal(status.flows.reduce((sum, { notStored }) => sum + notStored, 0), rowsBefore - stored);
    assert.equal(status.flows.reduce((sum, account) => sum + account.stored, 0), stored);
    assert.equal(status.state.restored, 'restored');
    assert.match(status.sentences.join('\n'), /rows were not stored/);

    // A kill right after messages came: each is decoded, or missed while stopped, and none is lost on the way.
    await openAll(collector);
    const before = new Map(exporters.map((exporter) => [exporter, domainOf(status, exporter).account]));
    for (const exporter of exporters) await exporter.sendMany(10, !byUdp.includes(exporter));
    await sleep(300);
    await collector.end('SIGKILL');
    await closeAll();
    collector = await CollectorProcess.start(t, folder, config);
    await openAll(collector);
    for (const exporter of exporters) await exporter.sendMany(1, !byUdp.includes(exporter));
    status = await collector.until('one of each came', (each) => exporters.every((exporter) =>
      domainOf(each, exporter).account.sent === exporter.sentUnits));
    for (const exporter of exporters) {
      const { account } = domainOf(status, exporter);
      const was = before.get(exporter);
      assert.equal(account.decoded + account.lostWhileStopped - (was?.decoded ?? 0) - (was?.lostWhileStopped ?? 0),
        11 * exporter.unitsOfMessage);
      assert.equal(account.lostOnTheWay, byUdp.includes(exporter) ? 2 * exporter.unitsOfMessage : 0);
    }
    await closeAll();
    await collector.end('SIGTERM');
    collector = await CollectorProcess.start(t, folder, config);
    const { flows } = await collector.status();
    const ids = storedIds(folder);
    assert.equal(flows.reduce((sum, account) => sum + account.stored, 0), ids.length);
    assert.equal(new Set(ids).size, ids.length, 'no row is stored twice');
    assert.ok(flows.every(({ rows, stored: whole, open, notStored }) => rows === whole + open + notStored));
    await collector.end('SIGTERM');
  });

test('strangers are kept out, and who sends too much is limited', { timeout: 60_000 }, async (t) => {
  const folder = makeFolder(t);
  const collector = await CollectorProcess.start(t, folder, `${usual.replace('[input]', `[input]
exporters = ["127.0.0.9", "127.0.0.10"]
rate_limit = 20
rate_burst = 40
fast_path = false`)}[metrics]\nlisten = "127.0.0.1:0"\n`);
  const [greedy, modest, stranger] = [new ScriptedExporter(9, '127.0.0.9'), new ScriptedExporter(10, '127.0.0.10'),
    new ScriptedExporter(5, '127.0.0.5')];
  for (const exporter of [greedy, modest, stranger]) {
    await exporter.open({ kind: 'udp', port: collector.port('udp') });
    t.after(() => exporter.close());
  }
  await Promise.all([greedy.sendMany(400, true), modest.sendMany(30, true), stranger.sendMany(25, true)]);
  const status = await collector.until('all came', ({ input: { senders } }) =>
    senders.taken + senders.limited + senders.foreign === 455);
  assert.equal(status.input.receiver?.kind, 'dgram');
  assert.equal(status.input.senders.foreign, 25);
  assert.deepEqual(status.domains.map(({ exporter }) => exporter).sort(), ['127.0.0.10', '127.0.0.9']);
  const { account } = domainOf(status, greedy);
  assert.equal(account.sent, 400);
  assert.equal(account.lostOnTheWay, 0);
  assert.equal(account.decoded + account.limited, 400);
  assert.ok(account.decoded >= 40 && account.decoded < 200, `${account.decoded}`);
  assert.deepEqual(domainOf(status, modest).account.decoded, 150);
  assert.ok(status.health.some(({ code }) => code === 'limited'));
  assert.match(status.sentences.join('\n'),
    /datagrams were above input\.rate_limit and not decoded, .* of 127\.0\.0\.9\./);
  const health = await fetch(`http://127.0.0.1:${collector.metricsPort}/healthz`);
  assert.equal(health.status, 503);
  const metrics = await (await fetch(`http://127.0.0.1:${collector.metricsPort}/metrics`)).text();
  assert.ok(metrics.includes('natlens_collector_exporter_units{exporter="127.0.0.10",version="10",domain="0",' +
    'part="decoded"} 150'), metrics);
  assert.match(metrics, /natlens_collector_foreign_datagrams_total 25/);
  const shown = runNatlens(['collect', 'status', '--state', 'state'], { cwd: folder });
  assert.match(shown.stdout, /NOT HEALTHY: .*limited/);
  assert.match(shown.stdout, /127\.0\.0\.9 +v9 .* msgs +400 /);
  await collector.end('SIGTERM');
});

test('a folder that cannot be written costs rows, counted, until it can', { timeout: 60_000 }, async (t) => {
  const folder = makeFolder(t);
  const collector = await CollectorProcess.start(t, folder,
    usual.replace('rotate = "1h"', 'rotate = "1s"\ncompression = "zstd"'));
  const exporter = new ScriptedExporter(9, '127.0.0.9');
  await exporter.open({ kind: 'udp', port: collector.port('udp') });
  t.after(() => exporter.close());
  await exporter.sendMany(10, true);
  await collector.until('a file is whole', ({ output }) => (output?.files ?? 0) > 0);
  renameSync(join(folder, 'flows'), join(folder, 'away'));
  writeFileSync(join(folder, 'flows'), 'in the way');
  await exporter.sendMany(10, false);
  const failing = await collector.until('it fails', ({ output }) => output?.isFailing === true);
  assert.ok(failing.health.some(({ code }) => code === 'output-failing'));
  assert.match(failing.sentences[0] ?? '', /Rows cannot be written/);
  rmSync(join(folder, 'flows'));
  renameSync(join(folder, 'away'), join(folder, 'flows'));
  await exporter.sendMany(10, false);
  const mended = await collector.until('it works', ({ output, flows }) => output?.isFailing === false &&
    flows.every(({ open }) => open === 0));
  await collector.end('SIGTERM');
  const [account] = mended.flows;
  assert.equal(account?.rows, 150);
  assert.equal(storedIds(folder).length, account.stored);
  assert.ok(collector.lines.some(({ event }) => event === 'output-failing'));
  assert.ok(collector.lines.some(({ event }) => event === 'output-works'));
});

test('a tee, and a detector in the same process', { timeout: 60_000 }, async (t) => {
  const folder = makeFolder(t);
  const other = join(folder, 'other');
  mkdirSync(other);
  const second = await CollectorProcess.start(t, other, usual);
  mkdirSync(join(folder, 'edge'));
  const detectorConfig = layOutDetector(join(folder, 'edge'));
  const collector = await CollectorProcess.start(t, folder, `${usual}[forward]
to = ["127.0.0.1:${second.port('udp')}"]
[detector]
config = ${JSON.stringify(detectorConfig)}
`);
  const exporter = new ScriptedExporter(9, '127.0.0.9');
  await exporter.open({ kind: 'udp', port: collector.port('udp') });
  t.after(() => exporter.close());
  await exporter.sendMany(20, true);
  const status = await collector.until('all came', (each) => total(each) === 100);
  assert.equal(status.forward[0]?.datagrams, 20);
  assert.ok(status.detector?.stateFolder.endsWith('state'));
  // The tee is another sender there.
  const copied = await second.until('all came by the tee', (each) => total(each) === 100);
  assert.deepEqual(copied.domains.map(({ exporter: from }) => from), ['127.0.0.1']);
  const asked = runNatlens(['detect', 'status', '--config', detectorConfig, '--json'], { cwd: folder });
  const { input: { intake } } = JSON.parse(asked.stdout) as DetectorStatus;
  assert.deepEqual([intake.exports.datagrams, intake.exports.flows], [20, 100]);
  await collector.end('SIGTERM');
  await second.end('SIGTERM');
  assert.equal(storedIds(folder).length, 100);
  assert.equal(storedIds(other).length, 100);
});

test('--check explains, faults are told at once, and two collectors do not share a state', { timeout: 60_000 },
  async (t) => {
    const folder = makeFolder(t);
    const run = (...args: string[]): ReturnType<typeof runNatlens> => runNatlens(['collect', ...args], { cwd: folder });
    const checked = run('--check', '--out', 'flows', '--listen', 'udp://127.0.0.1:0', '--rate-limit', '10');
    assert.equal(checked.status, 0, checked.stderr);
    assert.match(checked.stdout, /the config is sound/);
    assert.ok(!existsSync(join(folder, 'flows')), 'nothing is made');
    const faulty = run('--check', '--rate-limit', 'many', '--rotate', '5');
    assert.equal(faulty.status, 2);
    assert.match(faulty.stderr, /--rate-limit is a whole number[^\n]*\n[^]*output\.folder is missing|--rotate/);
    const silent = run('status');
    assert.equal(silent.status, 2);
    assert.match(silent.stderr, /No collector runs on .*collector-state/);
    const collector = await CollectorProcess.start(t, folder, usual);
    const second = runNatlens(['collect', 'collector.toml'], { cwd: folder });
    assert.equal(second.status, 2);
    assert.match(second.stderr, /Another collector runs on this state/);
    const taken = run('--listen', `tcp://127.0.0.1:${collector.port('tcp')}`, '--state', 'other', '--out', 'theirs',
      '--forward', '127.0.0.1:9');
    assert.deepEqual([taken.status, taken.signal], [3, null]);
    assert.match(taken.stderr, /Cannot listen at 127\.0\.0\.1:\d+ \(tcp\): another program has the port/);
    const shown = run('status', '--config', 'collector.toml');
    assert.equal(shown.status, 0, shown.stderr);
    assert.match(shown.stdout, /no exporter has been heard/);
    const told = JSON.parse(run('status', '--state', 'state', '--json').stdout) as CollectorStatus;
    assert.deepEqual(told.domains, []);
    assert.equal(told.health.length, told.input.sockets.some(({ receiveBufferBytes, askedBytes }) =>
      (receiveBufferBytes ?? 0) < (askedBytes ?? 0)) ? 1 : 0);
    await collector.end('SIGTERM');
  });
