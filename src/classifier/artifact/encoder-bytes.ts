/**
 * The encoder section of an artifact: ranges of numbers, categories as texts, and which categorical features are
 * stable. Reading takes hostile bytes: each count is checked against the bytes that are there before anything is
 * allocated.
 *
 *   u16 numeric features · u16 categorical features · u32 zero
 *   numeric features × { f64 min · f64 max }
 *   categorical features × { u32 categories · u32 1 where stable, else 0 }
 *   every category, feature by feature: u16 bytes · UTF-8
 */
import type { FittedEncoder } from '#feature';

export type EncoderSection = {
  readonly numeric: FittedEncoder['numeric'];
  readonly categories: FittedEncoder['categories'];
  readonly stableFeatures: readonly number[];
};

const fixedBytes = 8;
const rangeBytes = 16;
const featureBytes = 8;

export function writeEncoder({ numeric, categories, stableFeatures }: EncoderSection): Uint8Array {
  const encoder = new TextEncoder();
  const texts = categories.flat().map((text) => encoder.encode(text));
  const tableBytes = fixedBytes + numeric.length * rangeBytes + categories.length * featureBytes;
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + 2 + text.length, tableBytes));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, numeric.length, true);
  view.setUint16(2, categories.length, true);
  let at = fixedBytes;
  for (const { min, max } of numeric) {
    view.setFloat64(at, min, true);
    view.setFloat64(at + 8, max, true);
    at += rangeBytes;
  }
  for (const [feature, { length }] of categories.entries()) {
    view.setUint32(at, length, true);
    view.setUint32(at + 4, stableFeatures.includes(feature) ? 1 : 0, true);
    at += featureBytes;
  }
  for (const text of texts) {
    view.setUint16(at, text.length, true);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  }
  return bytes;
}

/** @returns the section, or one sentence that says what is wrong with the bytes */
export function readEncoder(bytes: Uint8Array): EncoderSection | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < fixedBytes) return 'The encoder is shorter than its header.';
  const numericCount = view.getUint16(0, true);
  const categoricalCount = view.getUint16(2, true);
  if (view.getUint32(4, true) !== 0) return "Bytes of the encoder's header that mean nothing are not zero.";
  let at = fixedBytes + numericCount * rangeBytes + categoricalCount * featureBytes;
  if (bytes.length < at) return `The encoder is too short for ${numericCount} and ${categoricalCount} features.`;
  const numeric = Array.from({ length: numericCount }, (_, i) => {
    const rangeAt = fixedBytes + i * rangeBytes;
    return { min: view.getFloat64(rangeAt, true), max: view.getFloat64(rangeAt + 8, true) };
  });
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const categories: string[][] = [];
  const stableFeatures: number[] = [];
  for (let feature = 0; feature < categoricalCount; feature++) {
    const entryAt = fixedBytes + numericCount * rangeBytes + feature * featureBytes;
    const count = view.getUint32(entryAt, true);
    const stable = view.getUint32(entryAt + 4, true);
    if (stable > 1) return `Feature ${feature} of the encoder is neither stable nor not.`;
    if (stable === 1) stableFeatures.push(feature);
    // Two bytes at least for each: no list is longer than the bytes that are there.
    if (count * 2 > bytes.length - at) return `Feature ${feature} of the encoder claims ${count} categories.`;
    const texts: string[] = [];
    for (let i = 0; i < count; i++) {
      if (at + 2 > bytes.length) return 'The categories of the encoder are cut.';
      const end = at + 2 + view.getUint16(at, true);
      if (end > bytes.length) return 'A category of the encoder is cut.';
      try {
        texts.push(decoder.decode(bytes.subarray(at + 2, end)));
      } catch {
        return `Category ${i} of feature ${feature} is no UTF-8.`;
      }
      at = end;
    }
    categories.push(texts);
  }
  if (at !== bytes.length) return `${bytes.length - at} bytes behind the categories of the encoder.`;
  return { numeric, categories, stableFeatures };
}
