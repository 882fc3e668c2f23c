/**
 * What an exported record holds, stated once: this table makes the templates and drives the record writer.
 * NetFlow v9 (RFC 3954 §8) has no enterprise numbers and no reverse elements: there the responder's side goes as
 * nProbe sends it (OUT_BYTES, OUT_PKTS, DST_TOS, SERVER_TCP_FLAGS). IPFIX has the reverse elements of RFC 5103 §6.1.
 * Ground truth (label columns) must never be in this table.
 */
import { reverseEnterprise, type ColumnName } from '../schema.ts';

export type ExportVersion = 9 | 10;

/** ntop's enterprise number (IANA "Private Enterprise Numbers"). */
export const ntopEnterprise = 35_632;
/** NetFlow v9 id of ntop's element n is this plus n: its ids lie behind those of others. */
const ntopV9Base = 57_472;
/** Length in an IPFIX template that stands for "the record says" (RFC 7011 §7). */
export const variableLength = 0xffff;

/** How a value is written. `words`: an address; `flags8`: the lower eight TCP flags. */
export const fieldKinds = { u8: 0, u16: 1, u32: 2, u64: 3, time: 4, words: 5, mac: 6, name: 7, flags8: 8 } as const;
export type FieldKind = (typeof fieldKinds)[keyof typeof fieldKinds];

export type ExportField = {
  readonly column: ColumnName;
  readonly kind: FieldKind;
  readonly elementId: number;
  /** 0: IANA's. */
  readonly enterprise: number;
  /** Length in the template; `variableLength` when each record says it. */
  readonly lengthBytes: number;
};

/** One template: the fields of its records, in order. */
export type RecordLayout = {
  readonly templateId: number;
  readonly fields: readonly ExportField[];
  /** Bytes of a record without its variable-length fields. */
  readonly fixedBytes: number;
  /** Bytes of the template record: header and field specifiers. */
  readonly templateBytes: number;
};

/** Template ids begin at 256 (RFC 3954 §5.2, RFC 7011 §3.4.1). */
const templateIdFirst = 256;
/** Bits of a layout's index. */
export const layoutOfIPv6 = 1;
export const layoutWithMacs = 2;
const layoutCount = 4;

type Size = 'u8' | 'u16' | 'u32' | 'u64' | 'time';
const sizeBytes: Readonly<Record<Size, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, time: 8 };

/**
 * The four templates of a version, by index: bit 0 for IPv6 (or an address of no family), bit 1 with link addresses.
 *
 * @param nameBytes  bytes of the layer-7 name in NetFlow v9, where every length is fixed
 */
export function createLayouts(version: ExportVersion, nameBytes: number): readonly RecordLayout[] {
  return Array.from({ length: layoutCount }, (_, index) => {
    const fields = listFields(version, nameBytes, index);
    const sum = (lengths: readonly number[]): number => lengths.reduce((total, length) => total + length, 0);
    return {
      templateId: templateIdFirst + index,
      fields,
      fixedBytes: sum(fields.map((field) => field.lengthBytes === variableLength ? 0 : field.lengthBytes)),
      templateBytes: 4 + sum(fields.map((field) => (field.enterprise === 0 ? 4 : 8))),
    };
  });
}

/** What differs between the versions: the id in NetFlow v9, and element with enterprise in IPFIX. */
type Ids = { readonly v9: number; readonly ipfix: number; readonly enterprise?: number };
const same = (id: number): Ids => ({ v9: id, ipfix: id });
const reverse = (v9: number, ipfix: number): Ids => ({ v9, ipfix, enterprise: reverseEnterprise });
const ntop = (id: number): Ids => ({ v9: ntopV9Base + id, ipfix: id, enterprise: ntopEnterprise });

function listFields(version: ExportVersion, nameBytes: number, layoutIndex: number): ExportField[] {
  const isIPv6 = (layoutIndex & layoutOfIPv6) !== 0;
  const field = (column: ColumnName, kind: FieldKind, lengthBytes: number, ids: Ids): ExportField => ({
    column, kind, lengthBytes, elementId: version === 9 ? ids.v9 : ids.ipfix,
    enterprise: version === 9 ? 0 : ids.enterprise ?? 0,
  });
  const plain = (column: ColumnName, size: Size, ids: Ids): ExportField =>
    field(column, fieldKinds[size], sizeBytes[size], ids);
  const address = (column: ColumnName, ids: readonly [number, number]): ExportField =>
    field(column, fieldKinds.words, isIPv6 ? 16 : 4, same(isIPv6 ? ids[1] : ids[0]));
  // One byte in v9 (RFC 3954 §8; collectors read no other there), two in IPFIX (RFC 7125 §3).
  const flags = (column: ColumnName, ids: Ids): ExportField =>
    field(column, version === 9 ? fieldKinds.flags8 : fieldKinds.u16, version === 9 ? 1 : 2, ids);
  const mac = (column: ColumnName, id: number): ExportField => field(column, fieldKinds.mac, 6, same(id));
  return [
    // Absolute times, also in NetFlow v9: FIRST_SWITCHED hangs on an uptime that wraps after 49 days.
    plain('flowStartMilliseconds', 'time', same(152)),
    plain('flowEndMilliseconds', 'time', same(153)),
    address('sourceAddress', [8, 27]),
    address('destinationAddress', [12, 28]),
    plain('sourceTransportPort', 'u16', same(7)),
    plain('destinationTransportPort', 'u16', same(11)),
    plain('protocolIdentifier', 'u8', same(4)),
    plain('ipVersion', 'u8', same(60)),
    // Before its forward element: nfcapd 1.7.1 keeps one value of both in IPFIX, the later one. So with the TCP flags.
    plain('reverseIpClassOfService', 'u8', reverse(55, 5)),
    plain('ipClassOfService', 'u8', same(5)),
    plain('initiatorOctets', 'u64', same(1)),
    plain('initiatorPackets', 'u64', same(2)),
    plain('responderOctets', 'u64', reverse(23, 1)),
    plain('responderPackets', 'u64', reverse(24, 2)),
    // nProbe's SERVER_TCP_FLAGS is element 79 of ntop's.
    flags('reverseTcpControlBits', reverse(ntop(79).v9, 6)),
    flags('tcpControlBits', same(6)),
    isIPv6 ? plain('icmpTypeCodeIPv6', 'u16', same(139)) : plain('icmpTypeCodeIPv4', 'u16', same(32)),
    plain('flowEndReason', 'u8', same(136)),
    plain('ingressInterface', 'u32', same(10)),
    plain('egressInterface', 'u32', same(14)),
    plain('vlanId', 'u16', same(58)),
    ...((layoutIndex & layoutWithMacs) === 0 ? [] : [mac('sourceMacAddress', 56), mac('destinationMacAddress', 80)]),
    // nProbe's L7_PROTO_NAME.
    field('applicationName', fieldKinds.name, version === 9 ? nameBytes : variableLength, ntop(119)),
  ];
}

/**
 * Writes the template record of a layout: RFC 3954 §5.2, RFC 7011 §3.4.1 with §3.2's field specifiers.
 *
 * @param view  overwritten from `at` on
 * @returns     the offset behind it
 */
export function putTemplate(view: DataView, at: number, layout: RecordLayout): number {
  view.setUint16(at, layout.templateId);
  view.setUint16(at + 2, layout.fields.length);
  let end = at + 4;
  for (const { elementId, enterprise, lengthBytes } of layout.fields) {
    view.setUint16(end, enterprise === 0 ? elementId : elementId | 0x8000);
    view.setUint16(end + 2, lengthBytes);
    end += 4;
    if (enterprise === 0) continue;
    view.setUint32(end, enterprise);
    end += 4;
  }
  return end;
}
