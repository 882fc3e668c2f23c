/** Webhooks over real servers: what arrives and what never does, that it is signed, and what each answer means. */
import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { limits, OperatorError } from '#base';
import { testExecutorContract } from '../../../../test/support/executor-contract.ts';
import { sampleAction, sampleStartMs, sampleVerdict } from '../../../../test/support/outbox-sample.ts';
import { makeCertificate } from '../../../../test/support/test-certificate.ts';
import type { ExecutionContext, Outcome, PlannedAction } from '../action.ts';
import type { WebhookOptions } from '../action-options.ts';
import { viewForReceiver } from './receiver-view.ts';
import { createWebhookExecutor, formatWebhookBody } from './webhook-executor.ts';
import { parseRetryAfter } from './webhook-request.ts';
import { parseWebhookSecret, signWebhook } from './webhook-signature.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-webhook-'));
after(() => rmSync(folder, { recursive: true }));
const secret = 'a secret of at least 24 bytes';
const secretFile = join(folder, 'secret');
writeFileSync(secretFile, `${secret}\n`);

type Received = { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders;
  readonly body: string };

/** A receiver that answers as it is told, and can go away and come back at its port. */
class Receiver {
  readonly received: Received[] = [];
  readonly #answer: RequestListener;
  readonly #tls: { key: string; cert: string } | undefined;
  #server: Server | undefined;
  port = 0;

  constructor(answer?: RequestListener, tls?: { key: string; cert: string }) {
    this.#answer = answer ?? ((_request, response) => void response.writeHead(204).end());
    this.#tls = tls;
  }

  async open(): Promise<this> {
    const listener: RequestListener = (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        this.received.push({ method, path: url, headers, body: Buffer.concat(pieces).toString() });
        this.#answer(request, response);
      });
    };
    const server = this.#tls === undefined ? createServer(listener) : createTlsServer(this.#tls, listener);
    await new Promise<void>((resolve) => void server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    if (server !== undefined) await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
}

const options = (port: number, changed: Partial<WebhookOptions> = {}): WebhookOptions => ({
  name: 'crm', url: `http://127.0.0.1:${port}/hook?x=1`, secretFile, rungs: ['notify'], homeName: false,
  timeoutMs: 5_000, ...changed,
});
const pseudonymOf = (text: string): string =>
  `h-${createHmac('sha256', 'the key of the state').update(text).digest('hex').slice(0, 12)}`;
const parts = { pseudonymOf };
const hook = (changed: Partial<PlannedAction> = {}): PlannedAction =>
  sampleAction({ kind: 'webhook', channel: 'crm', ...changed });
const context = (changed: Partial<ExecutionContext> = {}): ExecutionContext => ({
  markCommitting: () => undefined, signal: new AbortController().signal, wallMs: () => sampleStartMs + 250, ...changed,
});

async function answered(
  answer: RequestListener, changed: Partial<WebhookOptions> = {}, changedContext: Partial<ExecutionContext> = {},
): Promise<{ outcome: Outcome; received: readonly Received[] }> {
  const receiver = await new Receiver(answer).open();
  const executor = createWebhookExecutor([options(receiver.port, changed)], parts);
  const outcome = await executor.execute(hook(), context(changedContext));
  await receiver.close();
  return { outcome, received: receiver.received };
}

testExecutorContract({
  name: 'webhook',
  action: hook(),
  open: async () => {
    const receiver = await new Receiver().open();
    return {
      executor: createWebhookExecutor([options(receiver.port)], parts),
      effects: () => [...new Set(receiver.received.map(({ headers, body }) =>
        `${String(headers['webhook-id'])} ${body}`))],
      breakDown: () => receiver.close(),
      mend: async () => void await receiver.open(),
      close: () => receiver.close(),
    };
  },
});

test('the request: one signed POST of the documented body, and nothing of the home but its pseudonym', async () => {
  const block = {
    homeAddress: '192.0.2.77', destination: '198.51.100.0/24', protocol: 'tcp', port: undefined,
  } as const;
  const receiver = await new Receiver().open();
  const action = hook({ home: 'Familie Müller', rung: 'mitigate', block, reasons: [
    { code: 'presence', text: 'a text about 192.0.2.77' }, { code: 'indicator', text: 'and 203.0.113.9' },
  ] });
  await createWebhookExecutor([options(receiver.port)], parts).execute(action, context());
  await receiver.close();
  assert.equal(receiver.received.length, 1);
  const { method, path, headers, body } = receiver.received[0] as Received;
  assert.deepEqual([method, path, headers['content-type'], headers['user-agent']],
    ['POST', '/hook?x=1', 'application/json', 'natlens']);
  assert.deepEqual(Object.keys(headers).toSorted(), ['connection', 'content-length', 'content-type', 'host',
    'user-agent', 'webhook-id', 'webhook-signature', 'webhook-timestamp']);

  // The receiver's side of Standard Webhooks.
  const id = String(headers['webhook-id']);
  const timestamp = String(headers['webhook-timestamp']);
  assert.equal(timestamp, String(Math.floor(sampleStartMs / 1_000)));
  const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest();
  const [version, signature = ''] = String(headers['webhook-signature']).split(',');
  assert.equal(version, 'v1');
  assert.ok(timingSafeEqual(Buffer.from(signature, 'base64'), expected));

  assert.match(id, /^[0-9a-f]{24}$/);
  const iso = (timeMs: number): string => new Date(timeMs).toISOString();
  assert.deepEqual(JSON.parse(body), {
    type: 'natlens.mitigate',
    timestamp: iso(sampleStartMs),
    data: {
      id, home: pseudonymOf('Familie Müller'), deviceModel: 'webcam.D_Link.DCS_933L', episode: 1, step: 0,
      reasons: ['presence', 'indicator'],
      verdict: { state: 'present', classifier: 'ab'.repeat(32), since: iso(sampleStartMs),
        firstFlow: iso(sampleStartMs - 600_000), supported: iso(sampleStartMs) },
      evidence: { score: 3, signs: 3, windowStart: iso(sampleStartMs - 3_600_000), windowEnd: iso(sampleStartMs) },
      block: { destination: '198.51.100.0/24', protocol: 'tcp', port: null },
    },
  });
  for (const secretThing of ['Müller', '192.0.2.77', '203.0.113', action.id, action.id.slice(0, 12)]) {
    assert.equal(body.includes(secretThing), false, secretThing);
  }
});

test('where it is one of several device models, a receiver is told of all of them', () => {
  const group = ['webcam.A.1', 'webcam.D_Link.DCS_933L'];
  const view = viewForReceiver(sampleAction({ verdict: sampleVerdict({ group }) }), false, () => 'h-0');
  const { data } = JSON.parse(formatWebhookBody(view)) as { data: { verdict: { group?: string[] } } };
  assert.deepEqual(data.verdict.group, group);
});

test('the example of the page is what is sent', () => {
  const page = readFileSync(new URL('../../../../docs/receivers.md', import.meta.url), 'utf8');
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '') as { data: { id: string; home: string } };
  const { id, home } = example.data;
  const view = viewForReceiver(hook(), false, (text) => text === 'home-1' ? home : '');
  assert.equal(formatWebhookBody({ ...view, id }), JSON.stringify(example));
});

test('with the home\'s name only where the operator says so; then the id is the action\'s', async () => {
  const receiver = await new Receiver().open();
  const executor = createWebhookExecutor([options(receiver.port, { homeName: true })], parts);
  const action = hook({ home: 'Familie Müller' });
  await executor.execute(action, context());
  await receiver.close();
  const { headers, body } = receiver.received[0] as Received;
  assert.equal(headers['webhook-id'], action.id);
  assert.equal((JSON.parse(body) as { data: { home: string } }).data.home, 'Familie Müller');
});

test('every attempt has the same id and body, and a signature of its own time', async () => {
  const receiver = await new Receiver().open();
  const executor = createWebhookExecutor([options(receiver.port)], parts);
  for (const wallMs of [sampleStartMs, sampleStartMs + 60_000]) {
    await executor.execute(hook(), context({ wallMs: () => wallMs }));
  }
  await executor.execute(hook({ home: 'home-2' }), context());
  await receiver.close();
  const [first, second, other] = receiver.received as [Received, Received, Received];
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
  assert.equal(first.body, second.body);
  assert.notEqual(first.headers['webhook-signature'], second.headers['webhook-signature']);
  assert.notEqual(first.headers['webhook-id'], other.headers['webhook-id']);
});

test('what an answer means', async () => {
  const statuses: readonly (readonly [number, Outcome['status']])[] = [
    [200, 'done'], [201, 'done'], [204, 'done'], [299, 'done'], [300, 'retry'], [301, 'retry'], [307, 'retry'],
    [400, 'failed'], [401, 'failed'], [404, 'failed'], [410, 'failed'], [408, 'retry'], [409, 'retry'], [425, 'retry'],
    [429, 'retry'], [500, 'retry'], [502, 'retry'], [503, 'retry'],
  ];
  for (const [status, expected] of statuses) {
    const { outcome, received } = await answered((_request, response) =>
      response.writeHead(status, { location: '/elsewhere' }).end('<b>secret page</b>'));
    assert.deepEqual(outcome, { status: expected, detail: `answered with status ${status}` });
    assert.equal(received.length, 1, 'no redirect is followed');
  }
});

test('a wished pause is kept within bounds', async () => {
  const now = Date.UTC(2026, 0, 1);
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined], ['', undefined], ['soon', undefined], ['-5', undefined], ['1e9', undefined], ['0', 1_000],
    ['120', 120_000], ['9999999999', limits.retryAfterMsMax], ['99999999999', undefined],
    [new Date(now + 90_000).toUTCString(), 90_000], [new Date(now - 90_000).toUTCString(), 1_000],
    [new Date(now + 9e9).toUTCString(), limits.retryAfterMsMax], ['2026-01-01', undefined], ['Xyz GMT', undefined],
  ];
  for (const [value, expected] of cases) assert.equal(parseRetryAfter(value, now), expected, value);
  const { outcome } = await answered((_request, response) => response.writeHead(503, { 'retry-after': '7' }).end());
  assert.deepEqual(outcome, { status: 'retry', detail: 'answered with status 503', afterMs: 7_000 });
});

test('an endless or a stuck answer ends: its status counts', async () => {
  const endless = await answered((_request, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(limits.webhookAnswerBytesMax)));
      response.once('drain', more);
    };
    more();
  });
  assert.equal(endless.outcome.status, 'done');
  const stuck = await answered((_request, response) => void response.writeHead(200).write('x'), { timeoutMs: 200 });
  assert.equal(stuck.outcome.status, 'done');
  const silent = await answered(() => undefined, { timeoutMs: 200 });
  assert.deepEqual(silent.outcome, { status: 'retry', detail: 'no answer within 200 ms' });
  const cut = await answered((_request, response) => response.destroy());
  assert.equal(cut.outcome.status, 'retry');
});

test('a stop ends the waiting', async () => {
  const stop = new AbortController();
  const { outcome } = await answered(() => stop.abort(), {}, { signal: stop.signal });
  assert.deepEqual(outcome, { status: 'retry', detail: 'the detector stops' });
});

test('over TLS with a certificate that is trusted, and not with another', async (t) => {
  const tls = makeCertificate(folder);
  const other = makeCertificate(folder, 'other');
  if (tls === undefined || other === undefined) return t.skip('there is no openssl');
  const receiver = await new Receiver(undefined, tls).open();
  t.after(() => receiver.close());
  const url = `https://localhost:${receiver.port}/`;
  const trusting = createWebhookExecutor([options(0, { url, caFile: tls.certFile })], parts);
  assert.equal((await trusting.execute(hook(), context())).status, 'done');
  for (const caFile of [undefined, other.certFile]) {
    const outcome = await createWebhookExecutor([options(0, { url, caFile })], parts).execute(hook(), context());
    assert.equal(outcome.status, 'retry');
    assert.match(outcome.detail, /certificate|signature/);
  }
  assert.equal(receiver.received.length, 1);
});

test('secrets: a line, or base64 after whsec_', () => {
  assert.deepEqual(parseWebhookSecret(`${secret}\r\n`), Buffer.from(secret));
  const key = Buffer.alloc(24, 7);
  assert.deepEqual(parseWebhookSecret(`whsec_${key.toString('base64')}\n`), key);
  for (const bad of ['', 'x'.repeat(23), `whsec_${key.subarray(1).toString('base64')}`, `whsec_${'?'.repeat(40)}`]) {
    assert.equal(parseWebhookSecret(bad), undefined, bad);
  }
  // The example of the specification's reference libraries.
  const example = parseWebhookSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') as Buffer;
  assert.equal(signWebhook(example, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}'),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

test('what the operator got wrong is said at the start, without the secret', async () => {
  const short = join(folder, 'short');
  writeFileSync(short, 'short secret');
  const cases: readonly (readonly [Partial<WebhookOptions>, RegExp])[] = [
    [{ url: 'ftp://x.example/' }, /webhook "crm": url/], [{ url: 'nonsense' }, /webhook "crm": url/],
    [{ url: 'https://user:pass@x.example/' }, /without a login/], [{ secretFile: short }, /at least 24 bytes/],
    [{ secretFile: join(folder, 'absent') }, /secret_file cannot be read/],
    [{ caFile: join(folder, 'absent') }, /ca_file cannot be read/],
  ];
  for (const [changed, expected] of cases) {
    assert.throws(() => createWebhookExecutor([options(1, changed)], parts), (error) => {
      assert.ok(error instanceof OperatorError);
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /short secret/);
      return true;
    });
  }
  const gone = await createWebhookExecutor([], parts).execute(hook(), context());
  assert.equal(gone.status, 'failed');
});
