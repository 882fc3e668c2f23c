/**
 * The detector's memory on disk: one SQLite file in the state folder, for evidence, verdicts, time and the key of
 * pseudonyms; the outbox keeps its tables in the same file, so that a verdict and what is planned about it are written
 * together or not at all.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describeError, EnvironmentError, OperatorError } from '#base';
import { makeFolders } from '#service';
import { parseVerdict, type Verdict } from '#verdict';
import { sketchLength, type SketchCounts } from './field-sketch.ts';
import { Pseudonyms } from './pseudonyms.ts';
import type { SavedTime } from './steady-clock.ts';

/** Rises with every change of the tables; a newer file is refused. */
const schemaVersion = 2;

const schema = `
  CREATE TABLE IF NOT EXISTS state_meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS state_homes (
    home TEXT PRIMARY KEY, evidence BLOB NOT NULL, savedMs REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS state_verdicts (
    home TEXT NOT NULL, deviceModel TEXT NOT NULL, verdict TEXT NOT NULL, PRIMARY KEY (home, deviceModel)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS state_sketches (
    classifier TEXT PRIMARY KEY, counts BLOB NOT NULL, savedMs REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** File of the state within its folder. */
export const stateFileName = 'detector.sqlite';

export type StateStoreOptions = {
  /** Pages that the file may have; tests fill a disk with it. */
  readonly pagesMax?: number;
};

export class StateStore {
  readonly db: DatabaseSync;
  /** Rows that could not be read and were left out. */
  damagedRows = 0;
  /** The same as long as the state is kept. */
  readonly pseudonyms: Pseudonyms;

  /**
   * Opens the state of a folder, which is made when there is none.
   *
   * @param folder  undefined: in memory, for replays
   * @throws EnvironmentError  `disk`: it cannot be read or written, or is damaged
   * @throws OperatorError     it was written by a newer version
   */
  static open(folder: string | undefined, options: StateStoreOptions = {}): StateStore {
    if (folder === undefined) return new StateStore(new DatabaseSync(':memory:'), options);
    const path = join(folder, stateFileName);
    try {
      makeFolders(folder, 0o700);
      // What does not fit into memory while the file is written: else it would go to /var/tmp
      // (sqlite.org/tempfiles.html).
      process.env.SQLITE_TMPDIR = folder;
      const db = new DatabaseSync(path);
      // A journal that a kill left may be older than the mode of the file.
      const files = ['', '-wal', '-shm'].map((ending) => path + ending);
      for (const file of files) if (existsSync(file)) chmodSync(file, 0o600);
      return new StateStore(db, options);
    } catch (thrown) {
      if (thrown instanceof OperatorError) throw thrown;
      throw new EnvironmentError('disk', `The state ${path} cannot be used: ${describeError(thrown)}. If it is ` +
        'damaged, move it away: the detector then begins anew, and may write to customers a second time.', thrown);
    }
  }

  private constructor(db: DatabaseSync, { pagesMax }: StateStoreOptions) {
    this.db = db;
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; ' +
      'PRAGMA busy_timeout = 2000; PRAGMA wal_autocheckpoint = 200; PRAGMA cache_size = -512;');
    if (pagesMax !== undefined) db.exec(`PRAGMA max_page_count = ${pagesMax}`);
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > schemaVersion) {
      throw new OperatorError('input-unreadable', `The state is of version ${version}, and this natlens knows ` +
        `${schemaVersion}: install the newer natlens again, or move the state away.`);
    }
    // Damage is found now and not when a home is first looked for; 25 ms for 75 MB, the state of 16,384 homes.
    const [first] = db.prepare('PRAGMA quick_check(1)').all();
    const found = first?.quick_check;
    if (found !== 'ok') throw new Error(`database disk image is malformed (${String(found)})`);
    db.exec(schema);
    if (version !== schemaVersion) db.exec(`PRAGMA user_version = ${schemaVersion}`);
    this.pseudonyms = new Pseudonyms(this.#takeKey());
  }

  /** Several writes together or not at all. @throws EnvironmentError  `disk`: nothing of it was written */
  transaction(write: () => void): void {
    try {
      this.db.exec('SAVEPOINT natlens_state');
      try {
        write();
        this.db.exec('RELEASE natlens_state');
      } catch (thrown) {
        this.#rollBack();
        throw thrown;
      }
    } catch (thrown) {
      if (isSqliteError(thrown)) {
        throw new EnvironmentError('disk', `Writing the state failed: ${describeError(thrown)}.`, thrown);
      }
      throw thrown;
    }
  }

  savedTime(): SavedTime | undefined {
    const saved = this.#meta('time');
    if (saved === undefined) return undefined;
    const time = parseTime(saved);
    if (time === undefined) this.damagedRows++;
    return time;
  }

  saveTime(time: SavedTime): void {
    this.#setMeta('time', JSON.stringify(time));
  }

  /** Digests of classifiers that were found to have drifted. */
  driftedClassifiers(): readonly string[] {
    const saved = this.#meta('drifted');
    return typeof saved === 'string' ? saved.split(' ').filter((digest) => digest !== '') : [];
  }

  saveDriftedClassifiers(digests: readonly string[]): void {
    this.#setMeta('drifted', digests.join(' '));
  }

  /** Evidence of all homes, as `EvidenceStore.snapshot` wrote it. */
  *evidence(): Generator<{ home: string; evidence: Uint8Array }, void, void> {
    for (const row of this.db.prepare('SELECT home, evidence FROM state_homes ORDER BY home').iterate()) {
      yield row as unknown as { home: string; evidence: Uint8Array };
    }
  }

  saveEvidence(home: string, evidence: Uint8Array, nowMs: number): void {
    this.db.prepare('INSERT OR REPLACE INTO state_homes (home, evidence, savedMs) VALUES (?, ?, ?)')
      .run(home, evidence, nowMs);
  }

  dropEvidence(home: string): void {
    this.db.prepare('DELETE FROM state_homes WHERE home = ?').run(home);
  }

  verdicts(): Verdict[] {
    const found: Verdict[] = [];
    for (const row of this.db.prepare('SELECT verdict FROM state_verdicts ORDER BY home, deviceModel').iterate()) {
      const verdict = parseVerdict((row as { verdict: string }).verdict);
      if (typeof verdict === 'string') this.damagedRows++;
      else found.push(verdict);
    }
    return found;
  }

  saveVerdict(verdict: Verdict): void {
    this.db.prepare('INSERT OR REPLACE INTO state_verdicts (home, deviceModel, verdict) VALUES (?, ?, ?)')
      .run(verdict.home, verdict.deviceModel, JSON.stringify(verdict));
  }

  dropVerdict(home: string, deviceModel: string): void {
    this.db.prepare('DELETE FROM state_verdicts WHERE home = ? AND deviceModel = ?').run(home, deviceModel);
  }

  /** What was counted for field sketches, by the digest of the classifier. No home is in it. */
  *sketches(): Generator<[digest: string, counts: SketchCounts], void, void> {
    for (const row of this.db.prepare('SELECT classifier, counts FROM state_sketches ORDER BY classifier').iterate()) {
      const { classifier, counts } = row as { classifier: string; counts: Uint8Array };
      if (counts.length === 4 * sketchLength) yield [classifier, readCounts(counts)];
      else this.damagedRows++;
    }
  }

  saveSketch(digest: string, counts: SketchCounts, nowMs: number): void {
    const bytes = new Uint8Array(4 * counts.length);
    const view = new DataView(bytes.buffer);
    for (const [i, count] of counts.entries()) view.setUint32(4 * i, count, true);
    this.db.prepare('INSERT OR REPLACE INTO state_sketches (classifier, counts, savedMs) VALUES (?, ?, ?)')
      .run(digest, bytes, nowMs);
  }

  /** Drops those of classifiers that are in use no more and were last counted before a time. */
  dropSketches(beforeMs: number, inUse: readonly string[]): void {
    this.db.prepare('DELETE FROM state_sketches WHERE savedMs < ? AND classifier NOT IN (SELECT value FROM json_each(?))')
      .run(beforeMs, JSON.stringify(inUse));
  }

  /** Erases what the detector knew of a home, in the file and in its journal. The outbox erases its own rows. */
  forget(home: string): void {
    this.dropEvidence(home);
    this.db.prepare('DELETE FROM state_verdicts WHERE home = ?').run(home);
  }

  /**
   * Writes the file anew, and empties its journal. Deleted rows are overwritten as they go, but not the copies that
   * SQLite leaves in unused parts of pages when it moves rows from one to another.
   *
   * @returns false: another program uses it, or the disk has no room for a second one
   */
  rewrite(): boolean {
    return this.#tryToErase(() => {
      this.db.exec('VACUUM');
      return this.#truncateJournal();
    });
  }

  /** Leaves nothing of deleted rows in the journal. @returns false: as above */
  emptyJournal(): boolean {
    return this.#tryToErase(() => this.#truncateJournal());
  }

  #truncateJournal(): boolean {
    const { busy } = this.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
    return busy === 0;
  }

  #tryToErase(erase: () => boolean): boolean {
    try {
      return erase();
    } catch (thrown) {
      if (isSqliteError(thrown)) return false;
      throw thrown;
    }
  }

  /** Size of the file without its journal. */
  bytes(): number {
    const { bytes } = this.db.prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')
      .get() as { bytes: number };
    return bytes;
  }

  close(): void {
    this.db.close();
  }

  #rollBack(): void {
    try {
      this.db.exec('ROLLBACK TO natlens_state; RELEASE natlens_state');
    } catch {
      // A full disk has ended the transaction already.
    }
  }

  #takeKey(): Uint8Array {
    const kept = this.#meta('pseudonymKey');
    if (kept instanceof Uint8Array && kept.length === 32) return kept;
    const key = randomBytes(32);
    this.#setMeta('pseudonymKey', key);
    return key;
  }

  #meta(key: string): unknown {
    return this.db.prepare('SELECT value FROM state_meta WHERE key = ?').get(key)?.value;
  }

  #setMeta(key: string, value: string | Uint8Array): void {
    this.db.prepare('INSERT OR REPLACE INTO state_meta (key, value) VALUES (?, ?)').run(key, value);
  }
}

function readCounts(bytes: Uint8Array): SketchCounts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function parseTime(saved: unknown): SavedTime | undefined {
  try {
    const { steadyMs, offsetMs } = JSON.parse(String(saved)) as SavedTime;
    return Number.isFinite(steadyMs) && Number.isFinite(offsetMs) ? { steadyMs, offsetMs } : undefined;
  } catch {
    return undefined;
  }
}

/** Did a detector ever run on a folder? */
export function hasState(folder: string): boolean {
  return existsSync(join(folder, stateFileName));
}

/** Bytes of the state on disk, journal included; 0 when there is none. */
export function stateBytes(folder: string): number {
  const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);
  return ['', '-wal', '-shm'].reduce((sum, ending) => sum + sizeOf(join(folder, stateFileName + ending)), 0);
}

/** An error of SQLite, as `node:sqlite` throws it. */
export function isSqliteError(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';
}
