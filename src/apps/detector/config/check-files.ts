/** Looks at the files and folders that a config names: they are there, and not for everybody to read or change. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeError } from '#base';
import type { ConfigFault } from '#service';
import type { DetectorConfig } from './detector-config.ts';

type NamedFile = {
  /** With numbers of entries. */
  readonly path: string;
  /** The same without. */
  readonly key: string;
  readonly file: string;
  readonly kind: 'folder' | 'file' | 'secret' | 'program' | 'state';
  /** Of a file. */
  readonly bytesMin?: number;
};

/** Shorter keys of HMAC-SHA256 than this are guessed or slips (RFC 2104 §3 asks for the length of the hash, 32). */
const secretBytesMin = 24;

function listFiles({ stateFolder, classifiers, ladder: { verify }, mail, webhooks, syslogs }: DetectorConfig):
  NamedFile[] {
  const program = verify.command?.[0];
  const found: (Omit<NamedFile, 'path' | 'file'> & { file: string | undefined; path?: string })[] = [
    { key: 'state_folder', file: stateFolder, kind: 'state' },
    { key: 'classifiers.folder', file: classifiers.folder, kind: 'folder' },
    { key: 'verify.classifier_folder', file: verify.classifierFolder, kind: 'folder' },
    { key: 'verify.command', file: program?.includes('/') === true ? program : undefined, kind: 'program' },
    { key: 'mail.credentials_file', file: mail?.credentialsFile, kind: 'secret', bytesMin: 1 },
    { key: 'mail.ca_file', file: mail?.caFile, kind: 'file', bytesMin: 1 },
    { key: 'mail.template_folder', file: mail?.templateFolder, kind: 'folder' },
    { key: 'mail.dkim.key_file', file: mail?.dkim?.keyFile, kind: 'secret', bytesMin: 1 },
    ...webhooks.map(({ secretFile }, i) => ({
      key: 'webhook.secret_file', path: `webhook[${i + 1}].secret_file`, file: secretFile, kind: 'secret' as const,
      bytesMin: secretBytesMin,
    })),
    ...webhooks.map(({ caFile }, i) => ({
      key: 'webhook.ca_file', path: `webhook[${i + 1}].ca_file`, file: caFile, kind: 'file' as const, bytesMin: 1,
    })),
    ...syslogs.map(({ caFile }, i) => ({
      key: 'syslog.ca_file', path: `syslog[${i + 1}].ca_file`, file: caFile, kind: 'file' as const, bytesMin: 1,
    })),
  ];
  return found.flatMap(({ file, path, ...more }) =>
    file === undefined ? [] : [{ ...more, path: path ?? more.key, file }]);
}

/**
 * Faults of files and folders, in the order of the config's sections.
 *
 * @param faulty  keys and sections that have a fault already: their files are not looked at
 */
export async function findFileFaults(config: DetectorConfig, faulty: ReadonlySet<string>): Promise<ConfigFault[]> {
  const files = listFiles(config).filter(({ key }) => ![...faulty].some((path) =>
    path === key || key.startsWith(`${path}.`)));
  const texts = await Promise.all(files.map(checkFile));
  return files.flatMap(({ path }, i) => {
    const text = texts[i];
    return text === undefined ? [] : [{ path, text: ` ${text}` }];
  });
}

async function checkFile(named: NamedFile): Promise<string | undefined> {
  const { file, kind, bytesMin = 0 } = named;
  try {
    const found = await stat(file);
    const isFolder = kind === 'folder' || kind === 'state';
    if (isFolder && !found.isDirectory()) return `is ${file}, which is no folder`;
    if (!isFolder && !found.isFile()) return `is ${file}, which is no file`;
    // Whoever writes there decides what is found, run, said to customers, or answered at the control socket.
    if (kind !== 'secret' && (found.mode & 0o002) !== 0) {
      return `is ${file}, which everybody may change; chmod o-w takes that away`;
    }
    if (isFolder) return undefined;
    if (kind === 'program') {
      await access(file, constants.X_OK);
      return undefined;
    }
    await access(file, constants.R_OK);
    if (found.size < bytesMin) {
      return bytesMin === 1 ? `is ${file}, which is empty`
        : `is ${file}, which has ${found.size} bytes; a key has at least ${bytesMin}`;
    }
    if (kind === 'secret' && (found.mode & 0o007) !== 0) {
      return `is ${file}, which everybody may ${(found.mode & 0o004) === 0 ? 'change' : 'read'}; chmod o= takes ` +
        'that away';
    }
    return undefined;
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? '';
    if (kind === 'state' && code === 'ENOENT') return checkParent(file);
    const because = { ENOENT: 'is not there', EACCES: 'must not be used by this user' }[code] ??
      `cannot be looked at: ${describeError(thrown)}`;
    return `is ${file}, which ${because}`;
  }
}

/** The folder of the state is made when it is not there, if its own folder is. */
async function checkParent(folder: string): Promise<string | undefined> {
  const parent = dirname(folder);
  try {
    if ((await stat(parent)).isDirectory()) return undefined;
  } catch {
    // Not there, or not to be seen: the sentence is the same.
  }
  return `is ${folder}, and ${parent} is no folder that it could be made in`;
}
