/**
 * The five kinds of failure, sorted by who must act (docs/decisions/0004-errors.md).
 * A `Problem` is a value about bad bytes from a peer; the others are thrown.
 */

/** What is wrong with bytes that a peer sent. Shared with metrics, summaries and docs. */
export type ProblemCode =
  | 'not-ip'
  | 'cut-link-header'
  | 'unknown-link-type'
  | 'bad-ip-header'
  | 'cut-ip-header'
  | 'duplicate'
  | 'cut-file'
  | 'damaged-file'
  | 'bad-row'
  | 'not-an-export'
  | 'cut-export'
  | 'fragmented-export';

/** A peer's bad bytes, described; never thrown, always counted. */
export type Problem = {
  readonly code: ProblemCode;
  /** One sentence: what was found where. */
  readonly detail: string;
  /** Offset in the (decompressed) input, in bytes, or -1 when it does not apply. */
  readonly offsetBytes: number;
};

export type OperatorErrorCode =
  | 'input-unreadable'
  | 'input-empty'
  | 'input-unknown-kind'
  | 'output-unwritable'
  | 'output-unknown-kind'
  | 'bad-option'
  | 'bad-config'
  | 'bad-columns';

export type EnvironmentErrorCode =
  'ndpi-absent' | 'ndpi-unknown-version' | 'ndpi-failed' | 'disk' | 'node-absent' | 'network' |
  'worker-failed' | 'duckdb-absent' |
  /** The C library cannot be called here: no Linux, or no build of koffi for this machine. */
  'no-native-calls' |
  /** The system does not let us see packets: root or CAP_NET_RAW is missing. */
  'no-capture-right' |
  'browser-absent' | 'browser-failed';

/** The person at the keyboard must change something: one sentence, no stack, exit code 2. */
export class OperatorError extends Error {
  readonly code: OperatorErrorCode;
  constructor(code: OperatorErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OperatorError';
    this.code = code;
  }
}

/** Disk, network or an installed program failed: bounded retry, then exit code 3. */
export class EnvironmentError extends Error {
  readonly code: EnvironmentErrorCode;
  constructor(code: EnvironmentErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EnvironmentError';
    this.code = code;
  }
}

/** What is wrong with an artifact that somebody gave us to trust. */
export type TrustErrorCode =
  /** No artifact at all. */
  | 'artifact-unknown-kind'
  /** Of a format, catalog or algorithm, or of a version of one, that this program does not know. */
  | 'artifact-unknown-version'
  /** Shorter or longer than it says. */
  | 'artifact-cut'
  /** Its digest does not fit. */
  | 'artifact-damaged'
  /** Its digest fits, but no trainer writes such content. */
  | 'artifact-unsound';

/** An attacker or a publisher: refuse, and keep what was trusted before. */
export class TrustError extends Error {
  readonly code: TrustErrorCode;
  constructor(code: TrustErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TrustError';
    this.code = code;
  }
}

/** Our own bug: stop, and print the state. */
export class InvariantError extends Error {
  readonly code = 'invariant';
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'InvariantError';
  }
}

/** Message of anything that was thrown, in one line. */
export function describeError(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
