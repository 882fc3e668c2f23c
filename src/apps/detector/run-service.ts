/** A detector as a process: it must listen somewhere, then it runs until a signal. */
import { OperatorError } from '#base';
import { runUntilSignal } from '#service';
import type { DetectorConfig } from './config/detector-config.ts';
import { DetectorService } from './detector-service.ts';
import { createRoutes } from './routes.ts';

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
  return await runUntilSignal((onBug) =>
    DetectorService.start(config, { logStream: process.stderr, routes: createRoutes, onBug }));
}
