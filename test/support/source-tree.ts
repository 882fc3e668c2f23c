/** The files of this repository as they would be committed, for tests about the code itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type SourceFile = {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
};

export const rootFolder = fileURLToPath(new URL('../..', import.meta.url));

/** What .gitignore leaves out, and what git itself keeps. */
const ignoredNames = new Set(['node_modules', '.git', 'coverage', 'out', 'dist']);

/** All text files below the root, sorted by path; files that hold a zero byte are taken for binary and left out. */
export function readSourceTree(root: string = rootFolder): SourceFile[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.(?:log|tgz)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length).replaceAll('\\', '/').replace(/^\//, ''))
    .filter((path) => !path.split('/').some((part) => ignoredNames.has(part)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .filter(({ text }) => !text.includes('\0'));
}
