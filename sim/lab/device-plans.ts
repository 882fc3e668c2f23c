/**
 * The device models of the simulated lab, by the names of the paper (Meidan et al. 2019, §7) where its text has them,
 * filled up to its 13 with common products of that time. What each does is made up after its type: see
 * docs/simulated-lab.md. All names to look up are invented; the last labels say in whose cloud they lie.
 */
import type { DeviceProfile } from '../devices.ts';
import type { StackTraits } from '../network-stack.ts';
import type { Activity } from './activities.ts';

export type DevicePlan = {
  readonly profile: Omit<DeviceProfile, 'behaviours'>;
  readonly kind: 'iot' | 'non-iot';
  /** What it calls itself in HTTP. */
  readonly agent: string;
  /** Asks a public resolver by its name instead of the gateway. */
  readonly resolver?: string;
  readonly activities: readonly Activity[];
};

const linuxPorts = { low: 32_768, high: 60_999 };
const embeddedPorts = { low: 1_024, high: 4_999 };
const lwipPorts = { low: 49_152, high: 65_535 };

const embeddedLinux: StackTraits = {
  identification: 'perDestination', hops: 64, classOfService: 0, ephemeralPorts: linuxPorts, hasTcpTimestamps: true,
  windowBytes: 14_600, isWired: false,
};
const smallStack: StackTraits = {
  identification: 'global', hops: 255, classOfService: 0, ephemeralPorts: lwipPorts, hasTcpTimestamps: false,
  windowBytes: 5_840, isWired: false,
};

/** The maker's number of the link addresses is ours: locally administered. */
function profileOf(deviceModel: string, number: number, stack: StackTraits): DevicePlan['profile'] {
  return { deviceModel, macPrefix: [0x02, 0x50, number], hasIpv6: false, stack };
}

function line(name: string, port: number, heartbeatS: number, heartbeatBytes: readonly [number, number]): Activity {
  return {
    does: 'line', name, port, heartbeatS, heartbeatBytes, answerBytes: [30, 60], beatsPerDialog: [40, 160],
    resetShare: 0.4,
  };
}

function time(name: string, everyS: number, devicePort = 0): Activity {
  return { does: 'time', name, everyS, devicePort };
}

function fetches(
  does: 'tls' | 'http', name: string, everyS: number, sizes: { requestBytes: readonly [number, number];
    median: number; port?: number; isUse?: boolean },
): Activity {
  const { requestBytes, median, port = does === 'tls' ? 443 : 80, isUse = false } = sizes;
  return { does, name, port, everyS, isUse, requestBytes, responseBytesMedian: median };
}

function troubles(name: string, port: number, updates: string, via: 'tls' | 'http' = 'tls'): readonly Activity[] {
  return [
    { does: 'firmwareCheck', via, name: updates, perDay: 1 },
    { does: 'retryStorm', name, port, perDay: 0.12 },
  ];
}

/**
 * Cameras of one peer-to-peer platform that is rented from Amazon: what Sricam and Amcrest share, and why they are
 * taken for each other.
 */
function sharedPlatform(
  maker: string, rates: { registerS: number; statusS: number; apiS: number; videosPerHour: number },
): readonly Activity[] {
  const relay = 'relay.platform.amazon.example';
  return [
    { does: 'register', names: ['p2p1.platform.amazon.example', 'p2p2.platform.amazon.example'], port: 32_100,
      everyS: rates.registerS },
    { does: 'video', via: 'udp', name: relay, port: 32_108, perHour: rates.videosPerHour, lengthS: [8, 50],
      datagramBytes: [600, 1_032], datagramsPerS: 12 },
    fetches('http', `status.${maker}.amazon.example`, rates.statusS, { requestBytes: [24, 64], median: 320 }),
    fetches('tls', `api.${maker}.amazon.example`, rates.apiS, { requestBytes: [260, 620], median: 900 }),
    time('time.amazon.example', 1_200),
    time('0.pool.example', 900),
  ];
}

export const iotPlans: readonly DevicePlan[] = [
  {
    profile: profileOf('webcam.Sricam.SP017', 1, embeddedLinux), kind: 'iot', agent: 'sricam/17',
    resolver: 'public.resolver.example',
    activities: [
      ...sharedPlatform('sricam', { registerS: 150, statusS: 300, apiS: 420, videosPerHour: 1.5 }),
      ...troubles('api.sricam.amazon.example', 443, 'update.sricam.amazon.example', 'http'),
    ],
  },
  {
    profile: profileOf('webcam.Amcrest.IPM_723S', 2, embeddedLinux), kind: 'iot', agent: 'amcrest/723',
    resolver: 'public.resolver.example',
    activities: [
      ...sharedPlatform('amcrest', { registerS: 140, statusS: 280, apiS: 380, videosPerHour: 1.5 }),
      line('dh.amcrest.alibaba.example', 8_800, 300, [90, 160]),
      fetches('tls', 'view.amcrest.google.example', 700, { requestBytes: [700, 1_900], median: 9_000 }),
      ...troubles('dh.amcrest.alibaba.example', 8_800, 'update.amcrest.alibaba.example'),
    ],
  },
  {
    profile: profileOf('webcam.Amcrest.IPM_HX1B', 3, embeddedLinux), kind: 'iot', agent: 'amcrest/hx1',
    activities: [
      line('cloud.hx.tencent.example', 12_366, 50, [140, 260]),
      { does: 'register', names: ['p2p.hx.tencent.example'], port: 8_893, everyS: 130 },
      { does: 'video', via: 'tls', name: 'clips.hx.amazon.example', port: 443, perHour: 2, lengthS: [10, 30],
        datagramBytes: [700, 1_000], datagramsPerS: 14 },
      time('time.hx.tencent.example', 700),
      ...troubles('cloud.hx.tencent.example', 12_366, 'update.hx.tencent.example', 'http'),
    ],
  },
  {
    profile: profileOf('webcam.Edimax.IC_3116W', 4, { ...embeddedLinux, windowBytes: 5_792, classOfService: 0x10 }),
    kind: 'iot', agent: 'edimax/31',
    activities: [
      { does: 'register', names: ['www.edilife.akamai.example', 'm2.edilife.akamai.example'], port: 8_765,
        everyS: 50 },
      fetches('http', 'reg.edilife.akamai.example', 360, { requestBytes: [60, 110], median: 180, port: 8_766 }),
      { does: 'video', via: 'peer', name: '', port: 0, perHour: 2, lengthS: [8, 45], datagramBytes: [900, 1_300],
        datagramsPerS: 10 },
      time('1.pool.example', 1_800),
      ...troubles('reg.edilife.akamai.example', 8_766, 'update.edilife.akamai.example', 'http'),
    ],
  },
  {
    profile: profileOf('webcam.D_Link.DCS_933L', 5, { ...embeddedLinux, hasTcpTimestamps: false }), kind: 'iot',
    agent: 'dcs/933',
    activities: [
      line('signal.mydlink.microsoft.example', 443, 75, [80, 120]),
      fetches('http', 'wrp.mydlink.microsoft.example', 450, { requestBytes: [90, 140], median: 260 }),
      { does: 'video', via: 'tls', name: 'relay.mydlink.microsoft.example', port: 443, perHour: 1.6,
        lengthS: [8, 30], datagramBytes: [500, 800], datagramsPerS: 10 },
      time('ntp1.dlink.nist.example', 1_500, 123),
      { does: 'ssdp', targets: ['upnp:rootdevice'], everyS: 600 },
      ...troubles('signal.mydlink.microsoft.example', 443, 'update.mydlink.microsoft.example', 'http'),
    ],
  },
  {
    profile: profileOf('webcam.D_Link.DCS_942L', 6, { ...embeddedLinux, hasTcpTimestamps: false }), kind: 'iot',
    agent: 'dcs/942',
    activities: [
      line('signal.mydlink.microsoft.example', 443, 110, [150, 230]),
      fetches('tls', 'clips.mydlink.microsoft.example', 300, { requestBytes: [900, 2_400], median: 500 }),
      { does: 'video', via: 'udp', name: 'turn.mydlink.microsoft.example', port: 3_478, perHour: 1.6,
        lengthS: [8, 40], datagramBytes: [800, 1_200], datagramsPerS: 12 },
      time('ntp1.dlink.nist.example', 1_000, 123),
      { does: 'ssdp', targets: ['upnp:rootdevice'], everyS: 900 },
      ...troubles('signal.mydlink.microsoft.example', 443, 'update.mydlink.microsoft.example', 'http'),
    ],
  },
  {
    profile: profileOf('socket.TP_Link.HS110', 7, smallStack), kind: 'iot', agent: 'kasa/110',
    activities: [
      line('devs.tplink.amazon.example', 50_443, 45, [60, 110]),
      ...[0, 1, 2].map((i) => time(`${i}.uk.pool.example`, 1_300)),
      fetches('tls', 'use.tplink.amazon.example', 900, { requestBytes: [300, 420], median: 340, port: 50_443,
        isUse: true }),
      ...troubles('devs.tplink.amazon.example', 50_443, 'update.tplink.amazon.example'),
    ],
  },
  {
    profile: profileOf('light_bulb.LIFX.A19', 8, { ...smallStack, ephemeralPorts: embeddedPorts }), kind: 'iot',
    agent: 'lifx/19',
    activities: [
      line('v2.lifx.google.example', 56_700, 60, [70, 90]),
      time('time.lifx.google.example', 1_000, 56_701),
      { does: 'register', names: ['sync.lifx.google.example'], port: 56_700, everyS: 260 },
      fetches('tls', 'scene.lifx.google.example', 700, { requestBytes: [120, 200], median: 160, port: 56_700,
        isUse: true }),
      ...troubles('v2.lifx.google.example', 56_700, 'update.lifx.google.example'),
    ],
  },
  {
    profile: profileOf('socket.Efergy.Ego', 9, smallStack), kind: 'iot', agent: 'ego/1',
    activities: [
      { does: 'mqtt', name: 'broker.ego.alibaba.example', port: 1_883, keepAliveS: 60, publishEveryS: 120,
        publishBytes: [40, 90] },
      fetches('http', 'meter.ego.alibaba.example', 240, { requestBytes: [120, 160], median: 110 }),
      time('2.pool.example', 2_400, 123),
      ...troubles('broker.ego.alibaba.example', 1_883, 'update.ego.alibaba.example', 'http'),
    ],
  },
  {
    profile: profileOf('sensor.D_Link.DCH_S150', 10, { ...embeddedLinux, hasTcpTimestamps: false }), kind: 'iot',
    agent: 'dch/150',
    activities: [
      line('signal.dch.microsoft.example', 8_080, 50, [40, 70]),
      fetches('tls', 'event.dch.microsoft.example', 420, { requestBytes: [400, 560], median: 220, isUse: true }),
      time('ntp1.dlink.nist.example', 800, 123),
      { does: 'mdns', service: '_dcp._tcp.local', everyS: 600 },
      ...troubles('signal.dch.microsoft.example', 8_080, 'update.dch.microsoft.example', 'http'),
    ],
  },
  {
    profile: profileOf('hub.Philips.Hue_Bridge', 11, { ...embeddedLinux, classOfService: 0x10, isWired: true }),
    kind: 'iot', agent: 'hue/2',
    activities: [
      fetches('tls', 'ws.hue.google.example', 130, { requestBytes: [180, 300], median: 420 }),
      fetches('tls', 'diagnostics.hue.google.example', 900, { requestBytes: [600, 1_400], median: 200 }),
      time('3.pool.example', 900, 123),
      { does: 'ssdp', targets: ['upnp:rootdevice', 'urn:schemas-upnp-org:device:basic:1'], everyS: 300 },
      { does: 'mdns', service: '_hap._tcp.local', everyS: 400 },
      ...troubles('ws.hue.google.example', 443, 'update.hue.google.example'),
    ],
  },
  {
    profile: profileOf('speaker.Amazon.Echo_Dot', 12,
      { ...embeddedLinux, identification: 'zero', classOfService: 0x20 }),
    kind: 'iot', agent: 'echo/3',
    activities: [
      line('avs.echo.amazon.example', 4_070, 95, [900, 1_400]),
      fetches('tls', 'metrics.echo.amazon.example', 200, { requestBytes: [2_400, 6_000], median: 300 }),
      fetches('tls', 'music.echo.amazon.example', 240, { requestBytes: [500, 900], median: 9_000, isUse: true }),
      fetches('http', 'spectrum.echo.amazon.example', 300, { requestBytes: [4, 8], median: 20 }),
      time('ntp.echo.amazon.example', 400),
      { does: 'mdns', service: '_amzn-alexa._tcp.local', everyS: 500 },
      ...troubles('avs.echo.amazon.example', 443, 'update.echo.amazon.example'),
    ],
  },
  {
    profile: profileOf('streamer.Google.Chromecast', 13, { ...embeddedLinux, classOfService: 0x08 }), kind: 'iot',
    agent: 'crkey/1', resolver: 'public.resolver.example',
    activities: [
      line('mtalk.cast.google.example', 5_228, 100, [40, 80]),
      { does: 'browse', sites: ['play.cast.google.example', 'video.cast.google.example', 'log.cast.google.example'],
        everyS: 300, quicShare: 0.7, responseBytesMedian: 7_000 },
      fetches('tls', 'clients.cast.google.example', 400, { requestBytes: [300, 700], median: 1_400 }),
      time('time.google.example', 500),
      { does: 'mdns', service: '_googlecast._tcp.local', everyS: 200 },
      ...troubles('mtalk.cast.google.example', 5_228, 'update.cast.google.example'),
    ],
  },
];

/**
 * What a unit does after a firmware change: what was in the clear is encrypted, heartbeats are slower and longer, and
 * the maker wants telemetry.
 */
export function changeFirmware(activities: readonly Activity[]): readonly Activity[] {
  const cloud = activities.find((activity) => activity.does === 'firmwareCheck');
  const changed = activities.map((activity): Activity => {
    if (activity.does === 'http') return { ...activity, does: 'tls', port: 443 };
    if (activity.does !== 'line') return activity;
    const [low, high] = activity.heartbeatBytes;
    return { ...activity, heartbeatS: activity.heartbeatS * 1.5, heartbeatBytes: [low * 2 + 60, high * 2 + 80] };
  });
  if (cloud === undefined) return changed;
  const name = `telemetry.${cloud.name.split('.').slice(1).join('.')}`;
  return [...changed, fetches('tls', name, 240, { requestBytes: [1_100, 2_600], median: 90, port: 8_443 })];
}
