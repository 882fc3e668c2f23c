/** IPFIX over TLS, over loopback: who shows a good certificate is listened to, and it is told why others are not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { InvariantError, OperatorError } from '#base';
import { makeCertificate, signCertificate, type TestCertificate } from '../../../../test/support/test-certificate.ts';
import { TcpListener, type TcpListenerOptions } from './tcp-listener.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-tls-'));
after(() => rmSync(folder, { recursive: true }));

const server = makeCertificate(folder);
const authority = makeCertificate(folder, 'authority', 'DNS:authority.example.net');
const skip = server === undefined || authority === undefined ? 'there is no openssl' : false;
const sign = (name: string, names: string, days?: number): TestCertificate =>
  signCertificate(folder, authority as TestCertificate, name, names, days);

/** An IPFIX message; what it says is not the listener's business. */
function message(payloadBytes: number): Buffer {
  const bytes = Buffer.alloc(16 + payloadBytes, 1);
  bytes.writeUInt16BE(10, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  return bytes;
}

async function open(t: TestContext, subjects: readonly string[] = [], options: Partial<TcpListenerOptions> = {}):
  Promise<{ listener: TcpListener; taken: number[]; dial: (more: ConnectionOptions) => TLSSocket; port: number }> {
  const taken: number[] = [];
  const listener = new TcpListener({
    listen: [{ transport: 'tls', address: '127.0.0.1', port: 0 }], exporters: [],
    tls: {
      key: server?.key ?? '', certificate: server?.cert ?? '', clientAuthorities: [authority?.cert ?? ''], subjects,
    },
    ...options,
  }, { nowMs: () => 42, accept: ({ bytes }) => void taken.push(bytes.length) });
  await listener.start();
  t.after(() => listener.stop());
  const port = listener.sockets()[0]?.port as number;
  const dial = (more: ConnectionOptions): TLSSocket => {
    const socket = connect({ port, host: '127.0.0.1', ca: server?.cert, ...more });
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    return socket;
  };
  return { listener, taken, dial, port };
}

/** Waits for the end, whatever it is. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once('close', () => resolve()));
}

async function until(isDone: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (isDone()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`waited in vain: ${what}`);
}

test('a certificate of a trusted authority is enough, if no names are asked for; exporters are told apart by it',
  { skip }, async (t) => {
    const { listener, taken, dial } = await open(t, [], { certificateNamesMax: 2 });
    assert.equal(listener.sockets()[0]?.transport, 'tls');
    for (const [i, name] of ['router-1', 'router-2', 'router-1', 'router-3', 'router-4'].entries()) {
      const socket = dial(sign(name, `DNS:${name}.example.net`));
      const bytes = Buffer.concat([message(i), message(100)]);
      socket.write(bytes.subarray(0, 20));
      socket.end(bytes.subarray(20));
      await until(() => taken.length === 2 * i + 2, 'both messages');
    }
    await until(() => listener.counts().openConnections === 0, 'all connections have ended');
    assert.deepEqual(taken, [16, 116, 17, 116, 18, 116, 19, 116, 20, 116]);
    assert.deepEqual(listener.counts().ended, { closed: 5 });
    assert.deepEqual(listener.counts().peers, [
      { name: 'router-1', connections: 2, openConnections: 0, messages: 4 },
      { name: 'router-2', connections: 1, openConnections: 0, messages: 2 },
      { name: '', connections: 2, openConnections: 0, messages: 4 },
    ]);
  });

test('who shows no certificate, that of a stranger, or one that has run out is not listened to', { skip },
  async (t) => {
    const { listener, taken, dial } = await open(t);
    const stranger = makeCertificate(folder, 'stranger', 'DNS:router-1.example.net');
    for (const shown of [{}, stranger ?? {}, sign('old', 'DNS:old.example.net', -1)]) {
      const socket = dial(shown);
      socket.write(message(0));
      await closed(socket);
    }
    await until(() => listener.counts().openConnections === 0, 'all connections have ended');
    assert.deepEqual([listener.counts().ended, listener.counts().peers, taken], [{ untrusted: 3 }, [], []]);
  });

test('a session that is taken up again does not stand in for a certificate', { skip }, async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { listener, taken, dial } = await open(t);
    let session: Buffer | undefined;
    const first = dial({ minVersion: version, maxVersion: version });
    first.on('session', (bytes) => { session = bytes; });
    first.once('secureConnect', () => { session ??= first.getSession(); });
    await closed(first);
    const again = dial({ minVersion: version, maxVersion: version, ...session === undefined ? {} : { session } });
    again.write(message(0));
    await closed(again);
    await until(() => listener.counts().openConnections === 0, 'both connections have ended');
    assert.deepEqual([listener.counts().ended, taken], [{ untrusted: 2 }, []]);
  }
});

test('names that are asked for must stand in the certificate', { skip }, async (t) => {
  const { listener, taken, dial } = await open(t, ['router-1.example.net', 'ROUTER-2.example.net']);
  const seen: string[] = [];
  for (const [name, names] of [
    ['router-1', 'DNS:router-1.example.net'], ['second', 'DNS:a.example.net,DNS:router-2.example.net'],
    // The common name does not count beside other names, and wildcards are no names.
    ['router-1.example.net', 'DNS:elsewhere.example.net'], ['wild', 'DNS:*.example.net'],
  ] as const) {
    const socket = dial(sign(name, names));
    socket.end(message(0));
    await closed(socket);
    seen.push(`${name} ${taken.length}`);
  }
  await until(() => listener.counts().openConnections === 0, 'all connections have ended');
  assert.deepEqual(listener.counts().ended, { closed: 2, untrusted: 2 });
  assert.deepEqual(listener.counts().peers?.map(({ name }) => name), ['router-1', 'second']);
});

test('plain text, an old version, silence, and an exporter that does not trust us: no agreement', { skip },
  async (t) => {
    const { listener, taken, dial, port } = await open(t, [], { handshakeMs: 200 });
    const client = sign('router-1', 'DNS:router-1.example.net');
    const plain = connectPlain(port, '127.0.0.1');
    plain.on('error', () => undefined);
    plain.write(message(0));
    await closed(plain);
    const old = dial({ ...client, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    await closed(old);
    const silent = connectPlain(port, '127.0.0.1');
    silent.on('error', () => undefined);
    silent.resume();
    await closed(silent);
    const doubtful = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-verify_return_error',
      '-CAfile', authority?.certFile ?? '', '-cert', client.certFile, '-key', client.keyFile], { stdio: 'ignore' });
    await once(doubtful, 'close');
    await until(() => listener.counts().openConnections === 0, 'all connections have ended');
    assert.deepEqual([listener.counts().ended, taken], [{ 'tls-failed': 4 }, []]);
  });

test('what is asked of streams holds with TLS: broken, cut, silent, stopped; TLS 1.2 as well', { skip }, async (t) => {
  const { listener, taken, dial } = await open(t, [], { idleMs: 300 });
  const client = sign('router-1', 'DNS:router-1.example.net');
  const broken = dial({ ...client, maxVersion: 'TLSv1.2' });
  broken.write(Buffer.concat([message(4), Buffer.from('GET / HTTP/1.1\r\n\r\n')]));
  await closed(broken);
  dial(client).end(message(100).subarray(0, 50));
  await until(() => listener.counts().ended.cut === 1, 'the cut one');
  await closed(dial(client).resume());
  const last = dial(client);
  last.write(message(8));
  await until(() => taken.length === 2, 'a message');
  assert.equal(listener.counts().peers?.[0]?.openConnections, 1);
  await listener.stop();
  assert.deepEqual(listener.counts().ended, { broken: 1, cut: 1, idle: 1, stopped: 1 });
});

test('a listener without key and certificate is our own bug, with bad ones the operator’s', { skip }, async () => {
  const listen = [{ transport: 'tls', address: '127.0.0.1', port: 0 }] as const;
  const parts = { nowMs: () => 0, accept: () => undefined };
  await assert.rejects(new TcpListener({ listen, exporters: [] }, parts).start(), InvariantError);
  const tls = { key: 'no key', certificate: server?.cert ?? '', clientAuthorities: '' };
  await assert.rejects(new TcpListener({ listen, exporters: [], tls }, parts).start(),
    (error: Error) => error instanceof OperatorError && /for TLS cannot be used/.test(error.message));
});
