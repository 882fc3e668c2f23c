/** The intake: what becomes of datagrams, how long it takes, and that nothing is lost on the way uncounted. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { formatAddress, InvariantError, OperatorError, VirtualClock, type AddressWords } from '#base';
import type { FlowBatch } from '#flow';
import { ExportIntake, type IntakeOptions } from './export-intake.ts';

const startMs = Date.UTC(2026, 0, 2);
const exporter: AddressWords = [0, 0, 0xffff, 0xc0000201];

type Row = { from: string; to: string; forward: number; backward: number; name: string; atMs: number };

function open(t: TestContext, options: Partial<IntakeOptions> = {}): {
  intake: ExportIntake; clock: VirtualClock; rows: Row[]; pass: (durationMs: number) => void;
} {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = new VirtualClock(startMs);
  const rows: Row[] = [];
  const take = (flows: FlowBatch, receivedMs: number): void => {
    const { columns, dictionaries } = flows;
    assert.ok(receivedMs <= clock.nowMs());
    for (let row = 0; row < flows.rowCount; row++) {
      rows.push({
        from: formatAddress(columns.sourceAddress, row * 4), to: formatAddress(columns.destinationAddress, row * 4),
        forward: columns.initiatorPackets[row] as number, backward: columns.responderPackets[row] as number,
        name: dictionaries.applicationName.decode(columns.applicationName[row] as number),
        atMs: clock.nowMs() - startMs,
      });
    }
  };
  const intake = new ExportIntake(options, { nowMs: clock.nowMs, accept: take });
  t.after(() => intake.end());
  const pass = (durationMs: number): void => {
    for (let i = 0; i < durationMs; i += 10) {
      clock.advance(10);
      t.mock.timers.tick(10);
    }
  };
  return { intake, clock, rows, pass };
}

type Flow = { from: number; to: number; ports: readonly [number, number]; packets: number; startMs?: number };

/** A NetFlow v5 datagram (flows end 1 s before it is sent); its sequence is of no account here. */
function netflow5(nowMs: number, flows: readonly Flow[], sequence = 0): Uint8Array {
  const bytes = Buffer.alloc(24 + 48 * flows.length);
  const uptimeMs = 10_000_000;
  bytes.writeUInt16BE(5, 0);
  bytes.writeUInt16BE(flows.length, 2);
  bytes.writeUInt32BE(uptimeMs, 4);
  bytes.writeUInt32BE(Math.floor(nowMs / 1_000), 8);
  bytes.writeUInt32BE(sequence, 16);
  flows.forEach((flow, i) => {
    const at = 24 + 48 * i;
    bytes.writeUInt32BE(flow.from, at);
    bytes.writeUInt32BE(flow.to, at + 4);
    bytes.writeUInt32BE(flow.packets, at + 16);
    bytes.writeUInt32BE(flow.packets * 60, at + 20);
    bytes.writeUInt32BE(uptimeMs - (flow.startMs ?? 2_000), at + 24);
    bytes.writeUInt32BE(uptimeMs - 1_000, at + 28);
    bytes.writeUInt16BE(flow.ports[0], at + 32);
    bytes.writeUInt16BE(flow.ports[1], at + 34);
    bytes[at + 38] = 6;
  });
  return bytes;
}

const device = 0xc0a80105;
const server = 0x08080808;
const there: Flow = { from: device, to: server, ports: [40_000, 443], packets: 5 };
const back: Flow = { from: server, to: device, ports: [443, 40_000], packets: 4 };

test('a flow is handed on within a fifth of a second of its arrival, named', (t) => {
  const { intake, clock, rows, pass } = open(t, { pair: false });
  pass(1_000);
  intake.accept({ bytes: netflow5(clock.nowMs(), [there]), exporter, receivedMs: clock.nowMs() });
  assert.equal(rows.length, 0);
  pass(200);
  assert.deepEqual(rows,
    [{ from: '192.168.1.5', to: '8.8.8.8', forward: 5, backward: 0, name: 'TLS.Google', atMs: 1_100 }]);
  assert.equal(intake.counts().flows, 1);
});

test('both directions of equal times leave at once as one biflow; a lone one waits for its partner first', (t) => {
  const { intake, clock, rows, pass } = open(t, { pairWaitMs: 5_000 });
  intake.accept({ bytes: netflow5(startMs, [back, there]), exporter, receivedMs: startMs });
  pass(200);
  assert.deepEqual(rows.map(({ from, forward, backward, atMs }) => [from, forward, backward, atMs]),
    [['192.168.1.5', 5, 4, 100]]);
  intake.accept({ bytes: netflow5(clock.nowMs(), [{ ...there, ports: [40_001, 443] }]), exporter,
    receivedMs: clock.nowMs() });
  pass(4_000);
  assert.deepEqual([rows.length, intake.counts().pairing?.waiting], [1, 1]);
  pass(3_000);
  assert.equal(rows.length, 2);
  const { pairing } = intake.counts();
  assert.deepEqual([pairing?.records, pairing?.paired, pairing?.single, pairing?.waiting], [3, 1, 1, 0]);
});

test('a record waits from when it came, however long nothing came before it', (t) => {
  const { intake, clock, rows, pass } = open(t, { pairWaitMs: 5_000 });
  intake.accept({ bytes: netflow5(startMs, [there, back]), exporter, receivedMs: startMs });
  pass(60_000);
  const [one, other] = [{ ...there, ports: [40_001, 443] as const }, { ...back, ports: [443, 40_001] as const }];
  intake.accept({ bytes: netflow5(clock.nowMs(), [one]), exporter, receivedMs: clock.nowMs() });
  pass(4_000);
  intake.accept({ bytes: netflow5(clock.nowMs() - 4_000, [other]), exporter, receivedMs: clock.nowMs() });
  pass(200);
  assert.deepEqual(rows.map(({ forward, backward }) => [forward, backward]), [[5, 4], [5, 4]]);
});

test('a waiting record does not delay those that come after it', (t) => {
  const { intake, clock, rows, pass } = open(t, { pairWaitMs: 60_000 });
  intake.accept({ bytes: netflow5(startMs, [{ ...there, ports: [1, 443] }]), exporter, receivedMs: startMs });
  pass(350);
  intake.accept({ bytes: netflow5(clock.nowMs(), [there, back]), exporter, receivedMs: clock.nowMs() });
  pass(200);
  assert.deepEqual(rows.map(({ atMs }) => atMs), [450]);
});

test('nothing waits: no timer runs', (t) => {
  const { intake, pass } = open(t, { pair: true });
  const set = t.mock.method(globalThis, 'setTimeout');
  intake.accept({ bytes: netflow5(startMs, [there, back]), exporter, receivedMs: startMs });
  pass(60_000);
  assert.equal(set.mock.callCount(), 1);
});

test('the end hands on what waits, once, and lets nothing follow', (t) => {
  const { intake, rows } = open(t);
  intake.accept({ bytes: netflow5(startMs, [there]), exporter, receivedMs: startMs });
  intake.end();
  intake.end();
  assert.equal(rows.length, 1);
  assert.throws(() => intake.accept({ bytes: new Uint8Array(0), exporter, receivedMs: startMs }), InvariantError);
});

test('memory: at the limit of waiting records the oldest leaves early, counted; texts are bounded', (t) => {
  const { intake, rows, pass } = open(t, { unpairedRecordsMax: 3, textsMax: 4 });
  const flows = Array.from({ length: 10 }, (_, i): Flow => ({ ...there, ports: [40_000 + i, 443] }));
  intake.accept({ bytes: netflow5(startMs, flows), exporter, receivedMs: startMs });
  pass(200);
  const { pairing } = intake.counts();
  assert.deepEqual([rows.length, pairing?.waiting, pairing?.endedForRoom], [7, 3, 7]);
  for (const [i, port] of [80, 22, 25, 53, 123, 110, 143, 993].entries()) {
    intake.accept({ bytes: netflow5(startMs, [{ ...there, to: server + (i << 24), ports: [5, port] }]), exporter,
      receivedMs: startMs });
  }
  intake.end();
  assert.ok(intake.counts().dictionaryOverflows > 0);
  assert.ok(rows.some(({ name }) => name === '(other)'));
});

test('nDPI is refused: there are no packets', () => {
  assert.throws(() => new ExportIntake({ l7: 'ndpi' }, { nowMs: () => 0, accept: () => undefined }), OperatorError);
});

test('what is thrown on the way reaches who listens', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const errors: unknown[] = [];
  const fail = (): void => {
    throw new Error('the engine broke');
  };
  const intake = new ExportIntake({ pair: false },
    { nowMs: () => startMs, accept: fail, onError: (thrown) => errors.push(thrown) });
  intake.accept({ bytes: netflow5(startMs, [there]), exporter, receivedMs: startMs });
  t.mock.timers.tick(100);
  assert.match(String(errors[0]), /the engine broke/);
});

test('whatever comes: bytes have a fate, records are flows or part of one, packets are conserved', (t) => {
  const flow = fc.record({
    isBack: fc.boolean(), port: fc.integer({ min: 40_000, max: 40_003 }), packets: fc.integer({ min: 1, max: 9 }),
    startMs: fc.constantFrom(1_000, 2_000, 3_000),
  });
  const step = fc.record({
    flows: fc.array(flow, { minLength: 1, maxLength: 5 }), cutAt: fc.option(fc.nat(200)), waitMs: fc.nat(8_000),
  });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), fc.boolean(), (steps, pair) => {
    const clock = new VirtualClock(startMs);
    let [handed, packets, sent] = [0, 0, 0];
    const intake = new ExportIntake({ pair, pairWaitMs: 4_000, unpairedRecordsMax: 4, l7: 'none', batchRows: 3 }, {
      nowMs: clock.nowMs,
      accept: (flows) => {
        handed += flows.rowCount;
        for (let row = 0; row < flows.rowCount; row++) {
          packets += (flows.columns.initiatorPackets[row] as number) + (flows.columns.responderPackets[row] as number);
        }
      },
    });
    for (const { flows, cutAt, waitMs } of steps) {
      const whole = netflow5(clock.nowMs(), flows.map(({ isBack, port, ...rest }): Flow => ({
        ...(isBack ? { ...back, ports: [443, port] as const } : { ...there, ports: [port, 443] as const }), ...rest,
      })));
      const bytes = cutAt === null ? whole : whole.subarray(0, cutAt);
      const records = Math.max(0, Math.floor((bytes.length - 24) / 48));
      sent += flows.slice(0, records).reduce((sum, each) => sum + each.packets, 0);
      intake.accept({ bytes, exporter, receivedMs: clock.nowMs() });
      intake.counts();
      clock.advance(waitMs);
      t.mock.timers.tick(waitMs);
    }
    intake.end();
    const { exports, pairing, flows } = intake.counts();
    assert.equal(flows, handed);
    assert.equal(handed, exports.flows - (pairing === null ? 0 : pairing.paired + pairing.joined));
    assert.equal(packets, sent);
  }), { seed: 11, numRuns: 200 });
});
