/** The door of the room: packets of captures, and bytes of any input. */
export { type ByteSource, type ByteSourceOptions, openByteSource } from './byte-source.ts';
export { type CaptureOptions, type CaptureReading, readCapture } from './capture-reader.ts';
export type { Compression } from './decompress.ts';
export { createPacketBatch, noLinkHeader, type PacketBatch } from './packet-batch.ts';
export { type CaptureKind, recogniseCapture } from './recognise.ts';
