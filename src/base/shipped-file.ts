/**
 * Files that are shipped beside the code that uses them (kernels, tables, templates of mails). In the detector's
 * one-file bundle they lie within it, and are handed over here before any other code runs.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const embedded = new Map<string, () => Uint8Array>();

/**
 * Puts contents in place of files, by file name: those of a bundle.
 *
 * @param files  functions that inflate them, called at each reading
 */
export function embedShippedFiles(files: ReadonlyMap<string, () => Uint8Array>): void {
  for (const [name, inflate] of files) embedded.set(name, inflate);
}

/**
 * The bytes of a shipped file; file names are unique among shipped files.
 *
 * @param url  beside the code that asks: `new URL('x.bin', import.meta.url)`
 * @returns    read only: others may be given the same
 * @throws Error  as Node's `readFileSync`
 */
export function readShippedFile(url: URL): Uint8Array {
  return embedded.get(basename(url.pathname))?.() ?? readFileSync(fileURLToPath(url));
}
