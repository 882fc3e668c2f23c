/** The probe's loop on a source of its own, by a virtual clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counts, formatAddress, InvariantError, VirtualClock, type ProblemCode } from '#base';
import type { PacketBatch } from '#capture';
import { createNoneNamer, createPrefixNamer, Meter, type FlowBatch, type Namer, type Sampling } from '#flow';
import { batchFrames, simulateHome, type CapturedFrame } from '#sim';
import type { PacketSource, SourceCounts } from './packet-source.ts';
import { Probe, type ProbeParts } from './probe.ts';

const frames = [...simulateHome({ seed: 77, durationS: 600 })];
const firstMs = (frames[0] as CapturedFrame).timeMicroseconds / 1_000;

/** Packets of a simulated home as an interface brings them: by the clock, which it moves. */
class ScriptedSource implements PacketSource {
  readonly name = 'wire0';
  readonly isTimed: boolean;
  readonly problems = [];
  rows = 0;
  closes = 0;
  #isStopped = false;
  readonly #clock: VirtualClock;
  readonly #frames: readonly CapturedFrame[];
  readonly #silenceMs: number;

  /** @param silenceMs  how long it goes on behind the last packet */
  constructor(clock: VirtualClock, given: readonly CapturedFrame[], silenceMs: number, isTimed = true) {
    this.#clock = clock;
    this.#frames = given;
    this.#silenceMs = silenceMs;
    this.isTimed = isTimed;
  }

  async *batches(tickMs: number): AsyncGenerator<PacketBatch, void, void> {
    const empty = batchFrames([]);
    const endMs = (this.#frames.at(-1) as CapturedFrame).timeMicroseconds / 1_000 + this.#silenceMs;
    let next = 0;
    while (!this.#isStopped && this.#clock.nowMs() < endMs) {
      this.#clock.advance(tickMs / 2);
      const first = next;
      while (next < this.#frames.length &&
        (this.#frames[next] as CapturedFrame).timeMicroseconds / 1_000 <= this.#clock.nowMs()) next++;
      const batch = next === first ? empty : batchFrames(this.#frames.slice(first, next));
      this.rows += batch.rowCount;
      yield batch;
    }
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async close(): Promise<void> {
    this.closes++;
  }

  counts(): SourceCounts {
    return { frames: this.rows, rows: this.rows, rejected: new Counts<ProblemCode>(), live: undefined };
  }
}

function describe({ columns, rowCount }: FlowBatch): string[] {
  return Array.from({ length: rowCount }, (_, row) => [
    formatAddress(columns.sourceAddress, row * 4), columns.sourceTransportPort[row],
    formatAddress(columns.destinationAddress, row * 4), columns.destinationTransportPort[row],
    columns.flowStartMilliseconds[row], columns.flowEndMilliseconds[row], columns.initiatorPackets[row],
    columns.responderPackets[row], columns.initiatorOctets[row], columns.flowEndReason[row],
  ].join(' '));
}

type Run = { probe: Probe; source: ScriptedSource; clock: VirtualClock; flows: { atMs: number; text: string }[] };

async function runProbe(options: {
  silenceMs?: number; sampling?: Sampling; isTimed?: boolean; frames?: readonly CapturedFrame[];
  parts?: Partial<ProbeParts>;
} = {}): Promise<Run> {
  const clock = new VirtualClock(firstMs);
  const source = new ScriptedSource(clock, options.frames ?? frames, options.silenceMs ?? 0, options.isTimed);
  const flows: Run['flows'] = [];
  const probe = await Probe.open({ meter: {}, sampling: options.sampling, seed: 5 }, {
    openSource: () => source, clock,
    openNamer: async (emit) => createNoneNamer(emit),
    onFlows: (batch) => void flows.push(...describe(batch).map((text) => ({ atMs: clock.nowMs(), text }))),
    ...options.parts,
  });
  await probe.run();
  return { probe, source, clock, flows };
}

function meterAlone(): string[] {
  const flows: string[] = [];
  const meter = new Meter({}, (batch) => void flows.push(...describe(batch)));
  meter.add(batchFrames(frames));
  meter.end();
  return flows.sort();
}

test('the flows are those of the packets alone', async () => {
  const { flows, probe } = await runProbe();
  assert.deepEqual(flows.map(({ text }) => text).sort(), meterAlone());
  assert.equal(probe.counts().meter.flows, flows.length);
  assert.equal(probe.counts().openFlows, 0);
});

test('a flow is handed on when its time is up, though no packet comes any more', async () => {
  const { flows } = await runProbe({ silenceMs: 120_000 });
  assert.ok(flows.length > 50);
  for (const { atMs, text } of flows) {
    const endMs = Number(text.split(' ')[5]);
    // The idle timeout, the reorder window, what the order of the list is exact to, and a few ticks.
    assert.ok(atMs - endMs <= 60_000 + 1_000 + 1_000 + 1_000, `${text} came ${atMs - endMs} ms after its end`);
  }
  assert.ok(flows.every(({ text }) => !text.endsWith(' 4')), 'no flow was cut by the end');
});

test('sampling: one of N is metered, the others are counted', async () => {
  const { probe, source } = await runProbe({ sampling: { way: 'systematic', interval: 10 } });
  const { meter, unsampled } = probe.counts();
  assert.equal(meter.packets + meter.rejected.total(), Math.floor(source.rows / 10));
  assert.equal(meter.packets + meter.rejected.total() + unsampled, source.rows);
});

test('a file as fast as it goes passes no time, and its namer is waited for', async () => {
  let waits = 0;
  let advances = 0;
  const { flows } = await runProbe({
    isTimed: false, silenceMs: 120_000,
    parts: {
      openNamer: async (emit) => ({
        ...createNoneNamer(emit), advance: () => void advances++,
        whenReady: () => (waits++ % 3 === 0 ? Promise.resolve() : undefined),
      }),
    },
  });
  assert.deepEqual(flows.map(({ text }) => text).sort(), meterAlone());
  assert.ok(waits > 0);
  assert.equal(advances, 0);
});

test('live, a namer that is behind stops nobody, and is told the time; whoever takes flows is waited for', async () => {
  let told = -Infinity;
  let taken = 0;
  const { clock } = await runProbe({
    silenceMs: 5_000,
    parts: {
      openNamer: async (emit): Promise<Namer> => ({
        ...createPrefixNamer(emit), whenReady: () => assert.fail('a live namer is never waited for'),
        advance: (nowMs) => {
          assert.ok(nowMs >= told);
          told = nowMs;
        },
      }),
      whenTaken: () => (taken++ % 7 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined),
    },
  });
  assert.ok(clock.nowMs() - told < 1_000);
  assert.ok(taken > 100);
});

test('stopping ends all flows and hands them on', async () => {
  let ticks = 0;
  const opened: { probe?: Probe } = {};
  const clock = new VirtualClock(firstMs);
  const source = new ScriptedSource(clock, frames, 0);
  let flows = 0;
  opened.probe = await Probe.open({ meter: {}, sampling: undefined, seed: 1 }, {
    openSource: () => source, clock, openNamer: async (emit) => createNoneNamer(emit),
    onFlows: (batch) => { flows += batch.rowCount; },
    onTick: () => { if (++ticks === 500) opened.probe?.stop(); },
  });
  await opened.probe.run();
  const { meter, openFlows } = opened.probe.counts();
  assert.ok(source.rows < frames.length);
  assert.equal(meter.packets + meter.rejected.total(), source.rows);
  assert.deepEqual([openFlows, flows], [0, meter.flows]);
});

test('a packet that a source counts and never hands on is our own bug, and stops the run', async () => {
  const clock = new VirtualClock(firstMs);
  const source = new ScriptedSource(clock, frames.slice(0, 100), 0);
  const probe = await Probe.open({ meter: {}, sampling: undefined, seed: 1 }, {
    openSource: () => source, clock, openNamer: async (emit) => createNoneNamer(emit), onFlows: () => undefined,
    onTick: () => { source.rows++; },
  });
  await assert.rejects(probe.run(), InvariantError);
});

test('a source that cannot be opened leaves no namer behind', async () => {
  let ended = 0;
  await assert.rejects(Probe.open({ meter: {}, sampling: undefined, seed: 1 }, {
    openSource: () => { throw new Error('no such wire'); },
    openNamer: async (emit) => ({ ...createNoneNamer(emit), end: async () => { ended++; } }), onFlows: () => undefined,
  }), /no such wire/);
  assert.equal(ended, 1);
});
