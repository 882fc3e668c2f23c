/** Windows of terms: every event in one of them, empty ones kept, and lists of who showed what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatorError } from '#base';
import {
  countWindows, cutWindows, listModelsOfTerms, listRegularTerms, listShownTerms, makeOf, regularShare, sumWindows,
  type TermUnit,
} from './name-windows.ts';

const texts = ['', 'a', 'b', 'b'];

test('windows by hand: borders, empty windows, events without a term, texts that are one', () => {
  const timeMs = Float64Array.of(1_000, 1_999, 2_000, 5_999, 7_000);
  const windows = cutWindows({ timeMs, code: Uint32Array.of(1, 2, 3, 1, 0) }, texts, 1_000);
  assert.deepEqual(windows.map((window) => [...window]),
    [[['a', 1], ['b', 1]], [['b', 1]], [], [], [['a', 1]], [], []]);
  assert.deepEqual(cutWindows({ timeMs: new Float64Array(0), code: new Uint32Array(0) }, texts, 1_000), []);
});

test('any events: all with a term are counted once, in windows from the first event to the last', () => {
  const event = fc.tuple(fc.integer({ min: 0, max: 50_000 }), fc.integer({ min: 0, max: 3 }));
  const events = fc.array(event, { minLength: 1 });
  fc.assert(fc.property(events, fc.integer({ min: 1, max: 9_999 }), (unordered, windowMs) => {
    const ordered = unordered.sort(([a], [b]) => a - b);
    const timeMs = Float64Array.from(ordered, ([time]) => time);
    const windows = cutWindows({ timeMs, code: Uint32Array.from(ordered, ([, code]) => code) }, texts, windowMs);
    const total = [...sumWindows(windows).values()].reduce((sum, count) => sum + count, 0);
    assert.equal(total, ordered.filter(([, code]) => code !== 0).length);
    const [first = 0, last = 0] = [timeMs[0], timeMs.at(-1)];
    assert.equal(windows.length, Math.floor(last / windowMs) - Math.floor(first / windowMs) + 1);
  }));
});

test('events that lie ages apart by a wrong clock are refused in one sentence', () => {
  const code = Uint32Array.of(1, 1);
  assert.throws(() => cutWindows({ timeMs: Float64Array.of(0, 1_790_000_000_000), code }, texts, 600_000),
    (error: unknown) => error instanceof OperatorError && /lie 20718 days apart: the clock/.test(error.message));
});

test('who showed what: IoT by device model, all else together', () => {
  const unit = (deviceModel: string, kind: TermUnit['kind'], ...terms: string[]): TermUnit =>
    ({ name: terms.join(), deviceModel, kind, windows: [new Map(), new Map(terms.map((term) => [term, 1]))] });
  const shown = listShownTerms([unit('x.Y.z', 'iot', 'a'), unit('x.Y.z', 'iot', 'b'), unit('x.Y.w', 'iot', 'b'),
    unit('laptop', 'non-iot', 'c')]);
  assert.deepEqual([...shown.byModel].map(([deviceModel, terms]) => [deviceModel, [...terms]]),
    [['x.Y.z', ['a', 'b']], ['x.Y.w', ['b']]]);
  assert.deepEqual([...shown.ofNonIot], ['c']);
  assert.deepEqual([...listModelsOfTerms(shown)], [['a', ['x.Y.z']], ['b', ['x.Y.z', 'x.Y.w']]]);
  assert.deepEqual(['x.Y.z', 'laptop'].map(makeOf), ['Y', 'laptop']);
});

test('regular terms: in a share of the windows with any, of all units of the device model together', () => {
  const windowOf = (...terms: string[]): Map<string, number> => new Map(terms.map((term) => [term, 5]));
  const unit = (deviceModel: string, ...windows: Map<string, number>[]): TermUnit =>
    ({ name: deviceModel, deviceModel, kind: 'iot', windows });
  const units = [
    unit('a.B.c', windowOf('x', 'y'), windowOf(), windowOf('x')), unit('a.B.c', windowOf('x', 'z')),
    unit('d.E.f', windowOf('z'), windowOf('z')),
  ];
  const listAt = (share: number): string[] => [...listRegularTerms('a.B.c', units, share)].sort();
  assert.deepEqual(countWindows(units.slice(0, 2).flatMap(({ windows }) => windows)),
    new Map([['x', 3], ['y', 1], ['z', 1]]));
  // One of three windows is a third, however it is rounded.
  assert.deepEqual([0, regularShare, 0.34, 1].map(listAt), [['x', 'y', 'z'], ['x', 'y', 'z'], ['x'], ['x']]);
  assert.deepEqual([...listRegularTerms('nobody', units, 0)], []);
});
