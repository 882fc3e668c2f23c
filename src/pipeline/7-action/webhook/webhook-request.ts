/**
 * One POST over HTTP/1.1, and what its answer means. No redirect is followed, no more of an answer is read than the
 * limit, and nothing is kept open: a receiver hears of us a few times a day.
 */
import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { describeError, limits } from '#base';
import type { Outcome } from '../action.ts';

export type WebhookRequest = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Certificates to trust instead of the system's (PEM). */
  readonly ca: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly wallMs: () => number;
};

const retryAfterMsMin = 1_000;
/** Client errors that may pass: too slow, a conflict, too early, too many. */
const passing: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/** Sends it. Never throws. */
export async function postWebhook(request: WebhookRequest): Promise<Outcome> {
  if (request.signal.aborted) return { status: 'retry', detail: 'the detector stops' };
  let sent: ClientRequest | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let onAbort = (): void => undefined;
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = request.url.protocol === 'https:' ? requestHttps : requestHttp;
      sent = send(request.url, {
        method: 'POST', headers: request.headers, agent: false,
        ...(request.ca === undefined ? {} : { ca: request.ca }),
      });
      onAbort = () => reject(new Error('the detector stops'));
      request.signal.addEventListener('abort', onAbort);
      deadline = setTimeout(() => reject(new Error(`no answer within ${request.timeoutMs} ms`)), request.timeoutMs);
      sent.on('response', resolve);
      sent.on('error', reject);
      sent.end(request.body);
    });
    answer.on('error', () => undefined);
    const outcome = outcomeOf(answer, request.wallMs());
    await drain(answer, deadline as NodeJS.Timeout, request);
    return outcome;
  } catch (error) {
    return { status: 'retry', detail: describeError(error) };
  } finally {
    clearTimeout(deadline);
    request.signal.removeEventListener('abort', onAbort);
    sent?.destroy();
  }
}

/** Lets an answer end, so that the receiver sees an orderly close; too long or too slow an answer is cut off. */
async function drain(answer: IncomingMessage, deadline: NodeJS.Timeout, { timeoutMs, signal }: WebhookRequest):
Promise<void> {
  clearTimeout(deadline);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    signal.addEventListener('abort', end);
    let byteCount = 0;
    answer.on('data', (chunk: Buffer) => {
      byteCount += chunk.length;
      if (byteCount > limits.webhookAnswerBytesMax) end();
    });
    answer.once('close', end);
  });
}

function outcomeOf({ statusCode = 0, headers }: IncomingMessage, wallMs: number): Outcome {
  const detail = `answered with status ${statusCode}`;
  if (statusCode >= 200 && statusCode < 300) return { status: 'done', detail };
  if (statusCode >= 400 && statusCode < 500 && !passing.has(statusCode)) return { status: 'failed', detail };
  const afterMs = parseRetryAfter(headers['retry-after'], wallMs);
  return { status: 'retry', detail, ...(afterMs === undefined ? {} : { afterMs }) };
}

/**
 * The pause that a receiver asks for, within our bounds.
 *
 * @returns  undefined: it asks for none, or not in words of RFC 9110 §10.2.3
 */
export function parseRetryAfter(value: string | undefined, wallMs: number): number | undefined {
  const text = value?.trim() ?? '';
  let pauseMs = Number.NaN;
  if (/^\d{1,10}$/.test(text)) pauseMs = Number(text) * 1_000;
  else if (text.endsWith('GMT')) pauseMs = Date.parse(text) - wallMs;
  if (Number.isNaN(pauseMs)) return undefined;
  return Math.min(Math.max(pauseMs, retryAfterMsMin), limits.retryAfterMsMax);
}
