/**
 * How a waiting record lies in memory: every column of `schema` in one block of 32-bit words, row by row, with the
 * pairer's own links behind. Made from the schema, so a new column is carried along without a change here.
 */
import { elementsPerRow, schema, type ColumnName, type Storage } from '../schema.ts';

export type ColumnPlace = {
  readonly name: ColumnName;
  readonly storage: Storage;
  /** Array elements that one row takes. */
  readonly width: number;
  /** First place in the record: of doubles for f64, else of words. */
  readonly at: number;
};

const doubleColumns = schema.filter((column) => column.storage === 'f64');

/** Value of the exporter's clock beyond which a record no longer waits; a double, as the f64 columns before it are. */
export const dDeadline = doubleColumns.length;
const firstWord = (doubleColumns.length + 1) * 2;

function placeColumns(): readonly ColumnPlace[] {
  let double = 0;
  let word = firstWord;
  return schema.map(({ name, storage }) => {
    const width = elementsPerRow(storage);
    if (storage === 'f64') return { name, storage, width, at: double++ };
    const at = word;
    word += width;
    return { name, storage, width, at };
  });
}

/** Where each column lies, in the order of the schema. */
export const columnPlaces = placeColumns();

const columnsEnd = columnPlaces.reduce((end, { storage, at, width }) =>
  storage === 'f64' ? end : Math.max(end, at + width), firstWord);

/** Ports of the conversation: source's · 65536 + destination's; ICMP has its request's type and code in both halves. */
export const wPorts = columnsEnd;
export const wHash = columnsEnd + 1;
/** Next record of the hash chain, or of the free list. */
export const wChain = columnsEnd + 2;
/** Neighbours among the waiting records of one clock, in order of arrival. */
export const wOlder = columnsEnd + 3;
export const wNewer = columnsEnd + 4;
/** The clock that the record waits by. */
export const wClock = columnsEnd + 5;

/** 32-bit words and doubles of one record. */
export const recordWords = (columnsEnd + 6 + 1) & ~1;
export const recordDoubles = recordWords / 2;

function placeOf(name: ColumnName): number {
  return columnPlaces.find((place) => place.name === name)?.at as number;
}

export const dStart = placeOf('flowStartMilliseconds');
export const dEnd = placeOf('flowEndMilliseconds');
export const dInitiatorPackets = placeOf('initiatorPackets');
export const dResponderPackets = placeOf('responderPackets');
export const dInitiatorOctets = placeOf('initiatorOctets');
export const dResponderOctets = placeOf('responderOctets');
export const wSource = placeOf('sourceAddress');
export const wDestination = placeOf('destinationAddress');
export const wSourcePort = placeOf('sourceTransportPort');
export const wDestinationPort = placeOf('destinationTransportPort');
export const wProtocol = placeOf('protocolIdentifier');
export const wClass = placeOf('ipClassOfService');
export const wReverseClass = placeOf('reverseIpClassOfService');
export const wFlags = placeOf('tcpControlBits');
export const wReverseFlags = placeOf('reverseTcpControlBits');
export const wIcmp4 = placeOf('icmpTypeCodeIPv4');
export const wIcmp6 = placeOf('icmpTypeCodeIPv6');
export const wEndReason = placeOf('flowEndReason');
export const wIngress = placeOf('ingressInterface');
export const wEgress = placeOf('egressInterface');
export const wVlan = placeOf('vlanId');
export const wSourceMac = placeOf('sourceMacAddress');
export const wDestinationMac = placeOf('destinationMacAddress');
export const wExporter = placeOf('exporterAddress');
export const wDomain = placeOf('observationDomainId');
export const wApplicationName = placeOf('applicationName');
export const wApplicationNameSource = placeOf('applicationNameSource');
export const wOriginals = placeOf('originalFlowsPresent');
/** Texts of the lab about the home's side: device, device model and partition. */
export const labelWords: readonly number[] = [placeOf('device'), placeOf('device_model'), placeOf('partition')];

/** No record. */
export const none = 0xffffffff;
