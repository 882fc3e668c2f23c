/**
 * The receiving thread's end of the ring. When that is full its writer waits, and the kernel keeps what it can: a
 * reader that is too slow loses datagrams there, at no cost. Only of a reader that stands still datagrams are dropped
 * here, and counted for their exporter's address.
 */
import { addressWords } from '#base';
import {
  controlWord, recordBytesOf, recordHeaderBytes, recordWord, totalAt, type RingMemory,
} from './datagram-ring.ts';

/** How long a reader may stand still that neither pauses nor was told to stop. */
const patienceMsDefault = 2_000;
/** An empty ring is begun anew once so much of it was used: what stays in the processor's caches is faster. */
const rewindBytes = 1 << 20;

export class RingWriter {
  /** Words of the address of the datagram that `write` is called for. */
  readonly address = new Uint32Array(addressWords);
  readonly #memory: RingMemory;
  readonly #patienceMs: number;
  #head: number;
  #tail: number;
  /** What the reader had taken when the writer waited for it in vain: until it takes more, datagrams are dropped. */
  #takenInVain: number | undefined;
  /** [hash]: entry of the table of drops by address and 1, or 0; linear probing, never more than half full. */
  readonly #dropIndex: Uint32Array;

  /** Goes on where another writer of this memory ended. */
  constructor(memory: RingMemory, patienceMs = patienceMsDefault) {
    this.#memory = memory;
    this.#patienceMs = patienceMs;
    this.#head = Atomics.load(memory.control, controlWord.head);
    this.#tail = Atomics.load(memory.control, controlWord.tail);
    this.#dropIndex = new Uint32Array(2 ** Math.ceil(Math.log2(memory.shape.dropAddresses * 2 + 2)));
    const count = Atomics.load(memory.control, controlWord.dropAddresses);
    for (let entry = 0; entry < count; entry++) {
      const at = entry * addressWords;
      this.address.set(memory.dropAddresses.subarray(at, at + addressWords));
      this.#dropIndex[this.#findDropSlot()] = entry + 1;
    }
  }

  /**
   * Puts a datagram, whose sender is in `address`, behind the others; the reader sees it after `publish`.
   *
   * @param at           of its bytes, in the memory
   * @param kernelDrops  of its socket
   */
  write(at: number, dataBytes: number, portAndSocket: number, queuedMs: number, kernelDrops: number): void {
    const recordBytes = recordBytesOf(dataBytes);
    let place = this.#findRoom(recordBytes);
    if (place < 0) {
      this.#tail = Atomics.load(this.#memory.control, controlWord.tail);
      place = this.#findRoom(recordBytes);
      if (place < 0) place = this.#waitForRoom(recordBytes);
      if (place < 0) {
        this.#countDrop();
        return;
      }
    }
    const { words, doubles, bytes, ringAt, shape, control } = this.#memory;
    if (place !== this.#head) words[(ringAt + this.#head) >>> 2] = 0;
    const recordAt = ringAt + place;
    const word = recordAt >>> 2;
    words[word] = recordBytes;
    words[word + recordWord.dataBytes] = dataBytes;
    words[word + recordWord.portAndSocket] = portAndSocket;
    words[word + recordWord.address] = this.address[0] as number;
    words[word + recordWord.address + 1] = this.address[1] as number;
    words[word + recordWord.address + 2] = this.address[2] as number;
    words[word + recordWord.address + 3] = this.address[3] as number;
    doubles[(word + recordWord.queuedMs) >>> 1] = queuedMs;
    const isDropping = Atomics.load(control, controlWord.dropAddresses) > 0;
    doubles[(word + recordWord.kernelDrops) >>> 1] = kernelDrops + (isDropping ? this.#dropsHere() : 0);
    bytes.copyWithin(recordAt + recordHeaderBytes, at, at + dataBytes);
    const next = place + recordBytes;
    this.#head = next === shape.ringBytes ? 0 : next;
  }

  /** Shows the reader what was written. */
  publish(): void {
    const { control, totals } = this.#memory;
    if (Atomics.load(control, controlWord.head) !== this.#head) {
      Atomics.store(control, controlWord.head, this.#head);
      const used = this.#memory.usedBytes();
      if (used > (totals[totalAt.ringBytesUsedMax] as number)) totals[totalAt.ringBytesUsedMax] = used;
    }
    this.#tail = Atomics.load(control, controlWord.tail);
  }

  /** Bytes that a reader does not know of because it sleeps; 0 when it is awake, and sees all by itself. */
  unknownBytes(): number {
    return Atomics.load(this.#memory.control, controlWord.readerAsleep) === 0 ? 0 : this.#memory.usedBytes();
  }

  /** Is the reader asleep with something to read? Then it is to be woken by whoever asked, and by nobody else. */
  takeWake(): boolean {
    return this.unknownBytes() > 0 && Atomics.exchange(this.#memory.control, controlWord.readerAsleep, 0) === 1;
  }

  /** Called while the writer waits for a reader that may not know of anything to read. */
  onWake: () => void = () => undefined;

  /** Where a record goes, or -1. The head must not reach the tail: then all would look empty. */
  #findRoom(recordBytes: number): number {
    const head = this.#head;
    const tail = this.#tail;
    if (head < tail) return head + recordBytes < tail ? head : -1;
    if (head === tail && head >= rewindBytes && recordBytes < tail) return 0;
    const end = head + recordBytes;
    const { ringBytes } = this.#memory.shape;
    if (end < ringBytes || (end === ringBytes && tail > 0)) return head;
    return recordBytes < tail ? 0 : -1;
  }

  /** Waits until the reader has read, for ever if it pauses or nothing may be lost any more. @returns -1: in vain */
  #waitForRoom(recordBytes: number): number {
    const { control, shape } = this.#memory;
    for (;;) {
      const taken = Atomics.load(control, controlWord.taken);
      this.publish();
      if (this.takeWake()) this.onWake();
      const place = this.#findRoom(recordBytes);
      // An empty ring without room for it never has room for it.
      const isTooLarge = recordBytes >= shape.ringBytes || this.#head === this.#tail;
      const isToWait = this.#isToWait();
      if (place >= 0 || isTooLarge || (taken === this.#takenInVain && !isToWait)) return place;
      const how = Atomics.wait(control, controlWord.taken, taken, this.#patienceMs);
      if (how === 'timed-out' && !isToWait) this.#takenInVain = taken;
    }
  }

  #isToWait(): boolean {
    const { control } = this.#memory;
    return Atomics.load(control, controlWord.paused) === 1 || Atomics.load(control, controlWord.stop) === 1;
  }

  #countDrop(): void {
    const { totals, addressDrops, dropAddresses, control, shape } = this.#memory;
    totals[totalAt.ringDrops] = (totals[totalAt.ringDrops] as number) + 1;
    const slot = this.#findDropSlot();
    let entry = (this.#dropIndex[slot] as number) - 1;
    if (entry < 0) {
      entry = Atomics.load(control, controlWord.dropAddresses);
      // The table is full: all further ones share an entry.
      if (entry < shape.dropAddresses) {
        this.#dropIndex[slot] = entry + 1;
        dropAddresses.set(this.address, entry * addressWords);
        Atomics.store(control, controlWord.dropAddresses, entry + 1);
      }
    }
    addressDrops[entry] = (addressDrops[entry] as number) + 1;
  }

  #dropsHere(): number {
    const { addressDrops, shape } = this.#memory;
    const entry = (this.#dropIndex[this.#findDropSlot()] as number) - 1;
    return addressDrops[entry < 0 ? shape.dropAddresses : entry] as number;
  }

  /** Where the entry of `address` stands in the index, or would. */
  #findDropSlot(): number {
    const index = this.#dropIndex;
    const { dropAddresses } = this.#memory;
    const { address } = this;
    const mask = index.length - 1;
    let hash = 0;
    for (let i = 0; i < addressWords; i++) hash = Math.imul(hash ^ (address[i] as number), 0x9e3779b1) ^ hash >>> 15;
    let slot = (hash ^ hash >>> 13) & mask;
    for (; (index[slot] as number) > 0; slot = slot + 1 & mask) {
      const at = ((index[slot] as number) - 1) * addressWords;
      if (dropAddresses[at + 3] === address[3] && dropAddresses[at + 2] === address[2] &&
        dropAddresses[at + 1] === address[1] && dropAddresses[at] === address[0]) break;
    }
    return slot;
  }
}
