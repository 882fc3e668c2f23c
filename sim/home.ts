/**
 * A small home behind one gateway, as seen on the gateway's inner side: private IPv4 addresses, one IPv6 prefix.
 * One seed, one world: the same options give the same frames, and a further device does not disturb the others.
 */
import { assertInvariant, formatAddress, formatMac, limits, OperatorError, Random } from '#base';
import { deviceKinds, deviceProfiles, startDevice, type DeviceKind, type DeviceProfile } from './devices.ts';
import type { DeviceTruth, DeviceWorld } from './device-world.ts';
import { NetworkStack, type StackTraits } from './network-stack.ts';
import { PayloadPool } from './payloads.ts';
import { addressBytes, Servers, type Host, type ServerPlacement } from './servers.ts';
import { WorldClock } from './world-clock.ts';

export type HomeOptions = {
  /** Any integer; the low 32 bits count. */
  readonly seed: number;
  readonly durationS: number;
  /** One device each; default: one of every kind. */
  readonly devices?: readonly DeviceKind[];
  /** Default: documentation prefixes. */
  readonly servers?: ServerPlacement;
  /** Default 2026-01-05T00:00:00Z. */
  readonly startMicroseconds?: number;
};

/** A frame on the gateway's inner side. */
export type SimulatedPacket = {
  readonly timeMicroseconds: number;
  /** From the Ethernet header on; the caller's to keep. */
  readonly frame: Uint8Array;
  /** The device that sent or was sent it. */
  readonly deviceName: string;
};

/** The frames in the order of their time, made as they are asked for, once; the truth counts what was made so far. */
export type SimulatedHome = Iterable<SimulatedPacket> & {
  readonly devices: readonly DeviceTruth[];
  /** The networks inside the home. */
  readonly homePrefixes: readonly string[];
};

export const defaultStartMicroseconds = 1_767_571_200e6;

const homePrefixes = ['192.168.1.0/24', '2001:db8:1:1::/64'];
const gatewayMac = Uint8Array.of(0x02, 0, 0, 0, 0, 1);
const gatewayTraits: StackTraits = {
  identification: 'zero', hops: 64, classOfService: 0xc0, ephemeralPorts: { low: 32_768, high: 60_999 },
  hasTcpTimestamps: true, windowBytes: 29_200, isWired: true,
};
/** Host number of the first device in the home's /24. */
const hostNumberFirst = 20;

/**
 * A home and its traffic.
 *
 * @throws OperatorError  too many devices, or a duration that is not positive
 */
export function simulateHome(options: HomeOptions): SimulatedHome {
  const { seed, durationS, devices = deviceKinds, servers = 'documentation' } = options;
  if (!(durationS > 0)) throw new OperatorError('bad-option', 'the duration must be more than 0 seconds');
  if (devices.length > limits.simulatedDevicesMax) {
    throw new OperatorError('bad-option', `a simulated home has at most ${limits.simulatedDevicesMax} devices`);
  }
  const startMicroseconds = options.startMicroseconds ?? defaultStartMicroseconds;
  const clock = new WorldClock(startMicroseconds);
  const made: SimulatedPacket[] = [];
  const worlds = devices.map((kind, index) => {
    const name = nameDevice(devices, index);
    return createDeviceWorld({
      name, index, profile: deviceProfiles[kind], random: new Random(seed + index * 0x9e3779b1), clock, servers,
      emit: (frame) => {
        made.push({ timeMicroseconds: clock.nowMicroseconds, frame, deviceName: name });
      },
    });
  });
  worlds.forEach((world, index) => startDevice(world, deviceProfiles[devices[index] as DeviceKind]));
  const endMicroseconds = startMicroseconds + Math.round(durationS * 1e6);
  let isStarted = false;
  return {
    devices: worlds.map((world) => world.truth),
    homePrefixes,
    *[Symbol.iterator]() {
      assertInvariant(!isStarted, 'a simulated home can be walked through once');
      isStarted = true;
      while (clock.step(endMicroseconds)) {
        yield* made;
        made.length = 0;
      }
    },
  };
}

/** `camera-1`, `camera-2`, `plug-1`: the kind and a number of its own. */
function nameDevice(devices: readonly DeviceKind[], index: number): string {
  const kind = devices[index] as DeviceKind;
  return `${kind}-${devices.slice(0, index + 1).filter((other) => other === kind).length}`;
}

/** A device and its place in a home. */
export type DeviceSpec = {
  readonly name: string;
  /** Its number in the home, from 0 on: the last bytes of its addresses. */
  readonly index: number;
  readonly profile: Omit<DeviceProfile, 'behaviours'>;
  /** Of this device alone. */
  readonly random: Random;
  readonly clock: WorldClock;
  readonly servers: ServerPlacement;
  readonly emit: DeviceWorld['emit'];
};

/** The world as a new device sees it; nothing happens in it yet. */
export function createDeviceWorld({ name, index, profile, random, clock, servers, emit }: DeviceSpec): DeviceWorld {
  const device = createHost(name, index, random, profile);
  const gateway: Host = {
    name: 'gateway', mac: gatewayMac, ipv4: addressBytes('192.168.1.1'), ipv6: addressBytes('2001:db8:1:1::1'),
    stack: new NetworkStack(gatewayTraits, random.fork()), roundTripMicroseconds: 700,
  };
  return {
    clock,
    random,
    pool: new PayloadPool(random.fork()),
    device,
    gateway,
    servers: new Servers(gatewayMac, servers, random.fork()),
    truth: createTruth(device, profile.deviceModel),
    emit,
    cachedUntil: new Map(),
  };
}

function createHost(name: string, index: number, random: Random, profile: DeviceSpec['profile']): Host {
  const mac = Uint8Array.of(...profile.macPrefix, random.integer(0, 255), random.integer(0, 255), index);
  const ipv4 = addressBytes('192.168.1.0');
  ipv4[3] = hostNumberFirst + index;
  const ipv6 = addressBytes('2001:db8:1:1::');
  for (let i = 8; i < 16; i++) ipv6[i] = random.integer(1, 255);
  const stack = new NetworkStack(profile.stack, random.fork());
  return { name, mac, ipv4, ipv6: profile.hasIpv6 ? ipv6 : undefined, stack, roundTripMicroseconds: 700 };
}

function createTruth(device: Host, deviceModel: string): DeviceTruth {
  const mac = Uint32Array.of(((device.mac[0] as number) << 8) | (device.mac[1] as number),
    new DataView(device.mac.buffer).getUint32(2));
  const { ipv6 } = device;
  return {
    deviceName: device.name,
    deviceModel,
    mac: formatMac(mac, 0),
    ipv4: device.ipv4.join('.'),
    ipv6: ipv6 === undefined ? '' : formatIpv6(ipv6),
    identification: device.stack.traits.identification,
    outboundPackets: 0, inboundPackets: 0, outboundOctets: 0, inboundOctets: 0, otherFrames: 0,
    dnsQueries: 0, tcpDialogs: 0, retransmissions: 0,
  };
}

function formatIpv6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer);
  return formatAddress(Uint32Array.from({ length: 4 }, (_, i) => view.getUint32(i * 4)), 0);
}
