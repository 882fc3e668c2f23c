/**
 * What one flow says, as text, straight from the columns: the definition of docs/evidence.md read once more, by other
 * code than the detector's. Slow and plain.
 */
import { addressWords, formatAddress, formatIPv4, isMapped } from '#base';
import type { Fingerprint, FingerprintToken, TokenFamily } from '#evidence';
import { isPrivate, type FlowBatch } from '#flow';

/** The token of a row, such as `tcp/443 198.51.100.0/24 2^11`. */
export function describeToken(batch: FlowBatch, row: number): string {
  return `${describeService(batch, row)} ${describePrefix(batch, row)} 2^${describeSize(batch, row)}`;
}

/** What weighs the same, the most particular first. */
const familyOrder: readonly TokenFamily[] =
  ['prefix-octets', 'name-octets', 'prefix-size', 'name-size', 'prefix', 'accepted'];

/**
 * The token of a fingerprint that a row shows: of those that are there and that it could say, the heaviest, and of
 * equally heavy ones the most particular.
 */
export function findShownToken(batch: FlowBatch, row: number, isAccepted: boolean, { tokens }: Fingerprint):
FingerprintToken | undefined {
  const sayable = describeFamilies(batch, row);
  const shown = tokens.filter(({ family, text }) =>
    sayable[family] === text && (family !== 'accepted' || isAccepted));
  return shown.sort((a, b) => b.weight - a.weight || familyOrder.indexOf(a.family) - familyOrder.indexOf(b.family))[0];
}

/** What a row could say, family by family. */
function describeFamilies(batch: FlowBatch, row: number): Readonly<Record<TokenFamily, string>> {
  const { initiatorOctets, responderOctets } = batch.columns;
  const [sent, received] = [wholeOctets(initiatorOctets[row]), wholeOctets(responderOctets[row])];
  const service = describeService(batch, row);
  const withPrefix = `${service} ${describePrefix(batch, row)}`;
  const withName = `${service} ${describeName(batch, row)}`;
  return {
    'prefix-octets': `${withPrefix} ${sent}/${received}`,
    'name-octets': `${withName} ${sent}/${received}`,
    'prefix-size': `${withPrefix} ${describeQuarters(sent)}`,
    'name-size': `${withName} ${describeQuarters(sent)}/${describeQuarters(received)}`,
    prefix: withPrefix,
    accepted: `${withName} accepted`,
  };
}

function wholeOctets(octets: number | undefined): bigint {
  return BigInt(Math.floor(octets ?? 0));
}

/** The layer-7 name, quoted where it could be taken for something else; `-` where there is none. */
function describeName({ columns, dictionaries }: FlowBatch, row: number): string {
  const name = dictionaries.applicationName.decode(columns.applicationName[row] as number);
  if (name === '') return '-';
  const [first = '', ...rest] = name;
  const isPlain = /[A-Za-z_]/.test(first) && rest.every((letter) => /[A-Za-z0-9_.+-]/.test(letter));
  return isPlain && name !== 'private' ? name : JSON.stringify(name);
}

/** A quarter of the binary digits of the fourth power, less one: the binary logarithm in quarters, rounded down. */
function describeQuarters(octets: bigint): string {
  const quarters = Math.min((octets ** 4n).toString(2).length - 1, 255);
  return `2^${(quarters / 4).toFixed(2)}`;
}

/** Protocol, and port or what ICMP has in its place. Ports that nobody registers (RFC 6335 §6) are one. */
function describeService({ columns }: FlowBatch, row: number): string {
  const protocol = columns.protocolIdentifier[row] as number;
  const describeIcmp = (typeAndCode: number): string => `${Math.floor(typeAndCode / 256)}.${typeAndCode % 256}`;
  if (protocol === 1) return `icmp/${describeIcmp(columns.icmpTypeCodeIPv4[row] as number)}`;
  if (protocol === 58) return `icmpv6/${describeIcmp(columns.icmpTypeCodeIPv6[row] as number)}`;
  const names: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp' };
  const port = columns.destinationTransportPort[row] as number;
  return `${names[protocol] ?? `ip${protocol}`}/${port >= 49_152 ? 'dynamic' : port}`;
}

/** The /24 of IPv4, also where it is reached through NAT64 (RFC 6052 §2.1); the /48 of IPv6; one for all inside. */
function describePrefix({ columns: { destinationAddress } }: FlowBatch, row: number): string {
  const at = row * addressWords;
  if (isPrivate(destinationAddress, at)) return 'private';
  const [first, second, third, last] = destinationAddress.subarray(at, at + addressWords) as unknown as
    [number, number, number, number];
  const isNat64 = first === 0x0064_ff9b && second === 0 && third === 0;
  if (isMapped(destinationAddress, at) || isNat64) return `${formatIPv4(last - last % 256)}/24`;
  return `${formatAddress(Uint32Array.of(first, second - second % 0x1_0000, 0, 0), 0)}/48`;
}

/** Binary digits of the octets, less one. */
function describeSize({ columns: { initiatorOctets } }: FlowBatch, row: number): number {
  const octets = BigInt(Math.floor(initiatorOctets[row] as number));
  return Math.min(octets.toString(2).length - 1, 63);
}
