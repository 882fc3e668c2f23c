/**
 * Whether a fingerprint is one that flows can show and people can read. Learning asks it of tokens before it keeps
 * them, whoever reads fingerprints from bytes asks it before the matcher takes a broken one for our own bug.
 */
import { limits } from '#base';
import type { Fingerprint, FingerprintToken, TokenFamily } from './fingerprint.ts';
import { formatFingerprintToken, type TokenDescription } from './fingerprint-keys.ts';
import { isToken, prefixDetailMask } from './token.ts';

/** How a family tells a size: exact octets, quarters of the binary logarithm, or not at all. */
export type SizeKind = 'octets' | 'quarters' | 'none';

/** What tokens of each family have besides protocol and class of port. */
export const familyParts: {
  readonly [Family in TokenFamily]:
  { readonly peer: 'prefix' | 'name'; readonly initiator: SizeKind; readonly responder: SizeKind };
} = {
  'prefix-octets': { peer: 'prefix', initiator: 'octets', responder: 'octets' },
  'name-octets': { peer: 'name', initiator: 'octets', responder: 'octets' },
  'prefix-size': { peer: 'prefix', initiator: 'quarters', responder: 'none' },
  'name-size': { peer: 'name', initiator: 'quarters', responder: 'quarters' },
  'prefix': { peer: 'prefix', initiator: 'none', responder: 'none' },
  'accepted': { peer: 'name', initiator: 'none', responder: 'none' },
};

/** Weights are multiples of it, so that sums of some thousands of them are exact. */
export const weightsPerNat = 64;
/** A token above this would decide alone, whatever else a home shows. */
export const tokenWeightMax = 16;

const quartersMax = 255;

/** Could a flow show the token, and is its text the one that tells so, fit for a terminal? */
export function isSoundToken(token: TokenDescription): boolean {
  const { family, text, protocol, portClass, prefix, name, initiatorSize, responderSize } = token;
  const { peer, initiator, responder } = familyParts[family];
  const isPeerSound = peer === 'prefix'
    ? name === undefined && prefix !== undefined && isPrefix(prefix)
    : prefix === undefined && name !== undefined && isName(name);
  // Protocol and class of port are asked of the words of a token that has some prefix.
  return isPeerSound && isWord(portClass) && isWord(protocol) && protocol <= 255 && portClass <= 0x3_ffff &&
    isToken(Uint32Array.of(...prefix ?? [0, 0], protocol * 0x4_0000 + portClass), 0) &&
    isSize(initiatorSize, initiator) && isSize(responderSize, responder) && text === formatFingerprintToken(token);
}

/**
 * What is wrong with a fingerprint.
 *
 * @returns one sentence, or undefined when it is sound
 */
export function describeUnsoundFingerprint({ tokens, libraryUnits }: Fingerprint): string | undefined {
  if (tokens.length > limits.fingerprintTokensMax) {
    return `The fingerprint has ${tokens.length} tokens; ${limits.fingerprintTokensMax} are the most.`;
  }
  if (!Number.isSafeInteger(libraryUnits) || libraryUnits < 0) {
    return 'The fingerprint does not say how many units it was weighed against.';
  }
  for (const [i, token] of tokens.entries()) {
    if (!isSoundToken(token)) return `Token ${i} of the fingerprint is none that a flow can show.`;
    if (!isWeighed(token)) return `Token ${i} of the fingerprint has a weight or share that there cannot be.`;
    if (i > 0 && (tokens[i - 1] as FingerprintToken).text >= token.text) {
      return 'The tokens of the fingerprint are not in the order of their texts, or one is there twice.';
    }
  }
  return undefined;
}

function isWeighed({ weight, recall, prevalence }: FingerprintToken): boolean {
  const isShare = (value: number): boolean => value > 0 && value <= 1;
  return Number.isInteger(weight * weightsPerNat) && weight > 0 && weight <= tokenWeightMax && isShare(recall) &&
    isShare(prevalence);
}

const isWord = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;

const isPrefix = ([word, detail]: readonly [number, number]): boolean =>
  isWord(word) && isWord(detail) && detail <= prefixDetailMask;

const isName = (name: string): boolean =>
  name.length <= limits.fingerprintNameLengthMax && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name);

function isSize(size: number | undefined, kind: SizeKind): boolean {
  if (kind === 'none' || size === undefined) return kind === 'none' && size === undefined;
  return Number.isSafeInteger(size) && size >= 0 && (kind === 'octets' || size <= quartersMax);
}
