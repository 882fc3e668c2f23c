/**
 * An SMTP server that misbehaves as it is told, on a thread of its own: it goes on listening while the test's thread
 * stands still, so that a test can ask what had arrived at one instant.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/** Replies by command; an empty one closes the connection instead, `silence` says nothing. */
export type SmtpScript = {
  readonly greeting?: string;
  readonly ehlo?: string;
  readonly auth?: string;
  readonly mail?: string;
  readonly rcpt?: string;
  readonly data?: string;
  /** After the final dot. */
  readonly end?: string;
  /** The connection is closed as soon as a byte of the message has come. */
  readonly closesInMessage?: boolean;
};

/** What is counted, by index of the shared array. */
export const smtpCounts = { wholeBodies: 0, dots: 1, connections: 2 } as const;

type Task = { readonly script: SmtpScript; readonly shared: SharedArrayBuffer; readonly bodyEnd: string };

function serve(socket: Socket, { script, shared, bodyEnd }: Task): void {
  const counts = new Int32Array(shared);
  const count = (index: number): void => {
    Atomics.add(counts, index, 1);
    Atomics.notify(counts, index);
  };
  count(smtpCounts.connections);
  const reply = (text: string): void => {
    if (text === '') socket.destroy();
    else if (text !== 'silence') socket.write(`${text}\r\n`);
  };
  let isMessage = false;
  let hasBody = false;
  let received = '';
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1');
    if (isMessage && script.closesInMessage === true) return void socket.destroy();
    if (isMessage) {
      if (!hasBody && new RegExp(bodyEnd).test(received)) {
        hasBody = true;
        count(smtpCounts.wholeBodies);
      }
      if (!received.endsWith('\r\n.\r\n')) return;
      count(smtpCounts.dots);
      [isMessage, received] = [false, ''];
      return reply(script.end ?? '250 OK');
    }
    for (let at = received.indexOf('\r\n'); at >= 0; at = received.indexOf('\r\n')) {
      const line = received.slice(0, at).toUpperCase();
      received = received.slice(at + 2);
      if (line.startsWith('EHLO')) reply(script.ehlo ?? '250 test');
      else if (line.startsWith('AUTH')) reply(script.auth ?? '235 OK');
      else if (line.startsWith('MAIL')) reply(script.mail ?? '250 OK');
      else if (line.startsWith('RCPT')) reply(script.rcpt ?? '250 OK');
      else if (line.startsWith('DATA')) {
        const answer = script.data ?? '354 go on';
        isMessage = answer.startsWith('354');
        reply(answer);
      } else reply(line.startsWith('QUIT') ? '221 bye' : '502 not known');
    }
  });
  reply(script.greeting ?? '220 test ESMTP');
}

const task = workerData as Task | undefined;
if (parentPort !== null && task?.script !== undefined) {
  const port = parentPort;
  const server = createServer((socket) => serve(socket, task));
  server.listen(0, '127.0.0.1', () => port.postMessage((server.address() as AddressInfo).port));
}
