/**
 * Walks export datagrams: header, sets, templates, data sets (RFC 3954 §5, RFC 7011 §3). Keeps templates, options,
 * sequence numbers and waiting sets, and accounts for every byte. What records mean is its reader's business. Never
 * throws on bad bytes.
 */
import { Counts } from '#base';
import type { CachedTemplate, ExportDomain } from './export-domain.ts';
import {
  type ExportCounts, type ExportDatagram, type ExportDecoderOptions, exportProblemCodes, type ExportProblemCode,
} from './export-types.ts';
import { createMessageHeader, type MessageHeader, read16, readMessageHeader } from './message-header.ts';
import { learnOptions, type OptionRoom } from './options.ts';
import { isZeroFilled } from './quirks.ts';
import { RecentDatagrams } from './recent-datagrams.ts';
import { locateFields, parseTemplateRecord, version5Template } from './template.ts';
import { TemplateCache } from './template-cache.ts';
import { WaitingSets } from './waiting-sets.ts';

/** The records of one data set; valid during the call. */
export type DataSetPlace = {
  domain: ExportDomain;
  cached: CachedTemplate;
  header: MessageHeader;
  bytes: Uint8Array;
  /** First record. */
  start: number;
  end: number;
};

export type DataSetResult = {
  /** Where reading stopped: what is behind it is a cut record. */
  end: number;
  records: number;
  /** Records that became flows. */
  flows: number;
};

/** Reads the records of data sets; options sets are given to it too when `readsOptions`. */
export type DataSetReader = {
  readonly readsOptions?: boolean;
  read(place: DataSetPlace): DataSetResult;
};

const setHeaderBytes = 4;
const version5RecordBytes = 48;
/** Cisco's limit of a v5 datagram. A count above it that does not fit either is no count: nothing is believed. */
const version5RecordsMax = 30;

export class ExportWalker {
  readonly #options: ExportDecoderOptions;
  readonly #reader: DataSetReader;
  readonly #cache: TemplateCache;
  readonly #waiting: WaitingSets;
  readonly #recent: RecentDatagrams;
  readonly #header = createMessageHeader();
  readonly #rejected = new Counts<ExportProblemCode>();
  readonly #version5: CachedTemplate = { template: version5Template, plan: undefined, program: undefined };
  readonly #optionRoom: OptionRoom;
  #spans = new Uint32Array(128);
  #datagrams = 0;
  #bytes = 0;
  #rejectedBytes = 0;
  #records = 0;
  #flows = 0;
  #optionsRecords = 0;
  #templates = 0;
  #withdrawals = 0;
  /** Records of the message so far, -1 once a set has no template: then their number is not known. */
  #messageRecords = 0;
  /** Of these, records of options. */
  #messageOptions = 0;

  constructor(options: ExportDecoderOptions, reader: DataSetReader) {
    this.#options = options;
    this.#reader = reader;
    this.#cache = new TemplateCache(options);
    this.#optionRoom = { perDomain: options.optionEntriesMax, left: options.optionEntriesTotalMax };
    this.#waiting = new WaitingSets({ bytesMax: options.waitingBytesMax, waitMs: options.waitingMs });
    this.#recent = new RecentDatagrams(options.duplicateMemoryBytes);
  }

  /** Takes one datagram. @param datagram  read only, valid during the call */
  walk({ bytes, exporter, receivedMs }: ExportDatagram): void {
    this.#datagrams++;
    this.#bytes += bytes.length;
    for (const set of this.#waiting.takeExpired(receivedMs)) this.#reject('no-template', set.bytes.length);
    const header = this.#header;
    const problem = readMessageHeader(bytes, header);
    if (problem !== undefined) return this.#reject(problem, bytes.length);
    const domain = this.#cache.findDomain(exporter, header);
    if (domain === undefined) return this.#reject('exporter-limit', bytes.length);
    domain.datagrams++;
    if (domain.sequence.mayBeCopy(header.sequence) && this.#recent.has(domain, bytes)) {
      domain.duplicates++;
      return this.#reject('duplicate', bytes.length);
    }
    this.#recent.add(domain, bytes);
    this.#messageRecords = 0;
    this.#messageOptions = 0;
    if (header.version === 5) this.#walkVersion5(domain, bytes);
    else this.#walkSets(domain, bytes, receivedMs);
    domain.sequence.observe({
      sequence: header.sequence,
      units: header.version === 9 ? 1 : this.#messageRecords,
      isIpfix: header.version === 10,
      flowUnits: this.#messageRecords < 0 ? -1 : this.#messageRecords - this.#messageOptions,
      exportMs: header.exportMs,
      startedMs: header.version === 10 ? Number.NaN : header.exportMs - header.uptimeMs,
    });
  }

  /** Gives up on everything that still waits. */
  end(): void {
    for (const set of this.#waiting.takeAll()) this.#reject('no-template', set.bytes.length);
  }

  /** @param more  what the reader counts */
  counts(more: Pick<ExportCounts, 'flowsPlacedAtExport' | 'unexplainedApplications'>): ExportCounts {
    const waiting = { sets: this.#waiting.count, bytes: this.#waiting.bytes };
    const rejectedBytes = this.#rejectedBytes;
    return {
      datagrams: this.#datagrams, bytes: this.#bytes, records: this.#records, flows: this.#flows,
      optionsRecords: this.#optionsRecords, otherRecords: this.#records - this.#flows - this.#optionsRecords,
      templates: this.#templates, withdrawals: this.#withdrawals, ...more, waiting,
      bytesByFate: {
        decoded: this.#bytes - waiting.bytes - rejectedBytes, waiting: waiting.bytes, rejected: rejectedBytes,
      },
      rejected: Object.fromEntries(
        exportProblemCodes.map((code) => [code, this.#rejected.get(code)]),
      ) as Record<ExportProblemCode, number>,
      exporters: this.#cache.domains().map((domain) => domain.counts()),
    };
  }

  #reject(code: ExportProblemCode, bytes: number): void {
    this.#rejected.add(code);
    this.#rejectedBytes += bytes;
  }

  #walkVersion5(domain: ExportDomain, bytes: Uint8Array): void {
    const { headerBytes, announced, samplingInterval } = this.#header;
    const announcedEnd = headerBytes + announced * version5RecordBytes;
    if (announced > version5RecordsMax && announcedEnd > bytes.length) {
      this.#messageRecords = -1;
      return this.#reject('cut-message', bytes.length);
    }
    if (samplingInterval > 0) domain.options.samplingInterval = samplingInterval;
    const whole = Math.min(announced, Math.floor((bytes.length - headerBytes) / version5RecordBytes));
    const end = headerBytes + whole * version5RecordBytes;
    this.#readSet({ domain, cached: this.#version5, header: this.#header, bytes, start: headerBytes, end });
    // Every announced flow has taken a number, whether it arrived whole or not.
    this.#messageRecords = announced;
    if (whole < announced) this.#reject('cut-message', bytes.length - end);
    else if (bytes.length > announcedEnd) this.#reject('trailing-bytes', bytes.length - announcedEnd);
  }

  #walkSets(domain: ExportDomain, bytes: Uint8Array, receivedMs: number): void {
    const header = this.#header;
    const isIpfix = header.version === 10;
    if (isIpfix && header.announced < header.headerBytes) {
      return this.#rejectRest('bad-set-length', bytes.length - header.headerBytes);
    }
    if (isIpfix && header.announced > bytes.length) this.#reject('cut-message', 0);
    const end = isIpfix ? Math.min(header.announced, bytes.length) : bytes.length;
    let at = header.headerBytes;
    while (at < end) {
      if (!isIpfix && isZeroFilled(bytes, at, end)) return;
      // Quirk `shortMessageLength`: a last set may end behind its message, but not behind the datagram.
      const setEnd = end - at < setHeaderBytes ? Number.POSITIVE_INFINITY : at + read16(bytes, at + 2);
      if (setEnd > bytes.length) return this.#rejectRest('cut-set', bytes.length - at);
      if (setEnd < at + setHeaderBytes) return this.#rejectRest('bad-set-length', bytes.length - at);
      this.#walkSet(domain, bytes, at, setEnd, receivedMs);
      at = setEnd;
    }
    if (at < bytes.length) this.#reject('trailing-bytes', bytes.length - at);
  }

  #rejectRest(code: ExportProblemCode, bytes: number): void {
    this.#messageRecords = -1;
    this.#reject(code, bytes);
  }

  #walkSet(domain: ExportDomain, bytes: Uint8Array, at: number, end: number, receivedMs: number): void {
    const header = this.#header;
    const setId = read16(bytes, at);
    if (setId >= 256) return this.#walkDataSet(domain, bytes, at, end, receivedMs);
    const version = header.version === 9 ? 9 : 10;
    // RFC 3954 §5.2, §6.1: 0 and 1; RFC 7011 §3.3.2: 2 and 3.
    const templateId = version === 9 ? 0 : 2;
    if (setId !== templateId && setId !== templateId + 1) return this.#reject('reserved-set', end - at);
    this.#walkTemplates(domain, bytes, at + setHeaderBytes, {
      version, kind: setId === templateId ? 'data' : 'options', end, fieldsMax: this.#options.templateFieldsMax,
    });
  }

  #walkTemplates(domain: ExportDomain, bytes: Uint8Array, start: number,
    place: Parameters<typeof parseTemplateRecord>[2]): void {
    let at = start;
    while (at < place.end) {
      const record = parseTemplateRecord(bytes, at, place);
      if (record.what === 'padding') return;
      if (record.what === 'template') {
        if (this.#cache.put(domain, record.template)) {
          this.#templates++;
          this.#replay(domain, record.template.id);
        } else this.#reject('template-limit', record.endOffset - at);
      } else if (record.what === 'withdrawal') {
        this.#withdrawals++;
        this.#cache.withdraw(domain, record.id);
      } else this.#reject(record.what, record.endOffset - at);
      at = record.endOffset;
    }
  }

  #walkDataSet(domain: ExportDomain, bytes: Uint8Array, at: number, end: number, receivedMs: number): void {
    const templateId = read16(bytes, at);
    const header = this.#header;
    const cached = this.#cache.find(domain, templateId);
    if (cached === undefined) {
      this.#messageRecords = -1;
      const set = { domain, templateId, header, receivedMs, bytes: bytes.subarray(at, end) };
      if (!this.#waiting.add(set)) this.#reject('waiting-limit', end - at);
      return;
    }
    const records = this.#readSet({ domain, cached, header, bytes, start: at + setHeaderBytes, end });
    if (this.#messageRecords < 0) return;
    this.#messageRecords += records;
    if (cached.template.kind === 'options') this.#messageOptions += records;
  }

  #replay(domain: ExportDomain, templateId: number): void {
    for (const { header, bytes } of this.#waiting.takeFor(domain, templateId)) {
      const cached = this.#cache.find(domain, templateId);
      if (cached === undefined) return;
      this.#readSet({ domain, cached, header, bytes, start: setHeaderBytes, end: bytes.length });
    }
  }

  /** Reads the records of a set and returns their number. */
  #readSet(place: DataSetPlace): number {
    const { domain, cached: { template }, start, end } = place;
    if (template.recordBytesMin === 0) {
      this.#reject('empty-record', end - start);
      return 0;
    }
    const isOptions = template.kind === 'options';
    const result = isOptions ? this.#readOptions(place) : this.#reader.read(place);
    const { records, flows } = result;
    if (end - result.end >= template.recordBytesMin) this.#reject('cut-record', end - result.end);
    this.#records += records;
    domain.records += records;
    if (isOptions) this.#optionsRecords += records;
    else this.#flows += flows;
    return records;
  }

  #readOptions(place: DataSetPlace): DataSetResult {
    const { domain, cached: { template }, bytes, start, end } = place;
    const fieldCount = template.fields.length;
    if (this.#spans.length < 2 * fieldCount) this.#spans = new Uint32Array(2 * fieldCount);
    let at = start;
    let records = 0;
    while (end - at >= template.recordBytesMin) {
      const next = locateFields(template, bytes, at, end, this.#spans);
      if (next < 0) break;
      learnOptions(domain.options, template, bytes, this.#spans, this.#optionRoom);
      at = next;
      records++;
    }
    if (this.#reader.readsOptions === true) this.#reader.read(place);
    return { end: at, records, flows: 0 };
  }
}
