/**
 * What `natlens detect --check` prints: what a detector of this config would do, to whom, and what leaves the machine;
 * for people as text, for programs as JSON. Secrets are in files and never read here; contacts are counted, not shown.
 */
import type { DetectorConfig, HomeMapping } from './detector-config.ts';
import { formatDuration, formatSize, pathOf, writeAddress, writeHostPort, writePrefix, type ConfigKey } from '#service';
import { configKeys } from './config-keys.ts';
import { listWarnings } from './config-warnings.ts';
import { formatShare } from '../describe-fault.ts';
import { hideUrl, listEgress, rungsThatAreOn } from './egress.ts';

/** @param more.json  the effective config instead, with warnings and what leaves; what may be secret is replaced */
export function explainConfig(config: DetectorConfig, more: { readonly json?: boolean } = {}): string {
  if (more.json === true) return explainAsJson(config);
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ['What is done', [config.dryRun
      ? 'Nothing (dry_run): no mail, no message, no block. What would have been done is in the audit.'
      : 'What the ladder says (dry_run is off).']],
    ['Flows', explainInput(config)],
    ['Homes', explainHomes(config)],
    ['Classifiers, evidence, verdicts', explainDecision(config)],
    ['The ladder', explainLadder(config)],
    ['What leaves this machine', explainEgress(config)],
    ['What is kept', explainState(config)],
    ['Warnings', listWarnings(config).map((warning) => `! ${warning}`)],
    ['Keys left at their defaults', explainDefaults(config)],
  ];
  const title = `Detector "${config.name}"${config.file === '' ? '' : `, by ${config.file}`}: the config is sound.`;
  return [title, ...parts.map(([heading, lines]) =>
    [heading, ...(lines.length === 0 ? ['none'] : lines).map((line) => `  ${line}`)].join('\n'))].join('\n\n');
}

/** `a   b`: columns as wide as needed. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
  return rows.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}

const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function explainInput({ input }: DetectorConfig): string[] {
  const names = { prefix: 'natlens names layer 7', exporter: 'the exporter names layer 7', none: 'nobody names layer 7',
    ndpi: 'nDPI names layer 7' };
  const timeout = (timeoutMs: number): string => timeoutMs === 0 ? 'not known' : formatDuration(timeoutMs);
  const listeners = input.listen.map(({ transport, address, port }) =>
    `${transport}://${writeHostPort(address, port)}`);
  return [
    listeners.length === 0 ? 'No listener: only --replay brings flows.'
      : `NetFlow v5, v9 and IPFIX come in at ${listeners.join(', ')}.`,
    input.exporters.length === 0 ? 'Everybody may send.'
      : `Only these may send: ${input.exporters.map(writePrefix).join(', ')}.`,
    `Timeouts of the exporter: active ${timeout(input.activeTimeoutMs)}, idle ${timeout(input.idleTimeoutMs)}; ${
      names[input.l7]}; ${
      input.pair ? `one-way records are joined within ${formatDuration(input.pairWaitMs)}`
        : 'records have both directions'}${
      input.renormalise ? '; sampled counters are multiplied' : ''}.`,
    `A clock that is more than ${formatDuration(input.clockSkewMs)} off is not believed. Receive buffer: ${
      formatSize(input.receiveBufferBytes)}.`,
  ];
}

function explainHomes({ homes, evidence }: DetectorConfig): string[] {
  const { list, unlisted } = homes;
  const texts: Readonly<Record<HomeMapping, string>> = {
    single: `All flows are of one home, "${homes.name}".`, exporter: 'Each exporter is a home.',
    interface: 'Each ingress interface of an exporter is a home.',
    address: 'Each address is a home: of IPv4 the address, of IPv6 its /64, or the prefixes listed for it.',
  };
  const count = (noun: string, chosen: (home: (typeof list)[number]) => boolean): string =>
    `${list.filter(chosen).length} ${noun}`;
  return [
    texts[homes.map],
    `${countOf(list.length, 'home')} listed: ${count('with a mail address', ({ mail }) =>
      mail !== undefined)}, ${count('with addresses to block', ({ addresses }) => addresses.length > 0)}, ${
      count('opted out', ({ optedOut }) => optedOut)}.`,
    homes.map === 'single' ? 'There are no others.'
      : unlisted === 'observe' ? `Others are watched under their address, at most ${evidence.homesMax} in all.`
        : 'Flows of others are counted and dropped.',
    homes.inside.length === 0 ? 'Flows to global addresses are outward; the addresses of homes are not said.'
      : `The inside of homes: ${homes.inside.map(writePrefix).join(', ')}.`,
  ];
}

function explainDecision({ classifiers, evidence, verdict, falseAlarms }: DetectorConfig): string[] {
  const { threshold } = classifiers;
  const accepted = threshold === 'default' ? "the algorithm's own threshold"
    : `percentile ${threshold} of the validation flows`;
  return [
    `Classifiers from ${classifiers.folder}, accepted flows by ${accepted}.`,
    ...explainPolicy(verdict, falseAlarms, formatDuration(evidence.windowMs)),
    `A verdict ends when nothing has supported it for ${formatDuration(verdict.expiryMs)}.`,
  ];
}

function explainPolicy({ policy, presentScore, keepScore }: DetectorConfig['verdict'],
  { perMonth }: DetectorConfig['falseAlarms'], window: string): string[] {
  if (policy === 'single-flow') return ['One accepted flow makes a device model present (single-flow).'];
  const distinct = `present from ${presentScore} distinct tokens within ${window}; ${keepScore} keep it so`;
  if (policy === 'distinct-tokens') return [`For every classifier: ${distinct}. Calibrations are not asked.`];
  return [
    `A calibrated classifier finds its device model wrongly in at most ${formatShare(perMonth)} homes a month.`,
    `One that is not calibrated: ${distinct}. How often that is wrong is not known.`,
  ];
}

function explainLadder(config: DetectorConfig): string[] {
  const { ladder, mail, webhooks, syslogs, block, homes, indicators } = config;
  const { verify, notify, remind, mitigate, rates } = ladder;
  const mailed = homes.list.filter(({ mail: address, optedOut }) => address !== undefined && !optedOut).length;
  const hear = (rung: 'notify' | 'remind' | 'mitigate'): string => {
    const names = [...webhooks, ...syslogs].filter(({ rungs }) => rungs.includes(rung)).map(({ name }) => name);
    const mails = mail !== undefined && rung !== 'mitigate'
      ? [`${countOf(mailed, 'home')} by mail`] : [];
    return [...mails, ...names].join(', ') || 'nobody';
  };
  const asked = [verify.classifierFolder === undefined ? '' : `classifiers in ${verify.classifierFolder}`,
    verify.command?.[0] ?? ''].filter((text) => text !== '').join(' and ');
  const blocked = block === undefined ? '' : `blocks one destination or port of a home for ${
    formatDuration(block.durationMs)}, at most ${block.blocksMax} at once, never ${
    block.allow.map(writePrefix).join(', ') || 'nothing (block.allow is empty)'}; because of ${
    mitigate.reasons.join(' or ')} (${countOf(indicators.length, 'indicator')}); tells ${hear('mitigate')}`;
  const texts = {
    observe: 'keeps evidence and verdicts', verify: `asks ${asked}; without an answer ${
      verify.onFailure === 'hold' ? 'nobody is told' : 'it goes on'}`,
    notify: `tells ${hear('notify')}${notify.afterMs === 0 ? ' at once' : ` after ${formatDuration(notify.afterMs)}`}`,
    remind: `tells ${hear('remind')} again every ${formatDuration(remind.afterMs)}, ${
      countOf(remind.timesMax, 'time')}`,
    mitigate: blocked,
  };
  const on = rungsThatAreOn(config);
  const rows = Object.entries(texts).map(([rung, text]) => {
    const isOn = on.some((one) => one === rung);
    return [rung, isOn ? 'on' : 'off', isOn ? text : ''];
  });
  return [
    ...alignColumns(rows),
    `At most ${countOf(rates.mailsPerHome, 'mail')} to a home in ${formatDuration(rates.perHomeMs)}, ${
      countOf(rates.actionsOverall, 'action')} in ${formatDuration(rates.overallMs)}; what fails is tried for ${
      formatDuration(ladder.giveUpMs)}.`,
  ];
}

function explainEgress(config: DetectorConfig): string[] {
  const rows = listEgress(config).map(({ kind, name, target, what, isEncrypted }) =>
    [name === '' ? kind : `${kind} ${name}`, target, isEncrypted ? '' : 'not encrypted', what]);
  if (rows.length === 0) return ['Nothing.'];
  return config.dryRun ? ['With dry_run only what is asked for at metrics; without it:', ...alignColumns(rows)]
    : alignColumns(rows);
}

function explainState({ stateFolder, checkpointMs, retention, log }: DetectorConfig): string[] {
  return [
    `State in ${stateFolder}, evidence saved every ${formatDuration(checkpointMs)}; log from level ${log.level} on.`,
    `Homes without flows for ${formatDuration(retention.homesMs)}, ended verdicts and finished actions for ${
      formatDuration(retention.verdictsMs)}, the audit for ${formatDuration(retention.auditMs)}.`,
  ];
}

/** Keys of sections that are always there, or that the file has. */
function keysAtDefaults(given: ReadonlySet<string>): readonly ConfigKey[] {
  const keys: readonly ConfigKey[] = configKeys;
  const always = new Set(['home', 'webhook', 'syslog', 'indicator', 'device_model']);
  const isThere = ({ section }: ConfigKey): boolean => !always.has(section) &&
    (!['mail', 'mail.dkim', 'block'].includes(section) || given.has(section));
  return keys.filter((key) => key.presence === 'default' && isThere(key) && !given.has(pathOf(key)));
}

function explainDefaults({ given }: DetectorConfig): string[] {
  return alignColumns(keysAtDefaults(given).map((key) => [pathOf(key), `= ${key.kind.write(key.byDefault)}`]));
}

const hidden = '(hidden)';

function explainAsJson(config: DetectorConfig): string {
  const { given, file, homes, webhooks, input, block, indicators, ...rest } = config;
  const hide = (text: string | undefined): string | undefined => text === undefined ? undefined : hidden;
  const effective = {
    ...rest,
    input: { ...input, exporters: input.exporters.map(writePrefix) },
    homes: {
      ...homes, inside: homes.inside.map(writePrefix),
      list: homes.list.map((home) => ({
        ...home, mail: hide(home.mail), name: hide(home.name), prefixes: home.prefixes.map(writePrefix),
        exporter: home.exporter === undefined ? undefined : writeAddress(home.exporter),
      })),
    },
    webhooks: webhooks.map((one) => ({ ...one, url: hideUrl(one.url) })),
    block: block === undefined ? undefined : { ...block, allow: block.allow.map(writePrefix) },
    indicators: indicators.map((one) => ({
      ...one, destination: one.destination === undefined ? undefined : writePrefix(one.destination),
    })),
  };
  return JSON.stringify({
    file, config: effective, warnings: listWarnings(config), egress: listEgress(config),
    defaults: keysAtDefaults(given).map(pathOf),
  }, undefined, 2);
}
