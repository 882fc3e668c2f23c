/**
 * Writes captures: pcap (draft-ietf-opsawg-pcap) with micro- or nanoseconds in either byte order, and pcapng
 * (draft-ietf-opsawg-pcapng), little-endian. In bounded memory: one chunk at a time.
 */
import { open } from 'node:fs/promises';
import { describeError, OperatorError } from '#base';

export type CaptureFormat = {
  readonly kind: 'pcap' | 'pcapng';
  /** Of pcap; pcapng is written in microseconds, little-endian. */
  readonly resolution?: 'microseconds' | 'nanoseconds';
  readonly byteOrder?: 'little' | 'big';
};

/** A packet to write. The frame is copied. */
export type TimedFrame = { readonly timeMicroseconds: number; readonly frame: Uint8Array };

const linkTypeEthernet = 1;
const frameBytesMax = 262_144;
const chunkBytes = 1 << 18;

/** Makes a capture piece by piece, for whoever is handed packets instead of fetching them. */
export class CaptureEncoder {
  /** The capture's first bytes. */
  readonly header: Uint8Array;
  readonly #kind: CaptureFormat['kind'];
  readonly #resolution: 'microseconds' | 'nanoseconds';
  readonly #isLittle: boolean;
  #chunk = new Uint8Array(chunkBytes);
  #view = new DataView(this.#chunk.buffer);
  #at = 0;

  constructor({ kind, resolution = 'microseconds', byteOrder = 'little' }: CaptureFormat) {
    this.#kind = kind;
    this.#resolution = resolution;
    this.#isLittle = byteOrder === 'little' || kind === 'pcapng';
    this.header = kind === 'pcap' ? pcapHeader(resolution, this.#isLittle) : pcapngHeader();
  }

  /**
   * Takes a packet, which is copied.
   *
   * @returns the chunk before it when that is full, the caller's to keep
   */
  add(packet: TimedFrame): Uint8Array | undefined {
    const neededBytes = (this.#kind === 'pcap' ? 16 : 36) + packet.frame.length;
    const isFull = this.#at + neededBytes > this.#chunk.length;
    const full = isFull ? this.#next(Math.max(chunkBytes, neededBytes)) : undefined;
    this.#at = this.#kind === 'pcap'
      ? putPcapPacket(this.#view, this.#at, packet, this.#resolution, this.#isLittle)
      : putPcapngPacket(this.#view, this.#at, packet);
    return full;
  }

  /** What is left, the caller's to keep; undefined when nothing is. */
  end(): Uint8Array | undefined {
    return this.#at === 0 ? undefined : this.#next(0);
  }

  #next(lengthBytes: number): Uint8Array {
    const full = this.#chunk.subarray(0, this.#at);
    this.#chunk = new Uint8Array(lengthBytes);
    this.#view = new DataView(this.#chunk.buffer);
    this.#at = 0;
    return full;
  }
}

/** The bytes of a capture of Ethernet frames, in chunks that are the caller's to keep. */
export function* encodeCapture(packets: Iterable<TimedFrame>, format: CaptureFormat): Generator<Uint8Array, void> {
  const encoder = new CaptureEncoder(format);
  yield encoder.header;
  for (const packet of packets) {
    const full = encoder.add(packet);
    if (full !== undefined) yield full;
  }
  const rest = encoder.end();
  if (rest !== undefined) yield rest;
}

/**
 * Writes a capture file.
 *
 * @returns packets and bytes written
 * @throws OperatorError  the file cannot be written
 */
export async function writeCapture(
  path: string, packets: Iterable<TimedFrame>, format: CaptureFormat,
): Promise<{ packets: number; fileBytes: number }> {
  let packetCount = 0;
  const counted = function* (): Generator<TimedFrame, void> {
    for (const packet of packets) {
      packetCount++;
      yield packet;
    }
  };
  let fileBytes = 0;
  const file = await open(path, 'w').catch((cause: unknown) => {
    throw new OperatorError('output-unwritable', `cannot write ${path}: ${describeError(cause)}`, cause);
  });
  try {
    for (const chunk of encodeCapture(counted(), format)) {
      await file.writeFile(chunk);
      fileBytes += chunk.length;
    }
  } finally {
    await file.close();
  }
  return { packets: packetCount, fileBytes };
}

function pcapHeader(resolution: 'microseconds' | 'nanoseconds', isLittle: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setUint32(0, resolution === 'microseconds' ? 0xa1b2c3d4 : 0xa1b23c4d, isLittle);
  view.setUint16(4, 2, isLittle);
  view.setUint16(6, 4, isLittle);
  view.setUint32(16, frameBytesMax, isLittle);
  view.setUint32(20, linkTypeEthernet, isLittle);
  return new Uint8Array(view.buffer);
}

function putPcapPacket(
  view: DataView, at: number, packet: TimedFrame, resolution: 'microseconds' | 'nanoseconds', isLittle: boolean,
): number {
  const { timeMicroseconds, frame } = packet;
  const wholeSeconds = Math.floor(timeMicroseconds / 1e6);
  const rest = Math.round(timeMicroseconds - wholeSeconds * 1e6);
  view.setUint32(at, wholeSeconds, isLittle);
  view.setUint32(at + 4, resolution === 'microseconds' ? rest : rest * 1000, isLittle);
  view.setUint32(at + 8, frame.length, isLittle);
  view.setUint32(at + 12, frame.length, isLittle);
  new Uint8Array(view.buffer).set(frame, at + 16);
  return at + 16 + frame.length;
}

/** Section header block (§4.1) and one interface description block (§4.2). */
function pcapngHeader(): Uint8Array {
  const view = new DataView(new ArrayBuffer(28 + 20));
  const words: readonly (readonly [number, number])[] = [
    [0, 0x0a0d0d0a], [4, 28], [8, 0x1a2b3c4d], [12, 1], [16, 0xffffffff], [20, 0xffffffff], [24, 28],
    [28, 1], [32, 20], [36, linkTypeEthernet], [40, frameBytesMax], [44, 20],
  ];
  for (const [offset, word] of words) view.setUint32(offset, word, true);
  return new Uint8Array(view.buffer);
}

/** Enhanced packet block (§4.3). */
function putPcapngPacket(view: DataView, at: number, packet: TimedFrame): number {
  const { timeMicroseconds, frame } = packet;
  const paddedBytes = (frame.length + 3) & ~3;
  const blockBytes = 32 + paddedBytes;
  view.setUint32(at, 6, true);
  view.setUint32(at + 4, blockBytes, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, Math.floor(timeMicroseconds / 0x1_0000_0000), true);
  view.setUint32(at + 16, timeMicroseconds % 0x1_0000_0000, true);
  view.setUint32(at + 20, frame.length, true);
  view.setUint32(at + 24, frame.length, true);
  new Uint8Array(view.buffer).set(frame, at + 28);
  view.setUint32(at + 28 + paddedBytes, blockBytes, true);
  return at + blockBytes;
}
