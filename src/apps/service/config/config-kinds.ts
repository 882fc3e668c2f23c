/**
 * Kinds of values in the config: texts, numbers, durations, sizes, choices, lists. Each reads a TOML value, writes it
 * back as TOML, and says what it takes; `network-kinds.ts` has those of addresses and servers.
 */
import { durationUnitsMs, parseDuration } from '#base';

/** What is wrong with a value; follows the name of its key in a sentence: "is a duration …, not 10". */
export class ValueFault {
  readonly text: string;
  constructor(sentencePart: string) {
    this.text = sentencePart;
  }
}

export type ValueKind<T> = {
  /** In the docs: "duration". */
  readonly name: string;
  /** What it may be, such as "1s to 7d"; empty: anything of its kind. */
  readonly bounds: string;
  readonly read: (value: unknown) => T | ValueFault;
  /** As TOML; what it writes it reads to the same. (A method, so that kinds of all types fit into one table.) */
  write(value: T): string;
};

/** A value as an operator would know it again. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return writeText(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return value instanceof Date ? 'a date' : 'a table';
}

/** A TOML basic string (TOML 1.0, "String"); what a terminal would not show, or obey, is escaped. */
export function writeText(value: string): string {
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    const digits = (char.codePointAt(0) as number).toString(16);
    return digits.length > 4 ? `\\U${digits.padStart(8, '0')}` : `\\u${digits.padStart(4, '0')}`;
  });
}

const isFault = (value: unknown): value is ValueFault => value instanceof ValueFault;

/**
 * One line of text that goes to terminals, logs and the heads of mails: without control characters, and without those
 * that turn the direction of writing.
 */
export function isPlainText(written: string): boolean {
  return !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(written);
}

export type TextShape = {
  readonly name: string;
  /** What is wrong with a text that the pattern does not match: "is …". */
  readonly expected: string;
  readonly pattern?: RegExp;
  readonly bounds?: string;
  readonly lengthMax?: number;
};

/** A text of one line. */
export function text({ name, expected, pattern, bounds, lengthMax = 255 }: TextShape): ValueKind<string> {
  return {
    name, bounds: bounds ?? '',
    read: (value) => {
      const isRight = typeof value === 'string' && value !== '' && isPlainText(value) &&
        (pattern === undefined || pattern.test(value));
      if (!isRight) return new ValueFault(`is ${expected}, not ${showValue(value)}`);
      return value.length <= lengthMax ? value : new ValueFault(`has more than ${lengthMax} characters`);
    },
    write: writeText,
  };
}

export const flag: ValueKind<boolean> = {
  name: 'true or false', bounds: '',
  read: (value) => typeof value === 'boolean' ? value : new ValueFault(`is true or false, not ${showValue(value)}`),
  write: String,
};

export type NumberBounds = { readonly min: number; readonly max: number };

/** -0 as 0. */
const withoutSign = (value: number): number => value === 0 ? 0 : value;

/** A whole number. */
export function wholeNumber({ min, max }: NumberBounds): ValueKind<number> {
  return {
    name: 'whole number', bounds: `${min} to ${max}`,
    read: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? withoutSign(value as number)
      : new ValueFault(`is a whole number from ${min} to ${max}, not ${showValue(value)}`),
    write: String,
  };
}

/** A number with or without decimals. */
export function decimalNumber({ min, max }: NumberBounds): ValueKind<number> {
  return {
    name: 'number', bounds: `${min} to ${max}`,
    read: (value) => typeof value === 'number' && value >= min && value <= max
      ? withoutSign(value) : new ValueFault(`is a number from ${min} to ${max}, not ${showValue(value)}`),
    write: (value) => {
      const written = String(value);
      return /e/.test(written) && !/\./.test(written) ? written.replace('e', '.0e') : written;
    },
  };
}

/** `90s`, `10m`, `14d`: the largest unit that leaves no rest. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  const [unit, ms] = Object.entries(durationUnitsMs).findLast(([, factor]) => durationMs % factor === 0) ?? ['ms', 1];
  return `${durationMs / ms}${unit}`;
}

/** A duration with its unit. @param bounds  in ms */
export function duration({ min, max }: NumberBounds): ValueKind<number> {
  const bounds = `${formatDuration(min)} to ${formatDuration(max)}`;
  return {
    name: 'duration', bounds,
    read: (value) => {
      if (typeof value === 'number') {
        const hint = Number.isSafeInteger(value) && value >= 0
          ? `; ${value} seconds are "${value === 0 ? '0s' : formatDuration(value * 1_000)}"` : '';
        return new ValueFault(`is a duration with its unit, such as "10m" or "1h", not ${value}${hint}`);
      }
      const durationMs = typeof value === 'string' ? parseDuration(value) : undefined;
      if (durationMs === undefined) {
        return new ValueFault(`is a duration such as "500ms", "10m", "1h" or "14d", not ${showValue(value)}`);
      }
      return durationMs >= min && durationMs <= max
        ? durationMs : new ValueFault(`is a duration from ${bounds}, not ${showValue(value)}`);
    },
    write: (value) => writeText(formatDuration(value)),
  };
}

const unitBytes: Readonly<Record<string, number>> = { B: 1, KiB: 1 << 10, MiB: 1 << 20, GiB: 1 << 30 };

/** `4MiB`: the largest unit that leaves no rest. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0B';
  const [unit, unitSize] = Object.entries(unitBytes).findLast(([, factor]) => bytes % factor === 0) ?? ['B', 1];
  return `${bytes / unitSize}${unit}`;
}

/** A size with its unit. @param bounds  in bytes */
export function size({ min, max }: NumberBounds): ValueKind<number> {
  const bounds = `${formatSize(min)} to ${formatSize(max)}`;
  return {
    name: 'size', bounds,
    read: (value) => {
      const [, count, unit] = typeof value === 'string' ? /^(\d{1,12})(B|KiB|MiB|GiB)$/.exec(value) ?? [] : [];
      if (count === undefined || unit === undefined) {
        const hint = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
          ? `; ${value} bytes are "${formatSize(value)}"` : '';
        return new ValueFault(`is a size with its unit, such as "512KiB" or "4MiB", not ${showValue(value)}${hint}`);
      }
      const bytes = Number(count) * (unitBytes[unit] as number);
      return bytes >= min && bytes <= max
        ? bytes : new ValueFault(`is a size from ${bounds}, not ${showValue(value)}`);
    },
    write: (value) => writeText(formatSize(value)),
  };
}

const orOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

/** One of a few words, each with its value. */
export function choiceOf<T>(values: ReadonlyMap<string, T>): ValueKind<T> {
  const words = orOf([...values.keys()].map(writeText));
  return {
    name: 'one of', bounds: words,
    read: (value) => {
      const chosen = typeof value === 'string' ? values.get(value) : undefined;
      return chosen === undefined ? new ValueFault(`is ${words}, not ${showValue(value)}`) : chosen;
    },
    write: (value) => writeText([...values].find(([, candidate]) => candidate === value)?.[0] ?? ''),
  };
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[]): ValueKind<T> {
  return choiceOf(new Map(words.map((word) => [word, word])));
}

/** A list of one kind without the same value twice. */
export function listOf<T>(kind: ValueKind<T>, more: { countMax?: number; countMin?: number } = {}):
  ValueKind<readonly T[]> {
  const { countMax = 1_024, countMin = 0 } = more;
  const isOfWords = kind.name === 'one of';
  return {
    name: `list of ${isOfWords ? 'words' : pluralOf(kind.name)}`, bounds: kind.bounds,
    read: (value) => {
      if (!Array.isArray(value)) return new ValueFault(`is a list in brackets, not ${showValue(value)}`);
      if (value.length > countMax) return new ValueFault(`has ${value.length} entries; ${countMax} are the most`);
      if (value.length < countMin) return new ValueFault('must not be empty');
      const seen = new Set<string>();
      const out: T[] = [];
      for (const [i, element] of value.entries()) {
        const read = kind.read(element);
        if (isFault(read)) return new ValueFault(`${countOf(i)} ${read.text}`);
        const written = kind.write(read);
        if (seen.has(written)) return new ValueFault(`has ${written} twice`);
        seen.add(written);
        out.push(read);
      }
      return out;
    },
    write: (values) => `[${values.map((value) => kind.write(value)).join(', ')}]`,
  };
}

/** A program with its arguments, which may repeat. */
export const command: ValueKind<readonly string[]> = {
  name: 'program and arguments', bounds: '',
  read: (value) => Array.isArray(value) && value.length > 0 && value.length <= 64 && value[0] !== '' &&
    value.every((part) => typeof part === 'string' && part.length <= 4_096 && !part.includes('\0'))
    ? value as string[]
    : new ValueFault(`is a program and its arguments, such as ["/usr/local/bin/ask", "--brief"], not ${
      showValue(value)}`),
  write: (parts) => `[${parts.map(writeText).join(', ')}]`,
};

function pluralOf(name: string): string {
  return name.endsWith('s') ? `${name}es` : name.endsWith('x') ? `${name}es` : `${name}s`;
}

/** "(entry 2)": which element of a list is meant, counted from 1. */
function countOf(index: number): string {
  return `(entry ${index + 1})`;
}
