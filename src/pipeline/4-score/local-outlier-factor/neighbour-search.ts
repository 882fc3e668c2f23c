/**
 * The nearest points of a row, exactly. Groups are visited in the order of the distance that their categories alone
 * make, and the points of a group outward from the row along its axis, until nothing nearer can come: most rows look at
 * few points. Rounding cannot hide a neighbour: a sum of what is not negative is never below one of its parts.
 */
import { fillGroupDistances } from '../point-set.ts';
import type { PointSet } from '../point-set.ts';

export class NeighbourSearch {
  /** Of the last search: points found, the nearest first; of equally near ones that which stands first in the set. */
  readonly points: Uint32Array;
  /** Their squared distances. */
  readonly distances: Float64Array;
  /** How many training rows each stands for; together as many neighbours as were asked for, or all that there are. */
  readonly weights: Uint32Array;
  count = 0;
  readonly #set: PointSet;
  /** [point]: training rows that are this point. */
  readonly #rowsOf: Uint32Array;
  readonly #neighbours: number;
  readonly #groupDistances: Float64Array;
  readonly #groupOrder: Uint32Array;
  readonly #levelStart: Uint32Array;
  /** Training rows that the points found stand for, the last one uncut. */
  #total = 0;
  /** Squared distance from which on a point is too far. */
  #reach = Infinity;

  constructor(set: PointSet, rowsOf: Uint32Array, neighbours: number) {
    this.#set = set;
    this.#rowsOf = rowsOf;
    this.#neighbours = neighbours;
    this.points = new Uint32Array(neighbours + 1);
    this.distances = new Float64Array(neighbours + 1);
    this.weights = new Uint32Array(neighbours + 1);
    const groupCount = set.groupStart.length - 1;
    this.#groupDistances = new Float64Array(groupCount);
    this.#groupOrder = new Uint32Array(groupCount);
    // Two rows differ in at most two places of each category.
    this.#levelStart = new Uint32Array(2 * set.layout.categoryCounts.length + 2);
  }

  /** Says which categories the next searches are for. @param codes  [categorical feature] */
  setCodes(codes: Uint16Array): void {
    const distances = this.#groupDistances;
    fillGroupDistances(this.#set, codes, distances);
    const start = this.#levelStart.fill(0);
    for (const distance of distances) start[distance + 1] = (start[distance + 1] as number) + 1;
    for (let level = 1; level < start.length; level++) {
      start[level] = (start[level] as number) + (start[level - 1] as number);
    }
    for (let group = 0; group < distances.length; group++) {
      const level = distances[group] as number;
      this.#groupOrder[start[level] as number] = group;
      start[level] = (start[level] as number) + 1;
    }
  }

  /**
   * Finds the nearest training rows of a row.
   *
   * @param numbers  [numeric feature] of the row, clamped
   * @param self     the point that the row itself is, of whose training rows one does not count; -1 for none
   */
  find(numbers: Float64Array, self: number): void {
    this.count = 0;
    this.#total = 0;
    this.#reach = Infinity;
    for (const group of this.#groupOrder) {
      if ((this.#groupDistances[group] as number) > this.#reach) break;
      this.#searchGroup(group, numbers, self);
    }
    if (this.#total > this.#neighbours) {
      const last = this.count - 1;
      this.weights[last] = (this.weights[last] as number) - (this.#total - this.#neighbours);
    }
  }

  #searchGroup(group: number, numbers: Float64Array, self: number): void {
    const { axis, groupStart, numeric, pointCount, layout: { numericCount } } = this.#set;
    const start = groupStart[group] as number;
    const end = groupStart[group + 1] as number;
    const base = this.#groupDistances[group] as number;
    const column = axis * pointCount;
    const place = numericCount === 0 ? 0 : numbers[axis] as number;
    let up = start;
    for (let high = end; up < high && numericCount > 0;) {
      const middle = (up + high) >>> 1;
      if ((numeric[column + middle] as number) < place) up = middle + 1;
      else high = middle;
    }
    let down = up - 1;
    while (down >= start || up < end) {
      const below = down < start ? Infinity : numericCount === 0 ? 0 : place - (numeric[column + down] as number);
      const above = up >= end ? Infinity : numericCount === 0 ? 0 : (numeric[column + up] as number) - place;
      const gap = below < above ? below : above;
      if (addCategories(gap * gap, base) > this.#reach) return;
      const point = below < above ? down-- : up++;
      const rows = (this.#rowsOf[point] as number) - (point === self ? 1 : 0);
      if (rows === 0) continue;
      let distance = 0;
      for (let feature = 0, at = point; feature < numericCount; feature++, at += pointCount) {
        const difference = (numbers[feature] as number) - (numeric[at] as number);
        distance += difference * difference;
      }
      distance = addCategories(distance, base);
      if (distance <= this.#reach) this.#insert(point, distance, rows);
    }
  }

  #insert(point: number, distance: number, rows: number): void {
    const { points, distances, weights } = this;
    let at = this.count;
    while (at > 0 && ((distances[at - 1] as number) > distance ||
      (distances[at - 1] === distance && (points[at - 1] as number) > point))) at--;
    if (at >= this.#neighbours) return;
    points.copyWithin(at + 1, at, this.count);
    distances.copyWithin(at + 1, at, this.count);
    weights.copyWithin(at + 1, at, this.count);
    points[at] = point;
    distances[at] = distance;
    weights[at] = rows;
    this.count++;
    this.#total += rows;
    while (this.#total - (weights[this.count - 1] as number) >= this.#neighbours) {
      this.count--;
      this.#total -= weights[this.count] as number;
    }
    if (this.#total >= this.#neighbours) this.#reach = distances[this.count - 1] as number;
  }
}

/** Adds the ones of the one-hot form one after the other, behind the numbers: so the sum rounds as it does there. */
function addCategories(distance: number, ones: number): number {
  for (let i = 0; i < ones; i++) distance += 1;
  return distance;
}
