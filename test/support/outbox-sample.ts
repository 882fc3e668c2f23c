/**
 * Verdicts, actions and an outbox in memory for tests of what acts: plain values with one field changed where a test
 * is about that field. Times are of a day in 2026, by no clock.
 */
import { DatabaseSync } from 'node:sqlite';
import { actionId, Outbox, type OutboxOptions, type PlannedAction } from '#action';
import type { Verdict } from '#verdict';

export const sampleStartMs = Date.UTC(2026, 2, 1, 12);

export function sampleVerdict(changed: Partial<Verdict> = {}): Verdict {
  const home = changed.home ?? 'home-1';
  const deviceModel = changed.deviceModel ?? 'webcam.D_Link.DCS_933L';
  const classifier = changed.classifier ?? 'ab'.repeat(32);
  return {
    home, deviceModel, classifier, state: 'present', episode: 1, sinceMs: sampleStartMs,
    firstFlowMs: sampleStartMs - 600_000, supportedMs: sampleStartMs,
    evidence: {
      home, deviceModel, classifier, windowStartMs: sampleStartMs - 3_600_000, windowEndMs: sampleStartMs, score: 3,
      tokens: [
        { text: 'tcp 443 203.0.113.0/24 9', weight: 1, buckets: 2 },
        { text: 'udp 123 198.51.100.0/24 6', weight: 1, buckets: 1 },
        { text: 'udp 53 192.0.2.0/24 6', weight: 1, buckets: 4 },
      ],
    },
    ...changed,
  };
}

/** An action with the id that belongs to its fields. */
export function sampleAction(changed: Partial<Omit<PlannedAction, 'id'>> = {}): PlannedAction {
  const action: Omit<PlannedAction, 'id'> = {
    home: 'home-1', deviceModel: 'webcam.D_Link.DCS_933L', episode: 1, rung: 'notify', kind: 'mail',
    channel: 'en', step: 0, plannedMs: sampleStartMs, dueMs: sampleStartMs, expiresMs: sampleStartMs + 3 * 86_400_000,
    isDryRun: false, reasons: [
      ...changed.kind === 'block' ? [{ code: 'indicator', text: 'botnet: 198.51.100.66 tcp/23' } as const] : [],
      { code: 'presence', text: 'present since 2026-03-01T12:00:00.000Z' },
    ],
    verdict: sampleVerdict({
      home: changed.home ?? 'home-1', deviceModel: changed.deviceModel ?? 'webcam.D_Link.DCS_933L',
      episode: changed.episode ?? 1,
    }),
    block: undefined, ...changed,
  };
  return { ...action, id: actionId(action) };
}

/** An outbox on a database as the state store opens it, but in memory. */
export function openSampleOutbox(options: Partial<OutboxOptions> = {}): { db: DatabaseSync; outbox: Outbox } {
  const db = new DatabaseSync(':memory:');
  db.exec('PRAGMA secure_delete = ON');
  return { db, outbox: new Outbox(db, options) };
}
