/** Certificates of tests, made by openssl: one that is its own authority, and ones that such an authority signs. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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

/**
 * Makes one that an authority signs, as clients of TLS show it.
 *
 * @param authority  of `makeCertificate`
 * @param days       that it is good for; less than 0: it has run out
 */
export function signCertificate(
  folder: string, authority: TestCertificate, name: string, names: string, days = 7,
): TestCertificate {
  const [keyFile, certFile, requestFile, extensionFile] =
    ['key', 'crt', 'csr', 'ext'].map((kind) => join(folder, `${name}.${kind}`)) as [string, string, string, string];
  writeFileSync(extensionFile, `subjectAltName=${names}\n`);
  const runs = [
    ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile,
      '-out', requestFile, '-subj', `/CN=${name}`],
    ['x509', '-req', '-in', requestFile, '-CA', authority.certFile, '-CAkey', authority.keyFile, '-CAcreateserial',
      '-out', certFile, '-extfile', extensionFile, '-days', String(days)],
  ];
  for (const run of runs) {
    const { status, stderr } = spawnSync('openssl', run, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  }
  return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8'), keyFile, certFile };
}
