/**
 * One home from verdict to last action: verified, told by mail and webhook, blocked. Planned, admitted and executed as
 * the detector does it, in virtual time, until nothing is left to do. For tests that interrupt it.
 */
import type { DatabaseSync } from 'node:sqlite';
import { VirtualClock } from '#base';
import { Outbox, OutboxRunner, planActions, type ActionKind, type Executor, type ListedAction } from '#action';
import { samplePlanInput } from './outbox-plans.ts';
import { sampleStartMs } from './outbox-sample.ts';

export type ScenarioParts = {
  /** As it was left by whoever was interrupted. */
  readonly db: DatabaseSync;
  /** Something happens in the world; settles when the world says that it did. */
  readonly deliver: (kind: ActionKind, id: string) => Promise<void>;
  /** Called at each instant at which an interruption makes a difference. */
  readonly onStep: (step: string) => void;
};

export type ScenarioEnd = {
  readonly actions: readonly ListedAction[];
  /** Ids that were reported as of uncertain fate, in this run. */
  readonly uncertain: readonly string[];
  readonly audited: readonly string[];
};

const dayMs = 86_400_000;
/** Far more than it takes; whoever needs more goes round in circles. */
const roundsMax = 50;

export const scenarioDatabase = 'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON';

function makeExecutors({ deliver, onStep }: ScenarioParts): Executor[] {
  const repeatable = (kind: ActionKind): Executor => ({
    kind, isIdempotent: true,
    execute: async (action) => {
      await deliver(kind, action.id);
      return { status: 'done', detail: 'delivered', ...kind === 'verify' ? { answer: 'confirmed' as const } : {} };
    },
  });
  const mail: Executor = {
    kind: 'mail', isIdempotent: false,
    execute: async (action, { markCommitting }) => {
      onStep('mail: connected');
      markCommitting();
      await deliver('mail', action.id);
      return { status: 'done', detail: 'delivered' };
    },
  };
  return [repeatable('verify'), repeatable('webhook'), repeatable('block'), mail];
}

export async function runOutboxScenario(parts: ScenarioParts): Promise<ScenarioEnd> {
  const { db, onStep } = parts;
  const outbox = new Outbox(db);
  const clock = new VirtualClock(sampleStartMs);
  const input = samplePlanInput({
    ladder: { verify: { isOn: true, command: ['ask'] }, mitigate: { isOn: true }, remind: { isOn: false } },
    channels: {
      webhooks: [{ name: 'crm', rungs: ['observe', 'notify', 'mitigate'] }], block: { durationMs: dayMs, allow: [] },
    },
    hits: [{
      home: 'home-1', indicator: 'botnet', deviceModels: [], homeAddress: '192.0.2.7', destination: '203.0.113.9',
      protocol: 'tcp', port: 6_667, flowMs: sampleStartMs,
    }],
  });
  const runner = new OutboxRunner(outbox, makeExecutors(parts), {
    nowMs: clock.nowMs, wallMs: clock.nowMs, isDryRun: false, onStep,
  });
  const uncertain: string[] = [];
  for (let round = 0; round < roundsMax; round++) {
    const nowMs = clock.nowMs();
    const plan = planActions({
      ...input, nowMs, history: outbox.history(), usage: outbox.usage(nowMs, input.ladder.rates, false),
    });
    onStep('planned');
    outbox.admit(plan);
    onStep('admitted');
    const report = await runner.run();
    uncertain.push(...report.uncertain);
    const nextMs = outbox.nextDueMs();
    // What was done may lead to something new: verification above all.
    if (nextMs === undefined && plan.actions.length === 0 && report.done === 0) {
      return { actions: outbox.list(), uncertain, audited: outbox.audit().map(({ event }) => event) };
    }
    clock.advance(Math.max((nextMs ?? 0) - clock.nowMs(), 0));
  }
  throw new Error('the scenario goes round in circles');
}
