/** Fingerprint of bytes that we ship: tells versions of a table apart, finds damage. No defence against an attacker. */

/** FNV-1a of 32 bits (draft-eastlake-fnv §4). @param bytes read only */
export function fingerprint32(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash >>> 0;
}

/** Eight hexadecimal digits. */
export function formatFingerprint(value: number): string {
  return value.toString(16).padStart(8, '0');
}
