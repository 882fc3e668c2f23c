/**
 * What the simulated hosts say above UDP and TCP: TLS 1.3 records (RFC 8446), QUIC version 1 packets (RFC 9000),
 * NTP (RFC 5905), SSDP. The framing is real, what would be encrypted is random bytes.
 */
import type { Random } from '#base';

/** Random bytes drawn once, from which payloads are cut: drawing each byte anew would cost more than all the rest. */
export class PayloadPool {
  readonly #bytes: Uint8Array;
  readonly #random: Random;

  /** @param random  of this pool alone */
  constructor(random: Random) {
    this.#random = random;
    const words = Uint32Array.from({ length: 1 << 14 }, () => random.uint32());
    this.#bytes = new Uint8Array(words.buffer);
  }

  /** Random bytes; read only, valid for ever. @param lengthBytes  at most 65,536 */
  take(lengthBytes: number): Uint8Array {
    const at = this.#random.integer(0, this.#bytes.length - lengthBytes);
    return this.#bytes.subarray(at, at + lengthBytes);
  }

  /** Four bytes drawn anew: no two datagrams of a flow are the same, as encryption would have it. */
  draw(): readonly number[] {
    const word = this.#random.uint32();
    return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];
  }

  /** Random bytes after a fixed beginning. */
  after(beginning: readonly number[], lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    bytes.set(this.take(lengthBytes));
    bytes.set(beginning);
    return bytes;
  }
}

const recordHandshake = 22;
const recordApplicationData = 23;
const recordHeaderBytes = 5;
const recordBytesMax = 16_384;

/** Application data in records (RFC 8446 §5.2). @param contentBytes  of all records without their headers */
export function buildTlsRecords(pool: PayloadPool, contentBytes: number): Uint8Array {
  const recordCount = Math.max(1, Math.ceil(contentBytes / recordBytesMax));
  const bytes = new Uint8Array(contentBytes + recordCount * recordHeaderBytes);
  let at = 0;
  for (let left = contentBytes; left > 0;) {
    const lengthBytes = Math.min(left, recordBytesMax);
    bytes.set([recordApplicationData, 3, 3, lengthBytes >> 8, lengthBytes & 255], at);
    bytes.set(pool.take(lengthBytes), at + recordHeaderBytes);
    at += recordHeaderBytes + lengthBytes;
    left -= lengthBytes;
  }
  return bytes;
}

/** The client's first record (RFC 8446 §4.1.2), with the server's name (RFC 6066 §3). */
export function buildTlsClientHello(pool: PayloadPool, serverName: string): Uint8Array {
  const name = ascii(serverName);
  const extensions = [
    ...extension(0, list16([0, ...list16([...name])])),
    ...extension(10, list16([0, 29, 0, 23])),
    ...extension(13, list16([4, 3, 8, 4, 4, 1])),
    ...extension(43, [2, 3, 4]),
    ...extension(51, list16([0, 29, ...list16([...pool.take(32)])])),
  ];
  return handshakeRecord(1, [
    3, 3, ...pool.take(32), 32, ...pool.take(32), ...list16([0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f]),
    1, 0, ...list16(extensions),
  ]);
}

/** The server's first record (RFC 8446 §4.1.3). @param hello  the client's first record; read only */
export function buildTlsServerHello(pool: PayloadPool, hello: Uint8Array): Uint8Array {
  const echoAt = recordHeaderBytes + 4 + 2 + 32;
  const echo = hello.subarray(echoAt, echoAt + 33);
  const extensions = [...extension(43, [3, 4]), ...extension(51, [0, 29, ...list16([...pool.take(32)])])];
  return handshakeRecord(2, [3, 3, ...pool.take(32), ...echo, 0x13, 1, 0, ...list16(extensions)]);
}

function handshakeRecord(type: number, body: readonly number[]): Uint8Array {
  const message = [type, 0, body.length >> 8, body.length & 255, ...body];
  return Uint8Array.from([recordHandshake, 3, type === 1 ? 1 : 3, message.length >> 8, message.length & 255,
    ...message]);
}

function extension(type: number, body: readonly number[]): number[] {
  return [type >> 8, type & 255, ...list16(body)];
}

function list16(bytes: readonly number[]): number[] {
  return [bytes.length >> 8, bytes.length & 255, ...bytes];
}

/** A datagram with a long header (RFC 9000 §17.2): type 0 is Initial, 2 is Handshake. */
export function buildQuicLong(pool: PayloadPool, type: 0 | 2, datagramBytes: number): Uint8Array {
  const tokenLength = type === 0 ? [0] : [];
  const header = [0xc0 | (type << 4), 0, 0, 0, 1, 8, ...pool.take(8), 8, ...pool.take(8), ...tokenLength];
  const restBytes = datagramBytes - header.length - 2;
  return pool.after([...header, 0x40 | (restBytes >> 8), restBytes & 255], datagramBytes);
}

/** A datagram with a short header (RFC 9000 §17.3), its packet number protected. */
export function buildQuicShort(pool: PayloadPool, datagramBytes: number): Uint8Array {
  return pool.after([0x40, ...pool.draw()], datagramBytes);
}

export const ntpPort = 123;
/** Seconds from the NTP era's beginning to the Unix epoch (RFC 5905 §6). */
const ntpEpochSeconds = 2_208_988_800;

/** An NTP packet (RFC 5905 §7.3). @param mode  3 client, 4 server */
export function buildNtp(mode: 3 | 4, timeMicroseconds: number): Uint8Array {
  const bytes = new Uint8Array(48);
  const view = new DataView(bytes.buffer);
  bytes[0] = (4 << 3) | mode;
  bytes[2] = 6;
  bytes[3] = 0xec;
  if (mode === 4) {
    bytes[1] = 2;
    putNtpTime(view, 16, timeMicroseconds - 5e6);
    putNtpTime(view, 24, timeMicroseconds);
    putNtpTime(view, 32, timeMicroseconds);
  }
  putNtpTime(view, 40, timeMicroseconds);
  return bytes;
}

function putNtpTime(view: DataView, at: number, timeMicroseconds: number): void {
  const seconds = Math.floor(timeMicroseconds / 1e6);
  view.setUint32(at, (seconds + ntpEpochSeconds) >>> 0);
  view.setUint32(at + 4, Math.floor(((timeMicroseconds - seconds * 1e6) / 1e6) * 0x1_0000_0000));
}

export const ssdpPort = 1900;

/** An SSDP search (UPnP Device Architecture 2.0 §1.3.2). */
export function buildSsdpSearch(target: string): Uint8Array {
  return ascii('M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\n' +
    `ST: ${target}\r\n\r\n`);
}

/** An SSDP announcement (UPnP Device Architecture 2.0 §1.2.2). */
export function buildSsdpNotify(location: string, target: string): Uint8Array {
  return ascii('NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800\r\n' +
    `LOCATION: ${location}\r\nNT: ${target}\r\nNTS: ssdp:alive\r\nUSN: uuid:simulated::${target}\r\n\r\n`);
}

/** Bytes of plain ASCII text. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
