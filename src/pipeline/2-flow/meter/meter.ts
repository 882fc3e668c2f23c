/**
 * The meter: packets in, biflows (RFC 5103) out, by the seven-field key of Meidan et al. 2019 §5: ingress interface,
 * source and destination address, IP protocol, source and destination port, type of service. Interface and type of
 * service are the initiator's; a responder's packet belongs to the newest flow of its conversation, whatever its own are.
 *
 * Which flow a packet belongs to depends on the packets before it and on their times alone, never on how they were
 * batched: a capture in two pieces gives the flows of the whole.
 */
import { assertInvariant, limits, type Prefix, type ProblemCode, type Counts } from '#base';
import type { PacketBatch } from '#capture';
import { createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import type { EmitFlows } from '../l7/namer.ts';
import { DuplicateMemory } from './duplicate-memory.ts';
import * as table from './flow-table.ts';
import { FragmentCache } from './fragment-cache.ts';
import { HeaderParser } from './header-parser.ts';
import { createHeaderSlab, type HeaderSlab } from './header-slab.ts';
import { isFromInitiator } from './initiator.ts';
import { ReorderWindow } from './reorder-window.ts';

/** IANA "flowEndReason" (RFC 5102 §5.11.3). */
export const flowEndReason = { idle: 1, active: 2, endSeen: 3, forced: 4, lackOfResources: 5 } as const;

export type MeterOptions = {
  readonly activeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** After FIN both ways or RST, how long stray packets of the conversation still belong to the flow. */
  readonly lingerMs: number;
  /** Prefixes of the home; empty: private addresses are the home. */
  readonly home: readonly Prefix[];
  readonly openFlowsMax: number;
  /** How late a packet may come and still be counted in order. */
  readonly reorderWindowMs: number;
  readonly reorderPacketsMax: number;
  /** Copies of a packet within this time are rejected as `duplicate`; 0 keeps them. */
  readonly duplicateWindowMs: number;
};

export const meterDefaults: MeterOptions = {
  activeTimeoutMs: 120_000,
  idleTimeoutMs: 60_000,
  lingerMs: 2_000,
  home: [],
  openFlowsMax: limits.openFlowsMax,
  reorderWindowMs: 1_000,
  reorderPacketsMax: limits.reorderPacketsMax,
  duplicateWindowMs: 5,
};

/** Called with the packets just read, before the flows that they belong to can end. */
export type ObservePackets = (packets: PacketBatch, headers: HeaderSlab, slots: Uint32Array, slotCount: number) => void;

export type MeterCounts = {
  readonly packets: number;
  readonly octets: number;
  readonly flows: number;
  readonly rejected: Counts<ProblemCode>;
  readonly latePackets: number;
  readonly clockSteps: number;
  readonly unresolvedFragments: number;
  /** Flows ended because the table was full. */
  readonly flowsEndedForRoom: number;
};

const tcpFin = 0x01;
const tcpSyn = 0x02;
const tcpRst = 0x04;
const tcpAck = 0x10;

export class Meter {
  readonly #options: MeterOptions;
  readonly #emit: EmitFlows;
  readonly #observe: ObservePackets | undefined;
  readonly #slab: HeaderSlab;
  readonly #freeSlots: Uint32Array;
  #freeCount: number;
  readonly #parsed: Uint32Array;
  readonly #parser: HeaderParser;
  readonly #window: ReorderWindow;
  readonly #flows: table.FlowTable;
  readonly #out: FlowBatch;
  readonly #activeMicroseconds: number;
  readonly #idleMicroseconds: number;
  readonly #lingerMicroseconds: number;
  #clock = -Infinity;
  #packetCount = 0;
  #octetCount = 0;
  #flowCount = 0;
  #endedForRoomCount = 0;

  /**
   * @param emit     receives ended flows; the batch is valid during the call only
   * @param observe  sees every metered packet once, in capture order
   */
  constructor(options: Partial<MeterOptions>, emit: EmitFlows, more: { observe?: ObservePackets; dictionaries?: Dictionaries } = {}) {
    this.#options = { ...meterDefaults, ...options };
    this.#emit = emit;
    this.#observe = more.observe;
    const { reorderPacketsMax, idleTimeoutMs, reorderWindowMs, duplicateWindowMs } = this.#options;
    const batchRows = limits.packetBatchRows;
    this.#freeCount = reorderPacketsMax + batchRows + 2;
    this.#slab = createHeaderSlab(this.#freeCount);
    this.#freeSlots = Uint32Array.from({ length: this.#freeCount }, (_, slot) => slot);
    this.#parsed = new Uint32Array(batchRows);
    this.#parser = new HeaderParser({
      slab: this.#slab,
      fragments: new FragmentCache(),
      duplicates: duplicateWindowMs > 0 ? new DuplicateMemory(duplicateWindowMs) : undefined,
    });
    this.#window = new ReorderWindow({
      windowMs: reorderWindowMs,
      packetsMax: reorderPacketsMax,
      stepMs: Math.max(idleTimeoutMs, reorderWindowMs),
    });
    this.#flows = new table.FlowTable(this.#options.openFlowsMax);
    this.#out = createFlowBatch(limits.flowBatchRows, more.dictionaries ?? createDictionaries());
    this.#activeMicroseconds = this.#options.activeTimeoutMs * 1000;
    this.#idleMicroseconds = idleTimeoutMs * 1000;
    this.#lingerMicroseconds = this.#options.lingerMs * 1000;
  }

  counts(): MeterCounts {
    return {
      packets: this.#packetCount,
      octets: this.#octetCount,
      flows: this.#flowCount,
      rejected: this.#parser.rejected,
      latePackets: this.#window.lateCount,
      clockSteps: this.#window.stepCount,
      unresolvedFragments: this.#parser.unresolvedFragmentCount,
      flowsEndedForRoom: this.#endedForRoomCount,
    };
  }

  /** Flows open now. */
  get openFlowCount(): number {
    return this.#flows.count;
  }

  /** Counts the packets of a batch; ended flows may be emitted during the call. */
  add(packets: PacketBatch): void {
    const batchRows = this.#parsed.length;
    for (let first = 0; first < packets.rowCount; first += batchRows) {
      this.#addRows(packets, first, Math.min(first + batchRows, packets.rowCount));
    }
  }

  /** Ends all flows (flowEndReason 4) and emits what is left. */
  end(): void {
    this.#drainWindow();
    this.#endAll();
    this.#flush();
    assertInvariant(this.#flows.count === 0, 'flows left in the table after the end');
  }

  #addRows(packets: PacketBatch, first: number, end: number): void {
    const parsed = this.#parsed;
    const count = this.#parser.parse(packets, first, end, this.#freeSlots, this.#freeCount, parsed);
    this.#freeCount -= count;
    this.#observe?.(packets, this.#slab, parsed, count);
    const times = this.#slab.timeMicroseconds;
    const window = this.#window;
    for (let i = 0; i < count; i++) {
      const slot = parsed[i] as number;
      if (window.isStep(times[slot] as number)) {
        this.#drainWindow();
        this.#endAll();
        window.restart();
      }
      window.push(slot, times);
      for (let ready = window.pop(times); ready !== -1; ready = window.pop(times)) {
        this.#count(ready);
        this.#freeSlots[this.#freeCount++] = ready;
      }
    }
  }

  #drainWindow(): void {
    const times = this.#slab.timeMicroseconds;
    for (let ready = this.#window.drain(times); ready !== -1; ready = this.#window.drain(times)) {
      this.#count(ready);
      this.#freeSlots[this.#freeCount++] = ready;
    }
  }

  /** Adds one packet to the flow that it belongs to, ending flows that its time shows to be over. */
  #count(slot: number): void {
    const slab = this.#slab;
    const time = slab.timeMicroseconds[slot] as number;
    if (time > this.#clock) {
      this.#clock = time;
      this.#expire();
    }
    const hash = hashConversation(slab, slot);
    const found = this.#find(slot, hash, time);
    this.#packetCount++;
    this.#octetCount += slab.octets[slot] as number;
    this.#update(found, slot, time);
  }

  /**
   * The flow of a packet: found, or begun. The record's direction for this packet is left in `#forward`.
   * Walks the chain once; a flow of the conversation that is over is ended on the way.
   */
  #find(slot: number, hash: number, time: number): number {
    const flows = this.#flows;
    const slab = this.#slab;
    const ports = flowPorts(slab, slot);
    const reversePorts = ((ports << 16) | (ports >>> 16)) >>> 0;
    const protocol = ((slab.ipVersion[slot] as number) << 8) | (slab.protocol[slot] as number);
    // 0: no flow of the conversation, 1: one with this packet's direction, 2: one with the opposite direction.
    let known = 0;
    let index = flows.heads[hash & (flows.heads.length - 1)] as number;
    while (index !== table.none) {
      const words = flows.words;
      const at = index * table.recordWords;
      const next = words[at + table.wChain] as number;
      if (words[at + table.wHash] === hash && words[at + table.wProtocol] === protocol) {
        let direction = 0;
        if (words[at + table.wPorts] === ports && sameAddresses(words, at, slab.sourceAddress, slab.destinationAddress, slot)) {
          direction = 1;
        } else if (words[at + table.wPorts] === reversePorts &&
          sameAddresses(words, at, slab.destinationAddress, slab.sourceAddress, slot)) {
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
    this.#forward = known === 0 ? isFromInitiator(slab, slot, this.#options.home) : known === 1;
    return this.#begin(slot, hash, time, this.#forward ? ports : reversePorts, protocol);
  }

  #forward = true;

  /**
   * The flow-key fields that only the initiator's packets carry: interface and class of service. Stray packets after the
   * end of a flow are the kernel's, with a class of service of its own: they belong to the flow all the same.
   */
  #isOfInitiatorKey(index: number, slot: number): boolean {
    const words = this.#flows.words;
    const at = index * table.recordWords;
    if (((words[at + table.wSeen] as number) & table.seenInitiator) === 0) return true;
    if (this.#flows.doubles[index * table.recordDoubles + table.dClosed] !== Infinity) return true;
    return (words[at + table.wClassOfService] as number) >>> 8 === this.#slab.classOfService[slot] &&
      words[at + table.wInterface] === this.#slab.interfaceIndex[slot];
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
    return this.#slab.protocol[slot] === 6 && ((this.#slab.tcpFlags[slot] as number) & (tcpSyn | tcpAck)) === tcpSyn;
  }

  #begin(slot: number, hash: number, time: number, ports: number, protocol: number): number {
    const flows = this.#flows;
    if (flows.isFull) {
      this.#endedForRoomCount++;
      const oldest = flows.closed.oldest !== table.none ? flows.closed.oldest : flows.open.oldest;
      this.#endFlow(oldest, flowEndReason.lackOfResources);
    }
    const index = flows.allocate();
    const slab = this.#slab;
    const words = flows.words;
    const at = index * table.recordWords;
    const source = this.#forward ? slab.sourceAddress : slab.destinationAddress;
    const destination = this.#forward ? slab.destinationAddress : slab.sourceAddress;
    for (let i = 0; i < 4; i++) {
      words[at + table.wSource + i] = source[slot * 4 + i] as number;
      words[at + table.wDestination + i] = destination[slot * 4 + i] as number;
    }
    const sourceMac = this.#forward ? slab.sourceMac : slab.destinationMac;
    const destinationMac = this.#forward ? slab.destinationMac : slab.sourceMac;
    for (let i = 0; i < 2; i++) {
      words[at + table.wSourceMac + i] = sourceMac[slot * 2 + i] as number;
      words[at + table.wDestinationMac + i] = destinationMac[slot * 2 + i] as number;
    }
    words[at + table.wPorts] = ports;
    words[at + table.wProtocol] = protocol;
    words[at + table.wInterface] = slab.interfaceIndex[slot] as number;
    words[at + table.wTcpFlags] = 0;
    words[at + table.wClassOfService] = 0;
    words[at + table.wSeen] = 0;
    words[at + table.wIcmp] = slab.icmpTypeCode[slot] as number;
    words[at + table.wVlan] = slab.vlanId[slot] as number;
    const doubleAt = index * table.recordDoubles;
    flows.doubles.fill(0, doubleAt, doubleAt + 6);
    flows.doubles[doubleAt + table.dStart] = time;
    flows.doubles[doubleAt + table.dEnd] = time;
    flows.doubles[doubleAt + table.dClosed] = Infinity;
    flows.link(index, hash);
    flows.append(flows.open, index);
    return index;
  }

  #update(index: number, slot: number, time: number): void {
    const flows = this.#flows;
    const slab = this.#slab;
    const words = flows.words;
    const doubles = flows.doubles;
    const at = index * table.recordWords;
    const doubleAt = index * table.recordDoubles;
    if (time < (doubles[doubleAt + table.dStart] as number)) doubles[doubleAt + table.dStart] = time;
    if (time > (doubles[doubleAt + table.dEnd] as number)) doubles[doubleAt + table.dEnd] = time;
    const flags = slab.tcpFlags[slot] as number;
    let seen = words[at + table.wSeen] as number;
    if (this.#forward) {
      doubles[doubleAt + table.dInitiatorOctets]! += slab.octets[slot] as number;
      doubles[doubleAt + table.dInitiatorPackets]! += 1;
      if ((seen & table.seenInitiator) === 0) {
        words[at + table.wClassOfService]! |= (slab.classOfService[slot] as number) << 8;
        words[at + table.wInterface] = slab.interfaceIndex[slot] as number;
        words[at + table.wIcmp] = slab.icmpTypeCode[slot] as number;
      }
      seen |= table.seenInitiator | ((flags & tcpFin) !== 0 ? table.seenInitiatorFin : 0);
      words[at + table.wTcpFlags]! |= flags << 16;
    } else {
      doubles[doubleAt + table.dResponderOctets]! += slab.octets[slot] as number;
      doubles[doubleAt + table.dResponderPackets]! += 1;
      if ((seen & table.seenResponder) === 0) words[at + table.wClassOfService]! |= slab.classOfService[slot] as number;
      seen |= table.seenResponder | ((flags & tcpFin) !== 0 ? table.seenResponderFin : 0);
      words[at + table.wTcpFlags]! |= flags;
    }
    if ((flags & tcpRst) !== 0) seen |= table.seenReset;
    words[at + table.wSeen] = seen;
    if (doubles[doubleAt + table.dClosed] !== Infinity) return;
    const bothFin = table.seenInitiatorFin | table.seenResponderFin;
    if ((seen & table.seenReset) !== 0 || (seen & bothFin) === bothFin) {
      doubles[doubleAt + table.dClosed] = time;
      flows.remove(flows.open, index);
      flows.append(flows.closed, index);
    } else if (flows.open.newest !== index) {
      flows.remove(flows.open, index);
      flows.append(flows.open, index);
    }
  }

  /** Ends the flows that no packet at or after the clock can belong to. */
  #expire(): void {
    const flows = this.#flows;
    const closedBefore = this.#clock - this.#lingerMicroseconds;
    const idleBefore = this.#clock - this.#idleMicroseconds;
    let index = flows.closed.oldest;
    while (index !== table.none && (flows.doubles[index * table.recordDoubles + table.dClosed] as number) < closedBefore) {
      this.#endFlow(index, flowEndReason.endSeen);
      index = flows.closed.oldest;
    }
    index = flows.open.oldest;
    while (index !== table.none && (flows.doubles[index * table.recordDoubles + table.dEnd] as number) < idleBefore) {
      this.#endFlow(index, flowEndReason.idle);
      index = flows.open.oldest;
    }
  }

  #endAll(): void {
    const flows = this.#flows;
    while (flows.closed.oldest !== table.none) this.#endFlow(flows.closed.oldest, flowEndReason.endSeen);
    while (flows.open.oldest !== table.none) this.#endFlow(flows.open.oldest, flowEndReason.forced);
    this.#clock = -Infinity;
  }

  /** Writes the record of a flow as a row and frees it. */
  #endFlow(index: number, reason: number): void {
    const flows = this.#flows;
    const out = this.#out;
    const columns = out.columns;
    const outRow = out.rowCount++;
    const words = flows.words;
    const at = index * table.recordWords;
    const doubles = flows.doubles;
    const doubleAt = index * table.recordDoubles;
    const version = (words[at + table.wProtocol] as number) >>> 8;
    const protocol = (words[at + table.wProtocol] as number) & 255;
    columns.flowStartMilliseconds[outRow] = Math.floor((doubles[doubleAt + table.dStart] as number) / 1000);
    columns.flowEndMilliseconds[outRow] = Math.floor((doubles[doubleAt + table.dEnd] as number) / 1000);
    columns.initiatorOctets[outRow] = doubles[doubleAt + table.dInitiatorOctets] as number;
    columns.responderOctets[outRow] = doubles[doubleAt + table.dResponderOctets] as number;
    columns.initiatorPackets[outRow] = doubles[doubleAt + table.dInitiatorPackets] as number;
    columns.responderPackets[outRow] = doubles[doubleAt + table.dResponderPackets] as number;
    columns.ipVersion[outRow] = version;
    columns.protocolIdentifier[outRow] = protocol;
    for (let i = 0; i < 4; i++) {
      columns.sourceAddress[outRow * 4 + i] = words[at + table.wSource + i] as number;
      columns.destinationAddress[outRow * 4 + i] = words[at + table.wDestination + i] as number;
    }
    const isIcmp = protocol === 1 || protocol === 58;
    const ports = isIcmp ? 0 : words[at + table.wPorts] as number;
    columns.sourceTransportPort[outRow] = ports >>> 16;
    columns.destinationTransportPort[outRow] = ports & 0xffff;
    columns.icmpTypeCodeIPv4[outRow] = protocol === 1 ? words[at + table.wIcmp] as number : 0;
    columns.icmpTypeCodeIPv6[outRow] = protocol === 58 ? words[at + table.wIcmp] as number : 0;
    columns.ipClassOfService[outRow] = (words[at + table.wClassOfService] as number) >>> 8;
    columns.reverseIpClassOfService[outRow] = (words[at + table.wClassOfService] as number) & 255;
    columns.tcpControlBits[outRow] = (words[at + table.wTcpFlags] as number) >>> 16;
    columns.reverseTcpControlBits[outRow] = (words[at + table.wTcpFlags] as number) & 0xffff;
    columns.flowEndReason[outRow] = reason;
    columns.ingressInterface[outRow] = words[at + table.wInterface] as number;
    columns.vlanId[outRow] = words[at + table.wVlan] as number;
    for (let i = 0; i < 2; i++) {
      columns.sourceMacAddress[outRow * 2 + i] = words[at + table.wSourceMac + i] as number;
      columns.destinationMacAddress[outRow * 2 + i] = words[at + table.wDestinationMac + i] as number;
    }
    flows.remove(doubles[doubleAt + table.dClosed] === Infinity ? flows.open : flows.closed, index);
    flows.release(index);
    this.#flowCount++;
    if (out.rowCount === out.capacity) this.#flush();
  }

  #flush(): void {
    if (this.#out.rowCount > 0) this.#emit(this.#out);
    this.#out.rowCount = 0;
  }
}

/** The same for both directions of a conversation. */
function hashConversation(slab: HeaderSlab, slot: number): number {
  const ports = flowPorts(slab, slot);
  let source = Math.imul(ports >>> 16, 0x9e3779b1);
  let destination = Math.imul(ports & 0xffff, 0x9e3779b1);
  const at = slot * 4;
  if (slab.ipVersion[slot] === 6) {
    for (let i = 0; i < 3; i++) {
      source = Math.imul(source ^ (slab.sourceAddress[at + i] as number), 0x85ebca6b);
      destination = Math.imul(destination ^ (slab.destinationAddress[at + i] as number), 0x85ebca6b);
      source ^= source >>> 15;
      destination ^= destination >>> 15;
    }
  }
  source = Math.imul(source ^ (slab.sourceAddress[at + 3] as number), 0xc2b2ae35);
  destination = Math.imul(destination ^ (slab.destinationAddress[at + 3] as number), 0xc2b2ae35);
  source ^= source >>> 16;
  destination ^= destination >>> 16;
  const sum = Math.imul((source + destination) ^ (slab.protocol[slot] as number), 0x27d4eb2f);
  return (sum ^ (sum >>> 15)) >>> 0;
}

/** Port half of the flow key; ICMP has its type and code there, a reply those of its request (RFC 792, RFC 4443 §4). */
function flowPorts(slab: HeaderSlab, slot: number): number {
  const protocol = slab.protocol[slot];
  if (protocol !== 1 && protocol !== 58) {
    return (((slab.sourcePort[slot] as number) << 16) | (slab.destinationPort[slot] as number)) >>> 0;
  }
  let typeCode = slab.icmpTypeCode[slot] as number;
  const type = typeCode >>> 8;
  if (protocol === 1 && type === 0) typeCode = (8 << 8) | (typeCode & 255);
  else if (protocol === 1 && (type === 14 || type === 16 || type === 18)) typeCode -= 256;
  else if (protocol === 58 && type === 129) typeCode -= 256;
  return ((typeCode << 16) | typeCode) >>> 0;
}

function sameAddresses(words: Uint32Array, at: number, source: Uint32Array, destination: Uint32Array, slot: number): boolean {
  const from = slot * 4;
  return words[at + table.wSource + 3] === source[from + 3] && words[at + table.wDestination + 3] === destination[from + 3] &&
    words[at + table.wSource + 2] === source[from + 2] && words[at + table.wDestination + 2] === destination[from + 2] &&
    words[at + table.wSource + 1] === source[from + 1] && words[at + table.wDestination + 1] === destination[from + 1] &&
    words[at + table.wSource] === source[from] && words[at + table.wDestination] === destination[from];
}
