/**
 * The text of an inventory: a CSV that says which device is in which captures. One row for each device and glob of
 * captures; `#` begins a comment, and the comments above the heading are the data set's note. Whatever is wrong is told
 * with its line: a wrong label is worse than none.
 */
import { OperatorError, parseAddress, parseMac, formatAddress, formatMac, type AddressWords } from '#base';

export type DeviceKind = 'iot' | 'non-iot';

/** A row: a device, and where its traffic is. */
export type InventoryRow = {
  readonly line: number;
  /** Glob of files; empty: the flow files that are named beside the inventory. */
  readonly capture: string;
  readonly mac: readonly [number, number] | undefined;
  readonly address: AddressWords | undefined;
  /** Name of the unit. */
  readonly device: string;
  readonly deviceModel: string;
  readonly kind: DeviceKind;
};

export type InventoryTable = {
  readonly rows: readonly InventoryRow[];
  /** Comments above the heading, one sentence or line after the other. */
  readonly note: string;
  /** A comment above the heading begins with the word `simulated`. */
  readonly isSimulated: boolean;
};

const requiredColumns = ['capture', 'device_model', 'kind'] as const;
const nameLengthMax = 255;

/**
 * Parses an inventory.
 *
 * @param path  for messages
 * @throws OperatorError  `bad-columns`, `bad-option`: something is wrong in a line
 */
export function parseInventory(text: string, path: string): InventoryTable {
  const comments: string[] = [];
  const rows: InventoryRow[] = [];
  let columns: string[] | undefined;
  for (const [index, raw] of text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/).entries()) {
    const line = index + 1;
    const trimmed = raw.trim();
    if (trimmed === '') continue;
    if (trimmed.startsWith('#')) {
      if (columns === undefined) comments.push(trimmed.replace(/^#+\s*/, ''));
      continue;
    }
    const cells = splitCells(raw, () => wrong(path, line, 'a quote is not closed'));
    if (columns === undefined) columns = readHeading(cells, path, line);
    else rows.push(readRow(cells, columns, path, line));
  }
  if (columns === undefined) throw new OperatorError('input-empty', `${path} holds no inventory: it has no heading.`);
  if (rows.length === 0) throw new OperatorError('input-empty', `${path} names no device: it has a heading alone.`);
  const isSimulated = comments.some((comment) => /^simulated\b/i.test(comment));
  return { rows, note: comments.filter((comment) => comment !== '').join('\n'), isSimulated };
}

function wrong(path: string, line: number, what: string): OperatorError {
  return new OperatorError('bad-option', `${path}, line ${line}: ${what}.`);
}

/** Cells of a line; a cell may stand in double quotes, and a doubled quote is one. */
function splitCells(line: string, unclosed: () => OperatorError): string[] {
  const cells: string[] = [];
  for (let at = 0; at <= line.length;) {
    const rest = line.slice(at);
    const quoted = /^\s*"((?:[^"]|"")*)"\s*(?:,|$)/.exec(rest);
    if (quoted === null && /^\s*"/.test(rest)) throw unclosed();
    const [whole, cell = ''] = quoted ?? /^([^,]*)(?:,|$)/.exec(rest) ?? [''];
    cells.push(quoted === null ? cell.trim() : cell.replaceAll('""', '"').trim());
    // What ends with a comma has one more cell behind it, if only an empty one.
    at += whole.endsWith(',') ? whole.length : whole.length + 1;
  }
  return cells;
}

function readHeading(cells: readonly string[], path: string, line: number): string[] {
  const columns = cells.map((cell) => cell.toLowerCase());
  const missing = requiredColumns.filter((name) => !columns.includes(name));
  if (!columns.includes('mac') && !columns.includes('address')) missing.push('mac' as never);
  if (missing.length > 0) {
    throw new OperatorError('bad-columns', `${path}, line ${line}: the heading has no ${missing.join(', ')}; an ` +
      'inventory has the columns capture, mac (or address), device_model and kind, and if you like device.');
  }
  const twice = columns.find((name, i) => name !== '' && columns.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new OperatorError('bad-columns', `${path}, line ${line}: the heading has ${twice} twice.`);
  }
  return columns;
}

function readRow(cells: readonly string[], columns: readonly string[], path: string, line: number): InventoryRow {
  if (cells.length !== columns.length) {
    throw wrong(path, line, `${cells.length} cells where the heading has ${columns.length}`);
  }
  const get = (column: string): string => cells[columns.indexOf(column)] ?? '';
  const deviceModel = readName(get('device_model'), 'device_model', path, line);
  if (deviceModel === '') throw wrong(path, line, 'no device_model');
  const { mac, address } = readIdentity(get('mac'), get('address'), path, line);
  const identity = mac === undefined ? formatAddress(Uint32Array.from(address ?? []), 0)
    : formatMac(Uint32Array.from(mac), 0).replaceAll(':', '');
  const device = readName(get('device'), 'device', path, line) || `${deviceModel}-${identity}`;
  return { line, capture: get('capture'), mac, address, device, deviceModel, kind: readKind(get('kind'), path, line) };
}

/** The MAC or the static address of a device, or both; an address may stand in the column of MACs. */
function readIdentity(
  macText: string, addressText: string, path: string, line: number,
): Pick<InventoryRow, 'mac' | 'address'> {
  const mac = parseMac(macText);
  const inMacColumn = mac === undefined ? parseAddress(macText) : undefined;
  if (macText !== '' && mac === undefined && inMacColumn === undefined) {
    throw wrong(path, line, `'${macText}' is neither a MAC such as a4:cf:12:32:5b:88 nor an address such as 192.0.2.7`);
  }
  const address = parseAddress(addressText);
  if (addressText !== '' && address === undefined) {
    throw wrong(path, line, `'${addressText}' is no IP address such as 192.0.2.7 or 2001:db8::7`);
  }
  if (address !== undefined && inMacColumn !== undefined) {
    throw wrong(path, line, 'there is an address in both columns, mac and address');
  }
  if (mac !== undefined && ((mac[0] & 0x100) !== 0 || (mac[0] === 0 && mac[1] === 0))) {
    throw wrong(path, line, `${macText} is no MAC of one device: it is a group's, or zero`);
  }
  const known = address ?? inMacColumn;
  if (mac === undefined && known === undefined) {
    throw wrong(path, line, 'neither a MAC nor an address says which device it is');
  }
  return { mac, address: known };
}

function readName(text: string, column: string, path: string, line: number): string {
  if (text.length <= nameLengthMax && !/[\p{Cc}\s]/u.test(text)) return text;
  throw wrong(path, line, `${column} is a name without blanks, of ${nameLengthMax} characters at most, not '${text}'`);
}

function readKind(text: string, path: string, line: number): DeviceKind {
  const kind = text.toLowerCase().replace('_', '-');
  if (kind === 'iot' || kind === 'non-iot') return kind;
  throw wrong(path, line, `kind is iot or non-iot, not '${text}'`);
}
