/**
 * One block of memory that TypeScript and a WebAssembly kernel (`kernels/`) work in together, so that the fast inner
 * loops and the readable code share the same arrays. Everything is allocated once, at the start; the operating system
 * gives pages only where they are used. Without WebAssembly it is a plain block and there is no kernel.
 */
import { assertInvariant, loadKernel, type KernelKind } from '#base';

export type KernelMemoryOptions = {
  readonly kind: KernelKind;
  /** The compiled kernel, beside the code that uses it. */
  readonly module: URL;
  /** Bytes in front that are the kernel's parameters; a multiple of 64. */
  readonly reservedBytes: number;
  /** Of all allocations together, and a little. */
  readonly sizeBytes: number;
};

const pageBytes = 65_536;
/** Allocations begin on a line of the processor's cache. */
const lineBytes = 64;

/** @template Kernel  the functions that the kernel exports */
export class KernelMemory<Kernel> {
  readonly buffer: ArrayBuffer;
  /** Undefined: the readable code does everything. */
  readonly kernel: Kernel | undefined;
  #used: number;

  constructor({ kind, module, reservedBytes, sizeBytes }: KernelMemoryOptions) {
    this.#used = reservedBytes;
    const bytes = reservedBytes + sizeBytes;
    if (kind === 'none') {
      this.buffer = new ArrayBuffer(bytes);
      this.kernel = undefined;
      return;
    }
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
    this.buffer = memory.buffer as ArrayBuffer;
    this.kernel = loadKernel<Kernel>(module, memory);
  }

  /** Room for so many bytes, zeroed. @throws InvariantError  more was asked for than the block was made for */
  allocate(bytes: number): Uint8Array<ArrayBuffer> {
    const at = this.#used;
    this.#used += Math.ceil(bytes / lineBytes) * lineBytes;
    assertInvariant(this.#used <= this.buffer.byteLength, 'a kernel\'s memory is smaller than its parts');
    return new Uint8Array(this.buffer, at, bytes);
  }

  words(count: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.buffer, this.allocate(count * 4).byteOffset, count);
  }

  doubles(count: number): Float64Array<ArrayBuffer> {
    return new Float64Array(this.buffer, this.allocate(count * 8).byteOffset, count);
  }
}
