/** What people told the detector: blocks that they order, and homes that want no more. Rows of the outbox. */
import { createHash } from 'node:crypto';
import { OperatorError } from '#base';
import type { OperatorOrder, OptOut } from '../plan/plan-input.ts';
import { refusalOf, targetText } from '../plan/mitigation.ts';
import { type OrderRow, readOrder } from './action-rows.ts';
import { noSubject, type OutboxJournal } from './outbox-journal.ts';

export type OrderLimits = { readonly ordersMax: number; readonly optOutsMax: number };

export class OutboxOrders {
  readonly #journal: OutboxJournal;
  readonly #limits: OrderLimits;

  constructor(journal: OutboxJournal, orderLimits: OrderLimits) {
    this.#journal = journal;
    this.#limits = orderLimits;
  }

  /** @returns the order's id; the same order given twice is one */
  give(order: Omit<OperatorOrder, 'id'>): string {
    const { home, deviceModel, target, note, givenMs } = order;
    const refusal = refusalOf(target, []);
    if (refusal !== undefined) throw new OperatorError('bad-option', `this cannot be blocked: ${refusal.detail}`);
    const key = JSON.stringify([home, deviceModel, targetText(target), givenMs]);
    const id = createHash('sha256').update(key).digest('hex');
    return this.#journal.write(() => {
      if (this.#journal.sql(`SELECT id FROM outbox_order WHERE id = ?`).get(id) !== undefined) return id;
      this.#assertRoom('outbox_order', this.#limits.ordersMax, 'orders; wait until old ones are past their time');
      this.#journal.sql(`INSERT INTO outbox_order VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
        id, home, deviceModel, target.homeAddress, target.destination ?? null, target.protocol, target.port ?? null,
        note, givenMs);
      this.#journal.audit(givenMs, { id, home, deviceModel }, 'ordered', `block ${targetText(target)}: ${note}`);
      return id;
    });
  }

  orders(home: string | undefined): OperatorOrder[] {
    const inOrder = `ORDER BY given_ms, id`;
    return this.#journal.read(() => (home === undefined
      ? this.#journal.sql(`SELECT * FROM outbox_order ${inOrder}`).all()
      : this.#journal.sql(`SELECT * FROM outbox_order WHERE home = ? ${inOrder}`).all(home)) as OrderRow[])
      .map(readOrder);
  }

  optOut({ home, deviceModel }: OptOut, isOut: boolean, nowMs: number): void {
    const model = deviceModel ?? '';
    const journal = this.#journal;
    journal.write(() => {
      const found = journal.sql(`SELECT 1 FROM outbox_opt_out WHERE home = ? AND device_model = ?`).get(home, model);
      if ((found !== undefined) === isOut) return;
      if (isOut) {
        this.#assertRoom('outbox_opt_out', this.#limits.optOutsMax, 'opt-outs; name further homes in the config');
        journal.sql(`INSERT INTO outbox_opt_out VALUES (?, ?, ?)`).run(home, model, nowMs);
      } else journal.sql(`DELETE FROM outbox_opt_out WHERE home = ? AND device_model = ?`).run(home, model);
      const detail = model === '' ? 'of everything' : `of ${model}`;
      journal.audit(nowMs, { ...noSubject, home, deviceModel: model }, isOut ? 'opted-out' : 'opted-in', detail);
    });
  }

  optOuts(): OptOut[] {
    const rows = this.#journal.read(() => this.#journal.sql(
      `SELECT home, device_model FROM outbox_opt_out ORDER BY home, device_model`).all()) as
      { home: string; device_model: string }[];
    return rows.map((row) => ({ home: row.home, deviceModel: row.device_model === '' ? undefined : row.device_model }));
  }

  /** Within the caller's transaction. */
  eraseHome(home: string): void {
    this.#journal.sql(`DELETE FROM outbox_order WHERE home = ?`).run(home);
    this.#journal.sql(`DELETE FROM outbox_opt_out WHERE home = ?`).run(home);
  }

  /** Within the caller's transaction. Opting out does not end with time. */
  eraseOrdersBefore(beforeMs: number): void {
    this.#journal.sql(`DELETE FROM outbox_order WHERE given_ms < ?`).run(beforeMs);
  }

  #assertRoom(table: 'outbox_order' | 'outbox_opt_out', rowsMax: number, what: string): void {
    const { rows } = this.#journal.sql(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number };
    if (rows >= rowsMax) throw new OperatorError('bad-option', `there are ${rowsMax} ${what}`);
  }
}
