/**
 * The contract of detectors (`detector.ts`), held against every algorithm of the registry: the same seed gives the same
 * bytes, a score depends on its own row alone, inputs stay as they are, bytes bring back the same detector, and hostile
 * bytes do no more than to be refused.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { InvariantError, Random } from '#base';
import { createEncodedRows, type EncodedRows, type RowLayout } from '#feature';
import type { Algorithm, FittedDetector, Trainer } from './detector.ts';
import { trainers } from './fit/trainers.ts';
import { algorithms } from './registry.ts';

type Shape = { readonly name: string; readonly layout: RowLayout; readonly rowCount: number };

const mixed: RowLayout = { numericCount: 3, categoryCounts: [2, 3, 5] };
/** What is fitted to; small, so that edges are the normal case. */
const shapes: readonly Shape[] = [
  { name: 'usual rows', layout: mixed, rowCount: 70 },
  { name: 'one row', layout: mixed, rowCount: 1 },
  { name: 'two rows', layout: mixed, rowCount: 2 },
  { name: 'numbers only', layout: { numericCount: 2, categoryCounts: [] }, rowCount: 40 },
  { name: 'categories only', layout: { numericCount: 0, categoryCounts: [4, 1] }, rowCount: 40 },
  { name: 'many categories', layout: { numericCount: 1, categoryCounts: [300, 2] }, rowCount: 60 },
];

/** Rows as an encoder makes them of its training flows: numbers within 0 … 1, the first categories the usual ones. */
function trainingRows({ layout, rowCount }: Shape, seed = 1): EncodedRows {
  const random = new Random(seed);
  // There is room behind the last row, and what lies there is nobody's business.
  const rows = createEncodedRows(layout, rowCount + 3);
  for (const column of rows.numeric) {
    column.fill(Number.NaN);
    for (let row = 0; row < rowCount; row++) column[row] = Math.floor(random.uniform() ** 2 * 30) / 30;
  }
  rows.codes.forEach((column, feature) => {
    column.fill(0xffff);
    const count = layout.categoryCounts[feature] as number;
    for (let row = 0; row < rowCount; row++) column[row] = Math.floor(random.uniform() ** 3 * count);
  });
  rows.rowCount = rowCount;
  return rows;
}

/** Rows as the same encoder makes them of any flows: beyond the range, without bounds, of categories never shown. */
function strangeRows(layout: RowLayout, rowCount: number, seed: number): EncodedRows {
  const random = new Random(seed);
  const rows = createEncodedRows(layout, rowCount);
  const values = [0, 1, -1, 0.5, 2, 1e-30, 1e6, -1e6, 3e38, -3e38, Infinity, -Infinity];
  for (const column of rows.numeric) {
    for (let row = 0; row < rowCount; row++) column[row] = random.chance(0.3) ? random.uniform() : random.pick(values);
  }
  rows.codes.forEach((column, feature) => {
    for (let row = 0; row < rowCount; row++) {
      column[row] = random.integer(0, layout.categoryCounts[feature] as number);
    }
  });
  rows.rowCount = rowCount;
  return rows;
}

function pickRows(rows: EncodedRows, picked: readonly number[]): EncodedRows {
  const some = createEncodedRows(rows.layout, picked.length);
  picked.forEach((row, to) => {
    some.numeric.forEach((column, at) => { column[to] = rows.numeric[at]?.[row] as number; });
    some.codes.forEach((column, at) => { column[to] = rows.codes[at]?.[row] as number; });
  });
  some.rowCount = picked.length;
  return some;
}

function scoresOf(detector: FittedDetector, rows: EncodedRows): Float64Array {
  const out = new Float64Array(rows.rowCount);
  detector.score(rows, out);
  return out;
}

function assertSound(scores: Float64Array, what: string): void {
  scores.forEach((score, row) => {
    assert.ok(score >= 0 && score <= 1, `${what}: row ${row} has the score ${score}`);
  });
}

/** Reads what must be readable. */
function readBack(algorithm: Algorithm, bytes: Uint8Array, layout: RowLayout): FittedDetector {
  const read = algorithm.read(bytes, layout);
  if (typeof read === 'string') assert.fail(`its own bytes were refused: ${read}`);
  return read;
}

/** Bytes that an attacker may have made of sound ones: other lengths, counts, bits and pieces. */
function mutate(random: Random, samples: readonly Uint8Array[]): Uint8Array {
  let bytes = random.pick(samples).slice();
  for (let changes = random.integer(1, 3); changes > 0 && bytes.length > 4; changes--) {
    const kind = random.integer(0, 5);
    // Headers are where the harm is done.
    const at = random.integer(0, (random.chance(0.5) ? Math.min(bytes.length, 40) : bytes.length) - 1);
    if (kind === 0) bytes[at] = (bytes[at] as number) ^ (1 << random.integer(0, 7));
    else if (kind === 1) bytes[at] = random.pick([0, 1, 2, 127, 128, 254, 255]);
    else if (kind === 2) bytes = bytes.slice(0, at);
    else if (kind === 3) bytes.copyWithin(at, random.integer(0, bytes.length - 1));
    else if (kind === 4) bytes = Uint8Array.of(...bytes.subarray(0, at), ...random.pick(samples).subarray(at >> 1));
    else {
      const word = random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7ff0_0000, 0x7fc0_0000, 65_536]);
      const place = Math.min(at & ~3, bytes.length - 4);
      new DataView(bytes.buffer).setUint32(place, word, true);
    }
  }
  return bytes;
}

test('the registry names what it holds, and everything in it can be trained', () => {
  assert.ok(algorithms.size > 0);
  for (const [name, algorithm] of algorithms) assert.equal(algorithm.name, name);
  for (const [name, trainer] of trainers) assert.equal(trainer.name, name);
  assert.deepEqual([...trainers.keys()].sort(), [...algorithms.keys()].sort());
});

for (const [name, algorithm] of algorithms) {
  const trainer = trainers.get(name) as Trainer;
  const fit = (shape: Shape, seed = 7): FittedDetector => trainer.fit(trainingRows(shape), {}, seed);

  describe(name, () => {
    for (const shape of shapes) {
      test(`${shape.name}: fitting again gives the same bytes`, () => {
        const bytes = algorithm.write(fit(shape));
        assert.deepEqual(algorithm.write(fit(shape)), bytes);
        for (const seed of [0, 1, 0xffff_ffff]) {
          assertSound(scoresOf(fit(shape, seed), trainingRows(shape)), `seed ${seed}`);
        }
      });

      test(`${shape.name}: scores are finite and within 0 … 1, whatever the rows`, () => {
        const detector = fit(shape);
        assert.equal(detector.algorithm, name);
        assert.deepEqual(detector.layout, shape.layout);
        assert.ok(detector.defaultThreshold >= 0 && detector.defaultThreshold <= 1);
        assertSound(scoresOf(detector, trainingRows(shape)), 'training rows');
        assertSound(scoresOf(detector, strangeRows(shape.layout, 200, 3)), 'strange rows');
        const unknown = createEncodedRows(shape.layout, 4);
        unknown.numeric.forEach((column) => column.fill(Number.NaN));
        unknown.rowCount = 4;
        assertSound(scoresOf(detector, unknown), 'rows that are no numbers');
      });

      test(`${shape.name}: bytes bring back the same detector`, () => {
        const detector = fit(shape);
        const bytes = algorithm.write(detector);
        // At an odd place of a larger buffer, as in an artifact.
        const larger = new Uint8Array(bytes.length + 8).fill(0xa5);
        larger.set(bytes, 3);
        const rows = strangeRows(shape.layout, 100, 4);
        for (const lying of [bytes, larger.subarray(3, 3 + bytes.length)]) {
          const read = readBack(algorithm, lying, shape.layout);
          assert.deepEqual(scoresOf(read, rows), scoresOf(detector, rows));
          assert.equal(read.defaultThreshold, detector.defaultThreshold);
          assert.deepEqual(algorithm.write(read), bytes);
        }
      });

      test(`${shape.name}: what is given stays as it is`, () => {
        const training = trainingRows(shape);
        const detector = trainer.fit(training, {}, 7);
        assert.deepEqual(training, trainingRows(shape));
        const bytes = algorithm.write(detector);
        const rows = strangeRows(shape.layout, 30, 5);
        const out = new Float64Array(32).fill(-7);
        detector.score(rows, out);
        assert.deepEqual(rows, strangeRows(shape.layout, 30, 5));
        assert.deepEqual([...out.subarray(30)], [-7, -7]);
        assert.deepEqual(algorithm.write(detector), bytes);
        const copy = bytes.slice();
        readBack(algorithm, bytes, shape.layout);
        assert.deepEqual(bytes, copy);
      });
    }

    test('constant rows are fitted and scored', () => {
      const constant = createEncodedRows(mixed, 50);
      constant.rowCount = 50;
      const detector = trainer.fit(constant, {}, 3);
      assertSound(scoresOf(detector, constant), 'constant rows');
      assertSound(scoresOf(detector, strangeRows(mixed, 50, 6)), 'other rows');
      readBack(algorithm, algorithm.write(detector), mixed);
    });

    test('a score depends on its own row alone', () => {
      const detector = fit(shapes[0] as Shape);
      const rows = strangeRows(mixed, 60, 8);
      const all = scoresOf(detector, rows);
      fc.assert(fc.property(fc.array(fc.nat(59), { maxLength: 40 }), (picked) => {
        assert.deepEqual([...scoresOf(detector, pickRows(rows, picked))], picked.map((row) => all[row]));
      }), { numRuns: 40, seed: 1 });
    });

    test('no rows give no scores', () => {
      const out = Float64Array.of(-7);
      fit(shapes[0] as Shape).score(createEncodedRows(mixed, 5), out);
      assert.deepEqual([...out], [-7]);
    });

    test('rows of another layout are our own error', () => {
      const detector = fit(shapes[0] as Shape);
      for (const other of [
        { numericCount: 2, categoryCounts: [2, 3, 5] }, { numericCount: 3, categoryCounts: [2, 3] },
        { numericCount: 3, categoryCounts: [2, 3, 6] },
      ]) assert.throws(() => scoresOf(detector, strangeRows(other, 3, 1)), InvariantError);
    });

    test('usual rows score lower than rows unlike any', () => {
      const detector = fit(shapes[0] as Shape);
      const unlike = createEncodedRows(mixed, 1);
      unlike.rowCount = 1;
      unlike.numeric.forEach((column) => column.fill(5));
      unlike.codes.forEach((column, feature) => column.fill(mixed.categoryCounts[feature] as number));
      const [strange = 0] = scoresOf(detector, unlike);
      const usual = scoresOf(detector, trainingRows(shapes[0] as Shape)).sort();
      assert.ok((usual[35] as number) < strange, `${usual[35]} and ${strange}`);
    });

    test('damaged bytes are refused with a sentence, or are those of a sound detector', () => {
      const [usual, single] = shapes as [Shape, Shape];
      const samples = [usual, single].map((shape) => algorithm.write(fit(shape)));
      const rows = strangeRows(mixed, 12, 9);
      let refused = 0;
      const attempt = (bytes: Uint8Array): void => {
        const read = algorithm.read(bytes, mixed);
        if (typeof read === 'string') {
          refused++;
          assert.match(read, /^[A-Z0-9].*\.$/, 'not a sentence');
          return;
        }
        assertSound(scoresOf(read, rows), 'a detector of damaged bytes');
        assert.ok(read.defaultThreshold >= 0 && read.defaultThreshold <= 1);
        assert.equal(algorithm.write(read).length, bytes.length);
      };
      fc.assert(fc.property(fc.integer(), (seed) => attempt(mutate(new Random(seed), samples))),
        { numRuns: 1500, seed: 2 });
      fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt), { numRuns: 300, seed: 3 });
      const [sample] = samples as [Uint8Array];
      for (let length = 0; length < Math.min(sample.length, 400); length++) attempt(sample.slice(0, length));
      assert.ok(refused > 400, `only ${refused} were refused`);
    });

    test('bytes of one layout do not become a detector that fails on another', () => {
      const bytes = algorithm.write(fit(shapes[0] as Shape));
      for (const { layout } of shapes) {
        const read = algorithm.read(bytes, layout);
        if (typeof read !== 'string') assertSound(scoresOf(read, strangeRows(layout, 10, 2)), 'another layout');
      }
    });
  });
}
