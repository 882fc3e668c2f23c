/**
 * Splits a file of NetFlow v5 and v9 datagrams that were written one after the other, as `nc -u -l` does. No length
 * stands in their headers; what is counted and what can follow tells where one ends. Decodes nothing.
 */
import { recogniseExports } from './export-datagrams.ts';

const headerBytes = { 5: 24, 9: 20 } as const;
const v5RecordBytes = 48;
const setHeaderBytes = 4;

/** What `recogniseExports` needs to know a header: that of v9 and of its first set. */
const lookAheadBytes = headerBytes[9] + setHeaderBytes;

/** A UDP payload is no longer. */
const datagramBytesMax = 65_535;

/**
 * Keep one for a file; feed it chunks in any pieces, then call `end`. Every byte comes out in a datagram or is counted:
 * what no header begins stays with the datagram before it, for the decoder to reject.
 */
export class NetflowSplitter {
  /** Bytes passed over because they would make a datagram longer than UDP carries. */
  skippedBytes = 0;
  #kept: Uint8Array = new Uint8Array(0);

  /** Whole datagrams in the bytes so far; each is valid until the next call. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, void> {
    if (this.skippedBytes > 0) {
      this.skippedBytes += chunk.length;
      return;
    }
    const bytes = new Uint8Array(this.#kept.length + chunk.length);
    bytes.set(this.#kept);
    bytes.set(chunk, this.#kept.length);
    let at = 0;
    for (let end = findNext(bytes, at); end > 0; end = findNext(bytes, at)) {
      yield bytes.subarray(at, end);
      at = end;
    }
    const kept = Math.min(bytes.length, at + datagramBytesMax);
    this.skippedBytes = bytes.length - kept;
    this.#kept = bytes.slice(at, kept);
  }

  /** The last datagram: the end of the file is its end. */
  *end(): Generator<Uint8Array, void, void> {
    if (this.#kept.length > 0) yield this.#kept;
    this.#kept = new Uint8Array(0);
  }
}

/**
 * Where the next datagram begins, behind that at `at`; 0 when the bytes do not tell. In v5 it is behind the counted
 * records. In v9 it is where a set should be but an export header is: RFC 3954 §5.2 reserves the set ids 2 to 255, so
 * that the versions 5, 9 and 10 are none.
 */
function findNext(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < lookAheadBytes) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isV5 = view.getUint16(at) === 5;
  let next = at + (isV5 ? headerBytes[5] + view.getUint16(at + 2) * v5RecordBytes : headerBytes[9]);
  while (next + lookAheadBytes <= bytes.length && next - at <= datagramBytesMax) {
    if (recogniseExports(bytes.subarray(next)) !== undefined) return next;
    const setBytes = view.getUint16(next + 2);
    if (isV5 || setBytes < setHeaderBytes) return 0;
    next += setBytes;
  }
  return 0;
}
