/**
 * Runs another program for an action: no shell, a group of its own that ends as a whole, a time limit, and output that
 * is read to its end but kept only so far. What the program is told beside its arguments is what the caller gives.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

export type ProgramRun = {
  readonly program: string;
  readonly args: readonly string[];
  /** All that it gets beside `PATH` and `LC_ALL`: what else is in our environment is nobody's business. */
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
  /** Of each stream; the rest is read and dropped, so that the program does not block. */
  readonly outputBytesMax: number;
  readonly signal?: AbortSignal | undefined;
};

export type ProgramEnd =
  | { readonly end: 'exited'; readonly code: number; readonly stdout: string; readonly stderr: string;
      readonly isCut: boolean }
  | { readonly end: 'killed'; readonly signal: string }
  | { readonly end: 'timed-out' }
  | { readonly end: 'stopped' }
  | { readonly end: 'not-started'; readonly code: string };

/** What runs programs: `runProgram`, or a test's own. */
export type ProgramRunner = (run: ProgramRun) => Promise<ProgramEnd>;

/** Pipes of a program that ended may be held open by what it left behind outside its group; so long they are read. */
const drainMs = 500;
/** Where system programs such as nft lie; the path of a service or a login may lack them. */
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** Runs a program to its end, or to the end of its time. Never throws for what the program does. */
export function runProgram(run: ProgramRun): Promise<ProgramEnd> {
  if (run.signal?.aborted === true) return Promise.resolve({ end: 'stopped' });
  return new Promise((resolve) => {
    const child = start(run);
    if (typeof child === 'string') {
      resolve({ end: 'not-started', code: child });
      return;
    }
    let cause: 'timed-out' | 'stopped' | undefined;
    let drain: NodeJS.Timeout | undefined;
    const endBecause = (why: 'timed-out' | 'stopped'): void => {
      cause ??= why;
      killGroup(child);
    };
    const timer = setTimeout(() => endBecause('timed-out'), run.timeoutMs);
    const stop = (): void => endBecause('stopped');
    run.signal?.addEventListener('abort', stop, { once: true });
    const stdout = new KeptOutput(child.stdout as Readable, run.outputBytesMax);
    const stderr = new KeptOutput(child.stderr as Readable, run.outputBytesMax);
    const settle = (end: ProgramEnd): void => {
      clearTimeout(timer);
      clearTimeout(drain);
      run.signal?.removeEventListener('abort', stop);
      resolve(end);
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      // After a start this only says that a signal could not be sent; the end is told by `close`.
      if (child.pid === undefined) settle({ end: 'not-started', code: error.code ?? 'unknown' });
    });
    child.on('exit', () => {
      // What it left running in the background is not waited for.
      killGroup(child);
      drain = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, drainMs);
    });
    child.on('close', (code, signal) => {
      if (cause !== undefined) settle({ end: cause });
      else if (code === null) settle({ end: 'killed', signal: signal ?? 'unknown' });
      else {
        const isCut = stdout.isCut || stderr.isCut;
        settle({ end: 'exited', code, stdout: stdout.text(), stderr: stderr.text(), isCut });
      }
    });
    // A program need not read what it is told; EPIPE is no failure.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(run.input);
  });
}

/** The child, or the code of the error that a start throws at once (EACCES, E2BIG on some systems). */
function start({ program, args, environment }: ProgramRun): ChildProcess | string {
  const path = [...new Set([...(process.env.PATH ?? '').split(':').filter(Boolean), ...systemFolders])].join(':');
  try {
    return spawn(program, args, {
      shell: false, detached: true, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true,
      env: { ...environment, PATH: path, LC_ALL: 'C.UTF-8' },
    });
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

/** Ends a program and what it started, as far as that stayed in its group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}

/** The first bytes of a stream. */
class KeptOutput {
  isCut = false;
  readonly #pieces: Uint8Array[] = [];
  #room: number;

  constructor(stream: Readable, bytesMax: number) {
    this.#room = bytesMax;
    stream.on('data', (piece: Uint8Array) => {
      if (piece.length > this.#room) this.isCut = true;
      if (this.#room > 0) this.#pieces.push(piece.subarray(0, this.#room));
      this.#room = Math.max(0, this.#room - piece.length);
    });
    stream.on('error', () => undefined);
  }

  text(): string {
    return Buffer.concat(this.#pieces).toString('utf8');
  }
}

/**
 * Output of a program as one line that is safe to show and to keep: its first line with something on it, without
 * control characters and marks that turn the direction of text, cut to a length.
 */
export function oneLine(text: string, charactersMax: number): string {
  for (const line of text.split(/[\r\n\u0085\u2028\u2029]+/)) {
    const shown = line.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}]+/gu, ' ').replace(/\s+/g, ' ').trim();
    if (shown === '') continue;
    const characters = [...shown];
    return characters.length <= charactersMax ? shown : `${characters.slice(0, charactersMax - 1).join('')}…`;
  }
  return '';
}
