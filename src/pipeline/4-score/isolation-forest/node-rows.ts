/**
 * The loops over the rows of a node or of a tree that growing trees is made of: free functions of typed arrays.
 * `places` are the tree's rows, those of a node side by side from `start` to `end`; `base` is where a feature's values
 * begin.
 */

const float32Max = 3.4028234663852886e38;

/** Numbers that no float32 holds become its greatest ones: a threshold between infinities would be none. */
export function gatherNumbers(from: Float32Array, sample: Uint32Array, out: Float32Array, base: number): void {
  for (let i = 0; i < sample.length; i++) {
    const value = from[sample[i] as number] as number;
    out[base + i] = value < float32Max ? Math.max(value, -float32Max) : float32Max;
  }
}

export function gatherCodes(from: Uint16Array, sample: Uint32Array, out: Uint16Array, base: number): void {
  for (let i = 0; i < sample.length; i++) out[base + i] = from[sample[i] as number] as number;
}

/** @param rows  [column]: counts are added from `firstColumn` on */
export function countCategories(codes: Uint16Array, base: number, sampleCount: number, rows: Uint32Array,
  firstColumn: number, categoryCount: number): void {
  for (let i = base; i < base + sampleCount; i++) {
    const code = codes[i] as number;
    if (code < categoryCount) rows[firstColumn + code] = (rows[firstColumn + code] as number) + 1;
  }
}

export function isConstantCode(codes: Uint16Array, base: number, places: Uint16Array, start: number, end: number,
  code: number): boolean {
  const isFirst = codes[base + (places[start] as number)] === code;
  for (let i = start + 1; i < end; i++) {
    if ((codes[base + (places[i] as number)] === code) !== isFirst) return false;
  }
  return true;
}

/** A row that goes right is swapped with the last one that was not looked at. */
export function divideNumbers(values: Float32Array, places: Uint16Array, start: number, end: number,
  threshold: number): number {
  let i = start;
  let middle = end;
  while (i < middle) {
    const value = values[i] as number;
    if (value <= threshold) {
      i++;
      continue;
    }
    middle--;
    values[i] = values[middle] as number;
    values[middle] = value;
    const place = places[i] as number;
    places[i] = places[middle] as number;
    places[middle] = place;
  }
  return middle;
}

/** As `divideNumbers`, of a one-hot column: rows of the category go right, whatever the threshold within 0 … 1. */
export function divideCodes(codes: Uint16Array, base: number, places: Uint16Array, start: number, end: number,
  code: number): number {
  let i = start;
  let middle = end;
  while (i < middle) {
    const place = places[i] as number;
    if (codes[base + place] !== code) {
      i++;
      continue;
    }
    middle--;
    places[i] = places[middle] as number;
    places[middle] = place;
  }
  return middle;
}
