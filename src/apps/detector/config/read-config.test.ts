/**
 * Configs from text and file: defaults, faults with their lines, all at once, secrets on disk, and texts of any kind.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { limits, OperatorError } from '#base';
import { describeUnsoundOptions } from '#evidence';
import { rootFolder } from '../../../../test/support/source-tree.ts';
import { pathOf, type ConfigKey } from '#service';
import { configKeys, configSections } from './config-keys.ts';
import { fullConfig, makeConfigFiles, smallestConfig } from './config-samples.ts';
import type { DetectorConfig } from './detector-config.ts';
import { explainConfig } from './explain-config.ts';
import { parseConfig, readConfig } from './read-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-config-'));
after(() => rmSync(folder, { recursive: true }));
makeConfigFiles(folder);

/** The sentence that a text is refused with. */
function refusalOf(text: string): string {
  try {
    parseConfig(text, { folder, file: 'a.toml' });
  } catch (thrown) {
    assert.ok(thrown instanceof OperatorError, String(thrown));
    assert.equal(thrown.code, 'bad-config');
    return thrown.message;
  }
  return assert.fail('the text was not refused');
}

async function refusalOfFile(text: string): Promise<string> {
  const file = join(folder, 'detector.toml');
  writeFileSync(file, text);
  let message = '';
  await assert.rejects(readConfig(file), (thrown: unknown) => {
    assert.ok(thrown instanceof OperatorError && thrown.code === 'bad-config', String(thrown));
    message = thrown.message;
    return true;
  });
  return message;
}

test('three lines are a config, and it is dry', async () => {
  const file = join(folder, 'smallest.toml');
  writeFileSync(file, smallestConfig);
  const config = await readConfig(file);
  assert.equal(config.stateFolder, join(folder, 'state'));
  assert.equal(config.classifiers.folder, join(folder, 'classifiers'));
  assert.deepEqual(config.input.listen, [{ transport: 'udp', address: '127.0.0.1', port: 0 }]);
  assert.equal(config.dryRun, true);
  assert.equal(config.mail, undefined);
  assert.equal(config.block, undefined);
  assert.deepEqual(config.verdict,
    { policy: 'calibrated', presentScore: 3, keepScore: 1, expiryMs: 1_209_600_000 });
  assert.deepEqual(config.falseAlarms, { perMonth: 0.003 });
  assert.equal(config.ladder.mitigate.isOn, false);
});

test('a config that uses everything', async () => {
  const file = join(folder, 'full.toml');
  writeFileSync(file, fullConfig);
  const config = await readConfig(file);
  const { block, mail, homes, ladder, syslogs, webhooks } = config;
  assert.deepEqual(ladder.verify.command, [join(folder, 'ask'), '--brief', '']);
  assert.equal(mail?.server, 'smtps://mail.example.net:465');
  assert.equal(mail.dkim?.keyFile, join(folder, 'dkim.pem'));
  assert.equal(block?.nft, 'nft');
  assert.deepEqual(homes.list.map(({ language }) => language), ['es', 'en']);
  assert.deepEqual(syslogs.map(({ transport, address, port, facility }) => [transport, address, port, facility]),
    [['udp', '2001:db8::5', 514, 10]]);
  assert.equal(webhooks[0]?.secretFile, join(folder, 'hook-secret'));
  assert.equal(config.verdict.presentScore, 4.5);
  assert.equal(config.evidence.latenessMs, 1_800_000);
  assert.ok(config.given.has('block.duration') && config.given.has('mail.dkim') && !config.given.has('block.nft'));
  for (const { name } of configSections) assert.ok(name === '' || config.given.has(name), `no [${name}] in the sample`);
});

test('unknown keys are refused with the nearest, or with where they belong', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['[evidence]\nwindw = "1h"', /line 5: evidence\.windw: there is no such key; did you mean evidence\.window\?$/],
    ['[evidence]\nwindowMs = 3', /did you mean evidence\.window\?/],
    ['[homes]\nwindow = "1h"', /homes\.window: there is no such key here; it belongs into \[evidence\]\.$/],
    ['[log]\nsecret-file = ""', /secret-file: there is no such key; secret_file belongs into \[\[webhook\]\]/],
    ['[block]\nserver = ""', /it belongs into \[mail\] and \[\[syslog\]\]/],
    ['[log]\nqwertyuiop = 1', /there is no such key; keys here are level\.$/],
    ['[evidense]\nwindow = "1h"', /evidense: there is no such section; did you mean \[evidence\]\?$/],
    ['[[homes.home]]\nname = "a"', /homes\.home: there is no such section; did you mean \[\[home\]\]\?$/],
    ['[dkim]\ndomain = "a.b"', /dkim: there is no such section; did you mean \[mail\.dkim\]\?$/],
    ['[qwertyuiop]', /sections are \[input\], /],
    ['[log]\n"a\\nb\\u202e" = 1', /log\."a\\nb\\u202e": there is no such key/],
    ['[log]\n__proto__ = 1\nconstructor = 2', /2 faults.*__proto__.*\n.*constructor/s],
  ];
  for (const [text, expected] of cases) assert.match(refusalOf(`${smallestConfig}${text}\n`), expected, text);
});

test('sections of the wrong shape are refused', () => {
  assert.match(refusalOf(`${smallestConfig}log = 3\n`), /log is a section, written \[log\], not 3/);
  assert.match(refusalOf(`${smallestConfig}[[log]]\nlevel = "info"\n`), /log is one section, written \[log\]/);
  assert.match(refusalOf(`${smallestConfig}[home]\nname = "a"\n`),
    /home is a list of sections, each written \[\[home\]\]/);
  assert.match(refusalOf(`${smallestConfig}${'[[webhook]]\n'.repeat(17)}`), /is there 17 times; 16 are the most/);
});

test('missing keys are named with what they are', () => {
  const sentence = refusalOf('[mail]\nfrom = "a@b"\n');
  for (const key of ['state_folder', 'classifiers.folder', 'mail.server', 'mail.provider_name']) {
    assert.match(sentence, new RegExp(`${key.replace('.', '\\.')} is missing: [A-Z]`), key);
  }
  assert.match(sentence, /4 faults/);
});

test('several faults are told at once, in the order of their lines', () => {
  const sentence = refusalOf(`${smallestConfig}
[evidence]
window = 3600
bucket = "1x"

[mail]
server = "smtp://mail.example.net"

[[webhook]]
url = """
https://h.example/"""
name = "a"
secret_file = "x"
rungs = [
  "notify",
  "observed",
]
timeout = 5
`);
  assert.deepEqual(sentence.split('\n').slice(1).map((line) => /^ {2}line (\d+): ([\w.[\]]+) /.exec(line)?.slice(1)), [
    ['6', 'evidence.window'], ['7', 'evidence.bucket'], ['9', 'mail.from'], ['9', 'mail.provider_name'],
    ['17', 'webhook[1].rungs'], ['21', 'webhook[1].timeout'],
  ]);
});

test('many faults are cut short', () => {
  const sentence = refusalOf(`${smallestConfig}[log]\n${Array.from({ length: limits.configFaultsMax + 7 },
    (_, i) => `key${i} = 1`).join('\n')}\n`);
  assert.equal(sentence.split('\n').length, limits.configFaultsMax + 2);
  assert.match(sentence, /And 7 more\.$/);
});

test('what is no TOML is refused with its line', () => {
  assert.match(refusalOf('a = 1\nb = = 2\n'), /^a\.toml, line 2, column \d+: .*\.$/);
  assert.match(refusalOf(`a = ${'['.repeat(100_000)}`), /^a\.toml/);
  assert.match(refusalOf('a = 1\na = 2'), /line 2/);
});

test('files: not there, a folder, too large, not UTF-8', async () => {
  await assert.rejects(readConfig(join(folder, 'gone.toml')), /Cannot read .*gone\.toml: there is no such file\.$/);
  await assert.rejects(readConfig(folder), /it is a folder\.$/);
  const large = join(folder, 'large.toml');
  writeFileSync(large, Buffer.alloc(limits.configBytesMax + 1, '#'));
  await assert.rejects(readConfig(large), /has \d+ bytes; a config has at most/);
  writeFileSync(large, Buffer.from([0x23, 0xff, 0xfe]));
  await assert.rejects(readConfig(large), /it is not UTF-8\.$/);
});

test('files that the config names are looked at', async () => {
  chmodSync(join(folder, 'login'), 0o604);
  writeFileSync(join(folder, 'short'), 'k'.repeat(23), { mode: 0o600 });
  writeFileSync(join(folder, 'script'), '');
  const sentence = await refusalOfFile(fullConfig
    .replace('"second"', '"nowhere"').replace('"./ask"', '"./login"').replace('"dkim.pem"', '"classifiers"')
    .replace('"hook-secret"', '"short"').replace('state_folder = "state"', 'state_folder = "a/b/c"'));
  chmodSync(join(folder, 'login'), 0o600);
  assert.match(sentence, /verify\.classifier_folder is \S+nowhere, which is not there/);
  assert.match(sentence, /mail\.credentials_file is \S+login, which everybody may read; chmod o=/);
  assert.match(sentence, /mail\.dkim\.key_file is \S+classifiers, which is no file/);
  assert.match(sentence, /webhook\[1\]\.secret_file is \S+short, which has 23 bytes; a key has at least 24/);
  assert.match(sentence, /state_folder is \S+a\/b\/c, and \S+a\/b is no folder that it could be made in/);
  assert.match(sentence, /verify\.command is \S+login, which must not be used by this user/);
  assert.match(sentence, /6 faults/);
});

test('an empty secret, and one that everybody may change', async () => {
  writeFileSync(join(folder, 'hook-secret'), 'k'.repeat(24));
  chmodSync(join(folder, 'hook-secret'), 0o602);
  writeFileSync(join(folder, 'login'), '');
  const sentence = await refusalOfFile(fullConfig);
  makeSound();
  assert.match(sentence, /secret_file is \S+, which everybody may change/);
  assert.match(sentence, /credentials_file is \S+login, which is empty/);
});

test('nothing that decides what is found, run or told is for everybody to change', async () => {
  mkdirSync(join(folder, 'state'), { recursive: true });
  for (const name of ['state', 'classifiers', 'ask']) chmodSync(join(folder, name), 0o777);
  const sentence = await refusalOfFile(fullConfig);
  makeSound();
  for (const key of ['state_folder', 'classifiers.folder', 'verify.command']) {
    assert.match(sentence, new RegExp(`${key.replace('.', '\\.')} is \\S+, which everybody may change; chmod o-w`));
  }
});

function makeSound(): void {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  makeConfigFiles(folder);
}

test('the shipped config is sound as it is, and with every key taken in', () => {
  const text = readFileSync(join(rootFolder, 'deploy/detector.toml'), 'utf8');
  const config = parseConfig(text, { folder: '/etc/natlens' });
  assert.equal(config.dryRun, true);
  const expected = parseConfig(smallestConfig, { folder: '/' });
  assert.deepEqual({ ...config.evidence, ...config.ladder, ...config.verdict, ...config.retention },
    { ...expected.evidence, ...expected.ladder, ...expected.verdict, ...expected.retention });
  const all = text.replace(/^#(?! )/gm, '').replace('map = "single"', 'map = "interface"')
    .replace(/^prefixes = .*$/m, '').replace('on = false', 'on = true');
  const { given } = parseConfig(all, { folder: '/etc/natlens' });
  const keys: readonly ConfigKey[] = configKeys;
  assert.deepEqual(keys.map(pathOf).filter((path) => !given.has(path)), ['home.prefixes']);
});

/** Whatever a text is, it is refused in sentences or gives a config that nothing later trips over. */
function checkText(text: string): void {
  let config: DetectorConfig;
  try {
    config = parseConfig(text, { folder: '/', file: 'a.toml' });
  } catch (thrown) {
    assert.ok(thrown instanceof OperatorError && thrown.code === 'bad-config', `${String(thrown)}\n${text}`);
    assert.doesNotMatch(thrown.message.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
    assert.ok(thrown.message.length < 20_000);
    return;
  }
  assert.equal(describeUnsoundOptions(config.evidence), undefined);
  assert.ok(config.verdict.keepScore <= config.verdict.presentScore);
  assert.match(explainConfig(config), /Keys left at their defaults/);
  assert.doesNotThrow(() => JSON.parse(explainConfig(config, { json: true })) as unknown);
}

test('any change of a config is refused in sentences or read', () => {
  const pieces = ['"', "'", '[', ']', '=', '\n', '"""', '#', '.', '{', '}', '1', 'x', '\\', '\0', '\u202e', '-', ','];
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 12 }), fc.oneof(fc.constantFrom(...pieces), fc.string())),
    { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(fc.constantFrom(fullConfig, smallestConfig), edits, (base, changes) => {
    let text = base;
    for (const [place, cut, insert] of changes) {
      const at = place % (text.length + 1);
      text = text.slice(0, at) + insert + text.slice(at + cut);
    }
    checkText(text);
  }), { numRuns: 1_500 });
});

test('any text is', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), checkText),
    { numRuns: 1_000 });
});

test('any value of any key is', () => {
  const values = fc.oneof(
    fc.constantFrom('true', '0', '-1', '1.5', 'nan', 'inf', '""', '[]', '[[]]', '{}', '1979-05-27', '"0s"', '"1h"',
      '"1B"', '["a", "a"]', '"::/0"', '["::/0"]', '9223372036854775807', '"single-flow"', '"address"', '"interface"'),
    fc.constantFrom(...configKeys as readonly ConfigKey[]).map((key) => key.kind.write(key.example)));
  const lines = fc.array(fc.tuple(fc.constantFrom(...configKeys as readonly ConfigKey[]), values),
    { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(lines, (chosen) => {
    const sections = configSections.map(({ name, kind }) => {
      const own = chosen.filter(([key], i) => key.section === name &&
        chosen.findIndex(([other]) => other === key) === i).map(([key, value]) => `${key.name} = ${value}`);
      const others = own.filter((line) => !line.startsWith('state_folder'));
      if (name === '') return ['state_folder = "a"', ...others].join('\n');
      const head = kind === 'list' ? `[[${name}]]` : `[${name}]`;
      return own.length === 0 && name !== 'classifiers' ? '' : [head, ...own].join('\n');
    });
    checkText(sections.join('\n').replace('[classifiers]', '[classifiers]\nfolder = "b"'));
  }), { numRuns: 1_500 });
});
