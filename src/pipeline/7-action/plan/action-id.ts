/**
 * Names of actions: the same thing to do has the same id, so that nothing is done twice however often it is planned.
 */
import { createHash } from 'node:crypto';
import type { PlannedAction } from '../action.ts';

export type ActionKey =
  Pick<PlannedAction, 'home' | 'deviceModel' | 'episode' | 'rung' | 'kind' | 'channel' | 'step' | 'isDryRun'>;

/** The id of `PlannedAction.id`. The language of a mail is no part of it. */
export function actionId({ home, deviceModel, episode, rung, kind, channel, step, isDryRun }: ActionKey): string {
  const parts = [home, deviceModel, episode, rung, kind, kind === 'mail' ? '' : channel, step, isDryRun];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
