/**
 * Tells the operator's own programs: a signed POST of JSON for each action (Standard Webhooks). The same action always
 * has the same id and body, so that a receiver drops what it has seen; that makes repeating harmless.
 */
import { readFileSync } from 'node:fs';
import { describeError, OperatorError } from '#base';
import type { ExecutionContext, Executor, Outcome, PlannedAction } from '../action.ts';
import type { WebhookOptions } from '../action-options.ts';
import { viewForReceiver, type ReceiverView } from './receiver-view.ts';
import { postWebhook } from './webhook-request.ts';
import { parseWebhookSecret, signWebhook } from './webhook-signature.ts';

export type ReceiverParts = {
  /** Digest of a text with the detector's own key, such as `h-3fa95c0d17be`; the same for the same text. */
  readonly pseudonymOf: (text: string) => string;
};

type Receiver = {
  readonly options: WebhookOptions; readonly url: URL; readonly key: Buffer; readonly ca: string | undefined;
};

/**
 * An executor for all webhooks; `channel` of an action is the name of one.
 *
 * @throws OperatorError  a secret, certificate or address cannot be used
 */
export function createWebhookExecutor(all: readonly WebhookOptions[], parts: ReceiverParts): Executor {
  const receivers = new Map(all.map((options) => [options.name, openReceiver(options)]));
  const execute = async (action: PlannedAction, context: ExecutionContext): Promise<Outcome> => {
    if (action.isDryRun) return { status: 'failed', detail: 'a dry run tells nobody' };
    const receiver = receivers.get(action.channel);
    if (receiver === undefined) return { status: 'failed', detail: 'the config has no such webhook any more' };
    const { options, url, key, ca } = receiver;
    const view = viewForReceiver(action, options.homeName, parts.pseudonymOf);
    const body = formatWebhookBody(view);
    const timestamp = Math.floor(context.wallMs() / 1_000);
    return postWebhook({
      url, body, ca, timeoutMs: options.timeoutMs, signal: context.signal, wallMs: context.wallMs,
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'natlens',
        'webhook-id': view.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signWebhook(key, view.id, timestamp, body),
      },
    });
  };
  return { kind: 'webhook', isIdempotent: true, execute };
}

const toTime = (timeMs: number): string => new Date(timeMs).toISOString();

/** The body: the same bytes for the same action. Documented in docs/receivers.md. */
export function formatWebhookBody(view: ReceiverView): string {
  const { verdict, evidence, block } = view;
  return JSON.stringify({
    type: `natlens.${view.rung}`,
    timestamp: toTime(view.plannedMs),
    data: {
      id: view.id,
      home: view.home,
      deviceModel: view.deviceModel,
      episode: view.episode,
      step: view.step,
      reasons: view.reasons,
      verdict: {
        state: verdict.state, classifier: verdict.classifier, since: toTime(verdict.sinceMs),
        firstFlow: toTime(verdict.firstFlowMs), supported: toTime(verdict.supportedMs),
        ...verdict.group !== undefined && { group: verdict.group },
      },
      evidence: evidence === undefined ? null : {
        score: evidence.score, signs: evidence.signs, windowStart: toTime(evidence.windowStartMs),
        windowEnd: toTime(evidence.windowEndMs),
      },
      block: block === undefined ? null :
        { destination: block.destination ?? null, protocol: block.protocol, port: block.port ?? null },
    },
  });
}

function openReceiver(options: WebhookOptions): Receiver {
  const place = `webhook "${options.name}"`;
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new OperatorError('bad-option', `${place}: url is no http:// or https:// address without a login`);
  }
  const key = parseWebhookSecret(readText(place, 'secret_file', options.secretFile));
  if (key === undefined) {
    throw new OperatorError('bad-option',
      `${place}: secret_file must hold at least 24 bytes, or whsec_ and base64 of them`);
  }
  const ca = options.caFile === undefined ? undefined : readText(place, 'ca_file', options.caFile);
  return { options, url, key, ca };
}

function readText(place: string, key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError('input-unreadable', `${place}: ${key} cannot be read: ${describeError(error)}`, error);
  }
}
