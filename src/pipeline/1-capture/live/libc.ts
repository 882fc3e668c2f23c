/**
 * The few calls of the C library that Node has no door for: sockets of packets, many datagrams a call, shared maps.
 * Through koffi, declared so that a call allocates nothing: addresses and sizes are numbers (they fit in 2^53).
 * Linux on 64 bits, little-endian; whoever asks elsewhere is told what to use instead.
 */
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type Koffi from 'koffi';
import { describeError, EnvironmentError } from '#base';

/** Each returns -1 when it fails, and `errno` says why; see section 2 of the manual for all of them. */
export type Libc = {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly bind: (socket: number, address: Uint8Array, bytes: number) => number;
  /** @param bytes  [1] room on the way in, bytes written on the way out */
  readonly getsockname: (socket: number, address: Uint8Array, bytes: Uint32Array) => number;
  readonly close: (descriptor: number) => number;
  readonly setsockopt: (socket: number, level: number, name: number, value: Uint8Array, bytes: number) => number;
  /** @param bytes  [1] room on the way in, bytes written on the way out */
  readonly getsockopt: (socket: number, level: number, name: number, value: Uint8Array, bytes: Uint32Array) => number;
  /** @param descriptors  `struct pollfd`, 8 bytes each */
  readonly poll: (descriptors: Uint8Array, count: number, timeoutMs: number) => number;
  /** @param messages  address of `struct mmsghdr`s, 64 bytes each */
  readonly recvmmsg: (socket: number, messages: number, count: number, flags: number, timeout: number) => number;
  readonly sendmmsg: (socket: number, messages: number, count: number, flags: number) => number;
  /** @returns the address */
  readonly mmap: (address: number, bytes: number, protection: number, flags: number, descriptor: number,
    offset: number) => number;
  readonly munmap: (address: number, bytes: number) => number;
  readonly prctl: (option: number, second: number, third: number, fourth: number, fifth: number) => number;
  /** Rights of this thread alone; see capabilities(7). @param header  version and thread; @param sets  six words */
  readonly capset: (header: Uint32Array, sets: Uint32Array) => number;
  readonly fcntl: (descriptor: number, command: number, argument: number) => number;
  /** @param value  what the request reads and writes */
  readonly ioctl: (descriptor: number, request: number, value: Uint8Array) => number;
  readonly eventfd: (count: number, flags: number) => number;
  /**
   * `poll` on a thread of libuv, so that this one goes on.
   *
   * @param descriptors  address of `struct pollfd`s that stay where they are until it is done
   */
  readonly pollAside: (descriptors: number, count: number, timeoutMs: number, done: () => void) => void;
  /** Of the call before, on this thread. */
  readonly errno: () => number;
  /** The bytes at an address, as long as they are mapped. */
  readonly view: (address: number, bytes: number) => ArrayBuffer;
  /** Where the bytes of a view are; they must not move, so not a small typed array of V8's own heap. */
  readonly addressOf: (bytes: ArrayBufferView) => number;
};

let loaded: Libc | undefined;

/**
 * The C library, loaded when first asked for.
 *
 * @throws EnvironmentError  `no-native-calls`: no Linux of 64 bits, or koffi has no build for this machine
 */
export function loadLibc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch) || endianness() !== 'LE') {
    throw new EnvironmentError('no-native-calls',
      `packets and fast sockets need Linux on x64 or arm64, and this is ${process.platform} on ${process.arch}`);
  }
  let koffi: typeof Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof koffi;
  } catch (thrown) {
    throw new EnvironmentError('no-native-calls',
      `koffi, by which the C library is called, cannot be loaded: ${describeError(thrown)}`);
  }
  const library = koffi.load(null);
  const bind = (name: string, result: string, parameters: readonly string[]): never =>
    library.func(name, result, [...parameters]) as never;
  const pollAside = library.func('poll', 'int', ['int64', 'uint64', 'int']);
  return {
    socket: bind('socket', 'int', ['int', 'int', 'int']),
    bind: bind('bind', 'int', ['int', 'void *', 'uint32']),
    getsockname: bind('getsockname', 'int', ['int', 'void *', 'void *']),
    close: bind('close', 'int', ['int']),
    setsockopt: bind('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint32']),
    getsockopt: bind('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']),
    poll: bind('poll', 'int', ['void *', 'uint64', 'int']),
    recvmmsg: bind('recvmmsg', 'int', ['int', 'int64', 'uint32', 'int', 'int64']),
    sendmmsg: bind('sendmmsg', 'int', ['int', 'int64', 'uint32', 'int']),
    mmap: bind('mmap', 'int64', ['int64', 'uint64', 'int', 'int', 'int', 'int64']),
    munmap: bind('munmap', 'int', ['int64', 'uint64']),
    prctl: bind('prctl', 'int', ['int', 'uint64', 'uint64', 'uint64', 'uint64']),
    capset: bind('capset', 'int', ['void *', 'void *']),
    fcntl: bind('fcntl', 'int', ['int', 'int', 'int64']),
    ioctl: bind('ioctl', 'int', ['int', 'uint64', 'void *']),
    eventfd: bind('eventfd', 'int', ['uint32', 'int']),
    pollAside: (descriptors, count, timeoutMs, done) => pollAside.async(descriptors, count, timeoutMs, done),
    errno: () => koffi.errno(),
    view: (address, bytes) => koffi.view(BigInt(address), bytes),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}

/** The name of what went wrong in the call before, such as EPERM. */
export function errnoName(libc: Libc): string {
  return getSystemErrorName(-libc.errno());
}
