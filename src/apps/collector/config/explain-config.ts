/**
 * What `natlens collect --check` prints: what a collector of this config would do, for people as text, for programs as
 * JSON. Keys and certificates are named, never read here.
 */
import { formatDuration, formatSize, pathOf, writeHostPort, writePrefix, type ConfigKey } from '#service';
import type { CollectorConfig } from './collector-config.ts';
import { configKeys } from './config-keys.ts';

/** @param more.json  the effective config instead, with warnings */
export function explainConfig(config: CollectorConfig, more: { readonly json?: boolean } = {}): string {
  const warnings = listWarnings(config);
  if (more.json === true) {
    const { given: _, file, input, ...rest } = config;
    return JSON.stringify({
      file, config: { ...rest, input: { ...input, exporters: input.exporters.map(writePrefix) } }, warnings,
      defaults: keysAtDefaults(config).map(pathOf),
    }, undefined, 2);
  }
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ['Messages', explainInput(config)],
    ['Flow records', explainFlows(config)],
    ['What is kept', [`Templates, sampling rates, sequence numbers and accounts in ${config.stateFolder}, saved every ${
      formatDuration(config.checkpointMs)}. Log from level ${config.logLevel} on.`]],
    ['Warnings', warnings.map((warning) => `! ${warning}`)],
    ['Keys left at their defaults', keysAtDefaults(config).map((key) =>
      `${pathOf(key)} = ${key.kind.write(key.byDefault)}`)],
  ];
  const title = `Collector${config.file === '' ? '' : `, by ${config.file}`}: the config is sound.`;
  return [title, ...parts.map(([heading, lines]) =>
    [heading, ...(lines.length === 0 ? ['none'] : lines).map((line) => `  ${line}`)].join('\n'))].join('\n\n');
}

function explainInput({ input, tls, forward }: CollectorConfig): string[] {
  const { rateLimit, rateBurst } = input;
  return [
    `They come in at ${input.listen.map(({ transport, address, port }) =>
      `${transport}://${writeHostPort(address, port)}`).join(', ')}: NetFlow v5, v9 and IPFIX by udp, IPFIX by others.`,
    input.exporters.length === 0 ? 'Everybody may send.'
      : `Only these may send: ${input.exporters.map(writePrefix).join(', ')}.`,
    rateLimit === 0 ? 'Each exporter may send as much as it likes.'
      : `Each exporter may send ${rateLimit} datagrams a second by udp, ${rateBurst} of them at once.`,
    `A receive buffer of ${formatSize(input.receiveBufferBytes)} is asked for each socket of udp; ${
      formatSize(input.ringBytes)} of memory lie behind them.`,
    ...(tls === undefined ? [] : [`By tls ${tls.names.length === 0 ? 'everybody'
      : tls.names.join(', ')} may come whose certificate descends from ${tls.authoritiesFile}.`]),
    ...(forward.length === 0 ? [] : [`All are handed on, as they came, to ${
      forward.map(({ address, port }) => writeHostPort(address, port)).join(', ')}.`]),
  ];
}

function explainFlows({ flows, output, detectorConfig }: CollectorConfig): string[] {
  const names = { prefix: 'natlens names layer 7', exporter: 'the exporter names layer 7', none: 'nobody names layer 7',
    ndpi: 'nDPI names layer 7' };
  const keep = output?.keepMs === undefined && output?.keepBytesMax === undefined ? 'All files are kept.'
    : `Kept are ${[...(output.keepMs === undefined ? [] : [`files of the last ${formatDuration(output.keepMs)}`]),
      ...(output.keepBytesMax === undefined ? [] : [`at most ${formatSize(output.keepBytesMax)}`])].join(', ')}.`;
  return [
    `${flows.pair ? `One-way records are joined to biflows within ${formatDuration(flows.pairWaitMs)}`
      : 'Records are kept as they come'}; ${names[flows.l7]}${
      flows.renormalise ? '; sampled counters are multiplied' : ''}.`,
    output === undefined ? 'No file is written.'
      : `Parquet files in ${output.folder}, one for every ${formatDuration(output.rotateMs)} or ${
        formatSize(output.fileBytesMax)}. ${keep}`,
    ...(detectorConfig === undefined ? [] : [`A detector in the same process is given all messages: ${
      detectorConfig}.`]),
  ];
}

/** What is worth a second look. */
function listWarnings({ input, output, forward, detectorConfig, metrics, tls }: CollectorConfig): string[] {
  const isOpen = input.listen.some(({ address }) => !/^(?:127\.|::1$)/.test(address));
  return [
    ...(isOpen && input.exporters.length === 0
      ? ['input.exporters is empty: whoever reaches the port can send records, under any address by udp.'] : []),
    ...(output === undefined && forward.length === 0 && detectorConfig === undefined
      ? ['There is no [output], no [forward] and no [detector]: messages are only counted.'] : []),
    ...(output !== undefined && output.keepBytesMax === undefined && output.keepMs === undefined
      ? ['All files are kept for ever: output.keep or output.keep_size bounds them.'] : []),
    ...(metrics !== undefined && !/^(?:127\.|::1$)/.test(metrics.address)
      ? ['metrics.listen can be asked from other machines; the addresses of exporters are in it.'] : []),
    ...(tls !== undefined && tls.names.length === 0
      ? ['tls.names is empty: every certificate of these authorities may come in.'] : []),
  ];
}

/** Keys of sections that are always there, or that are given. */
function keysAtDefaults({ given }: CollectorConfig): readonly ConfigKey[] {
  const keys: readonly ConfigKey[] = configKeys;
  const optional = new Set(['tls', 'output', 'forward', 'detector']);
  return keys.filter((key) => key.presence === 'default' && !given.has(pathOf(key)) &&
    (!optional.has(key.section) || given.has(key.section)));
}
