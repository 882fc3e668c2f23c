/** Hours of a recording, days of drift, and the drawing of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noToken } from '#evidence';
import { measureReference, type DriftHour } from '#verdict';
import { batchOf, makeFlows } from '../../../test/support/labelled-flows.ts';
import { createRecording, type Recording } from '../homes/recording.ts';
import { cutHours } from './drift-hours.ts';
import { drawDrift } from './draw-drift.ts';
import { watchDrift } from './watch-drift.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const midnightMs = Date.UTC(2026, 0, 5);
const unit = { device: 'unit-1', deviceModel: 'webcam.Test.One', kind: 'iot' } as const;

/** A recording of flows that end so many minutes after midnight. */
function recordAt(minutes: readonly number[]): Recording {
  const [flow] = makeFlows(1, 1, { octets: 100 });
  assert.ok(flow !== undefined);
  // Flows of `batchOf` last ten milliseconds for each octet.
  const batch = batchOf(minutes.map((minute) => ({ ...flow, startMs: midnightMs + minute * minuteMs - 1_000 })));
  const recording = createRecording(unit, batch, 0, batch.rowCount);
  assert.ok(recording !== undefined);
  return recording;
}

test('whole hours of each session, distinct tokens once, and no hours in pauses', () => {
  // Two hours and a half, a pause, and a set-up of two minutes.
  const minutes = [0, 10, 50, 70, 71, 110, 119, 130, 150, 400, 402];
  const tokens = Uint32Array.from([0, 0, 1, noToken, 1, noToken, 2, 0, 0, 2, noToken]);
  const hours = cutHours(recordAt(minutes), tokens, [4, 2, 0.5]);
  assert.deepEqual(hours, [
    { startMs: midnightMs, flows: 3, explained: 3, tokenWeight: 6 },
    { startMs: midnightMs + hourMs, flows: 4, explained: 2, tokenWeight: 2.5 },
    { startMs: midnightMs + 400 * minuteMs, flows: 2, explained: 1, tokenWeight: 0.5 },
  ]);
  assert.deepEqual(cutHours(recordAt(minutes), tokens, undefined).map(({ tokenWeight }) => tokenWeight),
    [undefined, undefined, undefined]);
});

test('an hour without a flow inside a session is none', () => {
  // Pauses of just under an hour: the second hour after the first flow holds one flow, none is empty by chance.
  const hours = cutHours(recordAt([0, 59, 118, 177, 236]), new Uint32Array(5), [1]);
  assert.deepEqual(hours.map(({ flows }) => flows), [2, 1, 1]);
});

function hoursFrom(firstHour: number, count: number, explained: number): DriftHour[] {
  return Array.from({ length: count }, (_, i) => ({
    startMs: midnightMs + (firstHour + i) * hourMs, flows: 20, explained: explained - i % 2, tokenWeight: explained,
  }));
}

test('days say what was seen, and drift is said at the end of the half day that shows it', () => {
  const reference = measureReference(hoursFrom(0, 48, 20));
  assert.ok(reference !== undefined);
  const quiet = watchDrift(reference, hoursFrom(48, 48, 20));
  assert.deepEqual([quiet.driftedMs, quiet.days.map(({ isDrifted }) => isDrifted)], [undefined, [false, false]]);
  // From 14 o'clock of the second day on; ten hours of that half day are enough.
  const changed = watchDrift(reference, [...hoursFrom(48, 38, 20), ...hoursFrom(86, 34, 8)].reverse());
  assert.equal(changed.driftedMs, midnightMs + 96 * hourMs);
  assert.deepEqual(changed.days.map(({ isDrifted }) => isDrifted), [false, true, true]);
  const [first, , last] = changed.days;
  assert.deepEqual([first?.dayMs, first?.hours, first?.flows, first?.tokenRecall],
    [midnightMs + 48 * hourMs, 24, 480, 1]);
  assert.equal(last?.tokenRecall, 0.4);
  // Two hours are not judged, and say so.
  const short = watchDrift(reference, hoursFrom(48, 2, 2));
  assert.deepEqual([short.driftedMs, short.days[0]?.p], [undefined, undefined]);
});

test('the drawing is one SVG that stands alone and says what it shows', () => {
  const reference = measureReference(hoursFrom(0, 48, 20));
  assert.ok(reference !== undefined);
  const svg = drawDrift('webcam.<Test>.One', watchDrift(reference, hoursFrom(48, 72, 6)), 'of a test');
  assert.match(svg, /^<svg [^]*<\/svg>$/);
  assert.match(svg, /webcam\.&lt;Test&gt;\.One[^]*Drift from 2026-01-07T12:00 UTC on\.[^]*of a test/);
  assert.doesNotMatch(svg, /var\(--|<style|NaN/);
  const plain = measureReference(hoursFrom(0, 48, 20).map((hour) => ({ ...hour, tokenWeight: undefined })));
  assert.ok(plain !== undefined);
  const drawn = drawDrift('a.b.c', watchDrift(plain, hoursFrom(48, 24, 20)), 'of a test');
  assert.match(drawn, /1 days without drift/);
  assert.doesNotMatch(drawn, /of the reference</);
});
