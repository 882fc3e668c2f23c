/** Text and numbers as HTML or SVG: everything that comes from data is escaped here, and nowhere else. */
import type { Estimate } from './summarize-results.ts';

/** Shown where a number is not known. */
export const unknownText = '–';

export function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')
    // Characters that XML forbids, which a pasted figure would not survive.
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
}

/** A device model's name, which may break after its dots in a narrow column. */
export function breakName(name: string): string {
  return escapeText(name).replace(/([._])/g, '$1<wbr>');
}

/** `0.873`; more digits where the share is small or close to 1, so that .9996 does not read 1.000. */
export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return unknownText;
  const distance = Math.min(share, 1 - share);
  return share.toFixed(distance >= 0.00005 && distance < 0.0095 ? 4 : 3);
}

export function formatPercent(share: number): string {
  if (!Number.isFinite(share)) return unknownText;
  const percent = share * 100;
  return `${percent !== 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** `1,234,567`. */
export function formatCount(count: number | undefined): string {
  return count === undefined || !Number.isFinite(count) ? unknownText
    : String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `12.3`, `0.04`: three digits that count. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return unknownText;
  const size = Math.abs(value);
  if (size >= 100) return formatCount(value);
  return value.toFixed(size >= 10 ? 1 : size >= 1 || size === 0 ? 2 : 3);
}

export function formatKilobytes(bytes: number): string {
  return formatNumber(bytes / 1000);
}

export function formatMinutes(seconds: number): string {
  return formatNumber(seconds / 60);
}

/** A count with its noun: `1 seed`, `5 seeds`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** An estimate in a cell: the mean, and below it the interval, without breaks inside either. */
export function formatEstimate({ mean, interval }: Estimate, format: (value: number) => string): string {
  // Without what repeats itself, so that a table of fifteen columns fits a screen: `.861–.884`, `2.1–4.0 %`.
  const range = interval === undefined ? ''
    : `<small>${format(interval[0]).replace(/ %$/, '')}–${format(interval[1])}</small>`
    .replace(/(?<![\d.])0\.(?=\d{3})/g, '.');
  return `${format(mean)}${range}`;
}

/** The same in one line, for texts that appear over a point. */
export function sayEstimate({ mean, interval }: Estimate, format: (value: number) => string): string {
  return interval === undefined ? format(mean) : `${format(mean)} [${format(interval[0])}–${format(interval[1])}]`;
}

/** A cell's HTML, and a class of the style sheet where it has one. */
export type Cell = string | { readonly html: string; readonly className: string };

/** Shares of false alarms are small: `0.0001`, `2.5e-5`. */
export function formatNumberShare(share: number): string {
  return share < 0.001 && share > 0 ? share.toExponential(1) : formatShare(share);
}

export type TableParts = {
  readonly caption: string;
  /** Headings, with their HTML; the first column names the row. */
  readonly headings: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Columns of text, which stand to the left; the first always does. */
  readonly textColumns?: readonly number[];
  /** [row]: its class in the style sheet, or the empty text. */
  readonly rowClasses?: readonly string[];
};

/** A table in a box of its own that scrolls when the page is narrow. `caption` is HTML. */
export function formatTable({ caption, headings, rows, textColumns = [], rowClasses = [] }: TableParts): string {
  const isText = (column: number): string => textColumns.includes(column) ? ' class="text"' : '';
  const head = headings.map((heading, i) => `<th scope="col"${isText(i)}>${heading}</th>`).join('');
  const classOf = (row: number): string => (rowClasses[row] ?? '') === '' ? '' : ` class="${rowClasses[row]}"`;
  const formatCell = (cell: Cell, i: number): string => {
    const html = typeof cell === 'string' ? cell : cell.html;
    if (i === 0) return `<th scope="row">${html}</th>`;
    return `<td${typeof cell === 'string' ? isText(i) : ` class="${cell.className}"`}>${html}</td>`;
  };
  const body = rows.map((cells, row) => `<tr${classOf(row)}>${cells.map(formatCell).join('')}</tr>`).join('\n');
  const label = escapeText(caption.replace(/<[^>]*>/g, '').slice(0, 80));
  return `<div class="scroll" role="region" tabindex="0" aria-label="Table: ${label}"><table>\n` +
    `<caption>${caption}</caption>\n` +
    `<thead><tr>${head}</tr></thead>\n<tbody>\n${body}\n</tbody></table></div>`;
}
