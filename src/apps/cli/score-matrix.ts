/**
 * The encoded one-hot matrix of a classifier, for comparison outside: CSV with named columns, or npy (NumPy's format
 * 1.0, float32, C order).
 */
import { limits, OperatorError } from '#base';
import { expandOneHot, findCatalog, oneHotColumnCount, type EncodedRows, type FittedEncoder } from '#feature';
import { openTableSink } from '#flow/files';
import { writeWholeFile } from './classifier-files.ts';

/** Collects rows of one encoder and writes them at the end. */
export class MatrixOutput {
  readonly #path: string;
  readonly #encoder: FittedEncoder;
  readonly #bytesMax: number;
  readonly #pieces: Float32Array[] = [];
  #bytes = 0;

  /** @throws OperatorError  the suffix is neither .npy nor .csv */
  constructor(path: string, encoder: FittedEncoder, bytesMax: number = limits.matrixBytesMax) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#encoder = encoder;
    if (!/\.(?:npy|csv)$/i.test(path)) {
      throw new OperatorError('output-unknown-kind', `The matrix ${path} can be .npy or .csv.`);
    }
  }

  /** Takes rows; they may be reused. @throws OperatorError  the matrix becomes too large */
  add(rows: EncodedRows): void {
    const values = rows.rowCount * oneHotColumnCount(rows.layout);
    this.#bytes += values * 4;
    if (this.#bytes > this.#bytesMax) {
      throw new OperatorError('bad-option',
        `The matrix has more than ${this.#bytesMax} bytes: name fewer flows.`);
    }
    const piece = new Float32Array(values);
    expandOneHot(rows, piece);
    this.#pieces.push(piece);
  }

  /** Writes the file. @throws OperatorError, EnvironmentError */
  async end(): Promise<void> {
    const columns = nameColumns(this.#encoder);
    const rowCount = this.#bytes / 4 / Math.max(1, columns.length);
    if (/\.npy$/i.test(this.#path)) {
      await writeWholeFile(this.#path, formatNpy(this.#pieces, rowCount, columns.length));
      return;
    }
    const sink = await openTableSink(this.#path, columns);
    for (const piece of this.#pieces) {
      for (let at = 0; at < piece.length; at += columns.length) {
        const busy = sink.write([...piece.subarray(at, at + columns.length)]);
        if (busy !== undefined) await busy;
      }
    }
    await sink.end();
  }
}

/** Names of the columns of the one-hot form: a feature, or `feature=category`. */
export function nameColumns(encoder: FittedEncoder): string[] {
  const catalog = findCatalog(encoder.catalog, encoder.catalogVersion);
  return [
    ...encoder.numeric.map((_, i) => catalog?.numeric[i]?.name ?? `numeric ${i}`),
    ...encoder.categories.flatMap((categories, i) =>
      categories.map((category) => `${catalog?.categorical[i]?.name ?? `categorical ${i}`}=${category}`)),
  ];
}

/** An array in NumPy's file format, version 1.0: magic, length of the header, header as a Python literal, values. */
function formatNpy(pieces: readonly Float32Array[], rowCount: number, columnCount: number): Uint8Array {
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rowCount}, ${columnCount}), }`;
  const headerBytes = Math.ceil((10 + literal.length + 1) / 64) * 64;
  const header = `${literal.padEnd(headerBytes - 11)}\n`;
  const bytes = new Uint8Array(headerBytes + rowCount * columnCount * 4);
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, header.length & 255, header.length >>> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  const values = new Float32Array(bytes.buffer, headerBytes, rowCount * columnCount);
  let at = 0;
  for (const piece of pieces) {
    values.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
