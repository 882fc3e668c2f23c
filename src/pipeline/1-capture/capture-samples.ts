/**
 * Captures and frames made byte by byte, for the tests of this room only: nothing else may import this file.
 * Written from the documents, not from the parsers, so that both do not share a mistake.
 */
import type { ByteSource } from './byte-source.ts';
import type { CaptureReading } from './capture-reader.ts';
import type { PacketBatch } from './packet-batch.ts';

/** Bytes of hexadecimal text; blanks are for the eye. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Numbers of 1, 2 or 4 bytes in one byte order. */
export function numbers(
  isLittleEndian: boolean, ...fields: readonly (readonly [bytes: 1 | 2 | 4, value: number])[]
): Uint8Array {
  const buffer = Buffer.alloc(fields.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of fields) {
    if (isLittleEndian) buffer.writeUIntLE(value, at, bytes);
    else buffer.writeUIntBE(value, at, bytes);
    at += bytes;
  }
  return new Uint8Array(buffer);
}

/** 10.0.0.1:53 → 10.0.0.2:53, UDP, four bytes of payload. */
export const packetIPv4 = hex('45000020 00010000 4011 66ca 0a000001 0a000002 0035 0035 000c 0000 01020304');
/** The same over IPv6. */
export const packetIPv6 = hex(
  `60000000 000c 11 40 ${'20010db8'.padEnd(31, '0')}1 ${'20010db8'.padEnd(31, '0')}2 0035 0035 000c 0000 01020304`,
);
export const macPair = hex('020000000002 020000000001');

/** An Ethernet frame. @param etherType hexadecimal, with whatever lies between it and the packet */
export function ethernet(etherType: string, packet: Uint8Array): Uint8Array {
  return concat(macPair, hex(etherType), packet);
}

export const frameIPv4 = ethernet('0800', packetIPv4);
export const frameIPv6 = ethernet('86dd', packetIPv6);
export const frameArp = ethernet('0806', hex('0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002'));

export type SampleFrame = {
  readonly seconds: number;
  /** In the file's own unit. */
  readonly fraction: number;
  readonly bytes: Uint8Array;
};

export type PcapForm = {
  readonly isLittleEndian: boolean;
  readonly magic?: number;
  /** All 32 bits of the field. */
  readonly linkType?: number;
  readonly snapLengthBytes?: number;
  readonly minorVersion?: number;
};

export function pcapHeader(form: PcapForm): Uint8Array {
  return numbers(form.isLittleEndian, [4, form.magic ?? 0xa1b2c3d4], [2, 2], [2, form.minorVersion ?? 4],
    [4, 0], [4, 0], [4, form.snapLengthBytes ?? 65_535], [4, form.linkType ?? 1]);
}

export function pcapRecord(form: PcapForm, frame: SampleFrame): Uint8Array {
  const length = frame.bytes.length;
  const header = numbers(form.isLittleEndian, [4, frame.seconds], [4, frame.fraction], [4, length], [4, length]);
  // The patched format: interface index, protocol, packet type, padding.
  const more = form.magic === 0xa1b2cd34 ? numbers(form.isLittleEndian, [4, 7], [2, 0x0800], [1, 0], [1, 0]) : hex('');
  return concat(header, more, frame.bytes);
}

export function pcapFile(form: PcapForm, frames: readonly SampleFrame[]): Uint8Array {
  return concat(pcapHeader(form), ...frames.map((frame) => pcapRecord(form, frame)));
}

function padded(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4));
}

/** Any pcapng block. */
export function block(isLittleEndian: boolean, type: number, body: Uint8Array): Uint8Array {
  const whole = padded(body);
  const length = numbers(isLittleEndian, [4, whole.length + 12]);
  return concat(numbers(isLittleEndian, [4, type]), length, whole, length);
}

export function sectionBlock(isLittleEndian: boolean): Uint8Array {
  return block(isLittleEndian, 0x0a0d0d0a,
    numbers(isLittleEndian, [4, 0x1a2b3c4d], [2, 1], [2, 0], [4, 0xffffffff], [4, 0xffffffff]));
}

export type InterfaceForm = {
  readonly linkType?: number;
  readonly snapLengthBytes?: number;
  readonly resolution?: number;
  readonly offsetSeconds?: bigint;
};

export function interfaceBlock(isLittleEndian: boolean, form: InterfaceForm = {}): Uint8Array {
  const options: Uint8Array[] = [
    // if_name: an option that is passed over, with padding.
    numbers(isLittleEndian, [2, 2], [2, 5]), padded(new TextEncoder().encode('wlan0')),
  ];
  if (form.resolution !== undefined) {
    options.push(numbers(isLittleEndian, [2, 9], [2, 1]), padded(new Uint8Array([form.resolution])));
  }
  if (form.offsetSeconds !== undefined) {
    const value = Buffer.alloc(8);
    if (isLittleEndian) value.writeBigInt64LE(form.offsetSeconds);
    else value.writeBigInt64BE(form.offsetSeconds);
    options.push(numbers(isLittleEndian, [2, 14], [2, 8]), new Uint8Array(value));
  }
  return block(isLittleEndian, 1, concat(
    numbers(isLittleEndian, [2, form.linkType ?? 1], [2, 0], [4, form.snapLengthBytes ?? 0]),
    ...options, numbers(isLittleEndian, [2, 0], [2, 0]),
  ));
}

/** An enhanced packet block. @param ticks time in the interface's unit */
export function packetBlock(
  isLittleEndian: boolean, interfaceId: number, ticks: bigint, frame: Uint8Array,
): Uint8Array {
  return block(isLittleEndian, 6, concat(numbers(isLittleEndian,
    [4, interfaceId], [4, Number(ticks >> 32n)], [4, Number(ticks & 0xffffffffn)], [4, frame.length], [4, frame.length],
  ), padded(frame)));
}

/** A source over bytes in memory. @param pieceBytes how many bytes each read gives, in turn */
export function memorySource(bytes: Uint8Array, pieceBytes: readonly number[] = [Infinity]): ByteSource {
  let at = 0;
  let turn = 0;
  return {
    path: 'memory',
    compression: 'none',
    head: bytes.slice(0, 64),
    sizeBytes: bytes.length,
    get readBytes() {
      return at;
    },
    problem: undefined,
    async read(target, from) {
      const piece = pieceBytes[turn++ % pieceBytes.length];
      const end = Math.min(at + Math.min(piece, target.length - from), bytes.length);
      target.set(bytes.subarray(at, end), from);
      const count = end - at;
      at = end;
      return count;
    },
    async *chunks() {
      yield bytes;
    },
    async close() {},
  };
}

/** A row of a batch, copied. */
export type SampleRow = {
  readonly microseconds: number;
  readonly version: number;
  readonly packet: string;
  readonly macs: string;
  readonly vlanId: number;
  readonly interfaceIndex: number;
};

/** All rows of a capture. */
export async function readRows(reading: CaptureReading): Promise<SampleRow[]> {
  const rows: SampleRow[] = [];
  for await (const batch of reading.batches()) rows.push(...copyRows(batch));
  return rows;
}

/** The rows of a batch. */
export function copyRows(batch: PacketBatch): SampleRow[] {
  return Array.from({ length: batch.rowCount }, (_, row) => {
    const at = batch.networkOffset[row];
    const link = batch.linkOffset[row];
    return {
      microseconds: batch.timeMicroseconds[row],
      version: batch.ipVersion[row],
      packet: Buffer.from(batch.data.subarray(at, at + batch.networkBytes[row])).toString('hex'),
      macs: link === 0xffffffff ? '' : Buffer.from(batch.data.subarray(link, link + 12)).toString('hex'),
      vlanId: batch.vlanId[row],
      interfaceIndex: batch.interfaceIndex[row],
    };
  });
}
