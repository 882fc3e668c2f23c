/** A service as a process: runs until a signal, ends in order, tells what went wrong. */
import { describeError, logText } from '#base';

const uncaught = ['uncaughtException', 'unhandledRejection'] as const;
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type RunningService = {
  /** Ends in order. */
  readonly stop: () => Promise<void>;
  /** Something that was given up still holds sockets or programs: the process must end all the same. */
  readonly isCutOff?: boolean;
};

/**
 * Runs until SIGINT, SIGTERM or SIGHUP; a second one ends at once.
 *
 * @param start  is given what to call after a bug of ours
 * @returns      exit code: 0, or 70 after a bug of ours
 * @throws       what `start` throws
 */
export async function runUntilSignal(
  start: (onBug: (thrown: unknown) => void) => Promise<RunningService>,
): Promise<0 | 70> {
  // Nothing that it makes is for others to read, whatever the mask of the shell.
  process.umask(0o077);
  let end: (code: 0 | 70) => void = () => undefined;
  const ended = new Promise<0 | 70>((resolve) => {
    end = resolve;
  });
  const onSignal = (): void => {
    // Without a listener the next one ends the process, whichever of them it is.
    for (const signal of endingSignals) process.off(signal, onSignal);
    end(0);
  };
  for (const signal of endingSignals) process.on(signal, onSignal);
  const onBug = (thrown: unknown): void => {
    process.stderr.write(`natlens: this is a bug in natlens, please report it:\n${describeBug(thrown)}\n`);
    end(70);
  };
  // What nobody catches Node would print with everything that hangs on it, such as the answer of a mail server.
  for (const event of uncaught) process.on(event, onBug);
  const service = await start(onBug);
  const code = await ended;
  await service.stop();
  for (const signal of endingSignals) process.off(signal, onSignal);
  for (const event of uncaught) process.off(event, onBug);
  // What was given up would keep the process alive, for minutes in the case of a mail server without an answer.
  if (service.isCutOff === true) process.exit(code);
  return code;
}

/** What was thrown and where, without addresses and with nothing else of what hangs on it. */
export function describeBug(thrown: unknown): string {
  if (!(thrown instanceof Error)) return logText(describeError(thrown));
  const { name, message, stack = '' } = thrown;
  const frames = stack.split('\n').filter((line) => /^ +at /.test(line)).map(logText);
  return [logText(`${name}: ${message}`), ...frames].join('\n');
}
