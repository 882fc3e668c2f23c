/** Two ways of numbering messages: each exporter's losses are counted by its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { createNumberedPlace, SequenceNumbering } from './numbering.ts';

type Sent = { sequence: number; records: number; options: number };

/** Messages of an exporter that numbers by the RFC, or one that gives the number behind its flows. */
function send(random: Random, count: number, isAfter: boolean, first: number): Sent[] {
  let before = first;
  return Array.from({ length: count }, () => {
    const flows = random.integer(1, 30);
    const options = random.chance(0.1) ? 1 : 0;
    const sequence = (isAfter ? before + flows : before) >>> 0;
    before += isAfter ? flows : flows + options;
    return { sequence, records: flows + options, options };
  });
}

function account(messages: readonly Sent[]): { numbering: SequenceNumbering; totals: number[] } {
  const numbering = new SequenceNumbering();
  for (const { sequence, records, options } of messages) {
    numbering.observe({
      ...createNumberedPlace(), sequence, units: records, decoded: records, flowUnits: records - options,
      flowsDecoded: records - options, isIpfix: true,
    });
  }
  const { gaps, lostUnits, reordered, restarts } = numbering.account;
  return { numbering, totals: [gaps, lostUnits, reordered, restarts] };
}

test('property: no loss is seen where there is none, whichever way an exporter numbers', () => {
  const numbers = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(fc.property(fc.integer(), fc.boolean(), numbers, (seed, isAfter, first) => {
    const { numbering, totals } = account(send(new Random(seed), 60, isAfter, first));
    assert.deepEqual([numbering.numbersAfter, totals], [isAfter, [0, 0, 0, 0]]);
  }), { numRuns: 300 });
});

test('property: what is lost is counted by the exporter\'s own numbering', () => {
  fc.assert(fc.property(fc.integer(), fc.boolean(), (seed, isAfter) => {
    const random = new Random(seed);
    const sent = send(random, 80, isAfter, 0);
    const lost = new Set([10, 40, 41]);
    const { totals } = account(sent.filter((_, i) => !lost.has(i)));
    const units = [...lost].reduce((sum, i) => {
      const { records, options } = sent[i] as Sent;
      return sum + (isAfter ? records - options : records);
    }, 0);
    assert.deepEqual(totals, [2, units, 0, 0]);
  }), { numRuns: 300 });
});

test('messages of one size fit both ways: the RFC\'s holds', () => {
  const messages = Array.from({ length: 20 }, (_, i) => ({ sequence: i * 5, records: 5, options: 0 }));
  assert.equal(account(messages).numbering.numbersAfter, false);
  // Two messages that were lost are lost by either way.
  assert.deepEqual(account(messages.filter((_, i) => i !== 7 && i !== 9)).totals, [2, 10, 0, 0]);
});
