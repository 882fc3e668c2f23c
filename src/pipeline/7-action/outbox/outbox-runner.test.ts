/**
 * The runner: who works beside whom, what executors may do wrong, how it stops, and what it does when disk or time
 * fail.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvironmentError, InvariantError, VirtualClock } from '#base';
import { openSampleOutbox, sampleAction, sampleStartMs } from '../../../../test/support/outbox-sample.ts';
import type { Executor, Outcome, PlannedAction } from '../action.ts';
import { OutboxRunner, type RunnerOptions } from './outbox-runner.ts';
import type { Outbox } from './outbox.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const done: Outcome = { status: 'done', detail: 'sent' };
const admit = (outbox: Outbox, ...actions: readonly PlannedAction[]): void =>
  outbox.admit({ plannedMs: sampleStartMs, actions, withheld: [], cancelled: [] });
const executor = (kind: Executor['kind'], execute: Executor['execute'], isIdempotent = false): Executor =>
  ({ kind, isIdempotent, execute });
const options = (clock = new VirtualClock(sampleStartMs), rest: Partial<RunnerOptions> = {}): RunnerOptions =>
  ({ nowMs: clock.nowMs, wallMs: clock.nowMs, isDryRun: false, ...rest });
const hook = (home: string): PlannedAction => sampleAction({ home, kind: 'webhook', channel: 'crm' });

test('one action of a kind at a time, kinds beside each other, all of what is due', async () => {
  const { outbox } = openSampleOutbox();
  admit(outbox, ...['a', 'b', 'c'].flatMap((home) => [sampleAction({ home }), hook(home)]));
  const atWork = new Set<string>();
  let together = 0;
  const execute: Executor['execute'] = async ({ kind }) => {
    assert.ok(!atWork.has(kind), `two of ${kind}`);
    atWork.add(kind);
    together = Math.max(together, atWork.size);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    atWork.delete(kind);
    return done;
  };
  const runner = new OutboxRunner(outbox, [executor('mail', execute), executor('webhook', execute)], options());
  const [first, second] = await Promise.all([runner.run(), runner.run()]);
  assert.equal(first, second, 'a run under way is waited for');
  assert.deepEqual({ ...first }, { done: 6, retried: 0, failed: 0, thrown: [], uncertain: [] });
  assert.equal(together, 2);
  assert.equal(outbox.nextDueMs(), undefined);
  assert.throws(() => new OutboxRunner(outbox, [executor('mail', execute), executor('mail', execute)], options()),
    InvariantError);
});

test('a run is bounded', async () => {
  const { outbox } = openSampleOutbox();
  admit(outbox, ...['a', 'b', 'c'].map((home) => sampleAction({ home })));
  const runner = new OutboxRunner(outbox, [executor('mail', async () => done)], options(undefined, { actionsMax: 2 }));
  assert.equal((await runner.run()).done, 2);
  assert.equal((await runner.run()).done, 1);
});

test('an executor that throws ends its action and nobody else', async () => {
  const { outbox } = openSampleOutbox();
  admit(outbox, sampleAction({ home: 'a' }), sampleAction({ home: 'b', dueMs: sampleStartMs - 1 }), hook('c'));
  const mail = executor('mail', async ({ home }, { markCommitting }) => {
    if (home === 'a') throw new TypeError('a is not a function');
    markCommitting();
    throw new Error('after the dot');
  });
  const broken = executor('webhook', () => {
    throw new Error('not even a promise');
  });
  const report = await new OutboxRunner(outbox, [mail, broken], options()).run();
  assert.deepEqual([...report.thrown].sort(),
    ['mail: a is not a function', 'mail: after the dot', 'webhook: not even a promise']);
  assert.equal(report.uncertain.length, 1);
  const byHome = Object.fromEntries(outbox.list().map(({ home, state, detail }) => [home, `${state}: ${detail}`]));
  assert.deepEqual(byHome, {
    a: 'failed: the executor threw: a is not a function', b: 'uncertain: the executor threw: after the dot',
    c: 'failed: the executor threw: not even a promise',
  });
});

test('outcomes become states, answers among them', async () => {
  const outcomes: readonly (readonly [Outcome, string])[] = [
    [{ status: 'done', detail: 'asked', answer: 'refuted' }, 'done refuted'],
    [{ status: 'failed', detail: 'no such user' }, 'failed undefined'],
    [{ status: 'uncertain', detail: 'the line broke' }, 'uncertain undefined'],
    [{ status: 'retry', detail: 'busy' }, 'planned undefined'],
  ];
  for (const [outcome, expected] of outcomes) {
    const { outbox } = openSampleOutbox();
    admit(outbox, sampleAction());
    await new OutboxRunner(outbox, [executor('mail', async () => outcome)], options()).run();
    const [listed] = outbox.list();
    assert.equal(`${listed?.state} ${listed?.answer}`, expected);
    assert.equal(listed?.detail, outcome.detail);
  }
});

test('a dry run executes nothing, neither dry actions nor real ones that wait', async () => {
  const { outbox } = openSampleOutbox();
  admit(outbox, sampleAction(), sampleAction({ isDryRun: true }));
  const never = executor('mail', () => assert.fail('executed'));
  await new OutboxRunner(outbox, [never], options(undefined, { isDryRun: true })).run();
  assert.deepEqual(outbox.counts().byState, { 'dry-run': 1, planned: 1 });
  admit(outbox, sampleAction({ isDryRun: true, home: 'b' }));
  await new OutboxRunner(outbox, [executor('mail', async () => done)], options()).run();
  assert.deepEqual(outbox.counts().byState, { 'dry-run': 2, done: 1 });
});

test('stopping tells executors, waits for them, and closes them; nothing is begun afterwards', async () => {
  const { outbox } = openSampleOutbox();
  admit(outbox, sampleAction({ home: 'a' }), sampleAction({ home: 'b' }));
  const order: string[] = [];
  const mail: Executor = {
    kind: 'mail', isIdempotent: false,
    execute: async ({ home }, { signal }) => {
      order.push(home);
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      return { status: 'retry', detail: 'the detector stops' };
    },
    close: async () => {
      order.push('closed');
    },
  };
  const runner = new OutboxRunner(outbox, [mail], options());
  const running = runner.run();
  assert.equal(await runner.stop(), true);
  assert.equal((await running).retried, 1);
  assert.equal((await runner.run()).retried, 0);
  assert.equal(order.length, 2);
  assert.equal(order[1], 'closed');
  assert.deepEqual(outbox.counts().byState, { planned: 2 });
});

test('who does not stop in time is left behind, writes nothing any more, and is found by the next start', async () => {
  const { outbox } = openSampleOutbox();
  admit(outbox, sampleAction());
  let finish: (outcome: Outcome) => void = () => assert.fail('not at work');
  const slow = executor('mail', async (_, { markCommitting }) => {
    markCommitting();
    return new Promise((resolve) => {
      finish = resolve;
    });
  });
  const runner = new OutboxRunner(outbox, [slow], options(undefined, { delay: async () => undefined }));
  const running = runner.run();
  assert.equal(await runner.stop(), false);
  finish(done);
  await running;
  assert.deepEqual(outbox.counts().byState, { committing: 1 });
  const report = await new OutboxRunner(outbox, [slow], options()).run();
  assert.equal(report.uncertain.length, 1);
  assert.deepEqual(outbox.counts().byState, { uncertain: 1 });
});

test('without room for the mark nothing is done; without room for the outcome it is not done again', async () => {
  const { db, outbox } = openSampleOutbox();
  const clock = new VirtualClock(sampleStartMs);
  admit(outbox, sampleAction());
  let sent = 0;
  let isFullBefore = true;
  const mail = executor('mail', async (_, { markCommitting }) => {
    if (isFullBefore) db.exec('PRAGMA query_only = ON');
    markCommitting();
    sent++;
    db.exec('PRAGMA query_only = ON');
    return done;
  });
  const runner = new OutboxRunner(outbox, [mail], options(clock));
  await assert.rejects(runner.run(), EnvironmentError);
  assert.equal(sent, 0);
  assert.equal(runner.unrecordedCount, 1);
  await assert.rejects(runner.run(), EnvironmentError, 'still full');
  db.exec('PRAGMA query_only = OFF');
  assert.equal((await runner.run()).done, 0, 'it waits as after any failure');
  assert.deepEqual(outbox.counts().byState, { planned: 1 });
  isFullBefore = false;
  clock.advance(hourMs);
  await assert.rejects(runner.run(), EnvironmentError);
  assert.equal(sent, 1);
  db.exec('PRAGMA query_only = OFF');
  await runner.run();
  assert.equal(sent, 1);
  assert.deepEqual(outbox.counts().byState, { done: 1 });
  assert.equal(runner.unrecordedCount, 0);
});

test('who is forgotten while being written to is not written to', async () => {
  const { outbox } = openSampleOutbox();
  admit(outbox, sampleAction());
  let isSent = false;
  const mail = executor('mail', async ({ home }, { markCommitting }) => {
    outbox.forget(home, sampleStartMs);
    markCommitting();
    isSent = true;
    return done;
  });
  const report = await new OutboxRunner(outbox, [mail], options()).run();
  assert.equal(isSent, false);
  assert.deepEqual(report.thrown, []);
  assert.deepEqual(outbox.list(), []);
});

/** Runs until a time, whenever something is due, as the detector does. */
async function runUntil(runner: OutboxRunner, outbox: Outbox, clock: VirtualClock, endMs: number): Promise<void> {
  for (;;) {
    await runner.run();
    const nextMs = outbox.nextDueMs();
    if (nextMs === undefined || nextMs > endMs) break;
    clock.advance(Math.max(nextMs - clock.nowMs(), 1));
  }
  clock.advance(Math.max(endMs - clock.nowMs(), 0));
}

test('a receiver that is down for a day gets everything once when it is back', async () => {
  const { outbox } = openSampleOutbox();
  const clock = new VirtualClock(sampleStartMs);
  admit(outbox, ...['a', 'b', 'c'].map((home) => sampleAction({ home })));
  const delivered: string[] = [];
  let attempts = 0;
  const mail = executor('mail', async ({ home }, { markCommitting }) => {
    attempts++;
    if (clock.nowMs() < sampleStartMs + dayMs) return { status: 'retry', detail: 'connection refused' };
    markCommitting();
    delivered.push(home);
    return done;
  });
  const runner = new OutboxRunner(outbox, [mail], options(clock));
  await runUntil(runner, outbox, clock, sampleStartMs + 3 * dayMs);
  assert.deepEqual(delivered.sort(), ['a', 'b', 'c']);
  assert.ok(attempts <= 3 * 33, `${attempts} attempts`);
  assert.deepEqual(outbox.counts().byState, { done: 3 });
  const lateMs = Math.max(...outbox.list().map(({ finishedMs }) => finishedMs ?? Infinity)) - sampleStartMs - dayMs;
  assert.ok(lateMs <= hourMs, `${lateMs} ms after it was back`);
});

test('a receiver that stays away is given up, and that is to be seen', async () => {
  const { outbox } = openSampleOutbox();
  const clock = new VirtualClock(sampleStartMs);
  admit(outbox, sampleAction());
  let attempts = 0;
  const mail = executor('mail', async () => {
    attempts++;
    return { status: 'retry', detail: 'connection refused' };
  });
  const runner = new OutboxRunner(outbox, [mail], options(clock));
  await runUntil(runner, outbox, clock, sampleStartMs + 10 * dayMs);
  assert.deepEqual(outbox.counts().byState, { failed: 1 });
  assert.ok(attempts > 70 && attempts < 85, `${attempts}`);
  const last = outbox.audit().at(-1);
  assert.equal(last?.event, 'failed');
  assert.match(last?.detail ?? '', /given up after \d+ attempts: connection refused/);
  assert.ok((last?.atMs ?? Infinity) <= sampleStartMs + 3 * dayMs);
});
