/**
 * Which flows are a home's outward ones (Meidan et al. 2019 §4: only these matter): from inside, to one host outside.
 * The detector and the lab ask this file, so that both look at the same flows.
 */
import { addressWords, isInPrefix, isMapped, type Prefix } from '#base';
import { isGlobalUnicast, isPrivate, type FlowBatch } from '#flow';

/**
 * Is a flow one that a home sends to the outside?
 *
 * With prefixes: its source lies in one, its destination in none, and that is one host (no multicast, no broadcast).
 * Without: its destination is global unicast. A source that is not private is then the initiator's side of flows that
 * were metered outside a NAT, where nothing is private; who can name the homes' addresses should, as a scanner that
 * calls at a home is such an initiator, too.
 *
 * @param inside  prefixes of the homes' side; empty: private addresses
 */
export function isOutward({ columns }: FlowBatch, row: number, inside: readonly Prefix[]): boolean {
  const { sourceAddress, destinationAddress } = columns;
  const at = row * addressWords;
  if (inside.length === 0) return isGlobalUnicast(destinationAddress, at) && isHost(sourceAddress, at);
  return isInAny(sourceAddress, at, inside) && !isInAny(destinationAddress, at, inside) &&
    isHost(destinationAddress, at);
}

function isInAny(words: Uint32Array, at: number, prefixes: readonly Prefix[]): boolean {
  for (let i = 0; i < prefixes.length; i++) {
    if (isInPrefix(words, at, prefixes[i] as Prefix)) return true;
  }
  return false;
}

/** An address of one host, private or not, that a router hands on: neither multicast, broadcast nor link-local. */
function isHost(words: Uint32Array, at: number): boolean {
  if (isGlobalUnicast(words, at)) return true;
  if (!isPrivate(words, at)) return false;
  if (!isMapped(words, at)) return (words[at] as number) >>> 25 === 0x7e;
  const last = words[at + 3] as number;
  return last >>> 16 !== 0xa9fe && last >>> 24 !== 127;
}
