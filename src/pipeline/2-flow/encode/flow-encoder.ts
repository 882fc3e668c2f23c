/**
 * Flow records to NetFlow v9 (RFC 3954) or IPFIX (RFC 7011) messages, biflows in one record. A function of rows and
 * time values: it opens no socket and reads no clock. Rows keep their order. Ground truth is never encoded.
 */
import { assertInvariant, limits } from '#base';
import type { FlowBatch } from '../flow-batch.ts';
import type { Sampling } from '../meter/packet-sampler.ts';
import { createLayouts, putTemplate, type ExportVersion, type RecordLayout } from './export-fields.ts';
import { RecordWriter, type WriterCounts } from './record-writer.ts';
import {
  createSamplingOptions, putSampling, samplingRecords, samplingTemplates, type SamplingOptions,
} from './sampling-options.ts';

export type FlowEncoderOptions = {
  /** 9: NetFlow v9; 10: IPFIX. */
  readonly version: ExportVersion;
  /** Source id (v9) or observation domain id (IPFIX), 32 bits. */
  readonly domain: number;
  /** Largest message; at least `smallestDatagramBytes`, at most 65,535. */
  readonly datagramBytesMax: number;
  /** Templates are sent with the first message, then whenever one of these has passed. */
  readonly templateEveryDatagrams: number;
  readonly templateEveryMs: number;
  /** Longest layer-7 name in bytes; in v9 every record has a field of this length. 0: the version's default. */
  readonly nameBytesMax: number;
  /** How the packets behind the records were sampled: told together with the templates. Undefined: they were not. */
  readonly sampling: Sampling | undefined;
  /** False: no message holds templates, for whoever sends them puts `makeAnnouncement` before them. */
  readonly hasTemplates: boolean;
};

/** What an encoder sent; valid at any time. `records` of rows given but not yet sent are in neither. */
export type EncoderCounts = Readonly<WriterCounts> & {
  readonly records: number;
  readonly datagrams: number;
  readonly bytes: number;
  /** How often the templates were sent. */
  readonly templateSends: number;
};

/**
 * Receives a finished message.
 *
 * @param datagram  valid during the call only
 * @param records   data records in it, those of options among them: what the sequence of IPFIX counts
 * @param exportMs  the export time in its header, in milliseconds
 */
export type EmitDatagram = (datagram: Uint8Array, records: number, exportMs: number) => void;

/** RFC 3954 §5.1, RFC 7011 §3.1. */
const headerBytes = { 9: 20, 10: 16 } as const;
const setHeaderBytes = 4;
/** Set ids of templates: RFC 3954 §5.2, RFC 7011 §3.3.2. */
const templateSetId = { 9: 0, 10: 2 } as const;
/** Templates must fit into one message. */
export const smallestDatagramBytes = 800;
/** More than headers and the largest record without its name take. */
const recordBytesMax = 180;
const noSet = -1;

export const encoderDefaults: FlowEncoderOptions = {
  version: 10,
  domain: 0,
  datagramBytesMax: limits.exportDatagramPayload,
  templateEveryDatagrams: 1_000,
  templateEveryMs: 60_000,
  nameBytesMax: 0,
  sampling: undefined,
  hasTemplates: true,
};

export class FlowEncoder {
  readonly #options: FlowEncoderOptions;
  readonly #emit: EmitDatagram;
  readonly #layouts: readonly RecordLayout[];
  readonly #writer: RecordWriter;
  readonly #samplingOptions: SamplingOptions | undefined;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Offset behind what the message under way holds; 0: none is under way. */
  #at = 0;
  #setAt = 0;
  /** Layout of the set under way. */
  #setLayout = noSet;
  #recordsInMessage = 0;
  #optionsRecordsInMessage = 0;
  /** Templates: with the data records, what v9's header counts. */
  #countInMessage = 0;
  #bootMs: number | undefined;
  #templatesSentMs = 0;
  #datagramsAtTemplates = 0;
  #records = 0;
  #optionsRecords = 0;
  #datagrams = 0;
  #sentBytes = 0;
  #templateSends = 0;

  /**
   * @throws InvariantError  an option is out of its range
   */
  constructor(options: Partial<FlowEncoderOptions>, emit: EmitDatagram) {
    this.#options = { ...encoderDefaults, ...options };
    this.#emit = emit;
    const { version, datagramBytesMax } = this.#options;
    const nameBytesMax = this.#options.nameBytesMax ||
      (version === 9 ? limits.exportFixedNameLength : limits.exportNameLengthMax);
    this.#layouts = createLayouts(version, nameBytesMax);
    this.#writer = new RecordWriter(this.#layouts, nameBytesMax);
    const { sampling } = this.#options;
    const templateIdNext = Math.max(...this.#layouts.map(({ templateId }) => templateId)) + 1;
    this.#samplingOptions = sampling && createSamplingOptions(version, templateIdNext, sampling);
    // Whole words: so a set can always be padded to its boundary.
    const capacityBytes = datagramBytesMax & ~3;
    assertInvariant(datagramBytesMax >= smallestDatagramBytes && datagramBytesMax <= 0xffff, 'datagramBytesMax');
    assertInvariant(nameBytesMax > 0 && nameBytesMax <= datagramBytesMax - recordBytesMax,
      'a record with its name must fit into a datagram');
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Encodes rows; messages are emitted as they fill up, the last one stays open until the next call or `flush`.
   *
   * @param batch     read only; not kept
   * @param exportMs  time of export, milliseconds since the Unix epoch
   */
  encode(batch: FlowBatch, exportMs: number, first = 0, end = batch.rowCount): void {
    const writer = this.#writer;
    const capacityBytes = this.#bytes.length;
    writer.open(batch);
    for (let row = first; row < end; row++) {
      const layoutIndex = writer.chooseLayout(row);
      const recordBytes = writer.recordBytes(row, layoutIndex);
      if (this.#at !== 0 && this.#endWith(layoutIndex, recordBytes) > capacityBytes) this.flush(exportMs);
      if (this.#at === 0) {
        this.#begin();
        if (this.#templatesAreDue(exportMs)) this.#putTemplates(exportMs);
        // A long name may find no room beside the templates: they go alone then.
        if (this.#endWith(layoutIndex, recordBytes) > capacityBytes) {
          this.flush(exportMs);
          this.#begin();
        }
      }
      if (this.#setLayout !== layoutIndex) this.#beginSet(layoutIndex);
      this.#at = writer.put(this.#view, this.#bytes, this.#at, row, layoutIndex);
      this.#recordsInMessage++;
    }
  }

  /** Emits the templates in a message of their own, before rows come or when none have come for long. */
  announce(exportMs: number): void {
    this.flush(exportMs);
    this.#begin();
    this.#putTemplates(exportMs);
    this.flush(exportMs);
  }

  /** Emits the message under way, if there is one. Call it last, and whenever rows must not wait for others. */
  flush(exportMs: number): void {
    if (this.#at === 0) return;
    this.#endSet();
    const { version, domain } = this.#options;
    const view = this.#view;
    const exportSeconds = Math.min(Math.max(Math.floor(exportMs / 1000), 0), 0xffffffff);
    view.setUint16(0, version);
    if (version === 9) {
      // RFC 3954 §5.1: count of records, uptime, seconds, messages before this one, source id.
      this.#bootMs ??= exportMs;
      view.setUint16(2, this.#countInMessage + this.#recordsInMessage + this.#optionsRecordsInMessage);
      view.setUint32(4, exportMs - this.#bootMs);
      view.setUint32(8, exportSeconds);
      view.setUint32(12, this.#datagrams);
      view.setUint32(16, domain);
    } else {
      // RFC 7011 §3.1: length, seconds, data records before this message, observation domain id.
      view.setUint16(2, this.#at);
      view.setUint32(4, exportSeconds);
      view.setUint32(8, (this.#records + this.#optionsRecords) % 0x1_0000_0000);
      view.setUint32(12, domain);
    }
    const datagram = this.#bytes.subarray(0, this.#at);
    const records = this.#recordsInMessage + this.#optionsRecordsInMessage;
    this.#records += this.#recordsInMessage;
    this.#optionsRecords += this.#optionsRecordsInMessage;
    this.#datagrams++;
    this.#sentBytes += datagram.length;
    this.#at = 0;
    this.#recordsInMessage = 0;
    this.#optionsRecordsInMessage = 0;
    this.#countInMessage = 0;
    this.#emit(datagram, records, exportMs);
  }

  counts(): EncoderCounts {
    return {
      records: this.#records, datagrams: this.#datagrams, bytes: this.#sentBytes, templateSends: this.#templateSends,
      ...this.#writer.counts,
    };
  }

  /** Where the message would end with one more record, its set padded. */
  #endWith(layoutIndex: number, recordBytes: number): number {
    const start = this.#setLayout === layoutIndex ? this.#at : align(this.#at) + setHeaderBytes;
    return align(start + recordBytes);
  }

  #begin(): void {
    this.#at = headerBytes[this.#options.version];
    this.#setLayout = noSet;
  }

  #putTemplates(exportMs: number): void {
    const { version } = this.#options;
    this.#setAt = this.#at;
    this.#view.setUint16(this.#at, templateSetId[version]);
    this.#at += setHeaderBytes;
    for (const layout of this.#layouts) this.#at = putTemplate(this.#view, this.#at, layout);
    this.#view.setUint16(this.#setAt + 2, this.#at - this.#setAt);
    this.#countInMessage = this.#layouts.length;
    if (this.#samplingOptions !== undefined) {
      this.#at = putSampling(this.#view, this.#at, this.#samplingOptions);
      this.#countInMessage += samplingTemplates;
      this.#optionsRecordsInMessage = samplingRecords;
    }
    this.#templatesSentMs = exportMs;
    this.#datagramsAtTemplates = this.#datagrams;
    this.#templateSends++;
  }

  #templatesAreDue(exportMs: number): boolean {
    if (!this.#options.hasTemplates) return false;
    if (this.#templateSends === 0) return true;
    const { templateEveryDatagrams, templateEveryMs } = this.#options;
    return this.#datagrams - this.#datagramsAtTemplates >= templateEveryDatagrams ||
      Math.abs(exportMs - this.#templatesSentMs) >= templateEveryMs;
  }

  #beginSet(layoutIndex: number): void {
    this.#endSet();
    this.#setAt = this.#at;
    this.#setLayout = layoutIndex;
    this.#view.setUint16(this.#at, (this.#layouts[layoutIndex] as RecordLayout).templateId);
    this.#at += setHeaderBytes;
  }

  /** RFC 3954 §5.3, RFC 7011 §3.3.1: a set ends at a boundary of four bytes, and its length counts the padding. */
  #endSet(): void {
    if (this.#setLayout === noSet) return;
    const end = align(this.#at);
    this.#bytes.fill(0, this.#at, end);
    this.#at = end;
    this.#view.setUint16(this.#setAt + 2, end - this.#setAt);
    this.#setLayout = noSet;
  }
}

/**
 * The message that must come before those of an encoder without templates: at the start of a TCP connection
 * (RFC 7011 §10.4).
 *
 * @returns the message, and its data records
 */
export function makeAnnouncement(
  options: Partial<FlowEncoderOptions>, exportMs: number,
): { readonly message: Uint8Array; readonly records: number } {
  let made: { message: Uint8Array; records: number } | undefined;
  new FlowEncoder(options, (message, records) => {
    made = { message: message.slice(), records };
  }).announce(exportMs);
  assertInvariant(made !== undefined, 'an encoder announces its templates');
  return made;
}

/** What was not sent as it stands in its row, in sentences; empty when nothing was. */
export function describeLosses({ namesCut, timesCut, flagsCut, numbersBent }: WriterCounts): string[] {
  const losses: [number, string][] = [
    [namesCut, 'layer-7 names were too long and were cut'],
    [timesCut, 'times were cut to whole milliseconds'],
    [flagsCut, 'unions of TCP flags have bits that NetFlow v9 has not'],
    [numbersBent, 'times or counters cannot be exported as they are and were bent'],
  ];
  return losses.filter(([count]) => count !== 0).map(([count, what]) => `${count} ${what}`);
}

function align(offset: number): number {
  return (offset + 3) & ~3;
}
