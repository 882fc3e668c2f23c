/**
 * The one table of columns of a flow record. Decoders, encoders, files, console and reference docs are driven by it.
 * Names are the IANA IPFIX information elements' (registry "IPFIX Entities"), with three documented kinds of exception:
 * an address column holds either family, a reverse element is named as RFC 5103 §6.1 does, and label columns are the lab's.
 */

/** How a column lies in memory. `address`: 4 words a row; `mac`: 2 words a row; `dictionary`: code into a `Dictionary`. */
export type Storage = 'u8' | 'u16' | 'u32' | 'f64' | 'address' | 'mac' | 'dictionary';

/**
 * Who may see a column. `measure`: counters and times; `protocol`: what kind of traffic; `peer`: whom the home talks to;
 * `identity`: names a device or a home; `label`: ground truth, in the lab only.
 */
export type PrivacyClass = 'measure' | 'protocol' | 'peer' | 'identity' | 'label';

export type ColumnDefinition = {
  readonly name: string;
  /** Information element id(s): for an address column IPv4's, then IPv6's. Empty where there is none. */
  readonly elementIds: readonly number[];
  /** Private enterprise number of the element, 0 for IANA's. 29305: reverse element (RFC 5103). */
  readonly enterprise: number;
  /** NetFlow v9 / nProbe name, '' where there is none. */
  readonly alias: string;
  readonly storage: Storage;
  readonly unit: '' | 'ms' | 'bytes' | 'packets';
  readonly privacy: PrivacyClass;
  readonly meaning: string;
};

/** Enterprise number of reverse elements (RFC 5103 §6.1). */
export const reverseEnterprise = 29305;

const row = <N extends string, S extends Storage>(
  name: N, storage: S, elementIds: readonly number[], alias: string, privacy: PrivacyClass, meaning: string,
  more: { unit?: ColumnDefinition['unit']; enterprise?: number } = {},
) => ({ name, storage, elementIds, alias, privacy, meaning, unit: more.unit ?? '', enterprise: more.enterprise ?? 0 }) as const;

const reverse = { enterprise: reverseEnterprise } as const;

/** Every column, in the order in which files show them. The default of every column is zero, or the empty text. */
export const schema = [
  row('flowStartMilliseconds', 'f64', [152], 'FLOW_START_MILLISECONDS', 'measure', 'time of the first packet, Unix epoch', { unit: 'ms' }),
  row('flowEndMilliseconds', 'f64', [153], 'FLOW_END_MILLISECONDS', 'measure', 'time of the last packet, Unix epoch', { unit: 'ms' }),
  row('ipVersion', 'u8', [60], 'IP_PROTOCOL_VERSION', 'protocol', '4 or 6'),
  row('sourceAddress', 'address', [8, 27], 'IPV4_SRC_ADDR', 'identity', "the initiator's address (sourceIPv4Address or sourceIPv6Address)"),
  row('destinationAddress', 'address', [12, 28], 'IPV4_DST_ADDR', 'peer', "the responder's address (destinationIPv4Address or destinationIPv6Address)"),
  row('sourceTransportPort', 'u16', [7], 'L4_SRC_PORT', 'protocol', "the initiator's port; never a feature"),
  row('destinationTransportPort', 'u16', [11], 'L4_DST_PORT', 'protocol', "the responder's port"),
  row('protocolIdentifier', 'u8', [4], 'PROTOCOL', 'protocol', 'IP protocol, for IPv6 the one after extension headers'),
  row('ipClassOfService', 'u8', [5], 'SRC_TOS', 'protocol', "type of service byte of the initiator's packets"),
  row('reverseIpClassOfService', 'u8', [5], 'DST_TOS', 'protocol', "type of service byte of the responder's first packet", reverse),
  row('initiatorPackets', 'f64', [298], 'IN_PKTS', 'measure', 'packets from the initiator', { unit: 'packets' }),
  row('responderPackets', 'f64', [299], 'OUT_PKTS', 'measure', 'packets from the responder', { unit: 'packets' }),
  row('initiatorOctets', 'f64', [231], 'IN_BYTES', 'measure', 'IP total length of packets from the initiator', { unit: 'bytes' }),
  row('responderOctets', 'f64', [232], 'OUT_BYTES', 'measure', 'IP total length of packets from the responder', { unit: 'bytes' }),
  row('tcpControlBits', 'u16', [6], 'CLIENT_TCP_FLAGS', 'protocol', "union of the TCP flags of the initiator's packets"),
  row('reverseTcpControlBits', 'u16', [6], 'SERVER_TCP_FLAGS', 'protocol', "union of the TCP flags of the responder's packets", reverse),
  row('icmpTypeCodeIPv4', 'u16', [32], 'ICMP_TYPE', 'protocol', "type · 256 + code of the initiator's ICMP"),
  row('icmpTypeCodeIPv6', 'u16', [139], 'ICMP_IPV6_TYPE', 'protocol', "type · 256 + code of the initiator's ICMPv6"),
  row('flowEndReason', 'u8', [136], 'FLOW_END_REASON', 'measure', '1 idle timeout, 2 active timeout, 3 end of flow seen, 4 forced end, 5 lack of resources; 0 unknown'),
  row('ingressInterface', 'u32', [10], 'INPUT_SNMP', 'identity', "interface that the initiator's packets came in on"),
  row('egressInterface', 'u32', [14], 'OUTPUT_SNMP', 'identity', "interface that the initiator's packets left by"),
  row('vlanId', 'u16', [58], 'SRC_VLAN', 'identity', "outermost VLAN of the flow's first packet"),
  row('sourceMacAddress', 'mac', [56], 'IN_SRC_MAC', 'identity', "link address of the initiator's side"),
  row('destinationMacAddress', 'mac', [80], 'IN_DST_MAC', 'identity', "link address of the responder's side"),
  row('exporterAddress', 'address', [130, 131], 'EXPORTER_IPV4_ADDRESS', 'identity', 'who exported the record (exporterIPv4Address or exporterIPv6Address)'),
  row('observationDomainId', 'u32', [149], 'OBSERVATION_DOMAIN', 'identity', 'observation domain or source id of the exporter'),
  row('originalFlowsPresent', 'u32', [375], '', 'measure', 'one-way records that a pairer made this one of: 1 is a record that found no partner, of whose other direction nothing is known; 0 where none was at work'),
  row('applicationName', 'dictionary', [96], 'L7_PROTO_NAME', 'protocol', 'layer-7 name, `service` or `service.owner`'),
  row('applicationNameSource', 'dictionary', [], '', 'protocol', 'who gave the layer-7 name: exporter, ndpi, prefix or none'),
  row('device', 'dictionary', [], '', 'label', 'ground truth: the device (one unit)'),
  row('device_model', 'dictionary', [], '', 'label', 'ground truth: the device model, `type.make.version`'),
  row('partition', 'dictionary', [], '', 'label', "the data set's own partition of the row (train, validation, test)"),
] as const;

type Row = (typeof schema)[number];
export type ColumnName = Row['name'];
type StorageOf<N extends ColumnName> = Extract<Row, { name: N }>['storage'];

type ArrayOf = {
  u8: Uint8Array;
  u16: Uint16Array;
  u32: Uint32Array;
  f64: Float64Array;
  address: Uint32Array;
  mac: Uint32Array;
  dictionary: Uint32Array;
};

/** The arrays of a batch, by column name. */
export type ColumnArrays = { readonly [N in ColumnName]: ArrayOf[StorageOf<N>] };
export type DictionaryColumnName = Extract<Row, { storage: 'dictionary' }>['name'];

/** Array elements that one row takes. */
export function elementsPerRow(storage: Storage): number {
  if (storage === 'address') return 4;
  return storage === 'mac' ? 2 : 1;
}

const byName: ReadonlyMap<string, ColumnDefinition> = new Map(schema.map((column) => [column.name, column]));

/** The definition of a column, or undefined when there is none of that name. */
export function findColumn(name: string): ColumnDefinition | undefined {
  return byName.get(name);
}
