/**
 * A real SMTP server of a test (smtp-server) on this machine, which keeps what it takes and can go away and come back.
 */
import type { AddressInfo, Server } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export type ReceivedMail = {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Buffer;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
};

export class SmtpReceiver {
  readonly mails: ReceivedMail[] = [];
  readonly #options: SMTPServerOptions;
  #server: SMTPServer | undefined;
  #port = 0;

  constructor(options: SMTPServerOptions = {}) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  /** What listens now, to look at its connections. */
  get listener(): Server | undefined {
    return this.#server?.server;
  }

  /** Begins to listen; again at the same port. */
  async open(): Promise<this> {
    const server = new SMTPServer({
      authOptional: true, closeTimeout: 100, disableReverseLookup: true,
      onData: (stream, session, done) => {
        const pieces: Buffer[] = [];
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.once('end', () => {
          const { mailFrom, rcptTo } = session.envelope;
          this.mails.push({
            from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address),
            raw: Buffer.concat(pieces), isEncrypted: session.secure, user: session.user,
          });
          done();
        });
      },
      ...this.#options,
    });
    // Clients that break off are what these tests are about.
    server.on('error', () => undefined);
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
