/** Packets on their way into a trace: columns that grow, and numbers of the conversations that packets belong to. */

const firstRows = 1_024;

/** Packets in columns; only the first `count` rows of each are in use. */
export class TracePackets {
  count = 0;
  /** Unix epoch. */
  timeMs = new Float64Array(firstRows);
  ipId = new Uint16Array(firstRows);
  /** The IPv4 address as one word. */
  destination = new Uint32Array(firstRows);
  /** Code of the name asked for; 0 when the packet asks for none. */
  name = new Uint32Array(firstRows);
  /** What the packet belongs to, as whoever fills these says. */
  part = new Uint32Array(firstRows);

  add(timeMs: number, ipId: number, destination: number, name: number, part: number): void {
    const row = this.count++;
    if (row === this.timeMs.length) this.#grow();
    this.timeMs[row] = timeMs;
    this.ipId[row] = ipId;
    this.destination[row] = destination;
    this.name[row] = name;
    this.part[row] = part;
  }

  #grow(): void {
    const rows = 2 * this.timeMs.length;
    const { timeMs, ipId, destination, name, part } = this;
    (this.timeMs = new Float64Array(rows)).set(timeMs);
    (this.ipId = new Uint16Array(rows)).set(ipId);
    (this.destination = new Uint32Array(rows)).set(destination);
    (this.name = new Uint32Array(rows)).set(name);
    (this.part = new Uint32Array(rows)).set(part);
  }
}

/** Words of the key of a conversation's side: source, destination, ports, protocol. */
const keyWords = 4;

/**
 * Numbers of conversations of IPv4, one for each direction, from 0 in the order of first appearance. An open table over
 * words: a map of texts would take a text for each packet.
 */
export class ConversationNumbers {
  count = 0;
  #keys = new Uint32Array(keyWords * firstRows);
  /** Number + 1 by hash; 0 is free. */
  #slots = new Uint32Array(4 * firstRows);

  /** @param ports  as `flowPorts` gives them */
  numberOf(source: number, destination: number, ports: number, protocol: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashKey(source, destination, ports, protocol) & mask;
    for (;; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] as number) - 1;
      if (number < 0) return this.#enter(slot, source, destination, ports, protocol);
      const at = number * keyWords;
      if (this.#keys[at] === source && this.#keys[at + 1] === destination && this.#keys[at + 2] === ports &&
        this.#keys[at + 3] === protocol) return number;
    }
  }

  #enter(slot: number, source: number, destination: number, ports: number, protocol: number): number {
    const number = this.count++;
    const at = number * keyWords;
    if (at === this.#keys.length) {
      const keys = this.#keys;
      (this.#keys = new Uint32Array(2 * keys.length)).set(keys);
    }
    this.#keys[at] = source;
    this.#keys[at + 1] = destination;
    this.#keys[at + 2] = ports;
    this.#keys[at + 3] = protocol;
    this.#slots[slot] = this.count;
    if (this.count * 2 > this.#slots.length) this.#spread();
    return number;
  }

  /** Twice the slots: chains stay short. */
  #spread(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let number = 0; number < this.count; number++) {
      const [source, destination, ports, protocol] = this.#keys.subarray(number * keyWords, (number + 1) * keyWords) as
        unknown as [number, number, number, number];
      let slot = hashKey(source, destination, ports, protocol) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

/** Multiplies and shifts, so that each bit of the key moves the low bits that choose the slot. */
function hashKey(source: number, destination: number, ports: number, protocol: number): number {
  let hash = Math.imul(source, 0x9e3779b1) ^ Math.imul(destination, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ ports, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ protocol, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Rows in the order of their times; equal times keep their order.
 *
 * @param rows  sorted in place
 */
export function sortByTime(rows: Uint32Array, timeMs: Float64Array): Uint32Array {
  for (let i = 1; i < rows.length; i++) {
    if ((timeMs[rows[i - 1] as number] as number) <= (timeMs[rows[i] as number] as number)) continue;
    return rows.sort((a, b) => (timeMs[a] as number) - (timeMs[b] as number) || a - b);
  }
  return rows;
}
