/**
 * The seven hosts of the simulated lab that are no IoT devices: laptops, a desktop and smartphones, on which people
 * browse, call, and get mail and updates. They share clouds with the IoT devices, as in any home.
 */
import type { DeviceProfile } from '../devices.ts';
import type { StackTraits } from '../network-stack.ts';
import type { Activity } from './activities.ts';
import type { DevicePlan } from './device-plans.ts';

const clouds = ['amazon', 'google', 'microsoft', 'akamai', 'alibaba', 'tencent', 'apple', 'pool'] as const;
const ianaPorts = { low: 49_152, high: 65_535 };
const linuxPorts = { low: 32_768, high: 60_999 };

/** As Orevi et al. 2018 measured Windows 8 and 10, and Android: a counter for each destination. */
const windows: StackTraits = {
  identification: 'destinationCounter', hops: 128, classOfService: 0, ephemeralPorts: ianaPorts,
  hasTcpTimestamps: false, windowBytes: 64_240, isWired: false,
};
const apple: StackTraits = { ...windows, identification: 'random', hops: 64, hasTcpTimestamps: true,
  windowBytes: 65_535 };
const linux: StackTraits = { ...windows, identification: 'perDestination', hops: 64, hasTcpTimestamps: true,
  ephemeralPorts: linuxPorts };
const android: StackTraits = { ...linux, identification: 'destinationCounter' };

/** Sites that one person visits: a choice of their own out of many, in all clouds. */
function sitesOf(person: number): readonly string[] {
  return Array.from({ length: 60 }, (_, i) => {
    const site = (i * 7 + person * 13) % 220;
    return `www.site-${String(site).padStart(3, '0')}.${clouds[site % clouds.length]}.example`;
  });
}

/** Services in the background of a system: when people are away, too. */
function background(system: string, cloud: string, pushPort: number): readonly Activity[] {
  return [
    { does: 'line', name: `push.${system}.${cloud}.example`, port: pushPort, heartbeatS: 240,
      heartbeatBytes: [60, 300], answerBytes: [40, 800], beatsPerDialog: [10, 60], resetShare: 0.2 },
    { does: 'tls', name: `telemetry.${system}.${cloud}.example`, port: 443, everyS: 900, requestBytes: [800, 6_000],
      responseBytesMedian: 600 },
    { does: 'http', name: `connect.${system}.${cloud}.example`, port: 80, everyS: 1_800, requestBytes: [4, 20],
      responseBytesMedian: 30 },
    { does: 'time', name: `time.${cloud}.example`, everyS: 3_600, devicePort: 123 },
  ];
}

type Person = { readonly number: number; readonly everyS: number; readonly quicShare: number; readonly median: number };

function hostOf(
  deviceModel: string, stack: StackTraits, person: Person, activities: readonly Activity[],
): DevicePlan {
  const profile: Omit<DeviceProfile, 'behaviours'> =
    { deviceModel, macPrefix: [0x02, 0x60, person.number], hasIpv6: false, stack };
  return {
    profile, kind: 'non-iot', agent: 'Mozilla/5.0',
    activities: [
      { does: 'browse', sites: sitesOf(person.number), everyS: person.everyS, quicShare: person.quicShare,
        responseBytesMedian: person.median },
      { does: 'tls', name: 'imap.mail.google.example', port: 993, everyS: 600, isUse: true, requestBytes: [200, 700],
        responseBytesMedian: 3_000 },
      { does: 'call', name: 'turn.meet.microsoft.example', port: 3_478, perHour: 0.12, lengthS: [30, 200] },
      ...activities,
    ],
  };
}

export const hostPlans: readonly DevicePlan[] = [
  hostOf('laptop.Dell.Latitude', windows, { number: 1, everyS: 130, quicShare: 0.3, median: 2_600 },
    [...background('windows', 'microsoft', 443), { does: 'search', target: 'urn:dial-multiscreen-org:service:dial:1',
      everyS: 900 }]),
  hostOf('laptop.Lenovo.ThinkPad', linux, { number: 2, everyS: 150, quicShare: 0.2, median: 2_400 },
    background('desktop', 'canonical', 443)),
  hostOf('laptop.Apple.MacBook', apple, { number: 3, everyS: 140, quicShare: 0.25, median: 2_600 },
    [...background('mac', 'apple', 5_223), { does: 'mdns', service: '_companion-link._tcp.local', everyS: 400 }]),
  hostOf('desktop.HP.EliteDesk', { ...windows, isWired: true },
    { number: 4, everyS: 160, quicShare: 0.3, median: 3_000 }, background('windows', 'microsoft', 443)),
  hostOf('smartphone.Samsung.Galaxy', android, { number: 5, everyS: 150, quicShare: 0.5, median: 1_800 },
    background('android', 'google', 5_228)),
  hostOf('smartphone.LG.G', android, { number: 6, everyS: 160, quicShare: 0.5, median: 1_800 },
    background('android', 'google', 5_228)),
  hostOf('smartphone.Apple.iPhone', apple, { number: 7, everyS: 160, quicShare: 0.3, median: 2_000 },
    [...background('phone', 'apple', 5_223), { does: 'mdns', service: '_airplay._tcp.local', everyS: 300 }]),
];
