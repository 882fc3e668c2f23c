/** The verdicts in memory: what is told, what waits to be written, what expires, is pruned and forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Evidence, EvidenceChange } from '#evidence';
import { verdictDefaults, type DecisionRule } from '#verdict';
import { VerdictBook } from './verdict-book.ts';

const bucketMs = 60_000;
const model = 'webcam.Test.One';

const changeOf = (home: string, window: number, score: number, deviceModel = model): EvidenceChange => ({
  home, deviceModel, classifier: 'ab'.repeat(32), windowEndMs: window * bucketMs, score,
  firstFlowMs: window * bucketMs - bucketMs, flowsADay: undefined, flowMs: window * bucketMs - 1,
});
const evidenceOf = ({ home, deviceModel, classifier, windowEndMs, score }: EvidenceChange): Evidence => ({
  home, deviceModel, classifier, windowStartMs: windowEndMs - 3_600_000, windowEndMs, score, tokens: [],
});

const rule: DecisionRule = {
  presentScoreOf: () => 3, keepScoreOf: () => 1, pValueOf: () => undefined, group: [],
};

function newBook(): { book: VerdictBook; apply: (change: EvidenceChange) => string | undefined; asked: number } {
  const seen = {
    book: new VerdictBook(verdictDefaults), asked: 0,
    apply: (change: EvidenceChange) => seen.book.apply(change, () => {
      seen.asked++;
      return evidenceOf(change);
    }, rule)?.state,
  };
  return seen;
}

test('only a change of state is told; evidence is asked for only then', () => {
  const seen = newBook();
  assert.equal(seen.apply(changeOf('a', 100, 1)), undefined);
  assert.equal(seen.asked, 0);
  assert.equal(seen.apply(changeOf('a', 101, 3)), 'present');
  assert.equal(seen.asked, 1);
  assert.equal(seen.apply(changeOf('a', 102, 4)), undefined);
  assert.equal(seen.book.find('a', model)?.supportedMs, 102 * bucketMs);
  assert.deepEqual(seen.book.countByState(), { present: 1, 'not yet': 0 });
  assert.equal(seen.book.find('a', 'plug.Test.Two'), undefined);
  assert.deepEqual(seen.book.ofHome('b'), []);
});

test('what changed waits to be written until it was, also what is only supported on', () => {
  const { book, apply } = newBook();
  apply(changeOf('a', 101, 3));
  apply(changeOf('b', 101, 3, 'plug.Test.Two'));
  assert.deepEqual(book.unsaved().map(({ home, deviceModel, verdict }) => [home, deviceModel, verdict?.state]),
    [['a', model, 'present'], ['b', 'plug.Test.Two', 'present']]);
  assert.equal(book.unsaved().length, 2, 'looking is not writing');
  book.markSaved();
  assert.deepEqual(book.unsaved(), []);
  apply(changeOf('a', 110, 2));
  assert.deepEqual(book.unsaved().map(({ verdict }) => verdict?.supportedMs), [110 * bucketMs]);
});

test('verdicts expire once, at their time', () => {
  const { book, apply } = newBook();
  apply(changeOf('a', 101, 3));
  apply(changeOf('b', 200, 3));
  book.markSaved();
  const endMs = 101 * bucketMs + verdictDefaults.expiryMs;
  assert.deepEqual(book.expire(endMs - 1), []);
  assert.deepEqual(book.expire(endMs).map(({ home, state, sinceMs }) => [home, state, sinceMs]),
    [['a', 'not yet', endMs]]);
  assert.deepEqual(book.expire(endMs), []);
  assert.deepEqual(book.unsaved().map(({ home }) => home), ['a']);
  assert.deepEqual(book.countByState(), { present: 1, 'not yet': 1 });
  assert.equal(apply(changeOf('a', 101 + verdictDefaults.expiryMs / bucketMs, 3)), 'present');
  assert.equal(book.find('a', model)?.episode, 2);
});

test('prune drops what ended long ago, and has it dropped on disk; what is present stays', () => {
  const { book, apply } = newBook();
  apply(changeOf('a', 101, 3));
  apply(changeOf('b', 101, 3));
  const endMs = 101 * bucketMs + verdictDefaults.expiryMs;
  book.expire(endMs);
  apply(changeOf('b', endMs / bucketMs, 3));
  book.markSaved();
  book.prune(endMs, () => false);
  assert.equal([...book.all()].length, 2, 'it ended just then');
  book.prune(endMs + 1, (home) => home === 'a');
  assert.equal([...book.all()].length, 2, 'its actions are remembered: the next episode must be the second');
  book.prune(endMs + 1, () => false);
  assert.deepEqual([...book.all()].map(({ home }) => home), ['b']);
  assert.deepEqual(book.unsaved(), [{ home: 'a', deviceModel: model, verdict: undefined }]);
});

test('a forgotten home leaves nothing, neither to be written nor to be dropped', () => {
  const { book, apply } = newBook();
  apply(changeOf('a', 101, 3));
  assert.ok(book.forget('a'));
  assert.deepEqual([book.unsaved(), [...book.all()]], [[], []]);
  assert.ok(!book.forget('a'));
});

test('what an earlier run left is taken over, and needs no writing', () => {
  const { book, apply } = newBook();
  apply(changeOf('a', 101, 3));
  const restored = new VerdictBook(verdictDefaults);
  restored.restore(book.all());
  assert.deepEqual([...restored.all()], [...book.all()]);
  assert.deepEqual(restored.unsaved(), []);
  assert.equal(restored.apply(changeOf('a', 102, 3), () => assert.fail('it is present already'), rule), undefined);
});
