/**
 * Makes docs/columns.md from the table of columns. Run by hand when `schema.ts` changes: `node docs/make-columns.ts`.
 * test/docs.test.ts fails when the page is not what this makes. Writes that one file and nothing else.
 */
import { writeFileSync } from 'node:fs';
import { schema, type ColumnDefinition, type PrivacyClass, type Storage } from '#flow';

const memoryTexts: Readonly<Record<Storage, string>> = {
  u8: 'uint8', u16: 'uint16', u32: 'uint32', f64: 'float64', address: '4 × uint32', mac: '2 × uint32',
  dictionary: 'uint32 code',
};

const privacyTexts: Readonly<Record<PrivacyClass, string>> = {
  measure: 'counters and times',
  protocol: 'what kind of traffic it is',
  peer: 'whom the home talks to',
  identity: 'names a device or a home',
  label: 'ground truth, in the lab only',
};

/** How Parquet files hold a column; text formats write the same values. */
function parquetText(column: ColumnDefinition): string {
  switch (column.storage) {
    case 'u8': case 'u16': case 'u32': return `INT32, ${column.storage.replace('u', 'UINT_')}`;
    case 'f64': return column.unit === 'ms' ? 'DOUBLE' : 'INT64';
    default: return 'UTF8';
  }
}

function elementText(column: ColumnDefinition): string {
  if (column.elementIds.length === 0) return '–';
  const ids = column.elementIds.join(', ');
  return column.enterprise === 0 ? ids : `${ids} (PEN ${column.enterprise})`;
}

function rowText(column: ColumnDefinition): string {
  const alias = column.alias === '' ? '–' : `\`${column.alias}\``;
  const meaning = column.unit === '' ? column.meaning : `${column.meaning}; ${column.unit}`;
  const cells = [
    `\`${column.name}\``, meaning, elementText(column), alias, memoryTexts[column.storage], parquetText(column),
    column.privacy,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The whole page. @param columns  in the order of files */
export function formatColumns(columns: readonly ColumnDefinition[] = schema): string {
  return `# Columns of a flow record

<!-- Made by docs/make-columns.ts from src/pipeline/2-flow/schema.ts: do not edit. -->

${columns.length} columns, in the order in which files show them. Names are those of IANA's registry "IPFIX Entities",
with [three exceptions](decisions/0003-column-names.md). The default of every column is zero, or the empty text. What
the values mean in detail: [flow-records](flow-records.md).

- **element**: number in IPFIX (RFC 7012); for an address that of IPv4, then that of IPv6. PEN 29305 marks a reverse
  element (RFC 5103).
- **NetFlow v9**: name in NetFlow v9, or nProbe's.
- **in memory**: type of the column in a \`FlowBatch\`. An address is four words, IPv4 as ::ffff:a.b.c.d; a MAC address
  is two; a text is a code into the column's dictionary.
- **privacy**: ${Object.entries(privacyTexts).map(([name, text]) => `\`${name}\`: ${text}`).join('; ')}.

| column | meaning | element | NetFlow v9 | in memory | Parquet | privacy |
|---|---|---|---|---|---|---|
${columns.map(rowText).join('\n')}
`;
}

if (import.meta.main) writeFileSync(new URL('columns.md', import.meta.url), formatColumns());
