/**
 * Accounts for every byte that a traced process handed to the kernel: each goes to a place that a row of the table in
 * docs/privacy.md stands for, and holds nothing of a home but what the row names. What is not known is a fault: a call,
 * a place, a file. Reads what `strace-trace.ts` gives.
 */
import { basename, dirname, resolve } from 'node:path';
import { SecretFinder, type Secret } from './secret-forms.ts';
import { addressIn, descriptorOf, plain, textsOf, writtenBy, type TracedCall } from './strace-trace.ts';

/** A row of the table: its id, and what of a home its bytes may hold, in the words of the page. */
export type EgressRow = { readonly id: string; readonly mayHold: ReadonlySet<string> };

/** Where the rows are in one run. */
export type EgressPlaces = {
  /** Folder that the process runs in. */
  readonly folder: string;
  /** Files and folders, with all below them. */
  readonly files: ReadonlyMap<string, string>;
  /** `address:port` that it connects or sends to. */
  readonly remotes: ReadonlyMap<string, string>;
  /** Ports that it listens at; an empty row: nothing is ever written there. */
  readonly listeners: ReadonlyMap<number, string>;
  /** Names of programs that it starts. */
  readonly programs: ReadonlyMap<string, string>;
  /** Path of the control socket. */
  readonly controlSocket: string;
  /** The row of bytes that have its row by another; undefined: they stay. */
  readonly refine?: (row: string, bytes: Buffer) => string | undefined;
};

/** All bytes that went one way. */
export type Conversation = { readonly row: string; readonly to: string; readonly bytes: Buffer };

export type EgressAccount = {
  readonly conversations: readonly Conversation[];
  /** Files that were opened for writing. */
  readonly opened: readonly string[];
  /** What must not be; empty: all is accounted for. */
  readonly faults: readonly string[];
};

/** Within the process: threads wake each other. */
const inner = '(inner)';
/** Where no row stands for: said when the bytes are met. */
const unnamed = '(none)';

const writing = /^(?:p?write(?:64)?|p?writev2?|sendto|sendmsg|sendmmsg)$/;
/** Calls with paths, all of which must lie where a row says. */
const changing =
  /^(?:mkdir|unlink|rename|rmdir|f?chmod|l?f?chown|link|symlink|mknod|f?truncate|fallocate|utime|[lf]?setxattr)/;
/** Calls that bring nothing out. */
const harmless = new Set([
  'close', 'close_range', 'setsockopt', 'getsockopt', 'getsockname', 'getpeername', 'listen', 'shutdown', 'poll',
  'ppoll', 'pselect6', 'select', 'getrandom', 'fsync', 'fdatasync', 'fcntl', 'prctl', 'arch_prctl', 'rseq', 'prlimit64',
  'getrlimit', 'setrlimit', 'set_robust_list', 'set_tid_address', 'uname', 'sysinfo', 'access', 'faccessat',
  'faccessat2', 'readlink', 'readlinkat', 'stat', 'lstat', 'statfs', 'fstatfs', 'getdents64', 'getcwd', 'getuid',
  'geteuid', 'getgid', 'getegid', 'getppid', 'getrusage', 'getpriority', 'capget', 'umask', 'exit', 'exit_group',
  'wait4', 'waitid', 'setsid', 'setpgid', 'sched_getaffinity', 'sched_setaffinity', 'sched_getscheduler',
  'sched_getparam', 'fadvise64', 'inotify_init1', 'inotify_add_watch', 'inotify_rm_watch', 'epoll_create1', 'eventfd2',
  'timerfd_create', 'timerfd_settime', 'nanosleep', 'clock_nanosleep', 'clock_getres', 'rt_sigreturn', 'sigaltstack',
  'rt_sigtimedwait', 'restart_syscall', 'mremap', 'mincore', 'membarrier', 'pkey_alloc', 'pkey_mprotect', 'pkey_free',
  'times', 'chdir', 'flock', 'dup', 'tgkill', 'sigreturn', 'pipe', 'accept',
]);
const sharing = new Set(['clone', 'clone3', 'vfork', 'fork']);
/** Requests of a terminal's or socket's state. */
const harmlessControls = /^(?:TCGETS2?|FIONBIO|FIOCLEX|FIONCLEX|FIONREAD|TIOCGWINSZ|TIOCGPGRP|SIOCGIF\w+)\b/;

export function accountEgress(
  calls: readonly TracedCall[], rows: readonly EgressRow[], secrets: readonly Secret[], places: EgressPlaces,
): EgressAccount {
  return new Accountant(places, calls).account(rows, new SecretFinder(secrets), secrets);
}

class Accountant {
  readonly #places: EgressPlaces;
  readonly #calls: readonly TracedCall[];
  readonly #faults = new Set<string>();
  readonly #opened = new Set<string>();
  /** By descriptor: where a datagram without an address goes. */
  readonly #peers = new Map<number, string>();
  readonly #accepted = new Set<string>();
  readonly #pipes = new Set<string>();
  readonly #children = new Set<number>();
  /** Standard input of a child: the far end of a pair → its thread, and what that runs then. */
  readonly #inputs = new Map<string, number>();
  readonly #programOf = new Map<number, string>();
  readonly #sent = new Map<string, { readonly row: string; readonly pieces: Buffer[] }>();

  constructor(places: EgressPlaces, calls: readonly TracedCall[]) {
    this.#places = places;
    this.#calls = calls;
  }

  account(rows: readonly EgressRow[], finder: SecretFinder<string>, secrets: readonly Secret[]): EgressAccount {
    // Children take their standard input after the first bytes may have been written to it.
    for (const call of this.#calls) this.#noteChild(call);
    for (const call of this.#calls) if (call.program === undefined) this.#take(call);
    const kindsOf = Map.groupBy(secrets, ({ text }) => text);
    const conversations = [...this.#sent].map(([to, { row, pieces }]) => {
      const bytes = Buffer.concat(pieces);
      return { to, bytes, row: this.#places.refine?.(row, bytes) ?? row };
    });
    for (const { row: id, to, bytes } of conversations) {
      const row = rows.find((known) => known.id === id);
      if (row === undefined && id !== inner && id !== unnamed) {
        this.#fault(`${bytes.length} bytes to ${to}: the page has no row ${id}`);
      }
      for (const { text, form } of finder.find(bytes)) {
        const kinds = (kindsOf.get(text) ?? []).map(({ kind }) => kind);
        if (!kinds.some((kind) => row?.mayHold.has(kind) === true)) {
          this.#fault(`${id} (${to}) holds ${kinds.join(' or ')}: ${text} (${form})`);
        }
      }
    }
    return { conversations, opened: [...this.#opened].sort(), faults: [...this.#faults] };
  }

  #fault(text: string): void {
    this.#faults.add(text);
  }

  #noteChild({ name, args, thread, returned, program }: TracedCall): void {
    const [, end] = /UNIX-STREAM:\[(\d+)->\d+\]/.exec(descriptorOf(args)?.of ?? '') ?? [];
    if (/^dup[23]$/.test(name) && returned === 0 && end !== undefined) this.#inputs.set(end, thread);
    if (name === 'execve' && returned === 0 && program === undefined) {
      this.#programOf.set(thread, textsOf(args)[0]?.toString() ?? '');
    }
  }

  #take(call: TracedCall): void {
    const { name, args, returned } = call;
    if (writing.test(name)) this.#takeBytes(call);
    else if (name.startsWith('open') || name === 'creat') this.#takeOpening(call);
    else if (changing.test(name)) this.#takeChange(call);
    else if (name === 'execve') this.#takeProgram(call);
    else if (name === 'connect') this.#takeConnection(call);
    else if (name === 'bind') this.#takeBinding(call);
    else if (name === 'mmap') this.#takeMapping(call);
    else if (name === 'accept4') this.#takeAccepted(call);
    else if (name === 'socket') this.#takeSocket(call);
    else if (name === 'pipe2') {
      for (const [, pipe = ''] of plain(args).matchAll(/<(pipe:\[\d+\])>/g)) this.#pipes.add(pipe);
    } else if (sharing.has(name)) {
      if (returned > 0) this.#children.add(returned);
    } else if (name === 'kill') this.#takeSignal(call);
    else if (name === 'io_uring_setup') {
      if (!(returned < 0)) this.#fault('a ring of requests, which nobody can look into');
    } else if (name === 'ioctl') this.#takeControl(args);
    else if (name !== 'socketpair' && name !== 'dup2' && name !== 'dup3' && !harmless.has(name)) {
      this.#fault(`a call that nobody has looked at: ${name}(${plain(args).slice(0, 120)})`);
    }
    if (name === 'close') this.#peers.delete(Number(/^\d+/.exec(args)?.[0]));
  }

  #takeBytes(call: TracedCall): void {
    const descriptor = descriptorOf(call.args);
    for (const { bytes, to } of writtenBy(call)) {
      if (bytes.length === 0) continue;
      if (descriptor === undefined) {
        this.#fault(`${call.name} of ${bytes.length} bytes to what strace cannot name`);
        continue;
      }
      const { row, place } = this.#placeOf(descriptor.number, descriptor.of, to);
      if (row === undefined) this.#fault(`${bytes.length} bytes to ${place}, which no row names`);
      const known = this.#sent.get(place);
      if (known === undefined) this.#sent.set(place, { row: row ?? unnamed, pieces: [bytes] });
      else known.pieces.push(bytes);
    }
  }

  #placeOf(number: number, of: string, to: string | undefined): {
    readonly row: string | undefined; readonly place: string;
  } {
    const { remotes, listeners, controlSocket } = this.#places;
    if (of === 'anon_inode:[eventfd]' || this.#pipes.has(of)) return { row: inner, place: of };
    if (of.startsWith('/')) return { row: this.#fileRow(of), place: of };
    const [, protocol = '', inside = ''] = /^([A-Za-z0-9-]+):\[(.*)\]$/s.exec(of) ?? [];
    if (protocol.startsWith('NETLINK')) return { row: remotes.get('netlink'), place: 'netlink' };
    if (protocol.startsWith('UNIX')) {
      const [, own, far, path] = /^(\d+)->(\d+)(?:,"(.*)")?$/s.exec(inside) ?? [];
      if (path !== undefined) return { row: path === controlSocket ? 'control' : undefined, place: `${path} ${own}` };
      const program = this.#programOf.get(this.#inputs.get(far ?? '') ?? -1);
      const row = program === undefined ? undefined : this.#places.programs.get(basename(program));
      return { row, place: `standard input of ${program ?? `the far end of ${of}`} ${own}` };
    }
    if (!/^(?:TCP|UDP)(?:v6)?$/.test(protocol)) return { row: undefined, place: of };
    const [local = '', remote] = inside.split('->');
    if (this.#accepted.has(of)) {
      const row = listeners.get(Number(/:(\d+)$/.exec(local)?.[1]));
      return { row: row === '' ? undefined : row, place: of };
    }
    const address = to ?? remote ?? this.#peers.get(number);
    return { row: remotes.get(address ?? ''), place: `${protocol}:${local}->${address ?? 'nowhere'}` };
  }

  /** Row of a file or folder. */
  #fileRow(path: string): string | undefined {
    for (let at = path; ; at = dirname(at)) {
      const row = this.#places.files.get(at);
      if (row !== undefined || at === '/') return row;
    }
  }

  #takeOpening({ name, args, returned, remark }: TracedCall): void {
    if (name !== 'creat' && !/O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)/.test(args)) return;
    const path = resolve(this.#places.folder, textsOf(args)[0]?.toString() ?? '');
    if (returned < 0 && !/^E(?:EXIST|AGAIN|INTR)/.test(remark)) {
      // It was tried, and would have been written to.
      if (this.#fileRow(path) === undefined) this.#fault(`${path} was to be opened for writing`);
      return;
    }
    this.#opened.add(path);
    if (this.#fileRow(path) === undefined && path !== '/dev/null') this.#fault(`${path} was opened for writing`);
  }

  #takeChange({ name, args }: TracedCall): void {
    const paths = textsOf(args).map((text) => resolve(this.#places.folder, text.toString()));
    const { of } = descriptorOf(args) ?? {};
    if (paths.length === 0 && of !== undefined) paths.push(of);
    if (paths.length === 0 || paths.some((path) => this.#fileRow(path) === undefined)) {
      this.#fault(`${name} of ${paths.join(' and ')}`);
    }
  }

  /** Its arguments are for everybody on the machine to read, its environment for its user. */
  #takeProgram(call: TracedCall): void {
    if (call === this.#calls[0]) return;
    const [, path = '', argumentList = '', environment = ''] =
      /^("[^"]*"), \[(.*?)\], \[(.*)\]$/s.exec(call.args) ?? [];
    const program = textsOf(path)[0]?.toString() ?? '';
    const row = this.#places.programs.get(basename(program));
    if (row === undefined) this.#fault(`the program ${program} was started, which no row names`);
    const join = (list: string): Buffer => Buffer.concat(textsOf(list).flatMap((text) => [text, Buffer.from('\n')]));
    this.#sent.set(`arguments of ${program} in ${call.thread}`, { row: 'arguments', pieces: [join(argumentList)] });
    this.#sent.set(`environment of ${program} in ${call.thread}`, { row: row ?? unnamed, pieces: [join(environment)] });
  }

  #takeConnection({ args }: TracedCall): void {
    const address = addressIn(args);
    const number = Number(/^\d+/.exec(args)?.[0]);
    // AF_UNSPEC takes the address away again.
    if (address === undefined) this.#peers.delete(number);
    else this.#peers.set(number, address);
    if (address !== undefined && !this.#places.remotes.has(address)) {
      this.#fault(`a connection to ${address}, which no row names`);
    }
  }

  #takeBinding({ args }: TracedCall): void {
    const address = addressIn(args) ?? '';
    if (address === 'netlink' || address === this.#places.controlSocket) return;
    const port = Number(/:(\d+)$/.exec(address)?.[1]);
    // A port that the system chooses: a client.
    if (port !== 0 && !this.#places.listeners.has(port)) this.#fault(`it listens at ${address}, which no row names`);
  }

  #takeAccepted({ returned, remark }: TracedCall): void {
    const [, of] = /^<(.*)>$/s.exec(remark) ?? [];
    if (returned >= 0 && of !== undefined) this.#accepted.add(plain(of));
  }

  #takeSocket({ args }: TracedCall): void {
    if (!/^AF_(?:INET6?|UNIX|NETLINK), SOCK_(?:STREAM|DGRAM|RAW\|SOCK_CLOEXEC, NETLINK_ROUTE)/.test(args)) {
      this.#fault(`a socket of an unusual kind: ${args}`);
    }
  }

  /** What lies in a shared mapping of a file is written to it without a call. */
  #takeMapping({ args }: TracedCall): void {
    if (!/MAP_SHARED/.test(args) || !/PROT_WRITE/.test(args)) return;
    const of = plain(/MAP_SHARED\S*, \d+<(.*?)>, /s.exec(args)?.[1] ?? '');
    if (this.#fileRow(of) === undefined) this.#fault(`memory shared with ${of === '' ? 'others' : of}`);
    else this.#opened.add(of);
  }

  #takeSignal({ args }: TracedCall): void {
    const target = Math.abs(Number(/^-?\d+/.exec(args)?.[0]));
    if (!this.#children.has(target)) this.#fault(`a signal to ${target}, which is no child`);
  }

  #takeControl(args: string): void {
    const request = args.replace(/^-?\d+(?:<.*?>(?=, ))?, /s, '');
    if (!harmlessControls.test(request)) this.#fault(`a request of a device: ${request.slice(0, 80)}`);
  }
}

/** The table of what leaves, from the page: rows of the table whose first two columns are `id` and `may hold`. */
export function readEgressRows(page: string): EgressRow[] {
  const table = /^\| id \| may hold \|.*\n\|[-| ]+\n((?:\|.*\n)+)/m.exec(page)?.[1];
  if (table === undefined) throw new Error('the page has no table of what leaves');
  return table.trim().split('\n').map((line) => {
    const [, id = '', mayHold = ''] = line.split('|').map((cell) => cell.trim());
    return { id, mayHold: new Set([...mayHold.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)) };
  });
}
