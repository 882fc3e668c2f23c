/**
 * The order of categories in an encoder, which is that of scikit-learn's OneHotEncoder: numbers ascending, texts by
 * code point. The order is part of what a classifier is: detectors store places in it.
 */
import { dictionaryOverflowText } from '#flow';

/** False for what a full dictionary stores: it stands for any text, so it is no category of its own. */
export function isCategoryText(text: string): boolean {
  return text !== dictionaryOverflowText;
}

/** Compares texts by code point; `<` compares UTF-16 units, which puts U+10000 and up before U+E000. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return liftSurrogate(left) - liftSurrogate(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others. */
function liftSurrogate(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}
