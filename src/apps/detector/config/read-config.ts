/**
 * The config of a detector from its file. All faults are told at once, each with its line; what is read is whole and
 * checked, and nothing later has to ask whether a key makes sense.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { describeError, limits, OperatorError } from '#base';
import { buildConfig } from './build-config.ts';
import { findConfigFaults } from './check-config.ts';
import { findFileFaults } from './check-files.ts';
import { parseToml, readValues, type ConfigFault } from './config-values.ts';
import type { DetectorConfig } from './detector-config.ts';
import { findLines } from './toml-lines.ts';

/**
 * @param path  of a TOML file; relative paths in it are taken from its folder
 * @throws OperatorError  `bad-config`: it cannot be read, is no TOML, or has faults
 */
export async function readConfig(path: string): Promise<DetectorConfig> {
  const text = await readText(path);
  const { config, faults, faulty } = interpret(text, { folder: dirname(resolve(path)), file: path });
  refuse(text, path, [...faults, ...await findFileFaults(config, faulty)]);
  return config;
}

/**
 * The same from text, without looking at the files that it names.
 *
 * @param source.folder  that relative paths are taken from
 * @param source.file    what to call it in sentences
 * @throws OperatorError  `bad-config`
 */
export function parseConfig(text: string, source: { folder: string; file?: string }): DetectorConfig {
  const { folder, file = '' } = source;
  const { config, faults } = interpret(text, { folder: resolve(folder), file });
  refuse(text, file === '' ? 'The config' : file, faults);
  return config;
}

function interpret(text: string, { folder, file }: { folder: string; file: string }): {
  config: DetectorConfig; faults: readonly ConfigFault[]; faulty: ReadonlySet<string>;
} {
  const { values, faults, faulty, given } = readValues(parseToml(text, file === '' ? 'The config' : file));
  const config = buildConfig(values, { folder, file, given });
  return { config, faulty, faults: [...faults, ...findConfigFaults(config, values, faulty)] };
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > limits.configBytesMax) {
      throw new OperatorError('bad-config', `${path} has ${size} bytes; a config has at most ${
        limits.configBytesMax}.`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (thrown) {
    if (thrown instanceof OperatorError) throw thrown;
    const code = (thrown as NodeJS.ErrnoException).code ?? '';
    const because = { ENOENT: 'there is no such file', EISDIR: 'it is a folder', EACCES: 'this user must not read it',
      ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8' }[code] ?? describeError(thrown);
    throw new OperatorError('bad-config', `Cannot read ${path}: ${because}.`, thrown);
  }
}

/** @throws OperatorError  there are faults */
function refuse(text: string, file: string, faults: readonly ConfigFault[]): void {
  if (faults.length === 0) return;
  const lines = findLines(text);
  const placed = faults.map((fault, i) => ({ ...fault, i, line: lineOf(fault.path, lines) }))
    .sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity) || a.i - b.i);
  const sentences = placed.slice(0, limits.configFaultsMax).map(({ path, text: what, line }) =>
    `${line === undefined ? '' : `line ${line}: `}${path}${what}${what.endsWith('?') ? '' : '.'}`);
  if (faults.length > sentences.length) sentences.push(`And ${faults.length - sentences.length} more.`);
  const [only = ''] = sentences;
  throw new OperatorError('bad-config', sentences.length === 1 ? `${file}, ${only}`
    : `${file} has ${faults.length} faults:\n  ${sentences.join('\n  ')}`);
}

/** The line of a key, or of the section that it is missing in. */
function lineOf(path: string, lines: ReadonlyMap<string, number>): number | undefined {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const line = lines.get(at);
    if (line !== undefined) return line;
  }
  return undefined;
}
