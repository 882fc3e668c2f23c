/**
 * The tables of the outbox. `outbox_audit` is only added to: what was written may go away with time or with its home,
 * but is never changed. What `content` holds is for executors, everything that is asked for has a column.
 */

export const outboxTables = `
CREATE TABLE IF NOT EXISTS outbox_action (
  id TEXT PRIMARY KEY, home TEXT NOT NULL, device_model TEXT NOT NULL, episode INTEGER NOT NULL, rung TEXT NOT NULL,
  kind TEXT NOT NULL, channel TEXT NOT NULL, step INTEGER NOT NULL, is_dry_run INTEGER NOT NULL,
  reason_codes TEXT NOT NULL, planned_ms REAL NOT NULL, due_ms REAL NOT NULL, expires_ms REAL NOT NULL,
  next_ms REAL NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, finished_ms REAL, answer TEXT, detail TEXT NOT NULL,
  content TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_action_due ON outbox_action (kind, is_dry_run, next_ms, planned_ms, id)
  WHERE state = 'planned';
CREATE INDEX IF NOT EXISTS outbox_action_next ON outbox_action (next_ms) WHERE state = 'planned';
CREATE INDEX IF NOT EXISTS outbox_action_expires ON outbox_action (expires_ms) WHERE state = 'planned';
CREATE INDEX IF NOT EXISTS outbox_action_dry ON outbox_action (next_ms) WHERE state = 'planned' AND is_dry_run = 1;
CREATE INDEX IF NOT EXISTS outbox_action_state ON outbox_action (state, finished_ms);
CREATE INDEX IF NOT EXISTS outbox_action_home ON outbox_action (home, planned_ms);
CREATE INDEX IF NOT EXISTS outbox_action_usage ON outbox_action (is_dry_run, planned_ms, kind, state, home);
CREATE TABLE IF NOT EXISTS outbox_audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, at_ms REAL NOT NULL, home TEXT NOT NULL, device_model TEXT NOT NULL,
  action TEXT NOT NULL, event TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_audit_home ON outbox_audit (home);
CREATE TRIGGER IF NOT EXISTS outbox_audit_stays BEFORE UPDATE ON outbox_audit
BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
CREATE TABLE IF NOT EXISTS outbox_order (
  id TEXT PRIMARY KEY, home TEXT NOT NULL, device_model TEXT NOT NULL, home_address TEXT NOT NULL, destination TEXT,
  protocol TEXT NOT NULL, port INTEGER, note TEXT NOT NULL, given_ms REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS outbox_opt_out (
  home TEXT NOT NULL, device_model TEXT NOT NULL, since_ms REAL NOT NULL, PRIMARY KEY (home, device_model)
) STRICT;
CREATE TABLE IF NOT EXISTS outbox_count (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
`;

/** What happened to an action, an order or a home. */
export type AuditEvent =
  | 'planned' | 'planned-again' | 'cancelled' | 'done' | 'retry' | 'failed' | 'expired' | 'uncertain' | 'dry-run'
  | 'damaged' | 'recovered' | 'resent' | 'withheld' | 'outbox-full' | 'ordered' | 'opted-out' | 'opted-in'
  | 'forgotten';

/** What is counted for good, without names of homes. */
export type OutboxCount =
  | 'admitted' | 'refused-full' | 'damaged' | 'recovered' | 'attempts' | 'audit-rows-dropped'
  | 'forgotten-homes' | 'forgotten-actions' | 'pruned-actions' | 'pruned-audit-rows';
