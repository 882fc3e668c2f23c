/** What --check prints: who may send, what each rung does to whom, what leaves, warnings, defaults; and no secret. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullConfig, smallestConfig } from './config-samples.ts';
import { listWarnings } from './config-warnings.ts';
import { listEgress } from './egress.ts';
import { explainConfig } from './explain-config.ts';
import { parseConfig } from './read-config.ts';

const parse = (text: string): ReturnType<typeof parseConfig> =>
  parseConfig(text, { folder: '/etc/natlens', file: 'a.toml' });
const smallest = parse(smallestConfig);
const full = parse(fullConfig);

/** Lines below a heading. */
function partOf(explained: string, heading: string): string[] {
  const lines = explained.split(`\n\n${heading}\n`)[1]?.split('\n\n')[0]?.split('\n');
  assert.ok(lines !== undefined, `${heading} is missing in\n${explained}`);
  return lines.map((line) => line.trim());
}

test('the smallest config: dry, one home, nobody told, nothing leaves', () => {
  const explained = explainConfig(smallest);
  assert.match(explained, /^Detector "natlens", by a\.toml: the config is sound\.\n/);
  assert.match(partOf(explained, 'What is done')[0] ?? '', /^Nothing \(dry_run\)/);
  assert.deepEqual(partOf(explained, 'What leaves this machine'), ['Nothing.']);
  assert.deepEqual(partOf(explained, 'The ladder').slice(0, 5), [
    'observe   on   keeps evidence and verdicts', 'verify    off', 'notify    on   tells nobody at once',
    'remind    on   tells nobody again every 14d, 2 times', 'mitigate  off',
  ]);
  assert.ok(partOf(explained, 'Keys left at their defaults').includes('evidence.window          = "1h"'));
});

test('the full config: what each rung does to whom', () => {
  const explained = explainConfig(full);
  assert.match(explained, /Only these may send: 192\.0\.2\.0\/24, 2001:db8::1\./);
  assert.match(explained, /2 homes listed: 1 with a mail address, 1 with addresses to block, 1 opted out\./);
  assert.deepEqual(partOf(explained, 'The ladder').slice(0, 5), [
    'observe   on  keeps evidence and verdicts',
    'verify    on  asks classifiers in /etc/natlens/second and /etc/natlens/ask; without an answer nobody is told',
    'notify    on  tells 1 home by mail, tickets after 10m',
    'remind    on  tells 1 home by mail, tickets again every 14d, 1 time',
    'mitigate  on  blocks one destination or port of a home for 30m, at most 256 at once, never 203.0.113.0/24; ' +
      'because of indicator (1 indicator); tells tickets',
  ]);
  assert.ok(!partOf(explained, 'Keys left at their defaults').some((line) => line.startsWith('evidence.window')));
});

test('everything that leaves is listed, and whether others can read it', () => {
  assert.deepEqual(listEgress(full).map(({ kind, name, target, isEncrypted }) => [kind, name, target, isEncrypted]), [
    ['mail', '', 'smtps://mail.example.net:465', true], ['webhook', 'tickets', 'https://hooks.example.net/…', true],
    ['syslog', 'siem', 'udp://[2001:db8::5]:514', false], ['program', '', '/etc/natlens/ask', true],
    ['program', '', 'nft', true],
    ['metrics', '', 'http://127.0.0.1:9464', true],
  ]);
  const [, webhook, syslog] = listEgress(full);
  assert.equal(webhook?.what, 'notify, remind, mitigate; homes by pseudonym');
  assert.equal(syslog?.what, 'observe; homes by their names');
  assert.deepEqual(listEgress(smallest), []);
});

const secrets = ['very-secret', 'one@example.net', 'Ms Rivera'];

test('neither text nor JSON shows what may be secret, or whom a home belongs to', () => {
  for (const explained of [explainConfig(full), explainConfig(full, { json: true })]) {
    for (const secret of secrets) assert.ok(fullConfig.includes(secret) && !explained.includes(secret), secret);
  }
});

test('JSON has the effective values', () => {
  type Explained = {
    config: { evidence: { windowMs: number }; input: { exporters: string[] }; homes: { list: { mail?: string }[] } };
    warnings: string[]; egress: unknown[]; defaults: string[];
  };
  const explained = JSON.parse(explainConfig(full, { json: true })) as Explained;
  assert.equal(explained.config.evidence.windowMs, 7_200_000);
  assert.deepEqual(explained.config.input.exporters, ['192.0.2.0/24', '2001:db8::1']);
  assert.deepEqual(explained.config.homes.list.map(({ mail }) => mail), ['(hidden)', undefined]);
  assert.equal(explained.egress.length, 6);
  assert.ok(explained.defaults.includes('block.nft') && !explained.defaults.includes('block.duration'));
  const defaults = (JSON.parse(explainConfig(smallest, { json: true })) as Explained).defaults;
  assert.ok(!defaults.some((path) => /^(?:mail|block|home|webhook)\./.test(path)), defaults.join());
});

const mail = '[mail]\nserver = "smtp://mail.example.net"\nfrom = "a@example.net"\nprovider_name = "Example Net"\n';
const webhook = '[[webhook]]\nname = "a"\nurl = "http://h.example"\nsecret_file = "x"\n';
const blocking = 'dry_run = false\n[block]\n[mitigate]\non = true\nreasons = ["indicator"]\n';

/** A config that is worth a warning, and the warning; without the change there is none such. */
const warnings: readonly (readonly [string, RegExp])[] = [
  [smallestConfig, /nobody will be told of anything/],
  [smallestConfig.replace('127.0.0.1:0', '0.0.0.0:2055'), /input\.exporters is empty/],
  [smallestConfig.replace(/input.*/, ''), /input\.listen is empty/],
  [`${smallestConfig}input.pair = false`, /input\.pair is false/],
  [`${smallestConfig}input.active_timeout = "1h"`, /hardly longer than the exporter's active timeout/],
  [`${smallestConfig}verdict.policy = "single-flow"`, /for comparison only/],
  [`${smallestConfig}classifiers.allow_unfit = true`, /allow_unfit is true/],
  [`${smallestConfig}notify.on = false`, /there is nothing to remind of/],
  [`${smallestConfig}verify.command = ["x"]`, /nobody is asked/],
  [`${smallestConfig}[verify]\non = true\ncommand = ["x"]\non_failure = "go-on"`, /as good as one that confirms/],
  [smallestConfig + blocking, /traffic of customers will be blocked/],
  [smallestConfig + blocking, /block\.allow is empty/],
  [smallestConfig + blocking, /no \[\[indicator\]\] is listed/],
  [smallestConfig + blocking, /cannot be told whose traffic/],
  [`${smallestConfig}[block]\n[mitigate]\nreasons = ["indicator"]`, /mitigate\.on is false: nothing is blocked/],
  [`${smallestConfig}${mail}require_tls = false`, /mail goes to smtp:\/\/mail\.example\.net:587 without TLS/],
  [smallestConfig + mail, /no \[mail\.dkim\]/],
  [smallestConfig + mail, /help_phone and mail\.help_url are missing/],
  [smallestConfig + mail, /no mail will be sent/],
  [smallestConfig + webhook, /webhook a goes to http:\/\/h\.example without TLS/],
  [`${smallestConfig}${webhook}rungs = ["verify"]`, /webhook a is told of no rung that is on/],
  [`${smallestConfig}${webhook}home_name = true`, /told the names of homes/],
  [`${smallestConfig}metrics.listen = "0.0.0.0:9464"`, /metrics\.listen is 0\.0\.0\.0:9464: other machines can ask it/],
  [`${smallestConfig}metrics.listen = "127.0.0.1:0"`, /the port is any free one/],
  [`${smallestConfig}homes.map = "address"`, /homes\.inside is empty/],
];

/** A config that nothing is to be said against. */
const quietConfig = fullConfig.replace('home_name = true\n', '').replace('rungs = ["observe"]', '')
  .replace('udp://[2001:db8::5]', 'tls://log.example.net');

test('each warning is said of its config, and none of a good one', () => {
  for (const [text, expected] of warnings) {
    const said = listWarnings(parse(text));
    assert.ok(said.some((warning) => expected.test(warning)), `${String(expected)} is not in\n${said.join('\n')}`);
    for (const warning of said) assert.match(warning, /^.*\.$/);
  }
  assert.deepEqual(listWarnings(parse(quietConfig.replace('dry_run = false', ''))), []);
  assert.deepEqual(listWarnings(parse(quietConfig)),
    ['dry_run is off and [block] is on: traffic of customers will be blocked.']);
});
