/**
 * What keys must say together: multiples, orders, homes that claim the same thing, sections that need each other. Pure;
 * files are looked at by `check-files.ts`. A check is left out while a key that it looks at has a fault of its own.
 */
import { limits } from '#base';
import { formatDuration, type ConfigFault } from '#service';
import type { ConfigValues } from './config-values.ts';
import type { DetectorConfig, HomeEntry } from './detector-config.ts';
import { findHomeFaults } from './check-homes.ts';

type Check = {
  /** Keys and sections that it looks at. */
  readonly about: readonly string[];
  readonly find: (config: DetectorConfig, values: ConfigValues) => readonly ConfigFault[];
};

/** A fault if something holds. */
const faultIf = (isWrong: boolean, path: string, text: string): readonly ConfigFault[] =>
  isWrong ? [{ path, text: ` ${text}` }] : [];

const checks: readonly Check[] = [
  {
    about: ['evidence.window', 'evidence.bucket', 'evidence.lateness'],
    find: ({ evidence: { windowMs, bucketMs, latenessMs } }) => [
      ...faultIf(windowMs % bucketMs !== 0, 'evidence.window', describeMultiple(windowMs, bucketMs)),
      ...faultIf(latenessMs % bucketMs !== 0, 'evidence.lateness', describeMultiple(latenessMs, bucketMs)),
      ...faultIf((windowMs + latenessMs) / bucketMs > limits.evidenceBucketsMax, 'evidence.bucket',
        `is too short: window and lateness hold at most ${limits.evidenceBucketsMax} buckets, and these would be ${
          Math.ceil((windowMs + latenessMs) / bucketMs)}`),
    ],
  },
  {
    about: ['verdict.policy', 'verdict.present_score', 'verdict.keep_score'],
    find: (_, { verdict: { policy, present_score, keep_score } }) => policy !== 'single-flow' ? [] : [
      ...faultIf(present_score !== undefined, 'verdict.present_score', singleFlowDecides),
      ...faultIf(keep_score !== undefined, 'verdict.keep_score', singleFlowDecides),
    ],
  },
  {
    about: ['verdict.policy', 'verdict.present_score', 'verdict.keep_score'],
    find: ({ verdict: { keepScore, presentScore } }) => faultIf(keepScore > presentScore, 'verdict.keep_score',
      `is ${keepScore} and must be at most verdict.present_score, which is ${presentScore}`),
  },
  {
    about: ['verdict.policy', 'verdict.false_alarms'],
    find: ({ given }, { verdict: { policy } }) => faultIf(
      policy !== 'calibrated' && given.has('verdict.false_alarms'), 'verdict.false_alarms',
      `has no meaning with policy = "${policy}": only calibrated verdicts keep to a rate; leave it out`),
  },
  {
    about: ['verify.on', 'verify.classifier_folder', 'verify.command'],
    find: ({ ladder: { verify } }) => faultIf(
      verify.isOn && verify.classifierFolder === undefined && verify.command === undefined, 'verify.on',
      'is true, but there is nobody to ask: give verify.classifier_folder or verify.command'),
  },
  {
    about: ['verify.classifier_folder', 'classifiers.folder'],
    find: ({ ladder: { verify }, classifiers }) => faultIf(verify.classifierFolder === classifiers.folder,
      'verify.classifier_folder', 'is classifiers.folder: a classifier is no second opinion on itself'),
  },
  {
    about: ['mitigate.on', 'mitigate.reasons', 'block'],
    find: ({ ladder: { mitigate }, block }) => [
      ...faultIf(mitigate.isOn && block === undefined, 'mitigate.on', 'is true, but there is no [block]'),
      ...faultIf(mitigate.isOn && mitigate.reasons.length === 0, 'mitigate.reasons', noReasons),
      ...faultIf(!mitigate.isOn && block !== undefined && mitigate.reasons.length === 0, 'block',
        `can never happen: mitigate.reasons ${noReasons}`),
    ],
  },
  {
    about: ['mail', 'home', 'home.mail'],
    find: ({ mail, homes }) => mail !== undefined ? [] : homes.list.flatMap((home, i) => faultIf(
      home.mail !== undefined, `home[${i + 1}].mail`, 'is given, but there is no [mail] to send with')),
  },
  {
    about: ['mail', 'mail.language', 'mail.template_folder', 'home', 'home.language'],
    find: ({ mail, homes }) => mail === undefined || mail.templateFolder !== undefined ? [] : [
      ...faultIf(!isShipped(mail.language), 'mail.language', describeLanguage(mail.language)),
      ...homes.list.flatMap((home, i) => faultIf(home.language !== mail.language &&
        !isShipped(home.language), `home[${i + 1}].language`, describeLanguage(home.language))),
    ],
  },
  {
    about: ['mail', 'mail.server', 'mail.require_tls', 'mail.credentials_file'],
    find: ({ mail }) => faultIf(mail !== undefined && !mail.requireTls && mail.credentialsFile !== undefined,
      'mail.require_tls', 'is false, and the login of mail.credentials_file would travel in the clear'),
  },
  { about: ['webhook', 'webhook.name'], find: ({ webhooks }) => findRepeated('webhook', webhooks) },
  { about: ['syslog', 'syslog.name'], find: ({ syslogs }) => findRepeated('syslog', syslogs) },
  { about: ['indicator', 'indicator.name'], find: ({ indicators }) => findRepeated('indicator', indicators) },
  {
    about: ['device_model', 'device_model.name'],
    find: ({ deviceModels }) =>
      findRepeated('device_model', deviceModels.map(({ deviceModel }) => ({ name: deviceModel }))),
  },
  {
    about: ['indicator', 'indicator.destination', 'indicator.port'],
    find: ({ indicators }) => indicators.flatMap(({ destination, port }, i) => faultIf(
      destination === undefined && port === undefined, `indicator[${i + 1}]`,
      'says neither destination nor port: every flow would be a hit')),
  },
  {
    about: ['syslog', 'syslog.server', 'syslog.ca_file'],
    find: ({ syslogs }) => syslogs.flatMap(({ transport, caFile }, i) => faultIf(
      caFile !== undefined && transport !== 'tls', `syslog[${i + 1}].ca_file`,
      `has no meaning with ${transport}: only tls has certificates`)),
  },
  {
    about: ['retention.homes', 'verdict.expiry', 'evidence.window', 'evidence.lateness'],
    find: ({ retention: { homesMs }, verdict: { expiryMs }, evidence: { windowMs, latenessMs } }) => [
      ...faultIf(homesMs < expiryMs, 'retention.homes', `is ${formatDuration(homesMs)}, and a home that sends no ` +
        `flows would be forgotten before its verdicts end: at least verdict.expiry, ${formatDuration(expiryMs)}`),
      ...faultIf(homesMs < windowMs + latenessMs, 'retention.homes', `is ${formatDuration(homesMs)}, which is less ` +
        'than evidence.window and evidence.lateness together'),
    ],
  },
  {
    about: ['retention.verdicts', 'rates.home_window', 'rates.overall_window'],
    find: ({ retention: { verdictsMs }, ladder: { rates } }) => faultIf(
      verdictsMs < Math.max(rates.perHomeMs, rates.overallMs), 'retention.verdicts',
      `is ${formatDuration(verdictsMs)}, and what was done must be remembered for the windows of [rates]: at least ${
        formatDuration(Math.max(rates.perHomeMs, rates.overallMs))}`),
  },
  {
    about: ['homes', 'homes.map', 'homes.name', 'homes.unlisted', 'home', 'home.name', 'home.exporter',
      'home.interface', 'home.prefixes', 'evidence.homes_max'],
    find: (config) => findHomeFaults(config),
  },
  {
    about: ['home', 'home.mail', 'home.customer'],
    find: ({ homes }) => homes.list.flatMap((home, i) => faultIf(isNamedInVain(home), `home[${i + 1}].customer`,
      'is given, but without home.mail nobody is addressed')),
  },
];


/** Languages whose templates are shipped. */
const shippedLanguages: ReadonlySet<string> = new Set(['en', 'de', 'es']);

/** `es-MX` is written to in Spanish. */
const isShipped = (language: string): boolean => shippedLanguages.has(language.split('-')[0] ?? '');

const singleFlowDecides = 'has no meaning with policy = "single-flow": one accepted flow decides; leave it out';
const noReasons = 'is empty; give "indicator", "operator-order" or both';

const isNamedInVain = (home: HomeEntry): boolean => home.name !== undefined && home.mail === undefined;

function describeMultiple(durationMs: number, bucketMs: number): string {
  const lower = Math.floor(durationMs / bucketMs) * bucketMs;
  const near = lower === 0 ? bucketMs : lower;
  return `is ${formatDuration(durationMs)} and must be a multiple of evidence.bucket, ${formatDuration(bucketMs)}, ` +
    `such as ${formatDuration(near)}`;
}

function describeLanguage(language: string): string {
  return `is "${language}", and the shipped templates are in ${[...shippedLanguages].join(', ')}; others need ` +
    'mail.template_folder';
}

function findRepeated(section: string, named: readonly { readonly name: string }[]): ConfigFault[] {
  const first = new Map<string, number>();
  return named.flatMap(({ name }, i) => {
    const before = first.get(name);
    if (before === undefined) first.set(name, i);
    return faultIf(before !== undefined, `${section}[${i + 1}].name`, `is "${name}" as in ${section}[${
      (before ?? 0) + 1}]`);
  });
}

/**
 * Faults of values that are each right by themselves.
 *
 * @param faulty  keys and sections that have a fault already
 */
export function findConfigFaults(config: DetectorConfig, values: ConfigValues, faulty: ReadonlySet<string>):
  ConfigFault[] {
  return checks.filter(({ about }) => !about.some((path) => faulty.has(path)))
    .flatMap(({ find }) => find(config, values));
}
