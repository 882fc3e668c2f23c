/**
 * What a data set is: a folder with `manifest.json` and one Parquet file for each device, its flows out of the home in
 * order of time. The manifest says where the flows are from, how they were made, and where every flow that was read
 * went. Nothing in it depends on when or where it was written.
 */
import type { FlowSetInfo } from '#flow';
import type { DeviceKind } from '../inventory/inventory-table.ts';

export const manifestName = 'manifest.json';
export const manifestFormat = 1;

/** Parts of a device's time (Meidan et al. 2019 §4): the earliest 70 %, the next 10 %, the latest 20 % of its flows. */
export const partitions = ['train', 'validation', 'test'] as const;
export type Partition = (typeof partitions)[number];

/** A file that was read. */
export type DatasetSource = {
  /** Relative to the folder of the inventory, with forward slashes. */
  readonly path: string;
  readonly is: 'inventory' | 'capture' | 'flows';
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  readonly bytes: number;
};

/** One unit, and its file. */
export type DatasetDevice = {
  readonly device: string;
  readonly deviceModel: string;
  readonly kind: DeviceKind;
  readonly mac?: string;
  readonly address?: string;
  /** Relative to the folder of the data set. */
  readonly file: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
  readonly bytes: number;
  readonly flows: number;
  /** Start of the first and of the last flow. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Flows of each part; in the file they stand one part behind the other. */
  readonly train: number;
  readonly validation: number;
  readonly test: number;
  /** How the flows were made, as far as that is known. */
  readonly made: FlowSetInfo;
};

/** Why a flow that was read is not in the data set. */
export const leftOutReasons = ['no-device', 'responder-only', 'inside', 'duplicate'] as const;
export type LeftOutReason = (typeof leftOutReasons)[number];

/** `read = labelled + the sum of leftOut`; rows of flow files that cannot be read are counted beside it. */
export type DatasetCounts = {
  readonly read: number;
  readonly labelled: number;
  readonly leftOut: Readonly<Record<LeftOutReason, number>>;
  /** Packets of captures and rows of flow files that gave no flow, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
};

export type DatasetManifest = {
  readonly format: typeof manifestFormat;
  readonly madeBy: string;
  readonly name: string;
  /** The traffic is made up by a simulator: said by the inventory. */
  readonly isSimulated: boolean;
  /** Where the data are from and under which licence, as the inventory or the person at the keyboard said. */
  readonly note: string;
  readonly parameters: {
    readonly l7Source: FlowSetInfo['l7Source'];
    readonly l7Version: string;
    readonly activeTimeoutMs: number;
    readonly idleTimeoutMs: number;
    /** Shares of train and validation, in tenths. */
    readonly trainTenths: number;
    readonly validationTenths: number;
  };
  readonly counts: DatasetCounts;
  readonly sources: readonly DatasetSource[];
  readonly devices: readonly DatasetDevice[];
  /** What whoever uses the data set should know, in sentences: MACs that are shared, sources that were cut. */
  readonly remarks: readonly string[];
};

const trainTenths = 7;
const validationTenths = 1;
export const splitTenths = { trainTenths, validationTenths } as const;

/** Flows of each part, of a device with so many. Whole numbers: 0.7 times a count may fall short of one. */
export function splitCounts(flows: number): { train: number; validation: number; test: number } {
  const train = Math.floor(flows * trainTenths / 10);
  const validation = Math.floor(flows * (trainTenths + validationTenths) / 10) - train;
  return { train, validation, test: flows - train - validation };
}

/** The part that row `i` of a device's flows lies in. */
export function partitionOf(i: number, { train, validation }: { train: number; validation: number }): Partition {
  if (i < train) return 'train';
  return i < train + validation ? 'validation' : 'test';
}
