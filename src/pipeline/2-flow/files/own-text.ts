/** Our own CSV and JSON lines back into flow records; what `row-text.ts` wrote reads back bit for bit. */
import { OperatorError } from '#base';
import { schema } from '../schema.ts';
import type { FlowBatch } from '../flow-batch.ts';
import {
  AddressTexts, deriveIpVersion, essentialColumns, findCell, storeText, storeValue, type Cell,
} from './cells.ts';
import { jsonAlwaysPresent } from './row-text.ts';
import { splitFields } from './text-records.ts';
import { isNothing, isRow, type RecordReader } from './text-table.ts';

/** The error for a table without columns that it cannot do without. @param missing names */
export function badColumns(kind: string, missing: readonly string[]): OperatorError {
  const columns = missing.length === 1 ? 'the column' : 'the columns';
  const sentence = `This ${kind} lacks ${columns} ${missing.join(', ')}; nothing can be read from it.`;
  return new OperatorError('bad-columns', sentence);
}

/** Names of `wanted` that are not in `names`. */
export function missingColumns(wanted: Iterable<string>, names: readonly string[]): string[] {
  return [...wanted].filter((name) => !names.includes(name));
}

/** Reader of CSV with our column names, in any order; other columns are ignored, absent ones get their defaults. */
export function createCsvReader(): RecordReader {
  const addresses = new AddressTexts();
  let cells: (Cell | undefined)[] | undefined;
  let hasIpVersion = false;
  const readHeader = (fields: readonly string[]): void => {
    const missing = missingColumns(essentialColumns, fields);
    if (missing.length > 0) throw badColumns('CSV file', missing);
    cells = fields.map(findCell);
    hasIpVersion = fields.includes('ipVersion');
  };
  return {
    quoted: true,
    read(text: string, batch: FlowBatch, row: number): string {
      const fields = splitFields(text, ',', true);
      if (fields === undefined) return 'the quotes do not fit';
      if (cells === undefined) {
        readHeader(fields);
        return isNothing;
      }
      if (fields.length !== cells.length) return `${fields.length} fields where the header has ${cells.length}`;
      for (let i = 0; i < cells.length; i++) {
        const cell = cells[i];
        if (cell === undefined) continue;
        if (!storeText(batch, cell, row, fields[i]!, addresses)) return badValue(cell, fields[i]!);
      }
      if (!hasIpVersion) deriveIpVersion(batch, row);
      return isRow;
    },
  };
}

/** Says which value is bad; a long one is shortened. */
export function badValue(cell: Cell, value: unknown): string {
  return `${cell.column.name} cannot be ${String(value).slice(0, 40)}`;
}

const jsonCells: readonly Cell[] = schema.map((column) => {
  return { column, isEssential: jsonAlwaysPresent.has(column.name) };
});

/** Reader of JSON lines with our column names; fields that are left out have their defaults. */
export function createJsonReader(): RecordReader {
  const addresses = new AddressTexts();
  return {
    quoted: false,
    read(text: string, batch: FlowBatch, row: number): string {
      const record = parseObject(text);
      if (record === undefined) return 'no JSON object';
      for (const cell of jsonCells) {
        const value = record[cell.column.name];
        if (!storeValue(batch, cell, row, value, addresses)) return badValue(cell, value);
      }
      return isRow;
    },
  };
}

/** The object that a line of JSON holds, or undefined when it holds none. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
