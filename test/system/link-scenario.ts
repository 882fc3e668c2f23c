/**
 * What happens on a lossy link in the tests of the collector's accounts: all exporters at once, each several times,
 * with other templates the second time; some while the collector is away, or killed; made ones that restart with new
 * template ids and change their ports. The captures of both ends tell what was true.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Random, systemClock } from '#base';
import { exportDay, writeHomeCapture } from '#sim';
import { message5 } from '../../src/pipeline/2-flow/decode/message-samples.ts';
import { batchOf, makeFlows } from '../support/labelled-flows.ts';
import {
  accountLink, readLinkCapture, type DomainTruth, type LinkDatagram, type Silence,
} from '../support/link-truth.ts';
import { runNatlens } from '../support/natlens-process.ts';
import {
  nfprobeKeys, runFprobe, runNatlensExport, runNatlensProbe, runNfprobe, runSoftflowd, sendMessages, type ExportPlace,
} from './link-exporters.ts';
import { exporterAddress, LossyNetwork } from './lossy-network.ts';
import type { LinkFates } from './lossy-relay.ts';

export const exportPort = 2055;
const lossy: Partial<LinkFates> = {
  lostShare: 0.04, burstShare: 0.4, copiedShare: 0.03, lateShare: 0.15, delayMs: 3, lateMsMax: 40,
  // Most send their templates once in such a short time. Without them nobody can know how many records the last message
  // of IPFIX has; and with old ones under the same ids, that records have another form.
  sparedCount: 1,
};

/** An exporter takes so long to start again. */
const restartMs = 4_500;

/** Exporters by the number of their address. */
export const places = {
  softflowd5: 1, softflowd9: 2, softflowdIpfix: 3, nfprobe5: 4, nfprobe9: 5, nfprobeIpfix: 6, fprobe5: 7, natlens9: 8,
  natlensIpfix: 9, made9: 10, madeIpfix: 11, made5: 12, fprobeStopped: 13, fprobeKilled: 14, fprobeCrashed: 15,
  probe9: 16, probeIpfix: 17,
} as const;
export type ExporterName = keyof typeof places;

/** What is done to the collector while some exporters send: each has domains of its own. */
const deeds = {
  nothing: { fprobe: 'fprobe5', domain: 0 }, stopped: { fprobe: 'fprobeStopped', domain: 1 },
  killed: { fprobe: 'fprobeKilled', domain: 2 }, crashed: { fprobe: 'fprobeCrashed', domain: 3 },
} as const;
export type CollectorDeed = keyof typeof deeds;

/** What happened to the collector while a domain sent. */
export function deedOf({ exporter, domain }: Pick<DomainTruth, 'exporter' | 'domain'>): CollectorDeed {
  const isOwn = (deed: CollectorDeed): boolean => exporter === exporterAddress(places[deeds[deed].fprobe]) ||
    domain === deeds[deed].domain && [places.natlens9, places.natlensIpfix].map(exporterAddress).includes(exporter);
  return (Object.keys(deeds) as CollectorDeed[]).find(isOwn) ?? 'nothing';
}

/** Whose IPFIX numbers count the message's own flows (docs/decoding.md). */
const numbersAfter = new Set([exporterAddress(places.softflowdIpfix)]);

export type LinkTruth = {
  readonly domains: readonly DomainTruth[];
  /** What came to a socket and what did not, in order. */
  readonly arrived: readonly LinkDatagram[];
  readonly silences: readonly Silence[];
};

/** One test's link, and what happens on it. */
export class LinkScenario {
  readonly network: LossyNetwork;
  readonly #folder: string;
  readonly #silences: Silence[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    this.network = new LossyNetwork(folder);
  }

  /** Makes what exporters look at, and lays the link. */
  async open(seed: number): Promise<void> {
    await writeHomeCapture(this.#path('home.pcap'), { seed: 7, durationS: 1_200, servers: 'clouds' });
    const { status, stderr } = runNatlens(['flows', 'home.pcap', '-o', 'home.csv'], { cwd: this.#folder });
    if (status !== 0) throw new Error(stderr);
    await this.network.open(seed);
    this.network.hush();
    await this.network.capture(`udp dst port ${exportPort}`);
    await this.network.setFates(lossy);
  }

  /**
   * Every exporter, from its start to its end.
   *
   * @param round  0, or 1 for other templates under the same ids
   */
  async runAll(round: 0 | 1): Promise<void> {
    const capture = this.#path('home.pcap');
    const keys = round === 0 ? nfprobeKeys.usual : nfprobeKeys.withoutPorts;
    await Promise.all([
      runSoftflowd(this.#at('softflowd5'), capture, 5), runSoftflowd(this.#at('softflowd9'), capture, 9),
      runSoftflowd(this.#at('softflowdIpfix'), capture, 10, ...round === 0 ? [] : ['-b']),
      runNfprobe(this.#at('nfprobe5'), capture, 5, keys), runNfprobe(this.#at('nfprobe9'), capture, 9, keys),
      runNfprobe(this.#at('nfprobeIpfix'), capture, 10, keys), this.#runSlowly('nothing'),
      runNatlensProbe(this.#at('probe9'), capture, 9), runNatlensProbe(this.#at('probeIpfix'), capture, 10),
    ]);
    await this.#settle();
  }

  /** Exporters that take some seconds, while something is done to the collector. */
  async runDuring(deed: CollectorDeed, act: () => Promise<void>, ready?: () => Promise<void>): Promise<void> {
    const running = this.#runSlowly(deed);
    await (ready?.() ?? pause(1_500));
    await act();
    await running;
    await this.#settle();
  }

  async #runSlowly(deed: CollectorDeed): Promise<void> {
    const flows = this.#path('home.csv');
    const { fprobe, domain } = deeds[deed];
    await Promise.all([
      runFprobe(this.#at(fprobe), this.#path('home.pcap'), 220),
      ...([9, 10] as const).map((version) => runNatlensExport(this.#at(version === 9 ? 'natlens9' : 'natlensIpfix'),
        flows, { version, rate: 95, domain })),
    ]);
  }

  /**
   * Made exporters: two restarts each, template ids that move, templates that are lost and come again, ports that
   * change as they send. NetFlow v5 starts near the end of its numbers.
   */
  async runMade(): Promise<void> {
    await this.network.setFates({ sparedCount: 0 });
    const startMs = Math.floor(systemClock.nowMs() / 1000) * 1000;
    const flows = batchOf(makeFlows(1_200, 11).map((flow, i) => ({ ...flow, startMs: startMs + i * 5_000 })));
    const ports = { messagesPerPort: 25, pauseMs: 10 };
    const runDay = async (version: 9 | 10): Promise<void> => {
      const { messages } = exportDay(flows, {
        version, isOneWay: false, startMs, endMs: startMs + 6_000_000,
        restarts: [{ atMs: startMs + 2_000_000, downMs: 60_000 }, { atMs: startMs + 4_000_000, downMs: 60_000 }],
        templateEveryMs: 600_000, holdMsMax: 40_000, clockAhead: () => 0,
      }, new Random(version));
      for (const run of [0, 1, 2]) {
        const bytes = messages.filter((message) => message.run === run).map((message) => message.bytes);
        await sendMessages(this.#at(version === 9 ? 'made9' : 'madeIpfix'), bytes, ports);
        // By their clocks, which tell seconds, starts that are closer together would be one (docs/decoding.md).
        await pause(restartMs);
      }
    };
    await Promise.all([
      runDay(9), runDay(10), sendMessages(this.#at('made5'), makeMessages5(300, 0xffff_f000), ports),
    ]);
    await this.#settle();
    await this.network.setFates({ sparedCount: 1 });
  }

  /** Lets all come that is on its way, so that a restart is not mixed with what was sent before it. */
  async #settle(): Promise<void> {
    await this.network.untilEmpty();
    await pause(100);
  }

  /**
   * Nothing arrives while a collector goes and comes: each datagram finds it whole, or away.
   *
   * @param quietMs  before its end nothing comes for so long; 0: it ends in the middle of its work
   * @param awayMs   datagrams arrive for so long and nobody is there
   */
  async silence({ quietMs, end, awayMs, start }:
  { quietMs: number; end: () => Promise<unknown>; awayMs: number; start: () => Promise<void> }): Promise<void> {
    if (quietMs > 0) await this.network.setFates({ isPaused: true });
    await pause(quietMs);
    const fromMs = systemClock.nowMs();
    await end();
    await this.network.setFates({ isPaused: false });
    await pause(awayMs);
    await this.network.setFates({ isPaused: true });
    await pause(50);
    await start();
    this.#silences.push({ fromMs, untilMs: systemClock.nowMs() });
    await this.network.setFates({ isPaused: false });
  }

  /** Ends the captures. @throws Error  they and the link's own counts differ */
  async end(): Promise<LinkTruth> {
    await this.network.untilEmpty();
    const { exporters } = await this.network.counts();
    const captures = await this.network.endCapture();
    const [sent, arrived] = [captures.exporters, captures.collector]
      .map((bytes) => readLinkCapture(bytes, exportPort)) as [LinkDatagram[], LinkDatagram[]];
    if (sent.length !== exporters.taken || arrived.length !== exporters.delivered ||
      arrived.length !== sent.length - exporters.lost + exporters.copied || this.network.faults.length > 0) {
      throw new Error(`captured: ${sent.length} and ${arrived.length}, the link: ${JSON.stringify(exporters)} ` +
        this.network.faults.join('\n'));
    }
    return { domains: accountLink(sent, arrived, this.#silences, numbersAfter), arrived, silences: this.#silences };
  }

  async close(): Promise<void> {
    await this.network.close();
    rmSync(this.#path('home.pcap'), { force: true });
  }

  #at(name: ExporterName): ExportPlace {
    return { network: this.network, folder: this.#folder, place: places[name], port: exportPort };
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

/** Of 1 to 30 records, with numbers that go over the end of 32 bits. */
function makeMessages5(count: number, first: number): Uint8Array[] {
  let sequence = first;
  return Array.from({ length: count }, (_, i) => {
    const records = 1 + i % 30;
    const flows = Array.from({ length: records }, (__, record) => ({ source: `192.0.2.${record}`,
      destination: `198.51.100.${i % 250}`, packets: 1 + i, octets: 99, firstMs: 900_000, lastMs: 950_000,
      ports: [1_024 + i, 443] as const, protocol: 6 }));
    const message = message5({ sequence, domain: 3 }, flows);
    sequence = (sequence + records) >>> 0;
    return message;
  });
}

/** `false`, or which of the programs is not there. */
export function whyNoExporters(): string | false {
  for (const program of ['softflowd', 'fprobe', 'pmacctd', 'tcpdump']) {
    if (spawnSync(program, ['-h'], { stdio: 'ignore' }).error !== undefined) return `${program} is not installed`;
  }
  return false;
}
