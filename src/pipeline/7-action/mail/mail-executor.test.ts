/**
 * Mails over real servers: what arrives, that it is signed, encrypted and logged in for, when it counts as sent, and
 * what each failure means.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { simpleParser } from 'mailparser';
import { OperatorError } from '#base';
import { checkDkim } from '../../../../test/support/dkim-check.ts';
import { testExecutorContract } from '../../../../test/support/executor-contract.ts';
import { sampleAction, sampleStartMs } from '../../../../test/support/outbox-sample.ts';
import { ScriptedSmtp } from '../../../../test/support/scripted-smtp.ts';
import type { SmtpScript } from '../../../../test/support/scripted-smtp-worker.ts';
import { SmtpReceiver } from '../../../../test/support/smtp-receiver.ts';
import { makeCertificate, type TestCertificate } from '../../../../test/support/test-certificate.ts';
import type { ExecutionContext, HomeContact, Outcome, PlannedAction } from '../action.ts';
import type { MailOptions } from '../action-options.ts';
import { createMailExecutor } from './mail-executor.ts';
import { referenceOf } from './reference.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-mail-'));
after(() => rmSync(folder, { recursive: true }));
const certificate = makeCertificate(folder);
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2_048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const keyFile = file('dkim.pem', privateKey);
const credentialsFile = file('login', 'natlens:a:secret\n');

const options = (port: number, changed: Partial<MailOptions> = {}): MailOptions => ({
  server: `smtp://127.0.0.1:${port}`, credentialsFile: undefined, requireTls: false, from: 'hilfe@stadtwerke.example',
  replyTo: undefined, providerName: 'Stadtwerke Müller & Söhne', helpPhone: undefined, helpUrl: undefined,
  dkim: undefined, templateFolder: undefined, language: 'en', timeZone: 'Europe/Berlin',
  timeoutMs: 5_000, ...changed,
});
const contact: HomeContact = {
  home: 'home-1', mail: 'jurgen@kunde.example', name: 'Jürgen Größe', language: 'de', addresses: [],
};
const parts = {
  contactOf: (home: string) => ({ ...contact, home }),
  notesOf: (deviceModel: string) => ({
    deviceModel, title: 'D-Link DCS-933L camera', vulnerabilities: ['CVE-2019-10999'],
    adviceUrl: 'https://maker.example/advice?a=1&b=2',
  }),
};
const context = (changed: Partial<ExecutionContext> = {}): ExecutionContext => ({
  markCommitting: () => undefined, signal: new AbortController().signal, wallMs: () => sampleStartMs, ...changed,
});
/** What comes of one mail to a server that follows a script. */
async function sendTo(
  script: SmtpScript, changed: Partial<MailOptions> = {}, marks: string[] = [], sent: PlannedAction = sampleAction(),
): Promise<{ outcome: Outcome; dots: number; connections: number }> {
  const server = await ScriptedSmtp.open(script);
  const executor = createMailExecutor(options(server.port, changed), parts);
  const outcome = await executor.execute(sent, context({ markCommitting: () => void marks.push('mark') }));
  const [dots, connections] = [server.count('dots'), server.count('connections')];
  await server.close();
  return { outcome, dots, connections };
}

testExecutorContract({
  name: 'mail',
  action: sampleAction(),
  open: async () => {
    const receiver = await new SmtpReceiver({ disabledCommands: ['STARTTLS'] }).open();
    return {
      executor: createMailExecutor(options(receiver.port), parts),
      effects: () => [...new Set(receiver.mails.map(({ raw }) =>
        /^Message-ID: (.*)$/m.exec(raw.toString())?.[1] ?? ''))],
      breakDown: () => receiver.close(),
      mend: async () => void await receiver.open(),
      close: () => receiver.close(),
    };
  },
});

/** The certificate, or a skipped test. */
function needCertificate(t: TestContext): TestCertificate | undefined {
  if (certificate === undefined) t.skip('there is no openssl');
  return certificate;
}

test('a whole mail: encrypted, logged in for, signed, in both forms, with every header', async (t) => {
  const tls = needCertificate(t);
  if (tls === undefined) return;
  const receiver = await new SmtpReceiver({
    key: tls.key, cert: tls.cert, authOptional: false,
    onAuth: ({ username, password }, _session, done) => password === 'a:secret'
      ? done(null, { user: username ?? '' }) : done(new Error('wrong login')),
  }).open();
  t.after(() => receiver.close());
  const executor = createMailExecutor(options(receiver.port, {
    requireTls: true, caFile: tls.certFile, credentialsFile, replyTo: 'Hilfe <antwort@stadtwerke.example>',
    helpPhone: '+49 30 555 0100', helpUrl: 'https://stadtwerke.example/hilfe',
    dkim: { domain: 'stadtwerke.example', selector: 'natlens', keyFile },
  }), parts);
  const action = sampleAction({ channel: 'de' });
  assert.equal((await executor.execute(action, context())).status, 'done');
  const [mail] = receiver.mails;
  assert.ok(mail !== undefined && receiver.mails.length === 1);
  assert.deepEqual([mail.isEncrypted, mail.user, mail.from, mail.to],
    [true, 'natlens', 'hilfe@stadtwerke.example', ['jurgen@kunde.example']]);

  const parsed = await simpleParser(mail.raw);
  const reference = referenceOf(action.id);
  assert.equal(parsed.subject, `Bitte prüfen Sie Ihr Gerät D-Link DCS-933L camera (Vorgang ${reference})`);
  assert.deepEqual(parsed.from?.value, [{ name: 'Stadtwerke Müller & Söhne', address: 'hilfe@stadtwerke.example' }]);
  assert.deepEqual([parsed.to].flat().map((to) => to?.value),
    [[{ name: 'Jürgen Größe', address: 'jurgen@kunde.example' }]]);
  assert.equal(parsed.replyTo?.value[0]?.address, 'antwort@stadtwerke.example');
  assert.equal(parsed.date?.getTime(), sampleStartMs);
  assert.equal(parsed.messageId, `<${action.id.slice(0, 40)}@stadtwerke.example>`);
  assert.equal(parsed.headers.get('auto-submitted'), 'auto-generated');
  assert.equal(parsed.headers.get('content-language'), 'de');
  assert.equal(parsed.attachments.length, 0);
  const html = parsed.html === false ? '' : parsed.html ?? '';
  for (const part of [parsed.text ?? '', html]) {
    for (const said of [reference, 'D-Link DCS-933L camera', '1. März 2026 um 12:00 MEZ', '+49 30 555 0100',
      'https://stadtwerke.example/hilfe', 'Jürgen Größe', 'antwort@stadtwerke.example', 'stadtwerke.example']) {
      assert.ok(part.replace(/\s+/g, ' ').includes(said), said);
    }
  }
  assert.ok(html.includes('Stadtwerke Müller &amp; Söhne'));

  const [fields = ''] = mail.raw.toString('latin1').split('\r\n\r\n');
  const names = [...fields.matchAll(/^([\w-]+):/gm)].map(([, name]) => name);
  assert.deepEqual(names.toSorted(), ['Auto-Submitted', 'Content-Language', 'Content-Type', 'DKIM-Signature', 'Date',
    'From', 'MIME-Version', 'Message-ID', 'Reply-To', 'Subject', 'To'].toSorted());
  for (const line of mail.raw.toString('latin1').split('\r\n')) assert.ok(line.length <= 998 && !/[\r\n]/.test(line));

  const dkim = checkDkim(mail.raw, publicKey);
  assert.ok(dkim !== undefined && dkim.isBodyRight && dkim.isSignatureRight, JSON.stringify(dkim));
  assert.deepEqual([dkim.domain, dkim.selector], ['stadtwerke.example', 'natlens']);
  for (const header of ['from', 'to', 'subject', 'date', 'message-id', 'reply-to', 'mime-version', 'content-type']) {
    assert.ok(dkim.signed.includes(header), header);
  }
  const changed = Buffer.from(mail.raw.toString('latin1').replace(reference, 'XXXXXXXX'), 'latin1');
  const broken = checkDkim(changed, publicKey);
  assert.ok(broken !== undefined && !(broken.isBodyRight && broken.isSignatureRight));
});

test('the sender\'s own name goes before the provider\'s', async (t) => {
  const receiver = await new SmtpReceiver({ disabledCommands: ['STARTTLS'] }).open();
  t.after(() => receiver.close());
  for (const from of ['"Sicherheit, Müller" <a@stadtwerke.example>', '<a@stadtwerke.example>']) {
    await createMailExecutor(options(receiver.port, { from }), parts).execute(sampleAction(), context());
  }
  const names = await Promise.all(receiver.mails.map(async ({ raw }) => (await simpleParser(raw)).from?.value[0]));
  assert.deepEqual(names, [{ name: 'Sicherheit, Müller', address: 'a@stadtwerke.example' },
    { name: 'Stadtwerke Müller & Söhne', address: 'a@stadtwerke.example' }]);
});

test('the same action gives the same message, byte by byte', async (t) => {
  const receiver = await new SmtpReceiver({ disabledCommands: ['STARTTLS'] }).open();
  t.after(() => receiver.close());
  const executor = createMailExecutor(options(receiver.port), parts);
  for (let i = 0; i < 2; i++) await executor.execute(sampleAction(), context());
  const [first, second] = receiver.mails;
  assert.deepEqual(first?.raw, second?.raw);
});

test('without encryption nothing is sent where it is required, a password least of all', async (t) => {
  const { outcome, dots } = await sendTo({ ehlo: '250-test\r\n250 AUTH PLAIN' }, { requireTls: true, credentialsFile });
  assert.deepEqual([outcome.status, dots], ['retry', 0]);
  const tls = needCertificate(t);
  if (tls === undefined) return;
  const other = makeCertificate(folder, 'other');
  const receiver = await new SmtpReceiver({ key: tls.key, cert: tls.cert }).open();
  t.after(() => receiver.close());
  const distrusting = createMailExecutor(options(receiver.port, { requireTls: true, caFile: other?.certFile }), parts);
  const refused = await distrusting.execute(sampleAction(), context());
  assert.equal(refused.status, 'retry');
  assert.match(refused.detail, /certificate/);
  assert.deepEqual(receiver.mails, []);
});

test('TLS from the first byte', async (t) => {
  const tls = needCertificate(t);
  if (tls === undefined) return;
  const receiver = await new SmtpReceiver({ key: tls.key, cert: tls.cert, secure: true }).open();
  t.after(() => receiver.close());
  const server = `smtps://localhost:${receiver.port}`;
  const executor = createMailExecutor(options(0, { server, caFile: tls.certFile, requireTls: true }), parts);
  const outcome = await executor.execute(sampleAction(), context());
  assert.equal(outcome.status, 'done', outcome.detail);
  assert.deepEqual(receiver.mails.map(({ isEncrypted }) => isEncrypted), [true]);
});

test('it counts as sent when all but the final dot has arrived, and not before', async (t) => {
  const action = sampleAction();
  const server = await ScriptedSmtp.open({}, `--[^\\r\\n]*${action.id.slice(0, 32)}[^\\r\\n]*--\\r\\n$`);
  t.after(() => server.close());
  const executor = createMailExecutor(options(server.port), parts);
  const seen: unknown[] = [];
  const outcome = await executor.execute(action, context({
    markCommitting: () => {
      // This thread stands still here: what the server has now was sent before.
      seen.push(server.standStillUntil('wholeBodies', 5_000), server.count('dots'));
    },
  }));
  assert.equal(outcome.status, 'done', outcome.detail);
  assert.deepEqual(seen, [true, 0]);
  assert.equal(server.count('dots'), 1);
});

test('a line that breaks before that may be tried again; after it, nobody knows', async () => {
  const marks: string[] = [];
  const before = await sendTo({ data: '' }, {}, marks);
  assert.equal(before.outcome.status, 'retry', before.outcome.detail);
  assert.deepEqual([before.dots, marks.length], [0, 0]);
  // Here it depends on how fast the end of the line is heard of; what is said must fit what was written down.
  const within = await sendTo({ closesInMessage: true }, {}, marks);
  assert.equal(within.outcome.status, marks.length === 0 ? 'retry' : 'uncertain', within.outcome.detail);
  const counted = marks.length;
  const afterwards = await sendTo({ end: '' }, {}, marks);
  assert.equal(afterwards.outcome.status, 'uncertain', afterwards.outcome.detail);
  assert.deepEqual([afterwards.dots, marks.length], [1, counted + 1]);
  const silent = await sendTo({ end: 'silence' }, { timeoutMs: 200 }, marks);
  assert.equal(silent.outcome.status, 'uncertain', silent.outcome.detail);
});

test('what the server says decides: for now, for good, or about the login', async () => {
  const cases: readonly (readonly [SmtpScript, Partial<MailOptions>, Outcome['status'], RegExp])[] = [
    [{ greeting: '421 busy' }, {}, 'retry', /421/],
    [{ greeting: '554 go away' }, {}, 'retry', /554/],
    [{ greeting: 'silence' }, { timeoutMs: 200 }, 'retry', /never received|timeout/i],
    [{ rcpt: 'silence' }, { timeoutMs: 200 }, 'retry', /took too long/],
    [{ greeting: '' }, {}, 'retry', /closed/],
    [{ ehlo: '250-test\r\n250 AUTH PLAIN', auth: '535 wrong login' }, { credentialsFile }, 'retry', /535/],
    [{}, { credentialsFile }, 'retry', /offers no login/],
    [{ mail: '451 later' }, {}, 'retry', /451/],
    [{ mail: '530 log in first' }, {}, 'retry', /530/],
    [{ mail: '550 not from you' }, {}, 'failed', /550/],
    [{ rcpt: '450 greylisted jurgen@kunde.example' }, {}, 'retry', /450 greylisted \(recipient\)/],
    [{ rcpt: '550 no such user' }, {}, 'failed', /550/],
    [{ rcpt: '552 mailbox full' }, {}, 'retry', /552/],
    [{ data: '554 no' }, {}, 'failed', /554/],
    [{ end: '451 try again' }, {}, 'retry', /451/],
    [{ end: '554 looks like spam' }, {}, 'failed', /554/],
    [{ end: '250 queued as 7' }, {}, 'done', /queued as 7/],
  ];
  for (const [script, changed, status, detail] of cases) {
    const { outcome } = await sendTo(script, changed);
    assert.equal(outcome.status, status, `${JSON.stringify(script)}: ${outcome.detail}`);
    assert.match(outcome.detail, detail);
    assert.doesNotMatch(outcome.detail, /kunde\.example|[\r\n]/);
  }
});

test('a stop breaks off what is not yet sent, and waits for what is', async (t) => {
  const early = new AbortController();
  const silent = await ScriptedSmtp.open({ rcpt: 'silence' });
  t.after(() => silent.close());
  const executor = createMailExecutor(options(silent.port), parts);
  const running = executor.execute(sampleAction(), context({ signal: early.signal }));
  while (silent.count('connections') === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  early.abort();
  assert.deepEqual(await running, { status: 'retry', detail: 'the detector stops' });

  const late = new AbortController();
  const server = await ScriptedSmtp.open({});
  t.after(() => server.close());
  const outcome = await createMailExecutor(options(server.port), parts).execute(sampleAction(), context({
    signal: late.signal, markCommitting: () => late.abort(),
  }));
  assert.equal(outcome.status, 'done', outcome.detail);
});

test('names and addresses that would make headers of their own are refused before any connection', async (t) => {
  const server = await ScriptedSmtp.open({});
  t.after(() => server.close());
  const contacts: readonly Partial<HomeContact>[] = [
    { name: 'A\r\nBcc: all@example.org' }, { name: 'A\nB' }, { name: 'A\u2028B' }, { mail: undefined },
    { mail: 'a@b.example\r\nBcc: c@d.example' }, { mail: 'a@b.example, c@d.example' }, { mail: 'A <a@b.example>' },
    { mail: 'a@b.example>' }, { mail: 'a b@c.example' }, { mail: '' }, { mail: '@' },
    { mail: `${'a'.repeat(65)}@b.example` }, { mail: `a@${'b'.repeat(260)}` }, { mail: 'a@b..example' },
  ];
  for (const changed of contacts) {
    const contactOf = (): HomeContact => ({ ...contact, ...changed });
    const executor = createMailExecutor(options(server.port), { ...parts, contactOf });
    assert.equal((await executor.execute(sampleAction(), context())).status, 'failed', JSON.stringify(changed));
  }
  const gone = createMailExecutor(options(server.port), { ...parts, contactOf: () => undefined });
  assert.equal((await gone.execute(sampleAction(), context())).status, 'failed');
  const wrong = createMailExecutor(options(server.port), parts);
  assert.equal((await wrong.execute(sampleAction({ rung: 'mitigate' }), context())).status, 'failed');
  assert.equal((await wrong.execute(sampleAction({ isDryRun: true }), context())).status, 'failed');
  assert.equal(server.count('connections'), 0);
});

test('what the operator got wrong is said before the first mail', () => {
  const ec = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const cases: readonly (readonly [Partial<MailOptions>, RegExp])[] = [
    [{ server: 'mail.example' }, /mail\.server/],
    [{ server: 'http://mail.example' }, /mail\.server/],
    [{ server: 'smtp://user:secret@mail.example' }, /holds a login/],
    [{ from: 'a@b.example, c@d.example' }, /mail\.from/],
    [{ from: 'A\r\nB <a@b.example>' }, /mail\.from/],
    [{ replyTo: 'nobody' }, /mail\.reply_to/],
    [{ providerName: 'A\nB' }, /mail\.provider_name/],
    [{ helpUrl: 'javascript:alert(1)' }, /mail\.help_url/],
    [{ credentialsFile: join(folder, 'absent') }, /credentials_file cannot be read/],
    [{ credentialsFile: file('no-login', 'secret\n') }, /user:password/],
    [{ caFile: join(folder, 'absent') }, /ca_file cannot be read/],
    [{ dkim: { domain: 'x.example', selector: 's', keyFile: file('no.pem', 'nothing') } }, /no private key/],
    [{ dkim: { domain: 'x.example', selector: 's', keyFile: file('ed.pem', ec) } }, /RSA/],
    [{ dkim: { domain: 'x; d=y', selector: 's', keyFile } }, /mail\.dkim/],
    [{ templateFolder: join(folder, 'absent') }, /templates cannot be read/],
  ];
  for (const [changed, expected] of cases) {
    assert.throws(() => createMailExecutor(options(25, changed), parts), (error) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
});
