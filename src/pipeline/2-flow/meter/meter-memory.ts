/**
 * The one block of memory that a meter works in: packets being read, their headers, the open flows. WebAssembly sees
 * the same block, so the fast inner loops (`kernels/meter/`) and the readable code here work on the same records.
 * Everything is allocated once; the operating system gives pages only where they are used.
 */
import { readFileSync } from 'node:fs';
import { assertInvariant } from '#base';

/**
 * Who runs the inner loops: WebAssembly, or the readable code alone (for comparison, and where WebAssembly is not to be
 * had).
 */
export type KernelKind = 'wasm' | 'none';

/** Words of the parameter block; their meaning is fixed in `kernels/meter/meter-kernel.ts`. */
export const parameter = {
  slab: 0, data: 1, networkOffset: 2, networkBytes: 3, ipVersion: 4, timeMicroseconds: 5, linkOffset: 6,
    interfaceIndex: 7, vlanId: 8,
  slots: 9, ready: 10, records: 11, filled: 12, nextSlot: 13, heads: 14, headMask: 15, openList: 16,
  rowBase: 17,
} as const;
/** Doubles behind the parameters. */
export const stateNextExpiry = 0;
export const stateIdle = 1;
export const stateListing = 2;
export const stateOctets = 3;

const parametersAt = 64;
const stateAt = 192;
const firstFreeByte = 1024;
const pageBytes = 65_536;

/** The loops of `kernels/meter/meter-kernel.ts`. */
export type MeterKernel = {
  readonly readHeaders: (first: number, end: number, filled: number) => number;
  readonly countPackets: (first: number, end: number) => number;
};

export class MeterMemory {
  readonly buffer: ArrayBuffer;
  readonly parameters: Uint32Array;
  readonly state: Float64Array;
  /** Undefined: the readable code does everything. */
  readonly kernel: MeterKernel | undefined;
  #used = firstFreeByte;

  /** @param sizeBytes  of all allocations together, and a little */
  constructor(kind: KernelKind, sizeBytes: number) {
    const bytes = firstFreeByte + sizeBytes;
    if (kind === 'wasm') {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
      this.buffer = memory.buffer as ArrayBuffer;
      const instance = new WebAssembly.Instance(loadModule(), { env: { memory } });
      this.kernel = instance.exports as unknown as MeterKernel;
    } else {
      this.buffer = new ArrayBuffer(bytes);
      this.kernel = undefined;
    }
    this.parameters = new Uint32Array(this.buffer, parametersAt, 32);
    this.state = new Float64Array(this.buffer, stateAt, 8);
  }

  /** Room for so many bytes, zeroed. @throws InvariantError  more was asked for than the block was made for */
  allocate(bytes: number): Uint8Array<ArrayBuffer> {
    const at = this.#used;
    this.#used += (bytes + 63) & ~63;
    assertInvariant(this.#used <= this.buffer.byteLength, 'the memory of the meter is smaller than its parts');
    return new Uint8Array(this.buffer, at, bytes);
  }

  words(count: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.buffer, this.allocate(count * 4).byteOffset, count);
  }

  doubles(count: number): Float64Array<ArrayBuffer> {
    return new Float64Array(this.buffer, this.allocate(count * 8).byteOffset, count);
  }
}

let compiled: WebAssembly.Module | undefined;

function loadModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('meter-kernel.wasm', import.meta.url)));
  return compiled;
}
