/**
 * Sends one syslog message: over UDP (RFC 5426), TCP with counted octets (RFC 6587 §3.4.1) or TLS (RFC 5425). Syslog
 * has no answer: over TCP and TLS a message counts as sent when the receiver has taken and closed the connection in
 * order.
 */
import { createSocket } from 'node:dgram';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type SyslogTarget = {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly address: string;
  readonly port: number;
  /** Certificates to trust instead of the system's (PEM). */
  readonly ca: string | undefined;
  readonly timeoutMs: number;
};

/** How long a machine has to say that nobody listens there (ICMP); one that is silent may have taken it. */
const refusalMs = 50;
/** How long a receiver has to close after we did; some never do. */
const closingMs = 1_000;

/** Resolves when it is sent. @throws Error  what the network said, or the signal's abort */
export function sendSyslog(target: SyslogTarget, message: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return target.transport === 'udp' ? sendDatagram(target, message, signal) : sendFrame(target, message, signal);
}

/** Ends a promise by what comes first: the work, an abort, or the time. */
function bounded(
  timeoutMs: number, signal: AbortSignal, work: (resolve: () => void, reject: (error: Error) => void) => () => void,
): Promise<void> {
  let clear = (): void => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    const onAbort = (): void => reject(new Error('the detector stops'));
    signal.addEventListener('abort', onAbort);
    const timer = setTimeout(() => reject(new Error(`not sent within ${timeoutMs} ms`)), timeoutMs);
    const stop = work(resolve, reject);
    clear = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      stop();
    };
  });
  return ended.finally(() => clear());
}

function sendDatagram({ address, port, timeoutMs }: SyslogTarget, message: Buffer, signal: AbortSignal): Promise<void> {
  return bounded(timeoutMs, signal, (resolve, reject) => {
    let refusal: NodeJS.Timeout | undefined;
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    socket.on('error', reject);
    // A connected socket is told when the other side refuses.
    socket.connect(port, address, () => socket.send(message, (error) => {
      if (error !== null && error !== undefined) reject(error);
      else refusal = setTimeout(resolve, Math.min(refusalMs, timeoutMs / 2));
    }));
    return () => {
      clearTimeout(refusal);
      socket.close();
    };
  });
}

function sendFrame(target: SyslogTarget, message: Buffer, signal: AbortSignal): Promise<void> {
  const { address, port, ca, timeoutMs } = target;
  return bounded(timeoutMs, signal, (resolve, reject) => {
    let closing: NodeJS.Timeout | undefined;
    const frame = Buffer.concat([Buffer.from(`${message.length} `), message]);
    const socket: Socket = target.transport === 'tcp' ? connectTcp({ host: address, port }) : connectTls({
      host: address, port, ...(ca === undefined ? {} : { ca }), ...(isIP(address) === 0 ? { servername: address } : {}),
    });
    socket.on('error', reject);
    socket.once(target.transport === 'tcp' ? 'connect' : 'secureConnect', () => socket.end(frame));
    socket.once('finish', () => {
      closing = setTimeout(resolve, closingMs);
    });
    socket.once('close', (hadError) => {
      if (!hadError && socket.writableFinished) resolve();
      else reject(new Error('the connection was closed before the message was sent'));
    });
    // What a receiver says is read, so that its end is seen, and means nothing.
    socket.resume();
    return () => {
      clearTimeout(closing);
      socket.destroy();
    };
  });
}
