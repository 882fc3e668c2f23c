/**
 * The output of `natlens score`: a row for each flow, with what is needed to recognise it and two columns for each
 * classifier. CSV, JSON lines, or Parquet one row group at a time.
 */
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { SchemaElement } from 'hyparquet';
import { formatAddress, limits, OperatorError } from '#base';
import type { FlowBatch } from '#flow';
import {
  chooseFormat, openTableSink, openTarget, standardOutput, type OutputTarget, type TableSink, type TableValue,
} from '#flow/files';

export type ScoreColumn = { readonly name: string; readonly type: 'number' | 'whole' | 'text' | 'boolean' };

/** Columns of the flow itself; names as in flow files. */
export const flowColumns: readonly ScoreColumn[] = [
  { name: 'flowStartMilliseconds', type: 'number' }, { name: 'flowEndMilliseconds', type: 'number' },
  { name: 'sourceAddress', type: 'text' }, { name: 'sourceTransportPort', type: 'whole' },
  { name: 'destinationAddress', type: 'text' }, { name: 'destinationTransportPort', type: 'whole' },
  { name: 'protocolIdentifier', type: 'whole' }, { name: 'applicationName', type: 'text' },
  { name: 'device', type: 'text' }, { name: 'device_model', type: 'text' },
];

/** Values of `flowColumns` of a row. */
export function flowValues({ columns, dictionaries }: FlowBatch, row: number): TableValue[] {
  return [
    columns.flowStartMilliseconds[row], columns.flowEndMilliseconds[row],
    formatAddress(columns.sourceAddress, row * 4), columns.sourceTransportPort[row],
    formatAddress(columns.destinationAddress, row * 4), columns.destinationTransportPort[row],
    columns.protocolIdentifier[row], dictionaries.applicationName.decode(columns.applicationName[row] as number),
    dictionaries.device.decode(columns.device[row] as number),
    dictionaries.device_model.decode(columns.device_model[row] as number),
  ];
}

/** Opens the output. @throws OperatorError  the suffix is none of .parquet, .csv and .jsonl; it cannot be written */
export async function openScoreTable(target: string, columns: readonly ScoreColumn[]): Promise<TableSink> {
  const format = chooseFormat(target);
  if (format === 'parquet' && target !== standardOutput) return new ParquetTable(await openTarget(target), columns);
  if (format === 'csv' || format === 'jsonl') return openTableSink(target, columns.map(({ name }) => name));
  throw new OperatorError('output-unknown-kind', `The output ${target} can be .parquet, .csv or .jsonl, or - for CSV.`);
}

/** Rows of plain values as Parquet. */
class ParquetTable implements TableSink {
  rowsWritten = 0;
  readonly #target: OutputTarget;
  readonly #columns: readonly ScoreColumn[];
  readonly #writer = new DrainedWriter();
  readonly #parquet: ParquetWriter;
  #group: TableValue[][] = [];

  constructor(target: OutputTarget, columns: readonly ScoreColumn[]) {
    this.#target = target;
    this.#columns = columns;
    const schema: SchemaElement[] = [{ name: 'scores', num_children: columns.length }, ...columns.map(schemaElement)];
    // This writer was seen to give a column the range of another, which a query engine would believe.
    this.#parquet = new ParquetWriter({ writer: this.#writer, schema, statistics: false, createdBy: 'natlens' });
  }

  get bytesWritten(): number {
    return this.#target.bytesWritten;
  }

  write(values: readonly TableValue[]): void | Promise<void> {
    this.rowsWritten++;
    this.#group.push([...values]);
    return this.#group.length < limits.parquetGroupRows ? undefined : this.#flush();
  }

  async #flush(): Promise<void> {
    const group = this.#group;
    this.#group = [];
    if (group.length > 0) {
      const columnData = this.#columns.map(({ name }, i) => ({ name, data: group.map((row) => row[i]) }));
      await this.#parquet.write({ columnData, rowGroupSize: group.length });
    }
    await this.#drain();
  }

  async #drain(): Promise<void> {
    const bytes = this.#writer.take();
    if (bytes.length > 0) await this.#target.write(bytes);
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#parquet.finish();
    await this.#drain();
    await this.#target.finish();
  }

  abandon(): Promise<void> {
    return this.#target.abandon();
  }
}

/** hyparquet's byte writer, whose bytes are taken after each row group; its `offset` goes on counting. */
class DrainedWriter extends ByteWriter {
  /** What was written since the last call; a copy. */
  take(): Uint8Array {
    const bytes = this.getBytes().slice();
    this.index = 0;
    return bytes;
  }

  // The writer calls both; the bytes stay until they are taken.
  flush(): void {
    return undefined;
  }

  override finish(): void {
    return undefined;
  }
}

function schemaElement({ name, type }: ScoreColumn): SchemaElement {
  const common = { name, repetition_type: 'REQUIRED' } as const;
  switch (type) {
    case 'number': return { ...common, type: 'DOUBLE' };
    case 'whole': return { ...common, type: 'INT32' };
    case 'boolean': return { ...common, type: 'BOOLEAN' };
    case 'text': return { ...common, type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  }
}
