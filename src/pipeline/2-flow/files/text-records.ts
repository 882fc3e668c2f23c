/**
 * Text in chunks of bytes → records: lines, or several lines where a quoted field holds line ends (RFC 4180 §2).
 * Bounded: a record longer than the limit is handed out as a rejection and dropped, and a stray quote costs one line.
 */
import { limits } from '#base';

export type TextRecord = {
  readonly text: string;
  /** Number of its first line, from 1. */
  readonly line: number;
  /** Why the record cannot be read, '' when it can; `text` is then empty. */
  readonly problem: string;
};

export type TextRecordOptions = {
  /** True where a quoted field may hold line ends. */
  readonly quoted: boolean;
  readonly lineCharactersMax?: number | undefined;
  readonly recordLinesMax?: number | undefined;
};

export class TextRecords {
  readonly #decoder = new TextDecoder('utf-8');
  readonly #quoted: boolean;
  readonly #charactersMax: number;
  readonly #linesMax: number;
  /** Beginning of a line whose end has not come. */
  #tail = '';
  /** True while the rest of a line that was too long is skipped. */
  #isSkipping = false;
  #line = 1;
  /** Lines of a record whose quotes are still open, the first of them at line `#openLine`. */
  #open: string[] = [];
  #openCharacters = 0;
  #openLine = 0;

  constructor(options: TextRecordOptions) {
    this.#quoted = options.quoted;
    this.#charactersMax = options.lineCharactersMax ?? limits.textLineCharactersMax;
    this.#linesMax = options.recordLinesMax ?? limits.textRecordLinesMax;
  }

  /** The records that end in these bytes. */
  push(bytes: Uint8Array): TextRecord[] {
    const records: TextRecord[] = [];
    this.#cutLines(this.#decoder.decode(bytes, { stream: true }), records);
    return records;
  }

  /** What is left when the input has ended. */
  finish(): TextRecord[] {
    const records: TextRecord[] = [];
    this.#cutLines(this.#decoder.decode(), records);
    if (this.#tail !== '') this.#takeLine(this.#tail, this.#line, records);
    this.#tail = '';
    while (this.#open.length > 0) this.#giveUpQuotes(records);
    return records;
  }

  #cutLines(text: string, records: TextRecord[]): void {
    let begin = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', begin)) {
      if (this.#isSkipping) this.#isSkipping = false;
      else if (this.#tail.length + end - begin > this.#charactersMax) this.#rejectLong(records);
      else this.#takeLine(this.#tail + text.slice(begin, end), this.#line, records);
      this.#tail = '';
      this.#line++;
      begin = end + 1;
    }
    if (this.#isSkipping) return;
    this.#tail += text.slice(begin);
    if (this.#tail.length <= this.#charactersMax) return;
    this.#rejectLong(records);
    this.#tail = '';
    this.#isSkipping = true;
  }

  #rejectLong(records: TextRecord[]): void {
    while (this.#open.length > 0) this.#giveUpQuotes(records);
    records.push({ text: '', line: this.#line, problem: `longer than ${this.#charactersMax} characters` });
  }

  /** A line without its line feed: a record, or a part of one. */
  #takeLine(text: string, line: number, records: TextRecord[]): void {
    const isOdd = this.#quoted && text.includes('"') && hasOddQuotes(text);
    if (this.#open.length === 0 && !isOdd) return emit(text, line, records);
    if (this.#open.length === 0) this.#openLine = line;
    this.#open.push(text);
    this.#openCharacters += text.length + 1;
    if (isOdd && this.#open.length > 1) {
      emit(this.#open.join('\n'), this.#openLine, records);
      this.#open = [];
      this.#openCharacters = 0;
    } else if (this.#open.length >= this.#linesMax || this.#openCharacters > this.#charactersMax) {
      this.#giveUpQuotes(records);
    }
  }

  /** The quotes of the open record do not close: its first line is rejected, the others are read anew. */
  #giveUpQuotes(records: TextRecord[]): void {
    const [, ...lines] = this.#open;
    const line = this.#openLine;
    this.#open = [];
    this.#openCharacters = 0;
    records.push({ text: '', line, problem: 'a quoted field does not end' });
    for (let i = 0; i < lines.length; i++) this.#takeLine(lines[i]!, line + 1 + i, records);
  }
}

/** Hands out a record without its carriage return; an empty line is none. */
function emit(text: string, line: number, records: TextRecord[]): void {
  const trimmed = text.endsWith('\r') ? text.slice(0, -1) : text;
  if (trimmed !== '') records.push({ text: trimmed, line, problem: '' });
}

function hasOddQuotes(text: string): boolean {
  let odd = false;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) odd = !odd;
  return odd;
}

/**
 * Fields of a record.
 *
 * @param delimiter  one character
 * @param quoted     true when a field may stand in quotes, where `""` is a quote (RFC 4180 §2)
 * @returns          undefined when the quotes do not fit
 */
export function splitFields(record: string, delimiter: string, quoted: boolean): string[] | undefined {
  if (!quoted || !record.includes('"')) return record.split(delimiter);
  const fields: string[] = [];
  for (let at = 0; ;) {
    if (record[at] !== '"') {
      const end = record.indexOf(delimiter, at);
      const field = end < 0 ? record.slice(at) : record.slice(at, end);
      if (field.includes('"')) return undefined;
      fields.push(field);
      if (end < 0) return fields;
      at = end + 1;
      continue;
    }
    let end = record.indexOf('"', at + 1);
    while (end >= 0 && record[end + 1] === '"') end = record.indexOf('"', end + 2);
    if (end < 0) return undefined;
    fields.push(record.slice(at + 1, end).replaceAll('""', '"'));
    if (end + 1 === record.length) return fields;
    if (record[end + 1] !== delimiter) return undefined;
    at = end + 2;
  }
}
