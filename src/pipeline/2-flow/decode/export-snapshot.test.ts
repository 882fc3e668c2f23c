/**
 * Saved states of the decoder: one that was restored gives the same rows and accounts as one that never stopped, what
 * was lost in between is told as such, and bytes that are no state are refused with a sentence.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits, Random } from '#base';
import { exportSamples } from '../../../../test/support/export-samples.ts';
import { createMessages, settingCount } from '../../../../test/support/export-fuzzer.ts';
import type { FlowBatch } from '../flow-batch.ts';
import { type Arrival, type LinkPlan, makeWorld, type WorldKind } from './account-world.ts';
import { ExportDecoder } from './export-decoder.ts';
import type { DomainCounts, ExportCounts, ExportDatagram, ExportDecoderOptions } from './export-types.ts';
import {
  datagram, ip, join, message10, message9, optionsTemplate10, optionsTemplate9, sampleSeconds, set, template, text, u32,
  u64, u8,
} from './message-samples.ts';

const quiet: LinkPlan = { loss: 0, copies: 0, cuts: 0, kernelDrops: 0, delayMsMax: 0, restarts: 0, templates: 0.2 };

/** Rows as text: all that an account of them could depend on. */
function readRows({ columns, dictionaries, rowCount }: FlowBatch): string[] {
  return Array.from({ length: rowCount }, (_, row) => [
    columns.sourceAddress[row * 4 + 3], columns.initiatorOctets[row], columns.initiatorPackets[row],
    columns.flowStartMilliseconds[row], columns.flowEndMilliseconds[row], columns.sourceTransportPort[row],
    dictionaries.applicationName.decode(columns.applicationName[row] as number),
  ].join(' '));
}

type Run = { readonly rows: string[]; readonly counts: ExportCounts };

/** Decodes, and at some places stops and goes on with a new decoder. */
function decodeAll(datagrams: readonly ExportDatagram[], stops: ReadonlySet<number>,
  options: Partial<ExportDecoderOptions> = {}): Run {
  const rows: string[] = [];
  const open = (): ExportDecoder =>
    new ExportDecoder({ batchRows: 7, ...options }, (batch) => rows.push(...readRows(batch)));
  let decoder = open();
  for (const [i, each] of datagrams.entries()) {
    if (stops.has(i)) {
      const bytes = decoder.snapshot();
      decoder = open();
      assert.equal(decoder.restore(bytes), undefined);
      assert.deepEqual(decoder.snapshot(), bytes);
    }
    decoder.decode(each);
  }
  decoder.flush();
  return { rows, counts: decoder.counts() };
}

/**
 * What was lost at a stop is told as lost then: for the comparison it is lost anyhow. Templates alone that are the same
 * bytes within a second may be copies, as far as the first is remembered.
 */
function withoutCauses({ exporters, records, flows, waiting }: ExportCounts): unknown {
  return { records, flows, waiting, exporters: exporters.map(({ account, ...each }) => {
    const { lostInKernel, lostOnTheWay, lostWhileStopped, ...others } = account;
    const lost = lostInKernel + lostOnTheWay + lostWhileStopped;
    return { ...each, duplicates: undefined, account: { ...others, lost } };
  }) };
}

function accountOf({ exporters }: ExportCounts): DomainCounts['account'] {
  return (exporters[0] as DomainCounts).account;
}

const stopsOf = (random: Random, count: number): Set<number> =>
  new Set(Array.from({ length: 3 }, () => random.integer(0, Math.max(0, count - 1))));

for (const kind of ['v5', 'v9', 'ipfix', 'after'] as const satisfies readonly WorldKind[]) {
  test(`property: ${kind}: restored is as if it had never stopped`, () => {
    fc.assert(fc.property(fc.integer(), fc.record({
      loss: fc.constantFrom(0, 0.1), copies: fc.constant(0), cuts: fc.constantFrom(0, 0.05),
      kernelDrops: fc.constantFrom(0, 0.1), delayMsMax: fc.constantFrom(0, 300),
      restarts: fc.integer({ min: 0, max: 1 }),
      templates: fc.constantFrom(0, 0.05, 0.3),
    }), (seed, made) => {
      // How an exporter numbers shows when its messages are understood and come in order.
      const plan = kind === 'after' ? { ...made, delayMsMax: 0, templates: 0.4 } : made;
      const random = new Random(seed);
      const datagrams = makeWorld(random, kind, plan).arrivals.map((arrival) => arrival.datagram);
      const stops = stopsOf(random, datagrams.length);
      const whole = decodeAll(datagrams, new Set());
      const stopped = decodeAll(datagrams, stops);
      assert.deepEqual(stopped.rows, whole.rows);
      assert.deepEqual(withoutCauses(stopped.counts), withoutCauses(whole.counts));
      // Where nothing was missing at the stop, nothing was lost while stopped.
      if (plan.loss + plan.kernelDrops + plan.cuts + plan.delayMsMax + plan.restarts > 0 || kind === 'after') return;
      assert.deepEqual(stopped.counts, whole.counts);
    }), { numRuns: 80 });
  });
}

test('messages of all kinds, mangled: restored is as if it had never stopped', () => {
  const tiny = { exportDomainsMax: 6, templatesPerDomainMax: 8, templateFieldsMax: 40, templateFieldsTotalMax: 120,
    waitingBytesMax: 2_000, optionEntriesMax: 4, duplicateMemoryBytes: 0 };
  for (let session = 0; session < settingCount * 3; session++) {
    const datagrams = [...createMessages({ seed: 5103, corpus: exportSamples, sessionMessages: 200 }, session)];
    const stops = stopsOf(new Random(session), datagrams.length);
    const stopped = decodeAll(datagrams, stops, tiny);
    const whole = decodeAll(datagrams, new Set(), tiny);
    assert.deepEqual(stopped.rows, whole.rows);
    // After a stop the first message that seems to go back is no restart when it may be late: the account may differ.
    const plain = ({ exporters, ...others }: ExportCounts): unknown =>
      [others, exporters.map(({ records, templates, waitingSets, account }) =>
        [records, templates, waitingSets, account.flows, account.waitingFor])];
    assert.deepEqual(plain(stopped.counts), plain(whole.counts));
  }
});

const ends = join(ip('192.0.2.1'), ip('192.0.2.2'));

test('templates, sampling, names and the start of the exporter\'s clock come back', () => {
  const now = sampleSeconds * 1000;
  const tell = [
    message10({}, set(3, optionsTemplate10(301, 1, [[149, 4], [160, 8], [48, 1], [34, 4]])),
      set(301, u32(0), u64(now - 9000), u8(3), u32(50)), set(2, template(300, [[8, 4], [12, 4], [22, 4], [21, 4],
        [48, 1], [1, 4]]))),
    message9({ domain: 2 }, set(0, template(300, [[8, 4], [12, 4], [95, 4], [1, 4]])),
      set(1, optionsTemplate9(301, [[1, 4]], [[95, 4], [96, 8]])),
      set(301, u32(0), u32(0x0d000052), text('youtube', 8))),
  ].map((bytes) => datagram(bytes));
  const data = [
    message10({ sequence: 1 }, set(300, ends, u32(5000), u32(6500), u8(3), u32(7))),
    message9({ domain: 2, sequence: 1 }, set(300, ends, u32(0x0d000052), u32(8), ends, u32(9), u32(9))),
  ].map((bytes) => datagram(bytes));
  const whole = decodeAll([...tell, ...data], new Set(), { renormalise: true });
  assert.deepEqual(decodeAll([...tell, ...data], new Set([2]), { renormalise: true }), whole);
  assert.ok(whole.rows[0]?.includes(' 350 ') && whole.rows[0].includes(String(now - 4000)), whole.rows[0]);
  assert.deepEqual([whole.rows[1]?.endsWith('youtube'), whole.counts.unexplainedApplications], [true, 1]);
});

test('a set that waits goes on waiting, since when it did, and is decoded when its template comes', () => {
  const at = sampleSeconds * 1000;
  const waiting = message9({ sequence: 4 }, set(300, ends, u32(1)));
  const more = message9({ sequence: 5 }, set(301, ends), set(301, ends));
  const decoder = new ExportDecoder({}, () => assert.fail('no row'));
  for (const bytes of [waiting, more]) decoder.decode(datagram(bytes, { receivedMs: at }));
  const rows: string[] = [];
  const next = new ExportDecoder({}, (batch) => rows.push(...readRows(batch)));
  assert.equal(next.restore(decoder.snapshot()), undefined);
  assert.deepEqual(next.counts(), decoder.counts());
  const account = accountOf(next.counts());
  assert.deepEqual([account.sent, account.waiting, account.waitingFor], [2, 2, [
    { templateId: 300, sinceMs: at, sets: 1, bytes: 16 }, { templateId: 301, sinceMs: at, sets: 2, bytes: 24 },
  ]]);
  const define = message9({ sequence: 6 }, set(0, template(300, [[8, 4], [12, 4], [1, 4]])));
  next.decode(datagram(define, { receivedMs: at + 1000 }));
  next.flush();
  const then = accountOf(next.counts());
  assert.deepEqual([rows.length, then.sent, then.decoded, then.waiting], [1, 3, 2, 1]);
  next.decode(datagram(message9({ sequence: 7 }), { receivedMs: at + limits.waitingSetMs + 1 }));
  assert.deepEqual(accountOf(next.counts()).undecodable, { 'no-template': 1 });
});

test('what was missed between is lost while stopped, in the units of each protocol; a later gap is not', () => {
  for (const kind of ['v5', 'v9', 'ipfix', 'after'] as const) {
    const { arrivals } = makeWorld(new Random(7), kind, { ...quiet, templates: 1 });
    const missed = new Set([...Array.from({ length: 10 }, (_, i) => 30 + i), 50]);
    const before = new ExportDecoder({}, () => undefined);
    for (const each of arrivals.slice(0, 30)) before.decode(each.datagram);
    const after = new ExportDecoder({}, () => undefined);
    assert.equal(after.restore(before.snapshot()), undefined);
    for (const [i, each] of arrivals.entries()) if (i >= 30 && !missed.has(i)) after.decode(each.datagram);
    const unitsOf = (places: Iterable<number>): number =>
      [...places].reduce((sum, place) => sum + (arrivals[place] as Arrival).message.units, 0);
    const { lostWhileStopped, lostOnTheWay, sent } = accountOf(after.counts());
    assert.deepEqual([lostWhileStopped, lostOnTheWay, sent],
      [unitsOf([...missed].slice(0, 10)), unitsOf([50]), unitsOf(arrivals.keys())], kind);
  }
});

test('a copy that comes after the stop is taken once more, and is no restart and no loss', () => {
  for (const kind of ['v5', 'v9', 'ipfix'] as const) {
    const { arrivals } = makeWorld(new Random(8), kind, { ...quiet, templates: 1 });
    const datagrams = arrivals.map((each) => each.datagram);
    const [last] = arrivals.slice(19, 20) as [Arrival];
    // The last one before the stop comes again, then the next ones in order.
    const { counts } = decodeAll([...datagrams.slice(0, 20), last.datagram, ...datagrams.slice(20)], new Set([20]));
    const [{ restarts, lostUnits, duplicates, account }] = counts.exporters as [DomainCounts];
    const units = arrivals.reduce((sum, { message }) => sum + message.units, 0);
    assert.deepEqual([restarts, lostUnits, duplicates, account.sent], [0, 0, 0, units + last.message.units], kind);
  }
});

/** A state with something of every kind in it. */
function fullState(): Uint8Array {
  const decoder = new ExportDecoder({}, () => undefined);
  for (const kind of ['v5', 'v9', 'ipfix', 'after'] as const) {
    const plan = { ...quiet, loss: 0.2, cuts: 0.1, kernelDrops: 0.1, delayMsMax: 200, restarts: 1, templates: 0.01 };
    for (const each of makeWorld(new Random(3), kind, plan).arrivals) {
      decoder.decode({ ...each.datagram, exporter: [0, 0, 0xffff, kind.length] });
    }
  }
  for (const bytes of exportSamples) decoder.decode(datagram(bytes));
  return decoder.snapshot();
}

function reseal(bytes: Uint8Array): Uint8Array {
  bytes.set(createHash('sha256').update(bytes.subarray(16)).digest().subarray(0, 8), 8);
  return bytes;
}

test('bytes that are no state are refused with a sentence, and the decoder goes on as before', () => {
  const bytes = fullState();
  const fresh = (): ExportDecoder => new ExportDecoder({}, () => undefined);
  const change = (at: number, value: number): Uint8Array =>
    Uint8Array.from(bytes, (byte, i) => (i === at ? value : byte));
  const cases: [string, Uint8Array, RegExp][] = [
    ['empty', new Uint8Array(0), /ends within its header/], ['another magic', change(0, 7), /no state/],
    ['another version', change(4, 9), /version 9; natlens reads 1/], ['a bit', change(40, 200), /damaged/],
    ['cut', reseal(bytes.slice(0, -3)), /ends before its end/],
    ['longer', reseal(Uint8Array.from([...bytes, 0])), /bytes behind its end/],
  ];
  for (const [name, state, sentence] of cases) {
    const decoder = fresh();
    assert.match(decoder.restore(state) ?? '', sentence, name);
    assert.deepEqual(decoder.counts(), fresh().counts());
    assert.equal(decoder.restore(bytes), undefined);
  }
  assert.match(fresh().restore(new Uint8Array(limits.decoderSnapshotBytesMax + 1)) ?? '', /too large/);
});

test('hostile states with a right digest: refused or sound, never thrown', () => {
  const bytes = fullState();
  const random = new Random(91);
  const outcomes = { refused: 0, taken: 0 };
  const values = [0, 1, 0x7f, 0x80, 0xff];
  for (let i = 0; i < 1_500; i++) {
    const state = bytes.slice(0, random.chance(0.1) ? random.integer(16, bytes.length) : bytes.length);
    for (let left = random.integer(1, 3); left > 0; left--) {
      state[random.integer(16, state.length - 1)] = random.chance(0.5) ? random.pick(values) : random.integer(0, 255);
    }
    const decoder = new ExportDecoder({ batchRows: 5 }, () => undefined);
    const sentence = decoder.restore(reseal(state));
    if (sentence !== undefined) {
      assert.match(sentence, /^[A-Z].*\.$/);
      outcomes.refused++;
      continue;
    }
    outcomes.taken++;
    for (const each of exportSamples) decoder.decode(datagram(each, { kernelDrops: i }));
    for (const each of decoder.counts().exporters) assertParts(each);
    decoder.end();
    for (const each of decoder.counts().exporters) assertParts(each);
  }
  assert.ok(outcomes.refused > 100 && outcomes.taken > 100, JSON.stringify(outcomes));
});

function assertParts({ account }: DomainCounts): void {
  const parts = [account.decoded, account.waiting, account.lostInKernel, account.lostOnTheWay, account.lostWhileStopped,
    account.limited, ...Object.values(account.undecodable)];
  assert.equal(parts.reduce((sum, part) => sum + part, 0), account.sent);
  assert.ok(parts.every((part) => part >= 0), JSON.stringify(account));
}

test('a state that holds more than the decoder may keep is refused', () => {
  const bytes = fullState();
  const options: [Partial<ExportDecoderOptions>, RegExp][] = [
    [{ exportDomainsMax: 2 }, /more domains/], [{ templatesPerDomainMax: 1 }, /more templates/],
    [{ templateFieldsMax: 2 }, /too many fields/], [{ optionEntriesMax: 0 }, /more options/],
    [{ waitingBytesMax: 100 }, /more waiting sets/],
  ];
  for (const [option, sentence] of options) {
    assert.match(new ExportDecoder(option, () => undefined).restore(bytes) ?? '', sentence);
  }
});
