/** The collector by a virtual clock: accounts of units and of rows, limits, restarts in order and by a kill. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, VirtualClock, type AddressWords } from '#base';
import { ExporterGate } from '#capture/listen';
import type { DomainCounts, FlowBatch } from '#flow';
import {
  datagram, message10, message5, message9, rfc7011Fields, rfc7011Records, sampleSeconds, set, template,
} from '../../pipeline/2-flow/decode/message-samples.ts';
import { CollectorCore, type CoreOptions, type RowSink } from './collector-core.ts';
import { Senders, type SenderOptions } from './senders.ts';
import type { SavedState } from './state-file.ts';

const words = (text: string): AddressWords => parseAddress(text) as AddressWords;
const flow5 = {
  source: '192.0.2.11', destination: '198.51.100.1', packets: 3, octets: 300, firstMs: 990_000, lastMs: 995_000,
  ports: [40_000, 443] as const, protocol: 6,
};
const sampleTemplate = set(0, template(256, rfc7011Fields));
const sampleTemplate10 = set(2, template(256, rfc7011Fields));
const sampleData = set(256, rfc7011Records);

/** A sink that takes all rows, into a file that the test ends. */
class TestSink implements RowSink {
  rows = 0;
  /** Rows that it takes before it fails. */
  room = Infinity;
  core: CollectorCore | undefined;

  write(batch: FlowBatch): number {
    const lost = Math.max(0, batch.rowCount - this.room);
    this.room -= batch.rowCount - lost;
    this.rows += batch.rowCount - lost;
    if (lost > 0) this.core?.ledger.lose(batch, batch.rowCount - lost, batch.rowCount);
    return lost;
  }

  tick(): void {
    // Files end when the test says so.
  }

  finish(): void {
    this.core?.ledger.noteWritten(this.rows);
    this.core?.ledger.noteWhole();
    this.rows = 0;
  }
}

type World = { readonly core: CollectorCore; readonly sink: TestSink; readonly clock: VirtualClock;
  readonly taken: number[]; readonly send: (bytes: Uint8Array, from?: string, kernelDrops?: number) => void };

function open(options: Partial<CoreOptions> = {}, more: {
  readonly senders?: Partial<SenderOptions>; readonly clock?: VirtualClock; readonly exporters?: readonly string[];
} = {}): World {
  const sink = new TestSink();
  const taken: number[] = [];
  const clock = more.clock ?? new VirtualClock(sampleSeconds * 1_000);
  const usual: CoreOptions = { renormalise: false, pair: false, pairWaitMs: 60_000, l7: 'none', home: [] };
  const core = new CollectorCore({ ...usual, ...options }, {
    senders: new Senders(new ExporterGate([]), { rateLimit: 0, rateBurst: 1, ...more.senders }), sink,
    onTaken: ({ bytes }) => taken.push(bytes.length),
  });
  sink.core = core;
  return {
    core, sink, clock, taken, send: (bytes, from = '192.0.2.1', kernelDrops = 0) =>
      core.accept(datagram(bytes, { exporter: words(from), receivedMs: clock.nowMs(), kernelDrops }), false),
  };
}

/** The account of a domain; checks that it adds up. */
function accountOf({ core }: Pick<World, 'core'>, exporter: string, version: number): DomainCounts['account'] {
  const found = core.counts().exports.exporters.find((each) => each.exporter === exporter && each.version === version);
  assert.ok(found !== undefined, `${exporter} v${version}`);
  const { account } = found;
  const { sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, limited, undecodable } = account;
  const bad = Object.values(undecodable).reduce<number>((sum, units) => sum + (units ?? 0), 0);
  assert.equal(sent, decoded + waiting + lostInKernel + lostOnTheWay + lostWhileStopped + limited + bad);
  return account;
}

const rowsOf = ({ core }: Pick<World, 'core'>): string[] => core.ledger.accounts().map((each) =>
  `${each.exporter}: ${each.rows} = ${each.stored} + ${each.open} + ${each.notStored}`);

/** Decodes all three protocols of one address. */
function sendAll({ send }: World, run: number): void {
  send(message9({ sequence: run }, sampleTemplate, sampleData));
  send(message5({ sequence: run * 2 }, [flow5, flow5]));
  send(message10({ sequence: run * 3 }, sampleTemplate10, sampleData));
}

test('units by protocol, and rows to their file', () => {
  const world = open();
  for (let run = 0; run < 4; run++) sendAll(world, run);
  world.clock.advance(1_000);
  world.core.tick(world.clock.nowMs());
  for (const [version, sent] of [[9, 4], [5, 8], [10, 12]] as const) {
    const account = accountOf(world, '192.0.2.1', version);
    assert.deepEqual([account.sent, account.decoded], [sent, sent], `v${version}`);
  }
  assert.deepEqual(rowsOf(world), ['192.0.2.1: 32 = 0 + 32 + 0']);
  world.sink.finish();
  assert.deepEqual(rowsOf(world), ['192.0.2.1: 32 = 32 + 0 + 0']);
  assert.equal(world.taken.length, 12);
});

test('what is missing is the kernel\'s as far as it dropped something, and the way\'s else', () => {
  const world = open();
  world.send(message9({ sequence: 10 }, sampleTemplate, sampleData));
  world.send(message9({ sequence: 14 }, sampleData), '192.0.2.1', 2);
  const account = accountOf(world, '192.0.2.1', 9);
  assert.deepEqual([account.sent, account.decoded, account.lostInKernel, account.lostOnTheWay], [5, 2, 2, 1]);
});

test('what is above the rate is limited and not lost, for each protocol', () => {
  const world = open({}, { senders: { rateLimit: 1, rateBurst: 3 } });
  sendAll(world, 0);
  // Nothing is left of the burst: two of each are limited, and the next of each is taken again.
  for (const run of [1, 2]) sendAll(world, run);
  world.clock.advance(3_000);
  sendAll(world, 3);
  for (const [version, sent, limited] of [[9, 4, 2], [5, 8, 4], [10, 12, 6]] as const) {
    const account = accountOf(world, '192.0.2.1', version);
    assert.deepEqual([account.sent, account.limited, account.lostOnTheWay], [sent, limited, 0], `v${version}`);
  }
  assert.equal(world.taken.length, 6, 'what is limited is not handed on either');
});

test('an exporter at its limit takes nothing from another', () => {
  const world = open({}, { senders: { rateLimit: 10, rateBurst: 10 } });
  for (let i = 0; i < 1_000; i++) {
    world.send(message9({ sequence: i, uptimeMs: 1_000_000 + i }, sampleTemplate, sampleData), '192.0.2.66');
    if (i % 100 === 0) {
      world.send(message9({ sequence: i / 100, uptimeMs: 1_000_000 + i }, sampleTemplate, sampleData), '192.0.2.2');
    }
    world.clock.advance(1);
  }
  const honest = accountOf(world, '192.0.2.2', 9);
  assert.deepEqual([honest.sent, honest.decoded], [10, 10]);
  const greedy = accountOf(world, '192.0.2.66', 9);
  // The last ones are known of when the next one comes, or were refused and told of at once: all are in the account.
  assert.equal(greedy.sent, 1_000);
  assert.ok(greedy.decoded <= 20 && greedy.limited >= 980, `${greedy.decoded} ${greedy.limited}`);
});

test('a forged flood makes nothing of an exporter that is known, and memory is bounded', () => {
  const world = open({ exportDomainsMax: 8 }, { senders: { rateLimit: 100, rateBurst: 100, sendersMax: 16 } });
  const honest = (i: number): void => world.send(message9({ sequence: i }, sampleTemplate, sampleData));
  honest(0);
  for (let i = 1; i <= 50; i++) {
    for (let j = 0; j < 40; j++) {
      world.send(message9({ sequence: i * j, domain: j }, sampleTemplate, sampleData), `10.${i}.0.${j}`);
    }
    honest(i);
    world.clock.advance(20);
  }
  const account = accountOf(world, '192.0.2.1', 9);
  assert.deepEqual([account.sent, account.decoded], [51, 51]);
  const { exports } = world.core.counts();
  assert.equal(exports.exporters.length, 8);
  assert.ok(exports.rejected['exporter-limit'] > 0);
  world.core.tick(world.clock.nowMs());
  assert.ok(world.core.ledger.accounts().length <= 9);
});

test('rows that the sink does not take are counted by exporter', () => {
  const world = open();
  world.sink.room = 4;
  for (let i = 0; i < 3; i++) world.send(message9({ sequence: i }, sampleTemplate, sampleData), `192.0.2.${i + 1}`);
  world.core.tick(world.clock.nowMs());
  assert.deepEqual(rowsOf(world), ['192.0.2.1: 3 = 0 + 3 + 0', '192.0.2.2: 3 = 0 + 1 + 2', '192.0.2.3: 3 = 0 + 0 + 3']);
  assert.equal(accountOf(world, '192.0.2.3', 9).decoded, 1, 'it was decoded all the same');
});

/** The state as it would come from a file. */
function saveOf(world: World, openFile: string | undefined, isEnded: boolean): SavedState {
  const state = world.core.save(world.clock.nowMs(), openFile, isEnded);
  return { ...state, decoder: Uint8Array.from(state.decoder) };
}

test('templates, numbers and rows go on after an end in order; what was sent meanwhile is missed while stopped', () => {
  const before = open();
  for (let run = 0; run < 2; run++) sendAll(before, run);
  // One of a hundred packets, by the header (two bits of mode, then the interval).
  before.send(message5({ sequence: 0, sampling: 0x4064 }, [flow5]), '192.0.2.5');
  before.core.end(before.clock.nowMs());
  before.sink.finish();
  const state = saveOf(before, undefined, true);
  const after = open({}, { clock: before.clock });
  assert.equal(after.core.restore(state, false), undefined);
  assert.deepEqual(rowsOf(after), ['192.0.2.1: 16 = 16 + 0 + 0', '192.0.2.5: 1 = 1 + 0 + 0']);
  const sampled = after.core.counts().exports.exporters.find(({ exporter }) => exporter === '192.0.2.5');
  assert.equal(sampled?.samplingInterval, 100);
  after.clock.advance(60_000);
  // Without templates: they are known from the run before. Runs 2 to 4 were missed.
  after.send(message9({ sequence: 5 }, sampleData));
  after.send(message10({ sequence: 15 }, sampleData));
  after.send(message5({ sequence: 10 }, [flow5, flow5]));
  for (const [version, sent, stopped] of [[9, 6, 3], [5, 12, 6], [10, 18, 9]] as const) {
    const account = accountOf(after, '192.0.2.1', version);
    assert.deepEqual([account.sent, account.lostWhileStopped, account.lostOnTheWay, account.waiting],
      [sent, stopped, 0, 0], `v${version}`);
  }
});

test('after a kill, rows are stored where their file is whole, and else not', () => {
  for (const isWhole of [true, false]) {
    const before = open();
    before.send(message9({ sequence: 0 }, sampleTemplate, sampleData));
    before.core.tick(before.clock.nowMs());
    before.sink.finish();
    before.send(message9({ sequence: 1 }, sampleData));
    const state = saveOf(before, 'flows-x.parquet', false);
    assert.deepEqual(state.accounts.map(({ stored, open: openRows }) => [stored, openRows]), [[3, 3]],
      'saving hands on what was decoded');
    // This one is in the open file, too, and nobody will know: it counts as missed while stopped.
    before.send(message9({ sequence: 2 }, sampleData));
    const after = open();
    assert.equal(after.core.restore(state, isWhole), undefined);
    assert.deepEqual(rowsOf(after), [isWhole ? '192.0.2.1: 6 = 6 + 0 + 0' : '192.0.2.1: 6 = 3 + 0 + 3']);
    after.send(message9({ sequence: 3 }, sampleData));
    const account = accountOf(after, '192.0.2.1', 9);
    assert.deepEqual([account.sent, account.decoded, account.lostWhileStopped], [4, 3, 1]);
  }
});

test('one-way records are joined, and those that a kill caught waiting are told', () => {
  const options = { pair: true };
  const before = open(options);
  before.send(message5({ sequence: 0 }, [flow5]));
  before.send(message5({ sequence: 1 }, [{ ...flow5, source: flow5.destination, destination: flow5.source,
    ports: [443, 40_000] }]));
  before.send(message5({ sequence: 2 }, [{ ...flow5, ports: [40_001, 443] }]));
  before.core.tick(before.clock.nowMs());
  const { pairing } = before.core.counts();
  assert.deepEqual([pairing?.paired, pairing?.waiting], [1, 1]);
  const state = saveOf(before, undefined, false);
  const after = open(options);
  after.core.restore(state, false);
  assert.equal(after.core.pairingLostByKill, 1);
  before.core.end(before.clock.nowMs());
  assert.equal(before.core.ledger.accounts().reduce((sum, { rows }) => sum + rows, 0), 2);
});

test('a state of another kind is refused, and the collector begins anew', () => {
  const world = open();
  const state = { ...saveOf(world, undefined, true), decoder: Uint8Array.of(1, 2, 3) };
  assert.equal(typeof open().core.restore(state, false), 'string');
});

test('rates are of the last ten seconds', () => {
  const world = open();
  for (let i = 0; i < 120; i++) {
    world.send(message9({ sequence: i, uptimeMs: 1_000_000 + i * 250 }, sampleTemplate, sampleData));
    if (i % 4 === 3) {
      world.clock.advance(1_000);
      world.core.tick(world.clock.nowMs());
    }
  }
  const [domain] = world.core.counts().exports.exporters;
  assert.ok(domain !== undefined);
  assert.equal(world.core.rateOf(domain), 4);
});
