/**
 * Actions: what is done about a verdict, and why. A plan is made by a pure function (`plan/`), put into the outbox
 * (`outbox/`), and executed from there by one executor for each kind. Types that all of these share.
 */
import type { Verdict } from '#verdict';

/** The ladder, from the mildest to the hardest. Presence alone never goes beyond `remind`. */
export type Rung = 'observe' | 'verify' | 'notify' | 'remind' | 'mitigate';
export const rungs: readonly Rung[] = ['observe', 'verify', 'notify', 'remind', 'mitigate'];

export type ActionKind = 'mail' | 'webhook' | 'syslog' | 'verify' | 'block';

export type ReasonCode =
  /** The verdict is `present`. */
  | 'presence'
  /** A verification confirmed it. */
  | 'verified'
  /** A verification refuted it: what receivers are told, never a reason to go further. */
  | 'refuted'
  /** A verification gave no answer: the same. */
  | 'unverified'
  /** The home talked to an address or port that says it was broken into. */
  | 'indicator'
  /** A person ordered it. */
  | 'operator-order';

export type Reason = { readonly code: ReasonCode; readonly text: string };

/** What to block, and in whose traffic: never a whole home. */
export type BlockTarget = {
  /** The home's address as the blocking machine sees it. */
  readonly homeAddress: string;
  /** Address or prefix; undefined: any. One of destination and port is given. */
  readonly destination: string | undefined;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number | undefined;
};

/** One thing to do, once. Plain data. Times are of the detector's steady timeline. */
export type PlannedAction = {
  /**
   * SHA-256 (hexadecimal) of home, device model, episode, rung, kind, channel, step and whether it is dry. The language
   * of a mail is left out: a customer who changes it is not told again.
   */
  readonly id: string;
  readonly home: string;
  readonly deviceModel: string;
  readonly episode: number;
  readonly rung: Rung;
  readonly kind: ActionKind;
  /** Name of the webhook or syslog receiver in the config; the language of a mail; the way of verification; what a
   * block is of, as `targetText` writes it. */
  readonly channel: string;
  /** 0 but for reminders (1, 2, …), repeated blocks, and what receivers are told of blocks. */
  readonly step: number;
  readonly plannedMs: number;
  readonly dueMs: number;
  /** Too late to be worth anything: dropped and audited instead of executed. */
  readonly expiresMs: number;
  readonly isDryRun: boolean;
  readonly reasons: readonly Reason[];
  /** What the executor needs beyond the above, frozen when planned. */
  readonly verdict: Verdict;
  readonly block: BlockTarget | undefined;
};

/** Why something that the ladder asks for is not done now. */
export type WithheldCode =
  | 'dry-run' | 'opted-out' | 'no-contact' | 'home-rate' | 'overall-rate' | 'awaiting-verification' | 'refuted'
  | 'verification-failed' | 'not-due' | 'no-reason-beyond-presence' | 'allow-listed' | 'not-configured' | 'ended';

export type Withheld = {
  readonly home: string;
  readonly deviceModel: string;
  readonly rung: Rung;
  readonly kind: ActionKind;
  readonly code: WithheldCode;
  readonly detail: string;
};

/** An action of the outbox that waits, and whose cause is gone: the episode ended, somebody opted out. */
export type Cancelled = { readonly id: string; readonly code: WithheldCode; readonly detail: string };

export type Plan = {
  readonly plannedMs: number;
  readonly actions: readonly PlannedAction[];
  readonly withheld: readonly Withheld[];
  readonly cancelled: readonly Cancelled[];
};

export type VerificationAnswer = 'confirmed' | 'refuted' | 'unsure';

/** What came of executing an action. */
export type Outcome =
  /** Done. */
  | { readonly status: 'done'; readonly detail: string; readonly answer?: VerificationAnswer }
  /** Failed for now: tried again after a growing pause until the action expires. */
  | { readonly status: 'retry'; readonly detail: string; readonly afterMs?: number }
  /** Will never work. */
  | { readonly status: 'failed'; readonly detail: string }
  /** Nobody knows whether it happened (the line broke after the final dot of a mail): not repeated, but reported. */
  | { readonly status: 'uncertain'; readonly detail: string };

export type ExecutionContext = {
  /**
   * To be called, and awaited by nothing, right before the step that cannot be taken back (the final dot of a mail):
   * whoever is killed between this and the outcome leaves an action of uncertain fate, which is not repeated.
   */
  readonly markCommitting: () => void;
  /** Ends waiting when the detector stops. */
  readonly signal: AbortSignal;
  /** Wall clock, for texts and protocol headers. */
  readonly wallMs: () => number;
};

/** Executes actions of one kind. Never throws for what the world does: it says so in the outcome. */
export type Executor = {
  readonly kind: ActionKind;
  /** Done twice is the same as once: such an action is repeated when its fate is uncertain. */
  readonly isIdempotent: boolean;
  readonly execute: (action: PlannedAction, context: ExecutionContext) => Promise<Outcome>;
  /** Ends what is kept open. */
  readonly close?: () => Promise<void>;
};

/** Whom to tell, of one home. */
export type HomeContact = {
  readonly home: string;
  /** Address of the mail; undefined: none. */
  readonly mail: string | undefined;
  /** How the customer is addressed; undefined: without a name. */
  readonly name: string | undefined;
  readonly language: string;
  /** Addresses of the home as the blocking machine sees them. */
  readonly addresses: readonly string[];
};

/** What texts say of a device model. */
export type DeviceModelNotes = {
  readonly deviceModel: string;
  /** As a customer would call it: "D-Link DCS-933L camera". */
  readonly title: string;
  /** Public numbers of the vulnerability, such as CVE-2019-10999. */
  readonly vulnerabilities: readonly string[];
  /** The maker's page on the update, as text in the mail; undefined: none. */
  readonly adviceUrl: string | undefined;
};
