/**
 * What a plan is made from: all of it handed in as values, so that the same input gives the same plan. Histories, usage
 * and orders come from the outbox, hits from the matcher of indicators, the rest from the config and the verdicts.
 */
import type { Indicator, IndicatorHit } from '#evidence';
import type { Verdict } from '#verdict';
import type { BlockOptions, LadderOptions, SyslogOptions, WebhookOptions } from '../action-options.ts';
import type {
  ActionKind, BlockTarget, HomeContact, PlannedAction, ReasonCode, VerificationAnswer,
} from '../action.ts';

/** Where an action of the outbox stands. */
export type OutboxState =
  /** Waits until it is due, for the first time or after a failure. */
  | 'planned'
  /** Its executor is at work, and nothing has happened yet that could not be repeated. */
  | 'attempting'
  /** At the step that cannot be taken back. */
  | 'committing'
  | 'done'
  /** Will not be tried again. */
  | 'failed'
  /** Was never tried, and it is too late now. May be planned anew. */
  | 'expired'
  /** Perhaps done, perhaps not: never repeated unless a person says so. */
  | 'uncertain'
  /** Would have been done. */
  | 'dry-run'
  /** Its cause went away before it was done. May be planned anew. */
  | 'cancelled'
  /** Its row cannot be read. */
  | 'damaged';

/** An action that was planned before. */
export type PastAction =
  Pick<PlannedAction, 'id' | 'home' | 'deviceModel' | 'episode' | 'rung' | 'kind' | 'channel' | 'step' | 'isDryRun'> & {
    readonly state: OutboxState;
    readonly reasonCodes: readonly ReasonCode[];
    readonly plannedMs: number;
    /** Undefined while it is planned, attempting or committing. */
    readonly finishedMs: number | undefined;
    /** Of a verification that is done. */
    readonly answer: VerificationAnswer | undefined;
  };

/** A block that a person orders. Presence, verification and opting out are their decision then. */
export type OperatorOrder = {
  readonly id: string;
  readonly home: string;
  readonly deviceModel: string;
  readonly target: BlockTarget;
  readonly note: string;
  readonly givenMs: number;
};

export type OptOut = {
  readonly home: string;
  /** Undefined: of everything. */
  readonly deviceModel: string | undefined;
};

/** What was admitted within the windows of the rates, of real actions or, in a dry run, of dry ones. */
export type Usage = {
  /** Mails within `rates.perHomeMs`. */
  readonly mailsByHome: ReadonlyMap<string, number>;
  /** Mails and blocks, which customers notice, within `rates.overallMs`. */
  readonly noticed: number;
  /** Messages to receivers of the operator's, within the same time. They take no room from mails and blocks. */
  readonly messages: number;
};

/** What the operator configured. */
export type PlanChannels = {
  readonly mail: boolean;
  readonly webhooks: readonly Pick<WebhookOptions, 'name' | 'rungs'>[];
  readonly syslogs: readonly Pick<SyslogOptions, 'name' | 'rungs'>[];
  /** Undefined: nothing is ever blocked. */
  readonly block: Pick<BlockOptions, 'durationMs' | 'allow'> | undefined;
};

export type PlanInput = {
  readonly nowMs: number;
  readonly isDryRun: boolean;
  readonly ladder: LadderOptions;
  readonly channels: PlanChannels;
  /**
   * Those to plan for, ended ones among them: actions of ended episodes that wait are cancelled. Of a home and device
   * model that are not here, nothing is planned and nothing cancelled.
   */
  readonly verdicts: readonly Verdict[];
  readonly contacts: ReadonlyMap<string, HomeContact>;
  readonly indicators: readonly Indicator[];
  readonly hits: readonly IndicatorHit[];
  readonly orders: readonly OperatorOrder[];
  readonly optOuts: readonly OptOut[];
  /** At least everything of the homes of `verdicts`. */
  readonly history: readonly PastAction[];
  readonly usage: Usage;
};

/** Kinds that customers notice. */
export const noticedKinds: readonly ActionKind[] = ['mail', 'block'];
/** Kinds that receivers of the operator's get. */
export const messageKinds: readonly ActionKind[] = ['webhook', 'syslog'];
