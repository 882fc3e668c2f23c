/**
 * The one table of the config: every section and every key with its kind, default, meaning and example. It drives
 * reading (`#service`), `--check`, docs/detector-config.md and deploy/detector.toml. Only tables.
 */
import { limits, parsePrefix, type Prefix } from '#base';
import { rungs } from '#action';
import { evidenceDefaults } from '#evidence';
import { flowPairerDefaults, meterDefaults } from '#flow';
import { falseAlarmDefaults, verdictDefaults, verdictPolicyNames } from '#verdict';
import {
  choice, command, decimalNumber, duration, flag, keyRowsOf, listOf, networkKinds as net, size, text, wholeNumber,
  type ConfigSection, type ConfigTable, type KeyRows, type ValueKind,
} from '#service';
import { homeMappings } from './detector-config.ts';
import { thresholdChoice } from './threshold-choice.ts';

export const configSections = [
  { name: '', kind: 'table', meaning: 'Keys above all sections.' },
  { name: 'input', kind: 'table', meaning: 'Where flows come from, and how they are made.' },
  { name: 'homes', kind: 'table', meaning: 'How homes are told apart.' },
  { name: 'home', kind: 'list', meaning: 'A home and its contact.' },
  { name: 'classifiers', kind: 'table', meaning: 'What device models are looked for.' },
  { name: 'evidence', kind: 'table', meaning: 'How flows become evidence of a home and device model.' },
  { name: 'verdict', kind: 'table', meaning: 'From what evidence on a device model is present, and for how long.' },
  { name: 'verify', kind: 'table', meaning: 'The rung before anybody is told: a second opinion.' },
  { name: 'notify', kind: 'table', meaning: 'The rung on which the customer and the receivers are told.' },
  { name: 'remind', kind: 'table', meaning: 'The rung on which they are told again while the device model stays.' },
  { name: 'mitigate', kind: 'table', meaning: 'The rung on which traffic is blocked: never by presence alone.' },
  { name: 'rates', kind: 'table', meaning: 'How much is done at most, and how long it is tried.' },
  { name: 'mail', kind: 'optional', meaning: 'Mails to customers; without this section there are none.' },
  { name: 'mail.dkim', kind: 'optional', meaning: 'Signs mails (RFC 6376), so that they are verifiable as yours.' },
  { name: 'webhook', kind: 'list', meaning: 'A receiver of signed HTTP requests.' },
  { name: 'syslog', kind: 'list', meaning: 'A receiver of syslog messages (RFC 5424).' },
  { name: 'block', kind: 'optional', meaning: 'Blocking with nftables; without this section there is none.' },
  { name: 'indicator', kind: 'list', meaning: 'A destination that says that a device was broken into.' },
  { name: 'device_model', kind: 'list', meaning: 'What texts say of a device model.' },
  { name: 'retention', kind: 'table', meaning: 'How long the state holds what it no longer needs to decide.' },
  { name: 'metrics', kind: 'table', meaning: 'Metrics for Prometheus, and the health endpoint.' },
  { name: 'log', kind: 'table', meaning: 'Log lines (JSON) on standard error.' },
] as const satisfies readonly ConfigSection[];

export type SectionName = (typeof configSections)[number]['name'];

/** Rows of one section. */
const rowsOf = <S extends SectionName>(section: S): KeyRows<S> => keyRowsOf(section);

const secondMs = 1_000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;
const examplePrefix = (written: string): Prefix => parsePrefix(written) as Prefix;

const plain = (name: string, expected: string, lengthMax: number): ValueKind<string> =>
  text({ name, expected, lengthMax });
const homeName = plain('text', 'a text of one line', 128);
const word = text({
  name: 'word', expected: 'a word of letters, digits, - and _', pattern: /^[A-Za-z0-9][A-Za-z0-9_-]*$/, lengthMax: 64,
});
const port = wholeNumber({ min: 1, max: 65_535 });
const listenAddress = net.listenAddress(['udp', 'tcp'], '"udp://0.0.0.0:2055" or "tcp://[::]:4739"');
const timeout = duration({ min: 100, max: 10 * minuteMs });
const rungList = listOf(choice(rungs));
const toldRungs = ['notify', 'remind', 'mitigate'] as const;

const top = rowsOf('');
const input = rowsOf('input');
const homes = rowsOf('homes');
const home = rowsOf('home');
const classifiers = rowsOf('classifiers');
const evidence = rowsOf('evidence');
const verdict = rowsOf('verdict');
const verify = rowsOf('verify');
const notify = rowsOf('notify');
const remind = rowsOf('remind');
const mitigate = rowsOf('mitigate');
const rates = rowsOf('rates');
const mail = rowsOf('mail');
const dkim = rowsOf('mail.dkim');
const webhook = rowsOf('webhook');
const syslog = rowsOf('syslog');
const block = rowsOf('block');
const indicator = rowsOf('indicator');
const model = rowsOf('device_model');
const retention = rowsOf('retention');

/** Every key, in the order in which pages show them. */
export const configKeys = [
  top.withDefault('name', word, 'natlens', 'Name of this detector in logs, metrics and messages'),
  top.required('state_folder', net.path('folder'),
    'Where the state is kept: evidence, verdicts, actions, audit. Made when it is not there', '/var/lib/natlens'),
  top.withDefault('dry_run', flag, true,
    'Nothing is executed: no mail, no message, no block. What would have been done is in the audit'),
  top.withDefault('checkpoint', duration({ min: secondMs, max: hourMs }), minuteMs,
    'How often evidence is saved. After a crash, so much of it is missing'),

  input.withDefault('listen', listOf(listenAddress, { countMax: 16 }), [],
    'Where NetFlow v5, v9 and IPFIX come in. IPv6 takes IPv4, too, where the system lets it. Only --replay works ' +
    'without', [{ transport: 'udp', address: '0.0.0.0', port: 2055 }]),
  input.withDefault('exporters', listOf(net.prefix), [],
    'Who may send; messages of others are counted and dropped. Empty: everybody, which is warned about',
    [examplePrefix('192.0.2.1')]),
  input.withDefault('receive_buffer', size({ min: 64 << 10, max: 256 << 20 }), 4 << 20,
    'Asked of the system for each UDP socket; net.core.rmem_max may allow less, which is logged'),
  input.withDefault('pair', flag, true,
    'Joins one-way records to biflows. Off only for exporters that send biflows themselves'),
  input.withDefault('pair_wait', duration({ min: 0, max: hourMs }), flowPairerDefaults.pairWaitMs,
    'How long a one-way record waits for its other direction, and a verdict with it. An exporter that sends both ' +
    'directions together (softflowd, nfprobe) needs seconds; shorter than the exporter needs it leaves halves'),
  input.withDefault('renormalise', flag, false,
    'Multiplies the counters of sampled flows by the sampling interval'),
  input.withDefault('l7', choice(['prefix', 'exporter', 'none']), 'prefix',
    'Who names the layer 7 of flows: natlens by ports and owners of addresses, the exporter, or nobody. Classifiers ' +
    'that were trained with others are refused'),
  input.withDefault('active_timeout', duration({ min: 0, max: dayMs }), meterDefaults.activeTimeoutMs,
    "The exporter's active timeout; 0s: not known. Classifiers that were trained with another are refused"),
  input.withDefault('idle_timeout', duration({ min: 0, max: dayMs }), meterDefaults.idleTimeoutMs,
    "The exporter's idle (inactive) timeout; 0s: not known. Classifiers that were trained with another are refused"),
  input.withDefault('clock_skew', duration({ min: secondMs, max: 7 * dayMs }), hourMs,
    "How far a flow's end may lie from its arrival; beyond, the arrival is believed instead of the exporter's clock"),

  homes.withDefault('map', choice(homeMappings), 'single',
    'One home for this detector, for each exporter, for each ingress interface of an exporter, or for each address'),
  homes.withDefault('name', homeName, 'home', 'Name of the one home of map = "single"'),
  homes.withDefault('inside', listOf(net.prefix, { countMax: 256 }), [],
    "Addresses of the homes' side; only flows from there to elsewhere count. Empty: flows from anybody to a global " +
    'address, which is right inside a NAT',
    [examplePrefix('192.168.0.0/16')]),
  homes.withDefault('unlisted', choice(['observe', 'ignore']), 'observe',
    'Homes that no [[home]] names: watched under a name made of their address, or ignored'),

  home.required('name', homeName, 'Name of the home, as in natlens detect explain', 'customer-1017'),
  home.optional('mail', net.mailAddress, 'nobody is mailed', 'Where mails to the customer go', 'customer@example.net'),
  home.optional('customer', plain('text', 'a text of one line', 128), 'mails say no name',
    'How mails address the customer', 'Ms Rivera'),
  home.optional('language', net.languageTag, 'the language of [mail]', 'Language of the mails', 'es'),
  home.optional('exporter', net.address, 'none', 'Its exporter, for map = "exporter" and "interface"',
    [0, 0, 0xffff, 0xc0000201]),
  home.optional('interface', wholeNumber({ min: 0, max: 0xffff_ffff }), 'none',
    "Index (SNMP) of the interface that the home's packets come in by, for map = \"interface\"", 7),
  home.withDefault('prefixes', listOf(net.prefix, { countMax: 256 }), [],
    'Its addresses, for map = "address"', [examplePrefix('198.51.100.17'), examplePrefix('2001:db8:17::/56')]),
  home.withDefault('addresses', listOf(net.addressText, { countMax: 64 }), [],
    'Its addresses as the machine that blocks sees them', ['198.51.100.17']),
  home.withDefault('opted_out', flag, false, 'The customer wants no mails and no blocks: the home is only watched'),

  classifiers.required('folder', net.path('folder'),
    'Classifiers (*.nlc). What is put there is taken without a restart', '/etc/natlens/classifiers'),
  classifiers.withDefault('poll', duration({ min: secondMs, max: dayMs }), 30 * secondMs,
    'How often the folders are looked at where the system does not tell of changes'),
  classifiers.withDefault('threshold', thresholdChoice, 10,
    'Which flows are accepted: those at least as normal as this percentile of the validation flows, or "default": ' +
    "the algorithm's own"),
  classifiers.withDefault('allow_unfit', flag, false, 'Takes classifiers that say of themselves that they are unfit'),

  evidence.withDefault('window', duration({ min: minuteMs, max: 7 * dayMs }), evidenceDefaults.windowMs,
    'Length of the sliding window in which tokens are counted; a multiple of bucket'),
  evidence.withDefault('bucket', duration({ min: secondMs, max: dayMs }), evidenceDefaults.bucketMs,
    'Windows begin and end at multiples of this'),
  evidence.withDefault('lateness', duration({ min: 0, max: 7 * dayMs }), evidenceDefaults.latenessMs,
    "How much older than its home's latest flow another may be and still count; a multiple of bucket"),
  evidence.withDefault('homes_max', wholeNumber({ min: 1, max: evidenceDefaults.homesMax }), evidenceDefaults.homesMax,
    'Homes that are watched at once; flows of further ones are counted and dropped'),
  evidence.withDefault('tokens_max', wholeNumber({ min: 1, max: evidenceDefaults.tokensMax }),
    evidenceDefaults.tokensMax, 'Tokens kept for one home and classifier'),

  verdict.withDefault('policy', choice(verdictPolicyNames), 'calibrated',
    'What decides: the calibration that a classifier carries (of those without one distinct tokens), distinct tokens ' +
    'of a window for all, or one accepted flow, as in the paper (for comparison)'),
  verdict.withDefault('false_alarms', decimalNumber({ min: 1e-6, max: 0.5 }), falseAlarmDefaults.perMonth,
    'Share of the homes without a device model in which it may be found all the same, per month and device model; ' +
    'what calibrated classifiers decide by. Less finds less'),
  verdict.optional('present_score', decimalNumber({ min: 0.001, max: 1e6 }),
    `${verdictDefaults.presentScore}, with single-flow 1`,
    'Score of a window from which on the device model is present, of classifiers that are not calibrated',
    verdictDefaults.presentScore),
  verdict.optional('keep_score', decimalNumber({ min: 0.001, max: 1e6 }),
    `${verdictDefaults.keepScore}, or present_score where that is less`,
    'Score from which on a window supports a verdict that stands; at most present_score', verdictDefaults.keepScore),
  verdict.withDefault('expiry', duration({ min: minuteMs, max: 365 * dayMs }), verdictDefaults.expiryMs,
    'A verdict that no window has supported for so long ends'),

  verify.withDefault('on', flag, false, 'A device model is verified before anybody is told'),
  verify.optional('classifier_folder', net.path('folder'), 'no second opinion',
    'Classifiers of second opinion, over the same flows', '/etc/natlens/second-opinion'),
  verify.optional('command', command, 'no program is asked', 'Program that is asked, with its arguments',
    ['/usr/local/bin/verify-device']),
  verify.withDefault('timeout', timeout, 30 * secondMs, 'How long the program may take'),
  verify.withDefault('on_failure', choice(['hold', 'go-on']), 'hold',
    'Without an answer: nobody is told, or everybody as if it had been confirmed'),

  notify.withDefault('on', flag, true, 'Customers and receivers are told when a device model is present'),
  notify.withDefault('after', duration({ min: 0, max: 90 * dayMs }), 0,
    'How long the device model must have been present'),
  remind.withDefault('on', flag, true, 'They are told again while it stays'),
  remind.withDefault('after', duration({ min: hourMs, max: 365 * dayMs }), 14 * dayMs,
    'Time from one message to the next'),
  remind.withDefault('times_max', wholeNumber({ min: 0, max: 100 }), 2, 'Reminders of one episode'),
  mitigate.withDefault('on', flag, false, 'Traffic may be blocked; needs [block] and reasons'),
  mitigate.withDefault('reasons', listOf(choice(['indicator', 'operator-order'])), [],
    'What may lead to it: a hit of an [[indicator]], an order given on the command line',
    ['indicator', 'operator-order']),

  rates.withDefault('mails_per_home', wholeNumber({ min: 0, max: 1_000 }), 2, 'Mails to one home within home_window'),
  rates.withDefault('home_window', duration({ min: minuteMs, max: 365 * dayMs }), 7 * dayMs, 'See mails_per_home'),
  rates.withDefault('actions_overall', wholeNumber({ min: 0, max: 1_000_000 }), 100,
    'Mails and blocks of the whole detector within overall_window, and besides as many messages'),
  rates.withDefault('overall_window', duration({ min: secondMs, max: 365 * dayMs }), hourMs, 'See actions_overall'),
  rates.withDefault('give_up', duration({ min: minuteMs, max: 30 * dayMs }), 2 * dayMs,
    'How long an action that fails is tried again'),

  mail.required('server', net.mailServer,
    'Takes the mails: smtps is TLS from the start (port 465), smtp is STARTTLS (port 587)',
    'smtps://mail.example.net:465'),
  mail.optional('credentials_file', net.path('file'), 'no login',
    'File with user:password on one line, not readable by everybody', '/etc/natlens/mail-credentials'),
  mail.withDefault('require_tls', flag, true, 'Sends nothing without TLS'),
  mail.optional('ca_file', net.path('file'), "the system's authorities",
    'Certificates (PEM) that the mail server must descend from', '/etc/natlens/mail-ca.pem'),
  mail.required('from', net.mailbox, 'Sender of the mails', 'Example Net <security@example.net>'),
  mail.optional('reply_to', net.mailAddress, 'replies go to the sender',
    'Where replies go: "not mine" and opting out', 'abuse@example.net'),
  mail.required('provider_name', plain('text', 'a text of one line', 128),
    'Your name, as customers know it', 'Example Net'),
  mail.optional('help_phone', plain('text', 'a text of one line', 64), 'mails name none',
    'Number that customers can call to verify a mail', '+44 20 7946 0000'),
  mail.optional('help_url', net.webUrl('https://www.example.net/devices'), 'mails name none',
    'Page that says that such mails are yours', 'https://www.example.net/devices'),
  mail.optional('template_folder', net.path('folder'), 'the shipped templates',
    'Templates here are used instead of the shipped ones of the same name', '/etc/natlens/templates'),
  mail.withDefault('language', net.languageTag, 'en', 'Language of homes that name none; en, de and es are shipped'),
  mail.optional('time_zone', net.timeZone, "the machine's zone", 'Zone of the times in mails', 'Europe/Berlin'),
  mail.withDefault('timeout', timeout, 60 * secondMs, 'How long one attempt may take'),
  dkim.required('domain', net.domainName, 'Domain that signs (d=)', 'example.net'),
  dkim.required('selector', net.domainName, 'Selector of the key in the DNS (s=)', 'natlens'),
  dkim.required('key_file', net.path('file'), 'File with the private key (PEM), not readable by everybody',
    '/etc/natlens/dkim.pem'),

  webhook.required('name', word, 'Name of the receiver, in the audit', 'tickets'),
  webhook.required('url', net.webUrl('https://hooks.example.net/natlens'), 'Where requests go',
    'https://hooks.example.net/natlens'),
  webhook.required('secret_file', net.path('file'),
    'File with the key of the signature, at least 24 bytes, not readable by everybody', '/etc/natlens/tickets-secret'),
  webhook.optional('ca_file', net.path('file'), "the system's authorities",
    'Certificates (PEM) that the server must descend from', '/etc/natlens/hook-ca.pem'),
  webhook.withDefault('rungs', rungList, toldRungs, 'What the receiver is told of'),
  webhook.withDefault('home_name', flag, false, "Sends the home's name instead of its pseudonym"),
  webhook.withDefault('timeout', timeout, 10 * secondMs, 'How long one attempt may take'),

  syslog.required('name', word, 'Name of the receiver, in the audit', 'siem'),
  syslog.required('server', net.syslogServer,
    'Takes the messages: udp (port 514), tcp (601) or tls (6514), and the host',
    { transport: 'tls', address: 'log.example.net', port: 6514 }),
  syslog.optional('ca_file', net.path('file'), "the system's authorities",
    'Certificates (PEM) that the server of tls must descend from', '/etc/natlens/log-ca.pem'),
  syslog.withDefault('facility', net.facility, net.facilityNames.indexOf('local0'), 'Facility of the messages'),
  syslog.withDefault('rungs', rungList, toldRungs, 'What the receiver is told of'),
  syslog.withDefault('home_name', flag, false, "Sends the home's name instead of its pseudonym"),
  syslog.withDefault('timeout', timeout, 10 * secondMs, 'How long one attempt may take'),

  block.withDefault('table', text({
    name: 'word', expected: 'a name of nftables: a letter, then letters, digits and _',
    pattern: /^[A-Za-z][A-Za-z0-9_]*$/, lengthMax: 31,
  }), 'natlens', "Table of nftables (family inet) that is natlens's own"),
  block.withDefault('duration', duration({ min: secondMs, max: 30 * dayMs }), hourMs,
    'How long a block lasts; it always ends'),
  block.withDefault('blocks_max', wholeNumber({ min: 1, max: 65_536 }), 256, 'Blocks at once'),
  block.withDefault('allow', listOf(net.prefix, { countMax: 4_096 }), [],
    "Never blocked: emergency services, your own servers, makers' update servers", [examplePrefix('203.0.113.0/24')]),
  block.withDefault('nft', net.path('file'), 'nft', 'Program that applies rules'),

  indicator.required('name', word, 'Name of the indicator, in reasons and in the audit', 'mirai-telnet'),
  indicator.withDefault('device_models', listOf(net.deviceModel), [],
    'Device models that it says something about; empty: all', ['webcam.D_Link.DCS_933L']),
  indicator.optional('destination', net.prefix, 'any', 'Address or prefix', examplePrefix('203.0.113.66')),
  indicator.required('protocol', choice(['tcp', 'udp']), 'Protocol', 'tcp'),
  indicator.optional('port', port, 'any', 'Port of the destination', 23),

  model.required('name', net.deviceModel, 'The device model, as classifiers name it', 'webcam.D_Link.DCS_933L'),
  model.required('title', plain('text', 'a text of one line', 128), 'What customers call it', 'D-Link DCS-933L camera'),
  model.withDefault('vulnerabilities', listOf(text({
    name: 'vulnerability', expected: 'a number such as "CVE-2019-10999"', pattern: /^[A-Z]{2,10}-[\w-]+$/,
  }), { countMax: 64 }), [], 'Public numbers of its vulnerabilities', ['CVE-2019-10999']),
  model.optional('advice_url', net.webUrl('https://www.example.com/update'), 'mails name none',
    "The maker's page on the update, as text in mails", 'https://www.example.com/update'),

  retention.withDefault('homes', duration({ min: hourMs, max: 730 * dayMs }), 30 * dayMs,
    'Homes without flows are forgotten after this; at least verdict.expiry'),
  retention.withDefault('verdicts', duration({ min: hourMs, max: 730 * dayMs }), 90 * dayMs,
    'Verdicts that ended, and finished actions; at least the windows of [rates]'),
  retention.withDefault('audit', duration({ min: hourMs, max: 3_650 * dayMs }), 180 * dayMs,
    'Entries of the audit'),

  rowsOf('metrics').optional('listen', net.endpoint, 'no endpoint',
    'Address and port of /metrics and /healthz (HTTP)', { address: '127.0.0.1', port: 9464 }),
  rowsOf('log').withDefault('level', choice(['debug', 'info', 'warn', 'error']), 'info', 'Least level that is written'),
] as const;

export type KeyRow = (typeof configKeys)[number];

/** Entries of lists of sections, each of which grows with the config. */
const entriesMax: Readonly<Partial<Record<SectionName, number>>> = {
  home: limits.homesMax, webhook: 16, syslog: 16, indicator: 4_096, device_model: 1_024,
};

/** What the machinery of configs works on. */
export const configTable: ConfigTable = { sections: configSections, keys: configKeys, entriesMax };
