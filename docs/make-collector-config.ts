/**
 * Makes docs/collector-config.md and deploy/collector.toml from the table of keys. Run by hand when the collector's
 * `config-keys.ts` changes: `node docs/make-collector-config.ts`. `config-pages.test.ts` beside the table fails when a
 * page is not what this makes. Writes those two files and nothing else.
 */
import { writeFileSync } from 'node:fs';
import { configTable } from '../src/apps/collector/config/config-keys.ts';
import type { ConfigSection } from '../src/apps/service/config/config-table.ts';
import { formatSection, formatShippedSection, type ShippedValues } from './config-page.ts';

const { keys, sections } = configTable;

const shipped: ShippedValues = {
  state_folder: '"/var/lib/natlens-collector"', 'input.listen': '["udp://0.0.0.0:2055"]',
  'output.folder': '"/var/lib/natlens-collector/flows"', 'output.keep_size': '"100GiB"',
  'metrics.listen': '"127.0.0.1:9465"',
};

/** The page. @param given  those of the table */
export function formatCollectorPage(given: readonly ConfigSection[] = sections): string {
  return `# The collector's config

<!-- Made by docs/make-collector-config.ts from src/apps/collector/config/config-keys.ts: do not edit. -->

One TOML file, and none is needed: \`natlens collect --out flows\` runs with all defaults, and most keys have an option of
the [command](commands/collect.md), which wins over the file. ${keys.length} keys in ${
  given.length} sections; this is a config:

\`\`\`toml
state_folder = "/var/lib/natlens-collector"
input.listen = ["udp://0.0.0.0:2055"]
output.folder = "/var/lib/natlens-collector/flows"
\`\`\`

\`natlens collect CONFIG --check\` says in sentences what a collector of a config would do, and what is worth a second look;
\`--json\` gives the effective values. \`deploy/collector.toml\` is a config with all keys, most of them commented out.

- Durations have a unit: \`"500ms"\`, \`"30s"\`, \`"10m"\`, \`"1h"\`, \`"14d"\`, \`"1h30m"\`. Sizes have one, too: \`"512KiB"\`, \`"4MiB"\`.
- Relative paths are taken from the folder of the config; those of options from the working folder.
- Unknown keys and sections are refused, with the nearest that there is. All faults are told at once, with their lines.

${given.map((section) => formatSection(configTable, section)).join('\n')}`;
}

/** The config that is shipped. */
export function formatShippedCollector(): string {
  return [
    '# Config of a natlens collector. Made by docs/make-collector-config.ts; docs/collector-config.md has the same as a',
    '# page. A line that begins with # and no blank is a key at its default, or an example where that says more.',
    '# natlens collect collector.toml --check says what a collector of this config would do.', '',
    ...sections.flatMap((section) => formatShippedSection(configTable, section, shipped)),
  ].join('\n').trimEnd() + '\n';
}

if (import.meta.main) {
  writeFileSync(new URL('collector-config.md', import.meta.url), formatCollectorPage());
  writeFileSync(new URL('../deploy/collector.toml', import.meta.url), formatShippedCollector());
}
