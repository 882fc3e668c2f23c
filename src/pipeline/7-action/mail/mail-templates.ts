/**
 * The templates of mails: those that are shipped, and the operator's, which take the place of shipped ones of the same
 * name or add a language. All are tried before the first mail: a broken one is refused with a sentence.
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Mustache from 'mustache';
import { describeError, limits, OperatorError, readShippedFile } from '#base';
import { escapeHtml, formatHtml, formatText, markValue, parseMarkup, withoutMarks } from './mail-markup.ts';
import { mailPlaceholders, sampleView, type MailView } from './mail-view.ts';

/** The rungs that a customer is written to at. */
export type MailRung = 'notify' | 'remind';

/** A mail as it will be read. */
export type MailText = {
  readonly language: string; readonly subject: string; readonly text: string; readonly html: string;
};

const frameName = 'mail-frame.mustache';
const shipped: readonly (readonly [string, URL])[] = [
  [frameName, new URL('templates/mail-frame.mustache', import.meta.url)],
  ['notify.de.mustache', new URL('templates/notify.de.mustache', import.meta.url)],
  ['notify.en.mustache', new URL('templates/notify.en.mustache', import.meta.url)],
  ['notify.es.mustache', new URL('templates/notify.es.mustache', import.meta.url)],
  ['remind.de.mustache', new URL('templates/remind.de.mustache', import.meta.url)],
  ['remind.en.mustache', new URL('templates/remind.en.mustache', import.meta.url)],
  ['remind.es.mustache', new URL('templates/remind.es.mustache', import.meta.url)],
];
export const shippedTemplateNames: readonly string[] = shipped.map(([name]) => name);

const nameShape = /^(?:mail-frame|(?:notify|remind)\.([a-z]{2}))\.mustache$/;
/** What a mail must say whatever the operator changes. */
const required = ['reference', 'title', 'providerName'];
/** Placeholders that a mail may not have, each with the one in whose section it must stand. */
const guardOf: ReadonlyMap<string, string> = new Map([
  ...['name', 'helpPhone', 'helpUrl', 'dkimDomain', 'vulnerabilities', 'adviceUrl', 'signs'].map((name) =>
    [name, name] as const),
  ['seenFrom', 'signs'], ['seenTo', 'signs'],
]);
const framePlaceholders = ['language', 'subject', 'providerName', 'body'];
/** In a frame: what would make a mail program fetch something, or run it. */
const fetching =
  /<\s*(?:script|img|link|iframe|object|embed|video|audio|source|base|form)\b|\burl\s*\(|@import|\bsrc\s*=/i;

export type MailTemplates = {
  /** Languages that both rungs have, in the order of the alphabet. */
  readonly languages: readonly string[];
  /** The first of the wished languages that there is, by its own code or the one before its hyphen; else English. */
  readonly languageFor: (...wished: readonly string[]) => string;
  /** @param language  one of `languages` */
  readonly render: (rung: MailRung, language: string, view: MailView) => MailText;
};

/**
 * Reads and tries all templates.
 *
 * @param folder  the operator's; undefined: none
 * @throws OperatorError  one cannot be read, or not be used: which, and why
 */
export function readMailTemplates(folder: string | undefined): MailTemplates {
  const sources = new Map(shipped.map(([name, url]) => [name, decode(name, readShippedFile(url))]));
  if (folder !== undefined) for (const [name, source] of readFolder(folder)) sources.set(name, source);
  const languages = [...sources.keys()].flatMap((name) => /^notify\.([a-z]{2})\./.exec(name)?.[1] ?? [])
    .toSorted();
  for (const name of sources.keys()) {
    const language = nameShape.exec(name)?.[1];
    if (language !== undefined && !languages.includes(language)) refuse(name, `notify.${language}.mustache is missing`);
  }
  for (const language of languages) {
    if (!sources.has(`remind.${language}.mustache`)) {
      refuse(`notify.${language}.mustache`, `remind.${language}.mustache is missing`);
    }
  }
  for (const [name, source] of sources) (name === frameName ? checkFrame : checkTemplate)(name, source);
  const templates: MailTemplates = {
    languages,
    languageFor: (...wished) => {
      for (const wish of wished) {
        const code = wish.toLowerCase().split(/[-_]/)[0] as string;
        if (languages.includes(code)) return code;
      }
      return 'en';
    },
    render: (rung, language, view) => {
      const source = sources.get(`${rung}.${language}.mustache`) as string;
      return renderMail(source, sources.get(frameName) as string, language, view);
    },
  };
  return templates;
}

function refuse(name: string, why: string): never {
  throw new OperatorError('bad-option', `the mail template ${name} cannot be used: ${why}`);
}

function readFolder(folder: string): [string, string][] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.')).toSorted().map((name) => {
      if (!nameShape.test(name)) refuse(name, 'there is none of that name; names are as in notify.en.mustache');
      if (lstatSync(join(folder, name)).size > limits.mailTemplateBytesMax) {
        refuse(name, `it has more than ${limits.mailTemplateBytesMax} bytes`);
      }
      return [name, decode(name, readFileSync(join(folder, name)))];
    });
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError('input-unreadable',
      `the folder of mail templates cannot be read: ${describeError(error)}`, error);
  }
}

function decode(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r\n?/g, '\n');
  } catch (error) {
    throw new OperatorError('bad-option', `the mail template ${name} cannot be used: it is not UTF-8`, error);
  }
}

type Token = readonly [kind: string, value: string, start: number, end: number, inner?: readonly Token[] | string];

/**
 * What a template names.
 *
 * @throws OperatorError  it is no mustache, uses what we do not allow, or would have a hole where a value is missing
 */
function namesIn(name: string, source: string, known: readonly string[], unescaped: readonly string[]): Set<string> {
  const found = new Set<string>();
  const walk = (tokens: readonly Token[], guards: readonly string[]): void => {
    for (const [kind, value, , , inner] of tokens) {
      if (kind === 'text' || kind === '!') continue;
      if (kind === '>' || kind === '=') refuse(name, `{{${kind}${value}}} is not allowed`);
      if (!known.includes(value)) refuse(name, `there is no {{${value}}}; there are ${known.join(', ')}`);
      if (kind === '&' && !unescaped.includes(value)) refuse(name, `{{{${value}}}} would not be escaped`);
      const guard = guardOf.get(value);
      if (kind === 'name' && guard !== undefined && !guards.includes(guard)) {
        refuse(name, `{{${value}}} is not always there: put it between {{#${guard}}} and {{/${guard}}}`);
      }
      found.add(value);
      if (Array.isArray(inner)) walk(inner as readonly Token[], kind === '#' ? [...guards, value] : guards);
    }
  };
  let tokens: readonly Token[];
  try {
    tokens = Mustache.parse(source) as unknown as readonly Token[];
  } catch (error) {
    return refuse(name, describeError(error));
  }
  walk(tokens, []);
  return found;
}

function checkTemplate(name: string, source: string): void {
  const found = namesIn(name, source, mailPlaceholders, []);
  const missing = required.find((placeholder) => !found.has(placeholder));
  if (missing !== undefined) refuse(name, `it does not say {{${missing}}}`);
  if (!/^Subject: \S/.test(source)) refuse(name, 'its first line is not "Subject: …"');
  const { subject, text } = renderMail(source, '{{{body}}}', 'en', sampleView());
  if (subject.trim() === '' || text.trim() === '') refuse(name, 'it gives an empty mail');
}

function checkFrame(name: string, source: string): void {
  const found = namesIn(name, source, framePlaceholders, ['body']);
  for (const placeholder of ['body', 'language']) {
    if (!found.has(placeholder)) refuse(name, `it does not say {{${placeholder}}}`);
  }
  const fetched = fetching.exec(source)?.[0];
  if (fetched !== undefined) refuse(name, `mails have no remote or active content, and it has "${fetched}"`);
}

function renderMail(source: string, frame: string, language: string, view: MailView): MailText {
  const filled = Mustache.render(source, view, undefined, { escape: (value: unknown) => markValue(String(value)) });
  const [first = '', ...rest] = filled.split('\n');
  const subject = withoutMarks(first.replace(/^Subject: /, '')).trim();
  const blocks = parseMarkup(rest.join('\n'));
  const links = new Set([view.helpUrl, view.adviceUrl].filter((url) => url !== undefined));
  const body = formatHtml(blocks, links);
  return {
    language,
    subject,
    text: formatText(blocks),
    html: Mustache.render(frame, { language, subject, providerName: view.providerName, body }, undefined,
      { escape: (value: unknown) => escapeHtml(String(value)) }),
  };
}
