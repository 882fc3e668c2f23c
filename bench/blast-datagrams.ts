/**
 * Datagrams of an exporter for the blaster: NetFlow v5, v9 (RFC 3954) and IPFIX (RFC 7011), full as routers fill them,
 * made once; what changes from one to the next (sequence number, times, domain) is written into them when they are
 * sent.
 */
import { Random } from '#base';

export type BlastProtocol = 5 | 9 | 10;

/** Field type and length. IPFIX has no uptime in its header, so its times are absolute. */
const netflow9Fields = [
  [8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [5, 1], [6, 1], [1, 4], [2, 4], [22, 4], [21, 4], [10, 2], [14, 2],
] as const;
const ipfixFields = [
  [8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [5, 1], [6, 1], [1, 4], [2, 4], [152, 8], [153, 8], [10, 2], [14, 2],
] as const;
/** From the record's beginning: where its two times stand. */
const timesAt = { 5: 24, 9: 23, 10: 23 } as const;
const headerBytes = { 5: 24, 9: 20, 10: 16 } as const;
const recordBytes = { 5: 48, 9: 35, 10: 43 } as const;
/** What an Ethernet frame holds; 38 is what nfcapd's own figures are of. */
export const recordsMax = { 5: 30, 9: 38, 10: 33 } as const;
const templateId = 256;
/** Of the exporter when it begins to send. */
const startUptimeMs = 1_000_000;
const flowAgeMsMax = 100_000;

export type MadeDatagrams = {
  readonly protocol: BlastProtocol;
  readonly recordsPerDatagram: number;
  /** Empty: the protocol has no templates. */
  readonly template: Uint8Array;
  /** All of one length, one after the other. */
  readonly data: Uint8Array;
  readonly datagramBytes: number;
};

/** @param startMs  wall clock, by which the records' times are */
export function makeBlast(
  protocol: BlastProtocol, recordsPerDatagram: number, datagrams: number, seed: number, startMs: number,
): MadeDatagrams {
  const random = new Random(seed);
  const setBytes = protocol === 5 ? 0 : 4;
  const payload = recordsPerDatagram * recordBytes[protocol];
  const datagramBytes = headerBytes[protocol] + setBytes + Math.ceil(payload / 4) * 4;
  const data = new Uint8Array(datagrams * datagramBytes);
  for (let i = 0; i < datagrams; i++) {
    const one = data.subarray(i * datagramBytes, (i + 1) * datagramBytes);
    const view = new DataView(one.buffer, one.byteOffset, one.byteLength);
    let at: number = headerBytes[protocol];
    if (setBytes > 0) {
      view.setUint16(at, templateId);
      view.setUint16(at + 2, datagramBytes - at);
      at += setBytes;
    }
    for (let record = 0; record < recordsPerDatagram; record++, at += recordBytes[protocol]) {
      for (let byte = 0; byte < recordBytes[protocol]; byte++) one[at + byte] = random.uint32();
      writeTimes(view, at + timesAt[protocol], protocol, random.integer(1, flowAgeMsMax), startMs);
    }
    writeHead(view, protocol, recordsPerDatagram);
  }
  return { protocol, recordsPerDatagram, template: makeTemplate(protocol), data, datagramBytes };
}

/** What a datagram is patched with. */
export type DatagramStamp = {
  readonly sequence: number;
  readonly domain: number;
  readonly elapsedMs: number;
  readonly nowMs: number;
};

/** Writes what changes into a datagram. */
export function stampDatagram(view: DataView, at: number, protocol: BlastProtocol, stamp: DatagramStamp): void {
  const seconds = Math.floor(stamp.nowMs / 1000);
  if (protocol === 10) {
    view.setUint32(at + 4, seconds);
    view.setUint32(at + 8, stamp.sequence);
    view.setUint32(at + 12, stamp.domain);
    return;
  }
  view.setUint32(at + 4, startUptimeMs + stamp.elapsedMs);
  view.setUint32(at + 8, seconds);
  if (protocol === 9) {
    view.setUint32(at + 12, stamp.sequence);
    view.setUint32(at + 16, stamp.domain);
    return;
  }
  view.setUint32(at + 12, Math.floor(stamp.nowMs % 1000) * 1_000_000);
  view.setUint32(at + 16, stamp.sequence);
  // Engine type and id are what NetFlow v5 has for a domain.
  view.setUint16(at + 20, stamp.domain);
}

/** By how much the sequence number rises: v9 counts datagrams, the others records. */
export function sequenceStep(protocol: BlastProtocol, records: number): number {
  return protocol === 9 ? 1 : records;
}

function writeTimes(view: DataView, at: number, protocol: BlastProtocol, ageMs: number, startMs: number): void {
  if (protocol === 10) {
    view.setBigUint64(at, BigInt(Math.floor(startMs) - ageMs));
    view.setBigUint64(at + 8, BigInt(Math.floor(startMs) - Math.floor(ageMs / 2)));
  } else {
    view.setUint32(at, startUptimeMs - ageMs);
    view.setUint32(at + 4, startUptimeMs - Math.floor(ageMs / 2));
  }
}

/** Version, and the count of records or the length. */
function writeHead(view: DataView, protocol: BlastProtocol, records: number): void {
  view.setUint16(0, protocol);
  view.setUint16(2, protocol === 10 ? view.byteLength : records);
  // No sampling.
  if (protocol === 5) view.setUint16(22, 0);
}

function makeTemplate(protocol: BlastProtocol): Uint8Array {
  if (protocol === 5) return new Uint8Array(0);
  const fields = protocol === 9 ? netflow9Fields : ipfixFields;
  const words = [protocol === 9 ? 0 : 2, 8 + fields.length * 4, templateId, fields.length, ...fields.flat()];
  const bytes = new Uint8Array(headerBytes[protocol] + words.length * 2);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setUint16(headerBytes[protocol] + i * 2, word));
  writeHead(view, protocol, 1);
  return bytes;
}
