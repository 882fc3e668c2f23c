/**
 * What one flow says, as text, straight from the columns: the definition of docs/evidence.md read once more, by other
 * code than the detector's. Slow and plain.
 */
import { addressWords, formatAddress, formatIPv4, isMapped } from '#base';
import { isPrivate, type FlowBatch } from '#flow';

/** The token of a row, such as `tcp/443 198.51.100.0/24 2^11`. */
export function describeToken(batch: FlowBatch, row: number): string {
  return `${describeService(batch, row)} ${describePrefix(batch, row)} 2^${describeSize(batch, row)}`;
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
