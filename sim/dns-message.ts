/**
 * Builds DNS messages (RFC 1035 §4; AAAA RFC 3596; multicast DNS RFC 6762). Answers point back to the question's name
 * by compression, as resolvers do. Names are plain ASCII and valid: they are the simulator's own.
 */
import { assertInvariant } from '#base';

export const dnsPort = 53;
export const typeA = 1;
export const typePtr = 12;
export const typeAaaa = 28;
const typeCname = 5;
const classInternet = 1;

const headerBytes = 12;
/** Offset of the question's name, as a compression pointer (§4.1.4). */
const pointerToQuestion = 0xc000 | headerBytes;
const datagramBytesMax = 512;

export type DnsQuestion = { readonly id: number; readonly name: string; readonly type: number };
export type DnsAnswer = {
  /** The addresses, each 4 bytes (A) or 16 (AAAA), in the question's type. May be empty. */
  readonly addresses: readonly Uint8Array[];
  /** A name between the asked one and the addresses, or undefined. */
  readonly alias: string | undefined;
  readonly ttlSeconds: number;
};

/** A query with recursion desired. */
export function buildDnsQuery(question: DnsQuestion): Uint8Array {
  const message = new MessageWriter();
  message.header(question.id, 0x0100, 1, 0);
  message.question(question);
  return message.bytes();
}

/** The response to a query; without addresses and alias it says "no data". */
export function buildDnsResponse(question: DnsQuestion, answer: DnsAnswer): Uint8Array {
  const message = new MessageWriter();
  const aliasCount = answer.alias === undefined ? 0 : 1;
  message.header(question.id, 0x8180, 1, aliasCount + answer.addresses.length);
  message.question(question);
  let owner = pointerToQuestion;
  if (answer.alias !== undefined) {
    const target = encodeName(answer.alias);
    owner = 0xc000 | message.record(owner, typeCname, answer.ttlSeconds, target);
  }
  for (const address of answer.addresses) message.record(owner, question.type, answer.ttlSeconds, address);
  return message.bytes();
}

/** A multicast query for instances of a service, `_hap._tcp.local` (RFC 6762 §5.1: id 0, no flags). */
export function buildMulticastQuery(name: string): Uint8Array {
  const message = new MessageWriter();
  message.header(0, 0, 1, 0);
  message.question({ id: 0, name, type: typePtr });
  return message.bytes();
}

/**
 * A multicast announcement that `service` has an instance (RFC 6762 §6: an authoritative response without question).
 */
export function buildMulticastAnnouncement(service: string, instance: string, ttlSeconds: number): Uint8Array {
  const message = new MessageWriter();
  message.header(0, 0x8400, 0, 1);
  message.named(service, typePtr, ttlSeconds, encodeName(instance));
  return message.bytes();
}

class MessageWriter {
  readonly #bytes = new Uint8Array(datagramBytesMax);
  #at = 0;

  header(id: number, flags: number, questionCount: number, answerCount: number): void {
    for (const word of [id, flags, questionCount, answerCount, 0, 0]) this.#put16(word);
  }

  question(question: DnsQuestion): void {
    this.#put(encodeName(question.name));
    this.#put16(question.type);
    this.#put16(classInternet);
  }

  /** A record whose owner is a compression pointer. @returns offset of its data */
  record(owner: number, type: number, ttlSeconds: number, data: Uint8Array): number {
    this.#put16(owner);
    return this.#rest(type, ttlSeconds, data);
  }

  /** A record whose owner is written out. @returns offset of its data */
  named(name: string, type: number, ttlSeconds: number, data: Uint8Array): number {
    this.#put(encodeName(name));
    return this.#rest(type, ttlSeconds, data);
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #rest(type: number, ttlSeconds: number, data: Uint8Array): number {
    this.#put16(type);
    this.#put16(classInternet);
    this.#put16(ttlSeconds >>> 16);
    this.#put16(ttlSeconds & 0xffff);
    this.#put16(data.length);
    const dataAt = this.#at;
    this.#put(data);
    return dataAt;
  }

  #put16(value: number): void {
    assertInvariant(this.#at + 2 <= datagramBytesMax, 'DNS message is longer than a datagram may be');
    this.#bytes[this.#at++] = value >>> 8;
    this.#bytes[this.#at++] = value;
  }

  #put(bytes: Uint8Array): void {
    assertInvariant(this.#at + bytes.length <= datagramBytesMax, 'DNS message is longer than a datagram may be');
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

/** Labels of a name, each with its length before it, and the empty label at the end (§3.1). */
function encodeName(name: string): Uint8Array {
  const labels = name.split('.');
  const bytes = new Uint8Array(name.length + 2);
  let at = 0;
  for (const label of labels) {
    assertInvariant(label.length > 0 && label.length < 64, `DNS label of a wrong length in ${name}`);
    bytes[at++] = label.length;
    for (let i = 0; i < label.length; i++) bytes[at++] = label.charCodeAt(i);
  }
  return bytes;
}
