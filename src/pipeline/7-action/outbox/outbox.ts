/**
 * The outbox: what was planned waits here until it is done, over restarts and kills. Every change is one transaction
 * (or part of the caller's), written down before the world is touched, so that a kill at any instant loses nothing and
 * does nothing twice; where nobody can know whether something happened, it says so instead of guessing.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { limits, OperatorError } from '#base';
import type { LadderOptions } from '../action-options.ts';
import type { ActionKind, BlockTarget, Cancelled, Outcome, Plan, PlannedAction, Withheld } from '../action.ts';
import { messageKinds, noticedKinds, type OperatorOrder, type OptOut, type OutboxState, type PastAction, type Usage }
  from '../plan/plan-input.ts';
import {
  type ActionRow, type ListedAction, pastColumns, type PastRow, readAction, readListed, readPast, writeContent,
} from './action-rows.ts';
import { type AuditRow, type AuditSubject, noSubject, OutboxJournal } from './outbox-journal.ts';
import { OutboxOrders } from './outbox-orders.ts';
import type { AuditEvent, OutboxCount } from './outbox-tables.ts';
import { retryDefaults, type RetryOptions, retryPause } from './retry-pause.ts';

export type OutboxOptions = {
  /** Actions kept, finished ones among them; at the limit further ones are planned again until there is room. */
  readonly actionsMax: number;
  readonly auditRowsMax: number;
  readonly ordersMax: number;
  readonly optOutsMax: number;
  /** Homes and device models of which it is remembered what was withheld last, so that only changes are audited. */
  readonly withheldMax: number;
  readonly retry: RetryOptions;
};

export const outboxDefaults: OutboxOptions = {
  actionsMax: limits.outboxActionsMax,
  auditRowsMax: limits.outboxAuditRowsMax,
  ordersMax: limits.outboxOrdersMax,
  optOutsMax: limits.outboxOptOutsMax,
  withheldMax: limits.outboxWithheldMax,
  retry: retryDefaults,
};

export type OutboxCounts = {
  readonly byState: Readonly<Partial<Record<OutboxState, number>>>;
  readonly counts: Readonly<Partial<Record<OutboxCount, number>>>;
};

export type Forgotten = { readonly actions: number; readonly auditRows: number };

const finishedStates: readonly OutboxState[] =
  ['done', 'failed', 'expired', 'uncertain', 'dry-run', 'cancelled', 'damaged'];
const finished = finishedStates.map((state) => `'${state}'`).join(', ');
const [noticed, messages] = [noticedKinds, messageKinds].map((kinds) => kinds.map((kind) => `'${kind}'`).join(', '));

type Finish = {
  readonly state: OutboxState;
  readonly event: AuditEvent;
  readonly detail: string;
  readonly answer?: string | undefined;
};

export class Outbox {
  readonly #journal: OutboxJournal;
  readonly #orders: OutboxOrders;
  readonly #options: OutboxOptions;
  /** Home and device model → what was withheld last. */
  readonly #withheld = new Map<string, ReadonlySet<string>>();
  /** An action was refused for want of room since the last one that had some. */
  #isFull = false;
  /** Actions, while a plan is taken up. */
  #rowCount = 0;

  /**
   * @param db  opened by the owner: `secure_delete = ON`, WAL, `synchronous = FULL`; stays the owner's
   * @throws EnvironmentError  code `disk`
   */
  constructor(db: DatabaseSync, options: Partial<OutboxOptions> = {}) {
    this.#options = { ...outboxDefaults, ...options };
    this.#journal = new OutboxJournal(db, this.#options.auditRowsMax);
    this.#orders = new OutboxOrders(this.#journal, this.#options);
  }

  /**
   * Takes up a plan: what is new waits from now on, what is known stays as it is, what lost its cause is cancelled. May
   * be part of a transaction of the caller's.
   *
   * @throws EnvironmentError  code `disk`: nothing was taken up
   */
  admit(plan: Plan): void {
    this.#journal.write(() => {
      for (const cancelled of plan.cancelled) this.#cancel(cancelled, plan.plannedMs);
      if (plan.actions.length > 0) this.#rowCount = this.#countRows();
      for (const action of plan.actions) this.#admitAction(action);
      this.#auditWithheld(plan.withheld, plan.plannedMs);
    });
  }

  #admitAction(action: PlannedAction): void {
    const known = this.#row(action.id);
    if (known !== undefined && known.state !== 'cancelled' && known.state !== 'expired') return;
    if (known === undefined && !this.#hasRoom(action)) return;
    const values: SQLInputValue[] = [
      action.id, action.home, action.deviceModel, action.episode, action.rung, action.kind, action.channel,
      action.step, action.isDryRun ? 1 : 0, [...new Set(action.reasons.map(({ code }) => code))].sort().join(','),
      action.plannedMs, action.dueMs, action.expiresMs, action.dueMs, writeContent(action),
    ];
    this.#journal.sql(`INSERT OR REPLACE INTO outbox_action VALUES
      (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', 0, NULL, NULL, '', ?)`).run(...values);
    const why = action.reasons.map(({ text }) => text).join('; ');
    this.#journal.count('admitted');
    this.#audit(action.plannedMs, action, known === undefined ? 'planned' : 'planned-again',
      `${action.rung}: ${action.kind} ${action.channel}: ${why}`);
  }

  #hasRoom(action: PlannedAction): boolean {
    if (this.#rowCount < this.#options.actionsMax) {
      this.#rowCount++;
      this.#isFull = false;
      return true;
    }
    // Nothing is lost: the next plan asks for it again, since no history knows of it.
    this.#journal.count('refused-full');
    const detail = `${this.#rowCount} actions: others must wait`;
    if (!this.#isFull) this.#audit(action.plannedMs, noSubject, 'outbox-full', detail);
    this.#isFull = true;
    return false;
  }

  #cancel({ id, code, detail }: Cancelled, nowMs: number): void {
    const row = this.#row(id);
    if (row?.state === 'planned') {
      this.#finish(row, nowMs, { state: 'cancelled', event: 'cancelled', detail: `${code}: ${detail}` });
    }
  }

  /** What is withheld stands in every plan; the audit has it when it begins. */
  #auditWithheld(withheld: readonly Withheld[], nowMs: number): void {
    const byOwner = new Map<string, Map<string, Withheld>>();
    for (const one of withheld) {
      const owner = JSON.stringify([one.home, one.deviceModel]);
      let codes = byOwner.get(owner);
      if (codes === undefined) byOwner.set(owner, codes = new Map());
      codes.set(`${one.rung} ${one.kind} ${one.code}`, one);
    }
    for (const [owner, codes] of byOwner) {
      const before = this.#withheld.get(owner);
      for (const [key, { home, deviceModel, detail }] of codes) {
        if (before?.has(key) === true) continue;
        this.#audit(nowMs, { ...noSubject, home, deviceModel }, 'withheld', `${key}: ${detail}`);
      }
      this.#withheld.delete(owner);
      this.#withheld.set(owner, new Set(codes.keys()));
    }
    // The first of a map is the one that was set longest ago.
    for (const owner of this.#withheld.keys()) {
      if (this.#withheld.size <= this.#options.withheldMax) break;
      this.#withheld.delete(owner);
    }
  }

  /** What was planned before, of one home or of all. */
  history(home?: string): PastAction[] {
    return this.#rows(home).map(readPast);
  }

  /**
   * What the rates have to count: what was admitted within their windows and not cancelled before it was done.
   *
   * @param home  mails to others are left out, which is faster
   */
  usage(nowMs: number, rates: LadderOptions['rates'], isDryRun: boolean, home?: string): Usage {
    const counted = `is_dry_run = ? AND planned_ms > ? AND state NOT IN ('cancelled', 'expired')`;
    const dry = isDryRun ? 1 : 0;
    const sql = (text: string): StatementSync => this.#journal.sql(text);
    return this.#journal.read(() => {
      const mails = (home === undefined
        ? sql(`SELECT home, count(*) AS mails FROM outbox_action WHERE kind = 'mail' AND ${counted} GROUP BY home`)
          .all(dry, nowMs - rates.perHomeMs)
        : sql(`SELECT home, count(*) AS mails FROM outbox_action INDEXED BY outbox_action_home
          WHERE kind = 'mail' AND ${counted} AND home = ? GROUP BY home`)
          .all(dry, nowMs - rates.perHomeMs, home)) as { home: string; mails: number }[];
      const overall = sql(`SELECT count(*) FILTER (WHERE kind IN (${noticed})) AS noticed,
        count(*) FILTER (WHERE kind IN (${messages})) AS messages FROM outbox_action WHERE ${counted}`)
        .get(dry, nowMs - rates.overallMs) as { noticed: number; messages: number };
      return {
        mailsByHome: new Map(mails.map((row) => [row.home, row.mails])), noticed: overall.noticed,
        messages: overall.messages,
      };
    });
  }

  /** What is due and could be done now, earliest first. */
  due(nowMs: number, actionsMax: number): PlannedAction[] {
    return this.#journal.read(() => this.#journal.sql(`SELECT * FROM outbox_action
      WHERE state = 'planned' AND is_dry_run = 0 AND next_ms <= ? AND expires_ms > ?
      ORDER BY next_ms, planned_ms, id LIMIT ?`)
      .all(nowMs, nowMs, actionsMax) as ActionRow[])
      .map(readAction).filter((action) => typeof action !== 'string');
  }

  /** When there is something to do next; undefined: nothing waits. */
  nextDueMs(): number | undefined {
    return this.#journal.read(() => {
      // Left to itself, SQLite looks at every planned row.
      const { next } = this.#journal.sql(`SELECT min(next_ms) AS next FROM outbox_action
        INDEXED BY outbox_action_next WHERE state = 'planned'`).get() as { next: number | null };
      const { end } = this.#journal.sql(`SELECT min(expires_ms) AS end FROM outbox_action
        INDEXED BY outbox_action_expires WHERE state = 'planned'`).get() as { end: number | null };
      return next === null || end === null ? undefined : Math.min(next, end);
    });
  }

  /** Ends what is too late, and dry runs that are due. Before every round of work. */
  settle(nowMs: number): void {
    this.#journal.write(() => {
      const waiting = `SELECT ${pastColumns} FROM outbox_action WHERE state = 'planned' AND`;
      const late = this.#journal.sql(`${waiting} is_dry_run = 0 AND expires_ms <= ? ORDER BY expires_ms, id`)
        .all(nowMs);
      const dry = this.#journal.sql(`${waiting} is_dry_run = 1 AND next_ms <= ? ORDER BY next_ms, id`).all(nowMs);
      for (const row of [...late, ...dry] as PastRow[]) {
        if (row.is_dry_run === 1) {
          this.#finish(row, nowMs, { state: 'dry-run', event: 'dry-run', detail: `${row.kind} ${row.channel}` });
        } else if (row.attempts === 0) {
          this.#finish(row, nowMs, { state: 'expired', event: 'expired', detail: 'it was never tried' });
        } else this.#giveUp(row, nowMs, row.detail);
      }
    });
  }

  /** The next due action of a kind, marked as being attempted; undefined: there is none. */
  take(kind: ActionKind, nowMs: number): PlannedAction | undefined {
    return this.#journal.write(() => {
      for (;;) {
        const row = this.#journal.sql(`SELECT * FROM outbox_action WHERE state = 'planned' AND kind = ? AND
          is_dry_run = 0 AND next_ms <= ? AND expires_ms > ? ORDER BY next_ms, planned_ms, id LIMIT 1`)
          .get(kind, nowMs, nowMs) as ActionRow | undefined;
        if (row === undefined) return undefined;
        const action = readAction(row);
        if (typeof action !== 'string') {
          this.#journal.sql(`UPDATE outbox_action SET state = 'attempting', attempts = attempts + 1 WHERE id = ?`)
            .run(row.id);
          this.#journal.count('attempts');
          return action;
        }
        this.#journal.count('damaged');
        this.#finish(row, nowMs, { state: 'damaged', event: 'damaged', detail: action });
      }
    });
  }

  /**
   * Right before the step that cannot be taken back.
   *
   * @returns false: the action is gone, since its home was forgotten meanwhile, and must not go on
   */
  commit(id: string): boolean {
    return this.#journal.write(() => {
      const { changes } = this.#journal.sql(
        `UPDATE outbox_action SET state = 'committing' WHERE id = ? AND state IN ('attempting', 'committing')`).run(id);
      return Number(changes) === 1;
    });
  }

  /** Writes down what came of an attempt. Of an action that was forgotten meanwhile nothing is written. */
  finish(id: string, outcome: Outcome, nowMs: number): void {
    this.#journal.write(() => {
      const row = this.#row(id);
      if (row?.state !== 'attempting' && row?.state !== 'committing') return;
      const { status, detail } = outcome;
      if (status !== 'retry') {
        const answer = status === 'done' ? outcome.answer : undefined;
        this.#finish(row, nowMs, { state: status, event: status, detail, answer });
        return;
      }
      const nextMs = nowMs + retryPause(row.attempts, outcome.afterMs, this.#options.retry);
      if (nextMs >= row.expires_ms) this.#giveUp(row, nowMs, detail);
      else this.#wait(row, nowMs, nextMs, 'retry', detail);
    });
  }

  /**
   * After a kill: what was being attempted waits again; what was at the step that cannot be taken back does too when it
   * may be done twice, and is of uncertain fate otherwise.
   *
   * @param idempotentKinds  kinds whose actions may be repeated
   * @returns actions of uncertain fate, to be reported
   */
  recover(nowMs: number, idempotentKinds: readonly ActionKind[]): ListedAction[] {
    return this.#journal.write(() => {
      const rows = this.#journal.sql(`SELECT ${pastColumns} FROM outbox_action
        WHERE state IN ('attempting', 'committing') ORDER BY planned_ms, id`).all() as PastRow[];
      const uncertain: ListedAction[] = [];
      for (const row of rows) {
        const isRepeatable = row.state === 'attempting' || idempotentKinds.includes(row.kind as ActionKind);
        if (isRepeatable) {
          // The pause grows: an action that kills us each time must not do so in a loop.
          const nextMs = nowMs + retryPause(row.attempts, undefined, this.#options.retry);
          this.#journal.count('recovered');
          this.#wait(row, nowMs, nextMs, 'recovered', `interrupted while ${row.state}`);
        } else {
          const detail = 'interrupted at the step that cannot be taken back';
          this.#finish(row, nowMs, { state: 'uncertain', event: 'uncertain', detail });
          uncertain.push(readListed(this.#row(row.id) ?? row));
        }
      }
      return uncertain;
    });
  }

  /**
   * A person says that something shall be done after all, again or anew.
   *
   * @throws OperatorError  there is no such action, or it is in no state for that
   */
  resend(id: string, nowMs: number, expiresMs: number): void {
    this.#journal.write(() => {
      const row = this.#row(id);
      if (row === undefined) throw new OperatorError('bad-option', `there is no action ${id}`);
      if (row.is_dry_run === 1 || !['uncertain', 'failed', 'expired'].includes(row.state)) {
        throw new OperatorError('bad-option', `the action is ${row.state}: nothing that could be sent again`);
      }
      this.#journal.sql(`UPDATE outbox_action SET state = 'planned', attempts = 0, due_ms = ?, next_ms = ?,
        expires_ms = ?, finished_ms = NULL WHERE id = ?`).run(nowMs, nowMs, expiresMs, id);
      this.#audit(nowMs, subjectOf(row), 'resent', `was ${row.state}`);
    });
  }

  /**
   * Takes up a block that a person orders; the next plan has it.
   *
   * @returns its id; the same order is the same
   * @throws OperatorError  the target cannot be blocked, or there are too many orders
   */
  order(order: Omit<OperatorOrder, 'id'>): string {
    return this.#orders.give(order);
  }

  orders(home?: string): OperatorOrder[] {
    return this.#orders.orders(home);
  }

  /** @param deviceModel  undefined: of everything. @throws OperatorError  there are too many */
  optOut(home: string, deviceModel: string | undefined, isOut: boolean, nowMs: number): void {
    this.#orders.optOut({ home, deviceModel }, isOut, nowMs);
  }

  optOuts(): OptOut[] {
    return this.#orders.optOuts();
  }

  /** Actions of a home, or of all, in the order in which they were planned. */
  list(home?: string): ListedAction[] {
    return this.#rows(home).map(readListed);
  }

  /** What blocks of a home were planned for, done or not; what cannot be read is left out. */
  blockTargets(home: string): BlockTarget[] {
    return this.#journal.read(() => this.#journal.sql(`SELECT * FROM outbox_action
      WHERE home = ? AND kind = 'block' ORDER BY planned_ms, id`).all(home) as ActionRow[])
      .map(readAction)
      .flatMap((action) => (typeof action === 'string' || action.block === undefined ? [] : [action.block]));
  }

  /** The latest rows of the audit, in their order. */
  audit(home?: string, rowsMax: number = this.#options.auditRowsMax): AuditRow[] {
    return this.#journal.read(() => this.#journal.rows(home, rowsMax));
  }

  /** Erases everything of a home; that one was forgotten, and how many rows it had, stays without its name. */
  forget(home: string, nowMs: number): Forgotten {
    const forgotten = this.#journal.write(() => {
      const actions = Number(this.#journal.sql(`DELETE FROM outbox_action WHERE home = ?`).run(home).changes);
      const auditRows = this.#journal.eraseHome(home);
      this.#orders.eraseHome(home);
      this.#journal.count('forgotten-homes');
      this.#journal.count('forgotten-actions', actions);
      this.#journal.audit(nowMs, noSubject, 'forgotten', `a home with ${actions} actions`);
      return { actions, auditRows };
    });
    const ofHome = JSON.stringify([home]).slice(0, -1);
    for (const owner of this.#withheld.keys()) if (owner.startsWith(`${ofHome},`)) this.#withheld.delete(owner);
    return forgotten;
  }

  /**
   * Erases what is older than it is kept. Actions of episodes that go on stay: they are what keeps a customer from
   * being told twice.
   *
   * @param isCurrent  does the episode of an action go on?
   */
  prune(before: { readonly actionsMs: number; readonly auditMs: number },
    isCurrent: (action: Pick<PastAction, 'home' | 'deviceModel' | 'episode'>) => boolean): void {
    this.#journal.write(() => {
      const rows = this.#journal.sql(`SELECT id, home, device_model AS deviceModel, episode FROM outbox_action
        WHERE state IN (${finished}) AND finished_ms < ?`).all(before.actionsMs) as
        { id: string; home: string; deviceModel: string; episode: number }[];
      const old = rows.filter((row) => !isCurrent(row));
      for (const { id } of old) this.#journal.sql(`DELETE FROM outbox_action WHERE id = ?`).run(id);
      this.#journal.count('pruned-actions', old.length);
      this.#orders.eraseOrdersBefore(before.actionsMs);
      this.#journal.count('pruned-audit-rows', this.#journal.eraseBefore(before.auditMs));
    });
  }

  counts(): OutboxCounts {
    return this.#journal.read(() => {
      const rows = this.#journal.sql(`SELECT state, count(*) AS rows FROM outbox_action GROUP BY state`).all() as
        { state: OutboxState; rows: number }[];
      return {
        byState: Object.fromEntries(rows.map((row) => [row.state, row.rows])), counts: this.#journal.counts(),
      };
    });
  }

  #rows(home: string | undefined): PastRow[] {
    const select = `SELECT ${pastColumns} FROM outbox_action`;
    const inOrder = `ORDER BY planned_ms, id`;
    return this.#journal.read(() => (home === undefined ? this.#journal.sql(`${select} ${inOrder}`).all()
      : this.#journal.sql(`${select} WHERE home = ? ${inOrder}`).all(home)) as PastRow[]);
  }

  #countRows(): number {
    return (this.#journal.sql(`SELECT count(*) AS rows FROM outbox_action`).get() as { rows: number }).rows;
  }

  #row(id: string): PastRow | undefined {
    return this.#journal.sql(`SELECT ${pastColumns} FROM outbox_action WHERE id = ?`).get(id) as PastRow | undefined;
  }

  #finish(row: PastRow, nowMs: number, { state, event, detail, answer }: Finish): void {
    this.#journal.sql(`UPDATE outbox_action SET state = ?, finished_ms = ?, answer = ?, detail = ? WHERE id = ?`)
      .run(state, nowMs, answer ?? null, detail, row.id);
    this.#audit(nowMs, subjectOf(row), event, answer === undefined ? detail : `${answer}: ${detail}`);
  }

  #giveUp(row: PastRow, nowMs: number, detail: string): void {
    this.#finish(row, nowMs, {
      state: 'failed', event: 'failed', detail: `given up after ${row.attempts} attempts: ${detail}`,
    });
  }

  #wait(row: PastRow, nowMs: number, nextMs: number, event: AuditEvent, detail: string): void {
    this.#journal.sql(`UPDATE outbox_action SET state = 'planned', next_ms = ?, detail = ? WHERE id = ?`)
      .run(nextMs, detail, row.id);
    this.#audit(nowMs, subjectOf(row), event, detail);
  }

  #audit(atMs: number, subject: AuditSubject, event: AuditEvent, detail: string): void {
    this.#journal.audit(atMs, subject, event, detail);
  }
}

function subjectOf(row: PastRow): AuditSubject {
  return { id: row.id, home: row.home, deviceModel: row.device_model };
}
