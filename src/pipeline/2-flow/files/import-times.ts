/** Times as other programs write them: epoch seconds, milliseconds or microseconds, or a date; into milliseconds. */
import { parseUint } from './cells.ts';

/** Milliseconds of `1655071198.444458` seconds, exact to the microsecond; NaN when the text is no such number. */
export function parseSecondsMs(text: string): number {
  const dot = text.indexOf('.');
  const seconds = parseUint(dot < 0 ? text : text.slice(0, dot), 4e9);
  if (seconds < 0) return Number.NaN;
  if (dot < 0) return seconds * 1_000;
  const decimals = text.slice(dot + 1);
  if (decimals.length > 15 || parseUint(decimals, Number.MAX_SAFE_INTEGER) < 0) return Number.NaN;
  const microseconds = Number(decimals.slice(0, 6).padEnd(6, '0'));
  return (seconds * 1_000_000 + microseconds) / 1_000;
}

/** `seconds` may carry decimals; the unit of a column is decided once, from its first value. */
export type TimeUnit = 'seconds' | 'milliseconds' | 'microseconds' | 'date';

/** Smaller numbers are not epoch seconds (September 1998) but milliseconds since the exporter started. */
const epochSecondsMin = 9e8;
const epochMillisecondsMin = 1e11;
const epochMicrosecondsMin = 1e14;

/** Unit of a time of which only its size speaks, or undefined when the text is no time. */
export function guessTimeUnit(text: string): TimeUnit | undefined {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number)) return Number.isNaN(parseDateMs(text)) ? undefined : 'date';
  if (number >= epochMicrosecondsMin) return 'microseconds';
  if (number >= epochMillisecondsMin) return 'milliseconds';
  return number >= epochSecondsMin ? 'seconds' : 'milliseconds';
}

/** Milliseconds of a time in a unit; NaN when the text is none. */
export function parseTimeMs(text: string, unit: TimeUnit): number {
  if (unit === 'seconds') return parseSecondsMs(text);
  if (unit === 'date') return parseDateMs(text);
  const dot = text.indexOf('.');
  if (dot >= 0 && !/^\d+\.\d{1,9}$/.test(text)) return Number.NaN;
  const value = dot < 0 ? parseUint(text, 9e15) : Number(text);
  if (value < 0) return Number.NaN;
  return unit === 'microseconds' ? value / 1_000 : value;
}

/** Milliseconds of `2021-03-02 12:00:01.5`, taken as UTC; NaN when the text is no date. */
function parseDateMs(text: string): number {
  const match = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?Z?$/.exec(text);
  if (match === null) return Number.NaN;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return Number.NaN;
  const microseconds = Number((match[7] ?? '').padEnd(6, '0'));
  return (Date.UTC(year, month - 1, day, hour, minute, second) * 1_000 + microseconds) / 1_000;
}
