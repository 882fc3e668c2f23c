/** Lookup of an address's owner: against a slow search over the ranges, and at their edges. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvariantError, parseAddress } from '#base';
import { owners } from './owner-list.ts';
import { loadOwnerTable } from './owner-table-file.ts';
import {
  classifyAddress, createOwnerTable, findOutside, findOwner, findOwnerIPv4, findOwnerIPv6,
  outsideInitiator, outsideNone, outsideResponder, type OwnerTable,
} from './owner-table.ts';

const wordsOf = (text: string): Uint32Array => {
  const words = parseAddress(text);
  if (words === undefined) throw new Error(`${text} is no address`);
  return Uint32Array.from(words);
};
const shipped = loadOwnerTable();
const ownerOf = (text: string): string | undefined => shipped.names[findOwner(shipped, wordsOf(text), 0)];

test('owners of addresses that everybody knows', () => {
  const known: Record<string, string> = {
    '8.8.8.8': 'Google', '1.1.1.1': 'Cloudflare', '52.70.158.224': 'Amazon', '2606:4700:4700::1111': 'Cloudflare',
    '2001:4860:4860::8888': 'Google', '9.9.9.9': 'Quad9', '17.253.14.125': 'Apple', '31.13.66.35': 'Facebook',
    '13.107.4.50': 'Microsoft', '47.88.1.1': 'Alibaba', '129.6.15.28': 'NIST', '151.101.1.1': 'Fastly',
    '64:ff9b::808:808': 'Google',
  };
  for (const [address, name] of Object.entries(known)) assert.equal(ownerOf(address), name, address);
});

test('private, local and group addresses have no owner', () => {
  const none = ['10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1', '127.0.0.1', '169.254.1.1', '224.0.0.251',
    '255.255.255.255', '0.0.0.0', '::', '::1', 'fe80::1', 'fd00::1', 'ff02::fb'];
  for (const address of none) assert.equal(ownerOf(address), '', address);
});

test('addresses are told apart by where they are valid', () => {
  const kinds: [string, number][] = [
    ['10.0.0.1', 0], ['172.31.255.255', 0], ['172.32.0.0', 1], ['192.168.0.1', 0], ['100.127.255.255', 0],
    ['100.128.0.0', 1], ['fd12::1', 0], ['8.8.8.8', 1], ['2a00::1', 1], ['169.254.0.1', 2], ['239.1.1.1', 2],
    ['255.255.255.255', 2], ['127.0.0.1', 2],
    ['fe80::1', 2], ['ff02::1', 2], ['::1', 2], ['0.0.0.0', 2], ['64:ff9b::808:808', 1],
  ];
  for (const [address, kind] of kinds) assert.equal(classifyAddress(wordsOf(address), 0), kind, address);
});

test('the side outside the home is found', () => {
  const cases: [source: string, destination: string, outside: number, why: string][] = [
    ['192.168.1.2', '8.8.8.8', outsideResponder, 'from the home'],
    ['8.8.8.8', '192.168.1.2', outsideInitiator, 'into the home'],
    ['1.1.1.1', '8.8.8.8', outsideResponder, 'seen outside the NAT'],
    ['192.168.1.2', '192.168.1.3', outsideNone, 'inside'],
    ['2a00::1:0:0:0:1', '2a00::1:0:0:0:2', outsideNone, 'one /64'],
    ['2a00:0:0:1::1', '2a00:0:0:2::1', outsideResponder, 'two /64s'],
    ['1.2.3.4', '1.2.3.5', outsideResponder, 'IPv4 has no /64'],
    ['2001:4860:4860::8888', 'ff02::fb', outsideNone, 'a group belongs to nobody'],
    ['2001:4860:4860::8888', 'fe80::1', outsideNone, 'on the link'],
    ['8.8.8.8', '255.255.255.255', outsideNone, 'broadcast'],
    ['fe80::1', '2a00::1', outsideResponder, 'a global responder'],
  ];
  for (const [source, destination, outside, why] of cases) {
    assert.equal(findOutside(wordsOf(source), wordsOf(destination), 0), outside, why);
  }
});

test('the shipped table holds every owner of the list and is small', () => {
  assert.deepEqual(shipped.names.slice(1), owners.map(({ name }) => name));
  const used = new Set([...shipped.ownersIPv4, ...shipped.ownersIPv6]);
  assert.equal(used.size, owners.length + 1, 'every owner and nobody has a range');
  for (const { name } of owners) assert.match(name, /^[A-Za-z0-9]+$/);
  assert.match(shipped.version, /^20\d\d-\d\d-\d\d\.[0-9a-f]{8}$/);
});

const tables = fc.record({
  ipv4: fc.uniqueArray(fc.nat({ max: 0xffffffff }), { maxLength: 40 }),
  ipv6: fc.uniqueArray(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 0xffffffff })), { maxLength: 40, selector: String }),
  owners: fc.array(fc.nat({ max: 2 }), { minLength: 100, maxLength: 100 }),
}).map(({ ipv4, ipv6, owners: codes }) => {
  const starts = [0, ...ipv4.filter((start) => start > 0)].sort((a, b) => a - b);
  const pairs = [[0, 0], ...ipv6.filter(([high, low]) => high + low > 0)];
  pairs.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
  return createOwnerTable({
    names: ['', 'A', 'B'],
    version: '',
    startsIPv4: Uint32Array.from(starts),
    ownersIPv4: Uint8Array.from(codes.slice(0, starts.length)),
    highIPv6: Uint32Array.from(pairs, (pair) => pair[0]!), lowIPv6: Uint32Array.from(pairs, (pair) => pair[1]!),
    ownersIPv6: Uint8Array.from(codes.slice(50, 50 + pairs.length)),
  });
});

/** The specification: the last range that starts at or before the address. */
const scan = (table: OwnerTable, address: number): number =>
  table.ownersIPv4[table.startsIPv4.findLastIndex((start) => start <= address)] as number;
const scanPairs = (table: OwnerTable, high: number, low: number): number => {
  const isBefore = (word: number, i: number): boolean => word < high || (word === high && table.lowIPv6[i]! <= low);
  return table.ownersIPv6[table.highIPv6.findLastIndex(isBefore)]!;
};

test('a lookup equals a scan of all ranges', () => {
  fc.assert(fc.property(tables, fc.array(fc.nat({ max: 0xffffffff }), { maxLength: 30 }), (table, addresses) => {
    const around = (start: number): number[] => [start, Math.max(0, start - 1), Math.min(0xffffffff, start + 1)];
    const edges = [...table.startsIPv4].flatMap(around);
    for (const address of [...addresses, ...edges, 0, 0xffffffff]) {
      assert.equal(findOwnerIPv4(table, address), scan(table, address));
      for (const high of [0, 1, 2, 3, 4]) {
        assert.equal(findOwnerIPv6(table, high, address), scanPairs(table, high, address));
      }
    }
  }), { numRuns: 60, seed: 4 });
});

test('ranges that are out of order or name nobody are refused', () => {
  const good = {
    names: ['', 'A'], version: '', startsIPv4: Uint32Array.of(0, 5, 9), ownersIPv4: Uint8Array.of(0, 1, 0),
    highIPv6: Uint32Array.of(0, 0, 7), lowIPv6: Uint32Array.of(0, 3, 0), ownersIPv6: Uint8Array.of(0, 1, 0),
  };
  assert.equal(findOwnerIPv4(createOwnerTable(good), 7), 1);
  for (const bad of [
    { startsIPv4: Uint32Array.of(1, 5, 9) }, { startsIPv4: Uint32Array.of(0, 9, 5) },
    { startsIPv4: Uint32Array.of(0, 5, 5) },
    { ownersIPv4: Uint8Array.of(0, 2, 0) }, { ownersIPv4: Uint8Array.of(0, 1) }, { highIPv6: Uint32Array.of(0, 7, 0) },
    { lowIPv6: Uint32Array.of(0, 0, 0) }, { lowIPv6: Uint32Array.of(1, 3, 0) }, { ownersIPv6: Uint8Array.of(0, 1, 3) },
    { startsIPv4: new Uint32Array(0), ownersIPv4: new Uint8Array(0) },
  ]) assert.throws(() => createOwnerTable({ ...good, ...bad }), InvariantError, JSON.stringify(bad));
});
