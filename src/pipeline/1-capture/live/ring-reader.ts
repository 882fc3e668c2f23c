/** The reader's end of the ring: hands on datagrams where they lie, and gives their room back. */
import { assertInvariant, systemClock, type AddressWords } from '#base';
import { controlWord, recordHeaderBytes, recordWord, type RingMemory } from './datagram-ring.ts';
import type { DatagramReceiverParts } from './received-datagram.ts';

/** Datagrams after which the writer gets room back, and the clock is looked at. */
const stepDatagrams = 64;
/** Addresses that are known as objects; any other takes the place of one. A power of two. */
const addressMemoryEntries = 4_096;

export class RingReader {
  datagrams = 0;
  bytes = 0;
  readonly #memory: RingMemory;
  readonly #parts: DatagramReceiverParts;
  readonly #addresses: (AddressWords | undefined)[] = Array.from({ length: addressMemoryEntries });

  constructor(memory: RingMemory, parts: DatagramReceiverParts) {
    this.#memory = memory;
    this.#parts = parts;
  }

  /**
   * Hands on what is in the ring.
   *
   * @param turnMs    at most about so long
   * @param mayGoOn   asked before each datagram
   * @returns         whether there may be more
   */
  read(turnMs: number, mayGoOn: () => boolean): boolean {
    const { control, shape } = this.#memory;
    const startMs = systemClock.monotonicMs();
    // The thread knows the wall clock, the reader may live by another one.
    const offsetMs = this.#parts.nowMs() - systemClock.nowMs();
    let tail = Atomics.load(control, controlWord.tail);
    for (;;) {
      const head = Atomics.load(control, controlWord.head);
      for (let i = 0; i < stepDatagrams && tail !== head && mayGoOn(); i++) {
        const word = (this.#memory.ringAt + tail) >>> 2;
        const recordBytes = this.#memory.words[word] as number;
        if (recordBytes === 0) {
          tail = 0;
          continue;
        }
        assertInvariant(tail + recordBytes <= shape.ringBytes, 'a record of the ring lies within it');
        const next = tail + recordBytes === shape.ringBytes ? 0 : tail + recordBytes;
        try {
          this.#handOn(tail, word, offsetMs);
        } catch (thrown) {
          // The reader's own bug must not be met again by the same datagram.
          this.#giveBack(next);
          throw thrown;
        }
        tail = next;
      }
      this.#giveBack(tail);
      if (!mayGoOn() || tail === Atomics.load(control, controlWord.head)) return false;
      if (systemClock.monotonicMs() - startMs >= turnMs) return true;
    }
  }

  #giveBack(tail: number): void {
    const { control } = this.#memory;
    Atomics.store(control, controlWord.tail, tail);
    Atomics.add(control, controlWord.taken, 1);
    Atomics.notify(control, controlWord.taken);
  }

  #handOn(at: number, word: number, offsetMs: number): void {
    const { words, doubles, ringAt, buffer } = this.#memory;
    const dataBytes = words[word + recordWord.dataBytes] as number;
    const portAndSocket = words[word + recordWord.portAndSocket] as number;
    this.datagrams++;
    this.bytes += dataBytes;
    this.#parts.accept({
      bytes: new Uint8Array(buffer, ringAt + at + recordHeaderBytes, dataBytes),
      exporter: this.#addressAt(word + recordWord.address),
      receivedMs: (doubles[(word + recordWord.queuedMs) >>> 1] as number) + offsetMs,
      sourcePort: portAndSocket & 0xffff,
      socket: portAndSocket >>> 16,
      kernelDrops: doubles[(word + recordWord.kernelDrops) >>> 1] as number,
    });
  }

  #addressAt(word: number): AddressWords {
    const { words } = this.#memory;
    const a = words[word] as number;
    const b = words[word + 1] as number;
    const c = words[word + 2] as number;
    const d = words[word + 3] as number;
    const hash = Math.imul(a ^ Math.imul(b, 0x85eb_ca6b) ^ Math.imul(c, 0xc2b2_ae35) ^ d, 0x9e37_79b1) >>> 20;
    const known = this.#addresses[hash];
    if (known !== undefined && known[3] === d && known[2] === c && known[1] === b && known[0] === a) return known;
    return this.#addresses[hash] = [a, b, c, d];
  }
}
