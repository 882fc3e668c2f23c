/**
 * Parser of pcapng files: sections of blocks (draft-ietf-opsawg-pcapng §3, §4). Reads section headers, interface
 * descriptions and the three kinds of packet block; all other blocks are passed over. Never looks into frames.
 */
import { appendFrame } from './link-layer.ts';
import type { PacketBatch } from './packet-batch.ts';
import { type CaptureInterface, microseconds, readInterface } from './pcapng-interface.ts';
import { blockSectionHeader, byteOrderMagic } from './recognise.ts';
import {
  type CaptureLimits, type FrameTally, parseBatchFull, parseSkip, parseStopped, type RecordParser,
} from './record-parser.ts';
import type { RecordWindow } from './record-window.ts';

/** Block types, §4. */
const blockInterface = 1;
const blockObsoletePacket = 2;
const blockSimplePacket = 3;
const blockEnhancedPacket = 6;

/** Block type and length before, and the length again behind. */
const blockOverheadBytes = 12;
/** Smallest blocks of each kind: fixed fields and overhead. */
const sectionBytesMin = 28;
const interfaceBytesMin = 20;
const packetBytesMin = 32;
const simplePacketBytesMin = 16;

/** `parse` goes on: the block was dealt with, or (from the packet loop) it is not a plain packet block. */
const parseNext = -3;

export class PcapngParser implements RecordParser {
  readonly #limits: CaptureLimits;
  #isLittleEndian = false;
  #interfaces: CaptureInterface[] = [];
  /** Time of the last packet that had one: simple packets have none. */
  #lastMicroseconds = 0;

  constructor(limits: CaptureLimits) {
    this.#limits = limits;
  }

  /** See `RecordParser.parse`. */
  parse(window: RecordWindow, batch: PacketBatch, tally: FrameTally): number {
    for (;;) {
      const packets = this.#parsePackets(window, batch, tally);
      if (packets !== parseNext) return packets;
      const other = this.#parseBlock(window, batch, tally);
      if (other !== parseNext) return other;
    }
  }

  /** See `RecordParser.finish`. */
  finish(window: RecordWindow, tally: FrameTally): void {
    const at = window.offsetBytes;
    const detail = `The pcapng file ends in the middle of a block that begins at byte ${at}.`;
    const hasType = window.end - window.from >= 4;
    const isPacket = hasType && isPacketBlock(window.view.getUint32(window.from, this.#isLittleEndian));
    if (isPacket) tally.reject('cut-file', at, detail);
    else tally.describe('cut-file', at, detail);
  }

  /** Takes enhanced packet blocks as long as they are whole and sound; everything else is `#parseBlock`'s. */
  #parsePackets(window: RecordWindow, batch: PacketBatch, tally: FrameTally): number {
    const { view, end } = window;
    const { capacity, timeMicroseconds, interfaceIndex } = batch;
    const { frameBytesMax, captureBlockBytesMax } = this.#limits;
    const outcomes = tally.outcomes;
    const isLittleEndian = this.#isLittleEndian;
    const interfaces = this.#interfaces;
    let at = window.from;
    let frameCount = 0;
    let lastMicroseconds = this.#lastMicroseconds;
    let result = parseBatchFull;
    while (batch.rowCount < capacity) {
      result = blockOverheadBytes;
      if (end - at < blockOverheadBytes) break;
      result = parseNext;
      if (view.getUint32(at, isLittleEndian) !== blockEnhancedPacket) break;
      const blockBytes = view.getUint32(at + 4, isLittleEndian);
      if (blockBytes < packetBytesMin || blockBytes > captureBlockBytesMax || (blockBytes & 3) !== 0) break;
      result = blockBytes;
      if (end - at < blockBytes) break;
      result = parseNext;
      const interfaceId = view.getUint32(at + 8, isLittleEndian);
      const frameBytes = view.getUint32(at + 20, isLittleEndian);
      if (interfaceId >= interfaces.length || frameBytes > frameBytesMax || frameBytes > blockBytes - packetBytesMin ||
        view.getUint32(at + blockBytes - 4, isLittleEndian) !== blockBytes) break;
      const captureInterface = interfaces[interfaceId];
      const row = batch.rowCount;
      const high = view.getUint32(at + 12, isLittleEndian);
      lastMicroseconds = microseconds(captureInterface, high, view.getUint32(at + 16, isLittleEndian));
      timeMicroseconds[row] = lastMicroseconds;
      interfaceIndex[row] = interfaceId;
      outcomes[appendFrame(batch, captureInterface.linkType, at + 28, at + 28 + frameBytes)]++;
      frameCount++;
      at += blockBytes;
      result = parseBatchFull;
    }
    window.from = at;
    tally.frames += frameCount;
    this.#lastMicroseconds = lastMicroseconds;
    return result;
  }

  /** Takes the one block at `window.from`, whatever it is. */
  #parseBlock(window: RecordWindow, batch: PacketBatch, tally: FrameTally): number {
    const { view, from, end } = window;
    const type = view.getUint32(from, this.#isLittleEndian);
    if (type === blockSectionHeader) return this.#startSection(window, tally);
    const blockBytes = view.getUint32(from + 4, this.#isLittleEndian);
    if (blockBytes < blockOverheadBytes || (blockBytes & 3) !== 0) return stop(window, tally, type, 'has a bad length');
    const isWanted = type === blockInterface || isPacketBlock(type);
    if (!isWanted || blockBytes > this.#limits.captureBlockBytesMax) {
      if (isPacketBlock(type)) {
        const at = window.offsetBytes;
        tally.reject('damaged-file', at, `The packet block at byte ${at} is too large (${blockBytes} bytes).`);
      } else {
        tally.skippedBlocks++;
      }
      return passOver(window, tally, blockBytes);
    }
    if (end - from < blockBytes) return blockBytes;
    if (view.getUint32(from + blockBytes - 4, this.#isLittleEndian) !== blockBytes) {
      return stop(window, tally, type, 'has two different lengths');
    }
    if (type === blockInterface) this.#addInterface(window, tally, blockBytes);
    else this.#takePacket(window, batch, tally, type, blockBytes);
    window.from += blockBytes;
    return parseNext;
  }

  /** §4.1: a section sets the byte order and begins with no interface. Its length is not used: blocks are walked. */
  #startSection(window: RecordWindow, tally: FrameTally): number {
    const { view, from, end } = window;
    if (end - from < sectionBytesMin) return sectionBytesMin;
    this.#isLittleEndian = view.getUint32(from + 8, true) === byteOrderMagic;
    if (!this.#isLittleEndian && view.getUint32(from + 8) !== byteOrderMagic) {
      return stop(window, tally, blockSectionHeader, 'has an unknown byte order');
    }
    const blockBytes = view.getUint32(from + 4, this.#isLittleEndian);
    if (blockBytes < sectionBytesMin || (blockBytes & 3) !== 0) {
      return stop(window, tally, blockSectionHeader, 'has a bad length');
    }
    if (view.getUint16(from + 12, this.#isLittleEndian) !== 1) {
      return stop(window, tally, blockSectionHeader, 'has an unknown version');
    }
    this.#interfaces = [];
    return passOver(window, tally, blockBytes);
  }

  #addInterface(window: RecordWindow, tally: FrameTally, blockBytes: number): void {
    if (blockBytes < interfaceBytesMin || this.#interfaces.length >= this.#limits.captureInterfacesMax) {
      const at = window.offsetBytes;
      const what = blockBytes < interfaceBytesMin ? 'is too short' : 'is one interface too many';
      tally.describe('damaged-file', at, `The interface description at byte ${at} ${what}; its packets are not read.`);
      return;
    }
    const body = window.from + 8;
    this.#interfaces.push(readInterface(window.view, body, body + blockBytes - 12, this.#isLittleEndian));
  }

  /** A packet block of any kind, sound or not. */
  #takePacket(window: RecordWindow, batch: PacketBatch, tally: FrameTally, type: number, blockBytes: number): void {
    const { view, from } = window;
    const order = this.#isLittleEndian;
    const isSimple = type === blockSimplePacket;
    const roomBytes = blockBytes - (isSimple ? simplePacketBytesMin : packetBytesMin);
    if (roomBytes < 0) return refusePacket(window, tally, 'is too short');
    let interfaceId = 0;
    if (type === blockEnhancedPacket) interfaceId = view.getUint32(from + 8, order);
    if (type === blockObsoletePacket) interfaceId = view.getUint16(from + 8, order);
    const captureInterface = this.#interfaces[interfaceId];
    if (captureInterface === undefined) return refusePacket(window, tally, `is of unknown interface ${interfaceId}`);
    let frameBytes = view.getUint32(from + (isSimple ? 8 : 20), order);
    if (isSimple) {
      // §4.4: the captured length is the shortest of three.
      const snapBytes = captureInterface.snapLengthBytes;
      frameBytes = Math.min(frameBytes, roomBytes, snapBytes === 0 ? roomBytes : snapBytes);
    }
    if (frameBytes > roomBytes) return refusePacket(window, tally, 'is shorter than its frame');
    if (frameBytes > this.#limits.frameBytesMax) return refusePacket(window, tally, 'holds too large a frame');
    if (!isSimple) {
      const high = view.getUint32(from + 12, order);
      this.#lastMicroseconds = microseconds(captureInterface, high, view.getUint32(from + 16, order));
    }
    batch.timeMicroseconds[batch.rowCount] = this.#lastMicroseconds;
    batch.interfaceIndex[batch.rowCount] = interfaceId;
    const start = from + (isSimple ? 12 : 28);
    tally.outcomes[appendFrame(batch, captureInterface.linkType, start, start + frameBytes)]++;
    tally.frames++;
  }
}

function isPacketBlock(type: number): boolean {
  return type === blockEnhancedPacket || type === blockSimplePacket || type === blockObsoletePacket;
}

function refusePacket(window: RecordWindow, tally: FrameTally, why: string): void {
  tally.reject('damaged-file', window.offsetBytes, `The packet block at byte ${window.offsetBytes} ${why}.`);
}

/** Passes over the block at `window.from`, at once if it is in memory. */
function passOver(window: RecordWindow, tally: FrameTally, blockBytes: number): number {
  if (window.end - window.from >= blockBytes) {
    window.from += blockBytes;
    return parseNext;
  }
  tally.skipBytes = blockBytes;
  return parseSkip;
}

/** The walk from block to block is lost. */
function stop(window: RecordWindow, tally: FrameTally, type: number, why: string): number {
  const at = window.offsetBytes;
  const detail = `The pcapng file is damaged from byte ${at} on: a block ${why}; the rest is not read.`;
  if (isPacketBlock(type)) tally.reject('damaged-file', at, detail);
  else tally.describe('damaged-file', at, detail);
  return parseStopped;
}
