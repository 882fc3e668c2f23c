/**
 * What the log says of an action's outcome. Its own words may hold what a mail server, a program or nft said of a home:
 * these are for the audit, which stays in the state. The log gets them without all that is known of the home.
 */
import { logText, type LogText } from '#base';
import type { Outcome, PlannedAction } from '#action';
import type { HomeEntry } from './config/detector-config.ts';

/** Parts of names and addresses that are shorter say nothing, and would be found everywhere. */
const partLengthMin = 3;

/**
 * What the log may say; undefined: nothing.
 *
 * @param entry  what the config says of the home; undefined: nothing
 */
export function describeOutcome(
  outcome: Outcome, { kind, home }: Pick<PlannedAction, 'kind' | 'home'>, entry: HomeEntry | undefined,
): LogText | undefined {
  const { status, detail } = outcome;
  if (kind === 'verify') return logText(status === 'done' ? outcome.answer ?? '' : withoutComment(detail));
  // It names what a home talked to, or by what number the mail server knows the mail and so whose it is.
  if ((kind === 'block' || kind === 'mail') && status === 'done') return undefined;
  return logText(withoutHome(detail, home, entry));
}

/** What the program itself said stands in brackets at the end; so does the code of a start that failed. */
function withoutComment(detail: string): string {
  return /\((?:E[A-Z0-9]+|unknown)\)$/.test(detail) ? detail : detail.replace(/ \(.*$/s, '');
}

function withoutHome(detail: string, home: string, entry: HomeEntry | undefined): string {
  const { mail, name } = entry ?? {};
  const local = mail?.split('@', 1)[0];
  const contact = [mail, name, local, ...local?.split(/[.+_-]/) ?? [], ...name?.split(/\s+/) ?? []];
  const text = contact.filter((part) => part !== undefined).filter((part) => part.length >= partLengthMin)
    .sort((a, b) => b.length - a.length).reduce((rest, part) => replaceAll(rest, part, '[contact]'), detail);
  return replaceAll(text, home, '[home]');
}

/** Servers write names and addresses in letters of another size. */
function replaceAll(text: string, part: string, by: string): string {
  return text.replaceAll(new RegExp(part.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&'), 'giu'), by);
}
