/**
 * The log: one JSON object a line, with a time, a level, an event and fields. Made so that nothing private gets into it
 * by accident: a field takes numbers, literals and branded texts only, never a plain `string`; homes come as
 * pseudonyms, and texts from elsewhere lose their addresses. Sampled by event, so that a flood of one kind fills no
 * disk.
 */
import { InvariantError } from './errors.ts';
import { limits } from './limits.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

declare const brand: unique symbol;
/** A home or exporter, named so that only who has the state can tell which. */
export type Pseudonym = string & { readonly [brand]: 'pseudonym' };
/** A text that may be logged. */
export type LogText = string & { readonly [brand]: 'log text' };

type LogValue = string | number | boolean | null | undefined;
export type LogFields = Readonly<Record<string, LogValue>>;
/** A plain `string` could hold anything, a home's name for one: it is refused by the compiler. */
export type Loggable<F extends LogFields> =
  { readonly [K in keyof F]: string extends F[K] ? 'wrap it: logText(), configText() or a Pseudonym' : F[K] };

/** Where lines go: standard error, a file, an array in tests. */
export type LogStream = {
  /** @param done  told of an error, such as a full disk; what was written then may be cut */
  readonly write: (line: string, done: (error?: Error | null) => void) => unknown;
  /** Characters that were written and not yet taken. */
  readonly writableLength?: number;
};

export type LoggerOptions = {
  readonly level: LogLevel;
  readonly stream: LogStream;
  /** Wall clock; only lines show it. */
  readonly nowMs: () => number;
  /** Lines of one event a minute; further ones are counted, and the count is logged. */
  readonly linesPerMinute?: number;
};

const minuteMs = 60_000;

type Sample = { minute: number; lines: number; suppressed: number; level: LogLevel };

export class Logger {
  /** Lines that could not be written, because nobody reads or the disk is full. */
  lostLines = 0;
  /** The last write may have left a line without its end. */
  #isCut = false;
  readonly #options: LoggerOptions;
  readonly #levelIndex: number;
  readonly #linesPerMinute: number;
  readonly #samples = new Map<string, Sample>();

  constructor(options: LoggerOptions) {
    this.#options = options;
    this.#levelIndex = logLevels.indexOf(options.level);
    this.#linesPerMinute = options.linesPerMinute ?? limits.logLinesPerMinute;
  }

  debug<const F extends LogFields>(event: string, fields?: F & Loggable<F>): void {
    this.#log('debug', event, fields);
  }

  info<const F extends LogFields>(event: string, fields?: F & Loggable<F>): void {
    this.#log('info', event, fields);
  }

  warn<const F extends LogFields>(event: string, fields?: F & Loggable<F>): void {
    this.#log('warn', event, fields);
  }

  error<const F extends LogFields>(event: string, fields?: F & Loggable<F>): void {
    this.#log('error', event, fields);
  }

  /** Logs the counts of lines held back in minutes that are over; call it now and then, and at the end. */
  flush(): void {
    const minute = Math.floor(this.#options.nowMs() / minuteMs);
    for (const [event, sample] of this.#samples) {
      if (sample.minute === minute) continue;
      this.#tellSuppressed(event, sample);
      this.#samples.delete(event);
    }
  }

  /** The same for all, also of the minute that runs. */
  end(): void {
    for (const [event, sample] of this.#samples) this.#tellSuppressed(event, sample);
    this.#samples.clear();
  }

  #log(level: LogLevel, event: string, fields: LogFields | undefined): void {
    if (logLevels.indexOf(level) < this.#levelIndex) return;
    const minute = Math.floor(this.#options.nowMs() / minuteMs);
    const sample = this.#sampleOf(event, minute, level);
    if (sample.lines >= this.#linesPerMinute) {
      sample.suppressed++;
      return;
    }
    sample.lines++;
    this.#write(level, event, fields);
  }

  #sampleOf(event: string, minute: number, level: LogLevel): Sample {
    // Events are named in our code, so there are few; beyond the limit they share one count.
    const key = this.#samples.has(event) || this.#samples.size < limits.logEventsMax ? event : '(other)';
    const known = this.#samples.get(key);
    if (known?.minute === minute) return known;
    if (known !== undefined) this.#tellSuppressed(key, known);
    const sample: Sample = { minute, lines: 0, suppressed: 0, level };
    this.#samples.set(key, sample);
    return sample;
  }

  #tellSuppressed(event: string, sample: Sample): void {
    if (sample.suppressed > 0) this.#write(sample.level, event, { suppressed: sample.suppressed });
    sample.suppressed = 0;
  }

  #write(level: LogLevel, event: string, fields: LogFields | undefined): void {
    const { stream, nowMs } = this.#options;
    // A reader that does not read (a stuck pipe) costs lines, not memory.
    if ((stream.writableLength ?? 0) > limits.logUnwrittenMax) {
      this.lostLines++;
      return;
    }
    const line: Record<string, LogValue> = { time: new Date(nowMs()).toISOString(), level, event };
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (name in line) throw new InvariantError(`a log line has a field '${name}' of its own`);
      line[name] = typeof value === 'string' ? clean(value) : value;
    }
    // A full disk under the log is no reason to stop what is logged. A line that was cut by it ends before the next.
    const lose = (): void => {
      this.lostLines++;
      this.#isCut = true;
    };
    const start = this.#isCut ? '\n' : '';
    this.#isCut = false;
    try {
      stream.write(`${start}${JSON.stringify(line)}\n`, (error) => {
        if (error !== undefined && error !== null) lose();
      });
    } catch {
      lose();
    }
  }
}

const hexGroups = String.raw`[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*`;
/** Addresses in running text: e-mail, MAC, IPv6 (with `::`, or of eight groups), IPv4. */
const addressLike = new RegExp([
  String.raw`[\w.+-]+@[\w-]+(?:\.[\w-]+)*`,
  String.raw`(?<![\w:])(?:[0-9a-fA-F]{1,2}[:-]){5}[0-9a-fA-F]{1,2}(?![\w:])`,
  String.raw`(?<![\w:])(?:${hexGroups})?::(?:[0-9a-fA-F]{1,4}:){0,5}\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)`,
  String.raw`(?<![\w:])(?:${hexGroups})?::(?:${hexGroups})?(?![\w:])`,
  String.raw`(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])`,
  String.raw`(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)`,
].join('|'), 'g');

/** A text from elsewhere, such as an error's: what looks like an address of anybody becomes `[address]`. */
export function logText(text: string): LogText {
  return clean(text).replace(addressLike, '[address]') as LogText;
}

/** A text that the operator wrote into the config (a file, a place to listen at): as it is. Never of a home. */
export function configText(text: string): LogText {
  return clean(text) as LogText;
}

/** Control characters, among them line ends and those that change a terminal, become spaces; long texts are cut. */
function clean(text: string): string {
  const cut = text.length > limits.logTextLengthMax ? `${text.slice(0, limits.logTextLengthMax)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}
