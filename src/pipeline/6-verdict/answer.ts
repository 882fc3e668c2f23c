/**
 * What a verdict answers, in one word and in sentences for people: a help desk reads them out. Never says more than was
 * found: `not-yet` is no statement that the device is absent.
 */
import { formatCount } from '#base';
import type { UncalibratedCode } from './calibration.ts';
import type { Verdict } from './verdict.ts';

/** `one-of`: one of the device models of a group that these data do not tell apart. */
export type Answer = 'present' | 'one-of' | 'not-yet' | 'unfit';

/**
 * @param verdict       undefined: there is none
 * @param uncalibrated  why the classifier must not decide now; undefined: it may, or the policy asks for no calibration
 */
export function answerOf(verdict: Verdict | undefined, uncalibrated: UncalibratedCode | undefined): Answer {
  // What was found while the classifier was fit stands until it expires, which it does as nothing supports it any more.
  if (verdict?.state === 'present') return verdict.group === undefined ? 'present' : 'one-of';
  return uncalibrated === undefined ? 'not-yet' : 'unfit';
}

/** A verdict's state in a cell of a table: never one device model's name alone where it may be another. */
export function labelState({ state, group }: Pick<Verdict, 'state' | 'group'>): string {
  return state === 'present' && group !== undefined ? 'one of' : state;
}

/** Beside such tables: what `one of` means, a line for each group that was found. */
export function describeGroups(verdicts: readonly Pick<Verdict, 'state' | 'group'>[]): string[] {
  const groups = verdicts.flatMap(({ state, group }) => state === 'present' && group !== undefined ? [group] : []);
  return [...new Set(groups.map((group) => `One of these, which cannot be told apart: ${group.join(', ')}.`))];
}

const unfitReasons: Readonly<Record<UncalibratedCode, string>> = {
  'not-calibrated': 'it was never measured how often it would be wrong',
  'few-home-days': 'it was measured in too few homes to say how often it would be wrong',
  'not-separable': 'homes without this device often look the same to it',
  expired: 'it is past its date, and devices change',
  drifted: 'the device has changed since it was made, by a new firmware or another cloud',
};

/** Why a classifier must not decide, as half a sentence. */
export function describeUncalibrated(code: UncalibratedCode): string {
  return unfitReasons[code];
}

/** Whose answer it is. */
export type AnswerSubject = {
  readonly deviceModel: string;
  readonly verdict: Verdict | undefined;
  readonly uncalibrated: UncalibratedCode | undefined;
};

/** Names of device models for people; by default as they are written. */
export type NameOf = (deviceModel: string) => string;

/** The answer in one to three sentences. */
export function describeAnswer({ deviceModel, verdict, uncalibrated }: AnswerSubject,
  nameOf: NameOf = (name) => name): string {
  const name = nameOf(deviceModel);
  switch (answerOf(verdict, uncalibrated)) {
    case 'present':
      return join(`There is a ${name} in this home.`, describeRarity(verdict?.p, name), describeStale(uncalibrated));
    case 'one-of':
      return join(`There is one of these in this home: ${listNames(verdict?.group ?? [], nameOf)}. ` +
        'Their traffic is too alike to say which.', describeRarity(verdict?.p, 'any of them'),
      describeStale(uncalibrated));
    case 'not-yet':
      return `Nothing seen so far is enough to say that there is a ${name} in this home. ` +
        'That does not mean that there is none.';
    case 'unfit':
      return `About a ${name} in this home nothing can be said: the classifier must not decide, because ` +
        `${describeUncalibrated(uncalibrated ?? 'not-calibrated')}.`;
  }
}

function join(...sentences: readonly string[]): string {
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/** A p-value in words: rounded towards what is less sure. */
function describeRarity(p: number | undefined, name: string): string {
  const days = p === undefined ? 0 : Math.floor(1 / p + 1e-9);
  return days < 2 ? '' : 'A home without ' + (name.startsWith('any ') ? name : `a ${name}`) +
    ` looks like this on at most one day in ${formatCount(days)}.`;
}

function describeStale(uncalibrated: UncalibratedCode | undefined): string {
  return uncalibrated === undefined ? ''
    : `That was found earlier; by now the classifier must not decide any more, because ${unfitReasons[uncalibrated]}.`;
}

/** `a, b or c`. */
function listNames(group: readonly string[], nameOf: NameOf): string {
  const names = group.map(nameOf);
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1) ?? ''}`;
}
