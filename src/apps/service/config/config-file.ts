/** A config's file: its text, and what is wrong with it in one sentence or list, by lines. */
import { readFile, stat } from 'node:fs/promises';
import { describeError, limits, OperatorError } from '#base';
import type { ConfigFault } from './config-values.ts';
import { findLines } from './toml-lines.ts';

/** The text of a config's file. @throws OperatorError  `bad-config`: it cannot be read, is too large or no UTF-8 */
export async function readConfigText(path: string): Promise<string> {
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

/**
 * Tells of all faults at once, each with its line.
 *
 * @param file  what to call the text in sentences
 * @throws OperatorError  `bad-config`: there are faults
 */
export function refuseFaults(text: string, file: string, faults: readonly ConfigFault[]): void {
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
