/**
 * How the namer and its nDPI child talk. To the child: blocks of records, each a 16-byte head and mostly a packet, put
 * into slots of shared memory, and by pipe an 8-byte notice of each. From the child, by pipe: 8-byte verdicts, releases
 * of slots, and a text. Records and verdicts are multiples of 8 bytes in this machine's byte order, so that both sides
 * use typed arrays in place. Neither side trusts a chunk from a pipe to end where a message does.
 */
import { assertInvariant, type EnvironmentErrorCode } from '#base';

/** Head of a record to the child: u32 conversation, u16 flags, u16 packet bytes, f64 time in ms; the packet follows. */
export const recordHeadBytes = 16;
/** The conversation begins: its flow memory is cleared first. */
export const recordBegins = 1;
/** This packet reaches the packet limit: a verdict is due after it, guessed if need be. */
export const recordIsLast = 2;
/** No packet: a verdict is due from what was seen. */
export const recordGivesUp = 4;
/** Blocks that the child may have at once: slots of the shared memory. */
export const slotCount = 8;
/** The largest packet that a record can hold (RFC 791 §3.1). */
export const recordPacketBytesMax = 65_535;
/** The largest record. */
export const recordBytesMax = recordHeadBytes + 65_536;

/** A verdict: u32 conversation, u16 master protocol, u16 application protocol. */
export const verdictBytes = 8;
/** A notice: u32 slot, u32 bytes used. */
export const noticeBytes = 8;
/** Stands in the place of a conversation before the number of a slot that the child is done with. */
export const releaseMark = 0xfffffffe;
/** Stands in the place of a conversation before a text: u32 its byte length, then UTF-8 padded with zeros. */
export const textMark = 0xffffffff;
/** The longest text that is taken from a child; a longer one is a broken stream. */
export const textBytesMax = 1 << 20;

/** The child's first text: ready, with the names of all protocols, or why it cannot be. */
export type ChildGreeting =
  | { readonly kind: 'ready'; readonly version: string; readonly protocolNames: readonly string[] }
  | { readonly kind: 'failed'; readonly code: NdpiErrorCode; readonly message: string };

/** The greeting in a text from the child, or undefined when it is none: a child gone wrong may say anything. */
export function readGreeting(text: string): ChildGreeting | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { kind, version, protocolNames, code, message } = (said ?? {}) as Record<string, unknown>;
  if (kind === 'ready' && typeof version === 'string' && Array.isArray(protocolNames)) {
    return { kind, version, protocolNames: protocolNames.map(String) };
  }
  if (kind === 'failed' && typeof code === 'string' && typeof message === 'string') {
    return { kind, code: code as NdpiErrorCode, message };
  }
  return undefined;
}

export type NdpiErrorCode = Extract<EnvironmentErrorCode, `ndpi-${string}`>;

/** Bytes of a record that holds a packet of `packetBytes`. */
export function recordBytes(packetBytes: number): number {
  return recordHeadBytes + ((packetBytes + 7) & ~7);
}

/** A block of records to the child, filled in place and sent as one piece. */
export class RecordBlock {
  readonly bytes: Buffer;
  usedBytes = 0;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #times: Float64Array;

  /** @param capacityBytes a multiple of 8, at least `recordBytesMax` */
  constructor(capacityBytes: number) {
    assertInvariant(capacityBytes % 8 === 0 && capacityBytes >= recordBytesMax, 'a record block holds any record');
    const memory = new ArrayBuffer(capacityBytes);
    this.bytes = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#halves = new Uint16Array(memory);
    this.#times = new Float64Array(memory);
  }

  /** True when a record with so many packet bytes fits. */
  hasRoom(packetBytes: number): boolean {
    return this.usedBytes + recordBytes(packetBytes) <= this.bytes.length;
  }

  /** Appends a record. The caller has asked `hasRoom`. @param source holds the packet at [from, from + packetBytes) */
  append(conversation: number, flags: number, timeMs: number, source: Buffer, from: number, packetBytes: number): void {
    const at = this.usedBytes;
    this.#words[at >>> 2] = conversation;
    this.#halves[(at >>> 1) + 2] = flags;
    this.#halves[(at >>> 1) + 3] = packetBytes;
    this.#times[(at >>> 3) + 1] = timeMs;
    if (packetBytes > 0) source.copy(this.bytes, at + recordHeadBytes, from, from + packetBytes);
    this.usedBytes = at + recordBytes(packetBytes);
  }
}

/** The child's side: takes the records of a block in shared memory one by one, and touches no packet. */
export class RecordReader {
  /** Fields of the record that `next` found. */
  conversation = 0;
  flags = 0;
  packetBytes = 0;
  timeMs = 0;
  /** Offset of its packet in the memory. */
  packetOffset = 0;
  #at = 0;
  #end = 0;
  readonly #memoryBytes: number;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #times: Float64Array;

  /** @param memory  whole slots of blocks; a multiple of 8 bytes; read only */
  constructor(memory: ArrayBuffer) {
    this.#memoryBytes = memory.byteLength;
    this.#words = new Uint32Array(memory);
    this.#halves = new Uint16Array(memory);
    this.#times = new Float64Array(memory);
  }

  /** Begins with the block at `offset`. @throws InvariantError  it lies outside the memory */
  begin(offset: number, usedBytes: number): void {
    assertInvariant(offset % 8 === 0 && offset + usedBytes <= this.#memoryBytes,
      'block of records lies outside the memory');
    this.#at = offset;
    this.#end = offset + usedBytes;
  }

  /** Moves to the next record and fills the fields. @returns false at the end of the block */
  next(): boolean {
    const at = this.#at;
    if (at === this.#end) return false;
    assertInvariant(at + recordHeadBytes <= this.#end, 'block of records is cut');
    this.conversation = this.#words[at >>> 2] as number;
    this.flags = this.#halves[(at >>> 1) + 2] as number;
    this.packetBytes = this.#halves[(at >>> 1) + 3] as number;
    this.timeMs = this.#times[(at >>> 3) + 1] as number;
    this.packetOffset = at + recordHeadBytes;
    this.#at = at + recordBytes(this.packetBytes);
    assertInvariant(this.#at <= this.#end, 'block of records is cut');
    return true;
  }
}

/** Message to the child: a block lies in a slot. */
export function encodeNotice(slot: number, usedBytes: number): Buffer {
  const notice = Buffer.alloc(noticeBytes);
  notice.writeUInt32LE(slot, 0);
  notice.writeUInt32LE(usedBytes, 4);
  return notice;
}

/** The child's side of the stream of notices, fed with chunks of any size. */
export class NoticeStream {
  readonly #partial = Buffer.alloc(noticeBytes);
  #filled = 0;

  /** Takes the first `length` bytes of a chunk and calls back for every notice that is complete. */
  push(chunk: Buffer, length: number, onNotice: (slot: number, usedBytes: number) => void): void {
    for (let at = 0; at < length;) {
      const count = Math.min(noticeBytes - this.#filled, length - at);
      chunk.copy(this.#partial, this.#filled, at, at + count);
      this.#filled += count;
      at += count;
      if (this.#filled < noticeBytes) return;
      this.#filled = 0;
      onNotice(readWord(this.#partial, 0), readWord(this.#partial, 4));
    }
  }
}

/** Bytes of a text message to the parent. */
export function encodeText(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const message = Buffer.alloc(verdictBytes + ((length + 7) & ~7));
  new Uint32Array(message.buffer, message.byteOffset, 2).set([textMark, length]);
  message.write(text, verdictBytes);
  return message;
}

export type VerdictHandlers = {
  /** @param verdict  master protocol + 65536 · application protocol */
  readonly onVerdict: (conversation: number, verdict: number) => void;
  readonly onRelease: (slot: number) => void;
  readonly onText: (text: string) => void;
};

/** The parent's side of the stream of verdicts, fed with chunks of any size. */
export class VerdictStream {
  readonly #handlers: VerdictHandlers;
  /** What is left of the chunk before: the start of a verdict or text. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(handlers: VerdictHandlers) {
    this.#handlers = handlers;
  }

  /** Takes a chunk. @returns false when the stream is broken: the child must be replaced */
  push(chunk: Buffer): boolean {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + verdictBytes <= bytes.length) {
      const conversation = readWord(bytes, at);
      const word = readWord(bytes, at + 4);
      if (conversation === textMark) {
        if (word > textBytesMax) return false;
        const end = at + verdictBytes + ((word + 7) & ~7);
        if (end > bytes.length) break;
        this.#handlers.onText(bytes.toString('utf8', at + verdictBytes, at + verdictBytes + word));
        at = end;
      } else {
        if (conversation === releaseMark) this.#handlers.onRelease(word);
        else this.#handlers.onVerdict(conversation, word);
        at += verdictBytes;
      }
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    return true;
  }
}

/** All platforms that nDPI and koffi are built for with these sonames are little-endian. */
function readWord(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at);
}
