/**
 * Parser of pcap files: a file header of 24 bytes, then records of a header and a frame
 * (draft-ietf-opsawg-pcap §4, §5).
 * Never looks into frames.
 */
import { appendFrame } from './link-layer.ts';
import type { PacketBatch } from './packet-batch.ts';
import { isPcapMagic, magicNanoseconds, magicPatched } from './recognise.ts';
import {
  type CaptureLimits, type FrameTally, parseBatchFull, parseSkip, parseStopped, type RecordParser,
} from './record-parser.ts';
import type { RecordWindow } from './record-window.ts';

const pcapFileHeaderBytes = 24;
const recordHeaderBytes = 16;
/** The patched format adds interface index, protocol and packet type to every record. */
const patchedRecordHeaderBytes = 24;

export class PcapParser implements RecordParser {
  readonly #limits: CaptureLimits;
  #hasFileHeader = false;
  #isLittleEndian = false;
  #isNanoseconds = false;
  #recordHeaderBytes = recordHeaderBytes;
  /** Offset of the captured length in a record header. */
  #lengthAt = 8;
  #linkType = 0;
  #snapLengthBytes = 0;

  constructor(limits: CaptureLimits) {
    this.#limits = limits;
  }

  /** See `RecordParser.parse`. */
  parse(window: RecordWindow, batch: PacketBatch, tally: FrameTally): number {
    if (!this.#hasFileHeader) {
      if (window.end - window.from < pcapFileHeaderBytes) return pcapFileHeaderBytes;
      if (!this.#readFileHeader(window)) {
        tally.describe('damaged-file', window.offsetBytes, 'The pcap file header has an unknown magic number.');
        return parseStopped;
      }
    }
    return this.#parseRecords(window, batch, tally);
  }

  /** See `RecordParser.finish`. */
  finish(window: RecordWindow, tally: FrameTally): void {
    const what = this.#hasFileHeader ? 'a frame' : 'its file header';
    const detail = `The pcap file ends in the middle of ${what} that begins at byte ${window.offsetBytes}.`;
    if (this.#hasFileHeader) tally.reject('cut-file', window.offsetBytes, detail);
    else tally.describe('cut-file', window.offsetBytes, detail);
  }

  #readFileHeader(window: RecordWindow): boolean {
    const { view, from } = window;
    this.#isLittleEndian = isPcapMagic(view.getUint32(from, true));
    const magic = view.getUint32(from, this.#isLittleEndian);
    if (!isPcapMagic(magic)) return false;
    this.#isNanoseconds = magic === magicNanoseconds;
    this.#recordHeaderBytes = magic === magicPatched ? patchedRecordHeaderBytes : recordHeaderBytes;
    // Before version 2.3 the two lengths of a record stood the other way round (seen: tshark reads such files so).
    this.#lengthAt = view.getUint16(from + 6, this.#isLittleEndian) < 3 ? 12 : 8;
    this.#snapLengthBytes = view.getUint32(from + 16, this.#isLittleEndian);
    // The upper 16 bits tell the length of a frame check sequence at the end of frames, which nobody here reads.
    this.#linkType = view.getUint32(from + 20, this.#isLittleEndian) & 0xffff;
    this.#hasFileHeader = true;
    window.from += pcapFileHeaderBytes;
    return true;
  }

  #parseRecords(window: RecordWindow, batch: PacketBatch, tally: FrameTally): number {
    const { view, end } = window;
    const { capacity, timeMicroseconds, interfaceIndex } = batch;
    const outcomes = tally.outcomes;
    const isLittleEndian = this.#isLittleEndian;
    const isNanoseconds = this.#isNanoseconds;
    const headerBytes = this.#recordHeaderBytes;
    const linkType = this.#linkType;
    const lengthAt = this.#lengthAt;
    const frameBytesMax = this.#limits.frameBytesMax;
    let at = window.from;
    let frameCount = 0;
    let result = parseBatchFull;
    while (batch.rowCount < capacity) {
      result = headerBytes;
      if (end - at < headerBytes) break;
      const frameBytes = view.getUint32(at + lengthAt, isLittleEndian);
      result = headerBytes + frameBytes;
      if (frameBytes > frameBytesMax || end - at < result) break;
      const row = batch.rowCount;
      const fraction = view.getUint32(at + 4, isLittleEndian);
      timeMicroseconds[row] = view.getUint32(at, isLittleEndian) * 1e6 +
        (isNanoseconds ? (fraction / 1000) >>> 0 : fraction);
      interfaceIndex[row] = 0;
      outcomes[appendFrame(batch, linkType, at + headerBytes, at + result)]++;
      frameCount++;
      at += result;
      result = parseBatchFull;
    }
    window.from = at;
    tally.frames += frameCount;
    return result > headerBytes + frameBytesMax ? this.#refuse(window, tally, result) : result;
  }

  /** A frame above the limit: passed over if the file promised such frames, else the length itself is damaged. */
  #refuse(window: RecordWindow, tally: FrameTally, recordBytes: number): number {
    const frameBytes = recordBytes - this.#recordHeaderBytes;
    const at = window.offsetBytes;
    if (frameBytes <= this.#snapLengthBytes && this.#snapLengthBytes < 0x8000_0000) {
      tally.reject('damaged-file', at, `The frame at byte ${at} is too large to be read (${frameBytes} bytes).`);
      tally.skipBytes = recordBytes;
      return parseSkip;
    }
    tally.reject('damaged-file', at,
      `The pcap file is damaged from byte ${at} on: a frame of ${frameBytes} bytes cannot be; the rest is not read.`);
    return parseStopped;
  }
}
