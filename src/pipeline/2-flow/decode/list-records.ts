/**
 * Every field of every record, readable: for tests and for explaining what an exporter sends. Slow and complete where
 * the decoder is fast and chooses; both walk with the same code. Values are by the element's abstract data type
 * (RFC 7012 §3.1); a list (RFC 6313) is shown as its bytes.
 */
import { formatAddress, formatIPv4, formatMac } from '#base';
import { type ElementType, findElement, nameScope } from './element-table.ts';
import type { ExportDomain } from './export-domain.ts';
import {
  type ExportCounts, type ExportDatagram, exportDecoderDefaults, type ExportDecoderOptions, type ExportVersion,
} from './export-types.ts';
import { type DataSetPlace, type DataSetReader, type DataSetResult, ExportWalker } from './export-walker.ts';
import { readFloat, readRunIPv6, readRunMac, readText, readUnsigned } from './field-kernels.ts';
import { read32 } from './message-header.ts';
import { locateFields, scopeEnterprise, type TemplateField } from './template.ts';
import { microsecondFractionMask, nanosecondFractionMask, placeUptime, readNtp } from './times.ts';

export type ListedValue = number | bigint | string | boolean | Uint8Array;

export type ListedField = {
  /** 0 for IANA's elements, -1 for scope fields of NetFlow v9. */
  readonly enterprise: number;
  readonly elementId: number;
  /** The element's name, or `enterprise.id` when the tables have none. */
  readonly name: string;
  readonly type: ElementType;
  readonly isScope: boolean;
  /** Integers above 2^53 are bigint, times are Unix milliseconds, addresses are text. */
  readonly value: ListedValue;
};

export type ListedRecord = {
  readonly kind: 'data' | 'options';
  readonly version: ExportVersion;
  /** 0 for NetFlow v5. */
  readonly templateId: number;
  readonly exporter: string;
  readonly domain: number;
  readonly sequence: number;
  readonly exportMs: number;
  /** Unix times of 22 flowStartSysUpTime and 21 flowEndSysUpTime, where the clock is known. */
  readonly uptimes: Readonly<Record<'startMs' | 'endMs', number | undefined>>;
  readonly fields: readonly ListedField[];
};

/**
 * All records of some datagrams in the order in which they are decoded.
 *
 * @param datagrams  read only
 * @returns the records, and the same counts that a decoder would give (flows and others are not told apart)
 */
export function listRecords(datagrams: Iterable<ExportDatagram>, options: Partial<ExportDecoderOptions> = {}):
{ records: ListedRecord[]; counts: ExportCounts } {
  const lister = new Lister();
  const walker = new ExportWalker({ ...exportDecoderDefaults, ...options }, lister);
  for (const datagram of datagrams) walker.walk(datagram);
  walker.end();
  return { records: lister.records, counts: walker.counts({ flowsPlacedAtExport: 0, unexplainedApplications: 0 }) };
}

class Lister implements DataSetReader {
  readonly readsOptions = true;
  readonly records: ListedRecord[] = [];

  read({ cached: { template }, domain, header, bytes, start, end }: DataSetPlace): DataSetResult {
    const spans = new Uint32Array(template.fields.length * 2);
    let at = start;
    let count = 0;
    while (end - at >= template.recordBytesMin) {
      const next = locateFields(template, bytes, at, end, spans);
      if (next < 0) break;
      const fields = template.fields.map((field, i) =>
        listField(field, bytes, spans[2 * i] as number, spans[2 * i + 1] as number));
      this.records.push({
        kind: template.kind, version: header.version, templateId: template.id, domain: header.domain,
        exporter: formatAddress(Uint32Array.from(domain.exporter), 0), sequence: header.sequence,
        exportMs: header.exportMs, uptimes: placeUptimes(fields, domain, header), fields,
      });
      at = next;
      count++;
    }
    return { end: at, records: count, flows: count };
  }
}

function placeUptimes(fields: readonly ListedField[], domain: ExportDomain, header: DataSetPlace['header']):
ListedRecord['uptimes'] {
  const find = (elementId: number): number | undefined => {
    const value = fields.find((field) => field.enterprise === 0 && field.elementId === elementId)?.value;
    if (typeof value !== 'number') return undefined;
    if (value > 0xffff_ffff) return value;
    if (header.version !== 10) return placeUptime(value, { uptimeMs: header.uptimeMs, unixMs: header.exportMs });
    const { systemInitMs } = domain.options;
    if (systemInitMs === undefined) return undefined;
    return placeUptime(value, { uptimeMs: header.exportMs - systemInitMs, unixMs: header.exportMs });
  };
  return { startMs: find(22), endMs: find(21) };
}

function listField({ enterprise, elementId, isScope }: TemplateField, bytes: Uint8Array, at: number,
  lengthBytes: number): ListedField {
  const element = findElement(enterprise, elementId);
  const type = element?.type ?? (enterprise === scopeEnterprise ? 'unsigned64' : 'octetArray');
  const scopeName = enterprise === scopeEnterprise ? nameScope(elementId) : undefined;
  const name = element?.name ?? scopeName ?? `${enterprise}.${elementId}`;
  return { enterprise, elementId, name, type, isScope, value: readValue(type, bytes, at, lengthBytes) };
}

/** Value of a field by its type; bytes when its length does not fit the type. */
function readValue(type: ElementType, bytes: Uint8Array, at: number, lengthBytes: number): ListedValue {
  const raw = (): Uint8Array => bytes.slice(at, at + lengthBytes);
  if (lengthBytes === 0) return type === 'string' ? '' : raw();
  switch (type) {
    case 'string': return readText(bytes, at, lengthBytes);
    case 'boolean': return lengthBytes === 1 ? bytes[at] === 1 : raw();
    case 'ipv4Address': return lengthBytes === 4 ? formatIPv4(read32(bytes, at)) : raw();
    case 'ipv6Address': return lengthBytes === 16 ? formatIPv6(bytes, at) : raw();
    case 'macAddress': return lengthBytes === 6 ? formatMacAt(bytes, at) : raw();
    case 'float32':
    case 'float64': return lengthBytes === 4 || lengthBytes === 8 ? readFloat(bytes, at, lengthBytes) : raw();
    case 'dateTimeSeconds': return lengthBytes <= 8 ? readUnsigned(bytes, at, lengthBytes) * 1000 : raw();
    case 'dateTimeMilliseconds': return lengthBytes <= 8 ? readUnsigned(bytes, at, lengthBytes) : raw();
    case 'dateTimeMicroseconds': return lengthBytes === 8 ? readNtp(bytes, at, microsecondFractionMask) : raw();
    case 'dateTimeNanoseconds': return lengthBytes === 8 ? readNtp(bytes, at, nanosecondFractionMask) : raw();
    case 'octetArray':
    case 'basicList':
    case 'subTemplateList':
    case 'subTemplateMultiList': return raw();
    default: return lengthBytes <= 8 ? readInteger(bytes, at, lengthBytes, type.startsWith('signed')) : raw();
  }
}

function readInteger(bytes: Uint8Array, at: number, lengthBytes: number, isSigned: boolean): number | bigint {
  let value = 0n;
  for (let i = 0; i < lengthBytes; i++) value = (value << 8n) | BigInt(bytes[at + i] as number);
  if (isSigned) value = BigInt.asIntN(lengthBytes * 8, value);
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

function formatIPv6(bytes: Uint8Array, at: number): string {
  const words = new Uint32Array(4);
  readRunIPv6({ bytes, at, lengthBytes: 16, stride: 0, count: 1, row: 0 }, words);
  return formatAddress(words, 0);
}

function formatMacAt(bytes: Uint8Array, at: number): string {
  const words = new Uint32Array(2);
  readRunMac({ bytes, at, lengthBytes: 6, stride: 0, count: 1, row: 0 }, words);
  return formatMac(words, 0);
}
