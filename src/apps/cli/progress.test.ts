/** Progress on a clock and a stream of the test's own: nothing on short work, a line that renews itself, or lines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#base';
import { Progress } from './progress.ts';

/** A stream that keeps what is written. */
function createStream(isTTY: boolean): { written: string[]; stream: NodeJS.WriteStream } {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) > 0 } as unknown as NodeJS.WriteStream;
  return { written, stream };
}

/** Ticks every 50 ms of the given time. @returns what was written, how often the line was made */
function work(durationMs: number, isTTY: boolean, isOff = false): { written: string[]; madeCount: number } {
  const clock = new VirtualClock(1_000_000);
  const { written, stream } = createStream(isTTY);
  const progress = new Progress(isOff, clock, stream);
  let madeCount = 0;
  for (let passedMs = 0; passedMs < durationMs; passedMs += 50) {
    clock.advance(50);
    progress.tick(() => {
      madeCount++;
      return `after ${progress.seconds} s`;
    });
  }
  progress.end();
  return { written, madeCount };
}

test('short work shows nothing', () => {
  for (const isTTY of [true, false]) assert.deepEqual(work(1_950, isTTY), { written: [], madeCount: 0 });
});

test('on a terminal one line renews itself and is gone at the end', () => {
  const { written, madeCount } = work(3_000, true);
  const line = (seconds: number): string => `\r\x1b[Kafter ${seconds} s`;
  assert.deepEqual(written, [line(2), line(2.25), line(2.5), line(2.75), line(3), '\r\x1b[K']);
  assert.equal(madeCount, 5);
});

test('elsewhere a line every ten seconds', () => {
  assert.deepEqual(work(25_000, false).written, ['after 2 s\n', 'after 12 s\n', 'after 22 s\n']);
});

test('quiet is quiet', () => {
  assert.deepEqual(work(60_000, true, true), { written: [], madeCount: 0 });
});
