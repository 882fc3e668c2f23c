/** Verifies DKIM signatures (RFC 6376, relaxed/relaxed, rsa-sha256) by itself: an oracle for what we send. */
import { createHash, createPublicKey, createVerify } from 'node:crypto';

type Header = { readonly name: string; readonly field: string };

function splitMessage(raw: string): { headers: Header[]; body: string } {
  const at = raw.indexOf('\r\n\r\n');
  const headers = raw.slice(0, at).split(/\r\n(?![ \t])/).map((field) =>
    ({ name: field.slice(0, field.indexOf(':')).trim().toLowerCase(), field }));
  return { headers, body: raw.slice(at + 4) };
}

/** §3.4.2 */
function relaxHeader(field: string): string {
  const colon = field.indexOf(':');
  const value = field.slice(colon + 1).replace(/\r\n/g, '').replace(/[ \t]+/g, ' ').trim();
  return `${field.slice(0, colon).trim().toLowerCase()}:${value}`;
}

/** §3.4.4 */
function relaxBody(body: string): string {
  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  const text = lines.join('\r\n').replace(/(?:\r\n)*$/, '');
  return text === '' ? '' : `${text}\r\n`;
}

export type DkimResult = {
  readonly domain: string; readonly selector: string; readonly signed: readonly string[];
  readonly isBodyRight: boolean; readonly isSignatureRight: boolean;
};

/** What the signature of a message says of it. @returns  undefined: it has none */
export function checkDkim(raw: Buffer, publicKey: string): DkimResult | undefined {
  const { headers, body } = splitMessage(raw.toString('latin1'));
  const signature = headers.find(({ name }) => name === 'dkim-signature');
  if (signature === undefined) return undefined;
  const value = signature.field.slice(signature.field.indexOf(':') + 1);
  const tags = new Map(value.split(';').map((tag) =>
    [tag.slice(0, tag.indexOf('=')).trim(), tag.slice(tag.indexOf('=') + 1).replace(/\s+/g, '')]));
  const tag = (name: string): string => tags.get(name) ?? '';
  if (tag('a') !== 'rsa-sha256' || tag('c') !== 'relaxed/relaxed') throw new Error(`another algorithm: ${value}`);
  const bodyHash = createHash('sha256').update(relaxBody(body), 'latin1').digest('base64');
  const signed = tag('h').toLowerCase().split(':');
  const left = [...headers];
  const lines = signed.flatMap((name) => {
    const at = left.findLastIndex((header) => header.name === name);
    return at < 0 ? [] : [`${relaxHeader((left.splice(at, 1)[0] as Header).field)}\r\n`];
  });
  const own = relaxHeader(signature.field.replace(/(\bb=)[^;]*$/, '$1'));
  const isSignatureRight = createVerify('sha256').update(lines.join('') + own, 'latin1')
    .verify(createPublicKey(publicKey), tag('b'), 'base64');
  return { domain: tag('d'), selector: tag('s'), signed, isBodyRight: bodyHash === tag('bh'), isSignatureRight };
}
