/** Sequence accounting: order, loss, late and copied datagrams, restarts, wrap; each unit counted once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits, Random } from '#base';
import { OpenMessage } from './open-message.ts';
import { SequenceAccount, type SequencePlace, type SequenceVerdict } from './sequence.ts';

type Message = readonly [sequence: number, units: number, startedMs?: number, exportMs?: number];

/** A message; one of unknown units may hold any number of them, and is never understood. */
function placeOf(sequence: number, units: number, startedMs: number, exportMs: number): SequencePlace {
  const message = new OpenMessage(false);
  message.fate = 'cut-set';
  message.unitsMax = Number.POSITIVE_INFINITY;
  return {
    sequence, units, exportMs, startedMs, sentMs: exportMs, decoded: Math.max(units, 0), fate: undefined, drops: 0,
    open: units < 0 ? message.usual : undefined, isAfter: false,
  };
}

function account(messages: readonly Message[]): { verdicts: SequenceVerdict[]; totals: number[] } {
  const sequence = new SequenceAccount();
  const verdicts = messages.map(([number, units, startedMs = Number.NaN, exportMs = 0]) =>
    sequence.observe(placeOf(number, units, startedMs, exportMs)));
  assert.equal(sequence.parts.sum, sequence.parts.sent);
  return { verdicts, totals: [sequence.gaps, sequence.lostUnits, sequence.reordered, sequence.restarts] };
}

test('loss is counted in units; what comes late is taken off again', () => {
  assert.deepEqual(account([[100, 5], [105, 5], [130, 5]]),
    { verdicts: ['first', 'in-order', 'gap'], totals: [1, 20, 0, 0] });
  assert.deepEqual(account([[100, 5], [120, 5], [110, 5]]).totals, [2, 10, 1, 0]);
  assert.deepEqual(account([[100, 5], [120, 5], [110, 5], [105, 5], [115, 5]]).totals, [0, 0, 3, 0]);
});

test('numbers wrap at 2^32', () => {
  assert.deepEqual(account([[0xffff_fffe, 3], [1, 1], [4, 1]]).totals, [1, 2, 0, 0]);
});

test('a restart is known by the clock, or by a number that goes back into no hole', () => {
  assert.deepEqual(account([[500, 1, 1000], [0, 1, 900_000], [1, 1, 900_000]]).totals, [0, 0, 0, 1]);
  // It restarted and has counted on beyond where it was: not a gap.
  assert.deepEqual(account([[5, 1, 1000], [900, 1, 900_000]]).totals, [0, 0, 0, 1]);
  assert.deepEqual(account([[500, 7], [0, 7, NaN, 60_000], [7, 1, NaN, 60_000]]).totals, [0, 0, 0, 1]);
  // The start that is computed of each message jitters by the rounding of seconds.
  assert.deepEqual(account([[1, 1, 1000], [3, 1, 1900], [2, 1, 50]]).totals, [0, 0, 1, 0]);
});

test('a message that the first one has overtaken is late, when its clock says that there was no restart', () => {
  assert.deepEqual(account([[11, 1, 1000], [10, 1, 1000], [12, 1, 1000]]),
    { verdicts: ['first', 'late', 'in-order'], totals: [0, 0, 1, 0] });
  assert.deepEqual(account([[11, 1, 1000], [10, 1, 900_000], [11, 1, 900_000]]).totals, [0, 0, 0, 1]);
  // Without a clock it is late when it was not sent later than the first one; far back it is a restart.
  assert.deepEqual(account([[11, 1], [10, 1], [12, 1]]).totals, [0, 0, 1, 0]);
  assert.deepEqual(account([[11, 1], [10, 1, NaN, 1000]]).totals, [0, 0, 0, 1]);
  assert.deepEqual(account([[90_000, 1], [10, 1]]).totals, [0, 0, 0, 1]);
  // What lies between it and the first one is missing, until it comes too.
  assert.deepEqual(account([[20, 5], [10, 5], [25, 1]]).totals, [1, 5, 1, 0]);
  assert.deepEqual(account([[20, 5], [10, 5], [15, 5], [25, 1]]).totals, [0, 0, 2, 0]);
  assert.deepEqual(account([[90_000, 1, 1000], [10, 1, 1000, 500]]).totals, [0, 0, 0, 1]);
});

test('after a message of unknown length the next one begins anew', () => {
  assert.deepEqual(account([[10, -1], [400, 1], [401, 1]]), { verdicts: ['first', 'in-order', 'in-order'], totals: [0,
    0, 0, 0] });
});

test('a message of templates alone is no loss, no restart and no hole when it comes late', () => {
  // After a restart, behind messages that nobody can read without it, and behind some that could be read.
  assert.deepEqual(account([[500, 7], [0, -1, NaN, 60_000], [3, -1, NaN, 60_000], [0, 0, NaN, 60_000],
    [9, 4, NaN, 60_000], [13, 2, NaN, 60_000]]),
    { verdicts: ['first', 'restart', 'in-order', 'late', 'in-order', 'in-order'], totals: [0, 0, 0, 1] });
  assert.deepEqual(account([[500, 7], [0, 4, NaN, 60_000], [0, 0, NaN, 60_000],
    [4, 4, NaN, 60_000]]).totals, [0, 0, 0, 1]);
  // In the middle of a hole; and in order.
  assert.deepEqual(account([[100, 5], [120, 5], [110, 0], [125, 1]]).totals, [1, 15, 0, 0]);
  assert.deepEqual(account([[100, 5], [105, 0], [105, 5], [110, 1]]).totals, [0, 0, 0, 0]);
  // An exporter that restarts announces its templates first, and what follows may be out of order.
  assert.deepEqual(account([[0, 7], [7, 7], [0, 0, NaN, 60_000], [7, 7, NaN, 60_000], [0, 7, NaN, 60_000],
    [14, 1, NaN, 60_000]]).totals, [0, 0, 1, 1]);
  assert.deepEqual(account([[500, 7], [0, 0, NaN, 60_000], [7, 7, NaN, 60_000], [0, 7, NaN, 60_000],
    [14, 1, NaN, 60_000]]),
    { verdicts: ['first', 'restart', 'gap', 'late', 'in-order'], totals: [0, 0, 1, 1] });
  // The templates come that were missing, in order.
  assert.deepEqual(account([[500, -1], [507, 0], [510, 3], [507, 3], [513, 1]]).totals, [0, 0, 1, 0]);
});

test('copies are looked for where a number is not the next one, and where it is not known which that is', () => {
  const sequence = new SequenceAccount();
  const observe = (number: number, units: number): SequenceVerdict =>
    sequence.observe(placeOf(number, units, Number.NaN, 0));
  assert.equal(sequence.mayBeCopy(100), false);
  observe(100, 5);
  assert.deepEqual([100, 104, 105, 106].map((number) => sequence.mayBeCopy(number)), [true, true, false, true]);
  observe(105, -1);
  assert.equal(sequence.mayBeCopy(110), true);
});

test('holes beyond the limit stay lost', () => {
  const messages: Message[] = Array.from({ length: limits.sequenceHolesMax + 2 }, (_, i) => [i * 10, 1]);
  const gaps = limits.sequenceHolesMax + 1;
  assert.deepEqual(account(messages).totals, [gaps, gaps * 9, 0, 0]);
  // The oldest hole is forgotten: what comes for it looks like a restart.
  assert.deepEqual(account([...messages, [1, 9]]).verdicts.at(-1), 'restart');
});

test('any loss and light reordering: lost units are those that never came', () => {
  fc.assert(fc.property(fc.integer(), fc.integer({ min: 0, max: 0xffff_ffff }), (seed, first) => {
    const random = new Random(seed);
    let next = first;
    const sent: Message[] = Array.from({ length: 60 }, () => {
      const units = random.integer(1, 30);
      const message: Message = [next, units];
      next = (next + units) >>> 0;
      return message;
    });
    const arrived = sent.filter((_, i) => i === 0 || i === sent.length - 1 || random.chance(0.8));
    for (let i = 1; i + 2 < arrived.length; i += 3) {
      if (random.chance(0.5)) [arrived[i], arrived[i + 1]] = [arrived[i + 1] as Message, arrived[i] as Message];
    }
    const sum = (messages: readonly Message[]): number => messages.reduce((total, [, units]) => total + units, 0);
    const { totals: [, lost, , restarts] } = account(arrived);
    assert.deepEqual([lost, restarts], [sum(sent) - sum(arrived), 0]);
  }), { numRuns: 300 });
});
