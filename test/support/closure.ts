/** The import closure of an entry file: everything that is loaded, or may be, once the entry is. */
import { posix } from 'node:path';
import { findImports } from './source-scan.ts';

export type Closure = {
  /** Own files, from the root, the entry among them. */
  readonly files: ReadonlySet<string>;
  /** Packages and Node's own modules (`koffi`, `node:fs`), without the path inside them. */
  readonly packages: ReadonlySet<string>;
  /** Imports that lead nowhere. */
  readonly missing: readonly string[];
  /** Source bytes of the own files. */
  readonly sourceBytes: number;
};

export type ClosureOptions = {
  /** Text of a file, or undefined when there is none. */
  readonly read: (path: string) => string | undefined;
  /** `imports` of package.json: doors and where they lead. */
  readonly doors: Readonly<Record<string, string>>;
  /** Leaves out what is imported only when some line runs. */
  readonly isStartOnly?: boolean;
};

/** Walks static imports, re-exports and dynamic imports; imports of types alone do not count. */
export function computeClosure(entry: string, options: ClosureOptions): Closure {
  const files = new Set<string>();
  const packages = new Set<string>();
  const missing: string[] = [];
  const pending = [entry];
  let sourceBytes = 0;
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (files.has(path)) continue;
    const text = options.read(path);
    if (text === undefined) {
      missing.push(path);
      continue;
    }
    files.add(path);
    sourceBytes += Buffer.byteLength(text);
    for (const { specifier, isTypeOnly, isDynamic } of findImports(text)) {
      if (isTypeOnly || (isDynamic && options.isStartOnly === true)) continue;
      const target = resolve(path, specifier, options.doors);
      if (target === undefined) missing.push(`${path}: ${specifier}`);
      else if (target.isPackage) packages.add(target.name);
      else pending.push(target.name);
    }
  }
  return { files, packages, missing, sourceBytes };
}

function resolve(
  from: string, specifier: string, doors: Readonly<Record<string, string>>,
): { name: string; isPackage: boolean } | undefined {
  if (specifier.startsWith('.')) return { name: posix.join(posix.dirname(from), specifier), isPackage: false };
  if (specifier.startsWith('#')) {
    const door = doors[specifier];
    return door === undefined ? undefined : { name: posix.normalize(door), isPackage: false };
  }
  const parts = specifier.split('/');
  return { name: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/'), isPackage: true };
}
