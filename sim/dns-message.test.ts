/** DNS messages against an independent reader. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvariantError } from '#base';
import { readDns } from '../test/support/frame-reader.ts';
import {
  buildDnsQuery, buildDnsResponse, buildMulticastAnnouncement, buildMulticastQuery, typeA, typeAaaa,
} from './dns-message.ts';

const label = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const names = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => `${labels.join('.')}.example`);

test('a query and its response carry the same id and name, and the addresses', () => {
  const addresses = fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 6 });
  fc.assert(fc.property(fc.nat(0xffff), names, addresses, fc.option(names, { nil: undefined }),
    (id, name, list, alias) => {
    const question = { id, name, type: typeA };
    const query = readDns(buildDnsQuery(question));
    assert.deepEqual(query, { id, isResponse: false, question: name, questionType: typeA, answers: [] });
    const response = readDns(buildDnsResponse(question, { addresses: list, alias, ttlSeconds: 100_000 }));
    assert.ok(response.isResponse);
    assert.equal(response.question, name);
    const owner = alias ?? name;
    const expected = list.map((address) => ({ owner, type: typeA, text: address.join('.') }));
    const before = alias === undefined ? [] : [{ owner: name, type: 5, text: alias }];
    assert.deepEqual(response.answers, [...before, ...expected]);
  }), { numRuns: 200 });
});

test('IPv6 addresses and multicast names', () => {
  const address = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  const question = { id: 1, name: 'a.example', type: typeAaaa };
  const response = readDns(buildDnsResponse(question, { addresses: [address], alias: undefined, ttlSeconds: 1 }));
  assert.equal(response.answers[0]?.text, '102:304:506:708:90a:b0c:d0e:f10');
  assert.equal(readDns(buildMulticastQuery('_hap._tcp.local')).question, '_hap._tcp.local');
  const announced = readDns(buildMulticastAnnouncement('_hap._tcp.local', 'hub-1._hap._tcp.local', 10)).answers;
  assert.deepEqual(announced, [{ owner: '_hap._tcp.local', type: 12, text: 'hub-1._hap._tcp.local' }]);
});

test('a message that no datagram holds is our own error', () => {
  const question = { id: 1, name: 'a.example', type: typeA };
  const addresses = Array.from({ length: 40 }, () => new Uint8Array(4));
  assert.throws(() => buildDnsResponse(question, { addresses, alias: undefined, ttlSeconds: 1 }), InvariantError);
  assert.throws(() => buildDnsQuery({ id: 1, name: 'a..example', type: typeA }), InvariantError);
});
