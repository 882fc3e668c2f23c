/**
 * Fits boosted trees with natlens, for the benchmark. Arguments: kind of rows, how many, fits. Prints one JSON object:
 * CPU and wall milliseconds of each fit, the first of a fresh process among them.
 */
import { cpuSeconds, systemClock } from '../src/base/index.ts';
import { fitBoostedTrees } from '../src/pipeline/4-score/fit/index.ts';
import { boostKinds, type BoostKind } from '../test/support/boost-matrices.ts';

const [kind = '', rowCount, fits] = process.argv.slice(2);
const make = boostKinds[kind as BoostKind];
const { rows, labels } = make(Number(rowCount), 1);
const cpuMilliseconds: number[] = [];
const wallMilliseconds: number[] = [];
for (let fit = 0; fit < Number(fits); fit++) {
  const cpu = cpuSeconds();
  const wall = systemClock.monotonicMs();
  fitBoostedTrees(rows, labels);
  cpuMilliseconds.push((cpuSeconds() - cpu) * 1000);
  wallMilliseconds.push(systemClock.monotonicMs() - wall);
}
process.stdout.write(`${JSON.stringify({ cpuMilliseconds, wallMilliseconds })}\n`);
