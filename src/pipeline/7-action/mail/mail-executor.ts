/**
 * Mails to customers: a text from the templates, as a message, to the provider's mail server. Everything that the
 * operator configured is checked when the executor is made; what fails later is an outcome.
 */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describeError, OperatorError } from '#base';
import type { DeviceModelNotes, ExecutionContext, Executor, HomeContact, Outcome, PlannedAction } from '../action.ts';
import type { MailOptions } from '../action-options.ts';
import { composeMail, type DkimKey } from './mail-message.ts';
import { readMailTemplates, type MailRung } from './mail-templates.ts';
import { bareAddress, joinNotes, viewMail } from './mail-view.ts';
import { deliverMail, type SmtpServer } from './smtp-delivery.ts';

export type MailExecutorParts = {
  readonly contactOf: (home: string) => HomeContact | undefined;
  readonly notesOf: (deviceModel: string) => DeviceModelNotes;
};

const submissionPort = 587;
const implicitTlsPort = 465;
const addressLengthMax = 254;
/** One mailbox, in no way a list, a comment or a second header; after RFC 5321 §4.1.2 without quoted names. */
const mailbox = /^[^\s\p{Cc}<>()[\],;:\\"@]{1,64}@[^\s\p{Cc}<>()[\],;:\\"@.]+(?:\.[^\s\p{Cc}<>()[\],;:\\"@.]+)*$/u;
const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/**
 * An executor of mails.
 *
 * @throws OperatorError  a template, key, login or address cannot be used
 */
export function createMailExecutor(options: MailOptions, parts: MailExecutorParts): Executor {
  const templates = readMailTemplates(options.templateFolder);
  const server = readServer(options);
  const dkim = readDkimKey(options.dkim);
  const address = checkedMailbox('from', options.from);
  const from = { name: displayName(options.from) ?? options.providerName, address };
  const replyTo = checkedMailbox('reply_to', options.replyTo ?? options.from);
  for (const [key, value] of [['provider_name', options.providerName], ['help_phone', options.helpPhone]] as const) {
    if (value !== undefined && control.test(value)) refuse(key, 'has a line end or another control character');
  }
  if (options.helpUrl !== undefined && !isWebAddress(options.helpUrl)) {
    refuse('help_url', 'is no address of a page, such as https://example.net/help');
  }

  const execute = async (action: PlannedAction, context: ExecutionContext): Promise<Outcome> => {
    if (action.isDryRun) return { status: 'failed', detail: 'a dry run sends no mail' };
    if (action.rung !== 'notify' && action.rung !== 'remind') {
      return { status: 'failed', detail: `no mail is written for the rung ${action.rung}` };
    }
    const contact = parts.contactOf(action.home);
    if (contact?.mail === undefined) return { status: 'failed', detail: 'the home has no mail address any more' };
    const why = whyUnsafe(contact);
    if (why !== undefined) return { status: 'failed', detail: why };
    const language = templates.languageFor(action.channel, options.language);
    const { group = [] } = action.verdict;
    const notes = joinNotes((group.length > 1 ? group : [action.deviceModel]).map(parts.notesOf), language);
    const view = viewMail(action, options, contact, notes, language, options.timeZone);
    const rung: MailRung = action.rung;
    const message = await composeMail({
      actionId: action.id, from, replyTo, to: { name: contact.name ?? '', address: contact.mail },
      dateMs: context.wallMs(), text: templates.render(rung, language, view),
    }, dkim);
    return deliverMail(server, { from: from.address, to: contact.mail, message }, context);
  };
  return { kind: 'mail', isIdempotent: false, execute };
}

/** Why nothing is sent to a contact whose texts would become headers of their own; undefined: all is well. */
function whyUnsafe({ mail, name }: HomeContact): string | undefined {
  if (mail !== undefined && (!mailbox.test(mail) || mail.length > addressLengthMax)) {
    return 'the mail address of the home is not one mailbox';
  }
  return name !== undefined && control.test(name) ? 'the name of the home has a line end or a control character' :
    undefined;
}

function refuse(key: string, what: string, cause?: unknown): never {
  throw new OperatorError('bad-option', `mail.${key} ${what}`, cause);
}

function checkedMailbox(key: string, text: string): string {
  const address = bareAddress(text);
  if (!mailbox.test(address) || control.test(text)) refuse(key, 'is not one mail address');
  return address;
}

/** The name before the address in angle brackets; undefined: there is none. */
function displayName(text: string): string | undefined {
  const name = /^(.*)<[^<>]*>\s*$/.exec(text)?.[1]?.trim().replace(/^"(.*)"$/, '$1');
  return name === '' ? undefined : name;
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:\/\/[^\s<>"]+$/.test(text);
}

function readServer(options: MailOptions): SmtpServer {
  const url = URL.canParse(options.server) ? new URL(options.server) : undefined;
  if (url === undefined || !['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '') {
    return refuse('server', 'is neither smtp://HOST:PORT nor smtps://HOST:PORT');
  }
  if (url.username !== '' || url.password !== '') {
    return refuse('server', 'holds a login: put it into the file that credentials_file names');
  }
  const isImplicitTls = url.protocol === 'smtps:';
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (isImplicitTls ? implicitTlsPort : submissionPort) : Number(url.port),
    isImplicitTls,
    requireTls: options.requireTls,
    login: readLogin(options.credentialsFile),
    ca: options.caFile === undefined ? undefined : readText('ca_file', options.caFile),
    timeoutMs: options.timeoutMs,
  };
}

function readText(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError('input-unreadable', `mail.${key} cannot be read: ${describeError(error)}`, error);
  }
}

function readLogin(path: string | undefined): SmtpServer['login'] {
  if (path === undefined) return undefined;
  const line = readText('credentials_file', path).replace(/\r?\n$/, '');
  const colon = line.indexOf(':');
  if (colon < 1 || control.test(line) || colon === line.length - 1) {
    return refuse('credentials_file', 'does not hold user:password on one line');
  }
  return { user: line.slice(0, colon), pass: line.slice(colon + 1) };
}

function readDkimKey(dkim: MailOptions['dkim']): DkimKey | undefined {
  if (dkim === undefined) return undefined;
  if (!/^[\w.-]+$/.test(dkim.domain) || !/^[\w.-]+$/.test(dkim.selector)) {
    return refuse('dkim', 'has a domain or selector that is no name of a host');
  }
  const privateKey = readText('dkim.key_file', dkim.keyFile);
  try {
    const type = createPrivateKey(privateKey).asymmetricKeyType;
    if (type !== 'rsa') refuse('dkim.key_file', `holds a key of the kind ${type}; every mail server verifies RSA`);
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    refuse('dkim.key_file', `holds no private key in PEM: ${describeError(error)}`, error);
  }
  return { domain: dkim.domain, selector: dkim.selector, privateKey };
}
