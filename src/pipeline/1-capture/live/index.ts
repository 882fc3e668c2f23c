/** The second door of the room: packets and datagrams off the network by calls that Node has no door for (koffi). */
export { DatagramReceiver } from './datagram-receiver.ts';
export { findInterfaceHome } from './interfaces.ts';
export { errnoName, loadLibc, type Libc } from './libc.ts';
export { type InterfaceState, LiveCapture, type LiveCaptureCounts } from './live-capture.ts';
export {
  type LiveCaptureOptions, liveCaptureDefaults, openPacketSocket, type PacketSocketHandle,
} from './packet-socket.ts';
export type {
  DatagramReceiverOptions, DatagramReceiverParts, ReceivedDatagram, ReceiverCounts, ReceiverSocket,
} from './received-datagram.ts';
export { encodeSocketAddress } from './udp-socket.ts';
