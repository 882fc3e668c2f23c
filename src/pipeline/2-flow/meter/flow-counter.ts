/**
 * Counts packets into open flows: decides which flow a packet belongs to, begins and ends flows. The flow key is the
 * seven fields of Meidan et al. 2019 §5; interface and type of service are the initiator's, and a responder's packet
 * belongs to the newest flow of its conversation, whatever its own are.
 *
 * Everything is decided by the packets before and their times alone, never by how they were batched.
 */
import { tcpAck, tcpFin, tcpRst, tcpSyn, type Prefix } from '#base';
import type { FlowBatch } from '../flow-batch.ts';
import { flowPorts, hashConversation, sameAddresses } from './flow-key.ts';
import { appendFlowRow } from './flow-record.ts';
import * as table from './flow-table.ts';
import * as header from './header-slab.ts';
import type { HeaderSlab } from './header-slab.ts';
import { isFromInitiator } from './initiator.ts';
import { parameter, stateIdle, stateListing, stateNextExpiry, stateOctets, type MeterMemory } from './meter-memory.ts';

/** IANA "flowEndReason" (RFC 5102 §5.11.3). */
export const flowEndReason = { idle: 1, active: 2, endSeen: 3, forced: 4, lackOfResources: 5 } as const;

/**
 * A flow moves to the end of the list in order of the last packet when this time has passed since it did so before: the
 * order is exact to this time, and most packets leave the list alone.
 */
const listingMicrosecondsMax = 1e6;

export type FlowCounterOptions = {
  readonly activeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly lingerMs: number;
  readonly home: readonly Prefix[];
  readonly openFlowsMax: number;
};

export class FlowCounter {
  packetCount = 0;
  flowCount = 0;
  /** Flows ended because the table was full. */
  endedForRoomCount = 0;
  readonly #slab: HeaderSlab;
  readonly #home: readonly Prefix[];
  readonly #flows: table.FlowTable;
  readonly #out: FlowBatch;
  readonly #flush: () => void;
  readonly #activeMicroseconds: number;
  readonly #idleMicroseconds: number;
  readonly #lingerMicroseconds: number;
  readonly #listingMicroseconds: number;
  readonly #memory: MeterMemory;
  /** Shared with the kernel; the time before which no flow can be over is in it. */
  readonly #state: Float64Array;
  /** Whether the packet that `#find` was last asked for goes from initiator to responder. */
  #forward = true;

  /**
   * @param slab   headers of the packets to count
   * @param out    ended flows are appended here
   * @param flush  called when `out` is full; empties it
   */
  constructor(options: FlowCounterOptions, memory: MeterMemory, slab: HeaderSlab, out: FlowBatch, flush: () => void) {
    this.#memory = memory;
    this.#state = memory.state;
    this.#slab = slab;
    this.#home = options.home;
    this.#flows = new table.FlowTable(options.openFlowsMax, memory);
    this.#out = out;
    this.#flush = flush;
    this.#activeMicroseconds = options.activeTimeoutMs * 1000;
    this.#idleMicroseconds = options.idleTimeoutMs * 1000;
    this.#lingerMicroseconds = options.lingerMs * 1000;
    this.#listingMicroseconds = Math.min(listingMicrosecondsMax, this.#idleMicroseconds / 16);
    this.#state[stateNextExpiry] = -Infinity;
    this.#state[stateIdle] = this.#idleMicroseconds;
    this.#state[stateListing] = this.#listingMicroseconds;
    const { parameters } = memory;
    parameters[parameter.records] = this.#flows.words.byteOffset;
    parameters[parameter.heads] = this.#flows.heads.byteOffset;
    parameters[parameter.openList] = this.#flows.open.byteOffset;
  }

  /** IP length of the packets counted. */
  get octetCount(): number {
    return this.#state[stateOctets] as number;
  }

  /** Flows open now. */
  get openCount(): number {
    return this.#flows.count;
  }

  /**
   * Counts packets, in the order given: the usual ones in the kernel, the others here; without a kernel all are.
   *
   * @param slots  [slotCount] slots of the slab, in the kernel's list of ready slots; they are free afterwards
   */
  count(slots: Uint32Array, slotCount: number): void {
    const { kernel, parameters } = this.#memory;
    for (let i = 0; i < slotCount; i++) {
      if (kernel !== undefined) {
        parameters[parameter.headMask] = this.#flows.headMask;
        i = kernel.countPackets(i, slotCount);
        if (i === slotCount) break;
      }
      this.#countOne(slots[i] as number);
    }
    this.packetCount += slotCount;
  }

  /** Counts any packet. */
  #countOne(slot: number): void {
    const { words: headers, doubles: headerDoubles } = this.#slab;
    const { words, doubles } = this.#flows;
    const from = slot * header.headerWords;
    headers[from + header.hState] = header.slotFree;
    const time = headerDoubles[slot * header.headerDoubles + header.hTime] as number;
    if (time > (this.#state[stateNextExpiry] as number)) this.#expire(time);
    const ports = flowPorts(headers, from);
    const index = this.#find(slot, hashConversation(headers, from, ports), ports, time);
    const at = index * table.recordWords;
    const doubleAt = index * table.recordDoubles;
    const octets = headers[from + header.hOctets] as number;
    const flags = headers[from + header.hTcpFlags] as number;
    const seen = words[at + table.wSeen] as number;
    this.#state[stateOctets] = (this.#state[stateOctets] as number) + octets;
    if (time >= (doubles[doubleAt + table.dEnd] as number)) {
      doubles[doubleAt + table.dEnd] = time;
      doubles[doubleAt + table.dOver] =
        Math.min(time + this.#idleMicroseconds, doubles[doubleAt + table.dCut] as number);
    } else {
      this.#noteLate(index, time);
    }
    if (this.#forward) {
      doubles[doubleAt + table.dInitiatorOctets] = (doubles[doubleAt + table.dInitiatorOctets] as number) + octets;
      doubles[doubleAt + table.dInitiatorPackets] = (doubles[doubleAt + table.dInitiatorPackets] as number) + 1;
      if ((seen & table.seenInitiator) === 0) this.#noteInitiator(at, from);
      words[at + table.wSeen] = seen | table.seenInitiator | (flags << table.initiatorFlagsShift);
    } else {
      doubles[doubleAt + table.dResponderOctets] = (doubles[doubleAt + table.dResponderOctets] as number) + octets;
      doubles[doubleAt + table.dResponderPackets] = (doubles[doubleAt + table.dResponderPackets] as number) + 1;
      if ((seen & table.seenResponder) === 0) words[at + table.wReverseClass] =
        (headers[from + header.hInterfaceClass] as number) & 255;
      words[at + table.wSeen] = seen | table.seenResponder | (flags << table.responderFlagsShift);
    }
    if ((flags & (tcpFin | tcpRst)) !== 0) this.#closeIfOver(index, time, flags);
    else if (time - (doubles[doubleAt + table.dListed] as number) >= this.#listingMicroseconds) this.#list(index, time);
  }

  /** A packet from before the flow's last one. */
  #noteLate(index: number, time: number): void {
    const { doubles } = this.#flows;
    const at = index * table.recordDoubles;
    if (time >= (doubles[at + table.dStart] as number)) return;
    doubles[at + table.dStart] = time;
    if (doubles[at + table.dClosed] !== Infinity) return;
    const cut = time + this.#activeMicroseconds;
    doubles[at + table.dCut] = cut;
    if (cut < (doubles[at + table.dOver] as number)) doubles[at + table.dOver] = cut;
  }

  /** Keeps what only the initiator's first packet tells. */
  #noteInitiator(at: number, from: number): void {
    const { words } = this.#flows;
    const headers = this.#slab.words;
    words[at + table.wInterfaceClass] = headers[from + header.hInterfaceClass] as number;
    words[at + table.wIcmp] = headers[from + header.hIcmp] as number;
  }

  /** A flow with FIN both ways or RST goes on the list of those that wait for stray packets. */
  #closeIfOver(index: number, time: number, flags: number): void {
    const flows = this.#flows;
    const doubleAt = index * table.recordDoubles;
    if (flows.doubles[doubleAt + table.dClosed] !== Infinity) return;
    const seen = flows.words[index * table.recordWords + table.wSeen] as number;
    const isFinBothWays = ((seen >>> table.initiatorFlagsShift) & (seen >>> table.responderFlagsShift) & tcpFin) !== 0;
    if ((flags & tcpRst) === 0 && !isFinBothWays) {
      this.#list(index, time);
      return;
    }
    flows.doubles[doubleAt + table.dClosed] = time;
    flows.doubles[doubleAt + table.dCut] = flows.doubles[doubleAt + table.dOver] = -Infinity;
    flows.remove(flows.open, index);
    flows.append(flows.closed, index);
    this.#expireBy(time + this.#lingerMicroseconds);
  }

  /** Moves a flow that goes on to the end of its list. */
  #list(index: number, time: number): void {
    const flows = this.#flows;
    const doubleAt = index * table.recordDoubles;
    if (flows.doubles[doubleAt + table.dClosed] !== Infinity) return;
    flows.doubles[doubleAt + table.dListed] = time;
    flows.remove(flows.open, index);
    flows.append(flows.open, index);
  }

  /**
   * The flow of a packet: found, or begun. The record's direction for this packet is left in `#forward`.
   * Walks the chain once; a flow of the conversation that is over is ended on the way.
   */
  #find(slot: number, hash: number, ports: number, time: number): number {
    const flows = this.#flows;
    const headers = this.#slab.words;
    const from = slot * header.headerWords;
    const reversePorts = ((ports << 16) | (ports >>> 16)) >>> 0;
    const protocol = headers[from + header.hProtocol] as number;
    // 0: no flow of the conversation, 1: one with this packet's direction, 2: one with the opposite direction.
    let known = 0;
    let index = flows.heads[hash & flows.headMask] as number;
    while (index !== table.none) {
      const words = flows.words;
      const at = index * table.recordWords;
      const next = words[at + table.wChain] as number;
      if (words[at + table.wHash] === hash && words[at + table.wProtocol] === protocol) {
        let direction = 0;
        if (words[at + table.wPorts] === ports &&
          sameAddresses(words, at, headers, from + header.hSource, from + header.hDestination)) {
          direction = 1;
        } else if (words[at + table.wPorts] === reversePorts &&
          sameAddresses(words, at, headers, from + header.hDestination, from + header.hSource)) {
          direction = 2;
        }
        if (direction !== 0) {
          const over = this.#whyOver(index, slot, time);
          if (over !== 0) {
            // An active timeout cuts a conversation that goes on: its direction is kept.
            if (over === flowEndReason.active) known ||= direction;
            this.#endFlow(index, over);
          } else {
            known ||= direction;
            if (direction === 2 || this.#isOfInitiatorKey(index, slot)) {
              this.#forward = direction === 1;
              return index;
            }
          }
        }
      }
      index = next;
    }
    this.#forward = known === 0 ? isFromInitiator(this.#slab, slot, this.#home) : known === 1;
    return this.#begin(slot, hash, time, this.#forward ? ports : reversePorts, protocol);
  }

  /**
   * The flow-key fields that only the initiator's packets carry: interface and class of service. Stray packets after
   * the end of a flow are the kernel's, with a class of service of its own: they belong to the flow all the same.
   */
  #isOfInitiatorKey(index: number, slot: number): boolean {
    const { words } = this.#flows;
    const headers = this.#slab.words;
    const from = slot * header.headerWords;
    const at = index * table.recordWords;
    if (((words[at + table.wSeen] as number) & table.seenInitiator) === 0) return true;
    if (this.#flows.doubles[index * table.recordDoubles + table.dClosed] !== Infinity) return true;
    return words[at + table.wInterfaceClass] === headers[from + header.hInterfaceClass];
  }

  /** The reason why a flow cannot take this packet any more, or 0. */
  #whyOver(index: number, slot: number, time: number): number {
    const at = index * table.recordDoubles;
    const doubles = this.#flows.doubles;
    const closed = doubles[at + table.dClosed] as number;
    if (closed !== Infinity) {
      if (time - closed > this.#lingerMicroseconds || this.#isOpening(slot)) return flowEndReason.endSeen;
      return 0;
    }
    if (time - (doubles[at + table.dEnd] as number) > this.#idleMicroseconds) return flowEndReason.idle;
    if (time - (doubles[at + table.dStart] as number) > this.#activeMicroseconds) return flowEndReason.active;
    return 0;
  }

  #isOpening(slot: number): boolean {
    return ((this.#slab.words[slot * header.headerWords + header.hTcpFlags] as number) & (tcpSyn | tcpAck)) === tcpSyn;
  }

  #begin(slot: number, hash: number, time: number, ports: number, protocol: number): number {
    const flows = this.#flows;
    if (flows.isFull) {
      this.endedForRoomCount++;
      const oldest = flows.closed[table.oldest] !== table.none ? flows.closed[table.oldest] : flows.open[table.oldest];
      this.#endFlow(oldest, flowEndReason.lackOfResources);
    }
    const index = flows.allocate();
    const headers = this.#slab.words;
    const from = slot * header.headerWords;
    const words = flows.words;
    const at = index * table.recordWords;
    const source = from + (this.#forward ? header.hSource : header.hDestination);
    const destination = from + (this.#forward ? header.hDestination : header.hSource);
    for (let i = 0; i < 4; i++) {
      words[at + table.wSource + i] = headers[source + i] as number;
      words[at + table.wDestination + i] = headers[destination + i] as number;
    }
    this.#keepMacs(at, from);
    words[at + table.wPorts] = ports;
    words[at + table.wProtocol] = protocol;
    words[at + table.wInterfaceClass] =
      (headers[from + header.hInterfaceClass] as number) & (this.#forward ? 0xffffffff : 0xffffff00);
    words[at + table.wReverseClass] = 0;
    words[at + table.wSeen] = 0;
    words[at + table.wIcmp] = headers[from + header.hIcmp] as number;
    words[at + table.wVlan] = headers[from + header.hVlan] as number;
    const doubleAt = index * table.recordDoubles;
    const { doubles } = flows;
    doubles.fill(0, doubleAt, doubleAt + table.dListed);
    doubles[doubleAt + table.dStart] = doubles[doubleAt + table.dEnd] = time;
    doubles[doubleAt + table.dCut] = time + this.#activeMicroseconds;
    doubles[doubleAt + table.dClosed] = Infinity;
    flows.doubles[doubleAt + table.dListed] = time;
    flows.link(index, hash);
    flows.append(flows.open, index);
    this.#expireBy(time + this.#idleMicroseconds);
    return index;
  }

  /** Link addresses of the flow's two sides, from a packet of either. */
  #keepMacs(at: number, from: number): void {
    const { words } = this.#flows;
    const headers = this.#slab.words;
    const first = headers[from + header.hMacs] as number;
    const second = headers[from + header.hMacs + 1] as number;
    const sender = this.#forward ? table.wSourceMac : table.wDestinationMac;
    const receiver = this.#forward ? table.wDestinationMac : table.wSourceMac;
    words[at + receiver] = first >>> 16;
    words[at + receiver + 1] = ((first << 16) | (second >>> 16)) >>> 0;
    words[at + sender] = second & 0xffff;
    words[at + sender + 1] = headers[from + header.hMacs + 2] as number;
  }

  /** A flow may be over at this time. */
  #expireBy(time: number): void {
    this.#state[stateNextExpiry] = Math.min(this.#state[stateNextExpiry] as number, time);
  }

  /** Ends the flows that no packet at this time or later can belong to. */
  #expire(time: number): void {
    const flows = this.#flows;
    const closedBefore = time - this.#lingerMicroseconds;
    const idleBefore = time - this.#idleMicroseconds;
    let index = flows.closed[table.oldest];
    while (index !== table.none &&
      (flows.doubles[index * table.recordDoubles + table.dClosed] as number) < closedBefore) {
      this.#endFlow(index, flowEndReason.endSeen);
      index = flows.closed[table.oldest];
    }
    index = flows.open[table.oldest];
    while (index !== table.none && (flows.doubles[index * table.recordDoubles + table.dEnd] as number) < idleBefore) {
      this.#endFlow(index, flowEndReason.idle);
      index = flows.open[table.oldest];
    }
    const { closed, open } = flows;
    const nextClosed = closed[table.oldest] === table.none ? Infinity
      : (flows.doubles[closed[table.oldest] * table.recordDoubles + table.dClosed] as number) +
        this.#lingerMicroseconds;
    const nextIdle = open[table.oldest] === table.none ? Infinity
      : (flows.doubles[open[table.oldest] * table.recordDoubles + table.dEnd] as number) + this.#idleMicroseconds;
    this.#state[stateNextExpiry] = Math.min(nextClosed, nextIdle);
  }

  /** Ends the flows that no packet after this time can belong to, as a packet of this time would. */
  advance(timeMicroseconds: number): void {
    if (timeMicroseconds > (this.#state[stateNextExpiry] as number)) this.#expire(timeMicroseconds);
  }

  /** Ends all flows: those whose end was seen say so, the others were forced. The clock starts anew. */
  endAll(): void {
    const flows = this.#flows;
    while (flows.closed[table.oldest] !== table.none) this.#endFlow(flows.closed[table.oldest], flowEndReason.endSeen);
    while (flows.open[table.oldest] !== table.none) this.#endFlow(flows.open[table.oldest], flowEndReason.forced);
    this.#state[stateNextExpiry] = -Infinity;
  }

  #endFlow(index: number, reason: number): void {
    const flows = this.#flows;
    appendFlowRow(flows, index, reason, this.#out);
    flows.remove(flows.doubles[index * table.recordDoubles + table.dClosed] === Infinity ? flows.open : flows.closed,
      index);
    flows.release(index);
    this.flowCount++;
    if (this.#out.rowCount === this.#out.capacity) this.#flush();
  }
}
