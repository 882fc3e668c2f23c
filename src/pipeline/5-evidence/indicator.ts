/** Indicators: destinations that say that a device was broken into. A hit is a reason to act beyond presence. */
import type { Prefix } from '#base';

/** A destination that says that a device was broken into. */
export type Indicator = {
  readonly name: string;
  /** Empty: for every device model. */
  readonly deviceModels: readonly string[];
  readonly destination: Prefix | undefined;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number | undefined;
};

/** A flow of a home that went to an indicator's destination. */
export type IndicatorHit = {
  readonly home: string;
  /** Name of the indicator. */
  readonly indicator: string;
  readonly deviceModels: readonly string[];
  /** Addresses in text. */
  readonly homeAddress: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly flowMs: number;
};
