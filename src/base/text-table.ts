/** Plain text tables and numbers for people at a terminal. */

/** Rows under a heading, columns as wide as needed; numbers (per `isNumber`) to the right. */
export function formatTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((cells) => cells.map(plainLine));
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...clean.map((cells) => (cells[column] ?? '').length)));
  const isNumber = heading.map((_, column) => clean.length > 0 &&
    clean.every((cells) => /^[\d,. %\u00d7-]*$/.test(cells[column] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => isNumber[column]
      ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))
      .join('  ').trimEnd();
  return [line(heading), line(widths.map((width) => '─'.repeat(width))), ...clean.map(line)].join('\n');
}

/** A text from elsewhere on one line: what ends lines or changes a terminal becomes a blank. */
export function plainLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** `1,234,567`. By hand: `toLocaleString` loads its tables first, which takes longer than a short run. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1.2 MB`, decimal prefixes. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `1.5 s`, `250 ms`, `3 min 20 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}
