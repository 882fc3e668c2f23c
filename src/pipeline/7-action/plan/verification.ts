/** Where verification stands in an episode: what was asked, what was answered, and what that means for the rest. */
import type { LadderOptions } from '../action-options.ts';
import type { ReasonCode } from '../action.ts';
import { isOpen, type PastActions } from './past-actions.ts';

export type Verification = {
  /**
   * `not-asked`: it is off. `waiting`: asked, or to be asked. `assumed`: a dry run asks nobody, and goes on as if
   * confirmed. `no-answer`: nobody could tell, or nobody can be asked.
   */
  readonly status: 'not-asked' | 'waiting' | 'confirmed' | 'refuted' | 'no-answer' | 'assumed';
  /** Who is asked; empty: nobody can be. */
  readonly channel: string;
  readonly reasonCode: ReasonCode;
  readonly text: string;
};

/** What receivers are told of an answer. */
const reasonCodes: Partial<Record<Verification['status'], ReasonCode>> = {
  'confirmed': 'verified', 'refuted': 'refuted', 'no-answer': 'unverified',
};

export function readVerification(options: LadderOptions['verify'], past: PastActions): Verification {
  const channel = [
    ...options.classifierFolder === undefined ? [] : ['second-opinion'],
    ...options.command === undefined ? [] : ['command'],
  ].join('+');
  const make = (status: Verification['status'], text: string): Verification =>
    ({ status, channel, reasonCode: reasonCodes[status] ?? 'presence', text });
  if (!options.isOn) return make('not-asked', 'verification is off');
  const asked = past.of('verify', 'verify', 0);
  if (asked === undefined) {
    return channel === '' ? make('no-answer', 'nobody can be asked to verify') : make('waiting', 'to be verified');
  }
  if (isOpen(asked)) return make('waiting', `being verified by ${asked.channel}`);
  if (asked.state === 'dry-run') return make('assumed', 'taken for confirmed in a dry run');
  if (asked.state !== 'done') return make('no-answer', `verification ${asked.state}`);
  if (asked.answer === 'confirmed') return make('confirmed', `confirmed by ${asked.channel}`);
  if (asked.answer === 'refuted') return make('refuted', `refuted by ${asked.channel}`);
  return make('no-answer', `${asked.channel} could not tell`);
}
