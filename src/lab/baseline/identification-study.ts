/**
 * What identifications tell of the homes of a data set: hosts behind a NAT by the chains and the clocks of their
 * queries, held against the devices that are there, and the kind of counter that each device model has.
 */
import { assertInvariant } from '#base';
import { dayMs } from '../homes/compose-homes.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import { studyLinks } from './identification-links.ts';
import { studySignatures } from './identification-signatures.ts';
import type { IdClass } from './ipid-slope.ts';

export type Linker = 'dns-chains' | 'clocks';

/** How well a linker links the queries of hosts with one kind of counter, in homes of all kinds. */
export type LinkRow = {
  readonly linker: Linker;
  /** Counter of the hosts, by all of their queries; `unclear`: of no class. `all`: of all hosts together. */
  readonly hosts: IdClass | 'unclear' | 'all';
  readonly units: number;
  readonly queries: number;
  /** Shares of queries; null: there are none, or none was linked. */
  readonly coverage: number | null;
  readonly accuracy: number | null;
  readonly purity: number | null;
  /** The same of flows by the query before them; null for clocks, which link packets alone. */
  readonly flowCoverage: number | null;
  readonly flowAccuracy: number | null;
};

/** Hosts that a linker counts in homes, beside those that asked anything. */
export type HostCountRow = {
  readonly linker: Linker;
  readonly homes: number;
  /** Means over homes. A device that was set up anew counts anew, and is a host of its own. */
  readonly asking: number;
  /** Those of them whose counter is one that the linker was made for. */
  readonly countable: number;
  readonly counted: number;
  /** Between `counted` and `asking`. */
  readonly absoluteError: number;
};

export type SignatureRow = {
  readonly deviceModel: string;
  /**
   * DNS queries, as Meidan et al. 2019 have it; all packets to each destination where queries are too few, or of no
   * class: those are mixed on Linux, where every TCP connection counts by itself.
   */
  readonly basis: 'queries' | 'packets';
  /** Null: there were too few steps, or no class is likely. */
  readonly idClass: IdClass | null;
  /** Identifications a second, median and quartiles; null: there is none. */
  readonly slope: number | null;
  readonly slopeQuartiles: readonly [number, number] | null;
  /** Share of steps that are 1; null without steps. */
  readonly nextShare: number | null;
  readonly steps: number;
  /**
   * As a veto: the share of hours that its signature, learned from training parts, takes for another kernel's, of its
   * own units outside of those parts, and of all other units. Null: there are no such hours, or no class.
   */
  readonly ownVetoed: number | null;
  readonly othersVetoed: number | null;
};

/** Increments of a device model's queries, as Fig. 4b of Meidan et al. 2019 shows them: step, and how many. */
export type IncrementCounts = { readonly deviceModel: string; readonly counts: readonly (readonly [number, number])[] };

/** Identifications of the queries of one unit over time, as Fig. 4c and 4d: minutes from its first, identification. */
export type IdSeries = {
  readonly device: string;
  readonly deviceModel: string;
  readonly idClass: IdClass | null;
  /** Identifications a second; null: there is none. */
  readonly slope: number | null;
  readonly points: readonly (readonly [number, number])[];
};

export type IdentificationStudy = {
  readonly homes: number;
  readonly homeHours: number;
  readonly links: readonly LinkRow[];
  readonly hostCounts: readonly HostCountRow[];
  /** Of all device models with packets, by name. */
  readonly signatures: readonly SignatureRow[];
  readonly increments: readonly IncrementCounts[];
  readonly series: readonly IdSeries[];
};

export type StudyOptions = {
  readonly seed: number;
  readonly homes: number;
  readonly homeMs: number;
  /** So many homes are done. */
  readonly onHome?: (homes: number) => void;
};

/** @param world  with traces */
export function studyIdentification(
  { units, traces }: Pick<LabWorld, 'units' | 'traces'>,
  options: Omit<StudyOptions, 'homeMs'> & Partial<StudyOptions>,
): IdentificationStudy {
  assertInvariant(traces !== undefined, 'identifications of a world without packets');
  const settings: StudyOptions = { ...options, homeMs: options.homeMs ?? dayMs };
  return {
    homes: settings.homes, homeHours: settings.homeMs / 3_600_000,
    ...studyLinks(units, traces, settings), ...studySignatures(units, traces),
  };
}
