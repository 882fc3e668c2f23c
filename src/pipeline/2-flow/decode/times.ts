/**
 * Times of NetFlow and IPFIX as milliseconds since the Unix epoch: uptime (RFC 3954 §5.1 and §8), RFC 7011 §6.1.7-10,
 * and deltas from the export time (RFC 5102 §5.9.9). Uptime is modulo 2^32, so its distance to the header's is signed.
 */
import type { Run } from './field-kernels.ts';
import { readUnsigned } from './field-kernels.ts';
import { read32 } from './message-header.ts';

/** Seconds from the NTP epoch (1900) to the Unix epoch. */
const ntpToUnixSeconds = 2_208_988_800;
/** RFC 7011 §6.1.9: the lowest 11 bits of the fraction do not count for microseconds. */
export const microsecondFractionMask = 0xffff_f800;
/** RFC 7011 §6.1.10: all bits count for nanoseconds. */
export const nanosecondFractionMask = 0xffff_ffff;

/** A pair of clocks read at one instant: what the uptime was when the Unix clock said so. */
export type UptimeClock = { readonly uptimeMs: number; readonly unixMs: number };

/** Unix time of an uptime near an instant (within 24.8 days before or after). */
export function placeUptime(uptimeMs: number, clock: UptimeClock): number {
  return clock.unixMs - ((clock.uptimeMs - uptimeMs) | 0);
}

/**
 * Uptimes of 4 bytes (or fewer) as Unix times. Eight bytes hold Unix milliseconds: Cisco's NX-OS sends those under the
 * number of an uptime (`quirks.ts`).
 */
export function readRunUptime(run: Run, out: Float64Array, clock: UptimeClock): void {
  const { bytes, lengthBytes, stride, count, row } = run;
  const { uptimeMs, unixMs } = clock;
  let at = run.at;
  if (lengthBytes === 4) {
    for (let i = 0; i < count; i++, at += stride) out[row + i] = unixMs - ((uptimeMs - read32(bytes, at)) | 0);
    return;
  }
  for (let i = 0; i < count; i++, at += stride) {
    const value = readUnsigned(bytes, at, lengthBytes);
    out[row + i] = value > 0xffff_ffff ? value : placeUptime(value, clock);
  }
}

/** dateTimeMicroseconds or dateTimeNanoseconds: NTP seconds and fraction. */
export function readRunNtp(run: Run, out: Float64Array, fractionMask: number): void {
  let at = run.at;
  for (let i = 0; i < run.count; i++, at += run.stride) out[run.row + i] = readNtp(run.bytes, at, fractionMask);
}

/** Milliseconds of one NTP time stamp of 8 bytes. Seconds without the top bit are of the era after 2036. */
export function readNtp(bytes: Uint8Array, at: number, fractionMask: number): number {
  const seconds = read32(bytes, at);
  const era = seconds < 0x8000_0000 ? 0x1_0000_0000 : 0;
  const fraction = ((read32(bytes, at + 4) & fractionMask) >>> 0) / 0x1_0000_0000;
  return (seconds + era - ntpToUnixSeconds) * 1000 + fraction * 1000;
}

/** 158 and 159: microseconds before the export time. */
export function readRunDelta(run: Run, out: Float64Array, exportMs: number): void {
  let at = run.at;
  for (let i = 0; i < run.count; i++, at += run.stride) {
    out[run.row + i] = exportMs - readUnsigned(run.bytes, at, run.lengthBytes) / 1000;
  }
}
