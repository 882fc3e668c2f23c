/**
 * The short exchanges that devices are made of: DNS, NTP, ping, UDP to peers, QUIC, ARP and neighbour discovery,
 * multicast. Each is a process that ends when the exchange is over.
 */
import { pathOf, seconds, send, sendFragmented, sendOther, type DeviceWorld } from './device-world.ts';
import { buildDnsQuery, buildDnsResponse, dnsPort, typeA, typeAaaa } from './dns-message.ts';
import { buildArp, buildIcmp, buildUdp, linkHeaderBytes, octetsOf } from './packet-builder.ts';
import { buildNtp, buildQuicLong, buildQuicShort, ntpPort } from './payloads.ts';
import type { Host } from './servers.ts';
import type { Process } from './world-clock.ts';

const httpsPort = 443;
/** Names of which one answer is remembered at once; behaviours know fewer. */
const cachedNamesMax = 1024;

/** One UDP datagram from the device, or to it. */
export function sendUdp(
  world: DeviceWorld, peer: Host, ports: { device: number; peer: number }, isV6: boolean, isOutbound: boolean,
  payload: Uint8Array,
): void {
  const { device } = world;
  const path = isOutbound ? pathOf(world, device, peer, isV6) : pathOf(world, peer, device, isV6);
  const frame = buildUdp(path, isOutbound ? { source: ports.device, destination: ports.peer }
    : { source: ports.peer, destination: ports.device }, payload);
  send(world, frame, isOutbound);
}

/** A host behind a name, asked of the gateway or the device's own resolver unless an answer is still remembered. */
export function* lookUp(world: DeviceWorld, name: string): Process<Host> {
  const { random, cachedUntil } = world;
  const hosts = world.servers.find(name);
  if ((cachedUntil.get(name) ?? 0) <= world.clock.nowMicroseconds) {
    const ttlSeconds = random.pick([60, 60, 120, 300, 300, 3600]);
    yield* query(world, name, typeA, hosts.map((host) => host.ipv4), ttlSeconds);
    const ipv6 = hosts.flatMap((host) => host.ipv6 === undefined ? [] : [host.ipv6]);
    if (world.device.ipv6 !== undefined) yield* query(world, name, typeAaaa, ipv6, ttlSeconds);
    if (cachedUntil.size >= cachedNamesMax) cachedUntil.clear();
    cachedUntil.set(name, world.clock.nowMicroseconds + seconds(ttlSeconds));
  }
  return random.pick(hosts);
}

function* query(
  world: DeviceWorld, name: string, type: number, addresses: readonly Uint8Array[], ttlSeconds: number,
): Process {
  const { random, device } = world;
  const resolver = world.resolver ?? world.gateway;
  const question = { id: random.integer(0, 0xffff), name, type };
  const ports = { device: device.stack.takePort(), peer: dnsPort };
  world.truth.dnsQueries++;
  sendUdp(world, resolver, ports, false, true, buildDnsQuery(question));
  yield random.integer(300, 40_000);
  const alias = addresses.length > 2 ? `edge.${name}` : undefined;
  sendUdp(world, resolver, ports, false, false, buildDnsResponse(question, { addresses, alias, ttlSeconds }));
  yield random.integer(100, 1_500);
}

/** The time of a server, asked once. @param devicePort  0 takes an ephemeral port */
export function* askTime(world: DeviceWorld, name: string, devicePort: number): Process {
  const server = yield* lookUp(world, name);
  const ports = { device: devicePort === 0 ? world.device.stack.takePort() : devicePort, peer: ntpPort };
  sendUdp(world, server, ports, false, true, buildNtp(3, world.clock.nowMicroseconds));
  yield server.roundTripMicroseconds;
  sendUdp(world, server, ports, false, false, buildNtp(4, world.clock.nowMicroseconds));
}

/** Echo requests and replies, one a second (RFC 792, RFC 4443 §4). Long ones over IPv4 go in fragments. */
export function* ping(world: DeviceWorld, target: Host, isV6: boolean, count: number, dataBytes: number): Process {
  const identifier = world.random.integer(1, 0xffff);
  for (let i = 1; i <= count; i++) {
    const rest = ((identifier << 16) | i) >>> 0;
    const data = world.pool.take(dataBytes);
    const isCut = !isV6 && dataBytes > 1400;
    const request = pathOf(world, world.device, target, isV6);
    const reply = pathOf(world, target, world.device, isV6);
    const whole = (path: typeof request): typeof request => isCut
      ? { ...path, isUnfragmentable: false, identification: world.random.integer(1, 0xffff) } : path;
    sendFragmented(world, buildIcmp(whole(request), isV6 ? 128 : 8, 0, rest, data), true);
    yield target.roundTripMicroseconds;
    sendFragmented(world, buildIcmp(whole(reply), isV6 ? 129 : 0, 0, rest, data), false);
    yield seconds(1);
  }
}

/**
 * A UDP datagram to a port where nobody listens, answered by ICMP (RFC 792: the IP header and eight bytes come back).
 */
export function* knockAtClosedPort(world: DeviceWorld, peer: Host, peerPort: number, payload: Uint8Array): Process {
  const path = pathOf(world, world.device, peer, false);
  const frame = buildUdp(path, { source: world.device.stack.takePort(), destination: peerPort }, payload);
  send(world, frame, true);
  yield peer.roundTripMicroseconds;
  const quoted = frame.slice(linkHeaderBytes, linkHeaderBytes + Math.min(28, octetsOf(frame)));
  send(world, buildIcmp(pathOf(world, peer, world.device, false), 3, 3, 0, quoted), false);
}

/** A fetch over QUIC: Initial and Handshake datagrams, then the data with an acknowledgment for every few. */
export function* fetchByQuic(world: DeviceWorld, server: Host, isV6: boolean, responseBytes: number): Process {
  const { pool, random } = world;
  const ports = { device: world.device.stack.takePort(), peer: httpsPort };
  const to = (bytes: Uint8Array): void => sendUdp(world, server, ports, isV6, true, bytes);
  const back = (bytes: Uint8Array): void => sendUdp(world, server, ports, isV6, false, bytes);
  to(buildQuicLong(pool, 0, 1250));
  yield server.roundTripMicroseconds;
  back(buildQuicLong(pool, 0, 1200));
  yield random.integer(50, 300);
  back(buildQuicLong(pool, 2, 1200));
  yield random.integer(200, 900);
  to(buildQuicLong(pool, 2, random.integer(60, 120)));
  yield random.integer(50, 300);
  to(buildQuicShort(pool, random.integer(80, 400)));
  yield server.roundTripMicroseconds;
  for (let left = responseBytes, count = 1; left > 0; left -= 1200, count++) {
    back(buildQuicShort(pool, Math.max(40, Math.min(left, 1200))));
    yield random.integer(80, 500);
    if (count % 4 === 0) to(buildQuicShort(pool, random.integer(34, 42)));
    if (count % 32 === 0) yield server.roundTripMicroseconds;
  }
}

/** Where a multicast datagram goes: the group, both ports, and how many hops it may take. */
export type MulticastTarget = {
  readonly group: Uint8Array;
  readonly devicePort: number;
  readonly port: number;
  readonly hops: number;
};

/** A datagram to a multicast group (RFC 1112 §6.4, RFC 2464 §7: the link address is made from the group's). */
export function sendMulticast(world: DeviceWorld, target: MulticastTarget, payload: Uint8Array): void {
  const { group } = target;
  const isV6 = group.length === 16;
  const mac = isV6 ? Uint8Array.of(0x33, 0x33, ...group.subarray(12))
    : Uint8Array.of(1, 0, 0x5e, (group[1] as number) & 0x7f, group[2] as number, group[3] as number);
  const host: Host = { ...world.gateway, name: 'group', mac, ipv4: group, ipv6: group };
  const path = { ...pathOf(world, world.device, host, isV6), hops: target.hops };
  send(world, buildUdp(path, { source: target.devicePort, destination: target.port }, payload), true);
}

/** The device asks for the gateway's link address and gets it (RFC 826). */
export function* resolveGateway(world: DeviceWorld): Process {
  const { device, gateway } = world;
  const broadcast = new Uint8Array(6).fill(0xff);
  sendOther(world, buildArp({
    operation: 1, destinationMac: broadcast, senderMac: device.mac, senderAddress: device.ipv4,
    targetMac: new Uint8Array(6), targetAddress: gateway.ipv4,
  }));
  yield world.random.integer(80, 600);
  sendOther(world, buildArp({
    operation: 2, destinationMac: device.mac, senderMac: gateway.mac, senderAddress: gateway.ipv4,
    targetMac: device.mac, targetAddress: device.ipv4,
  }));
}

/** The device asks whether the gateway is still there by IPv6 (RFC 4861 §4.3, §4.4). Both need IPv6. */
export function* solicitGateway(world: DeviceWorld): Process {
  const { device, gateway } = world;
  const target = gateway.ipv6 as Uint8Array;
  const hopsOfNeighbours = { hops: 255, classOfService: 0 };
  const request = { ...pathOf(world, device, gateway, true), ...hopsOfNeighbours };
  send(world, buildIcmp(request, 135, 0, 0, Uint8Array.of(...target, 1, 1, ...device.mac)), true);
  yield world.random.integer(80, 600);
  const reply = { ...pathOf(world, gateway, device, true), ...hopsOfNeighbours };
  // Flags: from a router, solicited, override.
  send(world, buildIcmp(reply, 136, 0, 0xe0000000, Uint8Array.of(...target, 2, 1, ...gateway.mac)), false);
}
