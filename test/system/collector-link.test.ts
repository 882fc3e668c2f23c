/**
 * The collector's accounts over a link that loses, delays, copies and reorders, held against what captures of both ends
 * saw: softflowd, pmacctd, fprobe, `natlens export` and made exporters, NetFlow v5, v9 and IPFIX, restarts of either
 * side, templates that change under their ids, source ports that change. Exact, not close.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mappedWord } from '#base';
import type { CollectorStatus } from '#collector';
import { ExportDecoder, type DomainCounts } from '#flow';
import type { DomainTruth } from '../support/link-truth.ts';
import { deedOf, exportPort, LinkScenario, whyNoExporters, type LinkTruth } from './link-scenario.ts';
import { whyNoNamespaces } from './real-nat.ts';
import { RunningCollector, whereabouts } from './running-collector.ts';
import { missing } from './shared-data.ts';

const skip = missing({ programs: ['ip', 'nft', '/usr/bin/python3'] }) || whyNoExporters() || whyNoNamespaces();
const folder = mkdtempSync(join(tmpdir(), 'natlens-link-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const nameOf = ({ exporter, version, domain }: Pick<DomainTruth, 'exporter' | 'version' | 'domain'>): string =>
  `${exporter} v${version} domain ${domain}`;

function findOwn(counts: readonly DomainCounts[], domain: DomainTruth): DomainCounts {
  const own = counts.find((each) => nameOf(each) === nameOf(domain));
  assert.ok(own !== undefined, nameOf(domain));
  return own;
}

/** All whereabouts and counts are as they must be. */
function assertSame(counts: readonly DomainCounts[], domains: readonly DomainTruth[]): void {
  const told = domains.map((domain) => {
    const own = findOwn(counts, domain);
    const { copies, emptyCopies } = domain;
    const isRight = own.duplicates <= copies && own.duplicates >= copies - emptyCopies;
    return [nameOf(domain),
      { ...whereabouts(own), copies: isRight ? copies : own.duplicates, flows: own.account.flows }];
  });
  assert.deepEqual(told, domains.map((domain) => {
    const { sent, came, lostOnTheWay, lostWhileStopped, copies, flows } = domain;
    return [nameOf(domain), { sent, came, lostInKernel: 0, lostOnTheWay, lostWhileStopped, copies, flows }];
  }));
}

/** The decoder alone on what arrived, as a collector that is never away would give it. */
function decodeArrivals({ arrived, silences }: LinkTruth): readonly DomainCounts[] {
  let decoder = new ExportDecoder({ duplicateMemoryBytes: 4 << 20 }, () => undefined);
  let restarts = 0;
  for (const { bytes, exporter, timeMs } of arrived) {
    if (silences.some(({ fromMs, untilMs }) => timeMs >= fromMs && timeMs < untilMs)) continue;
    const over = silences.filter(({ untilMs }) => untilMs <= timeMs).length;
    if (over > restarts) {
      decoder.flush();
      const state = decoder.snapshot();
      decoder = new ExportDecoder({ duplicateMemoryBytes: 4 << 20 }, () => undefined);
      assert.equal(decoder.restore(state), undefined);
      restarts = over;
    }
    const word = Buffer.from(exporter.split('.').map(Number)).readUInt32BE(0);
    decoder.decode({ bytes, exporter: [0, 0, mappedWord, word], receivedMs: timeMs });
  }
  decoder.flush();
  return decoder.counts().exporters;
}

/** What the test is worth: that enough of everything happened. */
function assertEventful(domains: readonly DomainTruth[]): void {
  const sumOf = (name: 'copies' | 'late' | 'lostOnTheWay' | 'lostWhileStopped'): number =>
    domains.reduce((sum, domain) => sum + domain[name], 0);
  for (const name of ['copies', 'late', 'lostOnTheWay', 'lostWhileStopped'] as const) {
    assert.ok(sumOf(name) > 50, `${name}: ${sumOf(name)}`);
  }
  for (const version of [5, 9, 10]) {
    const own = domains.filter((domain) => domain.version === version);
    assert.ok(own.length >= 4 && own.filter(({ runs }) => runs > 1).length >= 2, `version ${version}`);
    assert.ok(own.some(({ ports }) => ports >= 10), `version ${version}: ports`);
    assert.ok(own.some((domain) => deedOf(domain) === 'stopped' && domain.lostWhileStopped > 0), `version ${version}`);
    assert.ok(own.some((domain) => deedOf(domain) === 'killed' && domain.lostWhileStopped > 0), `version ${version}`);
  }
}

test('sent = stored + kernel + way + stopped + undecodable + waiting, exactly', { skip, timeout: 300_000 },
  async (context) => {
    const scenario = new LinkScenario(folder);
    const collector = new RunningCollector(folder, `[input]\nlisten = ["udp://0.0.0.0:${exportPort}"]`,
      (words, environment) => scenario.network.start('collector', words, environment));
    let passed = 0;
    context.after(async () => {
      for (const line of passed === 3 ? [] : collector.lines.slice(-40)) context.diagnostic(line);
      await scenario.close();
    });
    await scenario.open(20_260);
    await collector.start();
    await scenario.runMade();
    await scenario.runAll(0);
    await scenario.runAll(1);
    const start = (): Promise<void> => collector.start();
    await scenario.runDuring('stopped', () => scenario.silence({ quietMs: 400, awayMs: 1_500, start,
      end: async () => assert.equal(await collector.end('SIGTERM'), 0) }));
    // Its state is saved by then, though the file that it writes is not whole.
    await scenario.runDuring('killed', () => scenario.silence({ quietMs: 2_200, awayMs: 1_500, start,
      end: () => collector.end('SIGKILL') }));
    // What it had not saved it cannot know of: the exporters' first messages are in its state.
    const known = collector.status().domains.length + 3;
    await scenario.runDuring('crashed', () => scenario.silence({ quietMs: 0, awayMs: 800, start,
      end: () => collector.end('SIGKILL') }), () => collector.untilSaved(known));
    const told = await collector.untilIdle();
    const drops = [...scenario.network.socketDrops().values()].reduce((sum, count) => sum + count, 0);
    const truth = await scenario.end();
    context.diagnostic(JSON.stringify(truth.domains.map((domain) => [nameOf(domain), domain])));
    assertEventful(truth.domains);
    assert.equal(drops, 0, 'what the kernel drops is another test');

    await context.test('the decoder\'s, on what arrived', () => {
      const counts = decodeArrivals(truth);
      assertSame(counts, truth.domains.filter((domain) => deedOf(domain) !== 'crashed'));
      passed++;
    });

    await context.test('the collector\'s, as status tells them', () => {
      assertSame(told.domains, truth.domains.filter((domain) => deedOf(domain) !== 'crashed'));
      for (const domain of truth.domains.filter((each) => deedOf(each) === 'crashed')) {
        assertCrashed(findOwn(told.domains, domain), domain);
      }
      assert.equal(told.domains.length, truth.domains.length);
      assertTable(collector.tell(), truth.domains);
      passed++;
    });

    await context.test('rows in whole files are those that status calls stored; what is missing is named', async () => {
      assert.equal(await collector.end('SIGTERM'), 0);
      const rows = collector.storedRows();
      await collector.start();
      const { flows } = collector.status();
      assert.ok(flows.length > 10);
      for (const account of flows) {
        assert.equal(account.open, 0);
        assert.equal(rows.get(`${account.exporter} ${account.domain}`) ?? 0, account.stored, JSON.stringify(account));
      }
      assertRows(flows, truth.domains);
      assert.equal(await collector.end('SIGTERM'), 0);
      passed++;
    });
  });

/**
 * Killed in the middle of its work, it knows what it had saved: what came after that is lost for good, and is told as
 * lost while it was away. How much that is, nobody can know; all that was sent is known.
 */
function assertCrashed(own: DomainCounts, domain: DomainTruth): void {
  const { sent, came, lostOnTheWay, lostWhileStopped, lostInKernel } = whereabouts(own);
  assert.equal(sent, domain.sent, `${nameOf(domain)}: ${JSON.stringify(own)}`);
  assert.equal(lostInKernel, 0);
  assert.ok(came <= domain.came && came > domain.came / 2, `${nameOf(domain)}: ${came} of ${domain.came} came`);
  assert.ok(lostOnTheWay <= domain.lostOnTheWay && lostWhileStopped >= domain.lostWhileStopped, nameOf(domain));
}

/** An operator's table has a line for each domain, with what was sent and what was lost. */
function assertTable(table: string, domains: readonly DomainTruth[]): void {
  const lines = table.split('\n');
  for (const { exporter, sent } of domains) {
    const digits = (line: string): string => line.replaceAll(/(?<=\d)[,. ](?=\d{3}\b)/g, '');
    assert.ok(lines.some((line) => line.includes(exporter) && digits(line).includes(String(sent))),
      `${exporter}, ${sent} is not in\n${table}`);
  }
}

/** Rows are stored, or are in a file that a kill left unfinished, or came between the state's saving and a kill. */
function assertRows(flows: CollectorStatus['flows'], domains: readonly DomainTruth[]): void {
  let stored = 0;
  for (const domain of domains) {
    const account = flows.find(({ exporter, domain: id }) => exporter === domain.exporter && id === domain.domain);
    assert.ok(account !== undefined, nameOf(domain));
    const rows = account.stored + account.notStored;
    if (deedOf(domain) === 'crashed') assert.ok(rows <= domain.flows, `${nameOf(domain)}: ${JSON.stringify(account)}`);
    else assert.equal(rows, domain.flows, nameOf(domain));
    if (['nothing', 'stopped'].includes(deedOf(domain))) assert.equal(account.notStored, 0, nameOf(domain));
    stored += account.stored;
  }
  assert.ok(stored > 10_000, `${stored} rows`);
}
