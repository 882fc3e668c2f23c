/** The service of ports and protocol: the table against its list, and what a broken list does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '#base';
import { services } from './service-list.ts';
import { createServiceTable, findService } from './service-table.ts';

const tcp = 6;
const udp = 17;
const table = createServiceTable();
const nameOf = (protocol: number, responderPort: number, initiatorPort = 50_000, isOutward = false): string =>
  table.names[findService(table, protocol, responderPort, initiatorPort, isOutward)] as string;

test('well-known ports and protocols have the names that nDPI gives them', () => {
  const expected: [number, number, string][] = [
    [udp, 53, 'DNS'], [tcp, 443, 'TLS'], [udp, 443, 'QUIC'], [tcp, 80, 'HTTP'], [tcp, 8080, 'HTTP'], [udp, 123, 'NTP'],
    [udp, 5353, 'MDNS'], [udp, 1900, 'SSDP'], [udp, 67, 'DHCP'], [udp, 547, 'DHCPV6'], [udp, 3478, 'STUN'],
    [tcp, 22, 'SSH'], [tcp, 23, 'Telnet'], [tcp, 1883, 'MQTT'], [tcp, 8883, 'MQTT'], [udp, 5683, 'COAP'],
    [tcp, 554, 'RTSP'], [udp, 3702, 'WSD'], [1, 0, 'ICMP'], [2, 0, 'IGMP'], [58, 0, 'ICMPV6'], [50, 0, 'IPsec'],
    [udp, 32_100, 'PPPP'], [tcp, 9_999, 'TPLINK_SHP'], [udp, 6_667, 'TuyaLP'], [tcp, 6_667, 'IRC'],
  ];
  for (const [protocol, port, name] of expected) assert.equal(nameOf(protocol, port), name, `${protocol}/${port}`);
});

test('what the list does not hold is unknown', () => {
  assert.equal(nameOf(tcp, 40_123), 'Unknown');
  assert.equal(nameOf(udp, 0, 0), 'Unknown');
  assert.equal(nameOf(200, 443), 'Unknown');
});

test('the initiator names the service when it is the server, but not by an ephemeral port', () => {
  assert.equal(nameOf(tcp, 51_515, 443), 'TLS');
  assert.equal(nameOf(tcp, 51_515, 8_883), 'MQTT');
  assert.equal(nameOf(tcp, 1_883, 443), 'TLS', 'a well-known port goes before a registered one');
  assert.equal(nameOf(udp, 53, 123), 'DNS', 'of two well-known ports the responder’s counts');
  assert.equal(nameOf(udp, 40_123, 51_820), 'Unknown', 'WireGuard’s port is one that clients are given');
  assert.equal(nameOf(udp, 51_820, 40_123), 'WireGuard');
});

test('what is spoken inside homes only does not name a flow that leaves the home', () => {
  assert.equal(nameOf(tcp, 9_999, 50_000, true), 'Unknown');
  assert.equal(nameOf(udp, 32_100, 50_000, true), 'PPPP');
  for (const { name, local, tcp: tcpPorts, udp: udpPorts } of services) {
    for (const port of tcpPorts) assert.equal(nameOf(tcp, port, 50_000, true), local ? 'Unknown' : name);
    for (const port of udpPorts) assert.equal(nameOf(udp, port, 50_000, true), local ? 'Unknown' : name);
  }
});

test('every port and protocol of the list is found by its name', () => {
  for (const { name, protocols, ...ports } of services) {
    for (const port of ports.tcp) assert.equal(nameOf(tcp, port), name);
    for (const port of ports.udp) assert.equal(nameOf(udp, port), name);
    for (const protocol of protocols) assert.equal(nameOf(protocol, 0), name);
  }
});

test('names are spelled so that `service.owner` can be taken apart', () => {
  for (const { name, tcp: tcpPorts, udp: udpPorts, protocols } of services) {
    assert.match(name, /^[A-Za-z0-9][A-Za-z0-9_-]*$/);
    assert.ok(tcpPorts.length + udpPorts.length + protocols.length > 0, `${name} names nothing`);
  }
  const folded = services.map(({ name }) => name.toLowerCase().replace(/[-_]/g, ''));
  assert.equal(new Set(folded).size, folded.length, 'two names differ in spelling alone');
});

test('a list that gives a key two names is refused', () => {
  const one = { name: 'One', tcp: [7], udp: [], protocols: [], own: true, local: false };
  assert.throws(() => createServiceTable([one, { ...one, name: 'Two' }]), InvariantError);
  assert.throws(() => createServiceTable([one, { ...one, tcp: [8] }]), InvariantError);
  assert.throws(() => createServiceTable([{ ...one, tcp: [65_536] }]), InvariantError);
  const tooMany = Array.from({ length: 256 }, (_, i) => ({ ...one, name: `S${i}`, tcp: [i + 1] }));
  assert.throws(() => createServiceTable(tooMany), InvariantError);
  assert.equal(createServiceTable(tooMany.slice(1)).names.length, 256);
});
