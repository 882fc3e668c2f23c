/**
 * Finds what must not be in bytes, in whatever form: plain, in letters of another size, percent-encoded, in base64,
 * hexadecimal, UTF-16, quoted-printable, with the escapes of JSON, as the bytes of an address, as a digest without a
 * key.
 */
import { createHash } from 'node:crypto';
import { parseAddress } from '#base';

/** Something of a home, and of which kind it is. */
export type Secret<Kind extends string = string> = { readonly kind: Kind; readonly text: string };

export type Finding<Kind extends string = string> = Secret<Kind> & { readonly form: string };

type Form = { readonly form: string; readonly bytes: Buffer; readonly isCaseless: boolean };

const digests = ['sha256', 'sha1', 'md5'] as const;

/** Forms of a secret that are looked for in bytes as they are. Four bytes of an address are only some of them. */
function formsOf(text: string): readonly Form[] {
  const bytes = Buffer.from(text);
  const forms: Form[] = [
    { form: 'plain', bytes, isCaseless: true },
    { form: 'Latin-1', bytes: Buffer.from(text, 'latin1'), isCaseless: true },
    { form: 'UTF-16', bytes: Buffer.from(text, 'utf16le'), isCaseless: false },
    { form: 'hexadecimal', bytes: Buffer.from(bytes.toString('hex')), isCaseless: true },
    ...digests.flatMap((name) => (['hex', 'base64'] as const).map((encoding) => ({
      // Half of it is as good for who tries names.
      form: `${name} in ${encoding}`, isCaseless: encoding === 'hex',
      bytes: Buffer.from(createHash(name).update(text).digest(encoding).slice(0, 16)),
    }))),
    ...base64Forms(bytes).map((form) => ({ form: 'base64', bytes: form, isCaseless: false })),
  ];
  const address = binaryAddress(text);
  if (address !== undefined) {
    forms.push({ form: 'bytes of the address', bytes: address, isCaseless: false });
    if (address.length === 4) {
      forms.push({ form: 'bytes of the address, swapped', bytes: Buffer.from(address).reverse(), isCaseless: false });
    }
  }
  return forms.filter(({ bytes: form }) => form.length >= 4).map((form) =>
    (form.isCaseless ? { ...form, bytes: lowerCase(form.bytes) } : form));
}

/** Letters of ASCII small, and other bytes changed alike on both sides. */
function lowerCase(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').toLowerCase(), 'latin1');
}

/** What base64 of a longer text has of this one, wherever in it this one begins. */
function base64Forms(bytes: Buffer): Buffer[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    const whole = padded.subarray(0, padded.length - padded.length % 3).toString('base64');
    const text = whole.slice(before === 0 ? 0 : 4);
    // Shorter ones are found by chance.
    return text.length < 8 ? [] : [Buffer.from(text), Buffer.from(text.replaceAll('+', '-').replaceAll('/', '_'))];
  });
}

function binaryAddress(text: string): Buffer | undefined {
  const words = /^[\d.]+$|^[\da-f:]*:[\da-f:.]*$/i.test(text) ? parseAddress(text) : undefined;
  if (words === undefined) return undefined;
  const all = Buffer.alloc(16);
  for (const [i, word] of words.entries()) all.writeUInt32BE(word, 4 * i);
  return text.includes(':') ? all : all.subarray(12);
}

/** The bytes themselves, and what they say to who undoes what mail, URLs and JSON do to texts. */
function viewsOf(bytes: Buffer): (readonly [view: string, bytes: Buffer])[] {
  const text = bytes.toString('latin1');
  const views: (readonly [string, Buffer])[] = [['', bytes]];
  const add = (view: string, undone: string): void => {
    if (undone !== text) views.push([view, Buffer.from(undone, 'latin1')]);
  };
  add('quoted-printable', text.replaceAll(/=\r?\n/g, '')
    .replaceAll(/=([\dA-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll('_', ' '));
  add('percent-encoded', text.replaceAll(/%([\dA-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16))).replaceAll('+', ' '));
  add('JSON', text.replaceAll(/(?:\\u[\da-f]{4})+/gi, (escapes) => Buffer.from(
    escapes.replaceAll(/\\u([\da-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))))
    .toString('latin1')).replaceAll(/\\([\\"/=\]|])/g, '$1'));
  return views;
}

/** Secrets as they are looked for; prepared once. */
export class SecretFinder<Kind extends string> {
  readonly #secrets: readonly (Secret<Kind> & { readonly forms: readonly Form[] })[];

  constructor(secrets: readonly Secret<Kind>[]) {
    this.#secrets = secrets.map((secret) => ({ ...secret, forms: formsOf(secret.text) }));
  }

  /** What is in the bytes, each secret once. */
  find(bytes: Buffer): Finding<Kind>[] {
    const views = viewsOf(bytes).map(([view, seen]) => ({ view, seen, caseless: lowerCase(seen) }));
    return this.#secrets.flatMap(({ kind, text, forms }) => {
      for (const { view, seen, caseless } of views) {
        for (const { form, bytes: wanted, isCaseless } of forms) {
          const isFound = (isCaseless ? caseless : seen).includes(wanted);
          if (isFound) return [{ kind, text, form: view === '' ? form : `${form} in ${view}` }];
        }
      }
      return [];
    });
  }
}
