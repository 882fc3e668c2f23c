/**
 * A full run of the detector for the test of what leaves it, as a program in a network namespace of its own: all
 * servers that it talks to, exporters, three homes, and the detector under strace, twice: as installed, then as the
 * bundle on the same state. Writes what everybody saw into the folder of its argument; the test judges it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { mappedWord, parseAddress, systemClock } from '#base';
import { createDictionaries } from '#flow';
import { askDetector } from '../../src/apps/detector/control/ask-detector.ts';
import type { HomeExplanation } from '../../src/apps/detector/home-desk.ts';
import type { DetectorStatus } from '../../src/apps/detector/status.ts';
import { deviceModel, encodeFlows, layOutDetector, makeArtifact, makeHomeFlows } from '../support/detector-world.ts';
import { environment, launcher } from '../support/natlens-process.ts';
import { SmtpReceiver } from '../support/smtp-receiver.ts';
import { makeCertificate } from '../support/test-certificate.ts';
import { straceArguments } from '../support/strace-trace.ts';
import {
  calledAddresses, credentials, egressPorts as ports, exporterAddress, foreignAddress, homes, indicatorAddress,
  orderedAddress, serverNames, webhookSecrets, type EgressResult,
} from './egress-world.ts';

const folder = process.argv[2] ?? '';
const bundle = process.argv[3] ?? '';
const stateFolder = join(folder, 'state');
const { found, unlisted, silent } = homes;
const agedMs = 7_200_000;

/** Bytes that came in at each server, whoever sent them. */
const received: Record<string, number> = {};
const requests: { readonly path: string; readonly body: string }[] = [];
const messages: string[] = [];
const questions: string[] = [];

function count(row: string, bytes: number): void {
  received[row] = (received[row] ?? 0) + bytes;
}

function countSocket(row: string, server: { on(event: 'connection', take: (socket: Socket) => void): unknown }): void {
  server.on('connection', (socket) => socket.on('close', () => count(row, socket.bytesRead)));
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}

/** Takes webhooks and syslog, and answers DNS. */
async function openServers(): Promise<void> {
  const hooks = createHttpServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => { body += piece; }).on('end', () => {
      requests.push({ path: request.url ?? '', body });
      response.writeHead(204).end();
    });
  });
  countSocket('webhook', hooks);
  await listen(hooks, ports.webhook);
  const syslog = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (piece: string) => { text += piece; }).on('end', () => {
      messages.push(text);
      socket.end();
    });
  });
  countSocket('syslog', syslog);
  await listen(syslog, ports.syslog);
  const datagrams = createSocket('udp4', (bytes) => {
    count('syslog', bytes.length);
    messages.push(bytes.toString());
  });
  await new Promise<void>((resolve) => datagrams.bind(ports.syslog, '127.0.0.1', resolve));
  const names = createSocket('udp4', (question, sender) => {
    count('dns', question.length);
    names.send(answerOf(question), sender.port, sender.address);
  });
  await new Promise<void>((resolve) => names.bind(53, '127.0.0.1', resolve));
}

/** Every name is 127.0.0.1 and has no other address (RFC 1035 §4.1). */
function answerOf(question: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  const end = at + 5;
  questions.push(labels.join('.'));
  const isOfIPv4 = question.readUInt16BE(at + 1) === 1;
  const header = Buffer.from(question.subarray(0, end));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(isOfIPv4 ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  const address = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  return isOfIPv4 ? Buffer.concat([header, address]) : header;
}

/** The config: mails go in the clear, to be looked at, or by TLS with a login. @returns its path */
function layOut(smtpPort: number, authority: string | undefined): string {
  const write = (name: string, text: string, mode = 0o600): void => writeFileSync(join(folder, name), text, { mode });
  write('credentials', `${credentials.user}:${credentials.password}\n`);
  for (const [name, secret] of Object.entries(webhookSecrets)) write(`${name}-secret`, secret);
  // It tells more than anybody asked, as programs do.
  write('verify', `#!/bin/sh\ncat >"${folder}/verify-input"\nenv >"${folder}/verify-environment"\n` +
    'echo "$NATLENS_HOME at $NATLENS_ADDRESSES has one"\nexit 0\n');
  chmodSync(join(folder, 'verify'), 0o700);
  mkdirSync(join(folder, 'second'), { recursive: true });
  writeFileSync(join(folder, 'second', 'webcam.nlc'), makeArtifact(9));
  const everyRung = 'rungs = ["observe", "verify", "notify", "remind", "mitigate"]';
  const path = layOutDetector(folder, `
[input]
listen = ["udp://127.0.0.1:${ports.udp}", "tcp://127.0.0.1:${ports.tcp}"]
exporters = ["${exporterAddress}"]
l7 = "exporter"
[homes]
map = "address"
inside = ["198.51.100.0/24"]
[[home]]
name = "${found.name}"
mail = "${found.mail}"
customer = "${found.customer}"
prefixes = ["${found.address}"]
addresses = ["${found.address}", "${found.address6}"]
[[home]]
name = "${silent.name}"
mail = "${silent.mail}"
customer = "${silent.customer}"
prefixes = ["${silent.address}"]
addresses = ["${silent.address}"]
[verify]
on = true
classifier_folder = "second"
command = ["${folder}/verify"]
[remind]
after = "1h"
[mitigate]
on = true
reasons = ["indicator", "operator-order"]
[mail]
server = "smtp://${serverNames.mail}:${smtpPort}"
${authority === undefined ? 'require_tls = false' : `credentials_file = "credentials"\nca_file = "${authority}"`}
from = "Example Net <security@provider.example>"
provider_name = "Example Net"
[[webhook]]
name = "pseudonymous"
url = "http://${serverNames.webhook}:${ports.webhook}/pseudonymous"
secret_file = "pseudonymous-secret"
${everyRung}
[[webhook]]
name = "named"
url = "http://${serverNames.webhook}:${ports.webhook}/named"
secret_file = "named-secret"
home_name = true
${everyRung}
[[syslog]]
name = "datagrams"
server = "udp://127.0.0.1:${ports.syslog}"
${everyRung}
[[syslog]]
name = "stream"
server = "tcp://${serverNames.syslog}:${ports.syslog}"
${everyRung}
[block]
duration = "1h"
[[indicator]]
name = "botnet"
destination = "${indicatorAddress}"
protocol = "tcp"
port = 23
[metrics]
listen = "127.0.0.1:${ports.metrics}"
[log]
level = "debug"
`);
  writeFileSync(path, `dry_run = false\n${readFileSync(path, 'utf8')}`);
  return path;
}

/** Starts a detector under strace, and waits until it takes flows. */
async function start(config: string, run: string, program: readonly string[]): Promise<ChildProcess> {
  mkdirSync(join(folder, run));
  const traced = [process.execPath, ...program, config];
  const child = spawn('strace', [...straceArguments(join(folder, run, 'trace')), ...traced], {
    cwd: folder, env: environment(folder),
    stdio: ['ignore', openSync(join(folder, run, 'stdout'), 'w'), openSync(join(folder, run, 'log'), 'w')],
  });
  await until('it has started', () => readFileSync(join(folder, run, 'log'), 'utf8').includes('"started"') ||
    child.exitCode !== null);
  if (child.exitCode !== null) throw new Error(readFileSync(join(folder, run, 'log'), 'utf8'));
  return child;
}

async function stop(child: ChildProcess): Promise<number> {
  const ended = new Promise<number>((resolve) => void child.once('exit', (code) => resolve(code ?? -1)));
  // strace hands on no signal; its child is the detector.
  const own = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0];
  process.kill(Number(own), 'SIGTERM');
  return ended;
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = systemClock.nowMs() + 60_000;
  while (!await isSo()) {
    if (systemClock.nowMs() > endMs) throw new Error(`waited in vain until ${what}`);
    await sleep(100);
  }
}

/** Export messages of a home's flows, one of them to the indicator's address where it is asked for. */
function exportsOf(from: string, isDevice: boolean, isIndicated: boolean): Uint8Array[] {
  const nowMs = systemClock.nowMs();
  const dictionaries = createDictionaries();
  const endMs = Array.from({ length: 60 }, (_, i) => nowMs - (60 - i) * 50);
  const batch = makeHomeFlows({ from, isDevice, endMs, dictionaries });
  const { destinationAddress } = batch.columns;
  for (let row = 0; row < batch.rowCount; row++) {
    const called = parseAddress(calledAddresses[row % calledAddresses.length] as string);
    destinationAddress.set(called ?? [0, 0, mappedWord, 0], 4 * row);
  }
  if (isIndicated) {
    destinationAddress.set(parseAddress(indicatorAddress) ?? [0, 0, mappedWord, 0], 0);
    batch.columns.destinationTransportPort[0] = 23;
    batch.columns.protocolIdentifier[0] = 6;
  }
  return encodeFlows(batch, nowMs).datagrams;
}

async function sendDatagrams(datagrams: readonly Uint8Array[], from: string): Promise<void> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, from, resolve));
  for (const datagram of datagrams) {
    await new Promise<void>((resolve) => void socket.send(datagram, ports.udp, '127.0.0.1', () => resolve()));
  }
  socket.close();
}

/** @returns what the detector wrote to the exporter */
async function sendStream(exports: readonly Uint8Array[]): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port: ports.tcp, localAddress: exporterAddress });
  socket.resume();
  await new Promise<void>((resolve) => socket.end(Buffer.concat(exports), resolve));
  await new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  return socket.bytesRead;
}

async function explain(home: string): Promise<HomeExplanation> {
  return await askDetector(stateFolder, 'POST', '/explain', { home }) as HomeExplanation;
}

async function scrape(path: string): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${ports.metrics}${path}`)).text();
}

/** As if the detector had slept: what is due later falls due. */
function age(): void {
  const db = new DatabaseSync(join(stateFolder, 'detector.sqlite'));
  const { value } = db.prepare("SELECT value FROM state_meta WHERE key = 'time'").get() as { value: string };
  const { steadyMs, offsetMs } = JSON.parse(value) as { steadyMs: number; offsetMs: number };
  db.prepare("UPDATE state_meta SET value = ? WHERE key = 'time'")
    .run(JSON.stringify({ steadyMs: steadyMs + agedMs, offsetMs: offsetMs - agedMs }));
  db.close();
}

function keepState(name: string): void {
  // A socket cannot be copied.
  cpSync(stateFolder, join(folder, name), { recursive: true, filter: (path) => !path.endsWith('.sock') });
}

async function main(): Promise<void> {
  await openServers();
  const smtp = await new SmtpReceiver({ disabledCommands: ['STARTTLS', 'AUTH'] }).open();
  if (smtp.listener !== undefined) countSocket('smtp', smtp.listener);

  const first = await start(layOut(smtp.port, undefined), 'installed', [launcher, 'detect']);
  await sendDatagrams(exportsOf(silent.address, false, false), exporterAddress);
  await sendDatagrams(exportsOf(silent.address, true, false), foreignAddress);
  await sendDatagrams(exportsOf(found.address, true, true), exporterAddress);
  const toldExporter = await sendStream(exportsOf(unlisted.name, true, true));
  await until('the mail', () => smtp.mails.length > 0);
  const isBlocked = async (home: string): Promise<boolean> => (await explain(home)).actions
    .some(({ kind, state }) => kind === 'block' && state === 'done');
  await until('the blocks', async () => await isBlocked(found.name) && await isBlocked(unlisted.name));
  const isSettled = async (home: string): Promise<boolean> =>
    (await explain(home)).actions.every(({ state }) => state === 'done' || state === 'failed');
  await until('all is told', async () => await isSettled(found.name) && await isSettled(unlisted.name));
  const before = { found: await explain(found.name), unlisted: await explain(unlisted.name),
    silent: await explain(silent.name) };
  const seen = { metrics: await scrape('/metrics'), health: await scrape('/healthz'),
    status: await askDetector(stateFolder, 'GET', '/status') as DetectorStatus };
  const exitCodes = [await stop(first)];
  keepState('state-after-first');
  age();

  const certificate = makeCertificate(folder, 'mail', `DNS:${serverNames.mail}`);
  if (certificate === undefined) throw new Error('openssl makes no certificate');
  const logins: string[] = [];
  const refusing = await new SmtpReceiver({
    key: certificate.key, cert: certificate.cert, authOptional: false,
    onAuth: ({ username, password }, _, done) => {
      logins.push(`${username}:${password}`);
      done(null, { user: username });
    },
    // Servers like to repeat whom they refuse.
    onRcptTo: ({ address }, _, done) =>
      done(Object.assign(new Error(`no room for ${address.toUpperCase()}`), { responseCode: 552 })),
  }).open();
  const second = await start(layOut(refusing.port, certificate.certFile), 'bundle', [bundle]);
  await until('the reminder is refused', async () => (await explain(found.name)).actions
    .some(({ kind, rung, attempts, state }) =>
      kind === 'mail' && rung === 'remind' && attempts > 0 && state === 'planned'));
  await until('receivers are reminded', async () => (await explain(found.name)).actions
    .filter(({ kind, rung, state }) => kind !== 'mail' && rung === 'remind' && state === 'done').length === 4);
  const ask = (path: string, body: unknown): Promise<unknown> => askDetector(stateFolder, 'POST', path, body);
  await ask('/block', { home: found.name, deviceModel, protocol: 'tcp', destination: orderedAddress, note: 'by hand' });
  await until('the ordered blocks', async () => (await explain(found.name)).actions
    .filter(({ kind, state }) => kind === 'block' && state === 'done').length > 1);
  await ask('/release', { home: unlisted.name });
  await ask('/opt-out', { home: unlisted.name, isOut: true });
  const beforeForget = await explain(found.name);
  keepState('state-before-forget');
  const forgotten = await askDetector(stateFolder, 'POST', '/forget', { home: found.name });
  keepState('state-after-forget');
  const after = await explain(found.name);
  await scrape('/metrics');
  exitCodes.push(await stop(second));
  keepState('state-after-stop');
  await Promise.all([smtp.close(), refusing.close()]);
  await sleep(200);
  const result: EgressResult = {
    smtpPorts: [smtp.port, refusing.port], logins, exitCodes, received, requests, messages,
    questions, toldExporter, before, beforeForget, after, forgotten, seen,
    deviceModel, mails: smtp.mails.map(({ raw, to }) => ({ to, raw: raw.toString('base64') })),
  };
  writeFileSync(join(folder, 'result.json'), JSON.stringify(result));
  process.exit(0);
}

await main();
