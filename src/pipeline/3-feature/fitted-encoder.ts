/**
 * The encoder that was fitted on the training flows of one device model, as a plain value: ranges of numbers,
 * categories that were seen. Lab and detector apply the same code to it, so they see the same rows.
 */

export type FittedEncoder = {
  /** Catalog that it was fitted with. */
  readonly catalog: string;
  readonly catalogVersion: number;
  /** [numeric feature]: what training showed. */
  readonly numeric: readonly { readonly min: number; readonly max: number }[];
  /**
   * [categorical feature]: categories as text, a number in decimal digits; numbers ascending, texts by code point.
   */
  readonly categories: readonly (readonly string[])[];
};
