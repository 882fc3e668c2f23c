/**
 * The shipped mails: in every language the same facts, in text and HTML, with every placeholder filled; and the
 * operator's templates, of which broken ones are refused before the first mail.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { limits, OperatorError } from '#base';
import { readMailTemplates, shippedTemplateNames, type MailRung, type MailText } from './mail-templates.ts';
import { joinNotes, mailPlaceholders, sampleView, viewMail, type MailView } from './mail-view.ts';
import { sampleAction, sampleVerdict } from '../../../../test/support/outbox-sample.ts';

const shippedFolder = new URL('templates/', import.meta.url);
const templates = readMailTemplates(undefined);
const mailRungs: readonly MailRung[] = ['notify', 'remind'];
const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

function folderWith(files: Record<string, string | Uint8Array>): string {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-templates-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

const shippedText = (name: string): string => readFileSync(new URL(name, shippedFolder), 'utf8');

/** The words that a reader sees of HTML. */
function visibleText(html: string): string {
  return html.replace(/[\s\S]*<main[^>]*>/, '').replace(/<\/(?:p|h1|h2|li|th|td)>/g, ' ').replace(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&').replace(/\s+/g, ' ').trim();
}

/** The words of plain text, without lines under headings, marks of lists and the colons of facts. */
function words(text: string): string[] {
  return text.split('\n').filter((line) => !/^[=-]+$/.test(line))
    .map((line) => line.replace(/^ {2}(?:-|\d+\.) /, '')).join(' ').split(/\s+/)
    .map((word) => word.replace(/:$/, '')).filter((word) => word !== '');
}

/** The barest mail: nothing that may be missing is there. */
const bare: MailView = {
  ...sampleView(), helpPhone: undefined, helpUrl: undefined, dkimDomain: undefined, name: undefined,
  vulnerabilities: undefined, adviceUrl: undefined, signs: undefined, seenFrom: undefined, seenTo: undefined,
  isVerified: false, isIndicated: false, isOrdered: false,
};

function everyMail(view: MailView): { name: string; mail: MailText }[] {
  return mailRungs.flatMap((rung) => templates.languages.map((language) => (
    { name: `${rung} ${language}`, mail: templates.render(rung, language, view) })));
}

test('three languages are shipped, and every file of the folder is', () => {
  assert.deepEqual(templates.languages, ['de', 'en', 'es']);
  assert.deepEqual(readdirSync(shippedFolder).toSorted(), shippedTemplateNames.toSorted());
});

test('no mail has a hole, a placeholder or a long line', () => {
  for (const view of [sampleView(), bare]) {
    for (const { name, mail } of everyMail(view)) {
      for (const part of [mail.subject, mail.text, mail.html]) {
        const shown = part.replace(/<style>[\s\S]*<\/style>/, '');
        assert.doesNotMatch(shown, /\{\{|\}\}|undefined|null|NaN|[\uE000\uE001]/, name);
      }
      // What is left of a sentence around a value that is missing.
      assert.doesNotMatch(`${mail.subject}\n${mail.text}`, /\(\)|: ?\.|,,| ,| \./m, name);
      for (const line of mail.text.split('\n')) assert.ok([...line].length <= 78, `${name}: ${line}`);
      assert.equal(mail.subject.includes('\n'), false);
      assert.ok(mail.subject.length <= 78, mail.subject);
    }
  }
});

test('text and HTML say the same, word by word', () => {
  for (const view of [sampleView(), bare]) {
    for (const { name, mail } of everyMail(view)) {
      assert.deepEqual(words(`${view.providerName}\n${mail.text}`), words(visibleText(mail.html)), name);
    }
  }
});

test('every language states every fact, as often as the others', () => {
  const counts = (source: string): Record<string, number> => Object.fromEntries(mailPlaceholders.map((placeholder) =>
    [placeholder, source.split(new RegExp(`\\{\\{[#/]?${placeholder}\\}\\}`)).length - 1]));
  for (const rung of mailRungs) {
    const english = counts(shippedText(`${rung}.en.mustache`));
    for (const [placeholder, count] of Object.entries(english)) {
      assert.ok(count > 0 || (rung === 'notify' && placeholder === 'lastSeen'), `${rung} never says ${placeholder}`);
    }
    for (const language of ['de', 'es']) {
      const source = shippedText(`${rung}.${language}.mustache`);
      assert.deepEqual(counts(source), english, `${rung} ${language}`);
      const shape = (text: string): string[] => text.split('\n').flatMap((line) =>
        /^(#{1,2} |- |\d\. |~ )|( :: )/.exec(line)?.slice(1).filter((mark) => mark !== undefined) ?? []);
      assert.deepEqual(shape(source), shape(shippedText(`${rung}.en.mustache`)), `${rung} ${language}`);
    }
  }
  for (const { name, mail } of everyMail(sampleView())) {
    for (const [placeholder, value] of Object.entries(sampleView())) {
      if (typeof value !== 'string' || (placeholder === 'lastSeen' && name.startsWith('notify'))) continue;
      assert.ok(mail.text.replace(/\s+/g, ' ').includes(value), `${name} does not show ${placeholder}`);
    }
  }
});

test('HTML: language, no remote or active content, links to the two pages only, shown as they are', () => {
  for (const { name, mail } of everyMail(sampleView())) {
    assert.ok(mail.html.includes(`<html lang="${mail.language}">`), name);
    assert.doesNotMatch(mail.html, /<(?:img|script|link|iframe|object|form|input)\b|\burl\(|@import|\bsrc=|\bon\w+=/i);
    const links = [...mail.html.matchAll(/<a href="([^"]*)">([^<]*)<\/a>/g)];
    assert.deepEqual(links.map(([, to]) => to), ['https://maker.example/advice', 'https://example.net/help'], name);
    for (const [, to, shown] of links) assert.equal(shown, to);
    assert.equal([...mail.html.matchAll(/https?:/g)].length, 4, name);
    assert.match(mail.html, /prefers-color-scheme: dark/);
  }
  for (const { mail } of everyMail(bare)) assert.doesNotMatch(mail.html, /https?:|<a /);
});

test('hostile values stay text', () => {
  const hostile = '<script>alert(1)</script>{{reference}}"\'&\r\n# x';
  const view = {
    ...sampleView(), name: hostile, title: hostile, providerName: hostile, adviceUrl: 'javascript:alert(1)',
  };
  for (const { name, mail } of everyMail(view)) {
    assert.doesNotMatch(mail.html, /<script|href="javascript/, name);
    assert.ok(visibleText(mail.html).includes(`<script>alert(1)</script>{{reference}}"'& # x`), name);
    assert.equal(mail.subject.includes('\n'), false);
    assert.equal(/^# x/m.test(mail.text), false);
  }
});

test('the first language that there is', () => {
  assert.equal(templates.languageFor('de', 'en'), 'de');
  assert.equal(templates.languageFor('de-AT', 'en'), 'de');
  assert.equal(templates.languageFor('ES_mx', 'en'), 'es');
  assert.equal(templates.languageFor('fr', 'es'), 'es');
  assert.equal(templates.languageFor('fr', 'tlh'), 'en');
  assert.equal(templates.languageFor('', '../../x'), 'en');
});

test('values of an action: honest counts, times in the reader\'s words', () => {
  const action = sampleAction({
    reasons: [{ code: 'presence', text: 'x' }, { code: 'verified', text: 'y' }],
    verdict: sampleVerdict({ supportedMs: Date.UTC(2026, 2, 29, 0, 59) }),
  });
  const options = {
    server: 'smtp://mail.example', credentialsFile: undefined, requireTls: true, from: 'Help <help@example.net>',
    replyTo: undefined, providerName: 'Example Net', helpPhone: undefined, helpUrl: undefined, dkim: undefined,
    templateFolder: undefined, language: 'en', timeoutMs: 1_000,
  };
  const contact = { home: 'home-1', mail: 'a@example.org', name: ' ', language: 'de', addresses: [] };
  const notes = { deviceModel: 'x', title: 'X camera', vulnerabilities: [], adviceUrl: undefined };
  const view = viewMail(action, options, contact, notes, 'de', 'Europe/Berlin');
  assert.equal(view.replyAddress, 'help@example.net');
  assert.equal(view.name, undefined);
  assert.equal(view.signs, '3');
  assert.deepEqual([view.isVerified, view.isIndicated, view.isOrdered], [true, false, false]);
  assert.equal(view.seenFrom, '1. März 2026 um 12:00 MEZ');
  assert.equal(view.seenTo, '1. März 2026 um 13:00 MEZ');
  assert.equal(view.lastSeen, '29. März 2026 um 01:59 MEZ');
  const english = viewMail(action, options, contact, notes, 'en', 'UTC');
  assert.equal(english.seenFrom, '1 March 2026 at 11:00 UTC');
  const without = viewMail(sampleAction({ verdict: sampleVerdict({ evidence: undefined }) }), options, contact, notes,
    'en', 'UTC');
  assert.deepEqual([without.signs, without.seenFrom, without.seenTo], [undefined, undefined, undefined]);
});

test('of a group every title is named, in the words of the language, and nothing that is right for one of it alone', () => {
  const notesOf = (title: string, vulnerabilities: readonly string[], adviceUrl?: string) =>
    ({ deviceModel: title, title, vulnerabilities, adviceUrl });
  const group = [notesOf('A camera', ['CVE-1-1'], 'https://a.example/'), notesOf('B camera', ['CVE-1-1', 'CVE-2-2'])];
  const joined = joinNotes(group, 'de');
  assert.deepEqual([joined.title, joined.vulnerabilities, joined.adviceUrl],
    ['A camera oder B camera', ['CVE-1-1', 'CVE-2-2'], undefined]);
  assert.equal(joinNotes([...group, notesOf('C lock', [])], 'en').title, 'A camera, B camera, or C lock');
  assert.equal(joinNotes(group, 'es').title, 'A camera o B camera');
  assert.deepEqual(joinNotes([group[0] as never], 'en'), group[0], 'alone it is as it was');
  const sentence = { en: 'it is one of them', de: 'eines davon ist', es: 'uno de ellos' } as const;
  for (const [language, said] of Object.entries(sentence)) {
    for (const rung of mailRungs) {
      const { text } = templates.render(rung, language, sampleView());
      assert.ok(text.replace(/\s+/g, ' ').includes(said), `${rung} ${language}`);
      const alone = templates.render(rung, language, { ...sampleView(), isGroup: false }).text;
      assert.ok(!alone.replace(/\s+/g, ' ').includes(said), `${rung} ${language}`);
    }
  }
});

test('an override of one name leaves the others, and a language may be added', () => {
  const own = shippedText('notify.en.mustache').replace('Please check your', 'ACME asks: check your');
  const changed = readMailTemplates(folderWith({ 'notify.en.mustache': own, '.hidden': 'x' }));
  assert.match(changed.render('notify', 'en', sampleView()).subject, /^ACME asks/);
  assert.match(changed.render('remind', 'en', sampleView()).subject, /^Reminder/);
  const french = readMailTemplates(folderWith({
    'notify.fr.mustache': 'Subject: {{title}}\n\n{{providerName}} : {{reference}}',
    'remind.fr.mustache': 'Subject: {{title}}\r\n\r\n{{providerName}} : {{reference}}',
  }));
  assert.equal(french.languageFor('fr-CA'), 'fr');
  assert.equal(french.render('remind', 'fr', sampleView()).text, 'Example Net : ABCD1234\n');
});

test('broken templates are refused in one sentence that says what to change', () => {
  const good = 'Subject: {{title}}\n\n{{providerName}} {{reference}}\n';
  const frame = shippedText('mail-frame.mustache');
  const cases: readonly (readonly [Record<string, string | Uint8Array>, RegExp])[] = [
    [{ 'notify.en.mustache': `${good}{{#name}}` }, /Unclosed section/],
    [{ 'notify.en.mustache': `${good}{{nmae}}` }, /there is no \{\{nmae\}\}/],
    [{ 'notify.en.mustache': `${good}{{{title}}}` }, /would not be escaped/],
    [{ 'notify.en.mustache': `${good}{{>other}}` }, /not allowed/],
    [{ 'notify.en.mustache': `${good}{{helpPhone}}` }, /not always there: put it between \{\{#helpPhone\}\}/],
    [{ 'notify.en.mustache': `${good}{{#name}}{{seenFrom}}{{/name}}` }, /\{\{#signs\}\}/],
    [{ 'notify.en.mustache': `${good}{{^name}}{{name}}{{/name}}` }, /not always there/],
    [{ 'notify.en.mustache': 'Subject: {{title}}\n\n{{providerName}}' }, /does not say \{\{reference\}\}/],
    [{ 'notify.en.mustache': '{{title}}\n\n{{providerName}} {{reference}}' }, /first line/],
    [{ 'notify.en.mustache': 'Subject: {{title}} {{providerName}} {{reference}}\n' }, /empty mail/],
    [{ 'notify.en.mustache': Uint8Array.of(0xff, 0xfe) }, /not UTF-8/],
    [{ 'notify.en.mustache': good.padEnd(limits.mailTemplateBytesMax + 1) }, /more than/],
    [{ 'notify.en.txt': good }, /there is none of that name/],
    [{ 'notify.fr.mustache': good }, /remind\.fr\.mustache is missing/],
    [{ 'remind.fr.mustache': good }, /notify\.fr\.mustache is missing/],
    [{ 'mail-frame.mustache': '<html lang="{{language}}">' }, /does not say \{\{body\}\}/],
    [{ 'mail-frame.mustache': frame.replace('{{{body}}}', '{{{body}}}<img src="https://x.example/1.gif">') }, /<img/],
    [{ 'mail-frame.mustache': frame.replace('{{subject}}', '{{{subject}}}') }, /would not be escaped/],
  ];
  for (const [files, expected] of cases) {
    assert.throws(() => readMailTemplates(folderWith(files)), (error) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.match(error.message, expected);
      assert.ok(error.message.includes(Object.keys(files)[0]?.split('.')[0] as string), error.message);
      return true;
    });
  }
  assert.throws(() => readMailTemplates(join(folderWith({}), 'absent')), /cannot be read/);
});
