/**
 * The eight features of Meidan, Sachidananda, Elovici and Shabtai 2019 (arXiv 1905.13430), in the columns of our flow
 * records. The initiator is the device inside the home, so IN_BYTES, which a NetFlow exporter counts in the direction
 * of the flow, is the initiator's. Nothing is added here; what helps more is in `natlens.ts`.
 */
import type { Catalog } from '../feature-matrix.ts';
import { copyColumn, subtractColumns } from '../column-kernels.ts';
import { readPort } from './destination.ts';

export const paperCatalog: Catalog = {
  name: 'paper',
  version: 1,
  meaning: 'the eight features of Meidan et al. 2019',
  numeric: [
    {
      kind: 'numeric', name: 'initiatorOctets', columns: ['initiatorOctets'],
      meaning: 'IN_BYTES: bytes that the device sent',
      read: ({ columns, rowCount }, out) => copyColumn(columns.initiatorOctets, rowCount, out),
    },
    {
      kind: 'numeric', name: 'responderOctets', columns: ['responderOctets'],
      meaning: 'OUT_BYTES: bytes that came back',
      read: ({ columns, rowCount }, out) => copyColumn(columns.responderOctets, rowCount, out),
    },
    {
      kind: 'numeric', name: 'flowDurationMilliseconds', columns: ['flowStartMilliseconds', 'flowEndMilliseconds'],
      meaning: 'LAST_SWITCHED − FIRST_SWITCHED: from the first packet to the last, in ms',
      read: ({ columns, rowCount }, out) =>
        subtractColumns(columns.flowEndMilliseconds, columns.flowStartMilliseconds, rowCount, out),
    },
  ],
  categorical: [
    {
      kind: 'categorical', name: 'ipClassOfService', columns: ['ipClassOfService'],
      meaning: "SRC_TOS: type of service byte of the device's packets",
      read: ({ columns, rowCount }, out) => copyColumn(columns.ipClassOfService, rowCount, out),
    },
    {
      kind: 'categorical', name: 'reverseIpClassOfService', columns: ['reverseIpClassOfService'],
      meaning: 'DST_TOS: type of service byte of the first packet that came back',
      read: ({ columns, rowCount }, out) => copyColumn(columns.reverseIpClassOfService, rowCount, out),
    },
    {
      kind: 'categorical', name: 'protocolIdentifier', columns: ['protocolIdentifier'],
      meaning: 'PROTOCOL: IP protocol',
      read: ({ columns, rowCount }, out) => copyColumn(columns.protocolIdentifier, rowCount, out),
    },
    {
      kind: 'categorical', name: 'destinationTransportPort',
      columns: ['destinationTransportPort', 'protocolIdentifier', 'icmpTypeCodeIPv4', 'icmpTypeCodeIPv6'],
      meaning: "L4_DST_PORT: the server's port; for ICMP type · 256 + code, as NetFlow has it there",
      read: ({ columns, rowCount }, out) => readPort(columns, rowCount, out),
    },
    {
      kind: 'categorical', name: 'applicationName', columns: ['applicationName'], dictionary: 'applicationName',
      meaning: 'L7_PROTO_NAME: layer-7 name',
      read: ({ columns, rowCount }, out) => copyColumn(columns.applicationName, rowCount, out),
    },
  ],
};
