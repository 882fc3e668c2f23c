/**
 * The pages are true: generated ones are up to date, links and named files exist, and every option, limit, reason of
 * rejection and summary field has its place. Each check is shown to find a planted fault.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { limits } from '#base';
import { catalogs } from '#feature';
import { schema } from '#flow';
import { formatColumns } from '../docs/make-columns.ts';
import { formatFeatures } from '../docs/make-features.ts';
import { readSourceTree, rootFolder, type SourceFile } from './support/source-tree.ts';

const pages = readSourceTree().filter(({ path }) => path.endsWith('.md'));
const read = (path: string): string => readFileSync(join(rootFolder, path), 'utf8');

/** The text without blocks of code, in which nothing is a link or a heading. */
function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}

/** Names by which a page's headings are linked to: lower case, punctuation left out, blanks as hyphens. */
function anchorsOf(text: string): Set<string> {
  const headings = [...withoutCode(text).matchAll(/^#{1,6} +(.+)$/gm)].map((match) => match[1] as string);
  return new Set(headings.map((heading) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-')));
}

/** Relative links of a page that lead to no file, or to no heading of a page. */
function findDeadLinks(page: SourceFile, readPage: (path: string) => string | undefined): string[] {
  const links = [...withoutCode(page.text).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
  return links.filter((link) => !/^[a-z]+:/.test(link)).flatMap((link) => {
    const [file = '', anchor] = link.split('#');
    const path = file === '' ? page.path : posix.join(posix.dirname(page.path), file);
    const text = readPage(path);
    if (text === undefined) return [`${page.path}: ${link} leads nowhere`];
    return anchor === undefined || anchorsOf(text).has(anchor) ? [] : [`${page.path}: ${link} has no such heading`];
  });
}

/** Files of this repository that a page names in backticks and that are not there. `NAME` stands for any name. */
function findGoneFiles(page: SourceFile, isThere: (path: string) => boolean): string[] {
  const named = [...page.text.matchAll(/`((?:src|sim|test|bench|bin|docs|kernels)\/[\w./-]*)`/g)];
  return named.map((match) => match[1] as string)
    .filter((path) => !path.includes('NAME') && !isThere(path)).map((path) => `${page.path}: ${path} is not there`);
}

/** Words that have no place in backticks in a page; a value may follow an option. */
function findUnmentioned(words: Iterable<string>, page: string): string[] {
  const spans = [...page.matchAll(/`([^`\n]+)`/g)].map((match) => (match[1] as string).split(' ')[0] as string);
  const known = new Set(spans);
  return [...words].filter((word) => !known.has(word));
}

/** What a run prints that must succeed. */
function natlens(...args: string[]): string {
  const run = spawnSync(process.execPath, [join(rootFolder, 'bin/natlens.cjs'), ...args], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
}

function helpOf(...command: string[]): string {
  return natlens(...command, '--help');
}

/** Options, short and long, that a help text lists. */
function optionsIn(help: string): string[] {
  const lines = help.split('\n').filter((line) => /^ {2}-/.test(line));
  return lines.flatMap((line) => [...line.slice(0, 22).matchAll(/(?<![\w-])--?[a-z][\w-]*/g)].map((match) => match[0]));
}

/** Members of a union of texts in a source file. */
function unionIn(text: string, name: string): string[] {
  const body = new RegExp(`export type ${name} =([^;]*);`).exec(text)?.[1] ?? '';
  return [...body.matchAll(/'([^']+)'/g)].map((match) => match[1] as string);
}

test('docs/columns.md is what docs/make-columns.ts makes', () => {
  assert.equal(read('docs/columns.md'), formatColumns());
  assert.deepEqual(findUnmentioned(schema.map((column) => column.name), read('docs/columns.md')), []);
  assert.notEqual(formatColumns(schema.slice(1)), formatColumns());
});

test('docs/features.md is what docs/make-features.ts makes', () => {
  assert.equal(read('docs/features.md'), formatFeatures());
  const names = catalogs.flatMap(({ numeric, categorical }) => [...numeric, ...categorical].map(({ name }) => name));
  assert.deepEqual(findUnmentioned(names, read('docs/features.md')), []);
  const [first, ...others] = catalogs;
  assert.ok(first !== undefined);
  const renamed = { ...first, numeric: [{ ...first.numeric[0], name: 'unexplained' }] } as typeof first;
  assert.throws(() => formatFeatures([renamed, ...others]), /unexplained has no reason/);
  assert.notEqual(formatFeatures(others), formatFeatures());
});

test('links lead somewhere', () => {
  assert.ok(pages.length > 15, `only ${pages.length} pages`);
  const texts = new Map(pages.map(({ path, text }) => [path, text]));
  const readPage = (path: string): string | undefined =>
    texts.get(path) ?? (existsSync(join(rootFolder, path)) ? '' : undefined);
  assert.deepEqual(pages.flatMap((page) => findDeadLinks(page, readPage)), []);
});

test('files that pages name are there', () => {
  assert.deepEqual(pages.flatMap((page) => findGoneFiles(page, (path) => existsSync(join(rootFolder, path)))), []);
});

test('every command and option has its page', () => {
  const listed = helpOf().split('Commands:')[1] ?? '';
  const commands = [...listed.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1] as string)
    .filter((name) => name !== 'help' && name !== 'natlens');
  assert.ok(commands.includes('flows') && commands.includes('simulate'), commands.join(' '));
  const commandPages = pages.filter(({ path }) => path.startsWith('docs/commands/'));
  for (const command of commands) {
    const page = commandPages.find(({ text }) => new RegExp(`^# natlens ${command}$`, 'm').test(text));
    assert.ok(page !== undefined, `natlens ${command} has no page`);
    const options = optionsIn(helpOf(command));
    assert.ok(options.includes('--help'), command);
    assert.deepEqual(findUnmentioned(options, page.text), [], page.path);
  }
});

test('the page of flows has every reason of rejection and every field of the summary', () => {
  const page = read('docs/commands/flows.md');
  const reasons = unionIn(read('src/base/errors.ts'), 'ProblemCode');
  assert.ok(reasons.includes('not-ip') && reasons.length > 5, reasons.join(' '));
  assert.deepEqual(findUnmentioned(reasons, page), []);
  const capture = 'test/golden/meter/tcp-open-close/capture.pcap';
  const fields = Object.keys(JSON.parse(natlens('flows', capture, '--json')) as object);
  assert.ok(fields.includes('meteredPackets'), fields.join(' '));
  assert.deepEqual(findUnmentioned(fields, page), []);
});

/** A limit as the page shows it: whole kibibytes and mebibytes for bytes, digits in threes for counts. */
function formatLimit(name: string, value: number): string {
  if (!name.includes('Bytes')) return value.toLocaleString('en-US');
  return value % (1 << 20) === 0 ? `${value / (1 << 20)} MiB` : `${value / 1024} KiB`;
}

test('every limit has its row with its value, and every row its limit', () => {
  const rows = [...read('docs/limits.md').matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)]
    .map(([, name, value]) => `${name} ${value}`);
  const expected = Object.entries(limits).map(([name, value]) => `${name} ${formatLimit(name, value)}`);
  assert.deepEqual(rows.toSorted(), expected.toSorted());
});

test('versions in docs/dependencies.md are those of package.json', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const versions = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };
  const page = read('docs/dependencies.md');
  const names = Object.keys(versions);
  assert.ok(names.includes('commander'));
  const shown = (name: string): string | undefined =>
    new RegExp(`^\\| \`${name}\` \\| (\\S+) \\|`, 'm').exec(page)?.[1];
  const wrong = names.filter((name) => shown(name) !== (versions[name] as string).split('@').at(-1));
  assert.deepEqual(wrong, []);
});

test('planted faults are found', () => {
  const page = (text: string): SourceFile => ({ path: 'docs/a.md', text });
  const readPage = (path: string): string | undefined => path === 'docs/b.md' ? '# Two words: here' : undefined;
  const links = '[x](b.md#two-words-here) [y](https://example.org) [z](c.md)';
  assert.deepEqual(findDeadLinks(page(links), readPage), ['docs/a.md: c.md leads nowhere']);
  assert.deepEqual(findDeadLinks(page('[x](b.md#other)'), readPage), ['docs/a.md: b.md#other has no such heading']);
  assert.deepEqual(findDeadLinks(page('[x](../b.md)'), readPage), ['docs/a.md: ../b.md leads nowhere']);
  assert.equal(findDeadLinks(page('```\n[x](c.md)\n```\n'), readPage).length, 0);
  assert.equal(findGoneFiles(page('`src/gone.ts` and `src/import-NAME.ts`'), () => false).length, 1);
  assert.deepEqual(findUnmentioned(['--a', '--b', '-c'], '`--a`, `-c FILE`'), ['--b']);
  const help = '  -o, --output <file>  write --json\n  --home <cidr...>     x\nno --option';
  assert.deepEqual(optionsIn(help), ['-o', '--output', '--home']);
  assert.notEqual(formatLimit('readChunkBytes', 1 << 18), formatLimit('readChunkBytes', 1 << 19));
  assert.deepEqual(unionIn("export type A =\n  | 'x'\n  | 'y-z';", 'A'), ['x', 'y-z']);
});
