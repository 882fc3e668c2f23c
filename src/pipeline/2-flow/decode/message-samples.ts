/**
 * Messages for tests, byte by byte as RFC 3954 and RFC 7011 draw them; some are those of RFC 7011 appendix A. Only
 * tests use this file: it is the other side of the wire, and shares no code with the decoder.
 */
import type { AddressWords } from '#base';
import type { ExportDatagram } from './export-types.ts';

/** Numbers are written as they stand: `u16(1), u32(2)`. */
export type Part = readonly number[] | Uint8Array;

const unsigned = (value: number | bigint, lengthBytes: number): number[] =>
  Array.from({ length: lengthBytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * (lengthBytes - 1 - i))) & 255n));

export const u8 = (value: number): number[] => unsigned(value, 1);
export const u16 = (value: number): number[] => unsigned(value, 2);
export const u32 = (value: number): number[] => unsigned(value, 4);
export const u64 = (value: number | bigint): number[] => unsigned(value, 8);
export const uint = unsigned;

/** Address of a dotted quad. */
export const ip = (text: string): number[] => text.split('.').map(Number);

/** Text, filled with zeros up to a length. */
export const text = (value: string, lengthBytes = value.length): number[] =>
  Array.from({ length: lengthBytes }, (_, i) => (i < value.length ? value.charCodeAt(i) : 0));

export const join = (...parts: readonly Part[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

/** A set with its header. */
export const set = (id: number, ...parts: readonly Part[]): Uint8Array => {
  const body = join(...parts);
  return join(u16(id), u16(body.length + 4), body);
};

/** Field specifiers: id and length, or enterprise, id and length (IPFIX only). */
export type FieldSpec = readonly [elementId: number, lengthBytes: number, enterprise?: number];

const specifiers = (fields: readonly FieldSpec[]): Uint8Array => join(...fields.map(([id, lengthBytes, enterprise]) =>
  (enterprise === undefined ? join(u16(id), u16(lengthBytes))
    : join(u16(id | 0x8000), u16(lengthBytes), u32(enterprise)))));

export const template = (id: number, fields: readonly FieldSpec[]): Uint8Array =>
  join(u16(id), u16(fields.length), specifiers(fields));

/** NetFlow v9 options template: lengths in bytes (RFC 3954 §6.1). */
export const optionsTemplate9 = (id: number, scopes: readonly FieldSpec[], fields: readonly FieldSpec[]): Uint8Array =>
  join(u16(id), u16(scopes.length * 4), u16(fields.length * 4), specifiers(scopes), specifiers(fields));

/** IPFIX options template: counts (RFC 7011 §3.4.2.2). */
export const optionsTemplate10 = (id: number, scopeCount: number, fields: readonly FieldSpec[]): Uint8Array =>
  join(u16(id), u16(fields.length), u16(scopeCount), specifiers(fields));

export type HeaderSpec = { seconds?: number; uptimeMs?: number; sequence?: number; domain?: number };

/** Export time of all samples unless they say otherwise. */
export const sampleSeconds = 1_700_000_000;

export const message9 = (header: HeaderSpec, ...sets: readonly Part[]): Uint8Array => join(
  u16(9), u16(sets.length), u32(header.uptimeMs ?? 1_000_000), u32(header.seconds ?? sampleSeconds),
  u32(header.sequence ?? 0), u32(header.domain ?? 0), ...sets);

export const message10 = (header: HeaderSpec, ...sets: readonly Part[]): Uint8Array => {
  const body = join(...sets);
  return join(u16(10), u16(16 + body.length), u32(header.seconds ?? sampleSeconds), u32(header.sequence ?? 0),
    u32(header.domain ?? 0), body);
};

export type Flow5 = { source: string; destination: string; packets: number; octets: number; firstMs: number;
  lastMs: number; ports: readonly [number, number]; protocol: number; flags?: number };

export const message5 = (header: HeaderSpec & { sampling?: number }, flows: readonly Flow5[]): Uint8Array => join(
  u16(5), u16(flows.length), u32(header.uptimeMs ?? 1_000_000), u32(header.seconds ?? sampleSeconds), u32(500_000_000),
  u32(header.sequence ?? 0), u16(header.domain ?? 0), u16(header.sampling ?? 0),
  ...flows.map((flow) => join(ip(flow.source), ip(flow.destination), u32(0), u16(3), u16(4), u32(flow.packets),
    u32(flow.octets), u32(flow.firstMs), u32(flow.lastMs), u16(flow.ports[0]), u16(flow.ports[1]), u8(0),
    u8(flow.flags ?? 0), u8(flow.protocol), u8(0), u16(0), u16(0), u8(0), u8(0), u16(0))));

export const sampleExporter: AddressWords = [0, 0, 0xffff, 0xc0000201];

export const datagram = (bytes: Uint8Array, more: Partial<ExportDatagram> = {}): ExportDatagram =>
  ({ bytes, exporter: sampleExporter, receivedMs: sampleSeconds * 1000, ...more });

/** RFC 7011 A.2.1 and A.3: the template and its three records. */
export const rfc7011Fields: readonly FieldSpec[] = [[8, 4], [12, 4], [15, 4], [2, 4], [1, 4]];
export const rfc7011Records: Uint8Array = join(
  ip('192.0.2.12'), ip('192.0.2.254'), ip('192.0.2.1'), u32(5009), u32(5_344_385),
  ip('192.0.2.27'), ip('192.0.2.23'), ip('192.0.2.2'), u32(748), u32(388_934),
  ip('192.0.2.56'), ip('192.0.2.65'), ip('192.0.2.3'), u32(5), u32(6534));
