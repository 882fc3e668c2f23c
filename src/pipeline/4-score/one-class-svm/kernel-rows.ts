/**
 * Rows of the kernel matrix of a set of points, in single precision as LIBSVM keeps them, made when asked for. Those
 * used last are kept, in as many bytes as there may be; the memory of the one unused for longest is used again.
 */
import { fillDistances, fillGroupDistances } from '../point-set.ts';
import type { PointSet } from '../point-set.ts';
import { fillKernel } from './rbf-kernel.ts';

/** A working pair needs two rows at once. */
const rowsMin = 2;

export class KernelRows {
  readonly #points: PointSet;
  readonly #gamma: number;
  readonly #rowsMax: number;
  /** In the order of their last use. */
  readonly #kept = new Map<number, Float32Array>();
  readonly #groupOf: Uint32Array;
  readonly #groupDistances: Float64Array;
  readonly #distances: Float64Array;
  readonly #numbers: Float64Array;
  #group = -1;

  constructor(points: PointSet, gamma: number, bytesMax: number) {
    this.#points = points;
    this.#gamma = gamma;
    this.#rowsMax = Math.max(rowsMin, Math.floor(bytesMax / (points.pointCount * Float32Array.BYTES_PER_ELEMENT)));
    this.#groupOf = new Uint32Array(points.pointCount);
    const groupCount = points.groupStart.length - 1;
    for (let group = 0; group < groupCount; group++) {
      this.#groupOf.fill(group, points.groupStart[group], points.groupStart[group + 1]);
    }
    this.#groupDistances = new Float64Array(groupCount);
    this.#distances = new Float64Array(points.pointCount);
    this.#numbers = new Float64Array(points.layout.numericCount);
  }

  /** Kernel values of one point with every point; read only, valid until the next but one row is asked for. */
  row(point: number): Float32Array {
    const known = this.#kept.get(point);
    if (known !== undefined) {
      this.#kept.delete(point);
      this.#kept.set(point, known);
      return known;
    }
    const row = this.#takeMemory();
    this.#fill(point, row);
    this.#kept.set(point, row);
    return row;
  }

  #takeMemory(): Float32Array {
    if (this.#kept.size < this.#rowsMax) return new Float32Array(this.#points.pointCount);
    const [oldest, memory] = this.#kept.entries().next().value as [number, Float32Array];
    this.#kept.delete(oldest);
    return memory;
  }

  #fill(point: number, row: Float32Array): void {
    const { layout: { categoryCounts }, pointCount, groupCodes, numeric } = this.#points;
    const group = this.#groupOf[point] as number;
    if (group !== this.#group) {
      const codeCount = categoryCounts.length;
      const codes = groupCodes.subarray(group * codeCount, (group + 1) * codeCount);
      fillGroupDistances(this.#points, codes, this.#groupDistances);
      this.#group = group;
    }
    for (let feature = 0; feature < this.#numbers.length; feature++) {
      this.#numbers[feature] = numeric[feature * pointCount + point] as number;
    }
    fillDistances(this.#points, this.#groupDistances, this.#numbers, this.#distances);
    fillKernel(this.#distances, pointCount, this.#gamma, row);
  }
}
