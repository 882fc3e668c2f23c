/**
 * Makes docs/detector-config.md and deploy/detector.toml from the table of keys. Run by hand when `config-keys.ts`
 * changes: `node docs/make-detector-config.ts`. `config-pages.test.ts` fails when a page is not what this makes. Writes
 * those two files and nothing else.
 */
import { writeFileSync } from 'node:fs';
import {
  configKeys, configSections, headOf, type ConfigKey, type ConfigSection,
} from '../src/apps/detector/config/config-keys.ts';

const keys: readonly ConfigKey[] = configKeys;
const sections: readonly ConfigSection[] = configSections;

/** What the shipped config says itself; everything else in it is commented out. */
const shipped: Readonly<Record<string, string>> = {
  state_folder: '"/var/lib/natlens"', dry_run: 'true', 'input.listen': '["udp://0.0.0.0:2055"]',
  'classifiers.folder': '"/etc/natlens/classifiers"',
};

const presenceTexts: Readonly<Record<ConfigSection['kind'], string>> = {
  table: '', optional: 'May be left out.', list: 'May be there any number of times.',
};

/** Default of a key: `"1m"`, what holds without it, or that it is needed. */
function defaultText(key: ConfigKey, quote: (value: string) => string): string {
  if (key.presence === 'default') return quote(key.kind.write(key.byDefault));
  return key.presence === 'required' ? 'must be given' : key.without;
}

function kindText({ kind: { name, bounds } }: ConfigKey): string {
  return bounds === '' ? name : name === 'one of' ? bounds : `${name}: ${bounds}`;
}

const code = (text: string): string => `\`${text}\``;

function rowText(key: ConfigKey): string {
  const example = key.kind.write(key.example);
  const isSaid = key.presence === 'default' && example === key.kind.write(key.byDefault);
  const cells = [code(key.name), `${key.meaning}.`, kindText(key), defaultText(key, code), isSaid ? '' : code(example)];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function sectionText(section: ConfigSection): string {
  const rows = keys.filter((key) => key.section === section.name).map(rowText);
  const title = section.name === '' ? 'Above all sections' : code(headOf(section));
  return `## ${title}

${[section.meaning, presenceTexts[section.kind]].join(' ').trim()}

| key | meaning | value | default | example |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

/** The page. @param given  those of the table */
export function formatConfigPage(given: readonly ConfigSection[] = sections): string {
  return `# The detector's config

<!-- Made by docs/make-detector-config.ts from src/apps/detector/config/config-keys.ts: do not edit. -->

One TOML file. ${keys.length} keys in ${given.length} sections; these three lines are a config:

\`\`\`toml
state_folder = "/var/lib/natlens"
classifiers.folder = "/etc/natlens/classifiers"
input.listen = ["udp://0.0.0.0:2055"]
\`\`\`

\`natlens detect --check CONFIG\` says in sentences what a detector of a config would do, whom it would tell, what leaves
the machine, and what is worth a second look; \`--json\` gives the effective values. \`deploy/detector.toml\` is a config
with all keys, commented out, to begin with.

- Durations have a unit: \`"500ms"\`, \`"30s"\`, \`"10m"\`, \`"1h"\`, \`"14d"\`, \`"1h30m"\`. A plain number is refused.
- Sizes have one, too: \`"512KiB"\`, \`"4MiB"\`, \`"1GiB"\`.
- Relative paths are taken from the folder of the config.
- Secrets are in files of their own, which not everybody may read; a login within a URL is refused.
- Unknown keys and sections are refused, with the nearest that there is. All faults are told at once, with their lines.
- Texts have one line and no control characters.

What the config says together must make sense: windows are multiples of their bucket, no two homes claim the same
address, mails need \`[mail]\`, \`mitigate\` needs \`[block]\` and a reason. \`--check\` says what does not.

${given.map(sectionText).join('\n')}`;
}

/** Words of a text in comment lines. */
function commentLines(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > 100) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

function shippedKey(key: ConfigKey): string[] {
  const path = key.section === '' ? key.name : `${key.section}.${key.name}`;
  const says = `${key.meaning}. ${kindText(key).replace(/^./, (first) => first.toUpperCase())}. ` +
    `Default: ${defaultText(key, (value) => value)}.`;
  const own = shipped[path];
  return [...commentLines(says), own === undefined
    ? `#${key.name} = ${key.kind.write(key.example)}` : `${key.name} = ${own}`, ''];
}

function shippedSection(section: ConfigSection): string[] {
  const own = keys.filter((key) => key.section === section.name).flatMap(shippedKey);
  if (section.name === '') return own;
  const head = section.kind === 'table' ? headOf(section) : `#${headOf(section)}`;
  return [`${'# '.padEnd(100, '-')}`, ...commentLines([section.meaning, presenceTexts[section.kind]].join(' ').trim()),
    head, '', ...own];
}

/** The config that is shipped: dry, and every key with its meaning. */
export function formatShippedConfig(): string {
  return [
    '# Config of a natlens detector. Made by docs/make-detector-config.ts; docs/detector-config.md has the same as a page.',
    '# A line that begins with # and no blank is a key at its default, or an example where that says more.',
    '# natlens detect --check detector.toml says what a detector of this config would do.', '',
    ...sections.flatMap(shippedSection),
  ].join('\n').trimEnd() + '\n';
}

if (import.meta.main) {
  writeFileSync(new URL('detector-config.md', import.meta.url), formatConfigPage());
  writeFileSync(new URL('../deploy/detector.toml', import.meta.url), formatShippedConfig());
}
