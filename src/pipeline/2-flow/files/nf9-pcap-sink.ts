/**
 * NetFlow v9 as it would cross a network: a pcap file (draft-ietf-opsawg-pcap) of Ethernet frames with UDP datagrams
 * to port 2055, for programs that read captures. Addresses are those of documentation (RFC 5737); nobody is named.
 */
import { protocolUdp } from '#base';
import { encoderDefaults } from '../encode/flow-encoder.ts';
import { ExportSink, type MessageFraming } from './export-sink.ts';
import type { OutputTarget } from './output-target.ts';

const ethernetBytes = 14;
const ipv4Bytes = 20;
const udpBytes = 8;
const recordHeaderBytes = 16;
const datagramAt = recordHeaderBytes + ethernetBytes + ipv4Bytes + udpBytes;

const exporterAddress = 0xc0000201;
const collectorAddress = 0xc0000202;
const exporterPort = 50_000;
/** The port that collectors customarily listen at. */
const collectorPort = 2_055;

const framing: MessageFraming = { fileHeader: createFileHeader(), headerBytes: datagramAt, putHeader: putFrameHeader };

/** A sink for a capture of NetFlow v9 datagrams. Takes over the target. */
export function createNf9PcapSink(target: OutputTarget): ExportSink {
  return new ExportSink(target, framing, { ...encoderDefaults, version: 9 });
}

/** §4: microseconds, version 2.4, frames of up to 64 KiB, link type Ethernet. */
function createFileHeader(): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b2c3d4);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, 0x10000);
  view.setUint32(20, 1);
  return bytes;
}

function putFrameHeader(bytes: Uint8Array, message: number, exportMs: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const seconds = Math.min(Math.max(Math.floor(exportMs / 1000), 0), 0xffffffff);
  bytes.fill(0, 0, datagramAt);
  view.setUint32(0, seconds);
  view.setUint32(4, Math.min(Math.max(Math.floor((exportMs - seconds * 1000) * 1000), 0), 999_999));
  view.setUint32(8, bytes.length - recordHeaderBytes);
  view.setUint32(12, bytes.length - recordHeaderBytes);
  let at = recordHeaderBytes;
  // Locally administered addresses 02:00:00:00:00:02 from …:01.
  view.setUint16(at, 0x0200);
  view.setUint32(at + 2, 2);
  view.setUint16(at + 6, 0x0200);
  view.setUint32(at + 8, 1);
  view.setUint16(at + 12, 0x0800);
  at += ethernetBytes;
  putIPv4Header(view, at, message);
  at += ipv4Bytes;
  view.setUint16(at, exporterPort);
  view.setUint16(at + 2, collectorPort);
  view.setUint16(at + 4, bytes.length - at);
  view.setUint16(at + 6, udpChecksum(view, at));
}

/** RFC 791 §3.1. */
function putIPv4Header(view: DataView, at: number, message: number): void {
  view.setUint16(at, 0x4500);
  view.setUint16(at + 2, view.byteLength - at);
  view.setUint16(at + 4, message);
  // Do not fragment; 64 hops.
  view.setUint16(at + 6, 0x4000);
  view.setUint16(at + 8, 0x4000 | protocolUdp);
  view.setUint32(at + 12, exporterAddress);
  view.setUint32(at + 16, collectorAddress);
  view.setUint16(at + 10, checksum(view, at, at + ipv4Bytes, 0));
}

/** RFC 768: over a pseudo header too; a sum of zero is sent as all ones. */
function udpChecksum(view: DataView, at: number): number {
  const addresses = (exporterAddress >>> 16) + (exporterAddress & 0xffff) +
    (collectorAddress >>> 16) + (collectorAddress & 0xffff);
  return checksum(view, at, view.byteLength, addresses + protocolUdp + view.byteLength - at) || 0xffff;
}

/** RFC 1071, over an even number of bytes: messages are padded to whole words. */
function checksum(view: DataView, from: number, end: number, start: number): number {
  let sum = start;
  for (let at = from; at < end; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum >>> 16) + (sum & 0xffff);
  return ~sum & 0xffff;
}
