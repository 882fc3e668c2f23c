/** The executors that a config asks for, one for each kind of action, each watched for failing again and again. */
import {
  createBlockExecutor, createMailExecutor, createSyslogExecutor, createVerifyExecutor, createWebhookExecutor,
  type ActionKind, type DeviceModelNotes, type Executor, type Outcome, type PlannedAction, type VerificationAnswer,
} from '#action';
import type { DetectorConfig } from './config/detector-config.ts';
import type { Pseudonyms } from './pseudonyms.ts';

export type ExecutorParts = {
  readonly pseudonyms: Pseudonyms;
  readonly secondOpinion: (home: string, deviceModel: string) => VerificationAnswer;
  /** Steady time. */
  readonly nowMs: () => number;
  /** Wall clock of a steady time. */
  readonly toWall: (steadyMs: number) => number;
  readonly onOutcome: (action: PlannedAction, outcome: Outcome) => void;
};

/** Failures in a row from which on a kind is said to be failing. */
const failingFrom = 3;

export class WatchedExecutors {
  readonly executors: readonly Executor[];
  /** Failures in a row. */
  readonly #failures = new Map<ActionKind, number>();

  /**
   * Opens what the config asks for; connects to nothing yet.
   *
   * @throws OperatorError  a template, key or address cannot be used
   */
  constructor(config: DetectorConfig, parts: ExecutorParts) {
    this.executors = createExecutors(config, parts).map((executor) => this.#watch(executor, parts));
  }

  /** Kinds whose last attempts all failed. */
  failing(): ActionKind[] {
    return [...this.#failures].filter(([, count]) => count >= failingFrom).map(([kind]) => kind);
  }

  #watch(executor: Executor, { onOutcome, toWall }: ExecutorParts): Executor {
    return {
      ...executor,
      execute: async (action, context) => {
        // Blocks reckon with steady time; what people and programs are told is of the wall clock.
        const told = executor.kind === 'block' ? action : tellWallClock(action, toWall);
        const outcome = await executor.execute(told, context);
        const isWell = outcome.status === 'done';
        this.#failures.set(executor.kind, isWell ? 0 : (this.#failures.get(executor.kind) ?? 0) + 1);
        onOutcome(action, outcome);
        return outcome;
      },
    };
  }
}

function createExecutors(config: DetectorConfig, parts: ExecutorParts): Executor[] {
  const { mail, webhooks, syslogs, block, ladder } = config;
  const contactOf = new Map(config.homes.list.map((entry) => [entry.home, entry]));
  const notes = new Map(config.deviceModels.map((note) => [note.deviceModel, note]));
  const receivers = { pseudonymOf: (home: string) => parts.pseudonyms.ofHome(home) };
  const executors: Executor[] = [];
  if (mail !== undefined) executors.push(createMailExecutor(mail, {
    contactOf: (home) => contactOf.get(home),
    notesOf: (deviceModel) => notes.get(deviceModel) ?? plainNotes(deviceModel),
  }));
  if (webhooks.length > 0) executors.push(createWebhookExecutor(webhooks, receivers));
  if (syslogs.length > 0) executors.push(createSyslogExecutor(syslogs, receivers));
  if (ladder.verify.isOn) executors.push(createVerifyExecutor({
    command: ladder.verify.command, timeoutMs: ladder.verify.timeoutMs,
    secondOpinion: ladder.verify.classifierFolder === undefined ? undefined : parts.secondOpinion,
    addressesOf: (home) => contactOf.get(home)?.addresses ?? [],
  }));
  if (block !== undefined) executors.push(createBlockExecutor(block, { nowMs: parts.nowMs }));
  return executors;
}

/** For a device model that the config says nothing of: its name, in words. */
function plainNotes(deviceModel: string): DeviceModelNotes {
  const [type = '', ...rest] = deviceModel.split('.');
  const title = `${rest.join(' ')} (${type})`.replaceAll('_', ' ').trim();
  return { deviceModel, title, vulnerabilities: [], adviceUrl: undefined };
}

/** The same action with the times of the wall clock. */
export function tellWallClock(action: PlannedAction, toWall: (steadyMs: number) => number): PlannedAction {
  const { verdict } = action;
  const { evidence } = verdict;
  return {
    ...action, plannedMs: toWall(action.plannedMs), dueMs: toWall(action.dueMs), expiresMs: toWall(action.expiresMs),
    verdict: {
      ...verdict, sinceMs: toWall(verdict.sinceMs), firstFlowMs: toWall(verdict.firstFlowMs),
      supportedMs: toWall(verdict.supportedMs),
      evidence: evidence === undefined ? undefined : {
        ...evidence, windowStartMs: toWall(evidence.windowStartMs), windowEndMs: toWall(evidence.windowEndMs),
      },
    },
  };
}
