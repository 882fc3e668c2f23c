/**
 * The table of open flows: hash chains over one block of memory, one record of 176 bytes a flow (the arrays are the
 * table: no objects, nothing for the garbage collector), and two lists in order of the last packet.
 * It knows layout, chains and lists; which packet belongs to which flow is decided in `meter.ts`.
 */
import type { MeterMemory } from './meter-memory.ts';


/** 32-bit words of a record, and doubles (the first ten double places hold the `d…` fields). */
export const recordWords = 44;
export const recordDoubles = 22;

export const dStart = 0;
export const dEnd = 1;
/** Time after which no packet can join: the earlier of end + idle timeout and `dCut`. */
export const dOver = 2;
/** Start + active timeout; -Infinity once the end of the flow was seen. */
export const dCut = 3;
export const dInitiatorOctets = 4;
export const dResponderOctets = 5;
export const dInitiatorPackets = 6;
export const dResponderPackets = 7;
/** Time at which the record was last put at the end of its age list. */
export const dListed = 8;
/** Time at which the end of the flow was seen (FIN both ways, RST), or Infinity. */
export const dClosed = 9;

export const wSource = 20;
export const wDestination = 24;
/** Initiator's port · 65536 + responder's; for ICMP the type and code in both halves. */
export const wPorts = 28;
/** IP version · 256 + protocol. */
export const wProtocol = 29;
/** Interface · 256 + class of service, of the initiator's packets. */
export const wInterfaceClass = 30;
/** `seen…` bits, the initiator's TCP flags · 16, the responder's · 65536. */
export const wSeen = 31;
export const wReverseClass = 32;
export const wHash = 33;
export const wChain = 34;
export const wOlder = 35;
export const wNewer = 36;
export const wIcmp = 37;
export const wVlan = 38;
export const wSourceMac = 39;
export const wDestinationMac = 41;

export const seenInitiator = 1;
export const seenResponder = 2;
export const initiatorFlagsShift = 4;
export const responderFlagsShift = 16;
export const tcpFlagsMask = 0xfff;

/** No record. */
export const none = 0xffffffff;

/** A list in order of the last packet: indices of its oldest and its newest record. */
export type AgeList = Uint32Array;
export const oldest = 0;
export const newest = 1;

/** Hash chains at the beginning; doubled whenever there are more than half as many flows. */
const bucketsMin = 8_192;

export class FlowTable {
  /** The records, as words and as doubles over the same memory. */
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  /** Chain heads by hash; the first `headMask + 1` are in use. */
  readonly heads: Uint32Array;
  headMask: number;
  /** Flows that go on, and flows whose end was seen and that wait for stray packets. */
  readonly open: AgeList;
  readonly closed: AgeList;
  count = 0;
  readonly #flowsMax: number;
  #freeChain: number = none;
  #used = 0;

  /** Bytes that a table takes from the memory. */
  static bytes(flowsMax: number): number {
    return flowsMax * recordWords * 4 + bucketsMax(flowsMax) * 4 + 256;
  }

  /** @param flowsMax at least 1 */
  constructor(flowsMax: number, memory: MeterMemory) {
    this.#flowsMax = flowsMax;
    this.words = memory.words(flowsMax * recordWords);
    this.doubles = new Float64Array(memory.buffer, this.words.byteOffset, flowsMax * recordDoubles);
    this.heads = memory.words(bucketsMax(flowsMax));
    this.headMask = Math.min(bucketsMin, this.heads.length) - 1;
    this.heads.fill(none, 0, this.headMask + 1);
    this.open = memory.words(2).fill(none);
    this.closed = memory.words(2).fill(none);
  }

  get isFull(): boolean {
    return this.count >= this.#flowsMax;
  }

  /** Index of a new record, its content undefined. The table must not be full. */
  allocate(): number {
    this.count++;
    if (this.count * 2 > this.headMask + 1 && this.headMask + 1 < this.heads.length) this.#doubleHeads();
    if (this.#freeChain === none) return this.#used++;
    const index = this.#freeChain;
    this.#freeChain = this.words[index * recordWords + wChain] as number;
    return index;
  }

  /** Puts a record at the head of its hash chain: the newest flow of a conversation is found first. */
  link(index: number, hash: number): void {
    const at = index * recordWords;
    const bucket = hash & this.headMask;
    this.words[at + wHash] = hash;
    this.words[at + wChain] = this.heads[bucket] as number;
    this.heads[bucket] = index;
  }

  /** Takes a record out of its chain and gives its memory back; it must be out of its age list. */
  release(index: number): void {
    const words = this.words;
    const at = index * recordWords;
    const bucket = (words[at + wHash] as number) & this.headMask;
    let previous: number = none;
    let walker = this.heads[bucket] as number;
    while (walker !== index) {
      previous = walker;
      walker = words[walker * recordWords + wChain] as number;
    }
    const next = words[at + wChain] as number;
    if (previous === none) this.heads[bucket] = next;
    else words[previous * recordWords + wChain] = next;
    words[at + wChain] = this.#freeChain;
    this.#freeChain = index;
    this.count--;
  }

  /** Appends a record as the newest of a list. */
  append(list: AgeList, index: number): void {
    const at = index * recordWords;
    const last = list[newest] as number;
    this.words[at + wOlder] = last;
    this.words[at + wNewer] = none;
    if (last === none) list[oldest] = index;
    else this.words[last * recordWords + wNewer] = index;
    list[newest] = index;
  }

  /** Takes a record out of the list that it is in. */
  remove(list: AgeList, index: number): void {
    const at = index * recordWords;
    const older = this.words[at + wOlder] as number;
    const newer = this.words[at + wNewer] as number;
    if (older === none) list[oldest] = newer;
    else this.words[older * recordWords + wNewer] = newer;
    if (newer === none) list[newest] = older;
    else this.words[newer * recordWords + wOlder] = older;
  }

  /** Splits every chain in two by the next bit of the hash; the order within a chain is kept. */
  #doubleHeads(): void {
    const { words, heads } = this;
    const size = this.headMask + 1;
    for (let bucket = 0; bucket < size; bucket++) {
      const tails: [number, number] = [none, none];
      const firsts: [number, number] = [none, none];
      for (let index = heads[bucket] as number; index !== none; index = words[index * recordWords + wChain] as number) {
        const side = ((words[index * recordWords + wHash] as number) & size) === 0 ? 0 : 1;
        if (tails[side] === none) firsts[side] = index;
        else words[tails[side] * recordWords + wChain] = index;
        tails[side] = index;
      }
      for (const tail of tails) if (tail !== none) words[tail * recordWords + wChain] = none;
      heads[bucket] = firsts[0];
      heads[bucket + size] = firsts[1];
    }
    this.headMask = size * 2 - 1;
  }
}

/** A power of two, at least twice the flows: short chains. */
function bucketsMax(flowsMax: number): number {
  let count = 16;
  while (count < flowsMax * 2) count *= 2;
  return count;
}
