/**
 * Values of the keys to a `DetectorConfig`: names and units of the code, paths made absolute. Nothing is checked here.
 */
import { resolve } from 'node:path';
import { verdictDefaults, type VerdictOptions } from '#verdict';
import type { BlockOptions, LadderOptions, MailOptions } from '#action';
import type { ConfigValues } from './config-values.ts';
import type { DetectorConfig, HomeEntry } from './detector-config.ts';

/**
 * @param source.folder  that relative paths are taken from
 * @param source.file    where the values were read from; empty: no file
 */
export function buildConfig(values: ConfigValues, source: {
  readonly folder: string; readonly file: string; readonly given: ReadonlySet<string>;
}): DetectorConfig {
  const place = (path: string): string => resolve(source.folder, path);
  const { '': top, input, homes, classifiers, evidence, retention, metrics, log } = values;
  return {
    file: source.file, given: source.given,
    name: top.name, stateFolder: place(top.state_folder), dryRun: top.dry_run, checkpointMs: top.checkpoint,
    input: {
      listen: input.listen, exporters: input.exporters, receiveBufferBytes: input.receive_buffer, pair: input.pair,
      pairWaitMs: input.pair_wait, renormalise: input.renormalise, l7: input.l7, activeTimeoutMs: input.active_timeout,
      idleTimeoutMs: input.idle_timeout, clockSkewMs: input.clock_skew,
    },
    homes: {
      map: homes.map, name: homes.name, inside: homes.inside, unlisted: homes.unlisted,
      list: values.home.map((home) => buildHome(home, values.mail?.language ?? defaultLanguage)),
    },
    classifiers: {
      folder: place(classifiers.folder), pollMs: classifiers.poll, threshold: classifiers.threshold,
      allowUnfit: classifiers.allow_unfit,
    },
    evidence: {
      windowMs: evidence.window, bucketMs: evidence.bucket, latenessMs: evidence.lateness,
      homesMax: evidence.homes_max, tokensMax: evidence.tokens_max,
    },
    verdict: buildVerdict(values.verdict), falseAlarms: { perMonth: values.verdict.false_alarms },
    ladder: buildLadder(values, place),
    mail: buildMail(values, place),
    webhooks: values.webhook.map(({ name, url, secret_file, ca_file, rungs, home_name, timeout }) => ({
      name, url, secretFile: place(secret_file), caFile: ca_file === undefined ? undefined : place(ca_file), rungs,
      homeName: home_name, timeoutMs: timeout,
    })),
    syslogs: values.syslog.map(({ name, server, ca_file, facility, rungs, home_name, timeout }) => ({
      name, ...server, caFile: ca_file === undefined ? undefined : place(ca_file), facility, rungs,
      homeName: home_name, timeoutMs: timeout,
    })),
    block: buildBlock(values.block, place),
    indicators: values.indicator.map(({ name, device_models, destination, protocol, port }) =>
      ({ name, deviceModels: device_models, destination, protocol, port })),
    deviceModels: values.device_model.map(({ name, title, vulnerabilities, advice_url }) =>
      ({ deviceModel: name, title, vulnerabilities, adviceUrl: advice_url })),
    retention: { homesMs: retention.homes, verdictsMs: retention.verdicts, auditMs: retention.audit },
    metrics: metrics.listen,
    log: { level: log.level },
  };
}

const defaultLanguage = 'en';

function buildHome(home: ConfigValues['home'][number], language: string): HomeEntry {
  return {
    home: home.name, mail: home.mail, name: home.customer, language: home.language ?? language,
    addresses: home.addresses, exporter: home.exporter, interfaceIndex: home.interface, prefixes: home.prefixes,
    optedOut: home.opted_out,
  };
}

function buildVerdict({ policy, present_score, keep_score, expiry }: ConfigValues['verdict']): VerdictOptions {
  const presentScore = policy === 'single-flow' ? 1 : present_score ?? verdictDefaults.presentScore;
  const keepScore = policy === 'single-flow' ? 1 : keep_score ?? Math.min(verdictDefaults.keepScore, presentScore);
  return { policy, presentScore, keepScore, expiryMs: expiry };
}

function buildLadder(values: ConfigValues, place: (path: string) => string): LadderOptions {
  const { verify, notify, remind, mitigate, rates } = values;
  return {
    verify: {
      isOn: verify.on, timeoutMs: verify.timeout, onFailure: verify.on_failure,
      classifierFolder: verify.classifier_folder === undefined ? undefined : place(verify.classifier_folder),
      command: verify.command?.map((part, i) => i === 0 ? placeProgram(part, place) : part),
    },
    notify: { isOn: notify.on, afterMs: notify.after },
    remind: { isOn: remind.on, afterMs: remind.after, timesMax: remind.times_max },
    mitigate: { isOn: mitigate.on, reasons: mitigate.reasons },
    rates: {
      mailsPerHome: rates.mails_per_home, perHomeMs: rates.home_window, actionsOverall: rates.actions_overall,
      overallMs: rates.overall_window,
    },
    giveUpMs: rates.give_up,
  };
}

/** A bare name is looked for by the system, everything else is a path. */
function placeProgram(program: string, place: (path: string) => string): string {
  return program.includes('/') ? place(program) : program;
}

function buildMail({ mail, 'mail.dkim': dkim }: ConfigValues, place: (path: string) => string):
  MailOptions | undefined {
  if (mail === undefined) return undefined;
  const placeIf = (path: string | undefined): string | undefined => path === undefined ? undefined : place(path);
  return {
    server: mail.server, credentialsFile: placeIf(mail.credentials_file), requireTls: mail.require_tls,
    caFile: placeIf(mail.ca_file), timeZone: mail.time_zone,
    from: mail.from, replyTo: mail.reply_to, providerName: mail.provider_name, helpPhone: mail.help_phone,
    helpUrl: mail.help_url, templateFolder: placeIf(mail.template_folder), language: mail.language,
    timeoutMs: mail.timeout,
    dkim: dkim === undefined ? undefined
      : { domain: dkim.domain, selector: dkim.selector, keyFile: place(dkim.key_file) },
  };
}

function buildBlock(block: ConfigValues['block'], place: (path: string) => string): BlockOptions | undefined {
  return block === undefined ? undefined : {
    table: block.table, durationMs: block.duration, blocksMax: block.blocks_max, allow: block.allow,
    nft: placeProgram(block.nft, place),
  };
}
