/**
 * Writes Protocol Buffers messages (protobuf.dev, "Encoding"): as much of the wire format as a model in ONNX needs.
 * Numbers are varints or 4-byte floats, everything else has a length before it.
 */

const wireVarint = 0;
const wireBytes = 2;

export class ProtobufWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;
  readonly #encoder = new TextEncoder();

  /** The message so far. */
  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  #put(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }

  #tag(field: number, wireType: number): void {
    this.#put(encodeVarint(field * 8 + wireType));
  }

  /** @param value  a whole number, not negative */
  uint(field: number, value: number): this {
    this.#tag(field, wireVarint);
    this.#put(encodeVarint(value));
    return this;
  }

  text(field: number, value: string): this {
    return this.raw(field, this.#encoder.encode(value));
  }

  raw(field: number, value: Uint8Array): this {
    this.#tag(field, wireBytes);
    this.#put(encodeVarint(value.length));
    this.#put(value);
    return this;
  }

  message(field: number, write: (message: ProtobufWriter) => void): this {
    const message = new ProtobufWriter();
    write(message);
    return this.raw(field, message.bytes());
  }

  /** A packed list of whole numbers, none negative. */
  uints(field: number, values: readonly number[]): this {
    const message = new ProtobufWriter();
    for (const value of values) message.#put(encodeVarint(value));
    return this.raw(field, message.bytes());
  }

  /** A packed list of float32, little-endian. */
  floats(field: number, values: readonly number[]): this {
    const bytes = new Uint8Array(values.length * 4);
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true);
    return this.raw(field, bytes);
  }
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
