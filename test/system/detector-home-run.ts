/**
 * A home network with all real parts, for the tests of `detector-home.test.ts`: an exporter on the provider's machine,
 * our detector beside it, an SMTP server, nft; two homes whose clients call servers. The classifier is trained on that
 * exporter's own records.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '#base';
import type { HomeExplanation } from '../../src/apps/detector/home-desk.ts';
import type { DetectorStatus } from '../../src/apps/detector/status.ts';
import { environment, launcher, runNatlens } from '../support/natlens-process.ts';
import {
  accessLink, DetectorNetwork, endGroup, serverAddresses, wanAddresses, type Exchange, type HomeLetter,
} from './detector-network.ts';
import { said } from './real-nat.ts';

/** Where the homes' routers are, seen from the provider. */
const insidePrefix = '203.0.113.0/24';
export const deviceModel = 'webcam.D_Link.DCS_933L';
export const exportPort = 2055;
const smtpPort = 2525;
export const [first, second, third, fourth, allowed] = serverAddresses;

/** What the device does again and again. */
export const deviceRound: readonly Exchange[] = [
  { protocol: 'udp', to: first, port: 53, send: 40, receive: 120 },
  { protocol: 'tcp', to: second, port: 443, send: 300, receive: 900 },
  { protocol: 'tcp', to: third, port: 8_883, send: 120, receive: 60 },
  { protocol: 'udp', to: fourth, port: 123, send: 48, receive: 48 },
  { protocol: 'tcp', to: allowed, port: 8_080, send: 1_200, receive: 200 },
];
/** What people and other devices do, at the same servers and ports among others. */
export const otherRound: readonly Exchange[] = [
  { protocol: 'udp', to: first, port: 53, send: 61, receive: 460 },
  { protocol: 'tcp', to: second, port: 443, send: 1_900, receive: 30_000 },
  { protocol: 'tcp', to: third, port: 443, send: 700, receive: 55_000 },
  { protocol: 'udp', to: fourth, port: 443, send: 1_200, receive: 1_300 },
  { protocol: 'tcp', to: allowed, port: 8_080, send: 400, receive: 20_000 },
];
/** Calls of a device that was broken into. */
export const [command, update] = [
  { protocol: 'tcp', to: third, port: 23, send: 30, receive: 400 },
  { protocol: 'tcp', to: allowed, port: 23, send: 30, receive: 400 },
] as const satisfies readonly Exchange[];
/** The exporter's timeouts in seconds; the detector has the same. */
export const timeouts = { active: 10, idle: 4 };

/** An exporter on the provider's machine. */
export type HomeExporter = {
  readonly name: string;
  /** What it is started with, where it finds files of its own in a folder. */
  readonly words: (folder: string) => readonly string[];
  /** What it says when it meters. */
  readonly ready: string;
  /** End of names of files that hold its datagrams one after the other. */
  readonly suffix: string;
  /** It sends a record for each direction. */
  readonly isOneWay: boolean;
  /** Who names layer 7: the detector by prefixes, or the exporter. */
  readonly l7: 'prefix' | 'exporter';
};

/** pmacctd, which names nothing and exports one direction a record. */
export const nfprobe: HomeExporter = {
  name: 'nfprobe', ready: 'Exporting flows to', suffix: 'nf9', isOneWay: true, l7: 'prefix',
  words: (folder) => {
    const path = join(folder, 'nfprobe');
    writeFileSync(path, `daemonize: false
plugins: nfprobe
pcap_interface: ${accessLink}
aggregate: src_host,dst_host,src_port,dst_port,proto,tos,tcpflags
nfprobe_receiver: 127.0.0.1:${exportPort}
nfprobe_version: 9
nfprobe_timeouts: tcp=4:tcp.rst=4:tcp.fin=2:udp=4:icmp=4:general=4:maxlife=10:expint=1
`);
    return ['pmacctd', '-f', path];
  },
};

/** Our own, which names without payload and exports biflows; it gives its rights up once it listens. */
export const natlensProbe: HomeExporter = {
  name: 'natlens probe', ready: `metering ${accessLink}`, suffix: 'ipfix', isOneWay: false, l7: 'exporter',
  words: () => [process.execPath, launcher, 'probe', accessLink, '--to', `127.0.0.1:${exportPort}`,
    '--active', String(timeouts.active), '--idle', String(timeouts.idle), '--l7', 'prefix', '--home', insidePrefix],
};

const configOf = (folder: string, { l7 }: HomeExporter): string => `name = "provider-edge"
state_folder = "${folder}/state"
dry_run = false
checkpoint = "5s"
[input]
listen = ["udp://127.0.0.1:${exportPort}"]
exporters = ["127.0.0.1"]
active_timeout = "${timeouts.active}s"
idle_timeout = "${timeouts.idle}s"
l7 = "${l7}"
[homes]
map = "address"
inside = ["${insidePrefix}"]
unlisted = "ignore"
[[home]]
name = "customer-a"
mail = "a@customers.example"
customer = "Ms Rivera"
prefixes = ["${wanAddresses.A}"]
addresses = ["${wanAddresses.A}"]
[[home]]
name = "customer-b"
mail = "b@customers.example"
prefixes = ["${wanAddresses.B}"]
addresses = ["${wanAddresses.B}"]
[classifiers]
folder = "${folder}/classifiers"
[verdict]
# The other home shares three of the device's five destinations; a machine under load blurs how long its flows last.
present_score = 5
[mitigate]
on = true
reasons = ["indicator"]
[mail]
server = "smtp://127.0.0.1:${smtpPort}"
from = "Example Net <security@example.net>"
provider_name = "Example Net"
[block]
duration = "1m"
allow = ["${allowed}"]
[[indicator]]
name = "botnet-command"
destination = "${third}"
protocol = "tcp"
port = 23
[[indicator]]
name = "botnet-update"
destination = "${allowed}"
protocol = "tcp"
port = 23
[[device_model]]
name = "${deviceModel}"
title = "D-Link DCS-933L camera"
`;

export type Mail = { readonly from: string; readonly to: readonly string[]; readonly raw: string };

/** One run of everything; each part is a step of the test. */
export class HomeRun {
  readonly network: DetectorNetwork;
  readonly configPath: string;
  readonly mails: Mail[] = [];
  /** Lines of the detector's log. */
  readonly log: string[] = [];
  isDone = false;
  #isTalking = true;
  readonly #talks: Promise<void>[] = [];
  readonly #folder: string;
  readonly #exporter: HomeExporter;

  /** @param folder  of the run's own */
  constructor(folder: string, exporter: HomeExporter) {
    this.#folder = folder;
    this.#exporter = exporter;
    this.network = new DetectorNetwork(folder);
    this.configPath = join(folder, 'detector.toml');
  }

  /** Trains on what the exporter tells of a lab with one device: home A, before anybody else is there. */
  async train(): Promise<void> {
    const { words, ready, suffix, isOneWay, l7 } = this.#exporter;
    const path = join(this.#folder, `lab.${suffix}`);
    const sink = this.network.start('p', ['/usr/bin/python3', '-c', `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.bind(('127.0.0.1', ${exportPort}))
print('ready', flush=True)
with open('${path}', 'wb', buffering=0) as file:
    while True:
        file.write(s.recv(65536))
`]);
    await said(sink, 'ready');
    const exporter = this.network.start('p', words(this.#folder), environment(this.#folder));
    await said(exporter, ready);
    for (const stream of [exporter.stdout, exporter.stderr]) stream?.resume();
    await pause(500);
    let lostCount = 0;
    for (let round = 0; round < 60; round++) {
      for (const exchange of deviceRound) {
        if (!await this.network.exchange('A', exchange)) lostCount++;
        await pause(20);
      }
    }
    assert.ok(lostCount < 10, `${lostCount} of ${60 * deviceRound.length} exchanges of the lab were lost`);
    await until('the exporter has told all', 20_000, async () => {
      const bytes = statSync(path).size;
      await pause(timeouts.idle * 1_000 + 1_500);
      return bytes > 0 && bytes === statSync(path).size;
    });
    await endGroup(sink);
    this.#natlens('flows', path, ...isOneWay ? ['--pair'] : [], '--home', insidePrefix, '--l7', l7, '-o', 'lab.csv');
    mkdirSync(join(this.#folder, 'classifiers'));
    this.#natlens('train', 'lab.csv', '--made-as', `${timeouts.active}/${timeouts.idle}/${l7}`, '--all-rows',
      '--device-model', deviceModel, '-o', 'classifiers/webcam.nlc');
  }

  /** Starts the mail server. */
  async takeMails(certificate: { readonly keyFile: string; readonly certFile: string }): Promise<void> {
    const script = new URL('../support/smtp-process.ts', import.meta.url).pathname;
    const server = this.network.start('p',
      [process.execPath, script, String(smtpPort), certificate.keyFile, certificate.certFile]);
    createInterface({ input: server.stdout as NodeJS.ReadableStream })
      .on('line', (line) => {
        if (line.startsWith('{')) this.mails.push(JSON.parse(line) as Mail);
      });
    await said(server, 'ready');
  }

  /** Starts the detector beside the exporter. */
  async detect(certFile: string): Promise<ChildProcess> {
    writeFileSync(this.configPath, configOf(this.#folder, this.#exporter));
    const detector = this.network.start('p', [process.execPath, launcher, 'detect', this.configPath],
      { ...environment(this.#folder), NODE_EXTRA_CA_CERTS: certFile });
    createInterface({ input: detector.stderr as NodeJS.ReadableStream }).on('line', (line) => this.log.push(line));
    await said(detector, '"started"');
    return detector;
  }

  /** Lets a home go through rounds of exchanges until `quiet`. */
  talk(letter: HomeLetter, round: readonly Exchange[], pauseMs: number): void {
    this.#talks.push((async () => {
      while (this.#isTalking) {
        for (const exchange of round) {
          await this.network.exchange(letter, exchange);
          await pause(pauseMs);
        }
      }
    })());
  }

  /** Does an exchange come back, the first time or, as packets may be lost on a busy machine, one of the next? */
  async gets(letter: HomeLetter, exchange: Exchange): Promise<boolean> {
    for (let tries = 0; tries < 3; tries++) {
      if (await this.network.exchange(letter, exchange)) return true;
    }
    return false;
  }

  async quiet(): Promise<void> {
    this.#isTalking = false;
    await Promise.all(this.#talks);
  }

  explain(home: string): HomeExplanation {
    const answer = this.#natlens('detect', 'explain', home, '--config', this.configPath, '--json');
    return JSON.parse(answer) as HomeExplanation;
  }

  status(): DetectorStatus {
    return JSON.parse(this.#natlens('detect', 'status', '--config', this.configPath, '--json')) as DetectorStatus;
  }

  /** What helps to see why a run failed. */
  state(): string[] {
    const ask = (...args: string[]): string =>
      runNatlens(['detect', ...args, '--config', this.configPath], { cwd: this.#folder }).stdout;
    return [...this.log, ...[ask('status'), ask('explain', 'customer-a')].flatMap((text) => text.split('\n'))];
  }

  /** Elements of natlens's sets as nft lists them. */
  blocked(): string[] {
    const listed = this.network.runIn('p', ['nft', 'list', 'ruleset']);
    return [...listed.matchAll(/(\S+(?: \. \S+)+) timeout/g)].map(([, key]) => key as string);
  }

  #natlens(...args: string[]): string {
    const { status, stdout, stderr } = runNatlens(args, { cwd: this.#folder });
    assert.equal(status, 0, `natlens ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }
}

/** Asks again and again. @throws AssertionError  it took too long */
export async function until(what: string, limitMs: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = systemClock.nowMs() + limitMs;
  while (!await isSo()) {
    assert.ok(systemClock.nowMs() < endMs, `${what}: not within ${limitMs} ms`);
    await pause(100);
  }
}
