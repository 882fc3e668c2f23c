/**
 * The rules of the house about its own code (CONTRIBUTING.md gives the reasons at length). Each rule is a pure function
 * of one file. A rule is worth nothing until it has caught something: test/tidy-plants.ts holds a breach of each.
 */
import { posix } from 'node:path';
import { findImports, scanSource } from './support/source-scan.ts';
import type { SourceFile } from './support/source-tree.ts';
import {
  foldersWithFiles, foldersWithSockets, foldersWithThreads, mayImport, roomBehind, roomOf,
} from './tidy-rooms.ts';

export type Rule = {
  readonly name: string;
  readonly reason: string;
  /** Sentences about what is wrong in a file; empty when nothing is, or when the rule is not about such files. */
  readonly find: (file: SourceFile) => string[];
};

export const linesMax = 500;
export const columnsMax = 120;
/** Columns of code beside a text that is too long for a line by itself. */
const columnsBesideText = 60;

/** Files that may be wider than a line of prose, with the reason. */
export const wideFiles: readonly { readonly path: string; readonly reason: string }[] = [
  { path: 'src/pipeline/2-flow/schema.ts', reason: 'a table: one column definition a line is what makes it readable' },
];

const isCode = (path: string): boolean => /\.(?:ts|cjs|mjs|js)$/.test(path);
const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.startsWith('test/');
/** Code that ships, to which the rules about rooms and side effects apply. */
const isShipped = (path: string): boolean => /^(?:src|sim)\/.*\.ts$/.test(path) && !isTest(path);

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}

/** A rule that finds a pattern in one layer of the files that it applies to. */
function findPattern(
  pattern: RegExp, layer: 'code' | 'comments' | 'text', applies: (path: string) => boolean,
): Rule['find'] {
  return ({ path, text }) => {
    if (!applies(path)) return [];
    const searched = layer === 'text' ? text : scanSource(text)[layer];
    return [...searched.matchAll(pattern)].map((match) => `line ${lineOf(text, match.index)}: ${match[0].trim()}`);
  };
}

/** The imports of a shipped file that leave its room, with the path they lead to ('' for packages and doors). */
function importsOf({ path, text }: SourceFile): { specifier: string; line: number; target: string }[] {
  return findImports(text).map(({ specifier, line }) => ({
    specifier, line, target: specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : '',
  }));
}

function findBackwardImports(file: SourceFile): string[] {
  const from = roomOf(file.path);
  if (!isShipped(file.path) || from === undefined) return [];
  return importsOf(file).flatMap(({ specifier, line, target }) => {
    const to = target === '' ? roomBehind(specifier) : roomOf(target);
    if (specifier.startsWith('#') && to === undefined) return [`line ${line}: ${specifier} is no door of any room`];
    if (to === undefined || to === from || mayImport(file.path, from, to)) return [];
    return [`line ${line}: ${from.name} must not import ${to.name}`];
  });
}

function findDeepImports(file: SourceFile): string[] {
  if (!isShipped(file.path)) return [];
  const from = roomOf(file.path);
  return importsOf(file).flatMap(({ specifier, line, target }) => {
    if (target === '') return [];
    const to = roomOf(target);
    const isOwnRoom = to === from ||
      (to !== undefined && from !== undefined && from.folder.startsWith(`${to.folder}/`));
    return isOwnRoom && to !== undefined ? [] : [`line ${line}: ${specifier} leaves the room by no door`];
  });
}

function findRoomless({ path }: SourceFile): string[] {
  return isShipped(path) && roomOf(path) === undefined ? [`${path} lies in no room of tidy-rooms.ts`] : [];
}

function findDoorCode({ path, text }: SourceFile): string[] {
  if (posix.basename(path) !== 'index.ts') return [];
  const found = scanSource(text).code.replace(reExport, '').trim();
  return found === '' ? [] : [`not a re-export: ${found.slice(0, 60)}`];
}

function findBuiltins(names: readonly string[], folders: readonly string[]): Rule['find'] {
  const forbidden = new RegExp(`^(?:node:)?(?:${names.join('|')})(?:/.*)?$`);
  return (file) => {
    const isAllowed = folders.some((folder) => file.path === folder || file.path.startsWith(`${folder}/`));
    if (!isShipped(file.path) || isAllowed) return [];
    return importsOf(file).filter(({ specifier }) => forbidden.test(specifier))
      .map(({ specifier, line }) => `line ${line}: ${specifier} has side effects that this room must not have`);
  };
}

function findWideLines({ path, text }: SourceFile): string[] {
  if (!isCode(path) || wideFiles.some((wide) => wide.path === path)) return [];
  if (!text.split('\n').some((line) => line.length > columnsMax)) return [];
  const { code, comments } = scanSource(text);
  let at = 0;
  return text.split('\n').flatMap((line, i) => {
    const from = at;
    at += line.length + 1;
    const literal = longestLiteral(line, code.slice(from, at - 1), comments.slice(from, at - 1));
    // A text is not torn apart; the code beside it must be short then.
    const isWide = line.length > columnsMax && line.length - literal > columnsBesideText;
    return isWide ? [`line ${i + 1}: ${line.length} columns`] : [];
  });
}

/** Characters of the longest piece of a line that lies inside one string, template or regular expression. */
function longestLiteral(line: string, code: string, comments: string): number {
  let longest = 0;
  let current = 0;
  for (let i = 0; i < line.length; i++) {
    const isHidden = code[i] === ' ' && comments[i] === ' ';
    current = isHidden ? current + 1 : 0;
    if (isHidden && line[i] !== ' ') longest = Math.max(longest, current);
  }
  return longest;
}

function findLongFile({ path, text }: SourceFile): string[] {
  const lineCount = text.trimEnd().split('\n').length;
  return isCode(path) && lineCount > linesMax ? [`${lineCount} lines`] : [];
}

function findBadName({ path }: SourceFile): string[] {
  if (!/^(?:src|sim|test|bench|bin)\//.test(path) || !isCode(path)) return [];
  return path.split('/').flatMap((part) => {
    const stem = part.replace(/(?:\.(?:test|bench|d))?\.(?:ts|cjs|mjs|js)$/, '');
    return /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(stem) ? [] : [`${part} is not kebab-case`];
  });
}

function findEmptyName({ path }: SourceFile): string[] {
  const banned = /^(?:utils?|helpers?|managers?|commons?|misc)$/;
  return path.split('/').flatMap((part) =>
    part.split(/[-.]/).some((word) => banned.test(word)) && /^(?:src|sim|test|bench|bin)\//.test(path)
      ? [`${part} says nothing about what is in it`] : []);
}

function findUnsaid({ path, text }: SourceFile): string[] {
  return isCode(path) && !/^(?:#!|\/\*|\/\/)/.test(text) ? ['the file does not begin with a comment'] : [];
}

function findEmptyTest({ path, text }: SourceFile): string[] {
  if (!path.endsWith('.test.ts')) return [];
  const { code } = scanSource(text);
  const testCount = [...code.matchAll(/\b(?:test|it)\(/g)].length;
  const assertCount = [...code.matchAll(/\bassert\w*[.(]/g)].length;
  if (testCount === 0) return ['a test file without a test'];
  return assertCount === 0 ? ['a test file that asserts nothing'] : [];
}

const sideEffectsAtTheEnds = 'side effects stand at the ends; the middle cannot fail but by our own error';
const reExport = /\bexport\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[\w$,\s]*\})\s*from\s*'\s*';/g;
/** Enums, namespaces, and constructor parameters that declare a property. */
const unstrippable = new RegExp([
  String.raw`\benum\s+\w+\s*\{`,
  String.raw`\b(?:namespace|module)\s+[\w.]+\s*\{`,
  String.raw`\bconstructor\s*\((?:[^)]*,)?\s*(?:public|private|protected|readonly)\s+(?:readonly\s+)?[\w$]+\s*[?:=,)]`,
].join('|'), 'g');
const clockOrChance = new RegExp([
  String.raw`\bMath\s*\.\s*random\b`,
  String.raw`\b(?:Date|performance)\s*\.\s*now\b`,
  String.raw`\bnew\s+Date\s*(?:\(\s*\)|(?![\w\s(]))`,
  String.raw`\bprocess\s*\.\s*hrtime\b`,
].join('|'), 'g');
const registryHost = new RegExp([
  String.raw`\bregistry\.(?:npmjs|yarnpkg|npmmirror)\b`,
  String.raw`\bnpm\.pkg\.github\b`,
  String.raw`\b(?:artifactory|verdaccio|nexus)\b`,
  String.raw`"resolved":\s*"https?:`,
].join('|'), 'gi');

export const rules: readonly Rule[] = [
  {
    name: 'one-way', reason: 'a room imports rooms before it; rooms that know each other cannot be tested apart',
    find: findBackwardImports,
  },
  {
    name: 'doors-only', reason: 'what lies behind a door may be moved without asking; a deep path may not',
    find: findDeepImports,
  },
  { name: 'every-file-has-a-room', reason: 'a file in no room obeys no order', find: findRoomless },
  { name: 'doors-only-re-export', reason: 'a door with code in it becomes a room of its own', find: findDoorCode },
  {
    name: 'no-files-in-the-middle', reason: sideEffectsAtTheEnds,
    find: findBuiltins(['fs', 'zlib', 'child_process'], foldersWithFiles),
  },
  {
    name: 'no-sockets-in-the-middle', reason: sideEffectsAtTheEnds,
    find: findBuiltins(['net', 'dgram', 'http', 'https', 'http2', 'tls', 'dns'], foldersWithSockets),
  },
  {
    name: 'no-threads-in-the-middle', reason: 'what runs beside something else can fail beside it',
    find: findBuiltins(['worker_threads', 'cluster'], foldersWithThreads),
  },
  { name: 'kebab-case', reason: 'one way to write a file name', find: findBadName },
  { name: 'telling-names', reason: 'a name that says nothing collects everything', find: findEmptyName },
  {
    name: 'erasable-types', reason: 'Node strips types, it does not compile them',
    // Declarations alone are never run.
    find: findPattern(unstrippable, 'code', (path) => path.endsWith('.ts') && !path.endsWith('.d.ts')),
  },
  {
    name: 'first-line-says-what', reason: 'whoever opens a file learns first what it is',
    find: findUnsaid,
  },
  { name: 'at-most-500-lines', reason: 'a file has one subject', find: findLongFile },
  { name: 'at-most-120-columns', reason: 'two files fit side by side', find: findWideLines },
  {
    name: 'clocks-and-chance-in-base', reason: 'one seed replays a world only when nothing else looks at the clock',
    find: findPattern(clockOrChance, 'code', (path) => isCode(path) && !path.startsWith('src/base/')),
  },
  {
    name: 'input-is-never-code', reason: 'bytes from the network must not become a program',
    find: findPattern(/\bnew\s+Function\b|(?<![\w$.])eval\s*\(|\bFunction\s*\(/g, 'code', isCode),
  },
  {
    name: 'nothing-left-for-later', reason: 'an open end belongs to the issue tracker',
    find: findPattern(/\b(?:TODO|FIXME|XXX|HACK)\b/g, 'comments', isCode),
  },
  {
    name: 'no-path-of-one-machine', reason: 'it works on the next machine too',
    find: findPattern(/(?<![\w.)\]}*-])\/(?:work|tmp|root|home\/\w+|Users\/\w+)\//g, 'text', () => true),
  },
  {
    name: 'no-registry-host', reason: 'where packages come from is the business of the machine that installs them',
    find: findPattern(registryHost, 'text', (path) => !path.startsWith('test/')),
  },
  {
    name: 'every-test-runs', reason: 'a test left alone silences all others',
    find: findPattern(/\b(?:test|it|describe|suite)\s*\.\s*only\b|\bonly\s*:\s*true\b/g, 'code', isTest),
  },
  { name: 'every-test-asserts', reason: 'a test that cannot fail is worse than none', find: findEmptyTest },
];
