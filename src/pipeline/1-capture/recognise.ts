/**
 * Recognises capture files by their first bytes, never by their name.
 * Follows draft-ietf-opsawg-pcap §4 (file header) and draft-ietf-opsawg-pcapng §4.1 (section header block).
 */

export type CaptureKind = 'pcap' | 'pcapng';

/** §4: microseconds. */
export const magicMicroseconds = 0xa1b2c3d4;
/** §4: nanoseconds. */
export const magicNanoseconds = 0xa1b23c4d;
/** Microseconds with 24-byte record headers: the patched libpcap of some Linux distributions of the 1990s. */
export const magicPatched = 0xa1b2cd34;
/** Block type of a section header: a palindrome, the same in both byte orders. */
export const blockSectionHeader = 0x0a0d0d0a;
/** §4.1: byte-order magic. */
export const byteOrderMagic = 0x1a2b3c4d;

/** Kind of a capture file, or undefined when it is none. @param head the first bytes; twelve decide */
export function recogniseCapture(head: Uint8Array): CaptureKind | undefined {
  if (head.length < 4) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const magic = view.getUint32(0);
  if (magic === blockSectionHeader) {
    // A file cut before its byte-order magic is still one; another value there is something else.
    if (head.length < 12) return 'pcapng';
    return view.getUint32(8) === byteOrderMagic || view.getUint32(8, true) === byteOrderMagic ? 'pcapng' : undefined;
  }
  return isPcapMagic(magic) || isPcapMagic(view.getUint32(0, true)) ? 'pcap' : undefined;
}

/** True for a pcap magic number read in the file's byte order. */
export function isPcapMagic(magic: number): boolean {
  return magic === magicMicroseconds || magic === magicNanoseconds || magic === magicPatched;
}
