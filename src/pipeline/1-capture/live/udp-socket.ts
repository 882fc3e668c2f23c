/** Sockets for datagrams by calls of the C library: where they listen, and what else Node does not let one ask for. */
import { parseAddress } from '#base';
import { isOnlyIPv6, type ListenAddress } from '../listen/listen-address.ts';
import { describeListenFailure } from '../listen/listen-failure.ts';
import { errnoName, type Libc } from './libc.ts';
import type { ReceiverSocket } from './received-datagram.ts';

/** socket(2), ip(7), ipv6(7), socket(7); the same on x64 and arm64. */
const inet = { AF_INET: 2, AF_INET6: 10, SOCK_DGRAM: 2, SOCK_CLOEXEC: 0o2000000, IPPROTO_IPV6: 41, IPV6_V6ONLY: 26 };
export const socketOption = {
  SOL_SOCKET: 1, SO_RCVBUF: 8, SO_RCVBUFFORCE: 33, SO_RXQ_OVFL: 40, SO_MEMINFO: 55,
} as const;
/** `SK_MEMINFO_DROPS`, the last of nine numbers. */
const memoryInfo = { numbers: 9, dropsAt: 8 };
/** The kernel takes no more, and doubles it. */
const bufferBytesMax = 2 ** 30 - 1;

/** @property place  of the options, and of the kernel once it is bound */
export type UdpSocket = { readonly descriptor: number; readonly place: ReceiverSocket };

/**
 * Opens a socket, which nothing comes to yet.
 *
 * @param all  every place that is listened at
 * @throws EnvironmentError  `network`: this machine has no such kind of address
 */
export function openUdpSocket(
  libc: Libc, listen: ListenAddress, all: readonly ListenAddress[], askedBytes: number,
): UdpSocket {
  const isV6 = listen.address.includes(':');
  const descriptor = libc.socket(isV6 ? inet.AF_INET6 : inet.AF_INET, inet.SOCK_DGRAM | inet.SOCK_CLOEXEC, 0);
  try {
    check(libc, descriptor, listen);
    if (isV6) setOption(libc, descriptor, inet.IPPROTO_IPV6, inet.IPV6_V6ONLY, isOnlyIPv6(listen, all) ? 1 : 0);
    askForBuffer(libc, descriptor, askedBytes);
    setOption(libc, descriptor, socketOption.SOL_SOCKET, socketOption.SO_RXQ_OVFL, 1);
    const [doubled = 0] = readOption(libc, descriptor, socketOption.SO_RCVBUF, 1);
    // Linux tells twice of it, for it counts its own bookkeeping in (socket(7)).
    const receiveBufferBytes = doubled / 2;
    return { descriptor, place: { address: listen.address, port: listen.port, receiveBufferBytes, askedBytes } };
  } catch (thrown) {
    if (descriptor >= 0) libc.close(descriptor);
    throw thrown;
  }
}

/**
 * Binds a socket: from now on datagrams come.
 *
 * @throws EnvironmentError  `network`: the port is in use or not permitted, the address is not this machine's
 */
export function bindUdpSocket(libc: Libc, { descriptor, place }: UdpSocket): UdpSocket {
  const address = encodeSocketAddress(place.address, place.port);
  const listen = { ...place, transport: 'udp' } as const;
  check(libc, libc.bind(descriptor, address, address.length), listen);
  check(libc, libc.getsockname(descriptor, address, new Uint32Array([address.length])), listen);
  return { descriptor, place: { ...place, port: (address[2] as number) << 8 | (address[3] as number) } };
}

/** Datagrams that the kernel dropped of a socket since it was opened, modulo 2^32; undefined: it does not tell. */
export function readSocketDrops(libc: Libc, descriptor: number): number | undefined {
  return readOption(libc, descriptor, socketOption.SO_MEMINFO, memoryInfo.numbers)[memoryInfo.dropsAt];
}

/** `struct sockaddr_in` or `sockaddr_in6`. @param address  as text */
export function encodeSocketAddress(address: string, port: number): Uint8Array {
  const words = parseAddress(address) ?? [0, 0, 0, 0];
  const isV6 = address.includes(':');
  const bytes = new Uint8Array(isV6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isV6 ? inet.AF_INET6 : inet.AF_INET, true);
  view.setUint16(2, port);
  if (isV6) words.forEach((word, i) => view.setUint32(8 + i * 4, word));
  else view.setUint32(4, words[3]);
  return bytes;
}

/** Without CAP_NET_ADMIN the kernel grants up to net.core.rmem_max. What it gives is asked for afterwards. */
function askForBuffer(libc: Libc, descriptor: number, bytes: number): void {
  const asked = Math.min(bytes, bufferBytesMax);
  const { SOL_SOCKET, SO_RCVBUFFORCE, SO_RCVBUF } = socketOption;
  if (setOption(libc, descriptor, SOL_SOCKET, SO_RCVBUFFORCE, asked) < 0) {
    setOption(libc, descriptor, SOL_SOCKET, SO_RCVBUF, asked);
  }
}

function setOption(libc: Libc, descriptor: number, level: number, name: number, value: number): number {
  return libc.setsockopt(descriptor, level, name, new Uint8Array(Int32Array.of(value).buffer), 4);
}

function readOption(libc: Libc, descriptor: number, name: number, numbers: number): Uint32Array {
  const value = new Uint32Array(numbers);
  const bytes = new Uint32Array([numbers * 4]);
  const got = libc.getsockopt(descriptor, socketOption.SOL_SOCKET, name, new Uint8Array(value.buffer), bytes);
  return got < 0 ? new Uint32Array(0) : value;
}

function check(libc: Libc, result: number, listen: ListenAddress): void {
  if (result >= 0) return;
  const code = errnoName(libc);
  throw describeListenFailure(listen, Object.assign(new Error(code), { code }));
}
