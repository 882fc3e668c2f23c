/**
 * Where finished cells are kept: `cells/<hash of the key>.json`, and the classifier beside it under `classifiers/`. A
 * file appears when it is whole, the classifier first, so a run that was killed leaves whole cells only.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, EnvironmentError, OperatorError } from '#base';
import { openTarget } from '#flow/files';
import { artifactName, hashKey, type CellKey, type CellOutcome } from './cell.ts';

type StoredCell = CellOutcome & { readonly key: CellKey; readonly artifactDigest: string };

export class CellStore {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws OperatorError  the folder cannot be made */
  static async open(folder: string): Promise<CellStore> {
    try {
      await mkdir(join(folder, 'cells'), { recursive: true });
      await mkdir(join(folder, 'classifiers'), { recursive: true });
    } catch (thrown) {
      throw new OperatorError('output-unwritable', `Cannot write in ${folder}: ${describeError(thrown)}.`, thrown);
    }
    return new CellStore(folder);
  }

  /** What is stored of a cell; undefined when it is to be run, also because something of it is damaged. */
  async find(key: CellKey): Promise<CellOutcome | undefined> {
    try {
      const cell = JSON.parse(await readFile(this.#cellPath(key), 'utf8')) as StoredCell;
      const artifact = await readFile(this.#artifactPath(key));
      if (JSON.stringify(cell.key) !== JSON.stringify(key) || cell.artifactDigest !== digestOf(artifact)) {
        return undefined;
      }
      return { result: cell.result, details: cell.details };
    } catch {
      // Not there, or cut by a disk that failed: the cell is run again.
      return undefined;
    }
  }

  /**
   * Stores a cell.
   *
   * @returns the outcome as it will be read back
   * @throws EnvironmentError  the disk failed
   */
  async keep(key: CellKey, { result, details }: CellOutcome, artifact: Uint8Array): Promise<CellOutcome> {
    const cell: StoredCell = { key, result, details, artifactDigest: digestOf(artifact) };
    const text = JSON.stringify(cell);
    await writeFileWhole(this.#artifactPath(key), artifact);
    await writeFileWhole(this.#cellPath(key), `${text}\n`);
    return JSON.parse(text) as StoredCell;
  }

  #cellPath(key: CellKey): string {
    return join(this.#folder, 'cells', `${hashKey(key)}.json`);
  }

  #artifactPath(key: CellKey): string {
    return join(this.#folder, 'classifiers', artifactName(key));
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes a file that appears under its name when it is whole. @throws OperatorError, EnvironmentError */
export async function writeFileWhole(path: string, content: Uint8Array | string): Promise<void> {
  const target = await openTarget(path);
  try {
    await target.write(typeof content === 'string' ? new TextEncoder().encode(content) : content);
    await target.finish();
  } catch (thrown) {
    await target.abandon();
    throw thrown instanceof EnvironmentError || thrown instanceof OperatorError ? thrown
      : new EnvironmentError('disk', `Writing ${path} failed: ${describeError(thrown)}.`, thrown);
  }
}
