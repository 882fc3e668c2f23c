/** What values of an artifact may be, whatever section they come from: asked before anything is believed. */

/** Characters of a device model's name. */
export const deviceModelLengthMax = 255;

export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Texts come to a terminal: no control characters, nor those that turn the direction of writing. */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(value);

export const isDeviceModel = (value: unknown): value is string =>
  isText(value) && value !== '' && value.length <= deviceModelLengthMax && !/\s/u.test(value);

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A share of something: 0..1. */
export const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;

/** Does each come before the next? Then none is there twice. */
export const isAscending = (values: readonly (number | string)[]): boolean =>
  values.every((value, i) => i === 0 || (values[i - 1] as number | string) < value);
