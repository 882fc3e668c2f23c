/** What `natlens lab homes` finds out, as it is printed and written. */
import type { LookCount } from './count-looks.ts';
import type { MethodFacts } from '../baseline/home-method.ts';
import type { TrialOutcome } from './home-trial.ts';
import type { ModelTraffic } from './lab-world.ts';

/** After so many minutes it is said how many homes are found; the last is a day. */
export const resultMinutes = [10, 60, 360, 1_440] as const;
/** Points of curves against time. */
export const curveMinutes: readonly number[] = [1, 2, 5, 10, 20, 30, 60, 120, 240, 360, 720, 1_440];

/** What a method says of a home in which it finds the device model; `unfit`: it never says anything. */
export type HomesVerdict = 'present' | 'one of' | 'unfit';

/** One method, device model and time, over all seeds. */
export type HomesResult = {
  readonly method: string;
  readonly deviceModel: string;
  readonly windowMinutes: number;
  /** False alarms per home-day that the method is calibrated to; null: it promises nothing. */
  readonly promisedFpr: number | null;
  /** Home-days without the device model (and its group) in which it was found, whatever `windowMinutes` is. */
  readonly measuredFpr: number;
  readonly fprUpper95: number;
  readonly nullHomes: number;
  /** Homes with the device model in which it was found so many minutes after its first flow. */
  readonly tpr: number;
  readonly positiveHomes: number;
  readonly group: readonly string[];
  readonly verdict: HomesVerdict;
  /** Share found where `fixedFpr` of the null home-days of a seed are found, too. */
  readonly tprAtFixedFpr: number;
  readonly seeds: number;
  /** Seeds in which as many false alarms as were counted are no surprise if the promise is true. */
  readonly seedsWithinPromise: number;
  /** By reason: seeds in which it would say nothing. */
  readonly unfit: Readonly<Record<string, number>>;
};

/** Of one method against time: means over device models. */
export type HomesCurve = {
  readonly method: string;
  /** [minutes] as calibrated, and at `fixedFpr`. */
  readonly tpr: readonly number[];
  readonly tprAtFixedFpr: readonly number[];
};

/** False alarms of a method, all device models together. */
export type HomesOverall = Pick<HomesResult, 'method' | 'measuredFpr' | 'fprUpper95' | 'nullHomes'>;

/** A method with a part of the library: all device models and seeds together. */
export type LibraryPoint = {
  readonly method: string;
  readonly libraryShare: number;
  /** Mean over trials. */
  readonly libraryUnits: number;
  readonly measuredFpr: number;
  readonly fprUpper95: number;
  readonly nullHomes: number;
  /** Share of the trials in which it says nothing. */
  readonly abstains: number;
  readonly tprHour: number;
};

/** Null home-days of a method by how often one looks: all device models and seeds together. */
export type LookPoint = HomesOverall & Pick<LookCount, 'calibratedOn' | 'promisedFpr' | 'lookMinutes'>;

/** A day of a million homes, some of which have the device model. */
export type BaseRate = {
  readonly method: string;
  /** Share of the homes that have it. */
  readonly ownership: number;
  readonly rightAlarms: number;
  readonly falseAlarms: number;
  /** If the share of false alarms is its upper bound. */
  readonly falseAlarmsUpper: number;
};

export type HomesReport = {
  readonly format: 1;
  readonly natlensVersion: string;
  readonly dataset: {
    readonly name: string;
    readonly isSimulated: boolean;
    readonly note: string;
    readonly devices: number;
    readonly flows: number;
  };
  readonly settings: {
    readonly seeds: number;
    readonly libraryShare: number;
    readonly falseAlarmsPerMonth: number;
    readonly calibrationHomes: number;
    readonly nullHomesPerSeed: number;
    readonly positiveHomesPerSeed: number;
    readonly windowMinutes: number;
    readonly fixedFpr: number;
    readonly knowsAllModels: boolean;
  };
  readonly methods: readonly MethodFacts[];
  readonly deviceModels: readonly ModelTraffic[];
  readonly results: readonly HomesResult[];
  readonly overall: readonly HomesOverall[];
  readonly curveMinutes: readonly number[];
  readonly curves: readonly HomesCurve[];
  readonly looks: readonly LookPoint[];
  readonly library: readonly LibraryPoint[];
  readonly baseRates: readonly BaseRate[];
  readonly trials: readonly TrialOutcome[];
  /** What whoever reads the figures should know, in sentences. */
  readonly remarks: readonly string[];
};
