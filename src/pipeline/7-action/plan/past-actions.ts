/**
 * What was planned before for one episode, and questions about it. Real actions know nothing of dry ones, nor they of
 * them.
 */
import type { Verdict } from '#verdict';
import type { ActionKind, Rung } from '../action.ts';
import type { OutboxState, PastAction } from './plan-input.ts';

/** Planned anew when asked for again: nothing was done, and nobody gave up. */
const revivedStates: ReadonlySet<OutboxState> = new Set(['cancelled', 'expired']);
/** After these, time goes on: the customer was told, or would have been, or perhaps was. */
const toldStates: ReadonlySet<OutboxState> = new Set(['done', 'uncertain', 'dry-run']);
const openStates: ReadonlySet<OutboxState> = new Set(['planned', 'attempting', 'committing']);

export function isOpen({ state }: Pick<PastAction, 'state'>): boolean {
  return openStates.has(state);
}

/** Of one home and device model. */
export class PastActions {
  readonly #all: readonly PastAction[];
  /** Of the episode and of this dryness, without what may be planned anew. */
  readonly #standing: readonly PastAction[];

  /** @param history  of the home and device model; read only, kept */
  constructor(history: readonly PastAction[], { episode }: Pick<Verdict, 'episode'>, isDryRun: boolean) {
    this.#all = history;
    this.#standing = history.filter((past) => past.episode === episode && past.isDryRun === isDryRun &&
      !revivedStates.has(past.state));
  }

  /** Those that wait in the outbox and could still be kept from happening. */
  waiting(): readonly PastAction[] {
    return this.#all.filter(({ state }) => state === 'planned');
  }

  of(rung: Rung, kind: ActionKind, step: number, channel?: string): PastAction | undefined {
    return this.#standing.find((past) => past.rung === rung && past.kind === kind && past.step === step &&
      (channel === undefined || past.channel === channel));
  }

  /** All of a rung, kind and channel, whatever the step. */
  allOf(rung: Rung, kind: ActionKind, channel: string): readonly PastAction[] {
    return this.#standing.filter((past) => past.rung === rung && past.kind === kind && past.channel === channel);
  }

  /** When a message of this rung and step was over; undefined: it is not, or it failed, or never was. */
  toldMs(rung: Rung, kind: ActionKind, step: number, channel?: string): number | undefined {
    const past = this.of(rung, kind, step, channel);
    return past !== undefined && toldStates.has(past.state) ? past.finishedMs : undefined;
  }

  /** The same over all kinds and channels; the latest. */
  lastToldMs(rung: Rung, step: number): number | undefined {
    let latest: number | undefined;
    for (const past of this.#standing) {
      if (past.rung !== rung || past.step !== step || !toldStates.has(past.state)) continue;
      if (past.finishedMs !== undefined && !(past.finishedMs <= (latest ?? -Infinity))) latest = past.finishedMs;
    }
    return latest;
  }
}
