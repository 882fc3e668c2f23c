/** Names that no interface has, and the home as it looks from an interface. */
import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { formatAddress, isInPrefix, parseAddress, type AddressWords } from '#base';
import { describeUnknownInterface, findInterface, findInterfaceHome, listInterfaces } from './interfaces.ts';
import { FakeKernel } from './ring-samples.ts';

test('an unknown interface is answered with those there are, the nearest first', () => {
  assert.equal(describeUnknownInterface('eth1', ['lo', 'wlan0', 'eth0']),
    'there is no interface eth1; there are eth0, wlan0, lo');
  assert.equal(describeUnknownInterface('ETH0', ['lo', 'eth0']), 'there is no interface ETH0; there are eth0, lo');
  assert.equal(describeUnknownInterface('ens18f0', ['lo', 'docker0', 'eno1', 'ens18f0np0']).split('are ')[1],
    'ens18f0np0, eno1, docker0, lo');
  assert.equal(describeUnknownInterface('x', ['lo']), 'there is no interface x; there is lo');
  assert.match(describeUnknownInterface('x', []), /no other one/);
  const many = Array.from({ length: 300 }, (_, i) => `veth${i}`);
  assert.equal(describeUnknownInterface('veth299a', many).split('are ')[1]?.split(',')[0], 'veth299');
  assert.match(describeUnknownInterface('veth1', many), / and 292 more \(`ip link` lists them\)$/);
});

test('the interfaces of this machine are seen', { skip: process.platform !== 'linux' && 'needs Linux' }, () => {
  assert.ok(listInterfaces().includes('lo'), listInterfaces().join());
});

test('the kernel is not asked about names that it cannot have', () => {
  const libc = new FakeKernel().libc(1);
  assert.deepEqual(findInterface(libc, 7, 'eth0'), { index: 2, hardwareKind: 1, mtuBytes: 1_500, isUp: true });
  for (const name of ['', 'a-name-of-16-byte', 'eth0\0', 'eth9']) assert.equal(findInterface(libc, 7, name), undefined);
});

const address = (cidr: string | null): NetworkInterfaceInfo =>
  ({ address: '', netmask: '', mac: '', internal: false, family: 'IPv4', cidr });

test('the home is what is private, and the interface\'s own global IPv6 prefixes', () => {
  const home = findInterfaceHome('lan0', {
    lan0: ['192.168.1.5/24', '203.0.113.9/24', 'fe80::1/64', 'fd00:1::7/64', '2001:db8:7:8:1:2:3:4/60',
      '2001:db8:7:a::9/60', '2a02::5/128'].map(address).concat(address(null)),
    other0: [address('2001:db8:ffff::1/64')],
  });
  const isHome = (text: string): boolean =>
    home.some((prefix) => isInPrefix(Uint32Array.from(parseAddress(text) as AddressWords), 0, prefix));
  for (const text of ['192.168.1.1', '10.9.9.9', '172.31.0.1', '100.64.0.1', '169.254.1.1', '127.0.0.1', 'fd12::1',
    'fe80::9', '::1', '2001:db8:7:f::1', '2a02::5']) assert.ok(isHome(text), text);
  for (const text of ['203.0.113.9', '203.0.113.1', '2001:db8:7:10::1', '2001:db8:ffff::1', '2a02::6', '172.32.0.1',
    '8.8.8.8', 'ff02::1']) assert.ok(!isHome(text), text);
  const own = home.slice(9);
  assert.deepEqual(own.map(({ words, lengthBits }) => `${formatAddress(Uint32Array.from(words), 0)}/${lengthBits}`),
    ['2001:db8:7::/60', '2a02::5/128'], 'each once, and without the host\'s own bits');
  assert.equal(findInterfaceHome('none', {}).length, 9);
});
