/**
 * The config of a detector from its file. All faults are told at once, each with its line; what is read is whole and
 * checked, and nothing later has to ask whether a key makes sense.
 */
import { dirname, resolve } from 'node:path';
import { parseToml, readConfigText, refuseFaults, type ConfigFault } from '#service';
import { buildConfig } from './build-config.ts';
import { findConfigFaults } from './check-config.ts';
import { findFileFaults } from './check-files.ts';
import { readValues } from './config-values.ts';
import type { DetectorConfig } from './detector-config.ts';

/**
 * @param path  of a TOML file; relative paths in it are taken from its folder
 * @throws OperatorError  `bad-config`: it cannot be read, is no TOML, or has faults
 */
export async function readConfig(path: string): Promise<DetectorConfig> {
  const text = await readConfigText(path);
  const { config, faults, faulty } = interpret(text, { folder: dirname(resolve(path)), file: path });
  refuseFaults(text, path, [...faults, ...await findFileFaults(config, faulty)]);
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
  refuseFaults(text, file === '' ? 'The config' : file, faults);
  return config;
}

function interpret(text: string, { folder, file }: { folder: string; file: string }): {
  config: DetectorConfig; faults: readonly ConfigFault[]; faulty: ReadonlySet<string>;
} {
  const { values, faults, faulty, given } = readValues(parseToml(text, file === '' ? 'The config' : file));
  const config = buildConfig(values, { folder, file, given });
  return { config, faulty, faults: [...faults, ...findConfigFaults(config, values, faulty)] };
}
