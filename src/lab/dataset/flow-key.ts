/** What tells a flow from every other: times, addresses, ports, protocol and counters. Two with the same are copies. */
import { addressWords } from '#base';
import type { FlowBatch } from '#flow';

/** Key of a row: equal for copies of a flow, whatever file they are from. */
export function flowKey({ columns }: FlowBatch, row: number): string {
  const { sourceAddress: from, destinationAddress: to } = columns;
  const at = row * addressWords;
  return [
    columns.flowStartMilliseconds[row], columns.flowEndMilliseconds[row], columns.protocolIdentifier[row],
    columns.sourceTransportPort[row], columns.destinationTransportPort[row], columns.icmpTypeCodeIPv4[row],
    columns.initiatorOctets[row], columns.responderOctets[row], columns.initiatorPackets[row],
    columns.responderPackets[row], from[at], from[at + 1], from[at + 2], from[at + 3], to[at], to[at + 1], to[at + 2],
    to[at + 3],
  ].join(' ');
}
