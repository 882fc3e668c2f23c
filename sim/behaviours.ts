/**
 * What devices do, as processes that never end: fetch by TLS, keep a line to the cloud open, announce themselves.
 * A device model is a list of these with its own names, ports, sizes and rhythms (devices.ts).
 */
import { seconds, type DeviceWorld } from './device-world.ts';
import { buildMulticastAnnouncement, buildMulticastQuery } from './dns-message.ts';
import {
  askTime, fetchByQuic, knockAtClosedPort, lookUp, ping, resolveGateway, sendMulticast, sendUdp, solicitGateway,
} from './exchanges.ts';
import { buildSsdpNotify, buildSsdpSearch, buildTlsClientHello, buildTlsRecords, buildTlsServerHello,
  ssdpPort } from './payloads.ts';
import { addressBytes, type Host } from './servers.ts';
import { TcpDialog } from './tcp-dialog.ts';
import type { Process } from './world-clock.ts';

const mdnsPort = 5353;
const ssdpGroup = addressBytes('239.255.255.250');
const mdnsGroups = { ipv4: addressBytes('224.0.0.251'), ipv6: addressBytes('ff02::fb') };
/** RFC 6762 §11 wants 255, UPnP Device Architecture 2.0 §1.2 wants 2. */
const mdnsHops = 255;
const ssdpHops = 2;
const retransmitShare = 0.01;

/** Repeats an exchange for ever, with exponentially distributed or nearly even pauses. */
export function* repeat(
  world: DeviceWorld, pause: { meanS: number; isEven: boolean }, exchange: () => Process,
): Process {
  for (;;) {
    const pauseS = pause.isEven ? pause.meanS * (0.98 + 0.04 * world.random.uniform())
      : world.random.exponential(pause.meanS);
    yield seconds(pauseS);
    yield* exchange();
  }
}

/** Asks a time server in an even rhythm. */
export function keepTime(world: DeviceWorld, name: string, meanS: number, devicePort: number): Process {
  return repeat(world, { meanS, isEven: true }, () => askTime(world, name, devicePort));
}

/** Keeps the gateway's link addresses fresh. */
export function keepNeighbours(world: DeviceWorld): Process {
  const isV6 = world.device.ipv6 !== undefined && world.gateway.ipv6 !== undefined;
  return repeat(world, { meanS: 90, isEven: false }, function* () {
    yield* resolveGateway(world);
    if (isV6) yield* solicitGateway(world);
  });
}

/** Pings the gateway, a few times in a row; every so often with packets that must be fragmented. */
export function pingGateway(world: DeviceWorld, meanS: number): Process {
  return repeat(world, { meanS, isEven: false }, function* () {
    const isLong = world.random.chance(0.2);
    yield* ping(world, world.gateway, false, world.random.integer(2, 5), isLong ? 2_400 : 56);
    if (world.device.ipv6 !== undefined) yield* ping(world, world.gateway, true, 2, 56);
  });
}

export type CloudLine = {
  readonly name: string;
  readonly port: number;
  readonly heartbeatS: number;
  readonly heartbeatBytes: readonly [number, number];
  readonly answerBytes: readonly [number, number];
  /** Heartbeats before the line is opened anew. */
  readonly beatsPerDialog: readonly [number, number];
  /** Share of lines that end by a reset instead of FIN. */
  readonly resetShare: number;
};

/** A TLS line to the cloud that stays open, with heartbeats; when it ends, a new one is opened. */
export function* keepCloudLine(world: DeviceWorld, line: CloudLine): Process {
  const { random, pool } = world;
  for (;;) {
    const server = yield* lookUp(world, line.name);
    const dialog = yield* openTls(world, server, line.port, line.name, false);
    for (let beats = random.integer(...line.beatsPerDialog); beats > 0; beats--) {
      yield seconds(line.heartbeatS * (0.97 + 0.06 * random.uniform()));
      if (random.chance(0.1)) yield* dialog.keepAlive();
      yield* dialog.request(buildTlsRecords(pool, random.integer(...line.heartbeatBytes)));
      yield* dialog.response(buildTlsRecords(pool, random.integer(...line.answerBytes)));
    }
    if (random.chance(line.resetShare)) yield* dialog.reset(random.chance(0.5));
    else yield* dialog.close();
    yield seconds(random.integer(1, 20));
  }
}

export type Fetch = {
  readonly name: string;
  readonly port: number;
  readonly requestBytes: readonly [number, number];
  /** Most responses are near it, a few are many times as long. */
  readonly responseBytesMedian: number;
};

/** One fetch over TLS and TCP. Now and then the server refuses, or nobody answers. */
export function* fetchByTls(world: DeviceWorld, fetch: Fetch, isV6: boolean): Process {
  const { random, pool } = world;
  const server = yield* lookUp(world, fetch.name);
  const luck = random.uniform();
  if (luck < 0.01) {
    const dialog = new TcpDialog(world, server, fetch.port, { isV6, retransmitShare });
    yield* luck < 0.005 ? dialog.openRefused() : dialog.openUnanswered(4);
    return;
  }
  const dialog = yield* openTls(world, server, fetch.port, fetch.name, isV6);
  for (let requests = random.integer(1, 3); requests > 0; requests--) {
    yield* dialog.request(buildTlsRecords(pool, random.integer(...fetch.requestBytes)));
    yield* dialog.response(buildTlsRecords(pool, drawBytes(world, fetch.responseBytesMedian)));
    yield random.integer(500, 300_000);
  }
  if (random.chance(0.15)) yield* dialog.reset(true);
  else yield* dialog.close();
}

/** A TCP dialog with the TLS handshake done. */
export function* openTls(
  world: DeviceWorld, server: Host, port: number, serverName: string, isV6: boolean,
): Process<TcpDialog> {
  const dialog = new TcpDialog(world, server, port, { isV6, retransmitShare });
  yield* dialog.open();
  const hello = buildTlsClientHello(world.pool, serverName);
  yield* dialog.request(hello);
  yield* dialog.response(buildTlsServerHello(world.pool, hello));
  yield* dialog.response(buildTlsRecords(world.pool, world.random.integer(2_200, 4_800)));
  yield* dialog.request(buildTlsRecords(world.pool, 53));
  return dialog;
}

/** Log-normal lengths, as those of web objects are; bounded. */
export function drawBytes(world: DeviceWorld, median: number): number {
  return Math.min(4_000_000, Math.max(60, Math.round(median * Math.exp(world.random.normal(0, 1.2)))));
}

/** Visits sites for ever: each visit is several fetches at once, by TCP or QUIC, by IPv4 or IPv6. */
export function browse(
  world: DeviceWorld, sites: readonly string[], meanS: number, responseBytesMedian: number,
): Process {
  const { random } = world;
  return repeat(world, { meanS, isEven: false }, function* () {
    for (let fetches = random.integer(1, 6); fetches > 0; fetches--) {
      const isV6 = world.device.ipv6 !== undefined && random.chance(0.5);
      const fetch = { name: random.pick(sites), port: 443, requestBytes: [200, 1_800] as const, responseBytesMedian };
      world.clock.start(random.chance(0.4) ? visitByQuic(world, fetch, isV6) : fetchByTls(world, fetch, isV6));
      yield random.integer(2_000, 400_000);
    }
  });
}

function* visitByQuic(world: DeviceWorld, fetch: Fetch, isV6: boolean): Process {
  const server = yield* lookUp(world, fetch.name);
  yield* fetchByQuic(world, server, isV6, drawBytes(world, fetch.responseBytesMedian));
}

export type PeerToPeer = {
  readonly names: readonly string[];
  readonly port: number;
  readonly everyS: number;
  /** Mean time between streams to a peer. */
  readonly streamMeanS: number;
};

/** Registers with peer-to-peer servers by UDP in an even rhythm. */
export function registerWithPeers(world: DeviceWorld, plan: PeerToPeer): Process {
  const devicePort = world.device.stack.takePort();
  return repeat(world, { meanS: plan.everyS, isEven: true }, function* () {
    for (const name of plan.names) {
      const server = yield* lookUp(world, name);
      const ports = { device: devicePort, peer: plan.port };
      sendUdp(world, server, ports, false, true, world.pool.after([0xf1, 0x20, 0, 36], 40));
      yield server.roundTripMicroseconds;
      sendUdp(world, server, ports, false, false, world.pool.after([0xf1, 0x21, 0, 4], 8));
    }
  });
}

/** Streams video to a peer somewhere now and then; some peers are not there any more. */
export function streamToPeers(world: DeviceWorld, plan: PeerToPeer): Process {
  const { random, pool } = world;
  return repeat(world, { meanS: plan.streamMeanS, isEven: false }, function* () {
    const peer = world.servers.meetPeer();
    const peerPort = random.integer(40_000, 65_000);
    if (random.chance(0.3)) {
      yield* knockAtClosedPort(world, peer, peerPort, pool.after([0xf1, 0x41, 0, 20], 24));
      return;
    }
    const ports = { device: world.device.stack.takePort(), peer: peerPort };
    for (let datagrams = random.integer(40, 900), i = 1; i <= datagrams; i++) {
      sendUdp(world, peer, ports, false, true, pool.after([0xf1, 0xd0], random.integer(700, 1_032)));
      yield random.integer(1_000, 12_000);
      if (i % 8 === 0) sendUdp(world, peer, ports, false, false, pool.after([0xf1, 0xd1], random.integer(12, 40)));
    }
  });
}

/** Searches by SSDP for devices at home. */
export function searchHome(world: DeviceWorld, target: string, meanS: number): Process {
  return repeat(world, { meanS, isEven: false }, function* () {
    const devicePort = world.device.stack.takePort();
    for (let i = 0; i < 3; i++) {
      sendMulticast(world, { group: ssdpGroup, devicePort, port: ssdpPort, hops: ssdpHops }, buildSsdpSearch(target));
      yield seconds(1);
    }
  });
}

/** Announces itself by SSDP. */
export function announceBySsdp(world: DeviceWorld, location: string, targets: readonly string[],
  meanS: number): Process {
  return repeat(world, { meanS, isEven: true }, function* () {
    for (const target of targets) {
      const multicast = { group: ssdpGroup, devicePort: ssdpPort, port: ssdpPort, hops: ssdpHops };
      sendMulticast(world, multicast, buildSsdpNotify(location, target));
      yield world.random.integer(2_000, 40_000);
    }
  });
}

/** Announces an instance of a service by multicast DNS, and asks for others of it, over IPv4 and, if it can, IPv6. */
export function announceByMdns(world: DeviceWorld, service: string, instance: string, meanS: number): Process {
  const groups = world.device.ipv6 === undefined ? [mdnsGroups.ipv4] : [mdnsGroups.ipv4, mdnsGroups.ipv6];
  return repeat(world, { meanS, isEven: false }, function* () {
    for (const group of groups) {
      const target = { group, devicePort: mdnsPort, port: mdnsPort, hops: mdnsHops };
      sendMulticast(world, target, buildMulticastQuery(service));
      yield world.random.integer(20_000, 120_000);
      sendMulticast(world, target, buildMulticastAnnouncement(service, `${instance}.${service}`, 4500));
    }
  });
}
