/**
 * Fitting boosted trees against Debian's scikit-learn (HistGradientBoostingClassifier) on the same matrices, 100 trees
 * of 31 leaves: with one thread each, by CPU time; and with as many threads as scikit-learn likes, by the clock.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { boostKinds, writeMatrices, type BoostKind } from '../test/support/boost-matrices.ts';
import { type Bench, type BenchResult, compareRates, type Comparison, inFolder, median } from './bench.ts';

const bench = 'boosted';
const runs = 3;
/** The first of each process warms it up: ours by the compiler, the peer's by loading its libraries. */
const fits = 3;
const cases: readonly (readonly [BoostKind, number])[] = [['flow-like', 100_000], ['hard', 20_000], ['hard', 100_000]];
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const boostedBench: Bench = {
  name: bench,
  description: 'boosted trees, fitting: against scikit-learn',
  run: (say) => inFolder((folder) => run(folder, say)),
};

type Fits = { readonly cpuMilliseconds: readonly number[]; readonly wallMilliseconds: readonly number[] };

/** @throws Error  it failed */
function ask(env: Readonly<Record<string, string>>, command: string, ...argv: readonly string[]): Fits {
  const asked = spawnSync(command, argv, {
    encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, ...env },
  });
  if (asked.status !== 0) throw new Error(`${argv[0]} ended with ${asked.status}: ${asked.stderr.slice(-2000)}`);
  return JSON.parse(asked.stdout) as Fits;
}

/** Fits a second, the first fit of each process left out. */
const rates = (all: readonly Fits[], clock: keyof Fits): number[] =>
  all.map((one) => 1000 / median(one[clock].slice(1)));

function run(folder: string, say: (line: string) => void): BenchResult {
  const python = ['/usr/bin/python3', 'python3'].find(
    (program) => spawnSync(program, ['-c', 'import sklearn'], { stdio: 'ignore' }).status === 0);
  const rows: Comparison[] = [];
  const notes = python === undefined ? ['scikit-learn is not installed: apt-get install python3-sklearn'] : [];
  for (const [kind, rowCount] of cases) {
    const [ours, single, threaded]: [Fits[], Fits[], Fits[]] = [[], [], []];
    const name = `${kind}, ${rowCount.toLocaleString('en-US')} rows`;
    writeMatrices(folder, { train: boostKinds[kind](rowCount, 1), test: boostKinds[kind](1_000, 2) });
    for (let i = 0; i < runs; i++) {
      say(`${name}: run ${i + 1} of ${runs}`);
      ours.push(ask({}, process.execPath, here('boosted-ours.ts'), kind, String(rowCount), String(fits)));
      if (python === undefined) continue;
      const peer = [here('../test/oracle/boosted-trees.py'), folder, String(fits)];
      single.push(ask({ OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' }, python, ...peer));
      // In its favour: its threads would spin for each other where other work has the cores, and take minutes.
      threaded.push(ask({ OMP_WAIT_POLICY: 'passive' }, python, ...peer));
    }
    const cold = median(ours.map(({ cpuMilliseconds }) => cpuMilliseconds[0] as number));
    const warm = 1000 / median(rates(ours, 'cpuMilliseconds'));
    notes.push(`${name}: ${warm.toFixed(0)} ms of CPU time a fit, ${cold.toFixed(0)} ms the first time.`);
    if (python === undefined) continue;
    rows.push(compareRates(bench, `scikit-learn, ${name}, one thread`, 'fits/CPU s',
      rates(ours, 'cpuMilliseconds'), rates(single, 'cpuMilliseconds')));
    rows.push(compareRates(bench, `scikit-learn, ${name}, its threads`, 'fits/s',
      rates(ours, 'wallMilliseconds'), rates(threaded, 'wallMilliseconds')));
  }
  return { rows, notes };
}
