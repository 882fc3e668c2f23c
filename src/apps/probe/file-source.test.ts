/** The pace of a capture file, by a virtual clock: packets come when they came, and time passes between them. */
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { VirtualClock } from '#base';
import { encodePcapHeader, openByteSource, PcapChunk, readCapture } from '#capture';
import { simulateHome } from '#sim';
import { FileSource } from './file-source.ts';

/** A capture with one packet at each of the times. */
function writeCapture(timesMs: readonly number[]): string {
  const any = [...simulateHome({ seed: 3, durationS: 60 })].find(({ frame }) => frame[12] === 8 && frame[13] === 0);
  assert.ok(any !== undefined);
  const path = join(mkdtempSync(join(tmpdir(), 'natlens-file-source-')), 'made.pcap');
  const chunk = new PcapChunk();
  for (const timeMs of timesMs) {
    chunk.add({ frame: any.frame, wireBytes: any.frame.length, timeMicroseconds: timeMs * 1_000 });
  }
  writeFileSync(path, Buffer.concat([encodePcapHeader(), chunk.take()]));
  return path;
}

type Event = { atMs: number; packets: number; nowMs: number };

async function play(timesMs: readonly number[], tickMs: number, isPaced = true): Promise<Event[]> {
  const clock = new VirtualClock(5_000);
  const source = await openByteSource(writeCapture(timesMs));
  const file = new FileSource(source, readCapture(source), {
    isPaced, clock,
    sleep: async (durationMs) => clock.advance(durationMs),
  });
  const events: Event[] = [];
  for await (const batch of file.batches(tickMs)) {
    events.push({ atMs: clock.monotonicMs() - 5_000, packets: batch.rowCount, nowMs: file.nowMs() });
  }
  assert.equal(file.counts().rows, timesMs.length);
  await file.close();
  return events;
}

test('packets come at the pace of the capture, with ticks between them', async () => {
  const startMs = 1_700_000_000_000;
  const events = await play([0, 2, 400, 401, 1_300].map((timeMs) => startMs + timeMs), 200);
  const packets = events.filter((event) => event.packets > 0);
  assert.deepEqual(packets.map((event) => [event.atMs, event.packets]), [[0, 2], [400, 2], [1_300, 1]]);
  const ticks = events.filter((event) => event.packets === 0).map(({ atMs }) => atMs);
  // A tick just before a packet may be its turn instead.
  assert.deepEqual(ticks, [200, 600, 800, 1_000, 1_200]);
  for (const { atMs, nowMs } of events) assert.equal(nowMs, startMs + atMs);
});

test('a packet somewhat late comes at once; one of another run begins the pace anew', async () => {
  const startMs = 1_700_000_000_000;
  const events = await play([1_000, 2_000, 1_990, -3_600_000, -3_599_500].map((timeMs) => startMs + timeMs), 10_000);
  assert.deepEqual(events.map((event) => [event.atMs, event.packets]), [[0, 1], [1_000, 2], [1_000, 1], [1_500, 1]]);
  assert.equal(events.at(-1)?.nowMs, startMs - 3_599_500);
});

test('as fast as it goes: no pace and no ticks', async () => {
  const events = await play([0, 1e7, 2e7], 10, false);
  assert.deepEqual(events.map((event) => [event.atMs, event.packets]), [[0, 3]]);
});

test('stopping is heard while it waits', async () => {
  const clock = new VirtualClock(0);
  const source = await openByteSource(writeCapture([0, 3_600_000]));
  let sleeps = 0;
  const file = new FileSource(source, readCapture(source), {
    isPaced: true, clock,
    sleep: async (durationMs) => {
      clock.advance(durationMs);
      if (++sleeps === 3) file.stop();
    },
  });
  let packets = 0;
  for await (const batch of file.batches(1_000)) packets += batch.rowCount;
  assert.equal(packets, 1);
  assert.deepEqual([file.counts().rows, file.counts().frames], [1, 1]);
  assert.ok(sleeps < 10);
  await file.close();
});
