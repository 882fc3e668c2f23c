/**
 * The file of the owner table: header, arrays, texts, little-endian. The arrays are the format: the header is checked
 * once, then they are views of the file's bytes. Loading reads one file and never writes.
 */
import { readFileSync, statSync } from 'node:fs';
import { endianness } from 'node:os';
import { fileURLToPath } from 'node:url';
import { EnvironmentError, describeError, limits, readShippedFile } from '#base';
import { fingerprint32, formatFingerprint } from './owner-fingerprint.ts';
import { createOwnerTable, type OwnerTable } from './owner-table.ts';

/**
 * Header: eight words.
 *   0 magic · 1 format version · 2 IPv4 ranges · 3 IPv6 ranges · 4 bytes of texts · 5 fingerprint of all that follows
 *   6 year · 10,000 + month · 100 + day of the data · 7 zero
 * Then IPv4 starts, IPv6 upper words, IPv6 lower words (32 bits each); owners of the IPv4, then of the IPv6 ranges
 * (8 bits each); then the names of owners 1, 2, … in UTF-8, a line feed between them.
 */
const magic = 0x4f4c544e;
const formatVersion = 1;
const headerBytes = 32;

/** What goes into a file. */
export type OwnerTableContent = {
  /** Names of owners 1, 2, … */
  readonly names: readonly string[];
  /** Date of the data as `yyyymmdd`. */
  readonly date: number;
  /** Boundaries, ascending, the first at 0; owner codes beside them. */
  readonly ipv4: readonly { readonly start: number; readonly owner: number }[];
  readonly ipv6: readonly { readonly high: number; readonly low: number; readonly owner: number }[];
};

/** Bytes of a table file. */
export function encodeOwnerTable(content: OwnerTableContent): Uint8Array {
  const texts = new TextEncoder().encode(content.names.join('\n'));
  const { ipv4, ipv6 } = content;
  const file = new Uint8Array(headerBytes + ipv4.length * 5 + ipv6.length * 9 + texts.length);
  const words = new DataView(file.buffer);
  let at = headerBytes;
  const putWords = (values: readonly number[]): void => {
    for (const value of values) {
      words.setUint32(at, value, true);
      at += 4;
    }
  };
  const putBytes = (values: ArrayLike<number>): void => {
    file.set(values, at);
    at += values.length;
  };
  putWords(ipv4.map((range) => range.start));
  putWords(ipv6.map((range) => range.high));
  putWords(ipv6.map((range) => range.low));
  putBytes(ipv4.map((range) => range.owner));
  putBytes(ipv6.map((range) => range.owner));
  putBytes(texts);
  at = 0;
  const fingerprint = fingerprint32(file.subarray(headerBytes));
  putWords([magic, formatVersion, ipv4.length, ipv6.length, texts.length, fingerprint, content.date, 0]);
  return file;
}

/**
 * Table over the bytes of a file.
 *
 * @param file  kept: the table is views of it (of a copy if it is not aligned to four bytes)
 * @throws EnvironmentError  these are not the bytes of a whole table file
 */
export function decodeOwnerTable(file: Uint8Array): OwnerTable {
  const damaged = (what: string, cause?: unknown): EnvironmentError =>
    new EnvironmentError('disk', `The owner table is damaged (${what}); install natlens again.`, cause);
  if (file.length < headerBytes) throw damaged('it is cut');
  if (endianness() !== 'LE') throw new EnvironmentError('disk', 'The owner table needs a little-endian machine.');
  const bytes = file.byteOffset % 4 === 0 ? file : file.slice();
  const [mark, version, countIPv4 = 0, countIPv6 = 0, textBytes = 0, fingerprint = 0, date = 0] =
    new Uint32Array(bytes.buffer, bytes.byteOffset, headerBytes / 4);
  if (mark !== magic) throw damaged('it does not begin as one');
  if (version !== formatVersion) throw damaged(`format ${version} is not known`);
  if (bytes.length !== headerBytes + countIPv4 * 5 + countIPv6 * 9 + textBytes) throw damaged('its length is wrong');
  if (fingerprint32(bytes.subarray(headerBytes)) !== fingerprint) throw damaged('its fingerprint is wrong');
  let at = bytes.byteOffset + headerBytes;
  const takeWords = (count: number): Uint32Array => new Uint32Array(bytes.buffer, (at += count * 4) - count * 4, count);
  const takeBytes = (count: number): Uint8Array => new Uint8Array(bytes.buffer, (at += count) - count, count);
  const startsIPv4 = takeWords(countIPv4);
  const highIPv6 = takeWords(countIPv6);
  const lowIPv6 = takeWords(countIPv6);
  const ownersIPv4 = takeBytes(countIPv4);
  const ownersIPv6 = takeBytes(countIPv6);
  const names = ['', ...new TextDecoder().decode(takeBytes(textBytes)).split('\n')];
  try {
    const ofData = `${formatDate(date)}.${formatFingerprint(fingerprint)}`;
    return createOwnerTable({ names, version: ofData, startsIPv4, highIPv6, lowIPv6, ownersIPv4, ownersIPv6 });
  } catch (cause) {
    throw damaged(describeError(cause), cause);
  }
}

function formatDate(date: number): string {
  const text = String(date).padStart(8, '0');
  return `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`;
}

/** Where the shipped table lies. */
const shippedTable = new URL('owner-table.bin', import.meta.url);
export const ownerTablePath: string = fileURLToPath(shippedTable);

/**
 * Reads a table file; 25 ms for the shipped one in a fresh process.
 *
 * @param path  undefined: the shipped one
 * @throws EnvironmentError  the file is absent, too large, or damaged
 */
export function loadOwnerTable(path?: string, bytesMax: number = limits.ownerTableBytesMax): OwnerTable {
  let file: Uint8Array;
  try {
    if (path !== undefined && statSync(path).size > bytesMax) throw new Error(`it is larger than ${bytesMax} bytes`);
    file = path === undefined ? readShippedFile(shippedTable) : readFileSync(path);
  } catch (cause) {
    const what = describeError(cause);
    throw new EnvironmentError('disk', `The owner table cannot be read (${what}); install natlens again.`, cause);
  }
  return decodeOwnerTable(file);
}
