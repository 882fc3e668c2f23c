/** A trace as the bytes of a Parquet file, and back: one column each, none nullable, codes and rows as INT32. */
import { zstdCompressSync } from 'node:zlib';
import { parquetMetadata, parquetScan } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { limits } from '#base';
import type { DeviceTrace } from '../baseline/device-trace.ts';

/** Columns in their order. A packet without a flow has -1 for it. */
const columns = {
  timeMs: 'timeMilliseconds', ipId: 'fragmentIdentification', destination: 'destination', name: 'name', flow: 'flow',
} as const satisfies Record<keyof DeviceTrace, string>;

/** @param trace  at least one packet */
export function formatTrace(trace: DeviceTrace, groupRows: number = limits.parquetGroupRows): Uint8Array {
  const { timeMs, ipId, destination, name, flow } = trace;
  const whole = Object.entries({ ipId, destination, name, flow }) as [keyof typeof columns, Uint32Array][];
  return new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: columns.timeMs, data: timeMs, type: 'DOUBLE', nullable: false },
      ...whole.map(([key, values]) =>
        ({ name: columns[key], data: Int32Array.from(values), type: 'INT32', nullable: false } as const)),
    ],
    codec: 'ZSTD', compressors: { ZSTD: (bytes) => new Uint8Array(zstdCompressSync(bytes)) }, rowGroupSize: groupRows,
    // Without ranges of columns: in one of a few builds the writer (0.17, on Node 24.21) gave a column that of the
    // column behind it. Then bytes differ from run to run, and a query engine would believe the range. Nobody asks for
    // it here.
    statistics: false, createdBy: 'natlens',
  }));
}

/** @throws Error  the bytes are no trace */
export async function parseTrace(bytes: Uint8Array): Promise<DeviceTrace> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const metadata = parquetMetadata(file);
  const packets = Number(metadata.num_rows);
  const trace: DeviceTrace = createTrace(packets);
  for (const [key, column] of Object.entries(columns) as [keyof DeviceTrace, string][]) {
    const scan = await parquetScan({ file, metadata, columns: [column], compressors });
    let at = 0;
    // A scan reads a column of one row group.
    for (const group of metadata.row_groups) {
      const end = at + Number(group.num_rows);
      const values = await scan.readColumn({ column, rowStart: at, rowEnd: end }) as ArrayLike<number>;
      if (values.length !== end - at) throw new Error(`${column} has ${values.length} of ${end - at} values`);
      trace[key].set(values, at);
      at = end;
    }
  }
  return trace;
}

/** A trace of zeros. */
export function createTrace(packets: number): DeviceTrace {
  return {
    timeMs: new Float64Array(packets), ipId: new Uint16Array(packets), destination: new Uint32Array(packets),
    name: new Uint32Array(packets), flow: new Uint32Array(packets),
  };
}
