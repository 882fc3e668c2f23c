/**
 * Reads blocks of a packet ring (Linux's packet_mmap.rst, TPACKET_V3): frame by frame into a packet batch, with VLAN
 * tags that the kernel took off put back. Works on a copy of a block, so that the kernel can have the block again at
 * once and nothing that we look at changes meanwhile. Whatever the block says, nothing outside it is read.
 */
import type { Counts, ProblemCode } from '#base';
import { appendFrame, frameCutLinkHeader, frameNotIp, frameUnknownLinkType } from '../link-layer.ts';
import type { PacketBatch } from '../packet-batch.ts';

/** `struct tpacket_block_desc`: where its fields are, and its length. */
export const blockField = { status: 8, frameCount: 12, firstFrame: 16, bytes: 20 } as const;
export const blockHeaderBytes = 48;
/** TP_STATUS_USER: the kernel has handed the block on; 0 gives it back. */
export const blockIsOurs = 1;

/** `struct tpacket3_hdr`. */
export const frameField = {
  next: 0, seconds: 4, nanoseconds: 8, keptBytes: 12, wireBytes: 16, status: 20, macAt: 24, networkAt: 26,
  vlanTag: 32, vlanProtocol: 36,
} as const;
export const frameHeaderBytes = 48;
/** TP_STATUS_VLAN_VALID and TP_STATUS_VLAN_TPID_VALID. */
export const statusVlan = 1 << 4;
export const statusVlanProtocol = 1 << 6;
/** `struct sockaddr_ll` behind the frame's header. */
export const addressField = { protocol: 50 } as const;
export const frameBytesBefore = 68;

/** LINKTYPE values. */
const linkEthernet = 1;
const linkLinuxSll = 113;
const macPairBytes = 12;
const tagBytes = 4;
/** An Ethernet header with two tags that the kernel left. */
const ethernetBytesMax = 14 + 2 * tagBytes;
const sllBytes = 16;
const etherVlan = 0x8100;

export class RingBlock {
  /** Frames met; always `rows + rejected.total()` after `flush`. */
  frames = 0;
  rows = 0;
  /** Frames that got a VLAN tag back. */
  vlanRestored = 0;
  /** Frames longer than what was kept of them. */
  cutFrames = 0;
  /** Frames longer than the interface can carry. */
  joinedFrames = 0;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #isCooked: boolean;
  readonly #wireBytesMax: number;
  readonly #outcomes = new Float64Array(4);
  #damagedFrames = 0;
  /** Of the frame to be read next. */
  #at = 0;
  #framesLeft = 0;
  #end = 0;

  /**
   * @param data  room for one block; batches point into it
   * @param kind  of the interface; cooked: frames begin at their network header
   */
  constructor(data: Uint8Array, { isCooked, mtuBytes }: { readonly isCooked: boolean; readonly mtuBytes: number }) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#isCooked = isCooked;
    this.#wireBytesMax = mtuBytes + (isCooked ? 0 : ethernetBytesMax);
  }

  /** True when all frames have been read. */
  get isEmpty(): boolean {
    return this.#framesLeft === 0;
  }

  /** Takes a block over; the one before is forgotten. @param block  as it lies in the ring; read only */
  load(block: Uint8Array): void {
    const header = new DataView(block.buffer, block.byteOffset, blockHeaderBytes);
    const bytes = Math.min(header.getUint32(blockField.bytes, true), block.length, this.#data.length);
    this.#data.set(block.subarray(0, bytes));
    this.#end = bytes;
    // More frames than headers fit is a lie; what is left of them then is counted as damaged.
    const framesMax = Math.ceil(this.#data.length / frameHeaderBytes);
    this.#framesLeft = Math.min(header.getUint32(blockField.frameCount, true), framesMax);
    this.#at = header.getUint32(blockField.firstFrame, true);
  }

  /**
   * Appends frames until the batch is full or the block empty.
   *
   * @param batch  `data` becomes ours; rows are appended
   */
  parse(batch: PacketBatch): void {
    const view = this.#view;
    batch.data = this.#data;
    const rowsBefore = batch.rowCount;
    while (this.#framesLeft > 0 && batch.rowCount < batch.capacity) {
      const at = this.#at;
      // Before the first frame lie the block's header; a frame that reaches out of the block is none.
      if (at < blockHeaderBytes || at + frameBytesBefore > this.#end) return this.#giveUp(rowsBefore, batch);
      const start = at + view.getUint16(at + frameField.macAt, true);
      const end = start + view.getUint32(at + frameField.keptBytes, true);
      if (start < at + frameBytesBefore || end > this.#end) return this.#giveUp(rowsBefore, batch);
      this.#take(batch, at, start, end);
      this.#framesLeft--;
      this.#at = at + view.getUint32(at + frameField.next, true);
      // The last one has no next; before any other that would be a loop.
      if (this.#at === at && this.#framesLeft > 0) return this.#giveUp(rowsBefore, batch);
    }
    this.rows += batch.rowCount - rowsBefore;
  }

  /** Moves the counts of frames without a row to where they are shown. */
  flush(rejected: Counts<ProblemCode>): void {
    const outcomes = this.#outcomes;
    rejected.add('not-ip', outcomes[frameNotIp]);
    rejected.add('cut-link-header', outcomes[frameCutLinkHeader]);
    rejected.add('unknown-link-type', outcomes[frameUnknownLinkType]);
    rejected.add('damaged-file', this.#damagedFrames);
    outcomes.fill(0);
    this.#damagedFrames = 0;
  }

  #take(batch: PacketBatch, at: number, start: number, end: number): void {
    const view = this.#view;
    const row = batch.rowCount;
    batch.timeMicroseconds[row] = view.getUint32(at + frameField.seconds, true) * 1e6 +
      Math.floor(view.getUint32(at + frameField.nanoseconds, true) / 1e3);
    batch.interfaceIndex[row] = 0;
    this.frames++;
    const wireBytes = view.getUint32(at + frameField.wireBytes, true);
    if (wireBytes > end - start) this.cutFrames++;
    if (wireBytes > this.#wireBytesMax) this.joinedFrames++;
    const hasTag = (view.getUint32(at + frameField.status, true) & statusVlan) !== 0;
    let first = start;
    if (this.#isCooked) first = this.#writeCookedHeader(at, start, hasTag);
    else if (hasTag && end - start >= macPairBytes) first = this.#restoreTag(at, start);
    if (hasTag && first !== start) this.vlanRestored++;
    const outcome = appendFrame(batch, this.#isCooked ? linkLinuxSll : linkEthernet, first, end);
    (this.#outcomes[outcome] as number)++;
  }

  /** IEEE 802.1Q §9: tag protocol and tag stand behind the MAC addresses, which move into the room before them. */
  #restoreTag(at: number, start: number): number {
    const first = start - tagBytes;
    this.#data.copyWithin(first, start, start + macPairBytes);
    this.#writeTag(at, first + macPairBytes);
    return first;
  }

  #writeTag(at: number, to: number): void {
    const view = this.#view;
    const isTold = (view.getUint32(at + frameField.status, true) & statusVlanProtocol) !== 0;
    view.setUint16(to, isTold ? view.getUint16(at + frameField.vlanProtocol, true) : etherVlan);
    view.setUint16(to + 2, view.getUint32(at + frameField.vlanTag, true) & 0xffff);
  }

  /**
   * Frames of interfaces without Ethernet headers get the header that cooked captures have (LINKTYPE_LINUX_SLL), over
   * the bytes that the ring has before them: only what the link layer's reader looks at, the protocol, is filled in.
   */
  #writeCookedHeader(at: number, start: number, hasTag: boolean): number {
    const view = this.#view;
    const protocol = view.getUint16(at + addressField.protocol);
    const first = start - sllBytes - (hasTag ? tagBytes : 0);
    // A tag's protocol comes first, then the tag, then what was the frame's protocol.
    if (hasTag) this.#writeTag(at, first + sllBytes - 2);
    view.setUint16(start - 2, protocol);
    this.#data.fill(0, first, first + sllBytes - 2);
    return first;
  }

  #giveUp(rowsBefore: number, batch: PacketBatch): void {
    this.frames += this.#framesLeft;
    this.#damagedFrames += this.#framesLeft;
    this.#framesLeft = 0;
    this.rows += batch.rowCount - rowsBefore;
  }
}
