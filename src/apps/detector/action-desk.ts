/**
 * Where verdicts become actions: gathers what a plan is made from, has it made by the pure planner, and puts it into
 * the outbox. Executing is the outbox runner's.
 */
import { limits } from '#base';
import {
  planActions, type Outbox, type PlanChannels, type PlannedAction, type PlanInput, type Withheld,
} from '#action';
import type { IndicatorHit } from '#evidence';
import type { Verdict } from '#verdict';
import type { DetectorConfig } from './config/detector-config.ts';
import type { VerdictBook } from './verdict-book.ts';

export class ActionDesk {
  readonly outbox: Outbox;
  readonly #config: DetectorConfig;
  readonly #channels: PlanChannels;
  readonly #contacts: PlanInput['contacts'];
  /** Ascending in the order in which they came. */
  #hits: IndicatorHit[] = [];
  /** What the latest plan about each home withheld. */
  readonly #withheld = new Map<string, readonly Withheld[]>();

  constructor(config: DetectorConfig, outbox: Outbox) {
    this.#config = config;
    this.outbox = outbox;
    this.#channels = {
      mail: config.mail !== undefined, webhooks: config.webhooks, syslogs: config.syslogs, block: config.block,
    };
    this.#contacts = new Map(config.homes.list.map((entry) => [entry.home, entry]));
  }

  /** Keeps hits for the plans to come. */
  noteHits(hits: readonly IndicatorHit[]): void {
    this.#hits.push(...hits);
    if (this.#hits.length > limits.indicatorMemoryEntries) {
      this.#hits = this.#hits.slice(-limits.indicatorMemoryEntries);
    }
  }

  /**
   * Plans and puts it into the outbox; part of the caller's transaction.
   *
   * @param homes  to plan for; undefined: all that have verdicts
   * @returns what is new
   * @throws EnvironmentError  `disk`
   */
  plan(book: VerdictBook, nowMs: number, homes?: ReadonlySet<string>): readonly PlannedAction[] {
    const { outbox } = this;
    const { ladder, dryRun, indicators } = this.#config;
    this.#dropOldHits(nowMs);
    const verdicts = homes === undefined
      ? [...book.all()].filter(wasPresent) : [...homes].flatMap((home) => book.ofHome(home).filter(wasPresent));
    const history = homes === undefined
      ? outbox.history() : [...homes].flatMap((home) => outbox.history(home));
    const [onlyHome] = homes?.size === 1 ? homes : [];
    const optedOut = this.#config.homes.list.filter((entry) => entry.optedOut)
      .map(({ home }) => ({ home, deviceModel: undefined }));
    const plan = planActions({
      nowMs, isDryRun: dryRun, ladder, channels: this.#channels, verdicts, contacts: this.#contacts, indicators,
      hits: this.#hits, orders: outbox.orders(), optOuts: [...optedOut, ...outbox.optOuts()], history,
      usage: outbox.usage(nowMs, ladder.rates, dryRun, onlyHome),
    });
    outbox.admit(plan);
    this.#noteWithheld(plan.withheld, homes ?? new Set(verdicts.map(({ home }) => home)));
    return plan.actions;
  }

  #noteWithheld(withheld: readonly Withheld[], homes: ReadonlySet<string>): void {
    const byHome = Map.groupBy(withheld, ({ home }) => home);
    for (const home of homes) {
      const ofHome = byHome.get(home);
      if (ofHome === undefined) this.#withheld.delete(home);
      else this.#withheld.set(home, ofHome);
    }
  }

  /** Is any action about a home still known? */
  remembers(home: string): boolean {
    return this.outbox.history(home).length > 0;
  }

  /** Addresses of a home that blocks were planned for. */
  blockedAddresses(home: string): readonly string[] {
    return this.outbox.blockTargets(home).map(({ homeAddress }) => homeAddress);
  }

  /** Why things are not done, about a home. */
  withheldOf(home: string): readonly Withheld[] {
    return this.#withheld.get(home) ?? [];
  }

  countWithheld(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const ofHome of this.#withheld.values()) {
      for (const { code } of ofHome) counts[code] = (counts[code] ?? 0) + 1;
    }
    return counts;
  }

  /** Erases what is older than it is to be kept; part of the caller's transaction. */
  prune(book: VerdictBook, nowMs: number): void {
    const { verdictsMs, auditMs } = this.#config.retention;
    this.outbox.prune({ actionsMs: nowMs - verdictsMs, auditMs: nowMs - auditMs }, ({ home, deviceModel, episode }) => {
      const verdict = book.find(home, deviceModel);
      return verdict?.state === 'present' && verdict.episode === episode;
    });
  }

  /** Erases a home; part of the caller's transaction. @returns whether there was anything */
  forget(home: string, nowMs: number): boolean {
    this.#hits = this.#hits.filter((hit) => hit.home !== home);
    this.#withheld.delete(home);
    const { actions, auditRows } = this.outbox.forget(home, nowMs);
    return actions + auditRows > 0;
  }

  /** Hits lead to blocks as long as one would last. */
  #dropOldHits(nowMs: number): void {
    const keptMs = this.#config.block?.durationMs ?? 0;
    const old = this.#hits.findIndex(({ flowMs }) => nowMs - flowMs <= keptMs);
    if (old !== 0) this.#hits = old < 0 ? [] : this.#hits.slice(old);
  }
}

function wasPresent({ episode }: Verdict): boolean {
  return episode > 0;
}
