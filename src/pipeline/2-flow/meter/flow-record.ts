/** Turns a record of the flow table into a row of a flow batch. */
import { protocolIcmp, protocolIcmpv6 } from '#base';
import type { FlowBatch } from '../flow-batch.ts';
import * as table from './flow-table.ts';

/** Appends the flow as a row. @param out  has room; columns that a meter does not know keep their default */
export function appendFlowRow(flows: table.FlowTable, index: number, reason: number, out: FlowBatch): void {
  const { columns } = out;
  const row = out.rowCount++;
  const { words, doubles } = flows;
  const at = index * table.recordWords;
  const doubleAt = index * table.recordDoubles;
  const protocol = (words[at + table.wProtocol] as number) & 255;
  columns.flowStartMilliseconds[row] = Math.floor((doubles[doubleAt + table.dStart] as number) / 1000);
  columns.flowEndMilliseconds[row] = Math.floor((doubles[doubleAt + table.dEnd] as number) / 1000);
  columns.initiatorOctets[row] = doubles[doubleAt + table.dInitiatorOctets] as number;
  columns.responderOctets[row] = doubles[doubleAt + table.dResponderOctets] as number;
  columns.initiatorPackets[row] = doubles[doubleAt + table.dInitiatorPackets] as number;
  columns.responderPackets[row] = doubles[doubleAt + table.dResponderPackets] as number;
  columns.ipVersion[row] = (words[at + table.wProtocol] as number) >>> 8;
  columns.protocolIdentifier[row] = protocol;
  for (let i = 0; i < 4; i++) {
    columns.sourceAddress[row * 4 + i] = words[at + table.wSource + i] as number;
    columns.destinationAddress[row * 4 + i] = words[at + table.wDestination + i] as number;
  }
  const isIcmp = protocol === protocolIcmp || protocol === protocolIcmpv6;
  const ports = isIcmp ? 0 : words[at + table.wPorts] as number;
  columns.sourceTransportPort[row] = ports >>> 16;
  columns.destinationTransportPort[row] = ports & 0xffff;
  columns.icmpTypeCodeIPv4[row] = protocol === protocolIcmp ? words[at + table.wIcmp] as number : 0;
  columns.icmpTypeCodeIPv6[row] = protocol === protocolIcmpv6 ? words[at + table.wIcmp] as number : 0;
  const seen = words[at + table.wSeen] as number;
  columns.ipClassOfService[row] = (words[at + table.wInterfaceClass] as number) & 255;
  columns.ingressInterface[row] = (words[at + table.wInterfaceClass] as number) >>> 8;
  columns.reverseIpClassOfService[row] = words[at + table.wReverseClass] as number;
  columns.tcpControlBits[row] = (seen >>> table.initiatorFlagsShift) & table.tcpFlagsMask;
  columns.reverseTcpControlBits[row] = (seen >>> table.responderFlagsShift) & table.tcpFlagsMask;
  columns.flowEndReason[row] = reason;
  columns.vlanId[row] = words[at + table.wVlan] as number;
  for (let i = 0; i < 2; i++) {
    columns.sourceMacAddress[row * 2 + i] = words[at + table.wSourceMac + i] as number;
    columns.destinationMacAddress[row * 2 + i] = words[at + table.wDestinationMac + i] as number;
  }
}
