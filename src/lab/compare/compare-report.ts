/** What `natlens lab compare` finds out, as it is printed, written and drawn. */
import type { MethodFacts } from '../baseline/home-method.ts';
import type { IdentificationStudy } from '../baseline/identification-study.ts';
import type { ModelNames, NameGraph } from '../baseline/name-coverage.ts';
import type { HomesCurve, HomesReport, HomesResult } from '../homes/homes-report.ts';
import type { ModelTraffic } from '../homes/lab-world.ts';

/** One method over all device models that are looked for. */
export type CompareRow = MethodFacts & {
  /** Device models that it can decide on at all, in most seeds; ascending. */
  readonly covered: readonly string[];
  /** Their share of the device models looked for. */
  readonly coverage: number;
  /** Home-days without the device model (and its group) in which it is found, of covered device models together. */
  readonly measuredFpr: number | null;
  readonly fprUpper95: number | null;
  readonly nullHomes: number;
  /** [resultMinutes] means over covered device models, as it decides; null: it covers none. */
  readonly tpr: readonly number[] | null;
  /**
   * [resultMinutes] means over all device models looked for, where `fixedFpr` of the null home-days are found; those
   * that it does not cover count as never found: coverage times TPR at equal FPR.
   */
  readonly foundAtFixedFpr: readonly number[];
  /** The same with the score that none of a seed's null home-days reaches. */
  readonly foundAtZeroFpr: readonly number[];
  /**
   * Where homes that calibrate set the score for the promise, as nobody knows the homes that test beforehand: FPR of
   * covered device models together, and [resultMinutes] coverage times TPR. Of calibrated methods as they decide.
   */
  readonly calibrated: {
    readonly measuredFpr: number | null;
    readonly fprUpper95: number | null;
    readonly found: readonly number[];
  };
  /** Until it is found in half of the homes of covered device models; null: it is not within a day. */
  readonly medianMinutes: number | null;
  /** Milliseconds of one processor for the flows or packets of a home and day. */
  readonly cpuMsPerHomeDay: number;
};

export type CompareReport = {
  readonly format: 1;
  readonly natlensVersion: string;
  readonly dataset: HomesReport['dataset'] & { readonly packets: number; readonly queries: number };
  readonly settings: Omit<HomesReport['settings'], 'libraryShare'>;
  readonly deviceModels: readonly ModelTraffic[];
  /** In the order of the registry: ours last. */
  readonly methods: readonly CompareRow[];
  /** [minutes] of results, [minutes] of curves. */
  readonly resultMinutes: readonly number[];
  readonly curveMinutes: readonly number[];
  readonly curves: readonly HomesCurve[];
  /** Every method and device model. */
  readonly results: readonly HomesResult[];
  /** Of all IoT device models of the data set, looked for or not. */
  readonly names: {
    readonly deviceModels: readonly ModelNames[];
    readonly withThreeOrMore: number;
    readonly withTwo: number;
    readonly withOne: number;
    readonly withNone: number;
  };
  /** Name of the method that detectors of natlens run. */
  readonly ours: string;
  /** Who finds most at equal FPR, ours or another, and what the winner saw: in sentences. */
  readonly outcome: readonly string[];
  readonly graph: NameGraph;
  /** Device model that our method finds least: the red node of Fig. 5. */
  readonly worstModel: string;
  readonly identification: IdentificationStudy;
  /** What whoever reads the figures should know, in sentences. */
  readonly remarks: readonly string[];
};
