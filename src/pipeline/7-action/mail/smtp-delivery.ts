/**
 * One mail to one SMTP server (RFC 5321), and what came of it. The mail counts as sent from the final dot on: right
 * before it `markCommitting` is called, when all else has left this process. A line that breaks after it leaves a mail
 * of unknown fate, which is not sent again.
 */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { NodemailerError } from 'nodemailer/lib/errors.js';
import { describeError } from '#base';
import type { ExecutionContext, Outcome } from '../action.ts';
import { cleanValue } from './mail-markup.ts';

export type SmtpServer = {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly isImplicitTls: boolean;
  readonly requireTls: boolean;
  readonly login: { readonly user: string; readonly pass: string } | undefined;
  /** Certificates to trust instead of the system's (PEM). */
  readonly ca: string | undefined;
  /** How long all may take up to the final dot; the answer to that may take ten times as long. */
  readonly timeoutMs: number;
};

export type Delivery = { readonly from: string; readonly to: string; readonly message: Buffer };

const detailLength = 240;
/** RFC 5321 §4.5.3.2.6 gives a server ten minutes to answer the final dot; with the usual timeout it is as much. */
const answerFactor = 10;
/** How long a server has to close after we did. */
const closeTimeoutMs = 1_000;
/** Pause between two looks at whether the kernel has taken everything. */
const drainPollMs = 2;

/** Bytes of a mail whose end is held back until all before it is on its way and the end is written down. */
class HeldMail extends Readable {
  #message: Buffer | undefined;
  readonly #isDrained: (destination: NodeJS.WritableStream | undefined) => boolean;
  readonly #onEnd: () => void;
  #destination: NodeJS.WritableStream | undefined;

  constructor(message: Buffer, isDrained: (destination: NodeJS.WritableStream | undefined) => boolean,
    onEnd: () => void) {
    super();
    this.#message = message;
    this.#isDrained = isDrained;
    this.#onEnd = onEnd;
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    this.#destination = destination;
    return super.pipe(destination, options);
  }

  override _read(): void {
    const message = this.#message;
    this.#message = undefined;
    if (message === undefined) void this.#end();
    else this.push(message);
  }

  async #end(): Promise<void> {
    while (!this.destroyed && (this.readableLength > 0 || !this.#isDrained(this.#destination))) {
      await sleep(drainPollMs);
    }
    if (this.destroyed) return;
    try {
      this.#onEnd();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.push(null);
  }
}

/** Is nothing left in a stream that others write to and read from? */
function isEmpty(stream: NodeJS.WritableStream): boolean {
  const { writableLength = 0, readableLength = 0 } = stream as { writableLength?: number; readableLength?: number };
  return writableLength === 0 && readableLength === 0;
}

/** Sends a mail. Never throws: the outcome says what happened. */
export async function deliverMail(
  server: SmtpServer, delivery: Delivery, { markCommitting, signal }: ExecutionContext,
): Promise<Outcome> {
  if (signal.aborted) return { status: 'retry', detail: 'the detector stops' };
  const { host, port, login, timeoutMs } = server;
  const connection = new SMTPConnection({
    host, port, secure: server.isImplicitTls, requireTLS: server.requireTls && !server.isImplicitTls,
    connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, dnsTimeout: timeoutMs,
    socketTimeout: answerFactor * timeoutMs, socketCloseTimeout: closeTimeoutMs,
    logger: false, tls: server.ca === undefined ? {} : { ca: server.ca },
  });
  let isCommitting = false;
  let deadline: NodeJS.Timeout | undefined;
  let onLate = (): void => undefined;
  const setDeadline = (durationMs: number): void => {
    clearTimeout(deadline);
    deadline = setTimeout(() => onLate(), durationMs);
  };
  const mail = new HeldMail(delivery.message, (destination) => {
    // After STARTTLS it is another one than before, so it is looked at anew.
    const { _socket: socket } = connection;
    return destination !== undefined && isEmpty(destination) && typeof socket === 'object' && socket !== null &&
      socket.writableLength === 0;
  }, () => {
    // A stop that comes while it is written down comes too late.
    isCommitting = true;
    try {
      markCommitting();
    } catch (error) {
      isCommitting = false;
      throw error;
    }
    setDeadline(answerFactor * timeoutMs);
  });
  // Without a listener a mail that breaks after everybody has turned away would end the process.
  mail.on('error', () => undefined);

  let onAbort = (): void => undefined;
  try {
    const response = await new Promise<string>((resolve, reject) => {
      connection.on('error', reject);
      onAbort = () => {
        if (!isCommitting) reject(new Error('the detector stops'));
      };
      signal.addEventListener('abort', onAbort);
      onLate = () => reject(new Error(`the server took too long (timeout ${timeoutMs} ms)`));
      setDeadline(timeoutMs);
      const send = (): void => connection.send({ from: delivery.from, to: [delivery.to] }, mail, (error, info) => {
        if (error === null || error === undefined) resolve(info?.response ?? '');
        else reject(error);
      });
      connection.connect((error) => {
        if (error !== undefined && error !== null) reject(error);
        else if (login === undefined) send();
        else if (!connection.allowsAuth) reject(new Error('the server offers no login'));
        else {
          connection.login({ credentials: login }, (problem) => {
            if (problem === null || problem === undefined) send();
            else reject(problem);
          });
        }
      });
    });
    const { _socket: socket } = connection;
    connection.quit();
    // Who waits for the answer to that is nobody: a stop least of all.
    if (typeof socket === 'object') socket?.unref();
    return { status: 'done', detail: describe(`the server took it: ${response}`, delivery.to) };
  } catch (error) {
    connection.close();
    mail.destroy();
    return outcomeOf(error as NodemailerError, isCommitting, delivery.to);
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
  }
}

/** What a failure means: only what the server said about this very mail is final. */
function outcomeOf(error: NodemailerError, isCommitting: boolean, recipient: string): Outcome {
  const detail = describe(describeError(error), recipient);
  const code = error.responseCode;
  if (isCommitting && code === undefined) {
    return { status: 'uncertain', detail: `the mail was sent, and the line broke before the answer: ${detail}` };
  }
  const isOfMail = isCommitting || /^(?:MAIL FROM|RCPT TO|DATA)/.test(error.command ?? '');
  // 530 and 535 are about the login, 552 and 422 about a mailbox that is full for now.
  const isFinal = isOfMail && code !== undefined && code >= 500 && ![530, 535, 552].includes(code);
  return { status: isFinal ? 'failed' : 'retry', detail };
}

/** One line for the audit, without the customer's address, which servers like to repeat, in letters of any size. */
function describe(text: string, recipient: string): string {
  const escape = (part: string): string => part.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&');
  const local = recipient.slice(0, recipient.lastIndexOf('@'));
  const address = new RegExp(`${escape(recipient)}|(?<![\\p{L}\\d])${escape(local)}(?![\\p{L}\\d])`, 'giu');
  return cleanValue(text.replaceAll(address, '(recipient)')).slice(0, detailLength);
}
