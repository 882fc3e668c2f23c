/**
 * Whether a fitted encoder that came from bytes is one: of a catalog that there is, its ranges finite, its categories
 * in order. Whoever reads encoders asks this before `createEncoder`, which takes a broken one for our own bug.
 */
import { limits } from '#base';
import { findCatalog } from './catalogs.ts';
import { compareCodePoints, isCategoryText } from './category-order.ts';
import type { FittedEncoder } from './fitted-encoder.ts';

/**
 * What is wrong with an encoder.
 *
 * @returns one sentence, or undefined when it is sound
 */
export function describeUnsoundEncoder(fitted: FittedEncoder): string | undefined {
  const catalog = findCatalog(fitted.catalog, fitted.catalogVersion);
  if (catalog === undefined) {
    return `There is no catalog ${fitted.catalog} in version ${fitted.catalogVersion}.`;
  }
  if (fitted.numeric.length !== catalog.numeric.length || fitted.categories.length !== catalog.categorical.length) {
    return `The encoder has ${fitted.numeric.length} numeric and ${fitted.categories.length} categorical features, ` +
      `and the catalog ${catalog.numeric.length} and ${catalog.categorical.length}.`;
  }
  for (const [i, { name }] of catalog.numeric.entries()) {
    const { min, max } = fitted.numeric[i] as FittedEncoder['numeric'][number];
    if (!(Number.isFinite(min) && Number.isFinite(max) && min <= max && Number.isFinite(max - min))) {
      return `${name} has a range from ${min} to ${max}.`;
    }
  }
  for (const [i, { name, dictionary }] of catalog.categorical.entries()) {
    const categories = fitted.categories[i] as readonly string[];
    if (categories.length > limits.categoriesMax) return `${name} has more than ${limits.categoriesMax} categories.`;
    const isNumber = dictionary === undefined;
    if (!isNumber && !categories.every(isCategoryText)) return `${name} has a category that stands for any text.`;
    for (let code = 0; code < categories.length; code++) {
      const text = categories[code] as string;
      if (isNumber && !isCategoryNumber(text)) return `${name} has a category that is no number below 2^32.`;
      const before = categories[code - 1];
      if (before === undefined) continue;
      const order = isNumber ? Number(before) - Number(text) : compareCodePoints(before, text);
      if (order >= 0) return `Categories of ${name} are not in order, or one is there twice.`;
    }
  }
  return undefined;
}

/** Decimal digits as `String` writes them. */
function isCategoryNumber(text: string): boolean {
  return /^(?:0|[1-9]\d{0,9})$/.test(text) && Number(text) <= 0xffff_ffff;
}
