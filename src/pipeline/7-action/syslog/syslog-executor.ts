/** Tells collectors and SIEMs over syslog; `channel` of an action is the name of one receiver. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describeError, OperatorError } from '#base';
import type { ExecutionContext, Executor, Outcome, PlannedAction } from '../action.ts';
import type { SyslogOptions } from '../action-options.ts';
import { viewForReceiver } from '../webhook/receiver-view.ts';
import type { ReceiverParts } from '../webhook/webhook-executor.ts';
import { formatSyslog } from './syslog-message.ts';
import { sendSyslog, type SyslogTarget } from './syslog-transport.ts';

const facilityMax = 23;

/**
 * An executor for all syslog receivers. A repeated message has the same id, by which a receiver knows it.
 *
 * @throws OperatorError  a certificate cannot be read, or a facility does not exist
 */
export function createSyslogExecutor(all: readonly SyslogOptions[], parts: ReceiverParts): Executor {
  const hostName = hostname();
  const targets = new Map(all.map((options) => [options.name, { options, target: openTarget(options) }]));
  const execute = async (action: PlannedAction, { signal, wallMs }: ExecutionContext): Promise<Outcome> => {
    if (action.isDryRun) return { status: 'failed', detail: 'a dry run tells nobody' };
    const found = targets.get(action.channel);
    if (found === undefined) return { status: 'failed', detail: 'the config has no such syslog receiver any more' };
    const { options, target } = found;
    const view = viewForReceiver(action, options.homeName, parts.pseudonymOf);
    const message = formatSyslog(view, { facility: options.facility, timeMs: wallMs(), hostName });
    try {
      await sendSyslog(target, message, signal);
      return { status: 'done', detail: `${message.length} bytes over ${target.transport}` };
    } catch (error) {
      return { status: 'retry', detail: describeError(error) };
    }
  };
  return { kind: 'syslog', isIdempotent: true, execute };
}

function openTarget({ name, transport, address, port, facility, caFile, timeoutMs }: SyslogOptions): SyslogTarget {
  if (!Number.isInteger(facility) || facility < 0 || facility > facilityMax) {
    throw new OperatorError('bad-option', `syslog "${name}": facility is a number from 0 to ${facilityMax}`);
  }
  let ca: string | undefined;
  try {
    ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  } catch (error) {
    throw new OperatorError('input-unreadable',
      `syslog "${name}": ca_file cannot be read: ${describeError(error)}`, error);
  }
  return { transport, address, port, ca, timeoutMs };
}
