/**
 * Gives up every right of this process once the packet socket is open, so that who breaks the probe by a packet gets
 * nothing by it. Root becomes another user, in all threads at once. Rights given one by one (ambient or file
 * capabilities) belong to each thread by itself (capabilities(7)): there the process gives up those of its main thread
 * and becomes itself again with the socket open, for a new program image has one thread. What is left is read back.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { assertInvariant, describeError, EnvironmentError, OperatorError } from '#base';
import { errnoName, loadLibc, type Libc, type PacketSocketHandle } from '#capture/live';

/** Name of the variable by which a process hands the open socket to itself. */
const handleVariable = 'NATLENS_PROBE_SOCKET';

/** From linux/prctl.h, linux/capability.h and fcntl.h. */
const prSetNoNewPrivs = 38;
const prCapAmbient = 47;
const prCapAmbientClearAll = 4;
const capabilityVersion3 = 0x20080522;
const fSetFd = 2;

/** Rights of one thread: permitted and effective capabilities as the kernel prints them, and its users. */
export type ThreadRights = {
  readonly thread: string;
  readonly permitted: string;
  readonly effective: string;
  readonly ambient: string;
  /** Real, effective, saved and file system user. */
  readonly users: readonly number[];
};

/** Of every thread of a process, from /proc. @param process  its id, or `self` */
export function readThreadRights(process: number | 'self' = 'self'): ThreadRights[] {
  const folder = `/proc/${process}/task`;
  return readdirSync(folder).flatMap((thread) => {
    let text: string;
    try {
      text = readFileSync(`${folder}/${thread}/status`, 'utf8');
    } catch {
      // Threads come and go.
      return [];
    }
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
    return [{
      thread, permitted: field('CapPrm'), effective: field('CapEff'), ambient: field('CapAmb'),
      users: field('Uid').split(/\s+/).map(Number),
    }];
  });
}

const hasRights = ({ permitted, effective }: ThreadRights): boolean =>
  !/^0+$/.test(permitted) || !/^0+$/.test(effective);

/** The socket that this process opened before it became itself again, or undefined. */
export function takeHandedSocket(environment: NodeJS.ProcessEnv = process.env): PacketSocketHandle | undefined {
  const text = environment[handleVariable];
  // Children, nDPI's among them, need not know.
  delete environment[handleVariable];
  // Who has rights was not handed anything: somebody else set the variable.
  if (text === undefined || readThreadRights().some(hasRights)) return undefined;
  return JSON.parse(text) as PacketSocketHandle;
}

/**
 * Gives up all rights. Returns without any, or not at all: the process then begins anew with `takeHandedSocket` set.
 *
 * @param user  whom root becomes: a name of /etc/passwd, or UID:GID
 * @throws OperatorError     there is no such user, or it is root
 * @throws EnvironmentError  `no-capture-right`: the system does not let us
 */
export function giveUpRights(handle: PacketSocketHandle, user: string): void {
  const libc = loadLibc();
  if (process.getuid?.() === 0) becomeUser(user);
  else if (readThreadRights().some(hasRights)) beginAnew(libc, handle);
  // Programs that have rights of their own (set-user-id) have none when we start them.
  libc.prctl(prSetNoNewPrivs, 1, 0, 0, 0);
  const left = readThreadRights().filter((thread) => hasRights(thread) || thread.users.includes(0));
  assertInvariant(left.length === 0, `threads kept rights: ${JSON.stringify(left)}`);
}

function becomeUser(name: string): void {
  const { user, group } = findUser(name);
  if (user === 0) throw new OperatorError('bad-option',
    '--user names whom the probe becomes once it sees packets, and that is not root: give another one.');
  try {
    process.setgroups?.([]);
    process.setgid?.(group);
    process.setuid?.(user);
  } catch (thrown) {
    throw new EnvironmentError('no-capture-right', `The probe cannot become ${name} (${describeError(thrown)}): root ` +
      'lacks the capabilities CAP_SETUID and CAP_SETGID here. Run it as another user with CAP_NET_RAW.', thrown);
  }
}

/** @throws OperatorError  no such user */
function findUser(name: string): { user: number; group: number } {
  const numbers = /^(\d+):(\d+)$/.exec(name);
  if (numbers !== null) return { user: Number(numbers[1]), group: Number(numbers[2]) };
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [known, , user, group] = line.split(':');
    if (known === name && group !== undefined) return { user: Number(user), group: Number(group) };
  }
  throw new OperatorError('bad-option', `--user: /etc/passwd has no user ${name}; name one that it has, or give ` +
    'UID:GID.');
}

function beginAnew(libc: Libc, handle: PacketSocketHandle): never {
  const must = (result: number, what: string): void => {
    if (result < 0) throw new EnvironmentError('no-capture-right',
      `The probe cannot give up its rights: ${what} failed with ${errnoName(libc)}.`);
  };
  must(libc.prctl(prCapAmbient, prCapAmbientClearAll, 0, 0, 0), 'prctl');
  // Those of files must not come back with the new image: they do not where the old one had none.
  must(libc.capset(Uint32Array.of(capabilityVersion3, 0), new Uint32Array(6)), 'capset');
  must(libc.prctl(prSetNoNewPrivs, 1, 0, 0, 0), 'prctl');
  must(libc.fcntl(handle.descriptor, fSetFd, 0), 'fcntl');
  const { execve } = process;
  if (execve === undefined) throw new EnvironmentError('node-absent',
    'This Node cannot replace itself, so rights would be left: Node 24 can.');
  execve.call(process, process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    { ...process.env, [handleVariable]: JSON.stringify(handle) });
  throw new EnvironmentError('no-capture-right', 'The probe could not begin anew without rights.');
}

/** What to type when the right to see packets is missing. */
export function describeMissingRight(interfaceName: string, command: string, node: string = process.execPath): string {
  return [
    `Packets of ${interfaceName} cannot be seen: that takes root or the capability CAP_NET_RAW. One of these gives it:`,
    `  sudo ${command}                        (becomes the user nobody at once)`,
    `  sudo setcap cap_net_raw+ep ${node}     (for all that this Node runs)`,
    '  AmbientCapabilities=CAP_NET_RAW in a systemd service, as deploy/natlens-probe.service has it',
  ].join('\n');
}
