/**
 * The health endpoint: `/metrics` for Prometheus and `/healthz` for whoever restarts services. It shows what the
 * metrics let through and nothing else, changes nothing, and is bounded, for it listens on a network.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { assertInvariant, limits } from '#base';
import { describeListenFailure } from '#capture/listen';
import { closeServer } from './close-server.ts';

export type HealthServerOptions = {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly connectionsMax?: number;
  readonly requestMs?: number;
};

/** What health is read from: no reason means that all is well. */
export type HealthStatus = { readonly health: readonly unknown[] };

/** A status in the text format of Prometheus. */
export type FormatMetrics<S> = {
  readonly contentType: string;
  readonly format: (status: S) => Promise<string>;
};

export type HealthParts<S extends HealthStatus> = {
  readonly status: () => S | Promise<S>;
  /** Loads what makes metrics of a status: who has no endpoint does without the memory. */
  readonly loadMetrics: () => Promise<FormatMetrics<S>>;
  /** A bug in making the status. */
  readonly onBug?: (thrown: unknown) => void;
};

const requestMsDefault = 5_000;

export class HealthServer<S extends HealthStatus> {
  readonly #options: HealthServerOptions;
  readonly #parts: HealthParts<S>;
  #server: Server | undefined;
  #metrics: FormatMetrics<S> | undefined;

  /** Opens nothing yet. */
  constructor(options: HealthServerOptions, parts: HealthParts<S>) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Port it listens at. */
  get port(): number {
    const bound = this.#server?.address();
    assertInvariant(bound !== null && typeof bound === 'object', 'the health server listens at a port');
    return bound.port;
  }

  /** Listens. @throws EnvironmentError  `network`: the port is in use or not permitted */
  async start(): Promise<void> {
    assertInvariant(this.#server === undefined, 'the health server was started twice');
    this.#metrics = await this.#parts.loadMetrics();
    const { address, port, requestMs = requestMsDefault } = this.#options;
    const server = createServer({
      requestTimeout: requestMs, headersTimeout: requestMs, keepAliveTimeout: requestMs, maxHeaderSize: 8_192,
      connectionsCheckingInterval: 1_000,
    }, (request, response) => void this.#serve(request, response));
    server.maxConnections = this.#options.connectionsMax ?? limits.controlConnectionsMax;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(describeListenFailure({ address, port }, error)));
      server.listen({ host: address, port }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#parts.onBug?.(error));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await closeServer(server);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    // No body is expected; who sends one is not listened to.
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      send(response, 405, textType, 'Only GET and HEAD.\n');
      return;
    }
    const path = (request.url ?? '').split('?', 1)[0];
    try {
      if (path === '/healthz') {
        const { health } = await this.#parts.status();
        const isOk = health.length === 0;
        send(response, isOk ? 200 : 503, 'application/json',
          `${JSON.stringify({ status: isOk ? 'ok' : 'degraded', reasons: health })}\n`);
      } else if (path === '/metrics') {
        const metrics = this.#metrics;
        assertInvariant(metrics !== undefined, 'metrics are there while the server is');
        send(response, 200, metrics.contentType, await metrics.format(await this.#parts.status()));
      } else {
        send(response, 404, textType, 'There are /metrics and /healthz.\n');
      }
    } catch (thrown) {
      this.#parts.onBug?.(thrown);
      send(response, 500, textType, 'This is a bug in natlens; the log says more.\n');
    }
  }
}

const textType = 'text/plain; charset=utf-8';

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status,
    { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  response.end(text);
}
