/**
 * What a detector is told, as a value: read from TOML by `read-config.ts`, explained by `explain-config.ts`, each key a
 * row of `config-keys.ts`. Durations are in ms, sizes in bytes; nothing here is optional that has a default.
 */
import type { AddressWords, Prefix } from '#base';
import type {
  BlockOptions, DeviceModelNotes, HomeContact, LadderOptions, MailOptions, SyslogOptions, WebhookOptions,
} from '#action';
import type { ListenAddress } from '#capture/listen';
import type { EvidenceOptions, Indicator } from '#evidence';
import type { L7Source } from '#flow';
import type { ThresholdChoice } from '#score';
import type { FalseAlarmBudget, VerdictOptions } from '#verdict';

/** How homes are told apart. */
export type HomeMapping = 'single' | 'exporter' | 'interface' | 'address';
export const homeMappings: readonly HomeMapping[] = ['single', 'exporter', 'interface', 'address'];

/** One home that the config names. */
export type HomeEntry = HomeContact & {
  readonly exporter: AddressWords | undefined;
  /** Index (SNMP) that the home's packets come in by. */
  readonly interfaceIndex: number | undefined;
  readonly prefixes: readonly Prefix[];
  readonly optedOut: boolean;
};

export type DetectorConfig = {
  /** Where it was read from; empty: no file. */
  readonly file: string;
  /** Keys and sections that the file gives (`input.listen`, `mail`); the others are at their defaults. */
  readonly given: ReadonlySet<string>;
  /** Of the detector, in logs and metrics. */
  readonly name: string;
  readonly stateFolder: string;
  /** Nothing is executed; what would be is audited. */
  readonly dryRun: boolean;
  readonly input: {
    readonly listen: readonly ListenAddress[];
    /** Who may send; empty: everybody, which is warned about. */
    readonly exporters: readonly Prefix[];
    readonly receiveBufferBytes: number;
    /** Joins one-way records to biflows. */
    readonly pair: boolean;
    /** How long a one-way record waits for its other direction. */
    readonly pairWaitMs: number;
    readonly renormalise: boolean;
    /** How the flows are made: classifiers that need others are refused. */
    readonly l7: L7Source;
    readonly activeTimeoutMs: number;
    readonly idleTimeoutMs: number;
    /** How far a flow's end may lie from its arrival before the arrival is believed instead. */
    readonly clockSkewMs: number;
  };
  readonly homes: {
    readonly map: HomeMapping;
    /** Name of the one home of `single`. */
    readonly name: string;
    /** Addresses of the homes' side; empty: private ones, and where there are none both sides. */
    readonly inside: readonly Prefix[];
    /** What is done about homes that no entry names; `observe` names them itself. */
    readonly unlisted: 'observe' | 'ignore';
    readonly list: readonly HomeEntry[];
  };
  readonly classifiers: {
    readonly folder: string;
    readonly pollMs: number;
    /** Percentile of the validation flows, or the algorithm's own. */
    readonly threshold: ThresholdChoice;
    readonly allowUnfit: boolean;
  };
  readonly evidence: EvidenceOptions;
  readonly verdict: VerdictOptions;
  /** What calibrated classifiers may spend. */
  readonly falseAlarms: FalseAlarmBudget;
  readonly ladder: LadderOptions;
  /** Undefined: no mail. */
  readonly mail: MailOptions | undefined;
  readonly webhooks: readonly WebhookOptions[];
  readonly syslogs: readonly SyslogOptions[];
  /** Undefined: no blocking. */
  readonly block: BlockOptions | undefined;
  readonly indicators: readonly Indicator[];
  readonly deviceModels: readonly DeviceModelNotes[];
  readonly retention: {
    /** Homes without flows. */
    readonly homesMs: number;
    /** Verdicts that expired, and finished actions. */
    readonly verdictsMs: number;
    readonly auditMs: number;
  };
  readonly checkpointMs: number;
  /** Undefined: no metrics and no health endpoint. */
  readonly metrics: { readonly address: string; readonly port: number } | undefined;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
};
