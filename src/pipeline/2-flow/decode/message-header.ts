/**
 * Message headers: NetFlow v5 (Cisco's layout, 24 bytes), NetFlow v9 (RFC 3954 §5.1, 20 bytes), IPFIX (RFC 7011 §3.1,
 * 16 bytes). Reads numbers only; judges nothing but the length of the header itself.
 */
import type { ExportProblemCode, ExportVersion } from './export-types.ts';

/** Header of the message that is being decoded; one object is filled again and again. */
export type MessageHeader = {
  version: ExportVersion;
  headerBytes: number;
  /** What the message says of its own length: bytes for IPFIX, records for v5, records (not relied on) for v9. */
  announced: number;
  /** Milliseconds since the exporter started; 0 for IPFIX, which has none. */
  uptimeMs: number;
  /** When the message was sent, Unix epoch. */
  exportMs: number;
  sequence: number;
  /** Observation domain, source id, or engine type · 256 + engine id. */
  domain: number;
  /** v5 only: one packet of so many, 0 when not told. */
  samplingInterval: number;
};

/** An empty header. */
export function createMessageHeader(): MessageHeader {
  return {
    version: 9, headerBytes: 0, announced: 0, uptimeMs: 0, exportMs: 0, sequence: 0, domain: 0, samplingInterval: 0,
  };
}

/** Big-endian 16 bits. */
export function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Big-endian 32 bits, unsigned. */
export function read32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>> 0;
}

/**
 * Reads the header at the beginning of a message.
 *
 * @param out  overwritten when there is a header
 * @returns why there is none, or undefined
 */
export function readMessageHeader(bytes: Uint8Array, out: MessageHeader): ExportProblemCode | undefined {
  if (bytes.length < 2) return 'cut-header';
  const version = read16(bytes, 0);
  if (version !== 5 && version !== 9 && version !== 10) return 'unknown-version';
  const headerBytes = version === 5 ? 24 : version === 9 ? 20 : 16;
  if (bytes.length < headerBytes) return 'cut-header';
  out.version = version;
  out.headerBytes = headerBytes;
  out.announced = read16(bytes, 2);
  out.samplingInterval = 0;
  if (version === 10) {
    out.uptimeMs = 0;
    out.exportMs = read32(bytes, 4) * 1000;
    out.sequence = read32(bytes, 8);
    out.domain = read32(bytes, 12);
    return undefined;
  }
  out.uptimeMs = read32(bytes, 4);
  out.exportMs = read32(bytes, 8) * 1000;
  if (version === 9) {
    out.sequence = read32(bytes, 12);
    out.domain = read32(bytes, 16);
    return undefined;
  }
  out.exportMs += read32(bytes, 12) / 1e6;
  out.sequence = read32(bytes, 16);
  out.domain = read16(bytes, 20);
  // The upper two bits are the sampling mode, the others the interval.
  out.samplingInterval = read16(bytes, 22) & 0x3fff;
  return undefined;
}
