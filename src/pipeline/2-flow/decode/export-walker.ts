/**
 * Walks export datagrams: header, sets, templates, data sets (RFC 3954 §5, RFC 7011 §3). Keeps templates, options,
 * sequence numbers and waiting sets, and accounts for every byte. What records mean is its reader's business. Never
 * throws on bad bytes.
 */
import { Counts, limits } from '#base';
import { carryDomains } from './carry-domains.ts';
import { type DatagramHash, hashDatagram } from './datagram-hash.ts';
import type { CachedTemplate, ExportDomain } from './export-domain.ts';
import {
  type ExportCounts, type ExportDatagram, type ExportDecoderOptions, exportProblemCodes, type ExportProblemCode,
} from './export-types.ts';
import { createMessageHeader, type MessageHeader, read16, readMessageHeader } from './message-header.ts';
import { MessageAccount } from './message-account.ts';
import { learnOptions, type OptionRoom } from './options.ts';
import { isZeroFilled } from './quirks.ts';
import { RecentDatagrams } from './recent-datagrams.ts';
import type { StateBytes } from './state-bytes.ts';
import { locateFields, parseTemplateRecord, version5Template } from './template.ts';
import { TemplateCache } from './template-cache.ts';
import { type WaitingSet, WaitingSets } from './waiting-sets.ts';

/** The records of one data set; valid during the call. */
export type DataSetPlace = {
  domain: ExportDomain;
  cached: CachedTemplate;
  header: MessageHeader;
  bytes: Uint8Array;
  /** First record. */
  start: number;
  end: number;
  /** The reader's `hash` was given these bytes last. */
  isKnown: boolean;
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
  /** Does what `hashDatagram` does, for readers that copy the bytes anyway. */
  hash?(bytes: Uint8Array, out: DatagramHash): void;
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
  #skipped = 0;
  /** Of the message that is being walked. */
  readonly #message = new MessageAccount();
  readonly #hash: DatagramHash = { low: 0, high: 0 };
  /** The reader has been given the bytes of the message, and no others since. */
  #isKnown = false;

  constructor(options: ExportDecoderOptions, reader: DataSetReader) {
    this.#options = options;
    this.#reader = reader;
    this.#cache = new TemplateCache(options);
    this.#optionRoom = { perDomain: options.optionEntriesMax, left: options.optionEntriesTotalMax };
    this.#waiting = new WaitingSets({ bytesMax: options.waitingBytesMax, waitMs: options.waitingMs });
    this.#recent = new RecentDatagrams(options.duplicateMemoryBytes);
  }

  /** Takes one datagram. @param datagram  read only, valid during the call */
  walk(datagram: ExportDatagram): void {
    const { bytes, exporter, receivedMs } = datagram;
    this.#datagrams++;
    this.#bytes += bytes.length;
    for (const set of this.#waiting.takeExpired(receivedMs)) this.#giveUp(set);
    const header = this.#header;
    const problem = readMessageHeader(bytes, header);
    if (problem !== undefined) return this.#reject(problem, bytes.length);
    const domain = this.#cache.findDomain(exporter, header);
    if (domain === undefined) return this.#reject('exporter-limit', bytes.length);
    domain.datagrams++;
    this.#meet(domain, receivedMs);
    if (this.#isCopy(domain, bytes)) return this.#reject('duplicate', bytes.length);
    this.#message.begin();
    let units = 1;
    if (header.version === 5) units = this.#walkVersion5(domain, bytes);
    else this.#walkSets(domain, bytes, receivedMs);
    this.#message.observe(domain, header, datagram, units);
  }

  /**
   * Takes notice of a datagram that is not let in: its units are sent, and limited. Of a domain that is not known
   * nothing is kept, so that nobody can fill the memory with what is not let in.
   */
  skip(datagram: ExportDatagram): void {
    this.#skipped++;
    const { bytes, exporter, receivedMs } = datagram;
    const header = this.#header;
    if (readMessageHeader(bytes, header) !== undefined) return;
    const domain = this.#cache.findKnownDomain(exporter, header);
    if (domain === undefined) return;
    this.#meet(domain, receivedMs);
    if (this.#isCopy(domain, bytes)) return;
    const message = this.#message;
    message.begin();
    message.spoil('limited');
    const isCounted = header.version === 9 || header.version === 5 && header.announced <= version5RecordsMax;
    if (!isCounted) message.leaveUnread(bytes.length - header.headerBytes);
    message.observe(domain, header, datagram, header.version === 5 ? header.announced : 1);
  }

  /** Gives up on everything that still waits. */
  end(): void {
    for (const set of this.#waiting.takeAll()) this.#giveUp(set);
  }

  /** @param more  what the reader counts */
  counts(more: Pick<ExportCounts, 'flowsPlacedAtExport' | 'unexplainedApplications'>): ExportCounts {
    const waiting = { sets: this.#waiting.count, bytes: this.#waiting.bytes };
    const rejectedBytes = this.#rejectedBytes;
    return {
      datagrams: this.#datagrams, bytes: this.#bytes, skippedDatagrams: this.#skipped, records: this.#records,
      flows: this.#flows, optionsRecords: this.#optionsRecords,
      otherRecords: this.#records - this.#flows - this.#optionsRecords,
      templates: this.#templates, withdrawals: this.#withdrawals, ...more, waiting,
      bytesByFate: {
        decoded: this.#bytes - waiting.bytes - rejectedBytes, waiting: waiting.bytes, rejected: rejectedBytes,
      },
      rejected: Object.fromEntries(
        exportProblemCodes.map((code) => [code, this.#rejected.get(code)]),
      ) as Record<ExportProblemCode, number>,
      exporters: this.#cache.domains().map((domain) =>
        domain.counts(this.#waiting.list(domain, limits.waitingListedMax))),
    };
  }

  /** What every datagram tells, copies too. */
  #meet(domain: ExportDomain, receivedMs: number): void {
    domain.lastReceivedMs = receivedMs;
    domain.lastExportMs = this.#header.exportMs;
  }

  /** True for a copy of an earlier datagram; what is none is remembered. */
  #isCopy(domain: ExportDomain, bytes: Uint8Array): boolean {
    this.#isKnown = false;
    if (!this.#recent.isUsed) return false;
    const { sequence } = this.#header;
    const hash = this.#hash;
    if (this.#reader.hash === undefined) hashDatagram(bytes, hash);
    else {
      this.#reader.hash(bytes, hash);
      this.#isKnown = true;
    }
    if (domain.sequence.mayBeCopy(sequence) && this.#recent.has(domain, sequence, bytes.length, hash)) {
      domain.duplicates++;
      return true;
    }
    this.#recent.add(domain, sequence, bytes.length, hash);
    return false;
  }

  /**
   * Writes all that is remembered but the copies of datagrams, or reads it into a walker that has taken nothing yet;
   * that is of no use any more when the bytes have a fault then.
   */
  carry(bytes: StateBytes): void {
    this.#datagrams = bytes.count(this.#datagrams);
    this.#bytes = bytes.count(this.#bytes);
    this.#skipped = bytes.count(this.#skipped);
    this.#rejectedBytes = bytes.count(this.#rejectedBytes);
    this.#records = bytes.count(this.#records);
    this.#flows = bytes.count(this.#flows);
    this.#optionsRecords = bytes.count(this.#optionsRecords);
    this.#templates = bytes.count(this.#templates);
    this.#withdrawals = bytes.count(this.#withdrawals);
    bytes.list(exportProblemCodes.filter((code) => this.#rejected.get(code) > 0), (given) => {
      const text = bytes.text(given ?? '');
      const count = bytes.count(given === undefined ? 0 : this.#rejected.get(given));
      const code = exportProblemCodes.find((each) => each === text);
      if (code === undefined) bytes.expect(false, 'The state has a reason that there is none of.');
      else if (given === undefined) this.#rejected.add(code, count);
    });
    carryDomains(bytes, {
      cache: this.#cache, waiting: this.#waiting, room: this.#optionRoom, options: this.#options,
    });
    bytes.expect(this.#bytes >= this.#rejectedBytes + this.#waiting.bytes &&
      this.#records >= this.#flows + this.#optionsRecords, 'The counts of the state do not add up.');
  }

  #reject(code: ExportProblemCode, bytes: number): void {
    this.#rejected.add(code);
    this.#rejectedBytes += bytes;
    // Behind the end of a message there is nothing of it.
    if (code !== 'trailing-bytes') this.#message.spoil(code);
  }

  #giveUp({ domain, message, bytes }: WaitingSet): void {
    this.#reject('no-template', bytes.length);
    message.fate ??= 'no-template';
    this.#message.settle(domain, message, { records: 0, options: 0, bytes: 0 });
  }

  /** Returns the records that the header announces, as far as it is believed. */
  #walkVersion5(domain: ExportDomain, bytes: Uint8Array): number {
    const { headerBytes, announced, samplingInterval } = this.#header;
    const announcedEnd = headerBytes + announced * version5RecordBytes;
    if (announced > version5RecordsMax && announcedEnd > bytes.length) {
      this.#message.leaveUnread(version5RecordsMax);
      this.#reject('cut-message', bytes.length);
      return 0;
    }
    if (samplingInterval > 0) domain.options.samplingInterval = samplingInterval;
    const whole = Math.min(announced, Math.floor((bytes.length - headerBytes) / version5RecordBytes));
    const end = headerBytes + whole * version5RecordBytes;
    const isKnown = this.#isKnown;
    this.#readSet({ domain, cached: this.#version5, header: this.#header, bytes, start: headerBytes, end, isKnown });
    this.#message.addRecords(whole, false);
    if (whole < announced) this.#reject('cut-message', bytes.length - end);
    else if (bytes.length > announcedEnd) this.#reject('trailing-bytes', bytes.length - announcedEnd);
    // Every announced flow has taken a number, whether it arrived whole or not.
    return announced;
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
    this.#message.leaveUnread(bytes);
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
      this.#message.leaveUnread(end - at);
      const message = this.#message.openFor(header);
      const set = { domain, templateId, header, receivedMs, bytes: bytes.subarray(at, end), message };
      if (this.#waiting.add(set)) message.waitingSets++;
      else this.#reject('waiting-limit', end - at);
      return;
    }
    const isKnown = this.#isKnown;
    const records = this.#readSet({ domain, cached, header, bytes, start: at + setHeaderBytes, end, isKnown });
    this.#message.addRecords(records, cached.template.kind === 'options');
  }

  #replay(domain: ExportDomain, templateId: number): void {
    for (const { header, bytes, message } of this.#waiting.takeFor(domain, templateId)) {
      const cached = this.#cache.find(domain, templateId);
      if (cached === undefined) return;
      let records = 0;
      const fate = this.#message.apart(() => {
        this.#isKnown = false;
        records = this.#readSet({
          domain, cached, header, bytes, start: setHeaderBytes, end: bytes.length, isKnown: false,
        });
      });
      message.fate ??= fate;
      const options = cached.template.kind === 'options' ? records : 0;
      this.#message.settle(domain, message, { records, options, bytes: bytes.length });
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
    if (end - result.end >= template.recordBytesMin) {
      this.#message.leaveUnread(end - result.end);
      this.#reject('cut-record', end - result.end);
    }
    this.#records += records;
    domain.records += records;
    if (isOptions) this.#optionsRecords += records;
    else {
      this.#flows += flows;
      domain.flows += flows;
    }
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
