/** A certificate of a test for 127.0.0.1 and localhost, made by openssl; it is its own authority. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type TestCertificate = {
  readonly key: string; readonly cert: string; readonly keyFile: string; readonly certFile: string;
};

/**
 * Makes one in a folder of the test; undefined: there is no openssl. @param names  whom it is for, as openssl writes it
 */
export function makeCertificate(
  folder: string, name = 'server', names = 'IP:127.0.0.1,DNS:localhost',
): TestCertificate | undefined {
  const [keyFile, certFile] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const run = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-nodes', '-keyout', keyFile, '-out', certFile, '-days', '7', '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=${names}`], { encoding: 'utf8' });
  if (run.error !== undefined || run.status !== 0) return undefined;
  return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8'), keyFile, certFile };
}
