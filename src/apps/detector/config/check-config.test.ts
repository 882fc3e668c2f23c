/**
 * What keys must say together: each check finds its fault, is told with the key's line, and is silent on sound configs.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, OperatorError } from '#base';
import { fullConfig, smallestConfig } from './config-samples.ts';
import { parseConfig } from './read-config.ts';

function refusalOf(text: string): string | undefined {
  try {
    parseConfig(text, { folder: '/', file: 'a.toml' });
    return undefined;
  } catch (thrown) {
    assert.ok(thrown instanceof OperatorError, String(thrown));
    return thrown.message;
  }
}

const mail = '[mail]\nserver = "smtps://mail.example.net"\nfrom = "a@example.net"\nprovider_name = "Example Net"\n';
const webhook = (name: string): string =>
  `[[webhook]]\nname = "${name}"\nurl = "https://a.example"\nsecret_file = "x"\n`;

/** What is added to the smallest config, and the end of the sentence that it is refused with; undefined: sound. */
const cases: readonly (readonly [string, string, RegExp | undefined])[] = [
  ['window and bucket', '[evidence]\nwindow = "61s"',
    /line 5: evidence\.window is 61s and must be a multiple of evidence\.bucket, 1m, such as 1m\.$/],
  ['lateness and bucket', '[evidence]\nlateness = "90s"',
    /line 5: evidence\.lateness is 90s and must be a multiple .* such as 1m\.$/],
  ['no lateness', '[evidence]\nlateness = "0s"', undefined],
  ['a window with too many buckets', '[evidence]\nwindow = "7d"\nbucket = "1s"\nlateness = "0s"',
    new RegExp(`line 6: evidence\\.bucket is too short: .* most ${limits.evidenceBucketsMax} buckets, .* 604800\\.$`)],
  ['single-flow with a score', '[verdict]\npolicy = "single-flow"\npresent_score = 1',
    /line 6: verdict\.present_score has no meaning with policy = "single-flow"/],
  ['single-flow with a score to keep', '[verdict]\npolicy = "single-flow"\nkeep_score = 1',
    /verdict\.keep_score has no meaning/],
  ['single-flow', '[verdict]\npolicy = "single-flow"', undefined],
  ['keep above present', '[verdict]\nkeep_score = 4',
    /line 5: verdict\.keep_score is 4 and must be at most verdict\.present_score, which is 3\.$/],
  ['present below the default of keep', '[verdict]\npresent_score = 0.5', undefined],
  ['nobody to verify', '[verify]\non = true', /line 5: verify\.on is true, but there is nobody to ask/],
  ['a second opinion on itself', '[verify]\nclassifier_folder = "./classifiers"', /is classifiers\.folder: /],
  ['mitigate without block', '[mitigate]\non = true\nreasons = ["indicator"]',
    /line 5: mitigate\.on is true, but there is no \[block\]\.$/],
  ['mitigate without reasons', '[mitigate]\non = true\n[block]', /mitigate\.reasons is empty; give "indicator"/],
  ['block without reasons', '[block]', /line 4: block can never happen: mitigate\.reasons is empty/],
  ['block that is off for now', '[block]\n[mitigate]\nreasons = ["indicator"]', undefined],
  ['a mail address without mail', '[homes]\nmap = "address"\n[[home]]\nname = "a"\nprefixes = ["::1"]\nmail = "a@b"',
    /line 9: home\[1\]\.mail is given, but there is no \[mail\] to send with\.$/],
  ['a name without a mail address', `[[home]]\nname = "home"\ncustomer = "Ms Rivera"`,
    /home\[1\]\.customer is given, but without home\.mail nobody is addressed\.$/],
  ['a language without templates', `${mail}language = "fr"`,
    /mail\.language is "fr", and the shipped templates are in en, de, es; others need mail\.template_folder\.$/],
  ['a language of a home without templates', `${mail}[[home]]\nname = "home"\nlanguage = "fr"\nmail = "a@b"`,
    /home\[1\]\.language is "fr"/],
  ['a language of a country', `${mail}language = "es-MX"`, undefined],
  ['a language with templates', `${mail}language = "fr"\ntemplate_folder = "t"`, undefined],
  ['a login in the clear', `${mail}require_tls = false\ncredentials_file = "x"`, /would travel in the clear\.$/],
  ['two webhooks of one name', webhook('a') + webhook('a'), /line 9: webhook\[2\]\.name is "a" as in webhook\[1\]\.$/],
  ['two webhooks', webhook('a') + webhook('b'), undefined],
  ['two syslogs of one name', '[[syslog]]\nname = "a"\nserver = "udp://h"\n'.repeat(2), /syslog\[2\]\.name is "a"/],
  ['two indicators of one name', '[[indicator]]\nname = "a"\nprotocol = "tcp"\nport = 1\n'.repeat(2),
    /indicator\[2\]\.name is "a"/],
  ['two notes on one device model', '[[device_model]]\nname = "a"\ntitle = "b"\n'.repeat(2),
    /device_model\[2\]\.name is "a"/],
  ['an indicator of everything', '[[indicator]]\nname = "a"\nprotocol = "tcp"',
    /indicator\[1\] says neither destination nor port/],
  ['authorities without TLS', '[[syslog]]\nname = "a"\nserver = "udp://h"\nca_file = "x"',
    /syslog\[1\]\.ca_file has no meaning with udp/],
  ['homes forgotten before their verdicts', '[retention]\nhomes = "13d"',
    /retention\.homes is 13d, .* at least verdict\.expiry, 14d\.$/],
  ['homes forgotten within the window',
    '[retention]\nhomes = "2h"\n[verdict]\nexpiry = "1h"\n[evidence]\nwindow = "2h"',
    /retention\.homes is 2h, which is less than evidence\.window and evidence\.lateness together\.$/],
  ['what was done forgotten too early', '[retention]\nverdicts = "6d"', /at least 7d\.$/],
];

for (const [name, text, expected] of cases) {
  test(name, () => {
    const refusal = refusalOf(`${smallestConfig}${text}\n`);
    if (expected === undefined) assert.equal(refusal, undefined);
    else assert.match(refusal ?? 'not refused', expected);
  });
}

test('two listeners at one place', () => {
  const text = smallestConfig.replace(/input.*/, 'input.listen = ["udp://[::]:1", "udp://[0::0]:1", "tcp://[::]:1"]');
  assert.match(refusalOf(text) ?? '', /line 3: input\.listen has "udp:\/\/\[::\]:1" twice\.$/);
});

const homes = (map: string, ...entries: string[]): string =>
  `${smallestConfig}[homes]\nmap = "${map}"\n` +
  entries.map((entry, i) => `[[home]]\nname = "h${i}"\n${entry}\n`).join('');

test('homes that cannot be told apart', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    [homes('exporter', 'exporter = "::1"', 'exporter = "0:0::1"'),
      /line 9: home\[2\] claims exporter ::1, as does home\[1\] \("h0"\)\.$/],
    [homes('interface', 'exporter = "::1"\ninterface = 0', 'exporter = "::1"\ninterface = 0'),
      /home\[2\] claims interface 0 of exporter ::1/],
    [homes('address', 'prefixes = ["192.0.2.0/24"]', 'prefixes = ["192.0.2.1", "192.0.2.0/24"]'),
      /home\[2\] claims 192\.0\.2\.0\/24, as does home\[1\]/],
    [homes('address', ''), /home\[1\]\.prefixes is missing: homes\.map = "address" needs it\.$/],
    [homes('interface', 'exporter = "::1"'), /home\[1\]\.interface is missing/],
    [homes('exporter', 'exporter = "::1"\ninterface = 1'),
      /home\[1\]\.interface has no meaning with homes\.map = "exporter"/],
    [homes('exporter', 'exporter = "::1"').replace('"h0"', '"192.0.2.1"'),
      /which an unlisted home may get as its name/],
    [homes('exporter', 'exporter = "::1"').replace('"h0"', '"::1 interface 3"'), /which an unlisted home may get/],
    [`${homes('single', '')}`, /home\[1\]\.name is "h0", but homes\.map = "single" knows one home, "home"/],
    [`${smallestConfig}[[home]]\nname = "home"\n[[home]]\nname = "home"`,
      /home\[2\]\.name is "home" as in home\[1\]\.$/],
    [`${smallestConfig}[homes]\nmap = "exporter"\nunlisted = "ignore"`, /no flow would belong to a home\.$/],
    [`${homes('exporter', 'exporter = "::1"', 'exporter = "::2"')}[evidence]\nhomes_max = 1`,
      /evidence\.homes_max is 1, and 2 homes are listed\.$/],
  ];
  for (const [text, expected] of refused) assert.match(refusalOf(text) ?? 'not refused', expected, text);
  const sound = [
    homes('interface', 'exporter = "::1"\ninterface = 1', 'exporter = "::1"\ninterface = 2'),
    homes('address', 'prefixes = ["192.0.2.0/24"]', 'prefixes = ["192.0.2.1"]'),
    homes('exporter', 'exporter = "::1"').replace('"h0"', '"192.0.2.1"')
      .replace('[[home]]', 'unlisted = "ignore"\n[[home]]'),
    homes('exporter'),
  ];
  for (const text of sound) assert.equal(refusalOf(text), undefined, text);
});

test('a check is left out while its keys have faults of their own, others are not', () => {
  const text = `${smallestConfig}[evidence]\nbucket = 7\nwindow = "61s"\n[verdict]\nkeep_score = 9\n`;
  const refusal = refusalOf(text) ?? '';
  assert.match(refusal, /2 faults/);
  assert.match(refusal, /evidence\.bucket is a duration/);
  assert.match(refusal, /verdict\.keep_score is 9/);
});

test('the full sample is sound', () => {
  assert.equal(refusalOf(fullConfig), undefined);
});
