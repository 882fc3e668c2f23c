/**
 * Simulated frames as packet batches, for whoever wants packets without a capture file between. Ethernet without tags
 * only.
 */
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
  batch.data = new Uint8Array(ip.reduce((sum, { frame }) => sum + frame.length, 0));
  let at = 0;
  for (const { timeMicroseconds, frame, interfaceIndex } of ip) {
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
  return batch;
}

/** 4 or 6 by the Ethernet type, 0 for anything else. */
function ipVersionOf(frame: Uint8Array): number {
  if (frame[12] === 0x08 && frame[13] === 0x00) return 4;
  return frame[12] === 0x86 && frame[13] === 0xdd ? 6 : 0;
}
