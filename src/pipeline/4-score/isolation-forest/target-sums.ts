/**
 * The impurity that scikit-learn 1.2.1 computes while it grows an isolation tree. Its trees are regression trees on
 * random targets; where two rows' targets nearly coincide (one forest in some thousand), a node counts as pure and
 * stays whole, or a split as useless. To grow the same trees, the same sums are taken in the same order.
 */

export class TargetSums {
  readonly #targets: Float64Array;
  readonly #sampleCount: number;
  /** [sample]: targets of the tree's rows. */
  readonly #own: Float64Array;
  #sum = 0;
  #squares = 0;
  leftImpurity = 0;
  rightImpurity = 0;

  /** @param targets  [row]; read only */
  constructor(targets: Float64Array, sampleCount: number) {
    this.#targets = targets;
    this.#sampleCount = sampleCount;
    this.#own = new Float64Array(sampleCount);
  }

  /** @param sample  rows of the next tree */
  gather(sample: Uint32Array): void {
    for (let i = 0; i < this.#sampleCount; i++) this.#own[i] = this.#targets[sample[i] as number] as number;
  }

  /** Variance over all rows of the tree. @param places  in the order in which a tree begins */
  rootImpurity(places: Uint16Array): number {
    this.open(places, 0, this.#sampleCount);
    return impurityOf(this.#squares, this.#sum, this.#sampleCount);
  }

  /** Sums of a node, taken before its rows are put in order. */
  open(places: Uint16Array, start: number, end: number): void {
    const own = this.#own;
    let sum = 0;
    let squares = 0;
    for (let i = start; i < end; i++) {
      const target = own[places[i] as number] as number;
      sum += target;
      squares += target * target;
    }
    this.#sum = sum;
    this.#squares = squares;
  }

  /**
   * Impurities of the children, taken after the rows were put in order.
   *
   * @param middle    where the right child begins
   * @param impurity  of the node
   * @returns false when the split is to be undone: it improves nothing
   */
  close(places: Uint16Array, start: number, middle: number, end: number, impurity: number): boolean {
    const own = this.#own;
    const count = end - start;
    const leftCount = middle - start;
    const rightCount = end - middle;
    let leftSquares = 0;
    for (let i = start; i < middle; i++) {
      const target = own[places[i] as number] as number;
      leftSquares += target * target;
    }
    // The shorter side is summed, the other one is what remains.
    let leftSum = 0;
    if (leftCount <= rightCount) {
      for (let i = start; i < middle; i++) leftSum += own[places[i] as number] as number;
    } else {
      leftSum = this.#sum;
      for (let i = end - 1; i >= middle; i--) leftSum -= own[places[i] as number] as number;
    }
    this.leftImpurity = impurityOf(leftSquares, leftSum, leftCount);
    this.rightImpurity = impurityOf(this.#squares - leftSquares, this.#sum - leftSum, rightCount);
    const improvement = (count / this.#sampleCount) *
      (impurity - (rightCount / count * this.rightImpurity) - (leftCount / count * this.leftImpurity));
    return improvement + Number.EPSILON >= 0;
  }
}

function impurityOf(squares: number, sum: number, count: number): number {
  const mean = sum / count;
  return squares / count - mean * mean;
}
