/**
 * What every executor of actions must keep, asked of each in the same words: it changes no action, does once what is
 * done twice, does nothing in a dry run, ends by itself, and says in its outcome what the world did to it. Nothing here
 * waits: worlds are local receivers, and time passes when they are told so.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Executor, OutboxRunner, type Outcome, type PlannedAction } from '#action';
import { openSampleOutbox, sampleAction } from './outbox-sample.ts';

/** An executor with a world of its own to act upon. */
export type ExecutorWorld = {
  readonly executor: Executor;
  /** What is to be seen in the world now, one text for each distinct effect: a mail received, a rule in force. */
  readonly effects: () => Promise<readonly string[]> | readonly string[];
  /** From now on nothing answers, or the program fails. */
  readonly breakDown: () => Promise<void> | void;
  /** From now on everything answers again, at the same place. */
  readonly mend: () => Promise<void> | void;
  /** Lets the time pass after which an effect must be gone; undefined: effects of this kind do not last. */
  readonly passTime?: () => Promise<void> | void;
  readonly close: () => Promise<void> | void;
};

export type ExecutorCase = {
  /** Begins the names of the tests. */
  readonly name: string;
  /** A fresh world. */
  readonly open: () => Promise<ExecutorWorld> | ExecutorWorld;
  /** An action that the world of `open` can do; of the executor's kind and not dry. */
  readonly action: PlannedAction;
  /** Actions whose texts come from hostile networks; those of `hostileActions` when undefined. */
  readonly hostile?: readonly PlannedAction[];
};

/** Texts that break out of headers, lines, commands and templates where somebody forgot them. */
export const hostileTexts: readonly string[] = [
  'a\r\nBcc: everybody@example.org', '"; drop table home; --', '$(reboot) `reboot` | reboot', '{{constructor}}{{{x}}}',
  '<script>alert(1)</script>', '\0\u0007\u001b[2J', '\ud800', '\u202e\u2066%s%n', '', 'x'.repeat(10_000),
];

/** The action once for each hostile text, in each field that comes from outside. */
export function hostileActions(action: PlannedAction): PlannedAction[] {
  return hostileTexts.flatMap((text) => [
    sampleAction({ ...action, home: text, verdict: { ...action.verdict, home: text } }),
    sampleAction({ ...action, deviceModel: text }),
    sampleAction({ ...action, reasons: [...action.reasons, { code: 'presence', text }] }),
  ]);
}

const statuses: ReadonlySet<string> = new Set(['done', 'retry', 'failed', 'uncertain']);

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

/** Executes once, without an outbox. */
async function execute(world: ExecutorWorld, action: PlannedAction, signal?: AbortSignal): Promise<Outcome> {
  const outcome = await world.executor.execute(action, {
    markCommitting: () => undefined, signal: signal ?? new AbortController().signal, wallMs: () => action.plannedMs,
  });
  assert.ok(statuses.has(outcome.status), JSON.stringify(outcome));
  assert.equal(typeof outcome.detail, 'string');
  return outcome;
}

/** Admits an action and runs the outbox; `times` times each. */
async function runThroughOutbox(world: ExecutorWorld, action: PlannedAction, times: number): Promise<string> {
  const { db, outbox } = openSampleOutbox();
  const nowMs = (): number => action.dueMs;
  for (let i = 0; i < times; i++) {
    outbox.admit({ plannedMs: action.plannedMs, actions: [action], withheld: [], cancelled: [] });
    const runner = new OutboxRunner(outbox, [world.executor], { nowMs, wallMs: nowMs, isDryRun: false });
    await runner.run();
  }
  const state = outbox.list(action.home)[0]?.state ?? 'gone';
  db.close();
  return state;
}

/** Declares the tests of one executor. */
export function testExecutorContract({ name, open, action, hostile }: ExecutorCase): void {
  const check = (what: string, body: (world: ExecutorWorld) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const world = await open();
      try {
        await body(world);
      } finally {
        await world.executor.close?.();
        await world.close();
      }
    });
  };

  check('is of the kind of its actions, and does them', async (world) => {
    assert.equal(world.executor.kind, action.kind);
    assert.equal(action.isDryRun, false);
    assert.deepEqual(await world.effects(), []);
    assert.equal((await execute(world, action)).status, 'done');
    assert.equal((await world.effects()).length, 1);
  });

  check('leaves the action as it is', async (world) => {
    const copy = structuredClone(action);
    await execute(world, deepFreeze(structuredClone(action)));
    assert.deepEqual(action, copy);
  });

  check('admitted twice and run twice is done once', async (world) => {
    assert.equal(await runThroughOutbox(world, action, 2), 'done');
    assert.equal((await world.effects()).length, 1);
  });

  check('what is called idempotent is the same when done twice', async (world) => {
    await execute(world, action);
    const once = await world.effects();
    if (!world.executor.isIdempotent) return;
    assert.equal((await execute(world, action)).status, 'done');
    assert.deepEqual(await world.effects(), once);
  });

  check('marks the step that cannot be taken back, when doing twice is not the same as once', async (world) => {
    const marks: number[] = [];
    await world.executor.execute(action, {
      markCommitting: () => marks.push(1), signal: new AbortController().signal, wallMs: () => action.plannedMs,
    });
    assert.ok(world.executor.isIdempotent || marks.length === 1, `marked ${marks.length} times`);
  });

  check('does nothing when what cannot be taken back cannot be written down', async (world) => {
    if (world.executor.isIdempotent) return;
    const outcome = await world.executor.execute(action, {
      markCommitting: () => {
        throw new Error('disk full');
      },
      signal: new AbortController().signal, wallMs: () => action.plannedMs,
    }).catch((error: unknown) => ({ status: 'thrown', detail: String(error) }));
    assert.notEqual(outcome.status, 'done');
    assert.deepEqual(await world.effects(), []);
  });

  check('a dry run touches nothing', async (world) => {
    const dry = sampleAction({ ...action, isDryRun: true });
    assert.equal(await runThroughOutbox(world, dry, 2), 'dry-run');
    assert.deepEqual(await world.effects(), []);
  });

  check('a broken world is an outcome, and a mended one is found again', async (world) => {
    await world.breakDown();
    const outcome = await execute(world, action);
    assert.notEqual(outcome.status, 'done', outcome.detail);
    await world.mend();
    assert.equal((await execute(world, action)).status, 'done');
    assert.equal((await world.effects()).length, 1);
  });

  check('does nothing once it is told to stop', async (world) => {
    const outcome = await execute(world, action, AbortSignal.abort());
    assert.equal(outcome.status, 'retry', outcome.detail);
    assert.deepEqual(await world.effects(), []);
  });

  check('hostile texts are an outcome', async (world) => {
    const actions = hostile ?? hostileActions(action);
    assert.ok(actions.length > 0);
    for (const one of actions) await execute(world, one);
  });

  check('what it does ends by itself', async (world) => {
    await execute(world, action);
    if (world.passTime === undefined) return;
    await world.passTime();
    assert.deepEqual(await world.effects(), []);
  });

  check('may be closed twice', async (world) => {
    await world.executor.close?.();
    await world.executor.close?.();
    assert.deepEqual(await world.effects(), []);
  });
}
