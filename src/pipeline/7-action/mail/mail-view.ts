/**
 * What the templates of mails can say: every placeholder, filled from an action. Whatever a template names that is not
 * here is refused when it is read, so that no mail has a hole.
 */
import type { DeviceModelNotes, HomeContact, PlannedAction } from '../action.ts';
import type { MailOptions } from '../action-options.ts';
import { cleanValue } from './mail-markup.ts';
import { referenceOf } from './reference.ts';

export type MailView = {
  readonly providerName: string;
  /** Where a reply goes. */
  readonly replyAddress: string;
  readonly helpPhone: string | undefined;
  readonly helpUrl: string | undefined;
  /** Domain of the signature; undefined: mails are not signed. */
  readonly dkimDomain: string | undefined;
  /** How the customer is addressed. */
  readonly name: string | undefined;
  /** The device model as a customer would call it. */
  readonly title: string;
  readonly vulnerabilities: string | undefined;
  /** The maker's advice. */
  readonly adviceUrl: string | undefined;
  readonly reference: string;
  /** How many distinct signs were counted, and in which time; undefined where there is no evidence. */
  readonly signs: string | undefined;
  readonly seenFrom: string | undefined;
  readonly seenTo: string | undefined;
  readonly lastSeen: string;
  /** A verification confirmed it. */
  readonly isVerified: boolean;
  /** The home talked to an address that says that something was broken into. */
  readonly isIndicated: boolean;
  /** A person ordered it. */
  readonly isOrdered: boolean;
  /** It is one of several device models that cannot be told apart; the title names them all. */
  readonly isGroup: boolean;
};

const everyPlaceholder: Record<keyof MailView, true> = {
  providerName: true, replyAddress: true, helpPhone: true, helpUrl: true, dkimDomain: true, name: true, title: true,
  vulnerabilities: true, adviceUrl: true, reference: true, signs: true, seenFrom: true, seenTo: true, lastSeen: true,
  isVerified: true, isIndicated: true, isOrdered: true, isGroup: true,
};
export const mailPlaceholders: readonly string[] = Object.keys(everyPlaceholder);

/** The values of one mail. @param timeZone  undefined: the machine's */
export function viewMail(
  action: PlannedAction, options: MailOptions, contact: HomeContact, notes: DeviceModelNotes, language: string,
  timeZone: string | undefined,
): MailView {
  const { verdict } = action;
  const { evidence } = verdict;
  const formatTime = timeFormat(language, timeZone);
  const hasReason = (code: string): boolean => action.reasons.some((reason) => reason.code === code);
  return {
    providerName: options.providerName,
    replyAddress: bareAddress(options.replyTo ?? options.from),
    helpPhone: options.helpPhone,
    helpUrl: options.helpUrl,
    dkimDomain: options.dkim?.domain,
    name: contact.name === undefined || cleanValue(contact.name) === '' ? undefined : contact.name,
    title: notes.title,
    vulnerabilities: notes.vulnerabilities.length === 0 ? undefined : notes.vulnerabilities.join(', '),
    adviceUrl: notes.adviceUrl,
    reference: referenceOf(action.id),
    signs: evidence === undefined ? undefined : String(evidence.tokens.length),
    seenFrom: evidence === undefined ? undefined : formatTime(evidence.windowStartMs),
    seenTo: evidence === undefined ? undefined : formatTime(evidence.windowEndMs),
    lastSeen: formatTime(verdict.supportedMs),
    isVerified: hasReason('verified'),
    isIndicated: hasReason('indicator'),
    isOrdered: hasReason('operator-order'),
    isGroup: (verdict.group?.length ?? 0) > 1,
  };
}

/**
 * What to say of device models of which one is there: all their titles, `A, B or C` as the language has it, all their
 * weaknesses, and advice only where it is right for each of them.
 *
 * @param notes  at least one
 */
export function joinNotes(notes: readonly DeviceModelNotes[], language: string): DeviceModelNotes {
  const [first, ...others] = notes as readonly [DeviceModelNotes, ...DeviceModelNotes[]];
  const titles = [...new Set(notes.map(({ title }) => title))];
  return {
    deviceModel: first.deviceModel,
    title: new Intl.ListFormat(language, { type: 'disjunction' }).format(titles),
    vulnerabilities: [...new Set(notes.flatMap(({ vulnerabilities }) => vulnerabilities))],
    adviceUrl: others.every(({ adviceUrl }) => adviceUrl === first.adviceUrl) ? first.adviceUrl : undefined,
  };
}

/** Day and time as the readers of a language write it, with the zone. */
function timeFormat(language: string, timeZone: string | undefined): (timeMs: number) => string {
  // The English of most of the world: day before month, 24 hours.
  const format = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
    timeZoneName: 'short', ...(timeZone === undefined ? {} : { timeZone }),
  });
  return (timeMs) => cleanValue(format.format(timeMs).replace(/\s/g, ' '));
}

/** `a@b` of `Name <a@b>`. */
export function bareAddress(text: string): string {
  return /<([^<>]*)>\s*$/.exec(text)?.[1]?.trim() ?? text.trim();
}

/** Values such as a mail may have, all of them: templates are tried with it before the first mail. */
export function sampleView(): MailView {
  return {
    providerName: 'Example Net', replyAddress: 'help@example.net', helpPhone: '+1 555 0100',
    helpUrl: 'https://example.net/help', dkimDomain: 'example.net', name: 'Alex Example', title: 'Example camera',
    vulnerabilities: 'CVE-2019-10999', adviceUrl: 'https://maker.example/advice', reference: 'ABCD1234', signs: '7',
    seenFrom: '1 May 2026 at 10:00 UTC', seenTo: '1 May 2026 at 11:00 UTC', lastSeen: '2 May 2026 at 11:00 UTC',
    isVerified: true, isIndicated: true, isOrdered: true, isGroup: true,
  };
}
