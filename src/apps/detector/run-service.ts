/** A detector as a process: runs until a signal, ends in order, tells what went wrong. */
import { describeError, logText, OperatorError } from '#base';
import type { DetectorConfig } from './config/detector-config.ts';
import { DetectorService } from './detector-service.ts';
import { createRoutes } from './routes.ts';

const uncaught = ['uncaughtException', 'unhandledRejection'] as const;
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs until SIGINT, SIGTERM or SIGHUP; a second one ends at once.
 *
 * @returns exit code: 0, or 70 after a bug of ours
 * @throws OperatorError     the config has no listener, or something else of it cannot be used
 * @throws EnvironmentError  it cannot start
 */
export async function runService(config: DetectorConfig): Promise<0 | 70> {
  if (config.input.listen.length === 0) throw new OperatorError('bad-option', `${config.file} listens nowhere, so ` +
    'that no flow could ever come: give input.listen, such as listen = ["udp://0.0.0.0:2055"]. Only --replay works ' +
    'without.');
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
  const service = await DetectorService.start(config, { logStream: process.stderr, routes: createRoutes, onBug });
  const code = await ended;
  await service.stop();
  for (const signal of endingSignals) process.off(signal, onSignal);
  for (const event of uncaught) process.off(event, onBug);
  // What was given up would keep the process alive, for minutes in the case of a mail server without an answer.
  if (service.isCutOff) process.exit(code);
  return code;
}

/** What was thrown and where, without addresses and with nothing else of what hangs on it. */
export function describeBug(thrown: unknown): string {
  if (!(thrown instanceof Error)) return logText(describeError(thrown));
  const { name, message, stack = '' } = thrown;
  const frames = stack.split('\n').filter((line) => /^ +at /.test(line)).map(logText);
  return [logText(`${name}: ${message}`), ...frames].join('\n');
}
