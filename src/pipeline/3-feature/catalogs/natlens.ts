/**
 * Our own features, in two catalogs: those of the paper with sizes as logarithms, and what measurably helps beside them
 * (docs/features.md). Never a source port, a time of day, or an address or interface of the device: they say which home
 * it is, not which device model.
 */
import { protocolTcp } from '#base';
import type { ColumnName } from '#flow';
import type { Catalog, CategoricalFeature, NumericFeature } from '../feature-matrix.ts';
import { copyColumn, divideColumns, subtractColumns, takeLogs, type Numbers } from '../column-kernels.ts';
import { readBlock, readPortClass, readPrefix } from './destination.ts';

type Counter = Extract<ColumnName, `${'initiator' | 'responder'}${'Octets' | 'Packets'}`>;

const logOf = (column: Counter, meaning: string): NumericFeature => ({
  kind: 'numeric', name: `${column}Log2`, columns: [column], meaning,
  read: ({ columns, rowCount }, out) => {
    copyColumn(columns[column], rowCount, out);
    takeLogs(rowCount, out);
  },
});

const perPacket = (side: 'initiator' | 'responder', meaning: string): NumericFeature => ({
  kind: 'numeric', name: `${side}OctetsPerPacket`, columns: [`${side}Octets`, `${side}Packets`], meaning,
  read: ({ columns, rowCount }, out) =>
    divideColumns(columns[`${side}Octets`], columns[`${side}Packets`], rowCount, out),
});

const flagsOf = (column: 'tcpControlBits' | 'reverseTcpControlBits', meaning: string): CategoricalFeature => ({
  kind: 'categorical', name: column, columns: [column, 'protocolIdentifier'], meaning,
  read: ({ columns, rowCount }, out) => readFlags(columns[column], columns.protocolIdentifier, rowCount, out),
});

/** The eight flags that every exporter reports; 0 for what is not TCP. A kernel. */
function readFlags(flags: Numbers, protocols: Numbers, rowCount: number, out: Uint32Array): void {
  for (let row = 0; row < rowCount; row++) {
    out[row] = (protocols[row] as number) === protocolTcp ? (flags[row] as number) & 0xff : 0;
  }
}

const numeric: readonly NumericFeature[] = [
  logOf('initiatorOctets', 'log2 of bytes that the device sent'),
  logOf('responderOctets', 'log2 of bytes that came back'),
  logOf('initiatorPackets', 'log2 of packets that the device sent'),
  logOf('responderPackets', 'log2 of packets that came back'),
  {
    kind: 'numeric', name: 'flowDurationMillisecondsLog2', columns: ['flowStartMilliseconds', 'flowEndMilliseconds'],
    meaning: 'log2 of the time from the first packet to the last, in ms',
    read: ({ columns, rowCount }, out) => {
      subtractColumns(columns.flowEndMilliseconds, columns.flowStartMilliseconds, rowCount, out);
      takeLogs(rowCount, out);
    },
  },
  perPacket('initiator', "mean size of the device's packets"),
  perPacket('responder', 'mean size of the packets that came back'),
];

const portable: readonly CategoricalFeature[] = [
  {
    kind: 'categorical', name: 'ipClassOfService', columns: ['ipClassOfService'],
    meaning: "type of service byte of the device's packets",
    read: ({ columns, rowCount }, out) => copyColumn(columns.ipClassOfService, rowCount, out),
  },
  {
    kind: 'categorical', name: 'protocolIdentifier', columns: ['protocolIdentifier'], meaning: 'IP protocol',
    read: ({ columns, rowCount }, out) => copyColumn(columns.protocolIdentifier, rowCount, out),
  },
  {
    kind: 'categorical', name: 'destinationPortClass',
    columns: ['destinationTransportPort', 'protocolIdentifier', 'icmpTypeCodeIPv4', 'icmpTypeCodeIPv6'],
    meaning: "the server's port below 49152, 65536 for all above; ICMP: 131072, ICMPv6: 196608 + type · 256 + code",
    read: ({ columns, rowCount }, out) => readPortClass(columns, rowCount, out),
  },
  {
    kind: 'categorical', name: 'applicationName', columns: ['applicationName'], dictionary: 'applicationName',
    meaning: 'layer-7 name',
    read: ({ columns, rowCount }, out) => copyColumn(columns.applicationName, rowCount, out),
  },
  flagsOf('tcpControlBits', "union of the TCP flags of the device's packets"),
  flagsOf('reverseTcpControlBits', 'union of the TCP flags of the packets that came back'),
];

/** Without the destination: for detectors that reject what training never showed, and for other parts of the world. */
export const portableCatalog: Catalog = {
  name: 'portable',
  version: 1,
  meaning: 'sizes as logarithms, packets, TCP flags, class of port; nothing about whom a home talks to',
  numeric, categorical: portable,
};

export const natlensCatalog: Catalog = {
  name: 'natlens',
  version: 1,
  meaning: 'the features of portable, and the prefix and block of the destination',
  numeric,
  categorical: [
    ...portable,
    {
      kind: 'categorical', name: 'destinationPrefix', columns: ['destinationAddress'],
      meaning: "the server's /24, or a number made of its /48; one category for all private addresses",
      read: ({ columns, rowCount }, out) => readPrefix(columns.destinationAddress, rowCount, out),
    },
    {
      kind: 'categorical', name: 'destinationBlock', columns: ['destinationAddress'],
      meaning: "the server's /16, or /32 for IPv6: steadier than the prefix where services move about",
      read: ({ columns, rowCount }, out) => readBlock(columns.destinationAddress, rowCount, out),
    },
  ],
};
