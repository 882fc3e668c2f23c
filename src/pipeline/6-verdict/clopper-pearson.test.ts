/** The exact bound against scipy's quantiles of the beta distribution, closed forms, and its own promise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { clopperPearsonUpper } from './clopper-pearson.ts';

/** hits, trials, confidence, `scipy.stats.beta.ppf(confidence, hits + 1, trials - hits)` of scipy 1.15. */
const oracle: readonly (readonly [number, number, number, number])[] = [
  [0, 30_000, 0.95, 9.985275683338813e-05],
  [1, 10, 0.95, 0.39416330243650466],
  [5, 100, 0.95, 0.1022533776432745],
  [37, 30_000, 0.95, 0.0016222003943884105],
  [3, 30_000, 0.975, 0.0002922143461382033],
  [1_000, 1_000_000, 0.95, 0.001053574877454436],
  [99, 100, 0.95, 0.9994871985837377],
  [25, 50, 0.9, 0.5991397895733133],
];

test('as scipy has it', () => {
  for (const [hits, trials, confidence, expected] of oracle) {
    const found = clopperPearsonUpper(hits, trials, confidence);
    assert.ok(Math.abs(found / expected - 1) < 1e-8, `${hits}/${trials}: ${found}, not ${expected}`);
  }
});

test('no hits: a closed form; all hits, or no trials: nothing is promised', () => {
  for (const trials of [1, 7, 300, 30_000, 10_000_000]) {
    const expected = -Math.expm1(Math.log(0.05) / trials);
    assert.ok(Math.abs(clopperPearsonUpper(0, trials) / expected - 1) < 1e-6);
    assert.equal(clopperPearsonUpper(trials, trials), 1);
  }
  assert.equal(clopperPearsonUpper(0, 0), 1);
});

test('the share lies below it in at least nineteen of twenty samples', () => {
  const random = new Random(11);
  for (const [share, trials] of [[0.001, 2_000], [0.05, 100], [0.4, 30]] as const) {
    let covered = 0;
    for (let sample = 0; sample < 2_000; sample++) {
      let hits = 0;
      for (let i = 0; i < trials; i++) if (random.chance(share)) hits++;
      if (share <= clopperPearsonUpper(hits, trials)) covered++;
    }
    // Three standard deviations below .95.
    assert.ok(covered / 2_000 > 0.935, `${share}: ${covered}`);
  }
});

test('numbers that are no counts are our own bug', () => {
  assert.throws(() => clopperPearsonUpper(2, 1), /part of/);
  assert.throws(() => clopperPearsonUpper(0.5, 1), /part of/);
  assert.throws(() => clopperPearsonUpper(0, 1, 1), /confidence/);
});
