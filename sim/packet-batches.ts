/**
 * Simulated frames as packet batches, for whoever wants packets without a capture file between. Ethernet without tags
 * only.
 */
import { limits } from '#base';
import { createPacketBatch, type PacketBatch } from '#capture';
import { linkHeaderBytes } from './packet-builder.ts';
import type { TimedFrame } from './pcap-writer.ts';

/** A frame, and the interface that it was captured on (default 0). */
export type CapturedFrame = TimedFrame & { readonly interfaceIndex?: number };

/**
 * One batch with all IP frames; other frames (ARP) are left out.
 *
 * @param frames  Ethernet frames, in any order of time; copied
 */
export function batchFrames(frames: readonly CapturedFrame[]): PacketBatch {
  const ip = frames.filter(({ frame }) => ipVersionOf(frame) !== 0);
  const batch = createPacketBatch(Math.max(ip.length, 1));
  fillBatch(batch, ip);
  return batch;
}

/**
 * Frames in batches, as a capture reader hands them on; other frames than IP are left out.
 *
 * @param frames     Ethernet frames in the order of their time; copied
 * @param batchRows  rows of a batch at most
 * @returns          one batch again and again, valid until the next
 */
export function* batchPackets(
  frames: Iterable<CapturedFrame>, batchRows: number = limits.packetBatchRows,
): Generator<PacketBatch, void> {
  const batch = createPacketBatch(batchRows);
  const waiting: CapturedFrame[] = [];
  for (const packet of frames) {
    if (ipVersionOf(packet.frame) === 0) continue;
    waiting.push(packet);
    if (waiting.length < batchRows) continue;
    fillBatch(batch, waiting);
    yield batch;
    waiting.length = 0;
  }
  if (waiting.length === 0) return;
  fillBatch(batch, waiting);
  yield batch;
}

/** Fills a batch anew with IP frames, not more than it holds. */
function fillBatch(batch: PacketBatch, frames: readonly CapturedFrame[]): void {
  const neededBytes = frames.reduce((sum, { frame }) => sum + frame.length, 0);
  if (batch.data.length < neededBytes) batch.data = new Uint8Array(neededBytes);
  batch.rowCount = 0;
  let at = 0;
  for (const { timeMicroseconds, frame, interfaceIndex } of frames) {
    const rowIndex = batch.rowCount++;
    batch.data.set(frame, at);
    batch.timeMicroseconds[rowIndex] = timeMicroseconds;
    batch.linkOffset[rowIndex] = at;
    batch.networkOffset[rowIndex] = at + linkHeaderBytes;
    batch.networkBytes[rowIndex] = frame.length - linkHeaderBytes;
    batch.ipVersion[rowIndex] = ipVersionOf(frame);
    batch.interfaceIndex[rowIndex] = interfaceIndex ?? 0;
    at += frame.length;
  }
}

/** 4 or 6 by the Ethernet type, 0 for anything else. */
function ipVersionOf(frame: Uint8Array): number {
  if (frame[12] === 0x08 && frame[13] === 0x00) return 4;
  return frame[12] === 0x86 && frame[13] === 0xdd ? 6 : 0;
}
