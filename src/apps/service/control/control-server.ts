/**
 * The side of the control socket that runs: answers a table of routes. Bounded in connections, in bytes and in time, so
 * that a stuck command cannot hold up a detector or a collector.
 */
import { chmodSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { assertInvariant, describeError, EnvironmentError, limits, OperatorError } from '#base';
import {
  answerMs, controlSocketPath, type ControlFailure, type ControlMethod, type ProgramName,
} from './control-protocol.ts';
import { closeServer } from '../close-server.ts';

export type ControlQuestion = {
  /** What the command sent as JSON; undefined for none. Not checked. */
  readonly body: unknown;
};

export type ControlRoute = {
  readonly method: ControlMethod;
  /** Whole path, such as `/status`; what varies is in the body. */
  readonly path: string;
  /**
   * Answers. What it returns is sent as JSON.
   *
   * @throws OperatorError, EnvironmentError  these come out of the asking command again
   */
  readonly answer: (question: ControlQuestion) => unknown;
};

export type ControlServerOptions = {
  /** Who answers; by default a detector. */
  readonly program?: ProgramName;
  readonly bytesMax?: number;
  readonly answerMs?: number;
  /** A bug in a route: the command is told that there was one, the log what it was. */
  readonly onBug?: (route: string, thrown: unknown) => void;
};

export class ControlServer {
  readonly #routes: ReadonlyMap<string, ControlRoute>;
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #answerMs: number;
  readonly #program: ProgramName;
  readonly #onBug: (route: string, thrown: unknown) => void;
  #server: Server | undefined;

  /**
   * Opens nothing yet.
   *
   * @param stateFolder  exists
   * @throws OperatorError  its path is too long
   */
  constructor(stateFolder: string, routes: readonly ControlRoute[], options: ControlServerOptions = {}) {
    this.#path = controlSocketPath(stateFolder);
    this.#routes = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
    this.#program = options.program ?? 'detector';
    this.#bytesMax = options.bytesMax ?? limits.controlBytesMax;
    this.#answerMs = options.answerMs ?? answerMs;
    this.#onBug = options.onBug ?? (() => undefined);
  }

  /**
   * Listens. A socket that a killed program left is taken over; one that answers is not.
   *
   * @throws OperatorError     another one runs on this state
   * @throws EnvironmentError  the socket cannot be made
   */
  async start(): Promise<void> {
    assertInvariant(this.#server === undefined, 'the control server was started twice');
    const failure = await this.#listen();
    if (failure === undefined) return;
    if (failure.code === 'EADDRINUSE') {
      if (await isAnswering(this.#path)) throw new OperatorError('bad-option',
        `Another ${this.#program} runs on this state (${this.#path} answers): stop it, or give this one a folder of ` +
        'its own.');
      await rm(this.#path, { force: true });
      const again = await this.#listen();
      if (again === undefined) return;
      throw describeFailure(this.#path, again);
    }
    throw describeFailure(this.#path, failure);
  }

  /** Stops listening and removes the socket; questions under way are cut off. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await closeServer(server);
  }

  async #listen(): Promise<NodeJS.ErrnoException | undefined> {
    const server = createServer({
      requestTimeout: this.#answerMs, headersTimeout: this.#answerMs, keepAlive: false, maxHeaderSize: 8_192,
      connectionsCheckingInterval: 1_000,
    }, (request, response) => void this.#serve(request, response));
    server.maxConnections = limits.controlConnectionsMax;
    const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once('error', resolve);
      // The file is made within the call: nobody else can open it even for a moment.
      const umask = process.umask(0o177);
      try {
        server.listen(this.#path, () => resolve(undefined));
      } finally {
        process.umask(umask);
      }
    });
    server.removeAllListeners('error');
    if (failure !== undefined) return failure;
    server.on('error', (error) => this.#onBug('listening', error));
    chmodSync(this.#path, 0o600);
    this.#server = server;
    return undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const name = `${request.method ?? ''} ${request.url ?? ''}`;
    try {
      const route = this.#routes.get(name);
      if (route === undefined) throw new OperatorError('bad-option',
        `The running ${this.#program} knows no '${name.slice(0, 80)}': it may be of another version.`);
      const body = await readJson(request, this.#bytesMax);
      const text = JSON.stringify(await this.#withinTime(route.answer({ body }))) ?? 'null';
      if (Buffer.byteLength(text) > this.#bytesMax) throw new EnvironmentError('network', 'The answer is too large.');
      send(response, 200, text);
    } catch (thrown) {
      if (!(thrown instanceof OperatorError) && !(thrown instanceof EnvironmentError)) this.#onBug(name, thrown);
      const failure = describeThrown(this.#program, thrown);
      send(response, { operator: 400, environment: 503, bug: 500 }[failure.kind], JSON.stringify(failure));
    }
  }

  /** Waits for an answer, but not for ever. What comes too late is dropped. */
  async #withinTime(answer: unknown): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new EnvironmentError('network',
        `The ${this.#program} has no answer after ${this.#answerMs / 1_000} s: it is too busy.`)), this.#answerMs);
    });
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(text);
}

function describeThrown(program: ProgramName, thrown: unknown): ControlFailure {
  if (thrown instanceof OperatorError) return { kind: 'operator', code: thrown.code, error: thrown.message };
  if (thrown instanceof EnvironmentError) return { kind: 'environment', code: thrown.code, error: thrown.message };
  return { kind: 'bug', code: 'invariant', error: `This is a bug in the ${program}; its log says more.` };
}

function describeFailure(path: string, error: NodeJS.ErrnoException): EnvironmentError {
  return new EnvironmentError('disk',
    `The control socket ${path} cannot be made: ${error.message}. The state folder must be writable.`, error);
}

/** @throws OperatorError  the body is too large or no JSON */
async function readJson(request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new OperatorError('bad-option', `The question has more than ${bytesMax} bytes.`);
    chunks.push(chunk);
  }
  if (bytes === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (thrown) {
    throw new OperatorError('bad-option', `The question is no JSON: ${describeError(thrown)}`, thrown);
  }
}

/** True when a process answers at the socket. */
function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (isAlive: boolean): void => {
      socket.destroy();
      resolve(isAlive);
    };
    socket.setTimeout(2_000, () => settle(true));
    socket.once('connect', () => settle(true));
    // A full queue of connections is a sign of life, too.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code === 'EAGAIN' || code === 'EACCES'));
  });
}
