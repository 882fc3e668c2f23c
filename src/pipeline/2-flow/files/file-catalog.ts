/**
 * The files of a rotating sink in their folder: their names by time, what a killed run left of them, and which are too
 * old or too many. Only files of exactly these names are ever touched. Functions of the file system; nothing is caught.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { assertInvariant } from '#base';
import { hasFooter } from './parquet-file.ts';

export const partialSuffix = '.partial';
export const brokenSuffix = '.broken';

/** What a catalog needs of `node:fs`; tests put a failing disk in its place. */
export type FolderFiles = {
  readonly existsSync: (path: string) => boolean;
  readonly mkdirSync: (path: string, options: { recursive: true }) => unknown;
  readonly readdirSync: (path: string) => string[];
  readonly renameSync: (from: string, to: string) => void;
  readonly statSync: (path: string) => { readonly size: number };
  readonly unlinkSync: (path: string) => void;
};

export const diskFolder: FolderFiles = { existsSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync };

/** A file that is whole. */
export type KeptFile = {
  readonly name: string;
  readonly startMs: number;
  /** Among the files of its period, from 1. */
  readonly number: number;
  readonly bytes: number;
};

/** May this stand at the beginning of the files' names? */
export function isFilePrefix(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text);
}

export class FileCatalog {
  readonly #folder: string;
  readonly #prefix: string;
  readonly #isListed: boolean;
  readonly #files: FolderFiles;
  readonly #pattern: RegExp;
  /** Oldest first. */
  #kept: KeptFile[] = [];
  #keptBytes = 0;

  /** @param isListed  false: nothing is to be deleted, so `kept` stays empty however many files there are */
  constructor(folder: string, prefix: string, isListed: boolean, files: FolderFiles = diskFolder) {
    assertInvariant(isFilePrefix(prefix), 'the prefix of file names has letters, digits, dots, - and _ only');
    this.#folder = folder;
    this.#prefix = prefix;
    this.#isListed = isListed;
    this.#files = files;
    const stamp = String.raw`(\d{8}T\d{6}Z)(?:-(\d{1,9}))?`;
    this.#pattern = new RegExp(String.raw`^${prefix.replaceAll('.', String.raw`\.`)}-${stamp}\.parquet(\.partial)?$`);
  }

  /** Files that are whole, oldest first. */
  get kept(): readonly KeptFile[] {
    return this.#kept;
  }

  /** Bytes of those. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /**
   * Makes the folder if there is none and looks what is in it. What a killed run left is kept: under its name where it
   * is whole and lacked the name only, else as `.broken`.
   *
   * @param mayFinish  false: all of it is `.broken`
   */
  open(mayFinish: boolean): { readonly broken: string[]; readonly finished: string[] } {
    this.#files.mkdirSync(this.#folder, { recursive: true });
    const broken: string[] = [];
    const finished: string[] = [];
    for (const partial of this.scan()) {
      const name = partial.slice(0, -partialSuffix.length);
      const isWhole = mayFinish && hasFooter(this.path(partial)) && !this.#files.existsSync(this.path(name));
      if (isWhole) this.#files.renameSync(this.path(partial), this.path(name));
      (isWhole ? finished : broken).push(isWhole ? name : this.setAside(partial));
    }
    if (finished.length > 0) this.scan();
    return { broken, finished };
  }

  /** Looks at the folder again. @returns names of files that are not whole */
  scan(): string[] {
    const partial: string[] = [];
    const kept: KeptFile[] = [];
    for (const name of this.#files.readdirSync(this.#folder)) {
      const match = this.#pattern.exec(name);
      if (match === null) continue;
      const [, stamp = '', number, suffix] = match;
      if (suffix !== undefined) {
        partial.push(name);
        continue;
      }
      if (!this.#isListed) continue;
      const startMs = parseStamp(stamp);
      const bytes = this.#sizeOf(name);
      if (bytes !== undefined) kept.push({ name, startMs, number: Number(number ?? 1), bytes });
    }
    this.#kept = kept.sort((a, b) => a.startMs - b.startMs || a.number - b.number);
    this.#keptBytes = kept.reduce((sum, file) => sum + file.bytes, 0);
    return partial;
  }

  /** Undefined when somebody took the file away in the meantime. */
  #sizeOf(name: string): number | undefined {
    try {
      return this.#files.statSync(this.path(name)).size;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw thrown;
    }
  }

  /** A name that no file has yet: of the period's start, in UTC, with a number from the second file on. */
  chooseName(startMs: number): string {
    for (let number = 1; ; number++) {
      const name = `${this.#prefix}-${formatStamp(startMs)}${number === 1 ? '' : `-${number}`}.parquet`;
      const names = [name, name + partialSuffix, name + brokenSuffix];
      const isTaken = names.some((other) => this.#files.existsSync(this.path(other)));
      if (!isTaken) return name;
    }
  }

  /** Gives a file that is whole its name. */
  keep(name: string, bytes: number): void {
    this.#files.renameSync(this.path(name + partialSuffix), this.path(name));
    if (!this.#isListed) return;
    const match = this.#pattern.exec(name)!;
    this.#kept.push({ name, startMs: parseStamp(match[1]!), number: Number(match[2] ?? 1), bytes });
    this.#keptBytes += bytes;
  }

  /** Puts what is not whole under a name that says so; it is never deleted. @returns the name */
  setAside(partialName: string): string {
    const base = partialName.slice(0, -partialSuffix.length);
    let name = base + brokenSuffix;
    for (let number = 2; this.#files.existsSync(this.path(name)); number++) name = `${base}-${number}${brokenSuffix}`;
    this.#files.renameSync(this.path(partialName), this.path(name));
    return name;
  }

  /** Removes a file without rows, which tells nothing. */
  discard(partialName: string): void {
    this.#files.unlinkSync(this.path(partialName));
  }

  /** Deletes the oldest. A file that somebody took away before is as good as deleted. @returns its bytes */
  deleteOldest(): number {
    const [oldest] = this.#kept;
    if (oldest === undefined) return 0;
    try {
      this.#files.unlinkSync(this.path(oldest.name));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
    }
    this.#kept.shift();
    this.#keptBytes -= oldest.bytes;
    return oldest.bytes;
  }
}

/** `20261123T140500Z`. */
function formatStamp(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+/, '').replace(/[-:]/g, '');
}

function parseStamp(stamp: string): number {
  return Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
}
