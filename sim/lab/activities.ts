/**
 * What a device of the lab does, as data: a device model is a list of activities with its own names, ports, sizes and
 * rhythms. `runActivity` makes a process of one. Rates are of real time, but what happens once in so many days follows
 * the lab's calendar.
 */
import {
  announceByMdns, announceBySsdp, drawBytes, fetchByTls, keepCloudLine, keepNeighbours, keepTime, openTls,
  registerWithPeers, repeat, searchHome, type CloudLine,
} from '../behaviours.ts';
import { seconds } from '../device-world.ts';
import { fetchByQuic, lookUp, sendUdp } from '../exchanges.ts';
import { buildTlsRecords } from '../payloads.ts';
import type { Host } from '../servers.ts';
import { TcpDialog } from '../tcp-dialog.ts';
import type { Process } from '../world-clock.ts';
import {
  buildHttpRequest, buildHttpResponse, buildMqttConnect, buildMqttPublish, mqttConnack, mqttPingRequest,
  mqttPingResponse,
} from './application-messages.ts';
import { renewLease, startOn, type Unit } from './unit.ts';

type Range = readonly [number, number];

export type Activity =
  | ({ readonly does: 'line' } & CloudLine)
  | { readonly does: 'mqtt'; readonly name: string; readonly port: number; readonly keepAliveS: number;
      readonly publishEveryS: number; readonly publishBytes: Range }
  | { readonly does: 'time'; readonly name: string; readonly everyS: number; readonly devicePort: number }
  | { readonly does: 'tls' | 'http'; readonly name: string; readonly port: number; readonly everyS: number;
      /** By people: only while they are active. */
      readonly isUse?: boolean; readonly requestBytes: Range; readonly responseBytesMedian: number }
  | { readonly does: 'register'; readonly names: readonly string[]; readonly port: number; readonly everyS: number }
  | { readonly does: 'video'; readonly via: 'udp' | 'peer' | 'tls'; readonly name: string; readonly port: number;
      /** While people are at their most active. */
      readonly perHour: number; readonly lengthS: Range; readonly datagramBytes: Range;
      readonly datagramsPerS: number }
  | { readonly does: 'firmwareCheck'; readonly via: 'tls' | 'http'; readonly name: string; readonly perDay: number }
  | { readonly does: 'retryStorm'; readonly name: string; readonly port: number; readonly perDay: number }
  | { readonly does: 'browse'; readonly sites: readonly string[]; readonly everyS: number; readonly quicShare: number;
      readonly responseBytesMedian: number }
  | { readonly does: 'call'; readonly name: string; readonly port: number; readonly perHour: number;
      readonly lengthS: Range }
  | { readonly does: 'ssdp'; readonly targets: readonly string[]; readonly everyS: number }
  | { readonly does: 'search'; readonly target: string; readonly everyS: number }
  | { readonly does: 'mdns'; readonly service: string; readonly everyS: number };

const retransmitShare = 0.01;
const firmwareAnswerBytes = 420;

/** Everything that a unit does while it is up. @param agent  what it calls itself in HTTP */
export function startActivities(unit: Unit, activities: readonly Activity[], agent: string): void {
  const { random } = unit.world;
  for (const activity of activities) startOn(unit, runActivity(unit, activity, agent), random.uniform() * 5);
  startOn(unit, keepNeighbours(unit.world));
  startOn(unit, repeatByDays(unit, 2, () => renewLease(unit)));
}

function runActivity(unit: Unit, activity: Activity, agent: string): Process {
  const { world, events } = unit;
  switch (activity.does) {
    case 'line': return keepCloudLine(world, activity);
    case 'mqtt': return keepMqtt(unit, activity);
    case 'time': return keepTime(world, activity.name, activity.everyS, activity.devicePort);
    case 'http':
    case 'tls': {
      const fetch = activity.does === 'tls' ? () => fetchByTls(world, activity, false)
        : () => fetchByHttp(unit, activity, agent);
      return activity.isUse === true ? repeatByUse(unit, activity.everyS, fetch)
        : repeat(world, { meanS: activity.everyS, isEven: false }, fetch);
    }
    case 'register': return registerWithPeers(world, { ...activity, streamMeanS: 0 });
    case 'video': return repeatByUse(unit, 3_600 / activity.perHour, () => {
      events.videos++;
      return activity.via === 'tls' ? uploadVideo(unit, activity) : sendVideo(unit, activity);
    });
    case 'firmwareCheck': return repeatByDays(unit, activity.perDay, () => {
      events.firmwareChecks++;
      const fetch = { ...activity, requestBytes: [120, 240] as const, responseBytesMedian: firmwareAnswerBytes };
      return activity.via === 'tls' ? fetchByTls(world, { ...fetch, port: 443 }, false)
        : fetchByHttp(unit, { ...fetch, port: 80 }, agent);
    });
    case 'retryStorm': return repeatByDays(unit, activity.perDay, () => {
      events.retryStorms++;
      return storm(unit, activity.name, activity.port);
    });
    case 'browse': return browseByDay(unit, activity);
    case 'call': return repeatByUse(unit, 3_600 / activity.perHour, () => call(unit, activity));
    case 'ssdp': return announceBySsdp(world, `http://${unit.host.ipv4.join('.')}:80/description.xml`,
      activity.targets, activity.everyS);
    case 'search': return searchHome(world, activity.target, activity.everyS);
    case 'mdns': return announceByMdns(world, activity.service, world.device.name, activity.everyS);
  }
}

/** Repeats an exchange while people are active: by thinning of a rate that is that of their most active hour. */
function* repeatByUse(unit: Unit, meanS: number, exchange: () => Process): Process {
  const { world: { random, clock }, calendar } = unit;
  for (;;) {
    yield seconds(random.exponential(meanS / unit.usage));
    if (random.chance(calendar.activityAt(clock.nowMicroseconds))) yield* exchange();
  }
}

/** Repeats an exchange so many times in a day of the lab's calendar, on average. */
function* repeatByDays(unit: Unit, perDay: number, exchange: () => Process): Process {
  for (;;) {
    yield unit.world.random.exponential(unit.calendar.dayMicroseconds / perDay);
    yield* exchange();
  }
}

/** One fetch in the clear. Now and then nobody answers. */
export function* fetchByHttp(
  unit: Unit,
  fetch: { readonly name: string; readonly port: number; readonly requestBytes: Range;
    readonly responseBytesMedian: number },
  agent: string,
): Process {
  const { world } = unit;
  const { random, pool } = world;
  const server = yield* lookUp(world, fetch.name);
  const dialog = new TcpDialog(world, server, fetch.port, { isV6: false, retransmitShare });
  if (random.chance(0.005)) {
    yield* dialog.openUnanswered(4);
    return;
  }
  yield* dialog.open();
  yield* dialog.request(buildHttpRequest(pool, fetch.name, agent, random.integer(...fetch.requestBytes)));
  yield random.integer(2_000, 60_000);
  yield* dialog.response(buildHttpResponse(pool, drawBytes(world, fetch.responseBytesMedian)));
  yield* dialog.close();
}

/** A connection to an MQTT broker that stays open, with pings and readings; when it ends, a new one is opened. */
function* keepMqtt(unit: Unit, line: Activity & { does: 'mqtt' }): Process {
  const { world } = unit;
  const { random, pool } = world;
  for (;;) {
    const server = yield* lookUp(world, line.name);
    const dialog = new TcpDialog(world, server, line.port, { isV6: false, retransmitShare });
    yield* dialog.open();
    yield* dialog.request(buildMqttConnect(world.device.name, line.keepAliveS));
    yield* dialog.response(mqttConnack);
    let sincePublishS = 0;
    for (let pings = random.integer(40, 200); pings > 0; pings--) {
      yield seconds(line.keepAliveS * (0.97 + 0.03 * random.uniform()));
      sincePublishS += line.keepAliveS;
      if (sincePublishS >= line.publishEveryS) {
        sincePublishS = 0;
        yield* dialog.request(buildMqttPublish(pool, `unit/${world.device.name}/state`,
          random.integer(...line.publishBytes)));
      }
      yield* dialog.request(mqttPingRequest);
      yield* dialog.response(mqttPingResponse);
    }
    yield* dialog.reset(false);
    yield seconds(random.integer(2, 30));
  }
}

type Video = Activity & { does: 'video' };

/** Datagrams of a video, to a relay of the maker's or straight to a viewer, with a report for every few. */
function* sendVideo(unit: Unit, video: Video): Process {
  const { world } = unit;
  const { random, pool } = world;
  const isPeer = video.via === 'peer';
  const host = isPeer ? world.servers.meetPeer() : yield* lookUp(world, video.name);
  const ports = { device: world.device.stack.takePort(), peer: isPeer ? random.integer(20_000, 60_000) : video.port };
  const count = random.integer(...video.lengthS) * video.datagramsPerS;
  const gap = 1e6 / video.datagramsPerS;
  for (let i = 1; i <= count; i++) {
    sendUdp(world, host, ports, false, true,
      pool.after([0xf1, 0xd0, ...pool.draw()], random.integer(...video.datagramBytes)));
    yield random.integer(gap * 0.5, gap * 1.5);
    if (i % 8 === 1) sendUdp(world, host, ports, false, false, pool.after([0xf1, 0xd1, ...pool.draw()], 28));
  }
}

/** A clip in pieces of two seconds over one TLS dialog. */
function* uploadVideo(unit: Unit, video: Video): Process {
  const { world } = unit;
  const { random, pool } = world;
  const server = yield* lookUp(world, video.name);
  const dialog = yield* openTls(world, server, video.port, video.name, false);
  const pieceS = 2;
  for (let leftS = random.integer(...video.lengthS); leftS > 0; leftS -= pieceS) {
    const bytes = pieceS * video.datagramsPerS * random.integer(...video.datagramBytes);
    yield* dialog.request(buildTlsRecords(pool, bytes));
    yield* dialog.response(buildTlsRecords(pool, 40));
    yield seconds(pieceS * (0.8 + 0.4 * random.uniform()));
  }
  yield* dialog.close();
}

/** The cloud is away: the device tries again and again, faster than it should, until it answers. */
function* storm(unit: Unit, name: string, port: number): Process {
  const { world } = unit;
  const { random } = world;
  for (let tries = random.integer(15, 80); tries > 0; tries--) {
    const server = yield* lookUp(world, name);
    const dialog = new TcpDialog(world, server, port, { isV6: false, retransmitShare });
    if (random.chance(0.6)) yield* dialog.openUnanswered(random.integer(1, 3));
    else yield* dialog.openRefused();
    yield seconds(random.integer(1, 6));
  }
}

/** Visits of people to sites, each several fetches at once. Hosts never go down, so the fetches end by themselves. */
function browseByDay(unit: Unit, plan: Activity & { does: 'browse' }): Process {
  const { world } = unit;
  const { random, clock } = world;
  const { responseBytesMedian } = plan;
  return repeatByUse(unit, plan.everyS, function* () {
    const owner = random.pick(plan.sites);
    for (let fetches = random.integer(1, 6), i = 0; i < fetches; i++) {
      // The site itself first, then what it includes from elsewhere.
      const name = i === 0 ? owner : random.pick(plan.sites);
      const fetch = { name, port: 443, requestBytes: [200, 1_800] as const, responseBytesMedian };
      clock.start(random.chance(plan.quicShare) ? visitByQuic(unit, name, responseBytesMedian)
        : random.chance(0.04) ? fetchByHttp(unit, { ...fetch, port: 80 }, 'Mozilla/5.0')
          : fetchByTls(world, fetch, false));
      yield random.integer(2_000, 400_000);
    }
  });
}

function* visitByQuic(unit: Unit, name: string, responseBytesMedian: number): Process {
  const { world } = unit;
  const server: Host = yield* lookUp(world, name);
  yield* fetchByQuic(world, server, false, drawBytes(world, responseBytesMedian));
}

/** A call over UDP: both sides talk. */
function* call(unit: Unit, plan: Activity & { does: 'call' }): Process {
  const { world } = unit;
  const { random, pool } = world;
  const server = yield* lookUp(world, plan.name);
  const ports = { device: world.device.stack.takePort(), peer: plan.port };
  for (let packets = random.integer(...plan.lengthS) * 10; packets > 0; packets--) {
    sendUdp(world, server, ports, false, true, pool.after([0x80, 0x6f, ...pool.draw()], random.integer(90, 180)));
    yield random.integer(30_000, 70_000);
    sendUdp(world, server, ports, false, false, pool.after([0x80, 0x6f, ...pool.draw()], random.integer(90, 180)));
    yield random.integer(30_000, 70_000);
  }
}
