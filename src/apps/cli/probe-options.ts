/** What `natlens probe` can be asked for. */
import type { Prefix } from '#base';
import type { L7Source, Sampling, SamplingWay } from '#flow';
import type { CollectorPlace } from './export-run.ts';

/** As commander gives them. */
export type ProbeCommandOptions = {
  readonly to?: CollectorPlace;
  readonly tcp?: boolean;
  readonly v9?: boolean;
  readonly rate: number;
  readonly domain: number;
  readonly output?: string;
  readonly detector?: string;
  readonly l7?: L7Source;
  readonly home?: readonly Prefix[];
  readonly active?: number;
  readonly idle?: number;
  readonly keepDuplicates?: boolean;
  readonly promiscuous?: boolean;
  readonly ring?: number;
  readonly sample?: number;
  readonly sampleWay: SamplingWay;
  readonly seed: number;
  readonly user: string;
  readonly metrics?: CollectorPlace;
  readonly for?: number;
  readonly fast?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** What was asked for, as the meter and the encoder take it; undefined: every packet. */
export function samplingOf({ sample, sampleWay }: ProbeCommandOptions): Sampling | undefined {
  return sample === undefined || sample === 1 ? undefined : { way: sampleWay, interval: sample };
}
