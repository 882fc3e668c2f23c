/** Checksums of changed headers without reading what they cover (RFC 1624 §3, eq. 3). */

export function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function read32(bytes: Uint8Array, at: number): number {
  return ((read16(bytes, at) << 16) | read16(bytes, at + 2)) >>> 0;
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** A checksum field: its place, and whether zero means that there is none (UDP over IPv4, RFC 768). */
export type ChecksumField = { readonly at: number; readonly isOptional: boolean };

/** Writes a 16-bit word and corrects the checksums that cover it; the word lies at an even place of what they cover. */
export function replace16(bytes: Uint8Array, at: number, value: number, checksums: readonly ChecksumField[]): void {
  const old = read16(bytes, at);
  put16(bytes, at, value);
  for (const field of checksums) correctChecksum(bytes, field, old, value);
}

/** Writes an address and corrects the checksums that cover it. */
export function replace32(bytes: Uint8Array, at: number, value: number, checksums: readonly ChecksumField[]): void {
  replace16(bytes, at, value >>> 16, checksums);
  replace16(bytes, at + 2, value & 0xffff, checksums);
}

/** Corrects a checksum for a word that was changed. */
export function correctChecksum(
  bytes: Uint8Array, { at, isOptional }: ChecksumField, old: number, value: number,
): void {
  const before = read16(bytes, at);
  if (isOptional && before === 0) return;
  let sum = (~before & 0xffff) + (~old & 0xffff) + value;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const after = ~sum & 0xffff;
  put16(bytes, at, isOptional && after === 0 ? 0xffff : after);
}
