/**
 * What interfaces there are, and what the kernel knows of one (netdevice(7)). Asked through a socket, because `/sys`
 * may show another network namespace than the one that this process is in.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { assertInvariant, parsePrefix, type Prefix } from '#base';
import type { Libc } from './libc.ts';

/** SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX. */
const askName = 0x8910;
const askFlags = 0x8913;
const askMtu = 0x8921;
const askHardware = 0x8927;
const askIndex = 0x8933;
/** `struct ifreq`: 16 bytes of name, 24 of answer. */
const requestBytes = 40;
const answerAt = 16;
const nameBytesMax = 15;
/** IFF_UP. */
const flagUp = 1;

export type InterfaceFacts = {
  readonly index: number;
  /** ARPHRD value. */
  readonly hardwareKind: number;
  readonly mtuBytes: number;
  readonly isUp: boolean;
};

/** What the kernel knows of an interface, or undefined when there is none of that name. @param socket any */
export function findInterface(libc: Libc, socket: number, name: string): InterfaceFacts | undefined {
  const request = new Uint8Array(new ArrayBuffer(requestBytes));
  const answer = new DataView(request.buffer);
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > nameBytesMax || bytes.includes(0)) return undefined;
  const ask = (what: number): boolean => {
    request.fill(0);
    request.set(bytes);
    return libc.ioctl(socket, what, request) === 0;
  };
  if (!ask(askIndex)) return undefined;
  const index = answer.getInt32(answerAt, true);
  // It may go away between two questions.
  if (!ask(askHardware)) return undefined;
  const hardwareKind = answer.getUint16(answerAt, true);
  if (!ask(askMtu)) return undefined;
  const mtuBytes = answer.getInt32(answerAt, true);
  if (!ask(askFlags)) return undefined;
  return { index, hardwareKind, mtuBytes, isUp: (answer.getUint16(answerAt, true) & flagUp) !== 0 };
}

/** Name of the interface of a number now: interfaces can be renamed. */
export function nameOfInterface(libc: Libc, socket: number, index: number): string | undefined {
  const request = new Uint8Array(new ArrayBuffer(requestBytes));
  new DataView(request.buffer).setInt32(answerAt, index, true);
  if (libc.ioctl(socket, askName, request) !== 0) return undefined;
  return new TextDecoder().decode(request.subarray(0, request.indexOf(0)));
}

/** Names of all interfaces that this process can see, in the kernel's order. */
export function listInterfaces(): readonly string[] {
  try {
    return readFileSync('/proc/self/net/dev', 'utf8').split('\n').flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? []);
  } catch {
    // Without /proc: those with an address.
    return Object.keys(networkInterfaces());
  }
}

/** Names shown to whoever mistyped one; a machine with containers has hundreds. */
const namesShownMax = 8;

/** A sentence about a name that no interface has, with those that come nearest. */
export function describeUnknownInterface(name: string, known: readonly string[]): string {
  if (known.length === 0) return `there is no interface ${name}, and no other one that could be seen here`;
  const ranked = known.map((one, place) => ({ one, place, rank: likeness(name, one) }))
    .sort((a, b) => b.rank - a.rank || a.place - b.place).map(({ one }) => one);
  const more = ranked.length - namesShownMax;
  const shown = ranked.slice(0, namesShownMax).join(', ');
  return `there is no interface ${name}; there ${known.length === 1 ? 'is' : 'are'} ${shown}` +
    (more > 0 ? ` and ${more} more (\`ip link\` lists them)` : '');
}

/** How much two names have in common, whatever their case: most at the front, where the kind of interface stands. */
function likeness(a: string, b: string): number {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()];
  const least = Math.min(left.length, right.length);
  let front = 0;
  while (front < least && left[front] === right[front]) front++;
  let back = 0;
  while (back < least - front && left.at(-1 - back) === right.at(-1 - back)) back++;
  return 3 * front + back - Math.abs(left.length - right.length);
}

/** What is private to the meter as well: RFC 1918, 6598, 3927, 4193, 4291, loopback. */
const privatePrefixes = [
  '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8',
  'fc00::/7', 'fe80::/10', '::1/128',
].map(prefixOf);

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  assertInvariant(prefix !== undefined, `${text} is no prefix`);
  return prefix;
}

/**
 * The home as it looks from an interface: every private range, because there may be routers between, and the global
 * IPv6 prefixes of the interface's own addresses, which no NAT hides. Global IPv4 addresses are a provider's side.
 *
 * @param addresses  of all interfaces; given by tests only
 */
export function findInterfaceHome(interfaceName: string,
  addresses: ReturnType<typeof networkInterfaces> = networkInterfaces()): readonly Prefix[] {
  const home = new Map<string, Prefix>();
  for (const { cidr } of addresses[interfaceName] ?? []) {
    // A scope, as in fe80::1%eth0/64, comes with addresses that are not global.
    const prefix = cidr === null ? undefined : parsePrefix(cidr);
    if (prefix === undefined || !isGlobalIPv6(prefix)) continue;
    const words = prefix.words.map((word, i) => maskWord(word, prefix.lengthBits - 32 * i));
    home.set(`${words.join()}/${prefix.lengthBits}`,
      { words: words as unknown as Prefix['words'], lengthBits: prefix.lengthBits });
  }
  return [...privatePrefixes, ...home.values()];
}

/** RFC 4291 §2.4 and the IANA registry: 2000::/3 is what has been given out. */
function isGlobalIPv6({ words, lengthBits }: Prefix): boolean {
  return words[0] >>> 29 === 1 && lengthBits >= 3;
}

function maskWord(word: number, bits: number): number {
  if (bits >= 32) return word;
  return bits <= 0 ? 0 : (word & (0xffffffff << (32 - bits))) >>> 0;
}
