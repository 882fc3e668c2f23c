/**
 * Judging: hand-made lives of a verdict, then what holds for every one of them. That a stream of flows comes to the
 * verdicts of the definitions is shown with the definitions: src/lab/evaluate/home-evidence.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Evidence, EvidenceChange } from '#evidence';
import { expire, judge, noVerdict } from './judge.ts';
import { verdictDefaults, type Verdict, type VerdictOptions } from './verdict.ts';

const options: VerdictOptions = { policy: 'distinct-tokens', presentScore: 3, keepScore: 1, expiryMs: 10_000 };
const windowMs = 5_000;

function changeOf(windowEndMs: number, score: number, more: Partial<EvidenceChange> = {}): EvidenceChange {
  return {
    home: 'home', deviceModel: 'webcam.Test.One', classifier: 'c1', windowEndMs, score,
    firstFlowMs: windowEndMs - 1_000, flowsADay: undefined, flowMs: windowEndMs - 1, ...more,
  };
}

function evidenceOf({ home, deviceModel, classifier, windowEndMs, score }: EvidenceChange): Evidence {
  return {
    home, deviceModel, classifier, windowStartMs: windowEndMs - windowMs, windowEndMs, score,
    tokens: Array.from({ length: score }, (_, i) => ({ text: `tcp/${i} private 2^1`, weight: 1, buckets: 1 })),
  };
}

function judgeAll(changes: readonly EvidenceChange[], using: VerdictOptions = options,
  start?: Verdict): Verdict | undefined {
  return changes.reduce<Verdict | undefined>((verdict, change) =>
    judge(verdict, change, using, () => evidenceOf(change)) ?? verdict, start);
}

test('present once a window is strong enough, and not before', () => {
  assert.equal(judgeAll([changeOf(1_000, 1), changeOf(2_000, 2)]), undefined);
  const verdict = judgeAll([changeOf(2_000, 2), changeOf(3_000, 3), changeOf(4_000, 1)]);
  assert.deepEqual(verdict, {
    home: 'home', deviceModel: 'webcam.Test.One', classifier: 'c1', state: 'present', episode: 1, sinceMs: 3_000,
    firstFlowMs: 2_000, supportedMs: 4_000, evidence: evidenceOf(changeOf(3_000, 3)),
  });
  assert.ok(Object.isFrozen(verdict));
});

test('hysteresis: a weaker window keeps it, one below the lower score does not', () => {
  const using = { ...options, keepScore: 2 };
  assert.equal(judgeAll([changeOf(3_000, 3), changeOf(5_000, 2), changeOf(7_000, 1)], using)?.supportedMs, 5_000);
});

test('evidence of the leading window is kept up to date, that of later ones is not asked for', () => {
  const present = judgeAll([changeOf(3_000, 3), changeOf(3_000, 4)]) as Verdict;
  assert.equal(present.evidence?.score, 4);
  const later = judge(present, changeOf(4_000, 9), options, () => assert.fail('nobody needs it'));
  assert.equal(later?.evidence?.score, 4);
  assert.equal(judge(present, changeOf(3_000, 4), options, () => evidenceOf(changeOf(3_000, 4))), undefined);
});

test('an earlier window that late flows made strong is the leading one', () => {
  const verdict = judgeAll([changeOf(3_000, 3), changeOf(4_000, 3), changeOf(2_000, 3)]);
  assert.deepEqual([verdict?.sinceMs, verdict?.supportedMs, verdict?.episode], [2_000, 4_000, 1]);
});

test('it expires by its own time, whoever looks when', () => {
  const present = judgeAll([changeOf(3_000, 3)]) as Verdict;
  assert.equal(expire(present, 12_999, options), undefined);
  const expired = expire(present, 13_000, options) as Verdict;
  assert.deepEqual(expired, { ...present, state: 'not yet', sinceMs: 13_000 });
  assert.deepEqual(expire(present, 99_000, options), expired);
  assert.equal(expire(expired, 99_000, options), undefined);
});

test('after its expiry a strong window begins a new episode, a weak one nothing', () => {
  const present = judgeAll([changeOf(3_000, 3)]) as Verdict;
  const expired = expire(present, 20_000, options) as Verdict;
  for (const before of [present, expired]) {
    assert.deepEqual(judgeAll([changeOf(13_000, 2)], options, before), expired);
    const again = judgeAll([changeOf(13_000, 3)], options, before);
    assert.deepEqual([again?.state, again?.episode, again?.sinceMs], ['present', 2, 13_000]);
  }
});

test('late support revives a verdict that had expired too early; other late windows do not', () => {
  const expired = expire(judgeAll([changeOf(3_000, 3)]) as Verdict, 13_000, options) as Verdict;
  const revived = judgeAll([changeOf(12_000, 1)], options, expired);
  assert.deepEqual([revived?.state, revived?.episode, revived?.sinceMs, revived?.supportedMs],
    ['present', 1, 3_000, 12_000]);
  const earlier = judgeAll([changeOf(2_000, 3)], options, expired);
  assert.deepEqual([earlier?.state, earlier?.sinceMs, earlier?.evidence?.windowEndMs], ['not yet', 13_000, 2_000]);
});

test('single-flow: one accepted flow is enough', () => {
  const verdict = judgeAll([changeOf(3_000, 1)], { ...verdictDefaults, policy: 'single-flow' });
  assert.equal(verdict?.state, 'present');
});

test('a newer classifier of the device model goes on with the verdict; of one time the lower digest leads', () => {
  const newer = { classifier: 'c0' };
  const verdict = judgeAll([changeOf(3_000, 3), changeOf(5_000, 3, newer)]);
  assert.deepEqual([verdict?.classifier, verdict?.supportedMs, verdict?.episode], ['c1', 5_000, 1]);
  for (const changes of [[changeOf(3_000, 3), changeOf(3_000, 4, newer)],
    [changeOf(3_000, 4, newer), changeOf(3_000, 3)]]) {
    assert.deepEqual([judgeAll(changes)?.classifier, judgeAll(changes)?.evidence?.score], ['c0', 4]);
  }
});

test('changes of something else, and options that contradict each other, are our own bug', () => {
  const present = judgeAll([changeOf(3_000, 3)]);
  assert.throws(() => judgeAll([changeOf(4_000, 3, { home: 'other' })], options, present), /something else/);
  assert.throws(() => judgeAll([changeOf(4_000, 3)], { ...options, keepScore: 4 }), /no more than/);
});

test('nothing is there before the first episode', () => {
  const none = noVerdict(changeOf(1_000, 1));
  assert.deepEqual([none.state, none.episode, none.evidence], ['not yet', 0, undefined]);
  assert.equal(expire(none, 1e15, options), undefined);
  assert.equal(judgeAll([changeOf(3_000, 3)], options, none)?.episode, 1);
});

/** Windows with growing scores: each comes as often as it grows, in that order. */
const arbitraryWindows = fc.uniqueArray(
  fc.tuple(fc.integer({ min: 1, max: 30 }), fc.constantFrom('c1', 'c2'), fc.array(fc.integer({ min: 1, max: 3 }),
    { minLength: 1, maxLength: 3 })),
  { maxLength: 20, selector: ([second, classifier]) => `${second} ${classifier}` });

function growthsOf([second, classifier, steps]: [number, string, number[]]): EvidenceChange[] {
  let score = 0;
  return steps.map((step) => {
    score += step;
    return changeOf(second * 1_000, score, { classifier });
  });
}

/** Interleaves the growths of all windows as the picks say. */
function interleave(windows: readonly [number, string, number[]][], picks: readonly number[]): EvidenceChange[] {
  const queues = windows.map(growthsOf);
  const changes: EvidenceChange[] = [];
  for (let i = 0; queues.some((queue) => queue.length > 0); i++) {
    const waiting = queues.filter((queue) => queue.length > 0);
    const queue = waiting[(picks[i % picks.length] ?? 0) % waiting.length];
    changes.push(queue?.shift() as EvidenceChange);
  }
  return changes;
}

const arbitraryPicks = fc.array(fc.nat({ max: 19 }), { minLength: 1, maxLength: 60 });
const patient = { ...options, expiryMs: 100_000 };

test('the order in which windows grew does not matter', () => {
  fc.assert(fc.property(arbitraryWindows, arbitraryPicks, (windows, picks) => {
    const inOrder = [...windows].sort((a, b) => a[0] - b[0]).flatMap(growthsOf);
    const [one, other] = [judgeAll(inOrder, patient), judgeAll(interleave(windows, picks), patient)];
    // Support counts while a verdict stands: what came before it did is no support of it. Streams say it again then.
    const again = judgeAll(inOrder, patient, other);
    assert.deepEqual(again, one);
    assert.deepEqual([other?.sinceMs, other?.evidence, other?.episode], [one?.sinceMs, one?.evidence, one?.episode]);
  }));
});

test('looking often changes nothing', () => {
  fc.assert(fc.property(arbitraryWindows, arbitraryPicks, (windows, looks) => {
    const changes = [...windows].sort((a, b) => a[0] - b[0]).flatMap(growthsOf);
    let watched: Verdict | undefined;
    for (const [i, change] of changes.entries()) {
      watched = judgeAll([change], options, watched);
      for (let look = 0; look < (looks[i % looks.length] ?? 0) % 3 && watched !== undefined; look++) {
        watched = expire(watched, change.windowEndMs, options) ?? watched;
        watched = judgeAll([change], options, watched);
      }
    }
    assert.deepEqual(watched, judgeAll(changes, options));
  }));
});

test('no verdict without a window that is strong enough, and every one says which', () => {
  fc.assert(fc.property(arbitraryWindows, arbitraryPicks, (windows, picks) => {
    const changes = interleave(windows, picks);
    const verdict = judgeAll(changes, options);
    const strongest = Math.max(0, ...changes.map(({ score }) => score));
    assert.equal(verdict !== undefined, strongest >= options.presentScore);
    if (verdict === undefined) return;
    assert.ok((verdict.evidence?.score ?? 0) >= options.presentScore);
    assert.ok((verdict.evidence?.windowEndMs ?? Infinity) <= verdict.supportedMs);
  }));
});
