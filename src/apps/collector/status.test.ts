/** What an operator sees of a status: the table, the sentences, health with its memory, and metrics. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { limits } from '#base';
import { CollectorMetrics, metricDefinitions } from './collector-metrics.ts';
import { describeTroubles, formatShare, formatTime } from './describe-troubles.ts';
import { formatCollectorStatus } from './format-status.ts';
import { HealthJudge, rememberedMs, silentAfterMs } from './judge-health.ts';
import { Rates } from './rates.ts';
import { sampleDomain, sampleNowMs, sampleStatus, type DomainChanges } from './status-sample.ts';
import type { CollectorStatus, HealthCode } from './status.ts';

const withDomains = (...changes: readonly DomainChanges[]): CollectorStatus =>
  ({ ...sampleStatus, domains: changes.map(sampleDomain) });
const troublesOf = (status: CollectorStatus): string => describeTroubles(status).join('\n');

test('the table has a line for each exporter, the largest first, and no column in which nothing is', () => {
  const text = formatCollectorStatus(sampleStatus);
  const lines = text.split('\n');
  const heading = lines.find((line) => line.includes('= decoded')) ?? '';
  assert.match(heading, /exporter +proto +domain +heard +per s +unit +sent +\+? *= decoded +\+ way +loss +flows/);
  for (const absent of ['+ kernel', '+ stopped', '+ limited', '+ bad', '+ waiting', 'not stored  ']) {
    assert.ok(!heading.includes(absent), absent);
  }
  const at = (start: string): number => lines.findIndex((line) => line.trimStart().startsWith(start));
  assert.ok(at('2001:db8::9') > 0 && at('2001:db8::9') < at('192.0.2.7'), text);
  assert.match(lines[at('2001:db8::9')] ?? '', /IPFIX +3 +now +1,020 +recs +2,000,000 +1,999,200 +800 +0\.04 % +1,999,200/);
  assert.match(text, /^Collector, natlens 0\.1\.0 on Node v24\.0\.0, up 3 d, 212\.0 MB resident/);
  assert.match(text, /\nhealthy\n/);
  assert.match(text, /udp:\/\/0\.0\.0\.0:2055 \(buffer 33\.6 MB\), tls:\/\/\[::\]:4740/);
  assert.match(text, /rows: 2,037,200 = 2,036,200 stored \+ 1,000 in the open file \+ 0 not stored; 12 files/);
  assert.match(text, /forwarded to 192\.0\.2\.99:2055: 301/);
});

test('what stands out is at the end of a line; a part that is there has its column', () => {
  const text = formatCollectorStatus({
    ...withDomains({
      samplingInterval: 100, restarts: 2, duplicates: 3, account: {
        sent: 1_010, lostInKernel: 1, lostWhileStopped: 2, limited: 3, waiting: 3, undecodable: { 'cut-set': 1 },
        exportClockSkewMs: 200_000, clockWarnings: { skewed: true, wrapped: 1 },
      },
    }),
    flows: [{ exporter: '192.0.2.7', domain: 0, rows: 38_000, stored: 0, open: 0, notStored: 38_000 }],
  });
  for (const expected of ['+ kernel', '+ stopped', '+ limited', '+ bad', '+ waiting', 'not stored',
    '1:100, CLOCK +3 min 20 s, uptime wrapped, 2 restarts, 3 copies']) assert.ok(text.includes(expected), expected);
  const empty = formatCollectorStatus({ ...sampleStatus, domains: [], output: null, forward: [] });
  assert.match(empty, /no exporter has been heard/);
});

test('a long table is cut, and says how long it is', () => {
  const many = Array.from({ length: 300 }, (_, i) => ({ exporter: `10.0.0.${i}`, account: { sent: i } }));
  const text = formatCollectorStatus(withDomains(...many));
  assert.match(text, /… and 260 more/);
  assert.ok(text.split('\n').length < 60);
});

test('a sentence says what waits, of whom and since when', () => {
  const sinceMs = Date.UTC(2026, 0, 5, 14, 2);
  const waitingFor = [{ templateId: 257, sinceMs, sets: 12, bytes: 16_800 }];
  assert.match(troublesOf(withDomains({ account: { waiting: 12, waitingFor } })),
    /^Waiting for template 257 of 192\.0\.2\.7 \(v9\) since 14:02 UTC; 12 messages kept \(16\.8 kB, some 456 records\) for at most 5 min 0 s\.$/m);
  const older = [{ templateId: 300, sinceMs: sinceMs - 86_400_000, sets: 1, bytes: 50 }, ...waitingFor];
  assert.match(troublesOf(withDomains({ version: 10, unit: 'records', domain: 7, account: { waitingFor: older } })),
    /template 300 of 192\.0\.2\.7 \(IPFIX, domain 7\) since 2026-01-04 14:02 UTC, and for 1 more; 1 set kept \(16\.9 kB\)/);
});

test('each kind of loss has its sentence, with what to do', () => {
  const text = troublesOf({
    ...withDomains(
      { account: { sent: 1_000, lostOnTheWay: 1, lostInKernel: 20, lostWhileStopped: 300 } },
      { exporter: '192.0.2.8', unit: 'records', version: 10,
        account: { undecodable: { 'cut-set': 3, 'no-template': 4 } } },
      { exporter: '192.0.2.9',
        account: { exportClockSkewMs: -7_200_000, clockWarnings: { skewed: true, wrapped: 2 } } },
    ),
    input: {
      ...sampleStatus.input, fallBackReason: 'The C library cannot be called.',
      sockets: [{ transport: 'udp', address: '0.0.0.0', port: 2055, receiveBufferBytes: 212_992,
        askedBytes: 33_554_432 }],
      senders: { ...sampleStatus.input.senders, limited: 90, foreign: 5,
        limitedMost: [{ address: '192.0.2.66', datagrams: 500, limitedDatagrams: 80, lastMs: 0 }] },
    },
    exports: { ...sampleStatus.exports, rejected: { ...sampleStatus.exports.rejected, 'exporter-limit': 70 } },
    output: { ...sampleStatus.output as NonNullable<CollectorStatus['output']>, isFailing: true,
      lastError: 'ENOSPC: no space left on device', leftOver: ['flows-20260105T140000Z.parquet.broken'] },
    flows: [{ exporter: '192.0.2.7', domain: 0, rows: 10, stored: 0, open: 0, notStored: 10 }],
    state: { ...sampleStatus.state, fault: 'ENOSPC', restored: 'refused' }, pairingLostByKill: 6,
    forward: [{ to: '192.0.2.99:2055', datagrams: 0, bytes: 0, dropped: 1, tooLarge: 2, failed: 3,
      lastError: 'EPERM' }],
  });
  for (const expected of [
    /^Rows cannot be written to .*ENOSPC: no space left on device/, /^10 rows were not stored/m,
    /flows-20260105T140000Z\.parquet\.broken in the output folder cannot be read/, /^6 one-way records/m,
    /^20 messages of 192\.0\.2\.7 \(v9\): dropped on this host, which was behind\./m,
    /^1 message of 192\.0\.2\.7 \(v9\): lost on the way \(0\.10 % of what it sent\)/m,
    /^300 messages of 192\.0\.2\.7 \(v9\): missed while no collector ran\./m,
    /^7 records of 192\.0\.2\.8 \(IPFIX\): not decoded, most because no template came for them in time\./m,
    /^The clock of 192\.0\.2\.9 \(v9\) is 2 h behind/m,
    /^The uptime of 192\.0\.2\.9 \(v9\) began anew 2 times/m,
    /a receive buffer of 213\.0 kB instead of 33\.6 MB.*net\.core\.rmem_max=33554432/,
    /^The C library cannot be called\.$/m,
    /^90 datagrams were above input\.rate_limit and not decoded, 80 of them of 192\.0\.2\.66\./m,
    /^6 messages were not forwarded to 192\.0\.2\.99:2055 \(EPERM\)\./m,
    /^70 messages came of exporters beyond the 4,096/m,
    /^5 datagrams came from addresses that are not among/m, /^The state cannot be saved \(ENOSPC\)/m,
    /^The state of the run before could not be used/m,
  ]) assert.match(text, expected);
  assert.equal(troublesOf({ ...sampleStatus, domains: [sampleDomain()] }), '', 'and nothing when all is well');
});

test('of many exporters with the same trouble the worst are told, and how many more there are', () => {
  const text = troublesOf(withDomains(...Array.from({ length: 20 }, (_, i) =>
    ({ exporter: `10.0.0.${i}`, account: { lostInKernel: i } }))));
  assert.equal(text.split('\n').length, 6);
  assert.match(text, /^19 messages of 10\.0\.0\.19/);
  assert.match(text, /The same of 14 more exporters\.$/);
});

test('shares are never 0 of something; times say the day when it is another one', () => {
  assert.deepEqual([0, 0.00001, 0.0004, 0.5].map(formatShare), ['0 %', '<0.01 %', '0.04 %', '50.0 %']);
  assert.equal(formatTime(sampleNowMs - 60_000, sampleNowMs), '14:19 UTC');
  assert.equal(formatTime(NaN, sampleNowMs), 'an unknown time');
});

/** Reasons after a look at each of some statuses, ten seconds apart. */
function judgeAll(...statuses: readonly Partial<CollectorStatus>[]): HealthCode[] {
  const judge = new HealthJudge();
  let codes: HealthCode[] = [];
  statuses.forEach((more, i) => {
    const nowMs = sampleNowMs + i * 10_000;
    codes = judge.judge({ ...sampleStatus, domains: [sampleDomain()], nowMs, lastTakenMs: nowMs,
      input: { ...sampleStatus.input, receiver: null }, ...more }).map(({ code }) => code);
  });
  return codes;
}

test('health: nothing is wrong, or each thing by its reason', () => {
  assert.deepEqual(judgeAll({}), []);
  const { input, output, state, exports, forward } = sampleStatus;
  const cases: readonly (readonly [HealthCode, Partial<CollectorStatus>])[] = [
    ['host-loss', { input }],
    ['way-loss', { domains: [sampleDomain({ account: { lostOnTheWay: 1 } })] }],
    ['receive-buffer', { input: { ...input, receiver: null, sockets: [{ transport: 'udp', address: '::', port: 1,
      receiveBufferBytes: 1, askedBytes: 2 }] } }],
    ['template-missing', { exports: { ...exports, rejected: { ...exports.rejected, 'no-template': 1 } } }],
    ['limited', { input: { ...input, receiver: null, senders: { ...input.senders, limited: 1 } } }],
    ['exporters-full', { exports: { ...exports, rejected: { ...exports.rejected, 'exporter-limit': 1 } } }],
    ['clock-skewed', { domains: [sampleDomain({ account: { clockWarnings: { skewed: true, wrapped: 0 } } })] }],
    ['output-failing', { output: { ...output as NonNullable<typeof output>, isFailing: true } }],
    ['state-unwritable', { state: { ...state, fault: 'ENOSPC' } }],
    ['forward-failing', { forward: [{ ...forward[0] as (typeof forward)[number], failed: 1 }] }],
  ];
  for (const [code, more] of cases) assert.deepEqual(judgeAll(more), [code]);
});

test('health: silence, and losses that are remembered for a while and no longer', () => {
  const judge = new HealthJudge();
  const lost = { ...sampleStatus, domains: [sampleDomain({ account: { lostOnTheWay: 1 } })],
    input: { ...sampleStatus.input, receiver: null } };
  const codesAt = (afterMs: number): HealthCode[] => judge.judge({ ...lost, nowMs: sampleNowMs + afterMs,
    lastTakenMs: sampleNowMs }).map(({ code }) => code);
  assert.deepEqual(codesAt(0), ['way-loss']);
  assert.deepEqual(codesAt(rememberedMs), ['way-loss']);
  assert.deepEqual(codesAt(rememberedMs + 1), ['input-silent']);
  const startedMs = sampleNowMs - silentAfterMs - 1;
  assert.deepEqual(new HealthJudge().judge({ ...lost, domains: [], startedMs, lastTakenMs: undefined })
    .map(({ code }) => code), ['input-silent']);
});

/** Samples of an exposition: name with labels → value. */
function readSamples(text: string): Map<string, number> {
  return new Map(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
    const space = line.lastIndexOf(' ');
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

test('metrics are what the status says; the parts of an exporter sum to what it sent', async () => {
  const samples = readSamples(await new CollectorMetrics().format(sampleStatus));
  const expected: Record<string, number> = {
    natlens_collector_datagrams_total: 101, natlens_collector_kernel_drops_total: 103,
    natlens_collector_ring_drops_total: 104, natlens_collector_tcp_messages_total: 107,
    'natlens_collector_tcp_connections_ended_total{reason="untrusted"}': 1, natlens_collector_healthy: 1,
    'natlens_collector_rows{fate="stored"}': 2_036_200, 'natlens_collector_rows{fate="open"}': 1_000,
    natlens_collector_files_total: 12, natlens_collector_receive_buffer_bytes: 33_554_432,
    'natlens_collector_forwarded_total{to="192.0.2.99:2055"}': 301, natlens_collector_domains: 2,
    natlens_collector_state_age_seconds: 12,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(samples.get(name), value, name);
  const parts = [...samples].filter(([name]) => name.startsWith('natlens_collector_exporter_units{') &&
    name.includes('2001:db8::9'));
  assert.equal(parts.length, 7);
  assert.equal(parts.reduce((sum, [, value]) => sum + value, 0), 2_000_000);
});

test('labels are bounded: of more exporters those that sent most have metrics', async () => {
  const many = Array.from({ length: limits.collectorMetricDomainsMax + 50 }, (_, i) =>
    sampleDomain({ exporter: `e${i}`, account: { sent: i, decoded: i } }));
  const text = await new CollectorMetrics().format({ ...sampleStatus, domains: many });
  const listed = new Set([...text.matchAll(/exporter_flows_total\{exporter="(e\d+)"/g)].map(([, name]) => name));
  assert.equal(listed.size, limits.collectorMetricDomainsMax);
  assert.ok(!listed.has('e49') && listed.has('e50'));
});

test('the page of the command has every metric with its meaning, and every reason of health', () => {
  const page = readFileSync(new URL('../../../docs/commands/collect.md', import.meta.url), 'utf8');
  for (const { name, labels, help } of metricDefinitions) {
    const row = `| \`${name}\` | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
    assert.ok(page.includes(row), row);
  }
  const rows = [...page.matchAll(/^\| `(natlens_collector_\w+)`/gm)].map(([, name]) => name);
  assert.deepEqual(rows.length, metricDefinitions.length);
  const source = readFileSync(new URL('status.ts', import.meta.url), 'utf8');
  const codes = [...(/export type HealthCode =([^;]*);/.exec(source)?.[1] ?? '').matchAll(/'([a-z-]+)'/g)];
  assert.ok(codes.length > 9);
  for (const [, code] of codes) assert.ok(page.includes(`| \`${code}\` |`), code);
});

test('a rate rests on ten seconds, of a domain that is new on what it sent since', () => {
  const rates = new Rates();
  assert.ok(rates.isDue(0));
  rates.sample(0, new Map([['a', 100]]));
  assert.equal(rates.rateOf('a'), null);
  assert.ok(!rates.isDue(9_999) && rates.isDue(10_000));
  rates.sample(10_000, new Map([['a', 200], ['b', 50]]));
  assert.deepEqual([rates.rateOf('a'), rates.rateOf('b'), rates.rateOf('c')], [10, 5, 0]);
  assert.ok(rates.isDue(5_000), 'a clock that was set back');
});
