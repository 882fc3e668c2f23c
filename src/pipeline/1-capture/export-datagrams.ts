/**
 * Export datagrams (NetFlow, IPFIX) out of what this room reads: the UDP payloads of a capture, and files that hold
 * bare datagrams or IPFIX messages (RFC 5655). Finds where a datagram begins and ends; what it says is
 * `2-flow/decode`'s.
 */
import { Counts, mappedWord, protocolUdp, type AddressWords, type ProblemCode } from '#base';
import type { PacketBatch } from './packet-batch.ts';

/** One export datagram: a UDP payload, or one IPFIX message of a stream or file. */
export type ExportDatagram = {
  /** Read only; valid until the next is asked for. */
  readonly bytes: Uint8Array;
  /** The sender's address, zeros when a file does not tell it. Its port is no part of an exporter's identity. */
  readonly exporter: AddressWords;
  /** Capture or arrival time, Unix epoch. */
  readonly receivedMs: number;
  /**
   * Datagrams that this host dropped before they could be read, so far: of the socket by which this one came, when it
   * was queued. Left out where it is not known, as in captures. Two of them are compared only where `socket` is equal.
   */
  readonly kernelDrops?: number;
  /** Which of several sockets it came by. */
  readonly socket?: number;
};

/** Ports that exporters and collectors use by default: IANA's for IPFIX, the vendors' customary ones for NetFlow. */
export const customaryExportPorts: readonly number[] = [2055, 2056, 4432, 4739, 9025, 9555, 9991, 9995, 9996];

const unknownExporter: AddressWords = [0, 0, 0, 0];

export class ExportDatagramFinder {
  /** Packets that carry no whole export datagram: `not-an-export`, `cut-export`, `fragmented-export`. */
  readonly rejected = new Counts<ProblemCode>();
  datagramCount = 0;
  readonly #ports: ReadonlySet<number>;

  /** @param ports  UDP destination ports of exports */
  constructor(ports: Iterable<number> = customaryExportPorts) {
    this.#ports = new Set(ports);
  }

  /** The export datagrams among the packets of a batch, in their order; every packet is one or is counted. */
  *find(packets: PacketBatch): Generator<ExportDatagram, void, void> {
    const view = new DataView(packets.data.buffer, packets.data.byteOffset, packets.data.byteLength);
    for (let row = 0; row < packets.rowCount; row++) {
      const found = packets.ipVersion[row] === 4
        ? this.#readIPv4(packets, view, row) : this.#readIPv6(packets, view, row);
      if (typeof found === 'string') {
        this.rejected.add(found);
        continue;
      }
      this.datagramCount++;
      yield found;
    }
  }

  #readIPv4(packets: PacketBatch, view: DataView, row: number): ExportDatagram | ProblemCode {
    const at = packets.networkOffset[row] as number;
    const end = at + (packets.networkBytes[row] as number);
    if (end - at < 28) return 'not-an-export';
    const headerBytes = (view.getUint8(at) & 15) * 4;
    if (view.getUint8(at + 9) !== protocolUdp || headerBytes < 20 || at + headerBytes + 8 > end) return 'not-an-export';
    const fragment = view.getUint16(at + 6);
    // A later fragment has no ports: whether it is of an export cannot be told.
    if ((fragment & 0x1fff) !== 0) return 'not-an-export';
    const exporter: AddressWords = [0, 0, mappedWord, view.getUint32(at + 12)];
    return this.#readUdp(packets, view, row, at + headerBytes, exporter, (fragment & 0x2000) !== 0);
  }

  #readIPv6(packets: PacketBatch, view: DataView, row: number): ExportDatagram | ProblemCode {
    const at = packets.networkOffset[row] as number;
    const end = at + (packets.networkBytes[row] as number);
    if (end - at < 48 || view.getUint8(at + 6) !== protocolUdp) return 'not-an-export';
    const exporter: AddressWords =
      [view.getUint32(at + 8), view.getUint32(at + 12), view.getUint32(at + 16), view.getUint32(at + 20)];
    return this.#readUdp(packets, view, row, at + 40, exporter, false);
  }

  #readUdp(
    packets: PacketBatch, view: DataView, row: number, at: number, exporter: AddressWords, isFragmented: boolean,
  ): ExportDatagram | ProblemCode {
    if (!this.#ports.has(view.getUint16(at + 2))) return 'not-an-export';
    if (isFragmented) return 'fragmented-export';
    const end = (packets.networkOffset[row] as number) + (packets.networkBytes[row] as number);
    const udpBytes = view.getUint16(at + 4);
    if (udpBytes < 8 || at + udpBytes > end) return 'cut-export';
    return {
      bytes: packets.data.subarray(at + 8, at + udpBytes),
      exporter,
      receivedMs: (packets.timeMicroseconds[row] as number) / 1000,
    };
  }
}

export type ExportFileKind = 'ipfix' | 'netflow5' | 'netflow9';

const ipfixHeaderBytes = 16;
const v5HeaderBytes = 24;
const v5RecordBytes = 48;
const v9HeaderBytes = 20;

/**
 * Kind of a file of bare export messages, or undefined. IPFIX: messages one after the other (RFC 5655 §4.1). NetFlow
 * has no length in its header: such a file is one datagram.
 *
 * @param head       the first bytes
 * @param sizeBytes  of the whole file, or undefined when not known
 */
export function recogniseExports(head: Uint8Array, sizeBytes?: number): ExportFileKind | undefined {
  if (head.length < ipfixHeaderBytes) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = view.getUint16(0);
  const count = view.getUint16(2);
  if (version === 10) {
    // Here the second word is the length of the message; the next message, or the file's end, follows.
    const isNext = head.length < count + 2 ? count <= (sizeBytes ?? Infinity) : view.getUint16(count) === 10;
    return count >= ipfixHeaderBytes && (isNext || sizeBytes === count) ? 'ipfix' : undefined;
  }
  if (version === 5 && count >= 1 && count <= 30) {
    const bytes = v5HeaderBytes + count * v5RecordBytes;
    return sizeBytes === undefined || sizeBytes >= bytes ? 'netflow5' : undefined;
  }
  if (version === 9 && count >= 1 && head.length >= v9HeaderBytes + 4) {
    const setId = view.getUint16(v9HeaderBytes);
    const setBytes = view.getUint16(v9HeaderBytes + 2);
    return (setId <= 1 || setId >= 256) && setBytes >= 4 ? 'netflow9' : undefined;
  }
  return undefined;
}

/**
 * Splits IPFIX messages of a stream or file. Keep one for a stream; feed it chunks in any pieces.
 */
export class IpfixMessageSplitter {
  /** Bytes passed over because no message begins there. */
  skippedBytes = 0;
  #kept: Uint8Array = new Uint8Array(0);

  /** Whole messages in the bytes so far; each is valid until the next call. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, void> {
    let bytes = chunk;
    if (this.#kept.length > 0) {
      bytes = new Uint8Array(this.#kept.length + chunk.length);
      bytes.set(this.#kept);
      bytes.set(chunk, this.#kept.length);
    }
    let at = 0;
    while (bytes.length - at >= ipfixHeaderBytes) {
      const version = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      const length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      if (version !== 10 || length < ipfixHeaderBytes) {
        at++;
        this.skippedBytes++;
        continue;
      }
      if (bytes.length - at < length) break;
      yield bytes.subarray(at, at + length);
      at += length;
    }
    this.#kept = bytes.slice(at);
  }

  /** Bytes of a message that the end of the input cut. */
  get keptBytes(): number {
    return this.#kept.length;
  }
}

/** Datagrams of a file of bare messages. @param receivedMs  a file does not tell when they came; 0 leaves it open */
export function fileDatagram(bytes: Uint8Array, receivedMs = 0): ExportDatagram {
  return { bytes, exporter: unknownExporter, receivedMs };
}
