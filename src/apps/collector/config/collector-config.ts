/**
 * What a collector is told, as a value: read from TOML and options by `read-config.ts`, each key a row of
 * `config-keys.ts`. Durations are in ms, sizes in bytes; paths are absolute.
 */
import type { Prefix } from '#base';
import type { ListenAddress } from '#capture/listen';
import type { L7Source } from '#flow';

export type TlsFiles = {
  readonly keyFile: string;
  readonly certificateFile: string;
  readonly authoritiesFile: string;
  /** Names of certificates that may come in; empty: all. */
  readonly names: readonly string[];
};

export type OutputConfig = {
  readonly folder: string;
  readonly rotateMs: number;
  readonly fileBytesMax: number;
  readonly compression: 'none' | 'zstd';
  /** Undefined: all files are kept. */
  readonly keepBytesMax: number | undefined;
  readonly keepMs: number | undefined;
};

export type CollectorPlace = { readonly address: string; readonly port: number };

export type CollectorConfig = {
  /** Where it was read from; empty: options alone. */
  readonly file: string;
  /** Keys and sections that the file or an option gives; the others are at their defaults. */
  readonly given: ReadonlySet<string>;
  readonly stateFolder: string;
  readonly checkpointMs: number;
  readonly input: {
    readonly listen: readonly ListenAddress[];
    /** Who may send; empty: everybody. */
    readonly exporters: readonly Prefix[];
    /** Datagrams a second of one exporter; 0: no limit. */
    readonly rateLimit: number;
    readonly rateBurst: number;
    readonly receiveBufferBytes: number;
    readonly ringBytes: number;
    readonly isNative: boolean;
  };
  readonly tls: TlsFiles | undefined;
  readonly flows: {
    readonly renormalise: boolean;
    readonly pair: boolean;
    readonly pairWaitMs: number;
    readonly l7: L7Source;
  };
  /** Undefined: no files. */
  readonly output: OutputConfig | undefined;
  readonly forward: readonly CollectorPlace[];
  /** Config file of a detector in the same process. */
  readonly detectorConfig: string | undefined;
  readonly metrics: CollectorPlace | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
};
