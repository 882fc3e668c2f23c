/**
 * What all parts of the outbox write through: transactions that nest in the caller's, the audit, and counts that
 * outlive the process. The audit has a limit; at it, the oldest rows go, and that is counted.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AuditEvent, OutboxCount } from './outbox-tables.ts';
import { outboxTables } from './outbox-tables.ts';
import { withDiskErrors } from './sqlite-errors.ts';

export type AuditRow = {
  /** Ascending; gaps are rows that were forgotten or are too old. */
  readonly sequence: number;
  readonly atMs: number;
  /** Empty for what is about no home, or about one that was forgotten. */
  readonly home: string;
  readonly deviceModel: string;
  /** Id of the action or order; empty: of none. */
  readonly action: string;
  readonly event: AuditEvent;
  readonly detail: string;
};

/** What an audit row is about. */
export type AuditSubject = { readonly id: string; readonly home: string; readonly deviceModel: string };

export const noSubject: AuditSubject = { id: '', home: '', deviceModel: '' };

type StoredAudit = {
  sequence: number; at_ms: number; home: string; device_model: string; action: string; event: string; detail: string;
};

export class OutboxJournal {
  readonly #db: DatabaseSync;
  readonly #auditRowsMax: number;
  readonly #statements = new Map<string, StatementSync>();
  #auditRowCount: number;

  /**
   * Makes the tables where they are missing.
   *
   * @param db  opened by the owner, with `secure_delete` on and in WAL mode; stays the owner's
   * @throws EnvironmentError  code `disk`
   */
  constructor(db: DatabaseSync, auditRowsMax: number) {
    this.#db = db;
    this.#auditRowsMax = auditRowsMax;
    this.#auditRowCount = withDiskErrors('the outbox cannot be opened', () => {
      db.exec(outboxTables);
      return this.#countAuditRows();
    });
  }

  /** A statement, prepared once. */
  sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  /** Reads. @throws EnvironmentError  code `disk` */
  read<Result>(body: () => Result): Result {
    return withDiskErrors('the outbox cannot be read', body);
  }

  /**
   * One transaction, or a part of the one that is open: all of it happens, or nothing.
   *
   * @throws EnvironmentError  code `disk`: nothing was changed
   */
  write<Result>(body: () => Result): Result {
    return withDiskErrors('the outbox cannot be written', () => {
      this.#db.exec('SAVEPOINT outbox');
      try {
        const result = body();
        this.#db.exec('RELEASE outbox');
        return result;
      } catch (error) {
        this.#undo();
        throw error;
      }
    });
  }

  /** A full disk may have ended the transaction by itself; then there is nothing to undo. */
  #undo(): void {
    try {
      this.#db.exec('ROLLBACK TO outbox');
      this.#db.exec('RELEASE outbox');
    } catch {
      // The error that brought us here is the one to be told.
    }
    this.#auditRowCount = Number.NaN;
  }

  audit(atMs: number, { id, home, deviceModel }: AuditSubject, event: AuditEvent, detail: string): void {
    this.sql(`INSERT INTO outbox_audit (at_ms, home, device_model, action, event, detail) VALUES (?, ?, ?, ?, ?, ?)`)
      .run(atMs, home, deviceModel, id, event, detail);
    if (Number.isNaN(this.#auditRowCount)) this.#auditRowCount = this.#countAuditRows();
    else this.#auditRowCount++;
    if (this.#auditRowCount <= this.#auditRowsMax) return;
    const surplus = this.#auditRowCount - this.#auditRowsMax;
    this.sql(`DELETE FROM outbox_audit WHERE sequence IN (SELECT sequence FROM outbox_audit ORDER BY sequence LIMIT ?)`)
      .run(surplus);
    this.#auditRowCount -= surplus;
    this.count('audit-rows-dropped', surplus);
  }

  count(name: OutboxCount, amount = 1): void {
    if (amount === 0) return;
    this.sql(`INSERT INTO outbox_count VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`)
      .run(name, amount);
  }

  counts(): Partial<Record<OutboxCount, number>> {
    const rows = this.sql(`SELECT name, value FROM outbox_count ORDER BY name`).all() as
      { name: OutboxCount; value: number }[];
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  }

  /** The latest rows, in their order. */
  rows(home: string | undefined, rowsMax: number): AuditRow[] {
    const latest = `ORDER BY sequence DESC LIMIT ?`;
    const rows = home === undefined ? this.sql(`SELECT * FROM outbox_audit ${latest}`).all(rowsMax)
      : this.sql(`SELECT * FROM outbox_audit WHERE home = ? ${latest}`).all(home, rowsMax);
    return (rows as StoredAudit[]).reverse().map((row) => ({
      sequence: row.sequence, atMs: row.at_ms, home: row.home, deviceModel: row.device_model, action: row.action,
      event: row.event as AuditEvent, detail: row.detail,
    }));
  }

  /** Erases a home's rows. @returns how many */
  eraseHome(home: string): number {
    const erased = Number(this.sql(`DELETE FROM outbox_audit WHERE home = ?`).run(home).changes);
    this.#auditRowCount -= erased;
    return erased;
  }

  /** Erases rows from before a time. @returns how many */
  eraseBefore(beforeMs: number): number {
    const erased = Number(this.sql(`DELETE FROM outbox_audit WHERE at_ms < ?`).run(beforeMs).changes);
    this.#auditRowCount -= erased;
    return erased;
  }

  #countAuditRows(): number {
    return Number((this.#db.prepare(`SELECT count(*) AS rows FROM outbox_audit`).get() as { rows: number }).rows);
  }
}
