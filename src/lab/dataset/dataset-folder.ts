/**
 * The folder that a data set appears in: made under another name and renamed when it is whole, so that there is never
 * half a data set. One that is there already is replaced; a folder with anything else in it is not touched.
 */
import { rmSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { describeError, EnvironmentError, OperatorError } from '#base';
import { manifestName } from './manifest.ts';

/** Folders that have neither got their name nor been removed. */
const temporaryFolders = new Set<string>();

/** Removes the folders of unfinished data sets, when the process must end now. Whoever calls it ends then. */
export function dropTemporaryFolders(): void {
  for (const folder of temporaryFolders) {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // The process is ending: the other folders still count, and nobody could be told.
    }
  }
}

export type DatasetFolder = {
  /** Where files are to be written. */
  readonly temporary: string;
  /** The data set is whole: it gets its name, in place of one before it. @throws EnvironmentError  `disk` */
  keep(): Promise<void>;
  /** It will not be whole: nothing stays. */
  drop(): Promise<void>;
};

/** @throws OperatorError  `output-unwritable`: there is something else under that name, or no right to write */
export async function openDatasetFolder(path: string): Promise<DatasetFolder> {
  const target = resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.partial`);
  const before = join(dirname(target), `.${basename(target)}.${process.pid}.before`);
  try {
    await checkReplaceable(target);
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
  } catch (thrown) {
    const what = describeError(thrown);
    throw new OperatorError('output-unwritable', `Cannot write the data set ${path}: ${what}.`, thrown);
  }
  temporaryFolders.add(temporary);
  return {
    temporary,
    async keep() {
      try {
        const isThere = await stat(target).then(() => true, () => false);
        if (isThere) await rename(target, before);
        await rename(temporary, target);
        temporaryFolders.delete(temporary);
        if (isThere) await rm(before, { recursive: true, force: true });
      } catch (thrown) {
        throw new EnvironmentError('disk', `Writing ${path} failed: ${describeError(thrown)}.`, thrown);
      }
    },
    async drop() {
      await rm(temporary, { recursive: true, force: true });
      temporaryFolders.delete(temporary);
    },
  };
}

async function checkReplaceable(target: string): Promise<void> {
  const found = await stat(target).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isDirectory()) throw new Error('it is a file');
  const names = await readdir(target);
  if (names.length > 0 && !names.includes(manifestName)) {
    throw new Error('the folder holds something that is no data set; name another, or empty it');
  }
}

/** Names of files for texts of any kind: no two alike, whatever the file system makes of letters. */
export class FileNames {
  readonly #taken = new Set<string>();

  /** @param text  same texts in the same order give the same names */
  choose(text: string): string {
    const plain = text.replace(/[^A-Za-z0-9._-]+/g, '_').replace(/^\.+/, '_').slice(0, nameLengthMax) || '_';
    let name = plain;
    for (let i = 2; this.#taken.has(name.toLowerCase()); i++) name = `${plain}-${i}`;
    this.#taken.add(name.toLowerCase());
    return name;
  }
}

const nameLengthMax = 120;
