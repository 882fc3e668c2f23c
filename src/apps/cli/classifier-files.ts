/** Classifiers and other small results from and to files, for the verbs that work with them. */
import { readFile } from 'node:fs/promises';
import { describeError, limits, OperatorError, TrustError } from '#base';
import { readArtifact, type Artifact } from '#classifier/artifact';
import { openTarget } from '#flow/files';

/**
 * An artifact's bytes.
 *
 * @throws OperatorError  the file cannot be read, or is larger than an artifact may be
 */
export async function readArtifactFile(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    if (bytes.length <= limits.artifactBytesMax) return bytes;
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    const texts: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EISDIR: 'it is a folder' };
    const cause = texts[code ?? ''] ?? describeError(thrown);
    throw new OperatorError('input-unreadable', `Cannot read ${path}: ${cause}.`, thrown);
  }
  throw new OperatorError('input-unreadable', `${path} is larger than a classifier may be.`);
}

/** An artifact with the bytes that it was read from. */
export type LoadedArtifact = Artifact & { readonly bytes: Uint8Array };

/** A classifier from a file. @throws OperatorError  it cannot be read, or is refused */
export async function loadArtifact(path: string): Promise<LoadedArtifact> {
  const bytes = await readArtifactFile(path);
  try {
    return { ...readArtifact(bytes), bytes };
  } catch (thrown) {
    if (!(thrown instanceof TrustError)) throw thrown;
    throw new OperatorError('input-unreadable', `${path} is refused (${thrown.code}): ${thrown.message}`, thrown);
  }
}

/** Writes a file that appears under its name when it is whole. @throws OperatorError, EnvironmentError */
export async function writeWholeFile(path: string, bytes: Uint8Array): Promise<void> {
  const target = await openTarget(path);
  try {
    await target.write(bytes);
    await target.finish();
  } catch (thrown) {
    await target.abandon();
    throw thrown;
  }
}
