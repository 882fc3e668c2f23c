/**
 * Folders of golden cases, whatever is decoded from them: `<input>.<kind>`, `expected.csv`, `counts.json`, `why.md`,
 * and `options.json` where the defaults are not meant. A folder holds all that its runner needs; a description in code
 * is optional, and only says how the files of some folders came about.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of an input: a case shows one thing. */
const inputBytesMax = 5_000;

/** A case as a person described it. */
export type DescribedCase = {
  readonly name: string;
  /** Name of the input's file. */
  readonly file: string;
  readonly input: Uint8Array;
  /** The rows, as our CSV. */
  readonly expected: string;
  readonly counts: object;
  readonly options?: object | undefined;
  /** Two lines: what the case shows, and by which document. */
  readonly why: readonly [string, string];
};

/** A case as it lies in its folder. */
export type FoundCase = {
  /** Path of the input. */
  readonly input: string;
  readonly expected: string;
  readonly counts: unknown;
  /** Empty when there is no options.json. */
  readonly options: object;
};

/** The files of a described case, by name. */
export function filesOf(described: DescribedCase): ReadonlyMap<string, Uint8Array> {
  const { file, input, expected, counts, options, why } = described;
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  const files = new Map([
    [file, input], ['expected.csv', text(expected)], ['counts.json', text(`${JSON.stringify(counts)}\n`)],
    ['why.md', text(`${why.join('\n')}\n`)],
  ]);
  if (options !== undefined) files.set('options.json', text(`${JSON.stringify(options)}\n`));
  return files;
}

/** Writes described cases into their folders; other folders are left alone. */
export function writeCases(folder: string, cases: readonly DescribedCase[]): void {
  for (const described of cases) {
    mkdirSync(join(folder, described.name), { recursive: true });
    for (const [name, bytes] of filesOf(described)) writeFileSync(join(folder, described.name, name), bytes);
  }
  process.stdout.write(`${cases.length} cases written\n`);
}

/** Names of the cases of a folder. */
export function listCases(folder: string): string[] {
  return readdirSync(folder).sort();
}

/**
 * Opens a case and checks that its folder is sound.
 *
 * @param inputName  what the input's file is called, but for what comes after the dot
 */
export function openCase(folder: string, name: string, inputName: string): FoundCase {
  const at = (file: string): string => join(folder, name, file);
  const files = readdirSync(join(folder, name));
  const inputs = files.filter((file) => file.startsWith(`${inputName}.`));
  assert.equal(inputs.length, 1, `a case has one ${inputName}`);
  const known = new Set([...inputs, 'expected.csv', 'counts.json', 'options.json', 'why.md']);
  assert.deepEqual(files.filter((file) => !known.has(file)), [], 'a case has no other files');
  const input = at(inputs[0] as string);
  assert.ok(statSync(input).size <= inputBytesMax, 'the input of a golden case is small');
  assert.match(readFileSync(at('why.md'), 'utf8'), /^\S.{20,}\n\S.{10,}\n$/, 'why.md has two lines');
  return {
    input, expected: readFileSync(at('expected.csv'), 'utf8'),
    counts: JSON.parse(readFileSync(at('counts.json'), 'utf8')) as unknown,
    options: existsSync(at('options.json')) ? JSON.parse(readFileSync(at('options.json'), 'utf8')) as object : {},
  };
}

/** Asserts that the folders of described cases hold their files, byte for byte. @param maker  what writes them */
export function assertCheckedIn(folder: string, cases: readonly DescribedCase[], maker: string): void {
  const names = listCases(folder);
  for (const described of cases) {
    assert.ok(names.includes(described.name), `${described.name}: run ${maker}`);
    const files = filesOf(described);
    assert.deepEqual(readdirSync(join(folder, described.name)).sort(), [...files.keys()].sort(), described.name);
    for (const [name, bytes] of files) {
      assert.ok(readFileSync(join(folder, described.name, name)).equals(bytes), `${described.name}/${name} differs`);
    }
  }
}
