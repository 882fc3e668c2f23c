/** The element tables against facts of the IANA registry and of RFC 5103, written here a second time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  elementOfFieldType, enterpriseOfFieldType, findElement, listElements, nameScope, type ElementType,
} from './element-table.ts';

/** Ids below 534 that the registry of 2026-09-11 reserves without a name. */
const unnamed: ReadonlySet<number> = new Set([0, ...range(65, 69), 97, ...range(105, 127), 416, 419]);

/** How many elements of each type the registry has. */
const countOfType: Readonly<Record<string, number>> = {
  unsigned8: 71, unsigned16: 61, unsigned32: 87, unsigned64: 108, unsigned256: 3, signed32: 1, float64: 6, boolean: 5,
  ipv4Address: 16, ipv6Address: 14, macAddress: 8, dateTimeSeconds: 7, dateTimeMilliseconds: 9, dateTimeMicroseconds: 5,
  dateTimeNanoseconds: 5, string: 37, octetArray: 39, basicList: 14, subTemplateList: 5, subTemplateMultiList: 1,
};

/** Elements of many decades of the registry, and all whose type was changed or is unlike its neighbours'. */
const facts: readonly (readonly [id: number, name: string, type: ElementType])[] = [
  [1, 'octetDeltaCount', 'unsigned64'],
  [6, 'tcpControlBits', 'unsigned16'],
  [89, 'forwardingStatus', 'unsigned32'],
  [95, 'applicationId', 'octetArray'],
  [136, 'flowEndReason', 'unsigned8'],
  [147, 'wlanSSID', 'string'],
  [160, 'systemInitTimeMilliseconds', 'dateTimeMilliseconds'],
  [238, 'tcpWindowScale', 'unsigned16'],
  [276, 'dataRecordsReliability', 'boolean'],
  [291, 'basicList', 'basicList'],
  [295, 'IPSecSPI', 'unsigned32'],
  [311, 'samplingProbability', 'float64'],
  [359, 'monitoringIntervalStartMilliSeconds', 'dateTimeMilliseconds'],
  [380, 'distinctCountOfSourceIPv4Address', 'unsigned32'],
  [411, 'dot1qServiceInstanceTag', 'octetArray'],
  [432, 'pseudoWireDestinationIPv4Address', 'ipv4Address'],
  [434, 'mibObjectValueInteger', 'signed32'],
  [443, 'mibObjectValueTable', 'subTemplateList'],
  [455, 'mobileIMSI', 'string'],
  [464, 'internalAddressRealm', 'octetArray'],
  [483, 'bgpCommunity', 'unsigned32'],
  [495, 'srhActiveSegmentIPv6', 'ipv6Address'],
  [503, 'transportChecksum', 'unsigned16'],
  [507, 'gtpuTEid', 'unsigned32'],
  [515, 'ipv6ExtensionHeadersFull', 'unsigned256'],
  [517, 'ipv6ExtensionHeadersLimit', 'boolean'],
  [519, 'ipv6ExtensionHeaderChainLengthList', 'subTemplateList'],
  [520, 'tcpOptionsFull', 'unsigned256'],
  [526, 'udpUnsafeOptions', 'unsigned64'],
  [529, 'udpUnsafeExIDList', 'basicList'],
  [533, 'pathDelaySumDeltaMicroseconds', 'unsigned64'],
];

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

test('the IANA table has every id to 533 but the unnamed ones, each name once', () => {
  const elements = listElements(0).filter(({ elementId }) => elementId < 32_768);
  assert.deepEqual(elements.map(({ elementId }) => elementId).sort((a, b) => a - b),
    range(0, 533).filter((id) => !unnamed.has(id)));
  assert.equal(elements.length, 502);
  assert.equal(new Set(elements.map(({ name }) => name)).size, 502);
  for (const { name } of elements) assert.match(name, /^[A-Za-z][A-Za-z0-9]+$/);
});

test('types: how many there are of each, and a sample', () => {
  const counts: Record<string, number> = {};
  for (const { elementId, type } of listElements(0)) if (elementId < 32_768) counts[type] = (counts[type] ?? 0) + 1;
  assert.deepEqual(counts, countOfType);
  for (const [elementId, name, type] of facts) {
    assert.deepEqual(findElement(0, elementId), { enterprise: 0, elementId, name, type });
  }
});

test('reverse elements (RFC 5103 §6.1): the name says so, the type stays; an unknown one stays unknown', () => {
  assert.deepEqual(findElement(29_305, 515),
    { enterprise: 29_305, elementId: 515, name: 'reverseIpv6ExtensionHeadersFull', type: 'unsigned256' });
  assert.equal(findElement(29_305, 416), undefined);
  assert.equal(findElement(0, 534), undefined);
  assert.equal(findElement(12_345, 1), undefined);
});

test('vendor elements: Cisco above 32767 of NetFlow v9, ntop by PEN and by v9 field type', () => {
  assert.equal(findElement(0, 33_002)?.name, 'FW_EXT_EVENT');
  assert.deepEqual([enterpriseOfFieldType(57_591), elementOfFieldType(57_591)], [35_632, 119]);
  assert.deepEqual(findElement(35_632, 119),
    { enterprise: 35_632, elementId: 119, name: 'L7_PROTO_NAME', type: 'string' });
  assert.deepEqual([enterpriseOfFieldType(57_471), elementOfFieldType(57_471)], [0, 57_471]);
  assert.deepEqual([nameScope(1), nameScope(5), nameScope(6)], ['scopeSystem', 'scopeTemplate', undefined]);
});
