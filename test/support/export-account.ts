/**
 * A second account of export messages, for tests: what becomes of every byte and record, written from RFC 3954, RFC
 * 7011 and docs/limits.md, slowly and without the decoder's code. It counts what it takes as decoded; the decoder
 * subtracts. It reads no value and knows no sequence: the search for copies must be off (`duplicateMemoryBytes: 0`).
 */
import type { ExportDatagram } from '../../src/pipeline/2-flow/decode/export-types.ts';

export type AccountLimits = {
  readonly exportDomainsMax: number;
  readonly exportDomainsOfAddressMax: number;
  readonly templatesPerDomainMax: number;
  readonly templatesTotalMax: number;
  readonly templateFieldsMax: number;
  readonly templateFieldsTotalMax: number;
  readonly waitingBytesMax: number;
  readonly waitingMs: number;
};

type Field = { readonly key: string; readonly lengthBytes: number };
type Layout = { readonly isOptions: boolean; readonly isFlow: boolean; readonly fields: readonly Field[] };
type Domain = { readonly version: number; readonly templates: Map<number, Layout>; datagrams: number; records: number };
type Waiting = { readonly domain: Domain; readonly id: number; readonly body: Uint8Array; readonly receivedMs: number };
type Message = { readonly domain: Domain; readonly bytes: Uint8Array; readonly receivedMs: number };

/** Fields of no bytes that a template may have beside one field a byte. */
const hollowFieldsMax = 16;
/** Memory that a waiting set is charged beside its bytes. */
const waitingEntryBytes = 256;
/** Elements that make a record a flow: addresses of packets, and those after a NAT. */
const addresses4 = new Set(['0.8', '0.12', '0.44', '0.45']);
const addresses6 = new Set(['0.27', '0.28', '0.169', '0.170']);

const isVariable = ({ lengthBytes }: Field): boolean => lengthBytes === 65_535;
const read16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const shortest = ({ fields }: Layout): number =>
  fields.reduce((sum, field) => sum + (isVariable(field) ? 1 : field.lengthBytes), 0);
const isAddress = (field: Field): boolean =>
  (addresses4.has(field.key) && (field.lengthBytes === 4 || isVariable(field))) ||
  (addresses6.has(field.key) && (field.lengthBytes === 16 || isVariable(field)));

export class ExportAccount {
  readonly #limits: AccountLimits;
  readonly #domains = new Map<string, Domain>();
  #waiting: Waiting[] = [];
  #fieldCount = 0;
  readonly #rejected: Record<string, number> = {};
  readonly #fate = { decoded: 0, waiting: 0, rejected: 0 };
  #records = 0;
  #flows = 0;
  #optionsRecords = 0;
  #templates = 0;
  #withdrawals = 0;

  constructor(limits: AccountLimits) {
    this.#limits = limits;
  }

  /** Totals, and records, templates and waiting sets of each domain, in the form of the decoder's counts. */
  totals(): Record<string, unknown> {
    const waitingOf = new Map<Domain, number>();
    for (const { domain } of this.#waiting) waitingOf.set(domain, (waitingOf.get(domain) ?? 0) + 1);
    return {
      records: this.#records, flows: this.#flows, optionsRecords: this.#optionsRecords, templates: this.#templates,
      withdrawals: this.#withdrawals, bytesByFate: { ...this.#fate }, rejected: { ...this.#rejected },
      waiting: { sets: this.#waiting.length, bytes: this.#fate.waiting },
      domains: [...this.#domains.values()].map((domain) =>
        [domain.datagrams, domain.records, domain.templates.size, waitingOf.get(domain) ?? 0]),
    };
  }

  /** Gives up what waits. */
  end(): void {
    for (const set of this.#waiting.splice(0)) this.#giveUp(set);
  }

  take({ bytes, exporter, receivedMs }: ExportDatagram): void {
    while (this.#waiting[0] !== undefined && receivedMs - this.#waiting[0].receivedMs > this.#limits.waitingMs) {
      this.#giveUp(this.#waiting.shift() as Waiting);
    }
    const version = bytes.length < 2 ? 0 : read16(bytes, 0);
    const headerBytes = { 5: 24, 9: 20, 10: 16 }[version];
    if (bytes.length >= 2 && headerBytes === undefined) return this.#reject('unknown-version', bytes.length);
    if (headerBytes === undefined || bytes.length < headerBytes) return this.#reject('cut-header', bytes.length);
    const id = version === 5 ? bytes.subarray(20, 22) : bytes.subarray(headerBytes - 4, headerBytes);
    const domain = this.#findDomain(exporter.join('.'), `${version} ${id.join('.')}`, version);
    if (domain === undefined) return this.#reject('exporter-limit', bytes.length);
    domain.datagrams++;
    const message = { domain, bytes, receivedMs };
    if (version === 5) return this.#take5(message);
    this.#fate.decoded += headerBytes;
    this.#takeSets(message, headerBytes);
  }

  #findDomain(address: string, id: string, version: number): Domain | undefined {
    const key = `${address} ${id}`;
    const known = this.#domains.get(key);
    if (known !== undefined || this.#domains.size === this.#limits.exportDomainsMax) return known;
    const others = [...this.#domains.keys()].filter((other) => other.startsWith(`${address} `));
    if (others.length === this.#limits.exportDomainsOfAddressMax) return undefined;
    const domain = { version, templates: new Map<number, Layout>(), datagrams: 0, records: 0 };
    this.#domains.set(key, domain);
    return domain;
  }

  #reject(code: string, lengthBytes: number): void {
    this.#rejected[code] = (this.#rejected[code] ?? 0) + 1;
    this.#fate.rejected += lengthBytes;
  }

  #giveUp({ body }: Waiting): void {
    this.#fate.waiting -= body.length + 4;
    this.#reject('no-template', body.length + 4);
  }

  /** 48 bytes a record; a datagram of v5 has 30 at most, so a larger count that does not fit is none. */
  #take5({ domain, bytes }: Message): void {
    const announced = read16(bytes, 2);
    const room = Math.floor((bytes.length - 24) / 48);
    if (announced > 30 && announced > room) return this.#reject('cut-message', bytes.length);
    const records = Math.min(announced, room);
    const rest = bytes.length - 24 - records * 48;
    this.#count(domain, { isOptions: false, isFlow: true, fields: [] }, records);
    this.#fate.decoded += 24 + records * 48;
    if (announced > records) this.#reject('cut-message', rest);
    else if (rest > 0) this.#reject('trailing-bytes', rest);
  }

  #takeSets(message: Message, headerBytes: number): void {
    const { domain: { version }, bytes } = message;
    const announced = version === 9 ? bytes.length : read16(bytes, 2);
    if (announced < headerBytes) return this.#reject('bad-set-length', bytes.length - headerBytes);
    if (announced > bytes.length) this.#reject('cut-message', 0);
    let at = headerBytes;
    while (at < Math.min(announced, bytes.length)) {
      const rest = bytes.subarray(at);
      if (version === 9 && isZero(rest)) {
        this.#fate.decoded += rest.length;
        return;
      }
      const setBytes = read16(rest, 2);
      if (Math.min(announced, bytes.length) - at < 4 || setBytes > rest.length) {
        return this.#reject('cut-set', rest.length);
      }
      if (setBytes < 4) return this.#reject('bad-set-length', rest.length);
      this.#takeSet(message, read16(rest, 0), rest.subarray(4, setBytes));
      at += setBytes;
    }
    if (at < bytes.length) this.#reject('trailing-bytes', bytes.length - at);
  }

  #takeSet({ domain, receivedMs }: Message, id: number, body: Uint8Array): void {
    const templatesId = domain.version === 9 ? 0 : 2;
    if (id < 256 && id !== templatesId && id !== templatesId + 1) return this.#reject('reserved-set', body.length + 4);
    const layout = domain.templates.get(id);
    if (id >= 256 && layout === undefined) {
      const charged = this.#fate.waiting + body.length + 4 + (this.#waiting.length + 1) * waitingEntryBytes;
      if (charged > this.#limits.waitingBytesMax) return this.#reject('waiting-limit', body.length + 4);
      this.#waiting.push({ domain, id, body, receivedMs });
      this.#fate.waiting += body.length + 4;
      return;
    }
    this.#fate.decoded += 4;
    if (layout !== undefined) return this.#takeRecords(domain, layout, body);
    for (let at = 0; at < body.length;) at += this.#takeTemplate(domain, id === templatesId + 1, body.subarray(at));
  }

  #takeRecords(domain: Domain, layout: Layout, body: Uint8Array): void {
    const least = shortest(layout);
    if (least === 0) return this.#reject('empty-record', body.length);
    let at = 0;
    let records = 0;
    while (body.length - at >= least) {
      const end = endOfRecord(layout, body, at);
      if (end > body.length) {
        this.#reject('cut-record', body.length - at);
        this.#fate.decoded -= body.length - at;
        break;
      }
      at = end;
      records++;
    }
    this.#fate.decoded += body.length;
    this.#count(domain, layout, records);
  }

  #count(domain: Domain, { isOptions, isFlow }: Layout, records: number): void {
    this.#records += records;
    domain.records += records;
    if (isOptions) this.#optionsRecords += records;
    else if (isFlow) this.#flows += records;
  }

  /** Takes one template record, or all of what cannot be one, and says how many bytes that was. */
  #takeTemplate(domain: Domain, isOptions: boolean, bytes: Uint8Array): number {
    if (bytes.length < 4 || isZero(bytes)) {
      this.#fate.decoded += bytes.length;
      return bytes.length;
    }
    const id = read16(bytes, 0);
    const count = read16(bytes, 2);
    if (domain.version === 10 && count === 0 && (id >= 256 || id === (isOptions ? 3 : 2))) {
      this.#withdrawals++;
      this.#withdraw(domain, id);
      this.#fate.decoded += 4;
      return 4;
    }
    const parsed = id < 256 ? undefined : parseTemplate(domain.version, isOptions, bytes);
    if (parsed === undefined) {
      this.#reject('bad-template', bytes.length);
      return bytes.length;
    }
    const { fields } = parsed.layout;
    const isHollow = fields.length > shortest(parsed.layout) + hollowFieldsMax;
    if (isHollow && fields.length <= this.#limits.templateFieldsMax) this.#reject('bad-template', parsed.lengthBytes);
    else if (!this.#keep(domain, id, parsed.layout)) this.#reject('template-limit', parsed.lengthBytes);
    else {
      this.#templates++;
      this.#fate.decoded += parsed.lengthBytes;
      const mine = this.#waiting.filter((set) => set.domain === domain && set.id === id);
      if (mine.length > 0) this.#waiting = this.#waiting.filter((set) => !mine.includes(set));
      for (const { body } of mine) {
        this.#fate.waiting -= body.length + 4;
        this.#fate.decoded += 4;
        this.#takeRecords(domain, parsed.layout, body);
      }
    }
    return parsed.lengthBytes;
  }

  #keep(domain: Domain, id: number, layout: Layout): boolean {
    const { templatesPerDomainMax, templatesTotalMax, templateFieldsMax, templateFieldsTotalMax } = this.#limits;
    if (layout.fields.length > templateFieldsMax) return false;
    const old = domain.templates.get(id);
    if (old !== undefined && JSON.stringify(old) === JSON.stringify(layout)) return true;
    if (old === undefined && domain.templates.size >= templatesPerDomainMax) return false;
    const templateCount = [...this.#domains.values()].reduce((sum, { templates }) => sum + templates.size, 0);
    if (old === undefined && templateCount >= templatesTotalMax) return false;
    const fieldCount = this.#fieldCount - (old?.fields.length ?? 0) + layout.fields.length;
    if (fieldCount > templateFieldsTotalMax) return false;
    this.#fieldCount = fieldCount;
    domain.templates.set(id, layout);
    return true;
  }

  #withdraw(domain: Domain, id: number): void {
    for (const [templateId, { isOptions, fields }] of domain.templates) {
      if (id === 2 ? isOptions : id === 3 ? !isOptions : id !== templateId) continue;
      domain.templates.delete(templateId);
      this.#fieldCount -= fields.length;
    }
  }
}

/** Where a record ends: beyond the body when it is cut. */
function endOfRecord({ fields }: Layout, body: Uint8Array, start: number): number {
  let at = start;
  for (const field of fields) {
    let lengthBytes = field.lengthBytes;
    if (isVariable(field)) {
      const prefixBytes = body[at] === 255 ? 3 : 1;
      if (at + prefixBytes > body.length) return Number.POSITIVE_INFINITY;
      lengthBytes = prefixBytes + (prefixBytes === 3 ? read16(body, at + 1) : body[at] as number);
    }
    at += lengthBytes;
  }
  return at;
}

type Parsed = { readonly layout: Layout; readonly lengthBytes: number };

/** A template record, undefined when it is none: counts that cannot be, or an end behind its set. */
function parseTemplate(version: number, isOptions: boolean, bytes: Uint8Array): Parsed | undefined {
  if (isOptions && bytes.length < 6) return undefined;
  const [second, third] = [read16(bytes, 2), isOptions ? read16(bytes, 4) : 0];
  // RFC 3954 §6.1 tells lengths of scopes and of the others; RFC 7011 §3.4.2.2 counts of all fields and of scopes.
  const isByLength = version === 9 && isOptions;
  if (isByLength && (second % 4 > 0 || third % 4 > 0)) return undefined;
  const fieldCount = isByLength ? (second + third) / 4 : second;
  const scopeCount = isByLength ? second / 4 : third;
  if (fieldCount === 0 || scopeCount > fieldCount) return undefined;
  const fields: Field[] = [];
  let isFlow = false;
  let at = isOptions ? 6 : 4;
  for (let i = 0; i < fieldCount; i++) {
    const isLong = version === 10 && ((bytes[at] ?? 0) & 0x80) !== 0;
    if (at + (isLong ? 8 : 4) > bytes.length) return undefined;
    const word = read16(bytes, at);
    const enterprise = isLong ? read16(bytes, at + 4) * 65_536 + read16(bytes, at + 6) : 0;
    // Field types of NetFlow v9 from 57472 on are ntop's, so no addresses; scopes have numbers of their own.
    const field = { key: `${i < scopeCount ? 'scope ' : ''}${enterprise}.${isLong ? word & 0x7fff : word}`,
      lengthBytes: read16(bytes, at + 2) };
    fields.push(field);
    isFlow ||= !isOptions && isAddress(field);
    at += isLong ? 8 : 4;
  }
  return { layout: { isOptions, isFlow, fields }, lengthBytes: at };
}
