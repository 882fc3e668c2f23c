/**
 * Who initiated a conversation: the side inside the home, else the sender of the SYN, else the sender of the first
 * packet. Inside means within the given prefixes or, without any, a private address that talks to a global one.
 */
import { isInPrefix, isMapped, tcpAck, tcpSyn, type Prefix } from '#base';
import * as header from './header-slab.ts';
import type { HeaderSlab } from './header-slab.ts';

/**
 * True when the packet's source is the initiator.
 *
 * @param home  prefixes of the home; empty: private addresses are the home
 */
export function isFromInitiator(slab: HeaderSlab, slot: number, home: readonly Prefix[]): boolean {
  const { words } = slab;
  const at = slot * header.headerWords;
  const source = at + header.hSource;
  const destination = at + header.hDestination;
  const isInside = (address: number): boolean => home.length > 0
    ? isInAny(words, address, home) : isPrivate(words, address);
  const sourceInside = isInside(source);
  if (sourceInside !== isInside(destination)) {
    if (home.length > 0 || isGlobalUnicast(words, sourceInside ? destination : source)) return sourceInside;
  }
  const flags = words[at + header.hTcpFlags] as number;
  if ((flags & tcpSyn) !== 0) return (flags & tcpAck) === 0;
  return true;
}

function isInAny(words: Uint32Array, at: number, prefixes: readonly Prefix[]): boolean {
  for (const prefix of prefixes) {
    if (isInPrefix(words, at, prefix)) return true;
  }
  return false;
}

/** RFC 1918, RFC 6598 (shared), RFC 3927 and RFC 4291 (link-local), RFC 4193 (unique local), loopback. */
export function isPrivate(words: Uint32Array, at: number): boolean {
  const last = words[at + 3] as number;
  if (isMapped(words, at)) {
    return last >>> 24 === 10 || last >>> 20 === 0xac1 || last >>> 16 === 0xc0a8 || last >>> 22 === 0x191 ||
      last >>> 16 === 0xa9fe || last >>> 24 === 127;
  }
  const first = words[at] as number;
  if (first >>> 25 === 0x7e || first >>> 22 === 0x3fa) return true;
  return first === 0 && words[at + 1] === 0 && words[at + 2] === 0 && last === 1;
}

/** An address of one host that the Internet routes: not private, multicast, broadcast or "this network". */
export function isGlobalUnicast(words: Uint32Array, at: number): boolean {
  if (isPrivate(words, at)) return false;
  if (isMapped(words, at)) {
    const top = (words[at + 3] as number) >>> 24;
    return top !== 0 && top < 224;
  }
  return (words[at] as number) >>> 29 === 1;
}
