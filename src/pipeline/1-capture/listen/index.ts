/** The door to what listens for exporters with Node's own sockets, and says who may send. */
export { ExporterGate } from './exporter-gate.ts';
export { readKernelDrops } from './kernel-drops.ts';
export { isOnlyIPv6, type ListenAddress } from './listen-address.ts';
export { describeListenFailure, formatPlace } from './listen-failure.ts';
export {
  type ConnectionEnd, type TcpCounts, TcpListener, type TcpListenerOptions, type TcpPlace, type TlsIdentity,
  type TlsPeer,
} from './tcp-listener.ts';
export {
  describeSmallBuffer, type ListenerParts, type ListeningSocket, type UdpCounts, UdpListener, type UdpListenerOptions,
  type UdpListenerParts,
} from './udp-listener.ts';
