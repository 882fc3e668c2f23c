/**
 * Makes a folder, and those above it that are missing. Node's own way (`recursive`) never comes back where the system
 * denies that a folder exists in which nothing can be made, as it does in `/proc`.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * @param mode  of those that are made
 * @throws Error  what the system says
 */
export function makeFolders(path: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at);
  // What is there and no folder: the system says so.
  if (missing.length === 0 && !statSync(path).isDirectory()) mkdirSync(path);
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode });
    } catch (thrown) {
      // Somebody else made it meanwhile.
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    }
  }
}
