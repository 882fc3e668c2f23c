/** What is shown of a home: every part when there is something, one sentence when there is nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleAction, sampleStartMs, sampleVerdict } from '../../../test/support/outbox-sample.ts';
import { formatExplanation, formatForgotten } from './format-explanation.ts';
import type { HomeExplanation } from './home-desk.ts';

const nothing: HomeExplanation = {
  home: 'home-1', pseudonym: 'h-0123456789ab', isListed: true, isOptedOut: false, reasons: [],
  unseen: [], verdicts: [], evidence: [],
  actions: [], withheld: [], audit: [],
};
const { verdict, ...action } = sampleAction();
const full: HomeExplanation = {
  ...nothing, isListed: false, isOptedOut: true,
  verdicts: [sampleVerdict(), sampleVerdict({ deviceModel: 'plug.Test.Two', episode: 3, state: 'not yet' })],
  evidence: verdict.evidence === undefined ? [] : [verdict.evidence],
  actions: [
    { ...action, reference: 'AAAA-BBBB', state: 'done', attempts: 1, nextMs: 0, finishedMs: sampleStartMs + 61_000,
      answer: undefined, detail: 'the server took it' } as unknown as HomeExplanation['actions'][number],
    { ...action, reference: 'CCCC-DDDD', state: 'cancelled', isDryRun: true, attempts: 0, nextMs: 0,
      finishedMs: undefined, answer: undefined, detail: '' } as unknown as HomeExplanation['actions'][number],
  ],
  withheld: [{ home: 'home-1', deviceModel: 'webcam.D_Link.DCS_933L', rung: 'remind', kind: 'mail', code: 'not-due',
    detail: 'reminder 1 is due later' }],
  audit: Array.from({ length: 25 }, (_, i) => ({
    atMs: sampleStartMs + i * 1_000, id: '', home: 'home-1', deviceModel: 'webcam.D_Link.DCS_933L', event: 'planned',
    detail: `row ${i}`,
  }) as unknown as HomeExplanation['audit'][number]),
};

test('a home of which nothing is known but its name', () => {
  assert.equal(formatExplanation(nothing), [
    'Home home-1 (h-0123456789ab in logs)', 'No verdict: no device model was seen.',
    'Nothing speaks for a device model in the latest window.', 'No action was planned.',
  ].join('\n\n'));
});

test('verdicts with what led to them, evidence, actions, what is withheld, the latest of the audit', () => {
  const text = formatExplanation(full);
  const parts = text.split('\n\n');
  assert.equal(parts[0],
    'Home home-1 (h-0123456789ab in logs), not named by the config, OPTED OUT: it is told nothing');
  assert.match(parts[1] ?? '', new RegExp('^webcam\\.D_Link\\.DCS_933L: present since 2026-03-01 12:00:00\n' +
    '  first flow 2026-03-01 11:50:00, last supported by the window up to 2026-03-01 12:00:00\n' +
    '  found because of 2026-03-01 11:00:00 to 2026-03-01 12:00:00: score 3 of 3 tokens\n' +
    '    tcp 443 203\\.0\\.113\\.0/24 9  weight 1, in 2 buckets\n' +
    '    udp 123 198\\.51\\.100\\.0/24 6  weight 1, in 1 bucket\n'));
  assert.match(parts[1] ?? '', /^plug\.Test\.Two: not yet since .*, for the 3\. time$/m);
  assert.match(text, /^Latest window\n.*device model/m);
  assert.match(text, /AAAA-BBBB .* done .*2026-03-01 12:00:00 .*2026-03-01 12:01:01 .*the server took it/);
  assert.match(text, /CCCC-DDDD .*cancelled \(dry\)/);
  assert.match(text, /Not done now\n {2}webcam\.D_Link\.DCS_933L: remind \(mail\): not-due: reminder 1 is due later/);
  assert.ok(!text.includes('row 4 ') && !/row 4$/m.test(text) && /row 5$/m.test(text) && /row 24$/m.test(text),
    'the latest twenty');
});

test('lines have no blanks at their ends, and nothing that changes a terminal', () => {
  const hostile: HomeExplanation = {
    ...full, home: 'a\u001b[2Jb', withheld: [{ ...full.withheld[0], detail: 'x\r\u0007y' } as never],
    actions: full.actions.map((one) => ({ ...one, detail: '550 \u001b]0;title\u0007 no\nsecond \u202e line' })),
    audit: full.audit.map((row) => ({ ...row, detail: 'x\ny\u0000' })),
  };
  const text = formatExplanation(hostile);
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.equal(text.split('\n').length, formatExplanation(full).split('\n').length, 'no line more');
  assert.doesNotMatch(text, / $/m);
});

test('times that are none are a dash', () => {
  const text = formatExplanation({ ...nothing, verdicts: [sampleVerdict({ sinceMs: Infinity, supportedMs: 1e300 })] });
  assert.match(text, /present since -\n.*up to -$/m);
});

test('what was forgotten or released, and what is left to do', () => {
  assert.equal(formatForgotten({ home: 'a', released: 0, remarks: [] }, 'forgotten'), 'forgotten: a');
  assert.equal(formatForgotten({ home: 'a', released: 1, remarks: [] }, 'released'), 'released: a, 1 block ended');
  assert.equal(formatForgotten({ home: 'a', released: 2, remarks: ['Do this.', 'And that.'] }, 'forgotten'),
    'forgotten: a, 2 blocks ended\nDo this.\nAnd that.');
});
