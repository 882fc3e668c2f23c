/** Targets become elements only when they are sound, and come back from a listing as they went in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '#base';
import type { BlockTarget } from '../action.ts';
import {
  elementOf, parseSetName, readElement, rulesOf, typeOf, usualSets, type BlockElement,
} from './block-element.ts';

const target = (changed: Partial<BlockTarget>): BlockTarget =>
  ({ homeAddress: '203.0.113.1', destination: undefined, protocol: 'tcp', port: undefined, ...changed });

test('a target takes the set of what it names', () => {
  const cases: [Partial<BlockTarget>, string, string][] = [
    [{ destination: '198.51.100.9' }, 'ipv4_destination32', '203.0.113.1 . 198.51.100.9'],
    [{ destination: '198.51.100.9/24' }, 'ipv4_destination24', '203.0.113.1 . 198.51.100.0'],
    [{ port: 23 }, 'ipv4_port', '203.0.113.1 . tcp . 23'],
    [{ destination: '0.0.0.0/0', port: 23 }, 'ipv4_port', '203.0.113.1 . tcp . 23'],
    [{ destination: '198.51.0.0/8', port: 23, protocol: 'udp' },
      'ipv4_destination8_port', '203.0.113.1 . 198.0.0.0 . udp . 23'],
    [{ destination: '198.51.100.9', port: 23 }, 'ipv4_destination32_port', '203.0.113.1 . 198.51.100.9 . tcp . 23'],
    [{ homeAddress: '2001:DB8::0:1', destination: '2001:db8:5:1::/33' },
      'ipv6_destination33', '2001:db8::1 . 2001:db8::'],
    [{ homeAddress: '2001:db8::1', port: 7 }, 'ipv6_port', '2001:db8::1 . tcp . 7'],
  ];
  for (const [changed, set, key] of cases) {
    const element = elementOf(target(changed)) as BlockElement;
    assert.deepEqual([element.set?.name, element.key], [set, key], JSON.stringify(changed));
    assert.deepEqual(parseSetName(set), element.set);
  }
});

test('what is none is refused, above all a whole home', () => {
  const cases: [Partial<BlockTarget>, RegExp][] = [
    [{}, /whole home/], [{ destination: '0.0.0.0/0' }, /whole home/],
    [{ homeAddress: '2001:db8::1', destination: '::/0' }, /whole home/],
    [{ destination: '198.0.0.0/15' }, /too much/],
    [{ homeAddress: '2001:db8::1', destination: '2001::/31' }, /too much/],
    [{ homeAddress: '203.0.113.0/24', port: 23 }, /no address/], [{ homeAddress: 'home', port: 23 }, /no address/],
    [{ homeAddress: '1.1.1.1 . tcp . 1 } ; flush ruleset', port: 23 }, /no address/],
    [{ destination: '2001:db8::1' }, /families/], [{ destination: 'example.org' }, /neither an address/],
    [{ destination: '198.51.100.9 }\nflush ruleset' }, /neither an address/],
    [{ port: 23, protocol: '6' as 'tcp' }, /neither tcp nor udp/], [{ port: '23 }' as never }, /no port/],
    [{ port: 0 }, /no port/], [{ port: 65_536 }, /no port/], [{ port: 1.5 }, /no port/],
  ];
  for (const [changed, reason] of cases) {
    assert.match(String(elementOf(target(changed))), reason, JSON.stringify(changed));
  }
});

test('names of sets that are not ours are none', () => {
  for (const { name } of usualSets) assert.equal(parseSetName(name)?.name, name);
  for (const name of ['', 'ipv4_', 'ipv5_port', 'ipv4_destination', 'ipv4_destination0', 'ipv4_destination33',
    'ipv4_destination032', 'ipv4_destination32port', 'ipv4__port', 'allow4', 'ipv6_destination129', 'ipv4_port2']) {
    assert.equal(parseSetName(name), undefined, name);
  }
});

test('rules look at both directions, by masks where prefixes are shorter', () => {
  const set = parseSetName('ipv6_destination33_port');
  assert.ok(set !== undefined);
  assert.equal(typeOf(set), 'ipv6_addr . ipv6_addr . inet_proto . inet_service');
  assert.deepEqual(rulesOf(set), [
    'ip6 saddr . (ip6 daddr & ffff:ffff:8000::) . meta l4proto . th dport @ipv6_destination33_port drop',
    'ip6 daddr . (ip6 saddr & ffff:ffff:8000::) . meta l4proto . th sport @ipv6_destination33_port drop',
  ]);
});

const octets = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }).map((all) => all.join('.'));
const words = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((all) => all.map((one) => one.toString(16)).join(':'));
const canonical = (text: string): string => formatAddress(Uint32Array.from(parseAddress(text) ?? []), 0);

test('an element is read back as the target that it was of', () => {
  fc.assert(fc.property(fc.boolean(), fc.tuple(octets, octets), fc.tuple(words, words), fc.nat(128), fc.record({
    hasDestination: fc.boolean(), port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const), expires: fc.nat(100_000), action: fc.nat(),
  }), (isIPv6, four, six, bits, { hasDestination, port, protocol, expires, action }) => {
    const [home, destination] = isIPv6 ? six : four;
    const given = target({ homeAddress: home, port, protocol,
      destination: hasDestination ? `${destination}/${isIPv6 ? bits : bits % 33}` : undefined });
    const element = elementOf(given);
    if (typeof element === 'string') return;
    const parts = element.key.split(' . ').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const comment = `natlens ${action.toString(16)}`;
    const read = readElement(element.set, parts, { expires, comment });
    assert.equal(read?.homeAddress, canonical(home));
    assert.equal(read.port, port);
    if (port !== undefined) assert.equal(read.protocol, protocol);
    assert.equal(read.remainingMs, expires * 1_000);
    assert.equal(read.action, action.toString(16));
    // What was read names the same element again.
    const again = elementOf(read) as BlockElement;
    assert.deepEqual([again.set, again.key], [element.set, element.key]);
  }), { numRuns: 500 });
});

test('elements that are none of ours are not read', () => {
  const set = parseSetName('ipv4_port');
  assert.ok(set !== undefined);
  const rest = { expires: 5, comment: undefined };
  assert.equal(readElement(set, ['203.0.113.1', 'tcp', 23], rest)?.action, '');
  assert.equal(readElement(set, ['203.0.113.1', 6, 23], rest)?.protocol, 'tcp');
  for (const parts of [[], ['203.0.113.1'], ['203.0.113.1', 'sctp', 23], ['203.0.113.1', 'tcp', 'ssh'], [1, 'tcp', 23],
    ['203.0.113.1', 'tcp', 23, 1], ['2001:db8::1', 'tcp', 23]]) {
    assert.equal(readElement(set, parts, rest), undefined, JSON.stringify(parts));
  }
  assert.equal(readElement(set, ['203.0.113.1', 'tcp', 23], { expires: undefined, comment: '' }), undefined);
});
