/**
 * The device models of the simulated home: how each fills its headers, and what it does. Names are invented and lie
 * under `.example` (RFC 2606); the rhythms resemble devices of their type, no real product.
 */
import {
  announceByMdns, announceBySsdp, browse, fetchByTls, keepCloudLine, keepNeighbours, keepTime, pingGateway,
  registerWithPeers, repeat, searchHome, streamToPeers, type Fetch,
} from './behaviours.ts';
import { seconds, type DeviceWorld } from './device-world.ts';
import type { StackTraits } from './network-stack.ts';
import type { Process } from './world-clock.ts';

export type DeviceKind = 'camera' | 'plug' | 'hub' | 'laptop' | 'phone';

export type DeviceProfile = {
  /** `type.make.version`. */
  readonly deviceModel: string;
  /** The first three bytes of its link address; locally administered, so that no maker's is taken. */
  readonly macPrefix: readonly [number, number, number];
  readonly hasIpv6: boolean;
  readonly stack: StackTraits;
  /** Everything that it does, each with its own beginning soon after the world's. */
  readonly behaviours: (world: DeviceWorld) => readonly Process[];
};

const embeddedPorts = { low: 1_024, high: 4_999 };
const linuxPorts = { low: 32_768, high: 60_999 };
const ianaPorts = { low: 49_152, high: 65_535 };

const manySites = Array.from({ length: 120 }, (_, i) => `www.site-${String(i).padStart(3, '0')}.example`);
const phoneSites = Array.from({ length: 30 }, (_, i) => `api.app-${String(i).padStart(2, '0')}.example`);
const cameraPeers = {
  names: ['p2p1.camera.example', 'p2p2.camera.example', 'p2p3.camera.example'], port: 32_100, everyS: 25,
    streamMeanS: 240,
};

export const deviceProfiles: { readonly [K in DeviceKind]: DeviceProfile } = {
  camera: {
    deviceModel: 'webcam.Example.Cam_1',
    macPrefix: [0x02, 0x0c, 0xa1],
    hasIpv6: false,
    stack: {
      identification: 'perDestination', hops: 64, classOfService: 0, ephemeralPorts: linuxPorts,
      hasTcpTimestamps: true, windowBytes: 14_600, isWired: false,
    },
    behaviours: (world) => [
      keepCloudLine(world, {
        name: 'signal.camera.example', port: 443, heartbeatS: 30, heartbeatBytes: [64, 96], answerBytes: [40, 48],
        beatsPerDialog: [20, 60], resetShare: 0.4,
      }),
      registerWithPeers(world, cameraPeers),
      streamToPeers(world, cameraPeers),
      keepTime(world, 'ntp1.camera.example', 600, 0),
      announceBySsdp(world, `http://${formatHost(world)}:80/description.xml`, ['upnp:rootdevice'], 300),
      announceByMdns(world, '_http._tcp.local', world.device.name, 600),
      keepNeighbours(world),
    ],
  },
  plug: {
    deviceModel: 'plug.Example.Switch_2',
    macPrefix: [0x02, 0x9b, 0x06],
    hasIpv6: false,
    stack: {
      identification: 'global', hops: 255, classOfService: 0, ephemeralPorts: embeddedPorts,
      hasTcpTimestamps: false, windowBytes: 5_840, isWired: false,
    },
    behaviours: (world) => [
      keepCloudLine(world, {
        name: 'mqtt.plug.example', port: 8883, heartbeatS: 60, heartbeatBytes: [31, 31], answerBytes: [31, 31],
        beatsPerDialog: [200, 400], resetShare: 0.9,
      }),
      keepTime(world, 'pool.time.example', 1_024, 123),
      fetchOften(world, 'update.plug.example', 1_800, 400),
      keepNeighbours(world),
    ],
  },
  hub: {
    deviceModel: 'hub.Example.Bridge_3',
    macPrefix: [0x02, 0x17, 0x88],
    hasIpv6: false,
    stack: {
      identification: 'zero', hops: 64, classOfService: 0x10, ephemeralPorts: linuxPorts,
      hasTcpTimestamps: true, windowBytes: 29_200, isWired: true,
    },
    behaviours: (world) => [
      fetchOften(world, 'api.hub.example', 120, 900),
      fetchOften(world, 'diagnostics.hub.example', 900, 300),
      keepTime(world, 'pool.time.example', 300, 123),
      announceBySsdp(world, `http://${formatHost(world)}:80/description.xml`,
        ['upnp:rootdevice', 'urn:schemas-upnp-org:device:basic:1'], 100),
      announceByMdns(world, '_hap._tcp.local', world.device.name, 240),
      keepNeighbours(world),
    ],
  },
  laptop: {
    deviceModel: 'laptop.Example.Book_4',
    macPrefix: [0x02, 0x1a, 0xc0],
    hasIpv6: true,
    stack: {
      identification: 'global', hops: 128, classOfService: 0, ephemeralPorts: ianaPorts,
      hasTcpTimestamps: false, windowBytes: 64_240, isWired: false,
    },
    behaviours: (world) => [
      browse(world, manySites, 20, 40_000),
      keepTime(world, 'time.laptop.example', 3_600, 123),
      pingGateway(world, 300),
      searchHome(world, 'urn:dial-multiscreen-org:service:dial:1', 120),
      announceByMdns(world, '_smb._tcp.local', world.device.name, 600),
      keepNeighbours(world),
    ],
  },
  phone: {
    deviceModel: 'phone.Example.Mobile_5',
    macPrefix: [0x06, 0x2d, 0x7c],
    hasIpv6: true,
    stack: {
      identification: 'random', hops: 64, classOfService: 0x02, ephemeralPorts: ianaPorts,
      hasTcpTimestamps: true, windowBytes: 65_535, isWired: false,
    },
    behaviours: (world) => [
      keepCloudLine(world, {
        name: 'push.phone.example', port: 5223, heartbeatS: 280, heartbeatBytes: [80, 300], answerBytes: [40, 900],
        beatsPerDialog: [30, 90], resetShare: 0.1,
      }),
      browse(world, phoneSites, 45, 15_000),
      announceByMdns(world, '_companion-link._tcp.local', world.device.name, 120),
      keepNeighbours(world),
    ],
  },
};

export const deviceKinds = Object.keys(deviceProfiles) as readonly DeviceKind[];

/** Starts everything a device does, each part at a time of its own within the first seconds. */
export function startDevice(world: DeviceWorld, profile: DeviceProfile): void {
  for (const behaviour of profile.behaviours(world)) {
    world.clock.start(behaviour, seconds(world.random.uniform() * 5));
  }
}

function fetchOften(world: DeviceWorld, name: string, meanS: number, responseBytesMedian: number): Process {
  const fetch: Fetch = { name, port: 443, requestBytes: [180, 700], responseBytesMedian };
  return repeat(world, { meanS, isEven: false }, () => fetchByTls(world, fetch, false));
}

function formatHost(world: DeviceWorld): string {
  return world.device.ipv4.join('.');
}
