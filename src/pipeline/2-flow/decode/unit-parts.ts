/**
 * Where the units are that an exporter sent: totals of one way of numbering. Whoever books keeps them equal: what is
 * added to `sent` is added to one other part, and units only move between parts after that.
 */
import type { ExportProblemCode } from './export-types.ts';

/** Why a message that came was not decoded: bad bytes, or the collector did not let it in. */
export type UnitFate = ExportProblemCode | 'limited';

export class UnitParts {
  sent = 0;
  decoded = 0;
  waiting = 0;
  lostInKernel = 0;
  lostOnTheWay = 0;
  lostWhileStopped = 0;
  /** Holes that nothing has filled. */
  gaps = 0;
  readonly byFate = new Map<UnitFate, number>();

  /** Books units under a fate; a negative number takes them off again. */
  addFate(fate: UnitFate, units: number): void {
    this.byFate.set(fate, (this.byFate.get(fate) ?? 0) + units);
  }

  /** Units of holes that nothing has filled. */
  get lost(): number {
    return this.lostInKernel + this.lostOnTheWay + this.lostWhileStopped;
  }

  /** All parts together; always `sent`. */
  get sum(): number {
    let sum = this.decoded + this.waiting + this.lost;
    for (const units of this.byFate.values()) sum += units;
    return sum;
  }
}
