/**
 * What a flow could say of a device model: one token of each family (docs/evidence.md). Learning counts them, the
 * matcher finds learned ones again, and both read sizes and prefixes of a flow by the functions of this file.
 */
import { readPortClass } from '#feature';
import type { FlowBatch } from '#flow';
import { tokenFamilies, type FingerprintToken, type TokenFamily } from './fingerprint.ts';
import { formatPrefix, formatService, prefixDetailMask, readToken, sizeBinOf, tokenWords } from './token.ts';

/** A token before it is weighed. */
export type TokenDescription = Omit<FingerprintToken, 'weight' | 'recall' | 'prevalence'>;

/** Smallest numbers whose fourth power is at least 2, 4 and 8: `2 ** 0.25` itself is a little less. */
const quarterBounds = [1.1892071150027212, Math.SQRT2, 1.6817928305074292] as const;

/** 1, ½, ¼, …: a product is ten times as fast as a power. */
const inversePowers = Float64Array.from({ length: 64 }, (_, i) => 2 ** -i);

/** Quarters of the binary logarithm, rounded down: of n octets the whole binary logarithm of n⁴, exactly; 0..255. */
export function quarterBinOf(octets: number): number {
  const whole = sizeBinOf(octets);
  const part = octets * (inversePowers[whole] as number);
  const quarter = part >= quarterBounds[1] ? (part >= quarterBounds[2] ? 3 : 2) : (part >= quarterBounds[0] ? 1 : 0);
  return Math.min(255, 4 * whole + quarter);
}

/** Whole octets; what is no number of octets counts as none. */
export function wholeOctetsOf(octets: number): number {
  return octets >= 1 ? Math.floor(octets) : 0;
}

/**
 * The tokens of a row, one for each family, in their order. That of family `accepted` is one only where the per-flow
 * classifier accepts the flow.
 */
export function describeTokens(batch: FlowBatch, row: number): readonly TokenDescription[] {
  const { columns } = batch;
  const protocol = columns.protocolIdentifier[row] as number;
  const portClass = portClassOf(batch, row);
  const words = new Uint32Array(tokenWords);
  readToken(batch, row, portClass, words);
  const prefix = [words[0] as number, (words[1] as number) & prefixDetailMask] as const;
  const name = batch.dictionaries.applicationName.decode(columns.applicationName[row] as number);
  const octets = [columns.initiatorOctets, columns.responderOctets].map((column) =>
    wholeOctetsOf(column[row] as number)) as [number, number];
  return tokenFamilies.map((family) => describeFamily(family, { protocol, portClass, prefix, name, octets }));
}

type FlowParts = {
  readonly protocol: number;
  readonly portClass: number;
  readonly prefix: readonly [number, number];
  readonly name: string;
  /** Of the initiator and of the responder. */
  readonly octets: readonly [number, number];
};

function describeFamily(family: TokenFamily, { protocol, portClass, prefix, name, octets }: FlowParts):
TokenDescription {
  const parts = { family, protocol, portClass };
  const [initiatorOctets, responderOctets] = octets;
  switch (family) {
    case 'prefix-octets':
      return withText({ ...parts, prefix, initiatorSize: initiatorOctets, responderSize: responderOctets });
    case 'name-octets':
      return withText({ ...parts, name, initiatorSize: initiatorOctets, responderSize: responderOctets });
    case 'prefix-size':
      return withText({ ...parts, prefix, initiatorSize: quarterBinOf(initiatorOctets) });
    case 'name-size':
      return withText({ ...parts, name, initiatorSize: quarterBinOf(initiatorOctets),
        responderSize: quarterBinOf(responderOctets) });
    case 'prefix':
      return withText({ ...parts, prefix });
    case 'accepted':
      return withText({ ...parts, name });
    default:
      return family satisfies never;
  }
}

function withText(token: Omit<TokenDescription, 'text'>): TokenDescription {
  return { ...token, text: formatFingerprintToken(token) };
}

/**
 * Text of a token, such as `tcp/8883 MQTT.Amazon 222/142`: service, prefix or name, size. Of two tokens with one text
 * all parts are the same.
 */
export function formatFingerprintToken(token: Omit<TokenDescription, 'text'>): string {
  const { family, protocol, portClass, prefix, name, initiatorSize, responderSize } = token;
  const service = formatService(protocol, portClass);
  const peer = prefix === undefined ? formatName(name ?? '') : formatPrefix(prefix[0], prefix[1]);
  switch (family) {
    case 'prefix-octets':
    case 'name-octets':
      return `${service} ${peer} ${initiatorSize}/${responderSize}`;
    case 'prefix-size':
      return `${service} ${peer} ${formatQuarters(initiatorSize ?? 0)}`;
    case 'name-size':
      return `${service} ${peer} ${formatQuarters(initiatorSize ?? 0)}/${formatQuarters(responderSize ?? 0)}`;
    case 'prefix':
      return `${service} ${peer}`;
    case 'accepted':
      return `${service} ${peer} accepted`;
    default:
      return family satisfies never;
  }
}

function formatQuarters(quarters: number): string {
  return `2^${(quarters / 4).toFixed(2)}`;
}

/** Names come from exporters: what could be taken for another part of a token, or for none, is written as JSON. */
function formatName(name: string): string {
  if (name === '') return '-';
  return /^[A-Za-z_][\w.+-]*$/.test(name) && name !== 'private' ? name : JSON.stringify(name);
}

function portClassOf({ columns }: FlowBatch, row: number): number {
  const out = new Uint32Array(1);
  readPortClass({
    destinationTransportPort: columns.destinationTransportPort.subarray(row, row + 1),
    protocolIdentifier: columns.protocolIdentifier.subarray(row, row + 1),
    icmpTypeCodeIPv4: columns.icmpTypeCodeIPv4.subarray(row, row + 1),
    icmpTypeCodeIPv6: columns.icmpTypeCodeIPv6.subarray(row, row + 1),
  }, 1, out);
  return out[0] as number;
}
