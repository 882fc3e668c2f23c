/**
 * The config of a collector: a TOML file, options of the command over it, or both. Options go the same way as keys, so
 * that both are checked by the same rules. All faults are told at once; relative paths are taken from the folder of the
 * file, those of options from the working folder.
 */
import { dirname, resolve } from 'node:path';
import type { TomlTable } from 'smol-toml';
import {
  parseToml, readConfigText, readValues, refuseFaults, type ConfigFault, type TableValues,
} from '#service';
import { configTable, type configSections, type KeyRow } from './config-keys.ts';
import type { CollectorConfig } from './collector-config.ts';

type Values = TableValues<(typeof configSections)[number], KeyRow>;

/** Values of options by the path of their key (`input.listen`), with what the option is called. */
export type OptionValues = ReadonlyMap<string, { readonly option: string; readonly value: unknown }>;

/** Keys that hold paths: an option's is made absolute before it meets the file's folder. */
const pathKeys: ReadonlySet<string> = new Set([
  'state_folder', 'output.folder', 'detector.config', 'tls.key_file', 'tls.certificate_file', 'tls.authorities_file',
]);

/**
 * @param path     of a TOML file; undefined: options and defaults alone
 * @param options  of the command; they win over the file
 * @throws OperatorError  `bad-config`: the file cannot be read, is no TOML, or something has faults
 */
export async function readConfig(path: string | undefined, options: OptionValues = new Map()):
  Promise<CollectorConfig> {
  const text = path === undefined ? '' : await readConfigText(path);
  const folder = path === undefined ? resolve('.') : dirname(resolve(path));
  return parseConfig(text, { folder, file: path ?? '', options });
}

/** The same from text. @throws OperatorError  `bad-config` */
export function parseConfig(text: string, source: {
  readonly folder: string; readonly file?: string; readonly options?: OptionValues;
}): CollectorConfig {
  const { folder, file = '', options = new Map() as OptionValues } = source;
  const called = file === '' ? 'The config' : file;
  const document = parseToml(text, called);
  for (const [key, { value }] of options) {
    put(document, key, pathKeys.has(key) && typeof value === 'string' ? resolve(value) : value);
  }
  const { values, faults, faulty, given } = readValues<Values>(configTable, document);
  const config = buildConfig(values, { folder, file, given });
  const all = [...faults, ...findConfigFaults(config, faulty)].map((fault) => nameOption(fault, options));
  refuseFaults(text, file === '' ? 'The command' : called, all);
  return config;
}

/** Puts a value under its path; sections on the way are made. */
function put(document: TomlTable, key: string, value: unknown): void {
  const [name = '', inner] = key.split('.');
  if (inner === undefined) {
    document[name] = value as string;
    return;
  }
  const section = document[name];
  // What is no section is left for the reader to refuse.
  if (section === undefined) document[name] = { [inner]: value as string };
  else if (typeof section === 'object' && !Array.isArray(section)) (section as TomlTable)[inner] = value as string;
}

/** What was said by an option is called by its name. */
function nameOption(fault: ConfigFault, options: OptionValues): ConfigFault {
  const option = options.get(fault.path)?.option;
  return option === undefined ? fault : { ...fault, path: option };
}

function buildConfig(values: Values, source: {
  readonly folder: string; readonly file: string; readonly given: ReadonlySet<string>;
}): CollectorConfig {
  const place = (path: string): string => resolve(source.folder, path);
  const { '': top, input, tls, flows, output, forward, detector, metrics, log } = values;
  return {
    file: source.file, given: source.given, stateFolder: place(top.state_folder), checkpointMs: top.checkpoint,
    input: {
      listen: input.listen, exporters: input.exporters, rateLimit: input.rate_limit,
      rateBurst: input.rate_burst === 0 ? Math.max(1, 2 * input.rate_limit) : input.rate_burst,
      receiveBufferBytes: input.receive_buffer, ringBytes: input.ring, isNative: input.fast_path,
    },
    tls: tls === undefined ? undefined : {
      keyFile: place(tls.key_file), certificateFile: place(tls.certificate_file),
      authoritiesFile: place(tls.authorities_file), names: tls.names,
    },
    flows: {
      renormalise: flows.renormalise, pair: flows.pair, pairWaitMs: flows.pair_wait, l7: flows.l7,
    },
    output: output === undefined ? undefined : {
      folder: place(output.folder), rotateMs: output.rotate, fileBytesMax: output.file_size,
      compression: output.compression,
      keepBytesMax: output.keep_size, keepMs: output.keep,
    },
    forward: forward?.to ?? [],
    detectorConfig: detector === undefined ? undefined : place(detector.config),
    metrics: metrics.listen,
    logLevel: log.level,
  };
}

/** What keys must say together. @param faulty  keys that have a fault of their own */
function findConfigFaults(config: CollectorConfig, faulty: ReadonlySet<string>): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const add = (isWrong: boolean, path: string, text: string): void => {
    if (isWrong && !faulty.has(path)) faults.push({ path, text: ` ${text}` });
  };
  const { input, tls, output, forward, flows, given } = config;
  const wantsTls = input.listen.some(({ transport }) => transport === 'tls');
  add(wantsTls && tls === undefined && !faulty.has('tls'), 'input.listen',
    'names a place of tls: give [tls] with key_file, certificate_file and authorities_file');
  add(tls !== undefined && !wantsTls, 'tls', 'is given, but input.listen names no place of tls, such as ' +
    '"tls://0.0.0.0:4740"');
  add(given.has('input.rate_burst') && input.rateLimit === 0 && !faulty.has('input.rate_limit'), 'input.rate_burst',
    'has no meaning without input.rate_limit');
  add(given.has('flows.pair_wait') && !flows.pair, 'flows.pair_wait', 'has no meaning without flows.pair = true');
  add(output?.keepMs !== undefined && output.keepMs < output.rotateMs, 'output.keep',
    'is shorter than output.rotate: files would be gone before they are whole');
  add(output?.keepBytesMax !== undefined && output.keepBytesMax < output.fileBytesMax && given.has('output.file_size'),
    'output.keep_size', 'is less than output.file_size');
  for (const [i, { transport, address, port }] of input.listen.entries()) {
    const isTwice = port !== 0 && input.listen.findIndex((other) => other.address === address && other.port === port &&
      (other.transport === 'udp') === (transport === 'udp')) < i;
    add(isTwice, 'input.listen', `names port ${port} of ${address} twice`);
  }
  const sendsToItself = forward.some((to) => input.listen.some((at) =>
    at.transport === 'udp' && at.port === to.port && (at.address === to.address ||
      (/^(?:0\.0\.0\.0|::)$/.test(at.address) && /^(?:127\.|::1$)/.test(to.address)))));
  add(sendsToItself, 'forward.to', 'names a place that this collector listens at: messages would go round for ever');
  return faults;
}
