/**
 * Pure checks of what is published: the manifest, the lock file and the list of packed files. Sentences about faults.
 */

export type Manifest = {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

const packedAlways = ['package.json', 'README.md', 'LICENSE', 'NOTICE', 'CHANGELOG.md', 'SECURITY.md',
  'bin/natlens.cjs',
  'bin/strip-types.cjs', 'src/base/index.ts', 'src/apps/cli/main.ts'];
const packedNever = /\.test\.ts$|^(?:test|bench|out|coverage|\.ci|deploy|node_modules)\/|\.(?:pcap|pcapng|parquet|csv|log|tgz)$/;

/** Dependencies of every kind whose version is not exact: `1.2.3`, or an alias of an exact version. */
export function findLooseVersions(manifest: Manifest): string[] {
  return allDependencies(manifest).filter(
    ([, version]) => !/^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name} is not pinned: ${version}`);
}

/** Dependencies of which docs/dependencies.md has no line of the table, and lines about packages that are gone. */
export function findUndocumented(manifest: Manifest, docs: string): string[] {
  const names = allDependencies(manifest).map(([name]) => name);
  const documented = [...docs.matchAll(/^\|\s*`([^`]+)`/gm)].map((match) => match[1] as string);
  return [
    ...names.filter((name) => !documented.includes(name)).map((name) => `${name} has no line in docs/dependencies.md`),
    ...documented.filter((name) => !names.includes(name)).map(
      (name) => `docs/dependencies.md has a line for ${name}, which is gone`),
  ];
}

/** Doors and launchers that lead nowhere. */
export function findClosedDoors(manifest: Manifest, isFile: (path: string) => boolean): string[] {
  return Object.entries({ ...manifest.imports, ...manifest.bin }).filter(([, path]) => !isFile(path))
    .map(([name, path]) => `${name} leads nowhere: ${path}`);
}

/** Optional packages that are imported only when somebody asks for them; a sentence says when they are absent. */
const importedOnDemand: ReadonlySet<string> = new Set(['@duckdb/node-api']);

/** Packages that shipped code imports and no installed user would have. */
export function findUndeclared(manifest: Manifest, imported: ReadonlySet<string>): string[] {
  const late = Object.keys(manifest.optionalDependencies ?? {}).filter((name) => importedOnDemand.has(name));
  const declared = new Set([...Object.keys(manifest.dependencies ?? {}), ...late]);
  return [...imported].filter((name) => !name.startsWith('node:') && !declared.has(name))
    .map((name) => `${name} is imported and not a dependency`);
}

/** Files that are packed and should not be, or should be and are not. */
export function findMispacked(paths: readonly string[]): string[] {
  return [
    ...packedAlways.filter((path) => !paths.includes(path)).map((path) => `${path} is not packed`),
    ...paths.filter((path) => packedNever.test(path)).map((path) => `${path} is packed`),
  ];
}

/**
 * Packages of DuckDB for platforms other than the one that the lock file was made on: their hashes were not to be had.
 * npm takes none of them where another fits. Nothing else may be without a hash.
 */
const withoutHash = /^node_modules\/@duckdb\/node-bindings-(?:darwin|win32|linux-arm64)/;

/** Entries of a lock file that name a host, or that hold no integrity hash. */
export function findUnlocked(lockText: string): string[] {
  const lock = JSON.parse(lockText) as { packages: Record<string,
    { resolved?: string; integrity?: string; link?: boolean }> };
  return Object.entries(lock.packages).flatMap(([path, entry]) => {
    if (path === '') return [];
    if (entry.resolved !== undefined) return [`${path} names a host: ${entry.resolved}`];
    const isHashed = entry.integrity !== undefined || entry.link === true || withoutHash.test(path);
    return isHashed ? [] : [`${path} has no integrity hash`];
  });
}

function allDependencies(manifest: Manifest): [string, string][] {
  const { dependencies = {}, optionalDependencies = {}, devDependencies = {} } = manifest;
  return Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies });
}
