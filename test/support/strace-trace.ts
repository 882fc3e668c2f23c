/**
 * Reads what strace writes: `-ff -ttt -yy -xx -v -s LARGE`, one file for each thread. Gives the calls of all threads
 * in the order in which they began, with the process that each belongs to and the program that this one runs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type TracedCall = {
  readonly timeMs: number;
  readonly thread: number;
  /** Program that the process runs; undefined: the traced one itself. */
  readonly program: string | undefined;
  readonly name: string;
  /** As strace has them, without the brackets; texts are `"\x2e…"`. */
  readonly args: string;
  /** NaN: it did not return. */
  readonly returned: number;
  /** What stands behind the number: `ENOENT (No such file or directory)`, or what a descriptor is of. */
  readonly remark: string;
};

/** Calls that bring no bytes out and change nothing but the process itself: strace is told to leave them out. */
export const untraced: readonly string[] = [
  'read', 'pread64', 'readv', 'preadv', 'preadv2', 'recvfrom', 'recvmsg', 'recvmmsg', 'futex', 'epoll_wait',
  'epoll_pwait', 'epoll_pwait2', 'epoll_ctl', 'madvise', 'mprotect', 'munmap', 'brk', 'clock_gettime', 'gettimeofday',
  'rt_sigprocmask', 'rt_sigaction', 'sched_yield', 'getpid', 'gettid', 'fstat', 'newfstatat', 'statx', 'lseek',
];

/** Arguments of strace, before the program. @param prefix  of the files; those of threads end in their number */
export function straceArguments(prefix: string): string[] {
  return [
    '-ff', '--seccomp-bpf', '-ttt', '-yy', '-xx', '-v', '-s', '4194304', '-o', prefix,
    // Rings of requests could not be looked into; without them libuv makes ordinary calls.
    '-e', 'inject=io_uring_setup:error=ENOSYS', '-e', `trace=!${untraced.join(',')}`,
  ];
}

/** All calls of a trace. @throws Error  a line is not what strace writes, or a text is cut */
export function readTrace(folder: string, name: string): TracedCall[] {
  const files = readdirSync(folder).filter((file) => file.startsWith(`${name}.`));
  const threads = files.map((file) => ({
    thread: Number(file.slice(name.length + 1)), text: readFileSync(join(folder, file), 'latin1'),
  }));
  return orderCalls(threads);
}

/** The same from texts; for doctored traces. */
export function orderCalls(threads: readonly { readonly thread: number; readonly text: string }[]): TracedCall[] {
  const calls = threads.flatMap(({ thread, text }) => text.split('\n').flatMap((line) => {
    const call = readLine(thread, line);
    return call === undefined ? [] : [call];
  })).sort((a, b) => a.timeMs - b.timeMs);
  // Who is begun by whom, and what it runs: a thread or child runs what its parent does until it says otherwise.
  const programs = new Map<number, string | undefined>();
  return calls.map((call) => {
    if (!programs.has(call.thread)) programs.set(call.thread, undefined);
    const program = programs.get(call.thread);
    if (/^(?:clone3?|v?fork)$/.test(call.name) && call.returned > 0) programs.set(call.returned, program);
    const isFirst = call === calls[0];
    if (call.name === 'execve' && call.returned === 0 && !isFirst) {
      programs.set(call.thread, textsOf(call.args)[0]?.toString() ?? '');
    }
    return { ...call, program };
  });
}

const shape = /^(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+|\?)(.*)$/s;

function readLine(thread: number, line: string): TracedCall | undefined {
  if (line === '' || /^\d+\.\d+ (?:---|\+\+\+) /.test(line)) return undefined;
  const [, time, name, args, returned, remark] = shape.exec(line) ?? [];
  if (name === undefined || args === undefined) {
    // Only the end of a process keeps a call from returning.
    const cut = /^(\d+\.\d+) (\w+)\((.*?)(?: <unfinished \.\.\.>|\)\s+= \?)$/s.exec(line);
    if (cut === null) throw new Error(`this is no line of strace: ${line.slice(0, 200)}`);
    return { timeMs: Number(cut[1]) * 1_000, thread, program: undefined, name: cut[2] as string,
      args: cut[3] as string, returned: Number.NaN, remark: '' };
  }
  // Names of threads are cut by the kernel, too.
  if (name !== 'prctl' && /"\.\.\./.test(args)) throw new Error(`strace cut a text of ${name}: ${args.slice(0, 200)}`);
  return { timeMs: Number(time) * 1_000, thread, program: undefined, name, args,
    returned: returned === '?' ? Number.NaN : Number(returned), remark: (remark ?? '').trim() };
}

const quoted = /"((?:\\x[0-9a-f]{2})*)"/g;

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}

/** Texts among arguments, in their order. */
export function textsOf(args: string): Buffer[] {
  return [...args.matchAll(quoted)].map(([, hex = '']) => bytesOf(hex));
}

/** What the descriptor is of that a call names first: a path, `pipe:[7]`, `TCP:[…->…]`; undefined: it names none. */
export function descriptorOf(args: string): { readonly number: number; readonly of: string } | undefined {
  const [, number, of] = /^(-?\d+)<(.*?)>(?:\(deleted\))?(?=[,)\]} ]|$)/s.exec(args) ?? [];
  return number === undefined || of === undefined ? undefined : { number: Number(number), of: plain(of) };
}

/** The text without the hexadecimal digits that stand for characters. */
export function plain(text: string): string {
  return text.replaceAll(/(?:\\x[0-9a-f]{2})+/g, (hex) => bytesOf(hex).toString());
}

/** Bytes that a writing call handed over, cut to what was taken; with the address of a datagram where it has one. */
export function writtenBy({ name, args, returned }: TracedCall): readonly Written[] {
  if (name === 'sendmmsg') {
    const messages = args.split('{msg_hdr=').slice(1).map(readMessage);
    return Number.isNaN(returned) ? messages : messages.slice(0, Math.max(0, returned));
  }
  const message = name === 'sendmsg' ? readMessage(args)
    : name.startsWith('writev') || name.startsWith('pwritev') ? { bytes: joinVectors(args), to: undefined }
      : { bytes: textsOf(args)[0] ?? Buffer.alloc(0), to: name === 'sendto' ? addressIn(args) : undefined };
  // What was not taken may have been: who was killed within a call does not know.
  if (returned < 0) return [];
  return [Number.isNaN(returned) ? message : { ...message, bytes: message.bytes.subarray(0, returned) }];
}

export type Written = { readonly bytes: Buffer; readonly to: string | undefined };

function readMessage(args: string): Written {
  return { bytes: joinVectors(args), to: addressIn(args) };
}

function joinVectors(args: string): Buffer {
  return Buffer.concat([...args.matchAll(/iov_base="((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) => bytesOf(hex)));
}

/** `127.0.0.1:53`, `[::1]:53`, `netlink`, or the path of a socket; undefined: no address. */
export function addressIn(args: string): string | undefined {
  const [, family] = /sa_family=AF_(\w+)/.exec(args) ?? [];
  if (family === 'NETLINK') return 'netlink';
  if (family === 'UNIX') return textsOf(/sun_path=(@?"[^"]*")/.exec(args)?.[1] ?? '')[0]?.toString() ?? '';
  const port = /sin6?_port=htons\((\d+)\)/.exec(args)?.[1];
  const address = textsOf(/inet_(?:addr|pton)\([^"]*("[^"]*")/.exec(args)?.[1] ?? '')[0]?.toString();
  if (port === undefined || address === undefined) return undefined;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
