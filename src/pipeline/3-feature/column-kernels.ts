/**
 * Kernels that read columns of a flow batch into a feature: free functions of typed arrays, without allocation. What a
 * value is must not depend on the machine, so logarithms are made of exact operations alone.
 */

/** A column of numbers of a flow batch. */
export type Numbers = Readonly<Float64Array | Uint32Array | Uint16Array | Uint8Array>;

/** Copies the first rows of a column. */
export function copyColumn(
  from: Numbers, rowCount: number, out: Float64Array | Uint32Array,
): void {
  for (let row = 0; row < rowCount; row++) out[row] = from[row] as number;
}

/** Later minus earlier; 0 where the clock of the exporter ran backwards. */
export function subtractColumns(later: Numbers, earlier: Numbers, rowCount: number, out: Float64Array): void {
  for (let row = 0; row < rowCount; row++) {
    const difference = (later[row] as number) - (earlier[row] as number);
    out[row] = difference > 0 ? difference : 0;
  }
}

/** Quotient of two columns; 0 where the divisor is 0. */
export function divideColumns(dividend: Numbers, divisor: Numbers, rowCount: number, out: Float64Array): void {
  for (let row = 0; row < rowCount; row++) {
    const by = divisor[row] as number;
    out[row] = by > 0 ? (dividend[row] as number) / by : 0;
  }
}

/** 2^-exponent: to multiply by it is exact. */
const inversePowers = Float64Array.from({ length: 64 }, (_, exponent) => 2 ** -exponent);
const largest = 2 ** 63;

/**
 * About log2(1 + x): exact at powers of two, straight between them, at most 0.0861 below the logarithm. It grows with
 * x, and is the same to the last bit on every machine, which `Math.log2` does not promise (ECMA-262 §21.3.2).
 *
 * @param x  at least 0; from 2^63 on all are taken for 2^63
 */
export function log2OfOnePlus(x: number): number {
  const value = x + 1 < largest ? x + 1 : largest;
  const exponent = value < 0x1_0000_0000 ? 31 - Math.clz32(value) : 63 - Math.clz32(value / 0x1_0000_0000);
  return exponent + (value * (inversePowers[exponent] as number) - 1);
}

/** `log2OfOnePlus` of every row, in place. */
export function takeLogs(rowCount: number, out: Float64Array): void {
  for (let row = 0; row < rowCount; row++) out[row] = log2OfOnePlus(out[row] as number);
}
