/** Rows of the outbox to values and back. A row may be damaged; then it is nobody's error, and nothing here throws. */
import type { Verdict } from '#verdict';
import type { BlockTarget, PlannedAction, Reason, ReasonCode, VerificationAnswer } from '../action.ts';
import type { OperatorOrder, OutboxState, PastAction } from '../plan/plan-input.ts';

/** A row of `outbox_action` without its content, as SQLite gives it. */
export type PastRow = {
  readonly id: string; readonly home: string; readonly device_model: string; readonly episode: number;
  readonly rung: string; readonly kind: string; readonly channel: string; readonly step: number;
  readonly is_dry_run: number; readonly reason_codes: string; readonly planned_ms: number; readonly due_ms: number;
  readonly expires_ms: number; readonly next_ms: number; readonly state: string; readonly attempts: number;
  readonly finished_ms: number | null; readonly answer: string | null; readonly detail: string;
};

/** Columns of a `PastRow`. */
export const pastColumns = `id, home, device_model, episode, rung, kind, channel, step, is_dry_run, reason_codes,
  planned_ms, due_ms, expires_ms, next_ms, state, attempts, finished_ms, answer, detail`;

/** All of a row. */
export type ActionRow = PastRow & { readonly content: string };

/** An action as people see it, in `explain` and in reports. */
export type ListedAction = PastAction & {
  readonly attempts: number;
  readonly dueMs: number;
  /** When it is tried, for the first time or again. */
  readonly nextMs: number;
  readonly expiresMs: number;
  readonly detail: string;
};

type Content = {
  readonly reasons: readonly Reason[]; readonly verdict: Verdict; readonly block: BlockTarget | null;
};

export function writeContent({ reasons, verdict, block }: PlannedAction): string {
  return JSON.stringify({ reasons, verdict, block: block ?? null } satisfies Content);
}

export function readPast(row: PastRow): PastAction {
  return {
    id: row.id, home: row.home, deviceModel: row.device_model, episode: row.episode,
    rung: row.rung as PastAction['rung'], kind: row.kind as PastAction['kind'], channel: row.channel,
    step: row.step, isDryRun: row.is_dry_run !== 0,
    state: row.state as OutboxState, reasonCodes: row.reason_codes.split(',') as ReasonCode[],
    plannedMs: row.planned_ms, finishedMs: row.finished_ms ?? undefined,
    answer: (row.answer ?? undefined) as VerificationAnswer | undefined,
  };
}

export function readListed(row: PastRow): ListedAction {
  return {
    ...readPast(row), attempts: row.attempts, dueMs: row.due_ms, nextMs: row.next_ms,
    expiresMs: row.expires_ms, detail: row.detail,
  };
}

/** The action of a row, or a sentence about what is wrong with it. */
export function readAction(row: ActionRow): PlannedAction | string {
  let content: unknown;
  try {
    content = JSON.parse(row.content);
  } catch {
    return 'its content is no JSON';
  }
  if (!isContent(content)) return 'its content has another form';
  const { reasons, verdict, block } = content;
  if (verdict.home !== row.home || verdict.deviceModel !== row.device_model) return 'its verdict is of another home';
  if (row.kind === 'block' && block === null) return 'a block without a target';
  const { id, home, deviceModel, episode, rung, kind, channel, step, isDryRun } = readPast(row);
  return Object.freeze({
    id, home, deviceModel, episode, rung, kind, channel, step, plannedMs: row.planned_ms, dueMs: row.due_ms,
    expiresMs: row.expires_ms, isDryRun, reasons, verdict: { ...verdict, evidence: verdict.evidence },
    block: block === null ? undefined : readTarget(block),
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isContent(value: unknown): value is Content {
  if (!isRecord(value)) return false;
  const { reasons, verdict, block } = value;
  return Array.isArray(reasons) && reasons.every(isReason) && isVerdict(verdict) && (block === null || isTarget(block));
}

function isReason(value: unknown): boolean {
  return isRecord(value) && typeof value.code === 'string' && typeof value.text === 'string';
}

function isVerdict(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { evidence } = value;
  const areTexts = [value.home, value.deviceModel, value.classifier, value.state].every(
    (text) => typeof text === 'string');
  const areNumbers = [value.episode, value.sinceMs, value.firstFlowMs, value.supportedMs].every(
    (number) => typeof number === 'number');
  return areTexts && areNumbers && (evidence === undefined || isEvidence(evidence));
}

function isEvidence(value: unknown): boolean {
  return isRecord(value) && typeof value.score === 'number' && typeof value.windowStartMs === 'number' &&
    typeof value.windowEndMs === 'number' && Array.isArray(value.tokens) &&
    value.tokens.every((token) => isRecord(token) && typeof token.text === 'string');
}

function isTarget(value: unknown): boolean {
  return isRecord(value) && typeof value.homeAddress === 'string' &&
    (value.protocol === 'tcp' || value.protocol === 'udp') &&
    (value.destination === undefined || typeof value.destination === 'string') &&
    (value.port === undefined || typeof value.port === 'number');
}

/** JSON leaves out what is undefined; the value has it. */
function readTarget({ homeAddress, destination, protocol, port }: BlockTarget): BlockTarget {
  return { homeAddress, destination, protocol, port };
}

/** A row of `outbox_order`. */
export type OrderRow = {
  readonly id: string; readonly home: string; readonly device_model: string; readonly home_address: string;
  readonly destination: string | null; readonly protocol: string; readonly port: number | null; readonly note: string;
  readonly given_ms: number;
};

export function readOrder(row: OrderRow): OperatorOrder {
  return {
    id: row.id, home: row.home, deviceModel: row.device_model, note: row.note, givenMs: row.given_ms,
    target: {
      homeAddress: row.home_address, destination: row.destination ?? undefined,
      protocol: row.protocol === 'udp' ? 'udp' : 'tcp', port: row.port ?? undefined,
    },
  };
}
