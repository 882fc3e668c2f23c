/**
 * A made-up comparison of methods in the shape of a real one: 14 methods that see flow records, names or packets, the
 * device models of the graph sample, and identifications of counting and of ticking hosts. For tests of the report; no
 * number in it was measured.
 */
import { Random } from '#base';
import { sayWinner } from '../../src/lab/compare/summarize-compare.ts';
import type { CompareReport, CompareRow } from '#lab';
import type { MethodFacts } from '../../src/lab/baseline/home-method.ts';
import type { IdentificationStudy, LinkRow, SignatureRow } from '../../src/lab/baseline/identification-study.ts';
import { curveMinutes, resultMinutes, type HomesCurve, type HomesResult } from '../../src/lab/homes/homes-report.ts';
import { makeGraphSample } from './graph-sample.ts';

const facts: readonly (readonly [name: string, source: string, sees: MethodFacts['sees'], coverage: number,
  strength: number])[] = [
  ['single-flow', 'Meidan et al. 2019', 'flow records', 1, 0.3],
  ['single-flow-natlens', 'Meidan et al. 2019, with the classifier of natlens', 'flow records', 1, 0.4],
  ['k-of-n', 'natlens', 'flow records', 1, 0.5],
  ['domain-rule', 'Guo and Heidemann 2018; Saidi et al. 2020', 'flow records', 0.7, 0.8],
  ['tf-idf', 'Salton and Buckley 1988', 'flow records', 1, 0.7],
  ['flow-trees', 'Meidan et al. 2020', 'flow records', 1, 0.6],
  ['dedicated-destinations', 'Saidi et al. 2020', 'flow records', 0.6, 0.9],
  ['one-class-svm-hits', 'Schölkopf et al. 2001', 'flow records', 1, 0.35],
  ['dns-domains', 'Guo and Heidemann 2018', 'names asked for', 0.3, 1],
  ['dns-domains-relaxed', 'Meidan et al. 2019', 'names asked for', 0.5, 0.8],
  ['iot-finder-names', 'Perdisci et al. 2020', 'names asked for', 0.9, 0.85],
  ['ipid-slope', 'Meidan et al. 2019', 'packet headers', 0, 0],
  ['evidence', 'natlens', 'flow records', 1, 0.9],
  ['evidence-cascade', 'natlens', 'flow records', 1, 0.93],
];

const privacyOf: Readonly<Record<MethodFacts['sees'], string>> = {
  'flow records': 'Addresses and ports that a home talks to, when, and how much.',
  'names asked for': 'Names that everybody in the home asks for: sites that people visit, apps that they use, when.',
  'packet headers': 'All that flow records tell, and when each packet was sent.',
};

export type CompareSampleOptions = {
  readonly models?: number;
  readonly isSimulated?: boolean;
  /** What is added to how much the method of names `iot-finder-names` finds, so that it may win. */
  readonly rivalGain?: number;
};

/** A report, the same for the same options. The last device models are those that methods with less coverage lack. */
export function makeCompareSample(
  { models: modelCount = 12, isSimulated = false, rivalGain = 0 }: CompareSampleOptions = {},
): CompareReport {
  const random = new Random(9);
  const { names, asks, models } = makeGraphSample();
  const looked = models.slice(0, modelCount).map(({ name }) => name).sort();
  const results: HomesResult[] = [];
  const curves: HomesCurve[] = [];
  const methods = facts.map(([name, source, sees, coverage, strength]): CompareRow => {
    const covered = looked.slice(0, Math.round(coverage * looked.length));
    const gain = name === 'iot-finder-names' ? rivalGain : 0;
    const best = new Map(looked.map((model) => [model, Math.min(1, strength + gain + 0.1 * (random.uniform() - 0.5))]));
    const at = (model: string, minutes: number): number =>
      (best.get(model) ?? 0) * (1 - Math.exp(-minutes / (20 + 40 * (1 - strength))));
    const meanOf = (of: readonly string[], read: (model: string) => number): number =>
      of.reduce((sum, model) => sum + read(model), 0) / Math.max(1, of.length);
    const nullHomes = covered.length * 3_000;
    for (const deviceModel of looked) {
      for (const windowMinutes of resultMinutes) {
        results.push({
          method: name, deviceModel, windowMinutes, promisedFpr: 0.0001, measuredFpr: 0.0003, fprUpper95: 0.001,
          nullHomes: 3_000, tpr: 0.9 * at(deviceModel, windowMinutes), positiveHomes: 300, group: [],
          verdict: covered.includes(deviceModel) ? 'present' : 'unfit', tprAtFixedFpr: at(deviceModel, windowMinutes),
          seeds: 3, seedsWithinPromise: 3, unfit: {},
        });
      }
    }
    const foundAt = (minutes: number): number =>
      meanOf(looked, (model) => covered.includes(model) ? at(model, minutes) : 0);
    curves.push({ method: name, tpr: curveMinutes.map((minutes) => 0.9 * foundAt(minutes)),
      tprAtFixedFpr: curveMinutes.map(foundAt) });
    return {
      name, source, sees, privacy: privacyOf[sees], meaning: `What ${name} does, made up for a test, in a sentence.`,
      namesGroups: source === 'natlens', isCalibrated: true, ...(source === 'natlens' ? { isOurs: true } : {}), covered,
      coverage: covered.length / Math.max(1, looked.length),
      measuredFpr: covered.length === 0 ? null : 0.0003 * (1 + 40 * random.uniform()),
      fprUpper95: covered.length === 0 ? null : 0.02, nullHomes,
      tpr: covered.length === 0 ? null
        : resultMinutes.map((minutes) => meanOf(covered, (model) => 0.9 * at(model, minutes))),
      foundAtFixedFpr: resultMinutes.map(foundAt),
      foundAtZeroFpr: resultMinutes.map((minutes) => 0.8 * foundAt(minutes)),
      calibrated: {
        measuredFpr: covered.length === 0 ? null : 0.0002, fprUpper95: covered.length === 0 ? null : 0.001,
        found: resultMinutes.map((minutes) => 0.7 * foundAt(minutes)),
      },
      medianMinutes: strength > 0.5 ? 30 : null,
      cpuMsPerHomeDay: covered.length === 0 ? Number.NaN : 10 ** (4 * random.uniform() - 1),
    };
  });
  const dedicatedOf = (model: string): string[] => names.filter(({ name, kind, isShared }) =>
    kind === 'device-facing' && !isShared && asks.some((ask) => ask.model === model && ask.name === name))
    .map(({ name }) => name).sort();
  const deviceModels = models.map(({ name }) => ({ deviceModel: name, asked: 20, deviceFacing: 8,
    dedicated: dedicatedOf(name) }));
  const countWith = (fits: (count: number) => boolean): number =>
    deviceModels.filter(({ dedicated }) => fits(dedicated.length)).length;
  return {
    format: 1, natlensVersion: '0.0.0',
    dataset: { name: 'sample lab', isSimulated, note: 'Made by a test from a seed.', devices: 41, flows: 123_456,
      packets: 2_345_678, queries: 34_567 },
    settings: { seeds: 3, falseAlarmsPerMonth: 0.003, calibrationHomes: 20_000, nullHomesPerSeed: 1_000,
      positiveHomesPerSeed: 100, windowMinutes: 60, fixedFpr: 0.003, knowsAllModels: false },
    deviceModels: looked.map((deviceModel) => ({ deviceModel, flows: 4_000, isContinuous: true, flowsPerHour: 40 })),
    methods, resultMinutes, curveMinutes, curves, results,
    names: { deviceModels, withThreeOrMore: countWith((count) => count >= 3),
      withTwo: countWith((count) => count === 2), withOne: countWith((count) => count === 1),
      withNone: countWith((count) => count === 0) },
    ours: 'evidence-cascade',
    outcome: sayWinner(methods, 'evidence-cascade', { fixedFpr: 0.003, budget: { perMonth: 0.003 } }),
    graph: { models, names, asks }, worstModel: looked.at(-1) ?? '', identification: makeStudy(random, looked),
    remarks: ['A remark that the lab made.'],
  };
}

function makeStudy(random: Random, models: readonly string[]): IdentificationStudy {
  const kinds = ['ticks250', 'ticks250', 'ticks100', 'counter', 'zero', null] as const;
  const signatures = models.map((deviceModel, i): SignatureRow => {
    const idClass = kinds[i % kinds.length] ?? null;
    const slope = idClass === null ? null : idClass.startsWith('ticks') ? Number(idClass.slice(5)) / 2 : 0.1;
    return { deviceModel, basis: i % 2 === 0 ? 'queries' : 'packets', idClass, slope,
      slopeQuartiles: slope === null ? null : [slope * 0.9, slope * 1.1], nextShare: idClass === null ? null : 0.2,
      steps: idClass === null ? 3 : 900, ownVetoed: idClass === null ? null : 0,
      othersVetoed: idClass === null ? null : 0.6 };
  });
  const link = (linker: LinkRow['linker'], hosts: LinkRow['hosts'], accuracy: number | null): LinkRow => ({
    linker, hosts, units: 5, queries: 1_234, coverage: accuracy === null ? null : 0.97, accuracy, purity: accuracy,
    flowCoverage: linker === 'clocks' || accuracy === null ? null : 0.6,
    flowAccuracy: linker === 'clocks' ? null : accuracy });
  const hosts = ([['counter', 0.1], ['counter', 0.2], ['ticks250', 125], ['clock100', 100], ['random', null]] as const);
  return {
    homes: 40, homeHours: 24, signatures,
    links: [link('dns-chains', 'all', 0.7), link('dns-chains', 'counter', 0.99), link('dns-chains', 'ticks250', 0.3),
      link('dns-chains', 'unclear', null), link('clocks', 'clock100', 0.96)],
    hostCounts: [{ linker: 'dns-chains', homes: 40, asking: 9.4, countable: 4.1, counted: 5.2, absoluteError: 4.4 }],
    increments: models.map((deviceModel, i) => ({ deviceModel, counts: kinds[i % kinds.length] === 'zero' ? [[0, 50]]
      : [[1, 200], [20 + i, 30], [600 + 7 * i, 20]] })),
    series: hosts.map(([idClass, slope], i) => ({
      device: `unit-${i}`, deviceModel: models[i] ?? 'laptop.Any.Other', idClass, slope,
      points: Array.from({ length: 50 }, (_, at) => [at * 3, Math.floor(slope === null ? random.uniform() * 65_536
        : (7_000 * i + at * 180 * slope) % 65_536)] as const),
    })),
  };
}
