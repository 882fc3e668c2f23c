/** Signatures of webhooks after Standard Webhooks: HMAC-SHA256 of `id.timestamp.body`, as `v1,` and base64. */
import { createHmac } from 'node:crypto';

const secretBytesMin = 24;

/**
 * The key in the text of a secret's file: base64 after `whsec_`, otherwise the bytes of the line.
 *
 * @returns  undefined: it is shorter than 24 bytes, or no base64
 */
export function parseWebhookSecret(text: string): Buffer | undefined {
  const line = text.replace(/\r?\n$/, '');
  const encoded = line.startsWith('whsec_') ? line.slice('whsec_'.length) : undefined;
  if (encoded !== undefined && !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const key = encoded === undefined ? Buffer.from(line) : Buffer.from(encoded, 'base64');
  return key.length < secretBytesMin ? undefined : key;
}

/** Value of the header `webhook-signature`. @param timestamp  seconds since the Unix epoch */
export function signWebhook(key: Uint8Array, id: string, timestamp: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}
