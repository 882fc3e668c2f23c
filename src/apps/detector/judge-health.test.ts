/** Health from what is counted: each reason by itself, what is remembered for a while, and what is not forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthJudge, rememberedMs, silentAfterMs, type HealthSigns } from './judge-health.ts';
import type { HealthCode } from './status.ts';

const startMs = 1_000_000;
const well: HealthSigns = {
  nowMs: startMs, startedMs: startMs, lastFlowMs: undefined, lostUnits: 0, hasSmallBuffer: false, activeClassifiers: 1,
  refusedClassifiers: 0, unfitClassifiers: 0, stateFault: undefined, failingKinds: [], homesRefused: 0, clockSteps: 0,
};
const codes = (judge: HealthJudge, changed: Partial<HealthSigns> = {}): HealthCode[] =>
  judge.judge({ ...well, ...changed }).map(({ code }) => code);

test('nothing wrong is nothing said', () => {
  assert.deepEqual(codes(new HealthJudge()), []);
});

test('each sign has its reason', () => {
  const cases: readonly (readonly [Partial<HealthSigns>, HealthCode])[] = [
    [{ lostUnits: 1 }, 'input-loss'], [{ hasSmallBuffer: true }, 'receive-buffer'],
    [{ activeClassifiers: 0 }, 'no-classifier'], [{ refusedClassifiers: 2 }, 'classifier-refused'],
    [{ unfitClassifiers: 1 }, 'classifier-unfit'], [{ unfitClassifiers: 2 }, 'classifier-unfit'],
    [{ stateFault: 'the disk is full' }, 'state-unwritable'], [{ homesRefused: 3 }, 'homes-full'],
    [{ clockSteps: 1 }, 'clock-stepped'], [{ nowMs: startMs + silentAfterMs + 1 }, 'input-silent'],
    ...(['mail', 'webhook', 'syslog', 'verify', 'block'] as const).map((kind) =>
      [{ failingKinds: [kind] }, `${kind}-failing`] as const),
  ];
  for (const [signs, code] of cases) {
    const reasons = new HealthJudge().judge({ ...well, ...signs });
    assert.deepEqual(reasons.map((reason) => reason.code), [code]);
    assert.match(reasons[0]?.detail ?? '', /^[A-Z\d].*[.?]$/, 'a sentence');
    assert.doesNotMatch(reasons[0]?.detail ?? '', /disk is full/, 'and nothing of what the system said');
  }
});

test('silence counts from the last flow, or from the start', () => {
  const judge = new HealthJudge();
  const nowMs = startMs + 10 * silentAfterMs;
  assert.deepEqual(codes(judge, { nowMs, lastFlowMs: nowMs - silentAfterMs }), []);
  assert.deepEqual(codes(judge, { nowMs, lastFlowMs: nowMs - silentAfterMs - 1 }), ['input-silent']);
  assert.deepEqual(codes(judge, { nowMs, lastFlowMs: nowMs }), []);
});

test('losses, refused homes and clock steps are told for ten minutes after the last one', () => {
  for (const [sign, code] of [['lostUnits', 'input-loss'], ['homesRefused', 'homes-full'],
    ['clockSteps', 'clock-stepped']] as const) {
    const judge = new HealthJudge();
    const at = (afterMs: number, value: number): HealthCode[] =>
      codes(judge, { nowMs: startMs + afterMs, [sign]: value });
    assert.deepEqual(at(0, 0), []);
    assert.deepEqual(at(1_000, 5), [code]);
    assert.deepEqual(at(1_000 + rememberedMs, 5), [code]);
    assert.deepEqual(at(1_001 + rememberedMs, 5), []);
    // What comes late fills a hole: fewer units are missing than before, and that is no new loss.
    assert.deepEqual(at(1_002 + rememberedMs, 3), []);
    assert.deepEqual(at(1_003 + rememberedMs, 4), [code]);
  }
});

test('what was lost before the first look is as if it were lost then', () => {
  const judge = new HealthJudge();
  assert.deepEqual(codes(judge, { nowMs: startMs + 3_000_000, lostUnits: 7, lastFlowMs: startMs + 3_000_000 }),
    ['input-loss']);
});
