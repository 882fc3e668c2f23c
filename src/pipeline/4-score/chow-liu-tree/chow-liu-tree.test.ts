/** The Chow–Liu tree: it finds the tree that made the rows, is a distribution, and knows what is new. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { createEncodedRows, type EncodedRows } from '#feature';
import { costOfNat, noParent, sumCosts } from './chow-liu-tree.ts';
import { growTree, treeTrainer } from './fit-chow-liu-tree.ts';
import { learnProbabilities, learnSymbols } from './fit-symbols.ts';
import { readSymbols } from './symbols.ts';

/** Rows of these columns; how many categories there are is the largest code and one. */
function rowsOf(numbers: readonly (readonly number[])[], codes: readonly (readonly number[])[],
  categoryCounts: readonly number[] = codes.map((column) => Math.max(...column) + 1)): EncodedRows {
  const rowCount = (numbers[0] ?? codes[0] ?? []).length;
  const rows = createEncodedRows({ numericCount: numbers.length, categoryCounts }, rowCount);
  numbers.forEach((column, feature) => rows.numeric[feature]?.set(column));
  codes.forEach((column, feature) => rows.codes[feature]?.set(column));
  rows.rowCount = rowCount;
  return rows;
}

function scoresOf(trained: EncodedRows, rows: EncodedRows): number[] {
  const out = new Float64Array(rows.rowCount);
  treeTrainer.fit(trained, {}, 0).score(rows, out);
  return [...out];
}

/** Edges of a tree, whichever end is the parent. */
function edgesOf(parents: readonly number[]): string[] {
  return parents.flatMap((parent, at) =>
    parent === noParent ? [] : [`${Math.min(parent, at)}–${Math.max(parent, at)}`]).sort();
}

/** Rows drawn from a tree: a variable repeats its parent's value, but for now and then. */
function drawRows(parents: readonly (number | undefined)[], rowCount: number, loyalty: number): EncodedRows {
  const random = new Random(11);
  const columns = parents.map(() => [] as number[]);
  for (let row = 0; row < rowCount; row++) {
    parents.forEach((parent, at) => {
      const fresh = random.integer(0, 4);
      columns[at]?.push(parent !== undefined && random.chance(loyalty) ? columns[parent]?.[row] as number : fresh);
    });
  }
  return rowsOf([], columns);
}

test('the tree that rows were drawn from is found', () => {
  for (const parents of [[undefined, 0, 1, 2, 3], [undefined, 0, 0, 0, 0], [undefined, 0, 0, 1, 2, 2]]) {
    const expected = edgesOf(parents.map((parent) => parent ?? noParent));
    assert.deepEqual(edgesOf(growTree(learnSymbols(drawRows(parents, 4_000, 0.6), 8))), expected);
  }
});

test('a variable of many values does not seem to know of the others', () => {
  const [first, second] = drawRows([undefined, 0], 3_000, 0.3).codes as [Uint16Array, Uint16Array];
  const random = new Random(5);
  const many = Array.from({ length: 3_000 }, () => random.integer(0, 299));
  // By mere counting it shares ten times the information with either that they share with each other.
  const edges = edgesOf(growTree(learnSymbols(rowsOf([], [[...first], many, [...second]]), 8)));
  assert.ok(edges.includes('0–2'), edges.join(' '));
});

test('likelihoods of all rows there can be sum to one', () => {
  const random = new Random(3);
  const draw = (of: (row: number) => number): number[] => Array.from({ length: 200 }, (_, row) => of(row));
  const first = draw(() => random.integer(0, 3));
  const second = draw((row) => random.chance(0.7) ? first[row] as number : random.integer(0, 3));
  const number = draw((row) => (first[row] as number) / 4 + Math.floor(random.uniform() * 8) / 100);
  const trained = rowsOf([number], [first, second]);
  const tree = treeTrainer.fit(trained, { binCount: 6 }, 0);
  const training = learnSymbols(trained, 6);
  const ends = tree.binEnds[0] as Float32Array;
  const inBins = Array.from({ length: ends.length + 1 }, (_, bin) =>
    bin === 0 ? (ends[0] as number) - 1 : bin === ends.length ? (ends.at(-1) as number) + 1 : ends[bin] as number);
  const kinds = [1, 2].map((variable) => learnProbabilities(
    training.counts[variable] as Float64Array, false).unseenKinds);
  const all: { value: number; codes: [number, number]; kinds: number }[] = [];
  for (const value of inBins) {
    for (let a = 0; a <= 4; a++) {
      for (let b = 0; b <= 4; b++) {
        all.push({ value, codes: [a, b],
          kinds: (a === 4 ? kinds[0] as number : 1) * (b === 4 ? kinds[1] as number : 1) });
      }
    }
  }
  const rows = rowsOf([all.map(({ value }) => value)], [0, 1].map((at) => all.map(({ codes }) => codes[at] as number)),
    trained.layout.categoryCounts);
  const costs = new Float64Array(all.length);
  sumCosts(tree, rows, costs);
  const sum = all.reduce((total, one, row) => total + one.kinds * Math.exp(-(costs[row] as number) / costOfNat), 0);
  // Each of three tables is rounded to 1/1024 nat.
  assert.ok(Math.abs(sum - 1) < 0.002, `they sum to ${sum}`);
});

test('a category never seen is more anomalous than any that was seen', () => {
  const counts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(counts, (rowsOfCategory) => {
    const trained = rowsOf([], [rowsOfCategory.flatMap((count, code) => Array.from({ length: count }, () => code))]);
    const scores = scoresOf(trained, rowsOf([], [[...rowsOfCategory.keys(), rowsOfCategory.length]],
      trained.layout.categoryCounts));
    const unseen = scores.pop() as number;
    assert.ok(scores.every((score) => score < unseen), `${unseen} among ${scores.join(' ')}`);
  }), { numRuns: 200, seed: 1 });
});

test('categories that the encoder left out in training are as usual as they were there', () => {
  const codes = Array.from({ length: 100 }, (_, row) => row < 50 ? 0 : row < 60 ? 1 : 2);
  const trained = rowsOf([], [codes], [2]);
  const [most, rare, left] = scoresOf(trained, rowsOf([], [[0, 1, 2]], [2])) as [number, number, number];
  assert.ok(most < rare && left < rare, 'forty of a hundred rows are usual');
});

test('what is usual in each feature but never came together is anomalous', () => {
  const port = Array.from({ length: 400 }, (_, row) => row % 2);
  const size = port.map((code, row) => code * 0.8 + (row % 10) / 100);
  const [usual, crossed] = scoresOf(rowsOf([size], [port]), rowsOf([[0.05, 0.05]], [[0, 1]], [2])) as [number, number];
  assert.ok(usual <= 0.5 && crossed > 0.6, `${usual} and ${crossed}`);
});

test('nineteen of twenty training rows score at most the default threshold, and extremes still differ', () => {
  const random = new Random(9);
  const draw = (): number[] => Array.from({ length: 500 }, () => Math.floor(random.uniform() ** 3 * 6));
  const trained = rowsOf([], [draw(), draw(), draw()]);
  const scores = scoresOf(trained, trained);
  const share = scores.filter((score) => score <= 0.5).length / scores.length;
  assert.ok(share >= 0.95 && share < 1, `${share} of the training rows`);
  const { categoryCounts } = trained.layout;
  const [a, b, c] = categoryCounts as [number, number, number];
  const strange = scoresOf(trained, rowsOf([], [[a, a, a], [0, b, b], [0, 0, c]], categoryCounts));
  assert.ok((strange[0] as number) < (strange[1] as number) && (strange[1] as number) < (strange[2] as number));
  assert.ok((strange[2] as number) < 1);
});

test('a table too large to be counted in one piece gives the same tree', () => {
  const random = new Random(4);
  const first = Array.from({ length: 500 }, () => random.integer(0, 99));
  const second = first.map((code) => random.chance(0.5) ? code : random.integer(0, 99));
  // The same rows, with categories so far apart that the table would have four million cells.
  const spread = (codes: readonly number[]): number[] => codes.map((code) => code * 21);
  const near = treeTrainer.fit(rowsOf([], [first, second], [100, 100]), {}, 0);
  const far = treeTrainer.fit(rowsOf([], [spread(first), spread(second)], [2_080, 2_080]), {}, 0);
  assert.deepEqual(far.variables.map(({ pairCost }) => pairCost), near.variables.map(({ pairCost }) => pairCost));
  assert.deepEqual(far.variables.map(({ pairValue }) => pairValue),
    near.variables.map(({ pairValue }) => pairValue.map((value) => value * 21)));
});

test('bins: each row of training lies in one, a frequent value has its own, and both outsides are apart', () => {
  const numbers = [...Array.from({ length: 50 }, () => 0.25), ...Array.from({ length: 50 }, (_, i) => i / 49)];
  const { binEnds, symbols } = learnSymbols(rowsOf([numbers], []), 10);
  const ends = binEnds[0] as Float32Array;
  assert.equal(ends[0], 0);
  assert.equal(ends.at(-1), 1);
  const own = symbols[0]?.[0];
  symbols[0]?.forEach((symbol, row) => {
    assert.ok(symbol >= 1 && symbol < ends.length);
    assert.equal(symbol === own, numbers[row] === 0.25, `row ${row}`);
  });
  const out = new Uint16Array(6);
  const outside = rowsOf([[-0.001, 1.001, Number.NaN, -Infinity, Infinity, 1]], []);
  readSymbols(outside, binEnds, 0, 0, 6, out);
  assert.deepEqual([...out], [0, ends.length, ends.length, 0, ends.length, ends.length - 1]);
});

test('a number that is always the same has a bin, and others are outside', () => {
  const trained = rowsOf([[0, 0, 0, 0]], []);
  const [same, above, below] = scoresOf(trained, rowsOf([[0, 0.5, -0.5]], [])) as [number, number, number];
  assert.ok(same <= 0.5 && above > same && below > same);
});

test('rows beyond a block score as they do alone', () => {
  const random = new Random(2);
  const numbers = Array.from({ length: 700 }, () => random.uniform());
  const codes = numbers.map((value) => Math.floor(value * 4));
  const trained = rowsOf([numbers], [codes]);
  const scores = scoresOf(trained, trained);
  for (const row of [0, 255, 256, 511, 512, 699]) {
    const alone = scoresOf(trained, rowsOf([[numbers[row] as number]], [[codes[row] as number]], [4]));
    assert.deepEqual(alone, [scores[row]]);
  }
});
