/** The replay, with a receiver that only looks: which flows come when, and which files are refused. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Command } from 'commander';
import { formatAddress, OperatorError, VirtualClock } from '#base';
import type { DetectorConfig, FlowReceiver, ReplayResult } from '#detector';
import { createDictionaries, createFlowBatch, meterDefaults, type FlowBatch, type FlowSetInfo } from '#flow';
import { openFlowSink } from '#flow/files';
import { writeHomeCapture } from '#sim';
import { batchOf, madeByNatlens, makeFlows } from '../../../test/support/labelled-flows.ts';
import { ReplayPace } from './detect-replay-pace.ts';
import { parseSpeed, replayPart } from './detect-replay-part.ts';
import { formatReplay, runReplay, type ReplayOptions } from './detect-replay.ts';
import type { FlowsRun } from './flows-run.ts';

const config = {
  input: {
    listen: [{ transport: 'udp', address: '::', port: 2055 }, { transport: 'udp', address: '::', port: 0 }], pair: true,
    renormalise: false, l7: 'prefix', activeTimeoutMs: meterDefaults.activeTimeoutMs,
    idleTimeoutMs: meterDefaults.idleTimeoutMs,
  },
  homes: { inside: [] },
} as unknown as DetectorConfig;

const result: ReplayResult = {
  flows: 0, flowsOfHomes: 0, homes: 0, classifiers: [], refused: [], verdicts: [], planned: {},
};

/** A receiver that notes what it is given. */
function look(): {
  open: (config: DetectorConfig) => Promise<FlowReceiver>; configs: DetectorConfig[]; ends: string[]; endsMs: number[];
  sources: Set<string>; names: Set<string>;
} {
  const seen = {
    configs: [] as DetectorConfig[], ends: [] as string[], endsMs: [] as number[], sources: new Set<string>(),
    names: new Set<string>(),
  };
  const accept = (batch: FlowBatch, receivedMs: number | undefined): void => {
    assert.equal(receivedMs, undefined, 'their own times are the timeline');
    const { flowEndMilliseconds, sourceAddress, applicationName } = batch.columns;
    for (let row = 0; row < batch.rowCount; row++) {
      seen.endsMs.push(flowEndMilliseconds[row] as number);
      seen.sources.add(formatAddress(sourceAddress, row * 4));
      seen.names.add(batch.dictionaries.applicationName.decode(applicationName[row] as number));
    }
  };
  return {
    ...seen,
    open: async (given) => {
      seen.configs.push(given);
      return {
        accept,
        end: async () => {
          seen.ends.push('end');
          return result;
        },
        abandon: async () => void seen.ends.push('abandon'),
      };
    },
  };
}

const options = (files: readonly string[], more: Partial<ReplayOptions> = {}): ReplayOptions =>
  ({ replay: files, speed: Infinity, quiet: true, ...more });

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'natlens-replay-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function writeFlows(path: string, batch: FlowBatch, info: FlowSetInfo = madeByNatlens): Promise<string> {
  const sink = await openFlowSink(path);
  await sink.write(batch);
  await sink.end(info);
  return path;
}

test('flows of files come in their order, once, and then the result is asked for', async (t) => {
  const folder = await makeFolder(t);
  const flows = makeFlows(30, 1);
  const file = await writeFlows(join(folder, 'flows.parquet'), batchOf(flows));
  const seen = look();
  const { run } = await runReplay(config, options([file]), seen.open);
  assert.deepEqual(seen.endsMs, flows.map(({ startMs, octets }) => startMs + 10 * octets));
  assert.deepEqual([seen.ends, seen.configs, run.isComplete], [['end'], [config], true]);
  assert.ok(!seen.names.has('MQTT.Cloud'), 'the config names by prefix, as live flows are named');
});

test('a biflow without an answer stays one: files that have both directions are not paired again', async (t) => {
  const folder = await makeFolder(t);
  const batch = batchOf(makeFlows(2, 1));
  batch.columns.responderPackets.fill(0);
  batch.columns.responderOctets.fill(0);
  // The second one seems to go back.
  batch.columns.sourceAddress.set([0, 0, 0xffff, 0x08080808], 4);
  batch.columns.destinationAddress.set([0, 0, 0xffff, 0xc0a80102], 4);
  batch.columns.sourceTransportPort[1] = batch.columns.destinationTransportPort[0] as number;
  batch.columns.destinationTransportPort[1] = batch.columns.sourceTransportPort[0] as number;
  batch.columns.protocolIdentifier[1] = batch.columns.protocolIdentifier[0] as number;
  for (const name of ['flowStartMilliseconds', 'flowEndMilliseconds'] as const) {
    batch.columns[name][1] = batch.columns[name][0] as number;
  }
  const biflows = await writeFlows(join(folder, 'biflows.parquet'), batch);
  const seen = look();
  await runReplay(config, options([biflows]), seen.open);
  assert.equal(seen.endsMs.length, 2);
  const records = await writeFlows(join(folder, 'records.parquet'), batch, { ...madeByNatlens, isBiflow: false });
  const paired = look();
  await runReplay(config, options([records]), paired.open);
  assert.equal(paired.endsMs.length, 1);
});

test('captures are metered and named as the config says that flows are made', async (t) => {
  const folder = await makeFolder(t);
  const capture = join(folder, 'home.pcap');
  await writeHomeCapture(capture, { seed: 5, durationS: 120 });
  const seen = look();
  await runReplay(config, options([capture]), seen.open);
  assert.ok(seen.endsMs.length > 10 && [...seen.names].some((name) => name.startsWith('DNS')));
  const exporters = { ...config, input: { ...config.input, l7: 'exporter' } } as DetectorConfig;
  const refused = look();
  await assert.rejects(runReplay(exporters, options([capture]), refused.open), (error: Error) =>
    error instanceof OperatorError && error.message.includes('--made-as 120/60/prefix'));
  assert.deepEqual(refused.ends, ['abandon']);
});

test('flows made otherwise are refused, with what differs and what takes them as they are', async (t) => {
  const folder = await makeFolder(t);
  const file = await writeFlows(join(folder, 'slow.parquet'), batchOf(makeFlows(3, 1)),
    { ...madeByNatlens, activeTimeoutMs: 1_800_000, idleTimeoutMs: 15_000 });
  const seen = look();
  await assert.rejects(runReplay(config, options([file]), seen.open), (error: Error) =>
    error instanceof OperatorError &&
    /made as 1800\/15\/prefix, and the config says 120\/60\/prefix.*--made-as 1800\/15\/prefix/.test(error.message));
  assert.deepEqual(seen.ends, ['abandon']);
  const oneWay = await writeFlows(join(folder, 'one-way.parquet'), batchOf(makeFlows(3, 1)),
    { ...madeByNatlens, isBiflow: false });
  const apart = { ...config, input: { ...config.input, pair: false } };
  await assert.rejects(runReplay(apart, options([oneWay]), look().open), /one direction a record.*pair = true/);
});

test('--made-as changes the config that the detector works under, and keeps the names', async (t) => {
  const folder = await makeFolder(t);
  const stated: FlowSetInfo = { ...madeByNatlens, l7Source: 'ndpi', activeTimeoutMs: 1_800_000, idleTimeoutMs: 15_000 };
  const file = await writeFlows(join(folder, 'slow.parquet'), batchOf(makeFlows(3, 1)), stated);
  const seen = look();
  await runReplay(config, options([file], { madeAs: stated }), seen.open);
  const { activeTimeoutMs, idleTimeoutMs, l7 } = (seen.configs[0] as DetectorConfig).input;
  assert.deepEqual([activeTimeoutMs, idleTimeoutMs, l7], [1_800_000, 15_000, 'ndpi']);
  assert.ok(seen.names.has('MQTT.Cloud'));
});

test('files that do not say how they were made are taken as the config says', async (t) => {
  const folder = await makeFolder(t);
  const file = await writeFlows(join(folder, 'flows.csv'), batchOf(makeFlows(5, 1)));
  const seen = look();
  await runReplay(config, options([file]), seen.open);
  assert.equal(seen.endsMs.length, 5);
});

test('what cannot be read is told, and the receiver let go', async (t) => {
  const folder = await makeFolder(t);
  const file = join(folder, 'text.txt');
  await writeFile(file, 'nothing of the kind');
  const seen = look();
  await assert.rejects(runReplay(config, options([file]), seen.open), OperatorError);
  assert.deepEqual(seen.ends, ['abandon']);
});

test('--speed: max, real, or a number', () => {
  assert.deepEqual(['max', 'real', '60', '0.5'].map(parseSpeed), [Infinity, 1, 60, 0.5]);
  for (const text of ['', '0', '-1', 'fast', 'Infinity', '1e9', 'NaN']) {
    assert.throws(() => parseSpeed(text), OperatorError, text);
  }
});

test('the options as they are typed come out as the replay takes them', async () => {
  const command = new Command();
  replayPart.addOptions(command);
  command.argument('[config]');
  const typed = 'detector.toml --replay a.pcap b.pcap --speed real --made-as 60/30/none';
  await command.parseAsync(typed.split(' '), { from: 'user' });
  const { madeAs, ...rest } = command.opts<ReplayOptions>();
  assert.deepEqual([rest, madeAs?.idleTimeoutMs], [{ replay: ['a.pcap', 'b.pcap'], speed: 1 }, 30_000]);
  assert.match(command.helpInformation(), /--speed[^]*default: max/);
});

/** Hands flows on whose ends are given in seconds, and notes at which second of the clock each was. */
async function pace(speed: number, batches: readonly (readonly number[])[]): Promise<number[]> {
  const clock = new VirtualClock(7_000);
  const dictionaries = createDictionaries();
  const handed: number[] = [];
  let rests = 0;
  const replay = new ReplayPace({ speed, clock, sleep: async (durationMs) => clock.advance(durationMs) });
  for (const ends of batches) {
    const batch = createFlowBatch(8, dictionaries);
    batch.columns.flowEndMilliseconds.set(ends.map((second) => 1_600_000_000_000 + second * 1_000));
    batch.rowCount = ends.length;
    const given: number[] = [];
    await replay.handOn(batch, (rows) => {
      for (let row = 0; row < rows.rowCount; row++) {
        given.push(((rows.columns.flowEndMilliseconds[row] as number) - 1_600_000_000_000) / 1_000);
        handed.push(Math.round((clock.monotonicMs() - 7_000) / 100) / 10);
      }
    }, () => void rests++);
    assert.deepEqual(given, ends, 'all of them, in their order');
  }
  assert.ok(speed === Infinity ? rests === 0 : rests > 0);
  return handed;
}

test('the pace: as much time as between the ends of flows; late ones follow at once', async () => {
  assert.deepEqual(await pace(1, [[10, 10, 12, 11], [12, 15], [], [14, 15.2]]), [0, 0, 2, 2, 2, 5, 5, 5.2]);
  assert.deepEqual(await pace(10, [[0, 30], [60]]), [0, 3, 6]);
  assert.deepEqual(await pace(0.5, [[0, 1, 2]]), [0, 2, 4]);
  assert.deepEqual(await pace(Infinity, [[0, 1_000], [5_000]]), [0, 0, 0]);
});

test('flows that come slower than their own time are not handed on in a rush of waiting', async () => {
  assert.deepEqual(await pace(1, [[0, Number.NaN, 1]]), [0, 0, 1]);
});

test('the result for people: verdicts, what accepted how much, what was refused', () => {
  const problems = [{ input: 'a.pcap', detail: 'The file is cut.' }];
  const run = { summary: { seconds: 1.5, problems } } as unknown as FlowsRun;
  const firstFlowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  const verdict = {
    home: 'home-1', deviceModel: 'webcam.D_Link.DCS_933L', classifier: 'ab', state: 'present', episode: 1,
    sinceMs: firstFlowMs + 60_000, firstFlowMs, supportedMs: firstFlowMs,
    evidence: { home: 'home-1', deviceModel: 'webcam.D_Link.DCS_933L', classifier: 'ab', windowStartMs: 0,
      windowEndMs: 1, score: 3, tokens: [{ text: 'a', weight: 3, buckets: 1 }] },
  } as const;
  const text = formatReplay({
    ...result, flows: 1_234, flowsOfHomes: 1_200, homes: 1, verdicts: [verdict], planned: { mail: 1, syslog: 2 },
    classifiers: [{ file: 'camera.nlc', deviceModel: 'webcam.D_Link.DCS_933L', classifier: 'ab', stage: 1,
      flowsAccepted: 77 }],
    refused: [{ file: 'old.nlc', code: 'artifact-damaged', detail: 'Its digest does not fit.' }],
  }, run);
  for (const part of ['1,234 flows in 1.5 s, 1,200 of 1 home', 'present', '2026-01-02 03:05:05', '2026-01-02 03:04:05',
    'camera.nlc', '77', 'old.nlc is REFUSED', '1 mail, 2 syslog', 'a.pcap: The file is cut.']) {
    assert.ok(text.includes(part), `${part} in\n${text}`);
  }
  assert.match(formatReplay(result, run), /no classifier.*\n\nno verdict/s);
});
