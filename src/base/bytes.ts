/**
 * Addresses and bytes as text. An IP address is four 32-bit words in network order, IPv4 mapped as ::ffff:a.b.c.d
 * (RFC 4291 §2.5.5.2); a MAC address is two words: the upper 16 bits, then the lower 32.
 */
import ipaddr from 'ipaddr.js';

/** Words per address in a column. */
export const addressWords = 4;
/** Third word of an IPv4-mapped address. */
export const mappedWord = 0xffff;

/** Words of an IP address, as stored in address columns. */
export type AddressWords = readonly [number, number, number, number];

/** True when the four words at `at` hold an IPv4-mapped address. */
export function isMapped(words: Uint32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === mappedWord;
}

/** Dotted quad of a 32-bit IPv4 address. */
export function formatIPv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/**
 * Text of the address at `at`: dotted quad, or RFC 5952 for IPv6.
 *
 * @param words  address column, four words a row; read only
 * @param at     index of the first word
 */
export function formatAddress(words: Uint32Array, at: number): string {
  if (isMapped(words, at)) return formatIPv4(words[at + 3] as number);
  const bytes: number[] = [];
  for (let i = 0; i < addressWords; i++) {
    const word = words[at + i] as number;
    bytes.push(word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255);
  }
  return (ipaddr.fromByteArray(bytes) as ipaddr.IPv6).toRFC5952String();
}

/** Words of an address in text, or undefined when the text is not one. */
export function parseAddress(text: string): AddressWords | undefined {
  if (text.includes(':')) {
    if (!ipaddr.IPv6.isValid(text)) return undefined;
    const bytes = ipaddr.IPv6.parse(text).toByteArray();
    return [wordAt(bytes, 0), wordAt(bytes, 4), wordAt(bytes, 8), wordAt(bytes, 12)];
  }
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return [0, 0, mappedWord, wordAt(ipaddr.IPv4.parse(text).toByteArray(), 0)];
}

function wordAt(bytes: readonly number[], at: number): number {
  return (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>> 0;
}

/** A network prefix over the 128-bit words: IPv4 prefixes are counted from bit 96. */
export type Prefix = { readonly words: AddressWords; readonly lengthBits: number };

/** Prefix of `192.168.0.0/16` or `2001:db8::/32` (an address alone is a host), or undefined when the text is none. */
export function parsePrefix(text: string): Prefix | undefined {
  const [host = '', lengthText, more] = text.split('/');
  if (more !== undefined) return undefined;
  const words = parseAddress(host);
  if (words === undefined) return undefined;
  const bitsMax = host.includes(':') ? 128 : 32;
  if (lengthText !== undefined && !/^\d{1,3}$/.test(lengthText)) return undefined;
  const bits = lengthText === undefined ? bitsMax : Number(lengthText);
  if (bits > bitsMax) return undefined;
  return { words, lengthBits: bits + 128 - bitsMax };
}

/** True when the address at `at` lies in the prefix. */
export function isInPrefix(words: Uint32Array, at: number, prefix: Prefix): boolean {
  let bits = prefix.lengthBits;
  for (let i = 0; i < addressWords && bits > 0; i++, bits -= 32) {
    const mask = bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
    if ((((words[at + i] as number) ^ (prefix.words[i] as number)) & mask) !== 0) return false;
  }
  return true;
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** `aa:bb:cc:dd:ee:ff` of the two words at `at`. */
export function formatMac(words: Uint32Array, at: number): string {
  const high = words[at] as number;
  const low = words[at + 1] as number;
  return `${hexDigits[(high >>> 8) & 255]}:${hexDigits[high & 255]}:${hexDigits[low >>> 24]}:` +
    `${hexDigits[(low >>> 16) & 255]}:${hexDigits[(low >>> 8) & 255]}:${hexDigits[low & 255]}`;
}

/** The two words of a MAC address in text (`:` or `-` between, or nothing), or undefined when it is none. */
export function parseMac(text: string): readonly [number, number] | undefined {
  const hex = text.replace(/[:-]/g, '');
  if (!/^[0-9a-fA-F]{12}$/.test(hex)) return undefined;
  return [parseInt(hex.slice(0, 4), 16), parseInt(hex.slice(4), 16)];
}
