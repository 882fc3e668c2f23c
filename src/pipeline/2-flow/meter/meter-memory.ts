/**
 * The block of memory that a meter works in: packets being read, their headers, the open flows; and what the kernel
 * (`kernels/meter/`) is told in front of it.
 */
import type { KernelKind } from '#base';
import { KernelMemory } from '../kernel-memory.ts';

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

/** The loops of `kernels/meter/meter-kernel.ts`. */
export type MeterKernel = {
  readonly readHeaders: (first: number, end: number, filled: number) => number;
  readonly countPackets: (first: number, end: number) => number;
};

export class MeterMemory extends KernelMemory<MeterKernel> {
  readonly parameters: Uint32Array;
  readonly state: Float64Array;

  /** @param sizeBytes  of all allocations together, and a little */
  constructor(kind: KernelKind, sizeBytes: number) {
    super({ kind, module: new URL('meter-kernel.wasm', import.meta.url), reservedBytes: firstFreeByte, sizeBytes });
    this.parameters = new Uint32Array(this.buffer, parametersAt, 32);
    this.state = new Float64Array(this.buffer, stateAt, 8);
  }
}
