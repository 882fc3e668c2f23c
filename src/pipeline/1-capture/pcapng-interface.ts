/**
 * Interfaces of a pcapng section: link type, snap length and clock (draft-ietf-opsawg-pcapng §4.2).
 * Never throws on bad options: an option that is none is left out, as if it were absent.
 */

/** `opt_endofopt`, §3.5. */
const optionEnd = 0;
/** §4.2: `if_tsresol`, one byte. */
const optionTimeResolution = 9;
/** §4.2: `if_tsoffset`, eight bytes, signed seconds. */
const optionTimeOffset = 14;

/**
 * An interface. With `divisor` > 0 a time of `high` · 2^32 + `low` ticks is
 * `high · highFactor + floor((high · highRemainder + low · lowFactor) / divisor)` microseconds, exactly;
 * with `divisor` 0 doubles are not enough.
 */
export type CaptureInterface = {
  readonly linkType: number;
  /** Captured bytes at most; 0 for no limit. */
  readonly snapLengthBytes: number;
  readonly highFactor: number;
  readonly highRemainder: number;
  readonly lowFactor: number;
  readonly divisor: number;
  /** `if_tsresol` as it is in the file. */
  readonly resolution: number;
  readonly offsetMicroseconds: number;
};

/**
 * Reads an interface description block.
 *
 * @param at   offset of the block's body
 * @param end  offset behind the body; at least 8 more than `at`
 */
export function readInterface(view: DataView, at: number, end: number, isLittleEndian: boolean): CaptureInterface {
  let resolution = 6;
  let offsetSeconds = 0;
  for (let option = at + 8; option + 4 <= end; ) {
    const code = view.getUint16(option, isLittleEndian);
    const bytes = view.getUint16(option + 2, isLittleEndian);
    const value = option + 4;
    if (code === optionEnd || value + bytes > end) break;
    if (code === optionTimeResolution && bytes === 1) resolution = view.getUint8(value);
    if (code === optionTimeOffset && bytes === 8) {
      offsetSeconds = Number(view.getBigInt64(value, isLittleEndian));
    }
    option = value + ((bytes + 3) & ~3);
  }
  return {
    linkType: view.getUint16(at, isLittleEndian),
    snapLengthBytes: view.getUint32(at + 4, isLittleEndian),
    ...factorsOf(resolution),
    resolution,
    offsetMicroseconds: offsetSeconds * 1e6,
  };
}

type Factors = Pick<CaptureInterface, 'highFactor' | 'highRemainder' | 'lowFactor' | 'divisor'>;

/** Factors for powers of ten up to 10^-12; finer ones and powers of two would not be exact in doubles. */
function factorsOf(resolution: number): Factors {
  if (resolution > 12) return { highFactor: 0, highRemainder: 0, lowFactor: 0, divisor: 0 };
  if (resolution <= 6) {
    const factor = 10 ** (6 - resolution);
    return { highFactor: factor * 2 ** 32, highRemainder: 0, lowFactor: factor, divisor: 1 };
  }
  const divisor = 10 ** (resolution - 6);
  return { highFactor: Math.floor(2 ** 32 / divisor), highRemainder: 2 ** 32 % divisor, lowFactor: 1, divisor };
}

/** Time of a packet, in whole microseconds since the Unix epoch. */
export function microseconds(captureInterface: CaptureInterface, high: number, low: number): number {
  const { divisor, highFactor, highRemainder, lowFactor, resolution, offsetMicroseconds } = captureInterface;
  return offsetMicroseconds + (divisor === 0 ? slowMicroseconds(high, low, resolution)
    : high * highFactor + Math.floor((high * highRemainder + low * lowFactor) / divisor));
}

/** Time in whole microseconds at any resolution, without the offset. */
function slowMicroseconds(high: number, low: number, resolution: number): number {
  const ticks = (BigInt(high) << 32n) | BigInt(low);
  const exponent = BigInt(resolution & 0x7f);
  return Number((ticks * 1_000_000n) / ((resolution & 0x80) === 0 ? 10n ** exponent : 1n << exponent));
}
