/**
 * Pages and shipped configs from a table of keys, for `make-detector-config.ts` and `make-collector-config.ts`: one
 * section and one line for every key. Writes nothing itself.
 */
import { headOf, pathOf, type ConfigKey, type ConfigSection, type ConfigTable } from
  '../src/apps/service/config/config-table.ts';

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

/** A section of a page. */
export function formatSection({ keys }: ConfigTable, section: ConfigSection): string {
  const rows = keys.filter((key) => key.section === section.name).map(rowText);
  const title = section.name === '' ? 'Above all sections' : code(headOf(section));
  return `## ${title}

${[section.meaning, presenceTexts[section.kind]].join(' ').trim()}

| key | meaning | value | default | example |
|---|---|---|---|---|
${rows.join('\n')}
`;
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

function shippedKey(key: ConfigKey, shipped: ShippedValues): string[] {
  const says = `${key.meaning}. ${kindText(key).replace(/^./, (first) => first.toUpperCase())}. ` +
    `Default: ${defaultText(key, (value) => value)}.`;
  const own = shipped[pathOf(key)];
  return [...commentLines(says), own === undefined
    ? `#${key.name} = ${key.kind.write(key.example)}` : `${key.name} = ${own}`, ''];
}

/** What a shipped config says itself, by path, as TOML; everything else in it is commented out. */
export type ShippedValues = Readonly<Record<string, string>>;

/** Lines of a section of a shipped config. */
export function formatShippedSection({ keys }: ConfigTable, section: ConfigSection, shipped: ShippedValues): string[] {
  const own = keys.filter((key) => key.section === section.name).flatMap((key) => shippedKey(key, shipped));
  if (section.name === '') return own;
  const isSaid = keys.some((key) => key.section === section.name && shipped[pathOf(key)] !== undefined);
  const head = section.kind === 'table' || isSaid ? headOf(section) : `#${headOf(section)}`;
  return [`${'# '.padEnd(100, '-')}`, ...commentLines([section.meaning, presenceTexts[section.kind]].join(' ').trim()),
    head, '', ...own];
}
