/**
 * Makes the detector's one-file bundle with esbuild: its code, the packages that it uses, and every shipped file that
 * is not code. The same sources give the same bytes. What must not be at the edge (what fits, signs, simulates, calls
 * native code) makes it fail, and so does a file that is too large.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build, type BuildResult, type Plugin } from 'esbuild';

export const rootFolder: string = fileURLToPath(new URL('..', import.meta.url));
export const detectorEntry = 'src/apps/detector/main.ts';
/** What the project promises for the whole file. */
export const bundleBytesMax = 1_500_000;

export type BundleOptions = {
  /** TypeScript in place of the detector's main, as if it lay in the repository's root; for tests. */
  readonly source?: string;
  readonly bytesMax?: number;
};

export type Bundle = {
  readonly bytes: Uint8Array;
  /** Own files that have code in it, from the repository's root. */
  readonly files: readonly string[];
  /** Packages that have code in it. */
  readonly packages: readonly string[];
  /** Shipped files that lie in it. */
  readonly embedded: readonly string[];
};

/** The oldest Node that it runs on; node:sqlite needs no flag since. */
const nodeMin = '22.13';

/**
 * An older one is told so in a sentence, before it stumbles over something that it lacks. Exit code 3: the environment.
 */
const refuseOlderNode = `{const[major,minor]=process.versions.node.split('.').map(Number);` +
  `if(major*100+minor<${nodeMin.split('.').map(Number).reduce((major, minor) => major * 100 + minor)}){` +
  `process.stderr.write('natlens-detector needs Node ${nodeMin} or later, and this is '+process.version+'.\\n');` +
  'process.exit(3)}}';

/** Code that must not be in it, and why. */
const forbidden: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/\/fit\/|-fit(?:ter)?\.ts$|^src\/classifier\/train\//, 'fits'],
  [/^src\/classifier\/(?:sign|publish)\//, 'signs or publishes'],
  [/^src\/lab\//, 'is of the lab'],
  [/^sim\//, 'simulates'],
  [/^(?:test|bench)\/|\.test\.ts$/, 'is a test or benchmark'],
  [/\/ndpi-/, 'calls native code'],
  [/\/onnx\.ts$/, 'writes models for other programs'],
];

/** Packages with native code, and those for work on data sets: never bundled, so what is left of them is found. */
const neverBundled = /^(?:koffi|@duckdb\/.*|hyparquet.*|@observablehq\/.*|linkedom)$/;

/** Shipped files that no detector reads: the kernels that fit. */
const notEmbedded = new Set(['grow-kernel.wasm', 'mt19937-kernel.wasm']);
const shippedSuffix = /\.(?:wasm|bin|txt|html|mustache|subject)$/;

/**
 * The bundle, in memory.
 *
 * @throws Error  an import is left over, something forbidden is in it, or it is too large: one line for each
 */
export async function bundleDetector(options: BundleOptions = {}): Promise<Bundle> {
  const { source = `import './${detectorEntry}';`, bytesMax = bundleBytesMax } = options;
  const shipped = findShippedFiles();
  const result = await build({
    // Shipped files are handed over before any other module runs.
    stdin: { contents: `import 'natlens:shipped';${source}`, resolveDir: rootFolder, loader: 'ts' },
    absWorkingDir: rootFolder, bundle: true, write: false, metafile: true,
    platform: 'node', format: 'esm', target: `node${nodeMin}`, packages: 'bundle', charset: 'ascii',
    // Names stay: a stack trace of a bug must be readable. Comments and spaces go, and are not held in memory.
    // ASCII: a text of 16 bits a character would take twice the memory.
    minifyWhitespace: true, minifySyntax: true, legalComments: 'none', logLevel: 'silent',
    banner: { js: refuseOlderNode },
    outfile: 'natlens-detector.mjs',
    plugins: [embedShipped(shipped), lazyBuiltins()],
  });
  const { inputs, imports } = Object.values((result as BuildResult<{ metafile: true }>).metafile.outputs)[0] as {
    inputs: Record<string, { bytesInOutput: number }>; imports: { path: string; external?: boolean }[] };
  const inside = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
  const files = inside.filter((path) => !path.includes('node_modules/') && !path.includes(':')).sort();
  const packages = [...new Set(inside.flatMap(packageOf))].sort();
  const code = result.outputFiles[0]?.contents ?? new Uint8Array();
  const bytes = Buffer.concat([Buffer.from(makeHeader(packages)), code]);
  const faults = [
    ...result.warnings.map(({ text }) => `esbuild warns: ${text}`),
    ...imports.map(({ path }) => `${path} is left over as an import`),
    ...inside.flatMap((path) => forbidden.filter(([pattern]) => pattern.test(path))
      .map(([, reason]) => `${path} is in it, which ${reason}`)),
    // esbuild leaves them in regular expressions.
    ...(bytes.some((byte) => byte > 127) ? ['a character in it is not ASCII, and doubles its text in memory'] : []),
    ...(bytes.length > bytesMax ? [`it has ${bytes.length} bytes, and ${bytesMax} are allowed`] : []),
  ];
  if (faults.length > 0) throw new Error(`The detector's bundle is not fit to ship:\n${faults.join('\n')}`);
  return { bytes, files, packages, embedded: [...shipped.keys()].sort() };
}

/** Paths of the shipped files that are not code, by name. @throws Error  two have the same name */
function findShippedFiles(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ['src/base', 'src/pipeline', 'src/classifier', 'src/apps/detector']) {
    for (const entry of readdirSync(join(rootFolder, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !shippedSuffix.test(entry.name) || notEmbedded.has(entry.name)) continue;
      if (found.has(entry.name)) throw new Error(`two shipped files are called ${entry.name}`);
      found.set(entry.name, join(entry.parentPath, entry.name));
    }
  }
  return new Map([...found].sort(([a], [b]) => a < b ? -1 : 1));
}

/** The shipped files as a module: compressed in the source text, and inflated when somebody reads them. */
function embedShipped(shipped: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'embed-shipped-files',
    setup(context) {
      context.onResolve({ filter: /^natlens:shipped$/ }, ({ path }) => ({ path, namespace: 'shipped' }));
      context.onLoad({ filter: /.*/, namespace: 'shipped' }, () => ({
        contents: shippedModule(shipped), loader: 'js', resolveDir: rootFolder,
      }));
    },
  };
}

/** Of package.json a detector needs its version alone. */
function shippedModule(shipped: ReadonlyMap<string, string>): string {
  const { name, version } = readManifest(rootFolder);
  const contents: readonly (readonly [string, Uint8Array])[] = [
    ['package.json', Buffer.from(JSON.stringify({ name, version }))],
    ...[...shipped].map(([file, path]) => [file, readFileSync(path)] as const),
  ];
  const entries = contents.map(([file, bytes]) =>
    `[${JSON.stringify(file)},()=>inflate('${brotliCompressSync(bytes).toString('base64')}')]`);
  return `import { brotliDecompressSync } from 'node:zlib';
    import { embedShippedFiles } from '#base';
    const inflate = (text) => brotliDecompressSync(Buffer.from(text, 'base64'));
    embedShippedFiles(new Map([${entries.join(',')}]));`;
}

/**
 * Node's own modules are asked for by function instead of imported. What a package asks for is then loaded when its
 * code first runs (mail needs TLS, HTTPS and child processes). And an `import` touches every export, the lazy ones too:
 * of `node:http` that loads a second HTTP client, 12 MB of the 90 that the detector may take. While `node:sqlite` is
 * loaded, Node 22's warning that it is experimental is kept quiet, that one alone.
 */
function lazyBuiltins(): Plugin {
  return {
    name: 'lazy-builtins',
    setup(context) {
      context.onResolve({ filter: neverBundled }, ({ path }) => ({ path, external: true, sideEffects: false }));
      context.onResolve({ filter: /^[a-z\d:_/]+$/ }, ({ path }) =>
        // Where nothing of it is used, it is not even loaded.
        isBuiltin(path) ? { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false } : undefined);
      context.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
        loader: 'js',
        contents: path === 'sqlite' ? quietSqlite : `module.exports=process.getBuiltinModule('node:${path}');`,
      }));
    },
  };
}

const quietSqlite = `const { emitWarning } = process;
  process.emitWarning = (warning, ...more) => {
    if (!(more[0] === 'ExperimentalWarning' && String(warning).startsWith('SQLite'))) emitWarning(warning, ...more);
  };
  try {
    module.exports = process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }`;

/** Name of the package that a bundled file is of; none for our own. */
function packageOf(path: string): string[] {
  const found = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
  return found === null ? [] : [found[1] as string];
}

type Manifest = { readonly name: string; readonly version: string; readonly license?: string };

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** The comment at the top: what it is, and the licences of all that is in it. */
function makeHeader(packages: readonly string[]): string {
  const own = readManifest(rootFolder);
  const parts = packages.map((name) => {
    const folder = join(rootFolder, 'node_modules', name);
    const { version, license } = readManifest(folder);
    return { title: `${name} ${version}`, license: license ?? 'no licence named', text: readLicence(folder) };
  });
  const ownText = readFileSync(join(rootFolder, 'LICENSE'), 'utf8').trim();
  const texts = new Map([[ownText, ['natlens']]]);
  for (const { title, license, text } of parts) {
    // Under the licence of natlens itself: its text is here already.
    const kept = license === own.license ? ownText : text;
    texts.set(kept, [...texts.get(kept) ?? [], title]);
  }
  const lines = [
    `natlens-detector ${own.version}: finds homes with a vulnerable IoT device model from NetFlow/IPFIX.`,
    `One file for Node ${nodeMin} and later, made by \`npm run build:detector\` from the sources of natlens ` +
      `(${own.license ?? ''}).`,
    '', 'It contains:', ...parts.map(({ title, license }) => `  ${title} (${license})`), '',
    readFileSync(join(rootFolder, 'NOTICE'), 'utf8').trim(),
    ...[...texts].flatMap(([text, titles]) => ['', `--- Licence of ${titles.join(', ')}`, '', text]),
  ];
  // A licence's text must not end the comment.
  return `#!/usr/bin/env node\n/*\n${lines.join('\n').replaceAll('*/', '* /')}\n*/\n`;
}

/** @throws Error  a package that ships without the text of its licence */
function readLicence(folder: string): string {
  const name = readdirSync(folder).find((file) => /^licen[cs]e(?:\.\w+)?$/i.test(file));
  if (name === undefined || !existsSync(join(folder, name))) {
    throw new Error(`${relative(rootFolder, folder)} has no text of its licence`);
  }
  return readFileSync(join(folder, name), 'utf8').trim();
}
