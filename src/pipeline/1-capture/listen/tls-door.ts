/**
 * TLS for connections of exporters (RFC 7011 §11): both sides show certificates, TLS 1.2 at least. A connection is
 * handed on once its exporter has shown a certificate of a trusted authority, and a name that is expected if names are.
 * Loaded only where TLS is listened for.
 */
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { describeError, OperatorError } from '#base';

/** Who we are, and whom we trust; PEM. */
export type TlsIdentity = {
  readonly key: string;
  /** With the authorities between it and one that exporters know. */
  readonly certificate: string;
  /** Of exporters' certificates; no other authority is trusted, none of the system's either. */
  readonly clientAuthorities: string | readonly string[];
  /** Names of exporters: one must stand in the certificate (RFC 6125 §6.4, without wildcards); empty: any. */
  readonly subjects?: readonly string[];
};

export type TlsOutcome = {
  /** @param name  of the exporter, as its certificate says */
  readonly onSecure: (socket: TLSSocket, name: string) => void;
  /** Called once, and not after `onSecure`; the connection is closed. */
  readonly onRefused: (end: 'untrusted' | 'tls-failed') => void;
};

const handshakeMsDefault = 10_000;
const nameLengthMax = 200;

export class TlsDoor {
  readonly #server: Server;
  readonly #subjects: readonly string[];
  /** Connections in their handshake, by both ends. */
  readonly #waiting = new Map<string, TlsOutcome>();

  /** @throws OperatorError  `bad-config`: key, certificate or authorities cannot be used */
  constructor(identity: TlsIdentity, handshakeMs = handshakeMsDefault) {
    const { key, certificate, clientAuthorities, subjects = [] } = identity;
    this.#subjects = subjects;
    try {
      this.#server = createServer({
        key, cert: certificate, ca: typeof clientAuthorities === 'string' ? clientAuthorities : [...clientAuthorities],
        minVersion: 'TLSv1.2', handshakeTimeout: handshakeMs,
        // We refuse ourselves, so that it can be told why. No session is taken up again: each handshake judges anew.
        requestCert: true, rejectUnauthorized: false, secureOptions: noTickets,
      });
    } catch (thrown) {
      throw new OperatorError('bad-config',
        `The key, the certificate or the authorities for TLS cannot be used: ${describeError(thrown)}`, thrown);
    }
    this.#server.on('secureConnection', (socket) => this.#judge(socket));
    this.#server.on('tlsClientError', (_error, socket) => void socket.destroy());
  }

  /** Begins a handshake on a connection; one of the two is called in the end. */
  secure(socket: Socket, outcome: TlsOutcome): void {
    const key = endsOf(socket);
    this.#waiting.set(key, outcome);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#settle(key)?.onRefused('tls-failed'));
    this.#server.emit('connection', socket);
  }

  #judge(socket: TLSSocket): void {
    const outcome = this.#settle(endsOf(socket));
    socket.on('error', () => undefined);
    const certificate = socket.getPeerX509Certificate();
    const isTrusted = socket.authorized && certificate !== undefined &&
      (this.#subjects.length === 0 ||
        this.#subjects.some((name) => certificate.checkHost(name, { wildcards: false }) !== undefined));
    if (isTrusted && outcome !== undefined) {
      outcome.onSecure(socket, nameOf(socket));
      return;
    }
    socket.destroy();
    outcome?.onRefused('untrusted');
  }

  #settle(key: string): TlsOutcome | undefined {
    const outcome = this.#waiting.get(key);
    this.#waiting.delete(key);
    return outcome;
  }
}

/** `SSL_OP_NO_TICKET` of OpenSSL. */
const noTickets = 1 << 14;

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** What an exporter is called: its certificate's common name, else its first other name, else its fingerprint. */
function nameOf(socket: TLSSocket): string {
  const { subject, subjectaltname, fingerprint256 } = socket.getPeerCertificate();
  const common: unknown = subject?.CN;
  const name = typeof common === 'string' && common !== '' ? common
    : subjectaltname?.split(', ', 1)[0] ?? fingerprint256;
  return name.slice(0, nameLengthMax);
}
