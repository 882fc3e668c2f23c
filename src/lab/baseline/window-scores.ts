/** Scores of windows that methods share: the sum over distinct tokens, the number of flows, the highest token. */
import type { WindowScore } from '../homes/home-windows.ts';

/** Sum of the weights of distinct tokens. Exact in any order where weights are multiples of a power of two. */
export function createWeightSum(weights: readonly number[]): WindowScore {
  const counts = new Uint32Array(weights.length);
  let sum = 0;
  return {
    clear: () => {
      counts.fill(0);
      sum = 0;
    },
    add: (token) => {
      if (counts[token] === 0) sum += weights[token] as number;
      counts[token] = (counts[token] as number) + 1;
    },
    remove: (token) => {
      counts[token] = (counts[token] as number) - 1;
      if (counts[token] === 0) sum -= weights[token] as number;
    },
    read: () => sum,
  };
}

/** Number of flows, whatever they show. */
export function createFlowCount(): WindowScore {
  let count = 0;
  return {
    clear: () => {
      count = 0;
    },
    add: () => {
      count++;
    },
    remove: () => {
      count--;
    },
    read: () => count,
  };
}

/** The highest token plus 1. */
export function createHighest(tokenCount: number): WindowScore {
  const counts = new Uint32Array(tokenCount);
  let highest = 0;
  return {
    clear: () => {
      counts.fill(0);
      highest = 0;
    },
    add: (token) => {
      counts[token] = (counts[token] as number) + 1;
      highest = Math.max(highest, token + 1);
    },
    remove: (token) => {
      counts[token] = (counts[token] as number) - 1;
      while (highest > 0 && counts[highest - 1] === 0) highest--;
    },
    read: () => highest,
  };
}

export type CosineOptions = {
  /** [token]; of length 1. */
  readonly profile: Float64Array;
  /** [token] */
  readonly idf: Float64Array;
  /** What a term is worth that came so often, at least once; times its `idf`. */
  readonly weighCount: (count: number) => number;
};

/**
 * Cosine between a window's terms and a profile. Terms outside of the profile are other devices' and are left out:
 * every home has others.
 */
export function createCosine({ profile, idf, weighCount }: CosineOptions): WindowScore {
  const counts = new Uint32Array(profile.length);
  const shown = new Set<number>();
  return {
    clear: () => {
      counts.fill(0);
      shown.clear();
    },
    add: (token) => {
      counts[token] = (counts[token] as number) + 1;
      shown.add(token);
    },
    remove: (token) => {
      counts[token] = (counts[token] as number) - 1;
      if (counts[token] === 0) shown.delete(token);
    },
    read: () => {
      // Terms that came and went leave no trace of rounding: the sums are of what is there.
      let [product, square] = [0, 0];
      for (const token of shown) {
        const term = weighCount(counts[token] as number) * (idf[token] as number);
        product += term * (profile[token] as number);
        square += term * term;
      }
      // Steps of 1e-9, so that windows of the same terms tie in whatever order those came.
      return square === 0 ? 0 : Math.round(product / Math.sqrt(square) * 1e9) / 1e9;
    },
  };
}
