/** The door of the room: packets of captures, and bytes of any input. */
export { type ByteSource, type ByteSourceOptions, openByteSource } from './byte-source.ts';
export { type CaptureOptions, type CaptureReading, readCapture } from './capture-reader.ts';
export type { Compression } from './decompress.ts';
export { createPacketBatch, noLinkHeader, type PacketBatch } from './packet-batch.ts';
export { type CaptureKind, recogniseCapture } from './recognise.ts';
export {
  customaryExportPorts, type ExportDatagram, ExportDatagramFinder, type ExportFileKind, fileDatagram,
  IpfixMessageSplitter, recogniseExports,
} from './export-datagrams.ts';
export { NetflowSplitter } from './netflow-splitter.ts';
export {
  type ConnectTcp, TcpSender, type TcpMessage, type TcpSenderCounts, type TcpSenderOptions,
} from './tcp-sender.ts';
export { type CreateSocket, UdpSender, type UdpSenderOptions } from './udp-sender.ts';
export { encodePcapHeader, PcapChunk, type PcapFrame } from './pcap-writer.ts';
