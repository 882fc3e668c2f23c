/** The health endpoint over loopback, the metrics in it, and the status as people see it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { EnvironmentError } from '#base';
import { formatStatus } from './format-status.ts';
import { HealthMetrics, metricDefinitions } from './health-metrics.ts';
import { HealthServer, type HealthServerOptions } from '#service';
import { sampleAddress, sampleStatus } from './status-sample.ts';
import { describeIntake, type DetectorStatus } from './status.ts';
import { Pseudonyms } from './pseudonyms.ts';

async function open(
  t: TestContext, status: () => DetectorStatus = () => sampleStatus, options: Partial<HealthServerOptions> = {},
): Promise<{ url: string; port: number; bugs: unknown[] }> {
  const bugs: unknown[] = [];
  const server = new HealthServer({ address: '127.0.0.1', port: 0, ...options },
    { status, loadMetrics: () => Promise.resolve(new HealthMetrics()), onBug: (thrown) => bugs.push(thrown) });
  await server.start();
  t.after(() => server.stop());
  return { url: `http://127.0.0.1:${server.port}`, port: server.port, bugs };
}

/** Samples of an exposition: name with labels → value. */
function readSamples(text: string): Map<string, number> {
  return new Map(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
    const space = line.lastIndexOf(' ');
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

test('metrics are what the status says, by reason', async (t) => {
  const { url } = await open(t);
  const answer = await fetch(`${url}/metrics`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const samples = readSamples(await answer.text());
  const expected: Record<string, number> = {
    'natlens_info{name="cabinet-7",version="0.1.0",node="v24.0.0"}': 1,
    natlens_uptime_seconds: 277_200, natlens_dry_run: 1, natlens_healthy: 0,
    'natlens_unhealthy{reason="classifier-refused"}': 1,
    natlens_udp_datagrams_total: 1_001, natlens_udp_kernel_drops_total: 1_005,
    natlens_udp_foreign_datagrams_total: 1_003, natlens_udp_receive_buffer_bytes: 212_992,
    'natlens_tcp_connections_ended_total{reason="broken"}': 1,
    'natlens_export_rejected_total{reason="cut-set"}': 6, 'natlens_export_rejected_total{reason="duplicate"}': 0,
    'natlens_exporter_lost_units{exporter="e-0123456789ab",version="9",domain="3"}': 17,
    natlens_flows_total: 1_100, 'natlens_flows_of_no_home_total{reason="unlisted"}': 10,
    natlens_pairing_ended_early_total: 3, 'natlens_classifiers_refused{reason="artifact-damaged"}': 1,
    'natlens_verdicts{state="not yet"}': 9, 'natlens_withheld{reason="dry-run"}': 3,
    natlens_cpu_seconds_total: 33.25, natlens_checkpoint_age_seconds: 12,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(samples.get(name), value, name);
});

test('metrics follow the status: what is not known is absent, what is gone goes, and scraping twice counts once',
  async () => {
    const metrics = new HealthMetrics();
    const first = await metrics.format(sampleStatus);
    assert.equal(await metrics.format(sampleStatus), first);
    const { input, flows } = sampleStatus;
    const later: DetectorStatus = {
      ...sampleStatus, health: [], checkpointAgeMs: null, flows: { ...flows, lastMs: null },
      input: { ...input, exporters: [], udp: { ...input.udp, kernelDrops: undefined, datagrams: 2_000, sockets: [] } },
    };
    const samples = readSamples(await metrics.format(later));
    for (const name of ['natlens_checkpoint_age_seconds', 'natlens_flow_age_seconds', 'natlens_udp_kernel_drops_total',
      'natlens_udp_receive_buffer_bytes']) assert.equal(samples.has(name), false, name);
    assert.equal([...samples.keys()].some((name) => name.includes('e-0123456789ab')), false);
    assert.equal([...samples.keys()].some((name) => name.startsWith('natlens_unhealthy')), false);
    assert.equal(samples.get('natlens_udp_datagrams_total'), 2_000);
    assert.equal(await metrics.format(sampleStatus), first);
  });

test('metrics name no device model, no address and no file: one home must not be read from them', async () => {
  const text = await new HealthMetrics().format(sampleStatus);
  for (const secret of [sampleAddress, 'D_Link', 'webcam', 'camera.nlc', 'old.nlc', 'abababab']) {
    assert.equal(text.includes(secret), false, secret);
  }
});

test('names are as Prometheus wants them: counters end in _total, gauges do not, none twice', () => {
  const names = metricDefinitions.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, kind } of metricDefinitions) {
    assert.match(name, /^natlens_[a-z][a-z0-9_]*$/);
    assert.equal(name.endsWith('_total'), kind === 'counter', name);
  }
});

test('every metric is on the page, with its labels and its meaning', () => {
  const page = readFileSync(new URL('../../../docs/commands/detect.md', import.meta.url), 'utf8');
  for (const { name, labels, help } of metricDefinitions) {
    const row = `| \`${name}\` | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
    assert.ok(page.includes(row), row);
  }
  for (const [name] of page.matchAll(/^\| `natlens_\w+`/gm)) {
    assert.ok(metricDefinitions.some((metric) => name === `| \`${metric.name}\``), name);
  }
});

test('/healthz says ok or what is wrong', async (t) => {
  let { health } = sampleStatus;
  const { url } = await open(t, () => ({ ...sampleStatus, health }));
  const degraded = await fetch(`${url}/healthz?verbose`);
  assert.deepEqual([degraded.status, await degraded.json()],
    [503, { status: 'degraded', reasons: sampleStatus.health }]);
  health = [];
  const ok = await fetch(`${url}/healthz`);
  assert.deepEqual([ok.status, await ok.json()], [200, { status: 'ok', reasons: [] }]);
});

test('other paths, other methods and bugs', async (t) => {
  let isBroken = false;
  const { url, bugs } = await open(t, () => {
    if (isBroken) throw new Error('no status');
    return sampleStatus;
  });
  assert.equal((await fetch(`${url}/`)).status, 404);
  const posted = await fetch(`${url}/metrics`, { method: 'POST', body: 'x'.repeat(100_000) });
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD']);
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  isBroken = true;
  const broken = await fetch(`${url}/metrics`);
  assert.equal(broken.status, 500);
  assert.equal((await broken.text()).includes('no status'), false);
  assert.equal(bugs.length, 1);
});

test('who connects and says nothing is cut off, and at most so many connect', async (t) => {
  const { port, url } = await open(t, undefined, { requestMs: 100, connectionsMax: 2 });
  const silent = [0, 1].map(() => connect(port, '127.0.0.1'));
  for (const socket of silent) socket.on('error', () => undefined);
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  const third = connect(port, '127.0.0.1');
  third.on('error', () => undefined);
  await once(third, 'close');
  await Promise.all(silent.map((socket) => {
    socket.resume();
    return once(socket, 'close');
  }));
  assert.equal((await fetch(`${url}/healthz`)).status, 503);
});

test('a port in use: one sentence that says what to change', async (t) => {
  const { port } = await open(t);
  const second = new HealthServer({ address: '127.0.0.1', port },
    { status: () => sampleStatus, loadMetrics: () => Promise.resolve(new HealthMetrics()) });
  await assert.rejects(second.start(), (error: Error) => error instanceof EnvironmentError &&
    error.message.startsWith(`Cannot listen at 127.0.0.1:${port} (tcp): another program has the port`));
  await second.stop();
});

test('exporters go by pseudonyms that only the key makes', () => {
  const { input } = sampleStatus;
  const counts = { ...input.intake, exports: { ...input.intake.exports,
    exporters: [{ ...input.exporters[0], exporter: sampleAddress }] } };
  const names = new Pseudonyms(new Uint8Array(32).fill(7));
  const { exporters, intake } = describeIntake(counts as never, (address) => names.ofExporter(address));
  assert.match(exporters[0]?.exporter ?? '', /^e-[0-9a-f]{12}$/);
  assert.equal(exporters[0]?.exporter, names.ofExporter(sampleAddress));
  assert.notEqual(exporters[0]?.exporter, new Pseudonyms(new Uint8Array(32).fill(8)).ofExporter(sampleAddress));
  assert.notEqual(names.ofHome(sampleAddress).slice(2), names.ofExporter(sampleAddress).slice(2));
  assert.equal('exporters' in intake.exports, false);
});

test('the status as people see it', () => {
  const text = formatStatus(sampleStatus);
  for (const part of ['DRY RUN', 'NOT HEALTHY', 'classifier-refused: One classifier', '0.0.0.0:2055, [::]:2055',
    'rejected 6 cut-set', sampleAddress, 'e-0123456789ab', '17 packets', 'REFUSED old.nlc (artifact-damaged)',
    '2 present', '3 dry-run', '3 days 5 h', 'steps of the clock: 1']) {
    assert.ok(text.includes(part), `${part} in\n${text}`);
  }
  const { input, ...rest } = sampleStatus;
  const quiet = formatStatus({
    ...rest, isDryRun: false, health: [], classifiers: { active: [], refused: [] },
    input: { ...input, exporters: [], udp: { ...input.udp, kernelDrops: undefined } },
  });
  assert.ok(quiet.includes('healthy') && quiet.includes('no classifier is active') && !quiet.includes('DRY RUN'));
  assert.match(quiet, /dropped by the kernel +- +not known/);
  assert.ok(text.split('\n').every((line) => line.length <= 140), text);
  // Why one is refused is a sentence or two: it stands below the table, which it makes no wider.
  const { active, refused } = sampleStatus.classifiers;
  const long = { file: '/etc/old\u001b[2J.nlc', code: 'other-flows', detail: `It was ${'very '.repeat(60)}long ago.` };
  const longer = formatStatus({ ...sampleStatus, classifiers: { active, refused: [...refused, long] } });
  const added = longer.split('\n').filter((line) => !text.split('\n').includes(line));
  assert.deepEqual(added, [`REFUSED /etc/old [2J.nlc (other-flows): ${long.detail}`]);
});
