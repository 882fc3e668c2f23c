/**
 * Parquet's structures around the pages (parquet.thrift of the Parquet format): page headers, the description of a row
 * group, and the footer. Field ids stand as numbers, each call in their order, with the field's name beside it.
 */
import { schema, type ColumnDefinition } from '../schema.ts';
import { GrowingBytes, ThriftWriter, thriftType } from './parquet-thrift.ts';

/** Enumerations of parquet.thrift. */
const physicalTypes = { INT32: 1, INT64: 2, DOUBLE: 5, BYTE_ARRAY: 6 } as const;
const convertedTypes = { UTF8: 0, UINT_8: 11, UINT_16: 12, UINT_32: 13 } as const;
const encodings = { plain: 0, rle: 3, rleDictionary: 8 } as const;
const pageTypes = { data: 0, dictionary: 2 } as const;
export const codecs = { none: 0, zstd: 6 } as const;
const required = 0;
const formatVersion = 2;

export const magic = new TextEncoder().encode('PAR1');

/** How a column stands in the file. */
export type ParquetType = {
  readonly physical: keyof typeof physicalTypes;
  readonly converted?: keyof typeof convertedTypes;
};

export function parquetTypeOf(column: ColumnDefinition): ParquetType {
  switch (column.storage) {
    case 'u8': return { physical: 'INT32', converted: 'UINT_8' };
    case 'u16': return { physical: 'INT32', converted: 'UINT_16' };
    case 'u32': return { physical: 'INT32', converted: 'UINT_32' };
    case 'f64': return { physical: column.unit === 'ms' ? 'DOUBLE' : 'INT64' };
    default: return { physical: 'BYTE_ARRAY', converted: 'UTF8' };
  }
}

/** Smallest and largest value of a chunk, as PLAIN would write them. */
export type ChunkRange = { readonly min: Uint8Array; readonly max: Uint8Array };

/** One column of one row group, as it was written. */
export type ChunkPlace = {
  readonly rows: number;
  readonly codec: number;
  /** Offsets in the file. */
  readonly dataPageOffset: number;
  readonly dictionaryPageOffset: number | undefined;
  /** Bytes with page headers, before and after compression. */
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly range: ChunkRange | undefined;
};

/** Bytes of one page before and after compression, without its header. */
type PageSize = { readonly plainBytes: number; readonly storedBytes: number };

/** PageHeader of a dictionary page: its values are PLAIN. */
export function putDictionaryHeader(thrift: ThriftWriter, size: PageSize, entries: number): void {
  putPageStart(thrift, pageTypes.dictionary, size);
  thrift.beginField(7); // dictionary_page_header
  thrift.i32(1, entries); // num_values
  thrift.i32(2, encodings.plain); // encoding
  thrift.end();
  thrift.end();
}

/** PageHeader of a data page, version 1. No column is nullable or repeated: there are no levels before the values. */
export function putDataHeader(thrift: ThriftWriter, size: PageSize, rows: number, hasDictionary: boolean): void {
  putPageStart(thrift, pageTypes.data, size);
  thrift.beginField(5); // data_page_header
  thrift.i32(1, rows); // num_values
  thrift.i32(2, hasDictionary ? encodings.rleDictionary : encodings.plain); // encoding
  thrift.i32(3, encodings.rle); // definition_level_encoding
  thrift.i32(4, encodings.rle); // repetition_level_encoding
  thrift.end();
  thrift.end();
}

function putPageStart(thrift: ThriftWriter, type: number, size: PageSize): void {
  thrift.begin();
  thrift.i32(1, type); // type
  thrift.i32(2, size.plainBytes); // uncompressed_page_size
  thrift.i32(3, size.storedBytes); // compressed_page_size
}

/**
 * RowGroup.
 *
 * @param chunks  of every column, in the order of `schema`
 */
export function putRowGroup(thrift: ThriftWriter, rows: number, chunks: readonly ChunkPlace[]): void {
  const first = chunks[0]!;
  thrift.begin();
  thrift.list(1, thriftType.struct, chunks.length); // columns
  for (const [i, chunk] of chunks.entries()) putChunk(thrift, schema[i]!, chunk);
  thrift.i64(2, chunks.reduce((sum, chunk) => sum + chunk.plainBytes, 0)); // total_byte_size
  thrift.i64(3, rows); // num_rows
  thrift.i64(5, first.dictionaryPageOffset ?? first.dataPageOffset); // file_offset
  thrift.i64(6, chunks.reduce((sum, chunk) => sum + chunk.storedBytes, 0)); // total_compressed_size
  thrift.end();
}

/** ColumnChunk with its ColumnMetaData. */
function putChunk(thrift: ThriftWriter, column: ColumnDefinition, chunk: ChunkPlace): void {
  const hasDictionary = chunk.dictionaryPageOffset !== undefined;
  const used = hasDictionary ? [encodings.plain, encodings.rle, encodings.rleDictionary] : [encodings.plain];
  thrift.begin();
  // Where ColumnMetaData stands outside of the footer: nowhere. Readers of old take the chunk's beginning for it.
  thrift.i64(2, chunk.dictionaryPageOffset ?? chunk.dataPageOffset); // file_offset
  thrift.beginField(3); // meta_data
  thrift.i32(1, physicalTypes[parquetTypeOf(column).physical]); // type
  thrift.list(2, thriftType.i32, used.length); // encodings
  for (const encoding of used) thrift.number(encoding);
  thrift.list(3, thriftType.binary, 1); // path_in_schema
  thrift.bytes(nameBytes(column.name));
  thrift.i32(4, chunk.codec); // codec
  thrift.i64(5, chunk.rows); // num_values
  thrift.i64(6, chunk.plainBytes); // total_uncompressed_size
  thrift.i64(7, chunk.storedBytes); // total_compressed_size
  thrift.i64(9, chunk.dataPageOffset); // data_page_offset
  if (chunk.dictionaryPageOffset !== undefined) thrift.i64(11, chunk.dictionaryPageOffset); // dictionary_page_offset
  if (chunk.range !== undefined) putStatistics(thrift, chunk.range);
  thrift.list(13, thriftType.struct, hasDictionary ? 2 : 1); // encoding_stats
  if (hasDictionary) putEncodingStats(thrift, pageTypes.dictionary, encodings.plain);
  putEncodingStats(thrift, pageTypes.data, hasDictionary ? encodings.rleDictionary : encodings.plain);
  thrift.end();
  thrift.end();
}

const namesAsBytes = new Map<string, Uint8Array>();

function nameBytes(name: string): Uint8Array {
  const known = namesAsBytes.get(name);
  if (known !== undefined) return known;
  const bytes = new TextEncoder().encode(name);
  namesAsBytes.set(name, bytes);
  return bytes;
}

function putStatistics(thrift: ThriftWriter, range: ChunkRange): void {
  thrift.beginField(12); // statistics
  thrift.i64(3, 0); // null_count
  thrift.binary(5, range.max); // max_value
  thrift.binary(6, range.min); // min_value
  thrift.end();
}

/** PageEncodingStats of the one page of a type. */
function putEncodingStats(thrift: ThriftWriter, pageType: number, encoding: number): void {
  thrift.begin();
  thrift.i32(1, pageType); // page_type
  thrift.i32(2, encoding); // encoding
  thrift.i32(3, 1); // count
  thrift.end();
}

export type FooterContent = {
  readonly rows: number;
  readonly groups: number;
  /** That many RowGroup structs, one after the other. */
  readonly groupBytes: Uint8Array;
  readonly metadata: readonly { readonly key: string; readonly value: string }[];
  readonly createdBy: string;
};

/** FileMetaData, its length, and the magic bytes: what stands behind the last page. */
export function buildFooter(content: FooterContent): Uint8Array {
  const out = new GrowingBytes(content.groupBytes.length + (1 << 13));
  const thrift = new ThriftWriter(out);
  thrift.begin();
  thrift.i32(1, formatVersion); // version
  putSchema(thrift);
  thrift.i64(3, content.rows); // num_rows
  thrift.list(4, thriftType.struct, content.groups); // row_groups
  out.append(content.groupBytes);
  thrift.list(5, thriftType.struct, content.metadata.length); // key_value_metadata
  for (const { key, value } of content.metadata) {
    thrift.begin();
    thrift.text(1, key);
    thrift.text(2, value);
    thrift.end();
  }
  thrift.text(6, content.createdBy); // created_by
  // What makes min_value and max_value mean something: each column has the order that its type defines.
  thrift.list(7, thriftType.struct, schema.length); // column_orders
  for (let i = 0; i < schema.length; i++) {
    thrift.begin();
    thrift.beginField(1); // TYPE_ORDER
    thrift.end();
    thrift.end();
  }
  thrift.end();
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, out.at, true);
  out.append(length);
  out.append(magic);
  return out.written();
}

/** What every footer of ours begins with: the field `version`. */
export const footerHead = Uint8Array.of((1 << 4) | thriftType.i32, formatVersion * 2);
/** Bytes behind the footer: its length, and the magic bytes. */
export const footerTailBytes = 4 + magic.length;

/**
 * Where the footer begins.
 *
 * @param tail       the last `footerTailBytes` of a file
 * @param fileBytes  its size
 * @returns          undefined when the file does not end in a footer
 */
export function findFooter(tail: Uint8Array, fileBytes: number): number | undefined {
  if (!magic.every((byte, i) => tail[4 + i] === byte)) return undefined;
  const begin = fileBytes - footerTailBytes - new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  return begin >= magic.length ? begin : undefined;
}

function putSchema(thrift: ThriftWriter): void {
  thrift.list(2, thriftType.struct, schema.length + 1); // schema
  thrift.begin();
  thrift.text(4, 'flows'); // name
  thrift.i32(5, schema.length); // num_children
  thrift.end();
  for (const column of schema) {
    const { physical, converted } = parquetTypeOf(column);
    thrift.begin();
    thrift.i32(1, physicalTypes[physical]); // type
    thrift.i32(3, required); // repetition_type
    thrift.text(4, column.name); // name
    if (converted !== undefined) thrift.i32(6, convertedTypes[converted]); // converted_type
    thrift.end();
  }
}
