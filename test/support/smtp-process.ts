/**
 * The SMTP server of `smtp-receiver.ts` as a program, for tests that need one in a network namespace: takes mails over
 * STARTTLS alone, and writes its port, then each mail, as a line of JSON.
 * Arguments: port, file of the key, file of the certificate.
 */
import { readFileSync } from 'node:fs';
import { SMTPServer } from 'smtp-server';

const [port = '', keyFile = '', certFile = ''] = process.argv.slice(2);

const server = new SMTPServer({
  authOptional: true, disableReverseLookup: true, key: readFileSync(keyFile), cert: readFileSync(certFile),
  onMailFrom: (_, session, done) => done(session.secure ? null : new Error('TLS first')),
  onData: (stream, session, done) => {
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('end', () => {
      const { mailFrom, rcptTo } = session.envelope;
      process.stdout.write(`${JSON.stringify({
        from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address),
        raw: Buffer.concat(pieces).toString('base64'),
      })}\n`);
      done();
    });
  },
});
server.on('error', () => undefined);
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
