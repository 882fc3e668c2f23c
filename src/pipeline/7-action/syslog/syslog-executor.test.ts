/** Syslog over real sockets: UDP, TCP with counted octets, TLS with a verified certificate; and receivers that fail. */
import assert from 'node:assert/strict';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { OperatorError } from '#base';
import { testExecutorContract } from '../../../../test/support/executor-contract.ts';
import { sampleAction, sampleStartMs } from '../../../../test/support/outbox-sample.ts';
import { parseCef, parseSyslog } from '../../../../test/support/syslog-parser.ts';
import { makeCertificate, type TestCertificate } from '../../../../test/support/test-certificate.ts';
import type { ExecutionContext, PlannedAction } from '../action.ts';
import type { SyslogOptions } from '../action-options.ts';
import { createSyslogExecutor } from './syslog-executor.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-syslog-'));
after(() => rmSync(folder, { recursive: true }));
const certificate = makeCertificate(folder);

/** Takes apart counted octets; throws where the count is not that of whole messages. */
function readFrames(stream: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const count = /^([1-9]\d{0,5}) /.exec(stream.subarray(at, at + 8).toString('latin1'));
    if (count === null) throw new Error(`no count at ${at}: ${stream.subarray(at).toString()}`);
    const from = at + count[0].length;
    at = from + Number(count[1]);
    if (at > stream.length) throw new Error('a message is cut');
    frames.push(stream.subarray(from, at));
  }
  return frames;
}

/** A receiver of one transport that keeps what arrives. */
class Receiver {
  readonly messages: Buffer[] = [];
  readonly #transport: SyslogOptions['transport'];
  readonly #onConnection: ((socket: Socket) => void) | undefined;
  readonly #certificate: TestCertificate | undefined;
  #server: Server | undefined;
  #udp: UdpSocket | undefined;
  readonly #open = new Set<Socket>();
  port = 0;

  constructor(
    transport: SyslogOptions['transport'], onConnection?: (socket: Socket) => void, shown = certificate,
  ) {
    this.#transport = transport;
    this.#onConnection = onConnection;
    this.#certificate = shown;
  }

  async open(): Promise<this> {
    if (this.#transport === 'udp') {
      const udp = createSocket('udp4').on('message', (message) => this.messages.push(message));
      await new Promise<void>((resolve) => udp.bind(this.port, '127.0.0.1', resolve));
      this.port = udp.address().port;
      this.#udp = udp;
      return this;
    }
    const take = (socket: Socket): void => {
      this.#open.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#open.delete(socket));
      if (this.#onConnection !== undefined) return this.#onConnection(socket);
      const pieces: Buffer[] = [];
      socket.on('data', (piece) => pieces.push(piece));
      socket.on('end', () => this.messages.push(...readFrames(Buffer.concat(pieces))));
    };
    const { key, cert } = this.#certificate ?? {};
    const server = this.#transport === 'tcp' ? createServer(take)
      : createTlsServer({ key, cert }, take).on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => void server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async close(): Promise<void> {
    const [server, udp] = [this.#server, this.#udp];
    [this.#server, this.#udp] = [undefined, undefined];
    for (const socket of this.#open) socket.destroy();
    if (udp !== undefined) await new Promise<void>((resolve) => void udp.close(resolve));
    if (server !== undefined) await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
}

const options = (
  transport: SyslogOptions['transport'], port: number, changed: Partial<SyslogOptions> = {},
): SyslogOptions => ({
  name: 'siem', transport, address: transport === 'tls' ? 'localhost' : '127.0.0.1', port,
  caFile: transport === 'tls' ? certificate?.certFile : undefined, facility: 4, rungs: ['notify'], homeName: false,
  timeoutMs: 5_000, ...changed,
});
const parts = { pseudonymOf: (text: string) => `h-${Buffer.from(text).toString('hex').slice(0, 12).padEnd(12, '0')}` };
const told = (changed: Partial<PlannedAction> = {}): PlannedAction =>
  sampleAction({ kind: 'syslog', channel: 'siem', ...changed });
const context = (changed: Partial<ExecutionContext> = {}): ExecutionContext => ({
  markCommitting: () => undefined, signal: new AbortController().signal, wallMs: () => sampleStartMs, ...changed,
});

const transports = (['udp', 'tcp', 'tls'] as const).filter((transport) =>
  transport !== 'tls' || certificate !== undefined);
for (const transport of transports) {
  testExecutorContract({
    name: `syslog over ${transport}`,
    action: told(),
    open: async () => {
      const receiver = await new Receiver(transport).open();
      return {
        executor: createSyslogExecutor([options(transport, receiver.port)], parts),
        effects: () => [...new Set(receiver.messages.map((message) =>
          parseSyslog(message).data['natlens@32473']?.['id'] ?? ''))],
        breakDown: () => receiver.close(),
        mend: async () => void await receiver.open(),
        close: () => receiver.close(),
      };
    },
  });

  test(`over ${transport}: what arrives is a message of RFC 5424 with CEF, without the home's name`, async (t) => {
    const receiver = await new Receiver(transport).open();
    t.after(() => receiver.close());
    const executor = createSyslogExecutor([options(transport, receiver.port)], parts);
    for (const home of ['home "1" ] \\ | = x\r\n<1>1 injected', 'home-2']) {
      const outcome = await executor.execute(told({ home }), context());
      assert.equal(outcome.status, 'done', outcome.detail);
    }
    assert.equal(receiver.messages.length, 2);
    for (const bytes of receiver.messages) {
      const parsed = parseSyslog(bytes);
      assert.deepEqual([parsed.facility, parsed.severity, parsed.timestamp], [4, 5, '2026-03-01T12:00:00.000Z']);
      assert.equal(parseCef(parsed.message).extension['act'], 'notify');
      assert.doesNotMatch(bytes.toString(), /home[- ]"?[12]|injected/);
    }
    const named = createSyslogExecutor([options(transport, receiver.port, { homeName: true })], parts);
    await named.execute(told({ home: 'a\r\n<1>1 b "c]' }), context());
    assert.equal(receiver.messages.length, 3);
    assert.equal(parseSyslog(receiver.messages[2] as Buffer).data['natlens@32473']?.['home'], 'a <1>1 b "c]');
  });
}

test('a tls receiver was tried', (t) => {
  if (certificate === undefined) t.skip('there is no openssl');
  else assert.ok(transports.includes('tls'));
});

test('a certificate that is not trusted, or of another name, is not talked to', async (t) => {
  if (certificate === undefined) return t.skip('there is no openssl');
  const receiver = await new Receiver('tls').open();
  t.after(() => receiver.close());
  const other = makeCertificate(folder, 'other');
  const misnamed = makeCertificate(folder, 'misnamed', 'DNS:elsewhere.example');
  const elsewhere = await new Receiver('tls', undefined, misnamed).open();
  t.after(() => elsewhere.close());
  const cases: readonly (readonly [number, string | undefined, RegExp])[] = [
    [receiver.port, undefined, /self-signed/], [receiver.port, other?.certFile, /self-signed|signature/],
    [elsewhere.port, misnamed?.certFile, /does not match certificate/],
  ];
  for (const [port, caFile, expected] of cases) {
    const outcome = await createSyslogExecutor([options('tls', port, { caFile })], parts).execute(told(), context());
    assert.equal(outcome.status, 'retry');
    assert.match(outcome.detail, expected);
  }
  assert.deepEqual([...receiver.messages, ...elsewhere.messages], []);
});

test('a receiver that drops or holds the connection', async () => {
  const cases: readonly (readonly [(socket: Socket) => void, string, Partial<SyslogOptions>])[] = [
    [(socket) => socket.resetAndDestroy(), 'retry', {}],
    // It never reads and never closes: no syslog says more than that it was sent.
    [() => undefined, 'done', {}],
  ];
  for (const [onConnection, status, changed] of cases) {
    const receiver = await new Receiver('tcp', onConnection).open();
    const executor = createSyslogExecutor([options('tcp', receiver.port, changed)], parts);
    const outcome = await executor.execute(told(), context());
    await receiver.close();
    assert.equal(outcome.status, status, outcome.detail);
  }
});

test('a tls receiver that never shakes hands is given up, and a stop is heard', async (t) => {
  const receiver = await new Receiver('tcp', () => undefined).open();
  t.after(() => receiver.close());
  const slow = createSyslogExecutor([options('tls', receiver.port, { timeoutMs: 150, caFile: undefined })], parts);
  assert.deepEqual(await slow.execute(told(), context()), { status: 'retry', detail: 'not sent within 150 ms' });
  const stop = new AbortController();
  const stopped = createSyslogExecutor([options('tls', receiver.port, { caFile: undefined })], parts)
    .execute(told(), context({ signal: stop.signal }));
  stop.abort();
  assert.deepEqual(await stopped, { status: 'retry', detail: 'the detector stops' });
});

test('what the operator got wrong is said at the start', async () => {
  for (const facility of [-1, 24, 1.5]) {
    assert.throws(() => createSyslogExecutor([options('udp', 1, { facility })], parts), OperatorError);
  }
  assert.throws(() => createSyslogExecutor([options('tls', 1, { caFile: join(folder, 'absent') })], parts),
    /ca_file cannot be read/);
  assert.equal((await createSyslogExecutor([], parts).execute(told(), context())).status, 'failed');
});
