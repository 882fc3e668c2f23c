/**
 * The namer against scripted children: crashes, silence, limits. What is asserted everywhere: no flow lost, none out of
 * order.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { createPacketBatch } from '#capture';
import { clearRow, createDictionaries, createFlowBatch } from '../flow-batch.ts';
import * as header from '../meter/header-slab.ts';
import { createNdpiNamer, type NdpiNamer, type NdpiNamerOptions } from './ndpi-namer.ts';

const protocolUrl = new URL('./ndpi-protocol.ts', import.meta.url).href;

/**
 * A child that runs `script` for every record. The script sees `record`, `conversation` (our number, from the packet's
 * payload), `run` (0 for the first child, 1 for the next), `packetCount` of the conversation, and may call `verdict()`,
 * `say(head, word)` and `die()`.
 */
function childSource(script: string, greeting: string): string {
  return `
import { appendFileSync, readFileSync, readSync, writeSync } from 'node:fs';
import {
  encodeText, NoticeStream, recordBegins, recordGivesUp, recordIsLast, RecordReader, releaseMark,
} from '${protocolUrl}';
const runs = new URL('runs', import.meta.url);
appendFileSync(runs, '.');
const run = readFileSync(runs).length - 1;
const blockBytes = Number(process.argv[3]);
const memory = new ArrayBuffer(blockBytes);
const bytes = Buffer.from(memory);
const reader = new RecordReader(memory);
const numbers = new Map(), packetCounts = new Map();
const die = () => process.kill(process.pid, 'SIGKILL');
const say = (head, word) => writeSync(3, new Uint32Array([head, word]));
const greet = (text) => writeSync(3, encodeText(JSON.stringify(text)));
const names = ['Unknown', ...Array.from({ length: 300 }, (_, i) => 'P' + i)];
const ready = { kind: 'ready', version: 'fake', protocolNames: names };
${greeting};
const notices = new NoticeStream(), chunk = Buffer.alloc(64);
for (;;) {
  const length = readSync(0, chunk, 0, chunk.length, null);
  if (length === 0) break;
  notices.push(chunk, length, (slot, used) => {
    readSync(4, bytes, 0, used, slot * blockBytes);
    reader.begin(0, used);
    while (reader.next()) {
      const record = { index: reader.conversation, begins: (reader.flags & recordBegins) !== 0,
        isLast: (reader.flags & recordIsLast) !== 0,
        givesUp: (reader.flags & recordGivesUp) !== 0 };
      if (record.begins) {
        numbers.set(record.index, bytes[reader.packetOffset + 28]);
        packetCounts.set(record.index, 0);
      }
      if (!record.givesUp) packetCounts.set(record.index, packetCounts.get(record.index) + 1);
      const conversation = numbers.get(record.index), packetCount = packetCounts.get(record.index);
      const verdict = () => say(record.index, (conversation + 1) << 16);
      ${script};
    }
    say(releaseMark, slot);
  });
}
`;
}

/** Detects at the third packet, or when asked to give up. */
const detects = 'if (packetCount === 3 && !record.givesUp || record.givesUp) verdict()';

/** A namer on a scripted child, fed with numbered conversations. */
class World {
  readonly emitted: { conversation: number; name: string; source: string }[] = [];
  readonly given: number[] = [];
  namer!: NdpiNamer;
  timeMs = 1_000_000;
  readonly #folder = mkdtempSync(join(tmpdir(), 'natlens-namer-'));
  readonly #dictionaries = createDictionaries();
  readonly #packets = createPacketBatch(64);
  readonly #headers = header.createHeaderSlab(64);
  readonly #flows = createFlowBatch(16, this.#dictionaries);

  async open(script: string, options: NdpiNamerOptions = {}, greeting = 'greet(ready)'): Promise<this> {
    const childFile = join(this.#folder, 'child.mjs');
    writeFileSync(childFile, childSource(script, greeting));
    const settings = { childFile, restartPauseMs: 1, restartPauseMsMax: 20, waitingBatchRows: 4, blockBytes: 65_552,
      ...options };
    this.namer = await createNdpiNamer(settings, (flows) => {
      for (let row = 0; row < flows.rowCount; row++) {
        this.emitted.push({
          conversation: flows.columns.destinationTransportPort[row] as number,
          name: this.#dictionaries.applicationName.decode(flows.columns.applicationName[row] as number),
          source: this.#dictionaries.applicationNameSource.decode(flows.columns.applicationNameSource[row] as number),
        });
      }
    });
    return this;
  }

  /** A UDP packet of each of the conversations. @param payloadBytes at least 1 */
  packets(conversations: readonly number[], payloadBytes = 4): void {
    const length = 28 + payloadBytes;
    const packets = this.#packets;
    packets.data = new Uint8Array(length * conversations.length);
    const view = new DataView(packets.data.buffer);
    conversations.forEach((conversation, row) => {
      const at = row * length;
      packets.data.set([0x45, 0, length >> 8, length & 255, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], at);
      view.setUint16(at + 20, 5_000);
      view.setUint16(at + 22, conversation);
      view.setUint16(at + 24, 8 + payloadBytes);
      packets.data[at + 28] = conversation;
      packets.timeMicroseconds[row] = this.timeMs * 1000;
      packets.networkOffset[row] = at;
      packets.networkBytes[row] = length;
      const { words, doubles } = this.#headers;
      const head = row * header.headerWords;
      doubles[row * header.headerDoubles + header.hTime] = this.timeMs * 1000;
      words.set([0, 0, 0xffff, 0x0a000001], head + header.hSource);
      words.set([0, 0, 0xffff, 0x0a000002], head + header.hDestination);
      words[head + header.hPorts] = 5_000 * 0x10000 + conversation;
      words[head + header.hProtocol] = 4 * 256 + 17;
      words[head + header.hPacketRow] = row;
      words[head + header.hState] = header.slotWhole;
    });
    packets.rowCount = conversations.length;
    this.namer.observe(packets, this.#headers, Uint32Array.from(conversations.keys()), conversations.length);
  }

  /** A flow record of each of the conversations. */
  flows(conversations: readonly number[]): void {
    this.given.push(...conversations);
    const flows = this.#flows;
    conversations.forEach((conversation, row) => {
      clearRow(flows, row);
      flows.columns.sourceAddress.set([0, 0, 0xffff, 0x0a000001], row * 4);
      flows.columns.destinationAddress.set([0, 0, 0xffff, 0x0a000002], row * 4);
      flows.columns.sourceTransportPort[row] = 5_000;
      flows.columns.destinationTransportPort[row] = conversation;
      flows.columns.protocolIdentifier[row] = 17;
    });
    flows.rowCount = conversations.length;
    this.namer.name(flows);
  }

  async untilNamed(condition: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 500 && !condition(); i++) await sleep(10);
    assert.ok(condition(), what);
  }

  names(): string[] {
    return this.emitted.map(({ name }) => name);
  }

  /** Ends, and asserts what holds whatever happened. */
  async end(): Promise<Record<string, number>> {
    await this.namer.end();
    rmSync(this.#folder, { recursive: true });
    assert.deepEqual(this.emitted.map(({ conversation }) => conversation), this.given, 'every flow once, in order');
    const counts = this.namer.counts();
    const rows = Object.entries(counts).filter(([key]) => /^(?:named|unnamed)/.test(key));
    const sum = rows.reduce((total, [, count]) => total + count, 0);
    assert.equal(sum, this.given.length, JSON.stringify(counts));
    for (const { conversation, name, source } of this.emitted) {
      assert.ok(name === '' || name === `P${conversation}`, `${conversation} is named ${name}`);
      assert.equal(source, name === '' ? 'none' : 'ndpi');
    }
    return counts;
  }
}

const times = (count: number, conversation: number): number[] => Array.from({ length: count }, () => conversation);

test('flows wait for the verdict on their conversation and keep their order', async () => {
  const world = await new World().open(detects);
  assert.equal(world.namer.version, 'fake');
  world.packets([1, 2, 2]);
  world.flows([1, 2, 3, 1]);
  world.packets([2, 1]);
  world.flows([2, 1]);
  const counts = await world.end();
  assert.deepEqual(world.names(), ['P1', 'P2', '', 'P1', 'P2', 'P1']);
  assert.equal(counts.unnamedNotInspected, 1);
  assert.equal(counts.packetsInspected, 5);
});

test('nothing is sent after 25 packets of UDP: a verdict is due then', async () => {
  const world = await new World().open(
    'if (record.isLast && packetCount === 25) verdict(); else if (packetCount >= 25) die()');
  world.packets(times(60, 1));
  world.flows([1]);
  const counts = await world.end();
  assert.deepEqual(world.names(), ['P1']);
  assert.equal(counts.packetsInspected, 25);
  assert.equal(counts.childRestarts, 0);
});

test('a child that dies takes the names of what it inspected along, and nothing else; names come back', async () => {
  const world = await new World().open(`if (run === 0 && conversation === 2) die(); ${detects}`, { holdMsMax: 60_000 });
  world.packets(times(3, 1));
  world.flows([1]);
  await world.untilNamed(() => world.emitted.length === 1, 'the first is named');
  world.packets([2, 3]);
  world.flows([2, 3]);
  world.packets([2]);
  await world.untilNamed(() => world.emitted.length === 3, 'flows of a dead child are handed on');
  world.packets([...times(3, 2), ...times(3, 4)]);
  world.flows([2, 4, 1]);
  const counts = await world.end();
  assert.deepEqual(world.names(), ['P1', '', '', 'P2', 'P4', 'P1']);
  assert.equal(counts.unnamedChildDied, 2);
  assert.equal(counts.childRestarts, 1);
});

test('a child killed again and again: flows keep coming, names come back', async () => {
  const world = await new World().open(detects, { holdMsMax: 60_000 });
  for (let round = 0; round < 6; round++) {
    const named = (): number => world.names().filter((name) => name !== '').length;
    const before = named();
    world.packets(times(3, 10 + round));
    world.flows([10 + round]);
    await world.untilNamed(() => world.emitted.length === world.given.length, 'the flow is handed on');
    world.packets(times(3, 20 + round));
    world.flows([20 + round]);
    await world.untilNamed(() => world.emitted.length === world.given.length, 'the flow is handed on');
    assert.ok(named() > before, `a name in round ${round}`);
    world.packets([30 + round]);
    world.flows([30 + round]);
    world.namer.killChild();
    await world.untilNamed(() => world.emitted.length === world.given.length,
      'the flow of the killed child is handed on');
  }
  const counts = await world.end();
  assert.equal(counts.unnamedChildDied, 6);
  assert.ok((counts.named ?? 0) >= 12);
  assert.ok((counts.childRestarts ?? 0) >= 5);
});

test('a child that never comes back is given up after some starts; flows go on without names', async () => {
  const world = await new World().open(detects, { holdMsMax: 60_000, fruitlessStartsMax: 3 },
    'if (run === 0) greet(ready); else die()');
  world.packets([1]);
  world.flows([1]);
  world.namer.killChild();
  await world.untilNamed(() => {
    world.packets([2]);
    world.flows([2]);
    return (world.namer.counts().unnamedChildGone ?? 0) > 0;
  }, 'the child is given up');
  assert.equal(world.namer.whenReady(), undefined);
  world.packets([3]);
  world.flows([3]);
  const counts = await world.end();
  assert.equal(counts.childRestarts, 3);
  assert.equal(world.names().at(-1), '');
});

test('a child that falls silent is killed', async () => {
  const world = await new World().open('if (run === 0) for (;;) {} ; ' + detects, { silenceMsMax: 1_000 });
  world.packets([1]);
  world.flows([1]);
  const counts = await world.end();
  assert.deepEqual(world.names(), ['']);
  assert.equal(counts.unnamedChildDied, 1);
});

test('a child that talks nonsense is replaced', async () => {
  const world = await new World().open(`if (run === 0) say(0xffffffff, 0xffffffff); ${detects}`, { holdMsMax: 60_000 });
  world.packets([1]);
  world.flows([1]);
  // Nothing is asked of a child that is behind: the packet above is still in a block.
  await world.untilNamed(() => world.emitted.length === 1, 'the flow is handed on');
  world.packets(times(3, 1));
  world.flows([1]);
  const counts = await world.end();
  assert.deepEqual(world.names(), ['', 'P1']);
  assert.equal(counts.childRestarts, 1);
});

test('a child that cannot start is an error of the environment, before any flow is taken', async () => {
  for (const [greeting, expected] of [
    ['greet({ kind: "failed", code: "ndpi-absent", message: "none" })', { code: 'ndpi-absent', message: 'none' }],
    ['greet({ kind: "failed", code: "ndpi-unknown-version", message: "unknown" })',
      { code: 'ndpi-unknown-version', message: 'unknown' }],
    ['console.error("boom"); process.exit(1)', { code: 'ndpi-failed', message: /boom/ }],
    ['die()', { code: 'ndpi-failed', message: /did not start/ }],
  ] as const) {
    await assert.rejects(new World().open(detects, {}, greeting), expected, greeting);
  }
});

test('conversations beyond the limit make the oldest give way, with the name that it has by then', async () => {
  const world = await new World().open(detects, { conversationsMax: 3 });
  for (let conversation = 1; conversation <= 30; conversation++) {
    world.packets([conversation]);
    world.flows([conversation]);
    await world.namer.whenReady();
  }
  const counts = await world.end();
  assert.equal(counts.conversations, 30);
  assert.equal(counts.conversationsEvicted, 27);
  assert.equal(counts.named, 30);
});

test('too many flows that wait: the oldest conversations are given up, and the caller is asked to wait', async () => {
  const world = await new World().open(detects, { waitingFlowsMax: 5 });
  for (let conversation = 1; conversation <= 40; conversation++) {
    world.packets([conversation]);
    world.flows([conversation]);
    const ready = world.namer.whenReady();
    assert.equal(ready !== undefined, world.given.length - world.emitted.length > 5);
    if (ready !== undefined) await ready;
    assert.ok(world.given.length - world.emitted.length <= 5);
  }
  const counts = await world.end();
  assert.equal(counts.named, 40);
  assert.ok((counts.conversationsWaitingFull ?? 0) >= 30, JSON.stringify(counts));
});

test('a caller that does not wait loses names, but no flow, and memory stays bounded', async () => {
  const world = await new World().open(detects, { waitingFlowsMax: 5 });
  for (let conversation = 1; conversation <= 40; conversation++) {
    world.packets([conversation]);
    world.flows([conversation]);
    assert.ok(world.given.length - world.emitted.length <= 5 * 2 + 2 * 4);
  }
  const counts = await world.end();
  assert.ok((counts.unnamedWaitingFull ?? 0) >= 20, JSON.stringify(counts));
});

test('a full queue asks the caller to wait, and refuses packets when it does not', async () => {
  const patient = await new World().open(detects, { queueBytesMax: 100_000 });
  let waited = 0;
  for (let i = 0; i < 40; i++) {
    patient.packets(times(3, i), 20_000);
    patient.flows([i]);
    const ready = patient.namer.whenReady();
    if (ready !== undefined) waited++;
    await ready;
  }
  assert.ok(waited > 5);
  assert.equal((await patient.end()).named, 40);

  const hasty = await new World().open(detects, { queueBytesMax: 100_000 });
  for (let i = 0; i < 40; i++) {
    hasty.packets(times(3, i), 20_000);
    hasty.flows([i]);
  }
  const counts = await hasty.end();
  assert.ok((counts.unnamedChildBehind ?? 0) > 20, JSON.stringify(counts));
  assert.ok((counts.named ?? 0) > 0);
});

test('live: a flow waits no longer than it may', async () => {
  const world = await new World().open('if (record.givesUp) verdict()', { holdMsMax: 500 });
  world.packets([1, 2]);
  world.flows([1]);
  world.timeMs += 400;
  world.packets([2]);
  world.flows([2]);
  await sleep(50);
  assert.equal(world.emitted.length, 0);
  world.timeMs += 150;
  world.packets([3]);
  await world.untilNamed(() => world.emitted.length === 1, 'the first flow is handed on');
  assert.deepEqual(world.names(), ['P1']);
  const counts = await world.end();
  assert.equal(counts.conversationsHeldTooLong, 1);
});

test('live: time lets flows go although no packet comes', async () => {
  const world = await new World().open('if (record.givesUp) verdict()', { holdMsMax: 500 });
  world.packets([1]);
  world.flows([1]);
  world.namer.advance?.(world.timeMs + 400);
  await sleep(50);
  assert.equal(world.emitted.length, 0);
  world.namer.advance?.(world.timeMs + 600);
  await world.untilNamed(() => world.emitted.length === 1, 'the flow is handed on');
  assert.deepEqual(world.names(), ['P1']);
  await world.end();
});
