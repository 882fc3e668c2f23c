/**
 * The detector in a home network with all real parts: two homes behind NATs of their own, pmacctd's nfprobe as exporter
 * on the provider's machine, our detector beside it, an SMTP server, nft. The classifier is trained on that exporter's
 * own records. The home with the device is found and told by mail, what an indicator names is blocked for its time and
 * then released, and the other home gets nothing, though it calls at the same places.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { simpleParser } from 'mailparser';
import { systemClock } from '#base';
import type { HomeExplanation } from '../../src/apps/detector/home-desk.ts';
import type { DetectorStatus } from '../../src/apps/detector/status.ts';
import { environment, launcher, runNatlens } from '../support/natlens-process.ts';
import { makeCertificate } from '../support/test-certificate.ts';
import {
  accessLink, DetectorNetwork, endGroup, serverAddresses, wanAddresses, type Exchange, type HomeLetter,
} from './detector-network.ts';
import { ended, said, whyNoNamespaces } from './real-nat.ts';
import { missing } from './shared-data.ts';

const skip = missing({ programs: ['ip', 'nft', 'pmacctd', 'openssl', '/usr/bin/python3'] }) || whyNoNamespaces();
const folder = mkdtempSync(join(tmpdir(), 'natlens-detector-home-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const deviceModel = 'webcam.D_Link.DCS_933L';
const exportPort = 2055;
const smtpPort = 2525;
const [first, second, third, fourth, allowed] = serverAddresses;

/** What the device does again and again. */
const deviceRound: readonly Exchange[] = [
  { protocol: 'udp', to: first, port: 53, send: 40, receive: 120 },
  { protocol: 'tcp', to: second, port: 443, send: 300, receive: 900 },
  { protocol: 'tcp', to: third, port: 8_883, send: 120, receive: 60 },
  { protocol: 'udp', to: fourth, port: 123, send: 48, receive: 48 },
  { protocol: 'tcp', to: allowed, port: 8_080, send: 1_200, receive: 200 },
];
/** What people and other devices do, at the same servers and ports among others. */
const otherRound: readonly Exchange[] = [
  { protocol: 'udp', to: first, port: 53, send: 61, receive: 460 },
  { protocol: 'tcp', to: second, port: 443, send: 1_900, receive: 30_000 },
  { protocol: 'tcp', to: third, port: 443, send: 700, receive: 55_000 },
  { protocol: 'udp', to: fourth, port: 443, send: 1_200, receive: 1_300 },
  { protocol: 'tcp', to: allowed, port: 8_080, send: 400, receive: 20_000 },
];
/** Calls of a device that was broken into. */
const [command, update]: Exchange[] = [
  { protocol: 'tcp', to: third, port: 23, send: 30, receive: 400 },
  { protocol: 'tcp', to: allowed, port: 23, send: 30, receive: 400 },
] as const;

const exporterSettings = `daemonize: false
plugins: nfprobe
pcap_interface: ${accessLink}
aggregate: src_host,dst_host,src_port,dst_port,proto,tos,tcpflags
nfprobe_receiver: 127.0.0.1:${exportPort}
nfprobe_version: 9
nfprobe_timeouts: tcp=4:tcp.rst=4:tcp.fin=2:udp=4:icmp=4:general=4:maxlife=10:expint=1
`;
/** The exporter's timeouts, and who names layer 7. */
const madeAs = { active: 10, idle: 4, l7: 'prefix' };

const config = `name = "provider-edge"
state_folder = "${folder}/state"
dry_run = false
checkpoint = "5s"
[input]
listen = ["udp://127.0.0.1:${exportPort}"]
exporters = ["127.0.0.1"]
active_timeout = "${madeAs.active}s"
idle_timeout = "${madeAs.idle}s"
l7 = "${madeAs.l7}"
[homes]
map = "address"
inside = ["203.0.113.0/24"]
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

type Mail = { readonly from: string; readonly to: readonly string[]; readonly raw: string };

/** One run of everything; each part is a step of the test. */
class Run {
  readonly network = new DetectorNetwork(folder);
  readonly configPath = join(folder, 'detector.toml');
  readonly mails: Mail[] = [];
  /** Lines of the detector's log. */
  readonly log: string[] = [];
  isDone = false;
  #isTalking = true;
  readonly #talks: Promise<void>[] = [];

  /** Trains on what the exporter tells of a lab with one device: home A, before anybody else is there. */
  async train(): Promise<void> {
    const path = join(folder, 'lab.nf9');
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
    writeFileSync(join(folder, 'nfprobe'), exporterSettings);
    await said(this.network.start('p', ['pmacctd', '-f', join(folder, 'nfprobe')]), 'Exporting flows to');
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
      await pause(madeAs.idle * 1_000 + 1_500);
      return bytes > 0 && bytes === statSync(path).size;
    });
    await endGroup(sink);
    this.#natlens('flows', path, '--pair', '--home', '203.0.113.0/24', '--l7', madeAs.l7, '-o', 'lab.csv');
    mkdirSync(join(folder, 'classifiers'));
    this.#natlens('train', 'lab.csv', '--made-as', `${madeAs.active}/${madeAs.idle}/${madeAs.l7}`, '--all-rows',
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
    writeFileSync(this.configPath, config);
    const detector = this.network.start('p', [process.execPath, launcher, 'detect', this.configPath],
      { ...environment(folder), NODE_EXTRA_CA_CERTS: certFile });
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
      runNatlens(['detect', ...args, '--config', this.configPath], { cwd: folder }).stdout;
    return [...this.log, ...[ask('status'), ask('explain', 'customer-a')].flatMap((text) => text.split('\n'))];
  }

  /** Elements of natlens's sets as nft lists them. */
  blocked(): string[] {
    const listed = this.network.runIn('p', ['nft', 'list', 'ruleset']);
    return [...listed.matchAll(/(\S+(?: \. \S+)+) timeout/g)].map(([, key]) => key as string);
  }

  #natlens(...args: string[]): string {
    const { status, stdout, stderr } = runNatlens(args, { cwd: folder });
    assert.equal(status, 0, `natlens ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }
}

/** Asks again and again. @throws AssertionError  it took too long */
async function until(what: string, limitMs: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = systemClock.nowMs() + limitMs;
  while (!await isSo()) {
    assert.ok(systemClock.nowMs() < endMs, `${what}: not within ${limitMs} ms`);
    await pause(100);
  }
}

test('the home with the device is found, told and protected; the other one is left alone', { skip, timeout: 360_000 },
  async (context) => {
    const run = new Run();
    context.after(async () => {
      for (const line of run.isDone ? [] : run.state()) context.diagnostic(line);
      await run.network.close();
    });
    const certificate = makeCertificate(folder);
    assert.ok(certificate !== undefined);
    await run.network.open();
    await run.train();
    await run.takeMails(certificate);
    const detector = await run.detect(certificate.certFile);

    // Home B has everything but the device, the botnet's servers included.
    const startMs = systemClock.nowMs();
    run.talk('B', [...otherRound, command as Exchange, update as Exchange], 60);
    run.talk('A', otherRound, 80);
    run.talk('A', deviceRound, 200);
    await until('a mail', 150_000, () => run.mails.length > 0);
    const mailMs = systemClock.nowMs() - startMs;
    const [mail] = run.mails as [Mail];
    assert.deepEqual([mail.from, mail.to], ['security@example.net', ['a@customers.example']]);
    const { subject, text, html } = await simpleParser(Buffer.from(mail.raw, 'base64'));
    for (const part of [text, html]) assert.match(String(part), /D-Link DCS-933L/, subject);
    assert.match(String(text), /Ms Rivera/);
    const found = run.explain('customer-a');
    assert.deepEqual(found.verdicts.map((verdict) => [verdict.deviceModel, verdict.state, verdict.episode]),
      [[deviceModel, 'present', 1]]);
    assert.deepEqual(run.blocked(), [], 'presence alone blocks nothing');

    // Now the device is called by its new masters.
    const gets = (letter: HomeLetter, exchange: Exchange | undefined): Promise<boolean> =>
      run.gets(letter, exchange as Exchange);
    for (const exchange of [command, update]) assert.ok(await gets('A', exchange), JSON.stringify(exchange));
    const key = `${wanAddresses.A} . ${third} . tcp . 23`;
    await until('a block', 30_000, () => run.blocked().includes(key));
    const blockedMs = systemClock.nowMs();
    assert.deepEqual(run.blocked(), [key], 'what is allowed, and what the other home does, is not blocked');
    assert.equal(await gets('A', command), false);
    assert.equal(await gets('A', update), true, 'an allowed address');
    assert.equal(await gets('A', { ...command as Exchange, port: 443 }), true, 'another port');
    assert.equal(await gets('A', { ...command as Exchange, protocol: 'udp' }), true, 'another protocol');
    assert.equal(await gets('B', command), true, 'the other home');

    await until('the end of the block', 75_000, () => run.blocked().length === 0);
    const lastedMs = systemClock.nowMs() - blockedMs;
    assert.equal(await gets('A', command), true, 'released');
    // Hits reach the detector seconds after the flow, and the block's time runs from its plan.
    assert.ok(lastedMs > 50_000 && lastedMs < 61_500, `the block was seen for ${lastedMs} ms`);

    await run.quiet();
    const other = run.explain('customer-b');
    assert.deepEqual(other.verdicts.filter(({ episode }) => episode > 0), []);
    assert.deepEqual(other.actions, []);
    assert.ok(other.evidence.every(({ score }) => score < 5), JSON.stringify(other.evidence));
    assert.equal(run.mails.length, 1, 'one mail for one thing');
    const status = run.status();
    context.diagnostic(JSON.stringify({ mailMs, lastedMs, flows: status.flows, evidence: found.evidence[0]?.score,
      other: other.evidence.map(({ score }) => score) }));
    assert.ok(status.flows.ofHomes > 500, JSON.stringify(status.flows));
    assert.equal(status.homes.known, 2, 'the other home was looked at, too');
    assert.deepEqual(status.health, []);
    detector.kill('SIGTERM');
    assert.equal(await ended(detector), 0, run.log.slice(-5).join('\n'));
    // No address and no name of a home in the log.
    const log = run.log.join('\n');
    for (const secret of [wanAddresses.A, wanAddresses.B, third, 'customer-a', 'customers.example', 'Rivera']) {
      assert.ok(!log.includes(secret), `${secret} is in the log`);
    }
    run.isDone = true;
  });
