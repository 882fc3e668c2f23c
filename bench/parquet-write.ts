/**
 * Writes the same flow records over and over as one Parquet file and measures the writing alone. Arguments: `ours`,
 * `ours-zstd` or `hyparquet-writer`; `random` or `home`; the file; rows. Prints JSON: rows, CPU seconds, bytes.
 */
import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { DecodedArray, SchemaElement } from 'hyparquet';
import { cpuSeconds, formatAddress, formatMac, Random } from '#base';
import { copyRows, createFlowBatch, elementsPerRow, ExportDecoder, schema, type FlowBatch } from '#flow';
import { openFlowSink } from '#flow/files';
import { makeDatagrams } from './make-datagrams.ts';

const groupRows = 32_768;
const info = { origin: 'bench', l7Source: 'exporter', l7Version: '', activeTimeoutMs: 0, idleTimeoutMs: 0 } as const;

const [writer, content, path, rowsText] = process.argv.slice(2) as [string, string, string, string];
const batches = decode(path);
const random = new Random(5);
if (content === 'home') for (const batch of batches) settle(batch);
const rowsOfBatches = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
const write = writer === 'hyparquet-writer' ? writeTheirs : writeOurs;
// Compiled code and a warm disk cache for both: what is measured is a collector that runs for days.
await write(rowsOfBatches * 2);
rmSync(path);
const beginSeconds = cpuSeconds();
const rows = await write(Number(rowsText));
process.stdout.write(JSON.stringify({ rows, seconds: cpuSeconds() - beginSeconds, bytes: statSync(path).size }));

/** Records of the decoding benchmark's datagrams, as many as eight row groups, in batches as a decoder fills them. */
function decode(file: string): FlowBatch[] {
  makeDatagrams(file, Math.ceil(groupRows * 8 / 38));
  const bytes = readFileSync(file);
  rmSync(file);
  const filled: FlowBatch[] = [];
  const decoder = new ExportDecoder({ duplicateMemoryBytes: 0 }, (batch) => {
    const copy = createFlowBatch(batch.rowCount, batch.dictionaries);
    copyRows(batch, 0, batch.rowCount, copy);
    filled.push(copy);
  });
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    decoder.decode({ bytes: bytes.subarray(at + 4, at + 4 + length), exporter: [0, 0, 0xffff, 1], receivedMs: 0 });
    at += 4 + length;
  }
  decoder.end();
  return filled;
}

/**
 * Puts what an access router sees in the place of random bytes: 4,000 homes, servers of which few are much visited,
 * a port of the home's own choice and one of a known service, counters with many small values.
 */
function settle({ columns, rowCount }: FlowBatch): void {
  const services = [[6, 443], [17, 443], [17, 53], [6, 80], [17, 123], [6, 8883], [6, 22]] as const;
  for (let row = 0; row < rowCount; row++) {
    const [protocol, port] = services[Math.floor(random.uniform() ** 2 * services.length)]!;
    const server = 1 + Math.floor(random.uniform() ** 4 * 40_000);
    const packets = 1 + Math.floor(random.uniform() ** 6 * 5_000);
    columns.sourceAddress[row * 4 + 3] = 0x0a000000 + random.integer(1, 4_000);
    columns.destinationAddress[row * 4 + 3] = Math.imul(server, 0x9e3779b1) >>> 0;
    columns.sourceTransportPort[row] = random.integer(32_768, 60_999);
    columns.destinationTransportPort[row] = port;
    columns.protocolIdentifier[row] = protocol;
    columns.ipClassOfService[row] = random.chance(0.05) ? 0xb8 : 0;
    columns.tcpControlBits[row] = protocol === 6 ? random.pick([0x1b, 0x1b, 0x1b, 0x02, 0x1f]) : 0;
    columns.initiatorPackets[row] = packets;
    columns.initiatorOctets[row] = packets * random.integer(40, 1_500);
    columns.ingressInterface[row] = random.integer(1, 8);
    columns.egressInterface[row] = 9;
  }
}

async function writeOurs(rowsWanted: number): Promise<number> {
  const sink = await openFlowSink(path, { format: 'parquet', compression: writer === 'ours-zstd' ? 'zstd' : 'none' });
  let written = 0;
  for (let i = 0; written < rowsWanted; i = (i + 1) % batches.length) {
    await sink.write(batches[i]!);
    written += batches[i]!.rowCount;
  }
  await sink.end(info);
  return written;
}

/** The same columns, types, ranges and row groups through hyparquet-writer: what our sink was before it had pages. */
function writeTheirs(rowsWanted: number): number {
  const file = openSync(path, 'w');
  class FileWriter extends ByteWriter {
    flush(): void {
      writeSync(file, this.getBytes());
      this.index = 0;
    }
    override finish(): void {
      this.flush();
    }
  }
  const columns: SchemaElement[] = [{ name: 'flows', num_children: schema.length }, ...schema.map(elementOf)];
  const parquet = new ParquetWriter({ writer: new FileWriter(1 << 20), schema: columns, createdBy: 'bench' });
  const group = createFlowBatch(groupRows, batches[0]!.dictionaries);
  let written = 0;
  for (let i = 0; written < rowsWanted; i = (i + 1) % batches.length) {
    const batch = batches[i]!;
    if (group.rowCount + batch.rowCount > groupRows) flush(parquet, group);
    copyRows(batch, 0, batch.rowCount, group);
    written += batch.rowCount;
  }
  flush(parquet, group);
  void parquet.finish();
  closeSync(file);
  return written;
}

function flush(parquet: ParquetWriter, group: FlowBatch): void {
  const columnData = schema.map((column) => ({
    name: column.name,
    statistics: column.storage === 'f64' || column.storage === 'u16',
    get data() { return valuesOf(group, column); },
  }));
  void parquet.write({ columnData, rowGroupSize: group.rowCount });
  group.rowCount = 0;
}

function elementOf(column: (typeof schema)[number]): SchemaElement {
  const common = { name: column.name, repetition_type: 'REQUIRED' } as const;
  switch (column.storage) {
    case 'u8': return { ...common, type: 'INT32', converted_type: 'UINT_8' };
    case 'u16': return { ...common, type: 'INT32', converted_type: 'UINT_16' };
    case 'u32': return { ...common, type: 'INT32', converted_type: 'UINT_32' };
    case 'f64': return { ...common, type: column.unit === 'ms' ? 'DOUBLE' : 'INT64' };
    default: return { ...common, type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  }
}

function valuesOf(group: FlowBatch, column: (typeof schema)[number]): DecodedArray {
  const count = group.rowCount;
  const array = group.columns[column.name];
  const texts = (text: (row: number) => string): string[] => Array.from({ length: count }, (_, row) => text(row));
  if (column.storage === 'address') {
    const isZero = (at: number): boolean => (array[at]! | array[at + 1]! | array[at + 2]! | array[at + 3]!) === 0;
    return texts((row) => (isZero(row * 4) ? '' : formatAddress(array as Uint32Array, row * 4)));
  }
  if (column.storage === 'mac') {
    const isZero = (at: number): boolean => (array[at]! | array[at + 1]!) === 0;
    return texts((row) => (isZero(row * 2) ? '' : formatMac(array as Uint32Array, row * 2)));
  }
  if (column.storage === 'dictionary') return texts((row) => group.dictionaries[column.name].decode(array[row]!));
  const values = array.subarray(0, count * elementsPerRow(column.storage));
  // A Uint32Array is refused above 2^31 - 1 ("expected int32 value"), an array is not.
  if (column.storage === 'u32') return Array.from(values);
  return column.storage === 'f64' && column.unit !== 'ms'
    ? BigInt64Array.from(values, (value) => BigInt(value)) : values as DecodedArray;
}
