/**
 * Fingerprint of a device model: the tokens that its flows show and others' hardly do, each with a weight, learned on
 * its training flows against a background library of other units (`#classifier/train`). Types only; the matcher finds
 * them in flows. A flow shows at most one token of a fingerprint: of those that it matches, the heaviest; of equally
 * heavy ones the most particular, so that what differs counts as different.
 */

/**
 * What a token looks at besides protocol and class of port, from the most particular to the most general. `name` is the
 * flow's layer-7 name (`MQTT.Amazon`), which stays when clouds rotate addresses; octets are exact, of both directions;
 * a size is the binary logarithm in quarters. `accepted`: the name of a flow that the per-flow classifier accepts.
 */
export const tokenFamilies =
  ['prefix-octets', 'name-octets', 'prefix-size', 'name-size', 'prefix', 'accepted'] as const;
export type TokenFamily = (typeof tokenFamilies)[number];

export type FingerprintToken = {
  readonly family: TokenFamily;
  /** Of a flow as it is written in evidence, such as `tcp/8883 MQTT.Amazon 222/142`; unlike every other token's. */
  readonly text: string;
  readonly protocol: number;
  /** As `readPortClass` has it. */
  readonly portClass: number;
  /** Of families with a prefix: as words 0 and 1 (without size) of `token.ts`. */
  readonly prefix?: readonly [number, number];
  /** Of families with a name. */
  readonly name?: string;
  /** Exact octets, or quarters of binary logarithms: of the initiator, and of the responder where the family has it. */
  readonly initiatorSize?: number;
  readonly responderSize?: number;
  /** What it adds to the score, in nats: a multiple of 1/64 (sums are exact in any order), above 0. */
  readonly weight: number;
  /** Share of the device model's hours that show it, 0..1. */
  readonly recall: number;
  /** Share of the library's units that show it in an hour, smoothed, 0..1. */
  readonly prevalence: number;
};

export type Fingerprint = {
  /** At most `limits.fingerprintTokensMax`; ascending by text. */
  readonly tokens: readonly FingerprintToken[];
  /** Units of the background library that it was weighed against. */
  readonly libraryUnits: number;
};

/** [row] of flows that show none of a fingerprint's tokens. */
export const noToken = 0xffff_ffff;
