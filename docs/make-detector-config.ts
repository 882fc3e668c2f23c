/**
 * Makes docs/detector-config.md and deploy/detector.toml from the table of keys. Run by hand when `config-keys.ts`
 * changes: `node docs/make-detector-config.ts`. `config-pages.test.ts` fails when a page is not what this makes. Writes
 * those two files and nothing else.
 */
import { writeFileSync } from 'node:fs';
import { configTable } from '../src/apps/detector/config/config-keys.ts';
import type { ConfigSection } from '../src/apps/service/config/config-table.ts';
import { formatSection, formatShippedSection, type ShippedValues } from './config-page.ts';

const { keys, sections } = configTable;

const shipped: ShippedValues = {
  state_folder: '"/var/lib/natlens"', dry_run: 'true', 'input.listen': '["udp://0.0.0.0:2055"]',
  'classifiers.folder': '"/etc/natlens/classifiers"',
};

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

${given.map((section) => formatSection(configTable, section)).join('\n')}`;
}

/** The config that is shipped: dry, and every key with its meaning. */
export function formatShippedConfig(): string {
  return [
    '# Config of a natlens detector. Made by docs/make-detector-config.ts; docs/detector-config.md has the same as a page.',
    '# A line that begins with # and no blank is a key at its default, or an example where that says more.',
    '# natlens detect --check detector.toml says what a detector of this config would do.', '',
    ...sections.flatMap((section) => formatShippedSection(configTable, section, shipped)),
  ].join('\n').trimEnd() + '\n';
}

if (import.meta.main) {
  writeFileSync(new URL('detector-config.md', import.meta.url), formatConfigPage());
  writeFileSync(new URL('../deploy/detector.toml', import.meta.url), formatShippedConfig());
}
