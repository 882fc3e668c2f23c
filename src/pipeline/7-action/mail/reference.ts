/**
 * The reference of an action: what a customer reads out on the phone and the help line looks up. Crockford's base32
 * has no letters that are taken for digits, nor for one another.
 */
import { assertInvariant } from '#base';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const referenceLength = 8;

/**
 * Eight characters for the first 40 bits of an action's id.
 *
 * @param id  SHA-256 in hexadecimal
 */
export function referenceOf(id: string): string {
  assertInvariant(/^[0-9a-f]{10,}$/.test(id), `an action's id is a SHA-256, not ${id}`);
  const bits = BigInt(`0x${id.slice(0, 10)}`);
  let text = '';
  for (let i = referenceLength - 1; i >= 0; i--) text += alphabet[Number((bits >> BigInt(5 * i)) & 31n)];
  return text;
}

/** A reference as a person wrote it: small letters, `o` for 0, `i` and `l` for 1, blanks and hyphens are forgiven. */
export function normaliseReference(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
}
