/**
 * The lines of a TOML document in which its keys stand. The parser says lines of syntax errors only, so a document that
 * is sound is cut into its statements here, each of which the parser itself reads: no second grammar.
 */
import { parse, type TomlTable } from 'smol-toml';

/** Lines that one statement may span; of keys in a longer one, no line is told. */
const statementLinesMax = 64;

/**
 * Lines, counted from 1, by path: `input.listen`, `home[1]`, `home[1].mail` (entries counted from 1). Of keys within
 * inline tables, the line of the table's beginning.
 *
 * @param text  a sound document
 */
export function findLines(text: string): Map<string, number> {
  const lines = text.split(/\r?\n/);
  const found = new Map<string, number>();
  const entryCounts = new Map<string, number>();
  let head = '';
  for (let at = 0; at < lines.length;) {
    const { lineCount, table } = readStatement(lines, at);
    const first = (lines[at] as string).trimStart();
    if (table !== undefined && first.startsWith('[')) {
      head = placeOf(table, first.startsWith('[['), entryCounts);
      note(found, head, at + 1);
    } else if (table !== undefined) {
      notePaths(table, head, at + 1, found);
    }
    at += lineCount;
  }
  return found;
}

type Statement = { readonly lineCount: number; readonly table: TomlTable | undefined };

/** The statement that begins in a line: a head or a key with its value, or nothing (a comment). */
function readStatement(lines: readonly string[], at: number): Statement {
  const end = Math.min(lines.length, at + statementLinesMax);
  for (let next = at + 1; next <= end; next++) {
    try {
      return { lineCount: next - at, table: parse(lines.slice(at, next).join('\n')) };
    } catch {
      // A value that goes on in the next line: one that ended would have been read.
    }
  }
  return { lineCount: 1, table: undefined };
}

/** Path of a head; of a list of tables, with the number of its latest entry. */
function placeOf(table: TomlTable, isEntry: boolean, entryCounts: Map<string, number>): string {
  const names: string[] = [];
  let inner: unknown = table;
  while (typeof inner === 'object' && inner !== null) {
    const [entry] = Object.entries(Array.isArray(inner) ? (inner[0] as TomlTable) : inner);
    if (entry === undefined) break;
    names.push(entry[0]);
    inner = entry[1];
  }
  const path = names.join('.');
  if (isEntry) entryCounts.set(path, (entryCounts.get(path) ?? 0) + 1);
  const count = entryCounts.get(path);
  return count === undefined ? path : `${path}[${count}]`;
}

function notePaths(table: object, before: string, line: number, found: Map<string, number>): void {
  for (const [name, value] of Object.entries(table)) {
    const path = before === '' ? name : `${before}.${name}`;
    note(found, path, line);
    if (Array.isArray(value)) {
      value.forEach((entry, i) => {
        if (!isTable(entry)) return;
        note(found, `${path}[${i + 1}]`, line);
        notePaths(entry, `${path}[${i + 1}]`, line, found);
      });
    } else if (isTable(value)) {
      notePaths(value, path, line, found);
    }
  }
}

const isTable = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

function note(found: Map<string, number>, path: string, line: number): void {
  if (path !== '' && !found.has(path)) found.set(path, line);
}
