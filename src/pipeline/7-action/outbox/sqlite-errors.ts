/** Errors of SQLite by who must act: a full or broken disk is the environment's, everything else is our own bug. */
import { EnvironmentError, InvariantError } from '#base';

/** Primary result codes (sqlite.org/rescode.html) that the disk, and not our SQL, brings about. */
const diskCodes = new Map([
  [5, 'another process holds it'], [6, 'it is locked'], [7, 'there is no memory'], [8, 'it may only be read'],
  [10, 'the disk fails'], [11, 'it is damaged'], [13, 'the disk is full'], [14, 'it cannot be opened'],
  [15, 'its lock fails'], [26, 'it is no database'],
]);

type SqliteError = Error & { readonly code: 'ERR_SQLITE_ERROR'; readonly errcode: number };

function isSqliteError(thrown: unknown): thrown is SqliteError {
  return thrown instanceof Error && (thrown as { code?: unknown }).code === 'ERR_SQLITE_ERROR' &&
    typeof (thrown as { errcode?: unknown }).errcode === 'number';
}

/**
 * Runs code that uses the database.
 *
 * @throws EnvironmentError  code `disk`: nothing was changed; it may be tried again
 * @throws InvariantError    the database refuses what we ask for
 */
export function withDiskErrors<Result>(what: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    // Extended codes keep the primary one in their lowest byte.
    const reason = diskCodes.get(error.errcode & 0xff);
    if (reason === undefined) throw new InvariantError(`${what}: ${error.message}`, error);
    throw new EnvironmentError('disk', `${what}: ${reason} (${error.message})`, error);
  }
}
