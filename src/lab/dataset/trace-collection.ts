/**
 * Packets of labelled devices on their way into traces: kept while a capture is metered, given to the flows that they
 * went into when it is read, and to the rows of those flows when all captures are. It reads the names of DNS queries,
 * which is payload: for the lab alone.
 */
import { addressWords, assertInvariant, formatAddress, limits, mappedWord, OperatorError } from '#base';
import type { PacketBatch } from '#capture';
import {
  Dictionary, DnsQueryTap, flowPorts, hDestination, hIcmp, hIdentification, hInterfaceClass, hPorts, hProtocol,
  hSource, hState, hTime, headerDoubles, headerWords, isGlobalUnicast, isPrivate, slotLaterFragment, type FlowBatch,
  type HeaderSlab,
} from '#flow';
import { noFlow, type DeviceTrace, type TraceTexts } from '../baseline/device-trace.ts';
import type { DeviceTable } from '../inventory/inventory.ts';
import type { CollectedDevice } from './flow-collection.ts';
import { linkPackets, type TracedFlow } from './link-packets.ts';
import { ConversationNumbers, sortByTime, TracePackets } from './trace-packets.ts';
import { findSender, readSenders, type KnownSenders } from './trace-senders.ts';

export type TraceCounts = {
  /** Packets that the traces have, and how many of them ask for a name. */
  readonly packets: number;
  readonly queries: number;
  /** Packets that a device sent, and that no trace has. */
  readonly leftOut: {
    /** To the Internet, but in a flow that is none of its own: that the other side began. */
    readonly 'no-flow': number;
    /** Questions at home of devices that the data set has no flow of. */
    readonly 'silent-device': number;
    /** Of flows, or questions at home, that came twice, as when captures overlap. */
    readonly 'duplicate': number;
    /** Questions over IPv6, which has no identification. */
    readonly 'ipv6-query': number;
  };
  /** Packets to port 53 that are no whole query: cut by the snap length, or not DNS. */
  readonly unreadableQueries: number;
  /** Flows of captures of which fewer packets were found than they counted. */
  readonly incompleteFlows: number;
};

const dnsPort = 53;
/** Of a name without a label: the empty text says that a packet asks for nothing. */
const rootName = '.';
/** Number of conversation of questions at home; no flow has it. */
const noConversation = 0xffff_ffff;

/** Packets of one device, those of a capture behind those of the captures before. */
type DevicePackets = {
  readonly packets: TracePackets;
  /** First packet of each capture that has some of it, ascending. */
  readonly starts: number[];
};

/** What is known of the capture that is being read. */
type OpenSource = {
  readonly senders: KnownSenders;
  readonly conversations: ConversationNumbers;
  readonly packets: TracePackets;
  /** [packet] */
  interfaceClass: Uint32Array;
  /** Of questions at home, by packet: who asked. */
  readonly askers: Map<number, string>;
  readonly flows: TracedFlow[];
  /** [flow]: whose it is, and which of its flows. */
  readonly owners: { readonly device: string; readonly index: number }[];
};

export class TraceCollection {
  readonly #packetsMax: number;
  readonly #names: Dictionary;
  readonly #byDevice = new Map<string, DevicePackets>();
  /** What the tap read last. */
  readonly #query: { name: string | undefined } = { name: undefined };
  readonly #tap: DnsQueryTap;
  readonly #oneSlot = new Uint32Array(1);
  /** Header of a flow's packets, as far as `flowPorts` looks at it. */
  readonly #flowHeader = new Uint32Array(headerWords);
  #source: OpenSource | undefined;
  #heldCount = 0;
  #noFlowCount = 0;
  #duplicateCount = 0;
  #ipv6QueryCount = 0;
  #incompleteFlows = 0;
  #packetCount = 0;
  #queryCount = 0;
  /** Codes of the traces that were made, in the order of their first use. */
  readonly #usedNames = new TextCodes<number>();
  readonly #usedDestinations = new TextCodes<number>();

  constructor(packetsMax: number = limits.tracePacketsMax) {
    this.#packetsMax = packetsMax;
    // Each packet held may ask for another name: the dictionary must never be full.
    this.#names = new Dictionary(packetsMax + 3);
    this.#tap = new DnsQueryTap(({ name }) => {
      this.#query.name = name === '' ? rootName : name;
    });
  }

  /** Begins with a file. */
  beginSource(devices: DeviceTable): void {
    const packets = new TracePackets();
    this.#source = {
      senders: readSenders(devices), conversations: new ConversationNumbers(), packets, askers: new Map(), flows: [],
      interfaceClass: new Uint32Array(packets.timeMs.length), owners: [],
    };
  }

  /** Keeps the packets of devices, as the meter's observer; the batch is valid during the call only. */
  readonly observe = (packets: PacketBatch, headers: HeaderSlab, slots: Uint32Array, slotCount: number): void => {
    const source = this.#source;
    assertInvariant(source !== undefined, 'packets are observed of no source');
    for (let i = 0; i < slotCount; i++) {
      const slot = slots[i] as number;
      const at = slot * headerWords;
      const { words } = headers;
      const sender = findSender(source.senders, words, at);
      if (sender === undefined) continue;
      const isV4 = (words[at + hProtocol] as number) >>> 8 === 4;
      const isOutward = isV4 && isGlobalUnicast(words, at + hDestination);
      const name = this.#readName(packets, headers, slot);
      if (name !== undefined && !isV4) this.#ipv6QueryCount++;
      const isAskedAtHome = name !== undefined && isV4 && isPrivate(words, at + hDestination);
      if (isOutward || isAskedAtHome) this.#keep(source, headers, slot, name, isOutward ? undefined : sender);
    }
  };

  #readName(packets: PacketBatch, headers: HeaderSlab, slot: number): string | undefined {
    const at = slot * headerWords;
    if (((headers.words[at + hPorts] as number) & 0xffff) !== dnsPort) return undefined;
    if (headers.words[at + hState] === slotLaterFragment) return undefined;
    this.#query.name = undefined;
    this.#oneSlot[0] = slot;
    this.#tap.observe(packets, headers, this.#oneSlot, 1);
    return this.#query.name;
  }

  #keep(
    source: OpenSource, headers: HeaderSlab, slot: number, name: string | undefined, asker: string | undefined,
  ): void {
    if (this.#heldCount === this.#packetsMax) {
      throw new OperatorError('bad-option', `There are more than ${this.#packetsMax} packets for the traces of one ` +
        'data set: name fewer captures, or leave out --traces.');
    }
    this.#heldCount++;
    const { words, doubles } = headers;
    const at = slot * headerWords;
    const { packets, askers } = source;
    const row = packets.count;
    const from = words[at + hSource + 3] as number;
    const to = words[at + hDestination + 3] as number;
    const conversation = asker !== undefined ? noConversation : source.conversations.numberOf(from, to,
      flowPorts(words, at), (words[at + hProtocol] as number) & 255);
    packets.add((doubles[slot * headerDoubles + hTime] as number) / 1_000, words[at + hIdentification] as number, to,
      name === undefined ? 0 : this.#names.encode(name), conversation);
    if (row === source.interfaceClass.length) {
      const classes = source.interfaceClass;
      (source.interfaceClass = new Uint32Array(packets.timeMs.length)).set(classes);
    }
    source.interfaceClass[row] = words[at + hInterfaceClass] as number;
    if (asker !== undefined) askers.set(row, asker);
  }

  /**
   * Takes note of a flow that the data set keeps.
   *
   * @param index  which of the device's flows, counted from 0 as they were added
   */
  keepFlow(device: string, index: number, { columns }: FlowBatch, row: number): void {
    const source = this.#source;
    assertInvariant(source !== undefined, 'a flow is kept of no source');
    if (columns.ipVersion[row] !== 4) return;
    const protocol = columns.protocolIdentifier[row] as number;
    const header = this.#flowHeader;
    header[hProtocol] = (4 << 8) | protocol;
    header[hIcmp] = columns.icmpTypeCodeIPv4[row] as number;
    header[hPorts] = (((columns.sourceTransportPort[row] as number) << 16) |
      (columns.destinationTransportPort[row] as number)) >>> 0;
    const address = row * addressWords + 3;
    source.flows.push({
      conversation: source.conversations.numberOf(columns.sourceAddress[address] as number,
        columns.destinationAddress[address] as number, flowPorts(header, 0), protocol),
      interfaceClass: (((columns.ingressInterface[row] as number) << 8) | (columns.ipClassOfService[row] as number)) >>>
        0,
      startMs: columns.flowStartMilliseconds[row] as number, endMs: columns.flowEndMilliseconds[row] as number,
      packets: columns.initiatorPackets[row] as number,
    });
    source.owners.push({ device, index });
  }

  /** The file is read: its packets go to devices. Files of flows have none, and nothing is missing then. */
  endSource(is: 'capture' | 'flows'): void {
    const source = this.#source;
    assertInvariant(source !== undefined, 'a source ends that has not begun');
    this.#source = undefined;
    if (is === 'flows') return;
    const { packets, conversations, flows, owners, askers, interfaceClass } = source;
    const { count, timeMs, ipId, destination, name, part } = packets;
    const linked = linkPackets({ count, timeMs, conversation: part, interfaceClass }, flows, conversations.count);
    this.#incompleteFlows += linked.incompleteFlows;
    const begun = new Set<string>();
    for (let row = 0; row < count; row++) {
      const number = linked.flow[row] as number;
      const owner = number === noFlow ? undefined : owners[number];
      const device = owner?.device ?? askers.get(row);
      if (device === undefined) {
        this.#noFlowCount++;
        // A name that it asked for is still held.
        if (name[row] === 0) this.#heldCount--;
        continue;
      }
      let own = this.#byDevice.get(device);
      if (own === undefined) this.#byDevice.set(device, own = { packets: new TracePackets(), starts: [] });
      if (!begun.has(device)) own.starts.push(own.packets.count);
      begun.add(device);
      own.packets.add(timeMs[row] as number, ipId[row] as number, destination[row] as number, name[row] as number,
        owner?.index ?? noFlow);
    }
  }

  /** The trace of a device, once; traces of the same devices in the same order have the same codes. */
  finishTrace({ device: { device }, order }: CollectedDevice): DeviceTrace {
    const { packets, starts } = this.#byDevice.get(device) ?? { packets: new TracePackets(), starts: [] };
    this.#byDevice.delete(device);
    const rows = this.#chooseRows(packets, starts, order);
    const trace: DeviceTrace = {
      timeMs: Float64Array.from(rows, (row) => packets.timeMs[row] as number),
      ipId: Uint16Array.from(rows, (row) => packets.ipId[row] as number),
      destination: Uint32Array.from(rows, (row) => this.#usedDestinations.codeOf(packets.destination[row] as number)),
      name: Uint32Array.from(rows, (row) => {
        const name = packets.name[row] as number;
        return name === 0 ? 0 : this.#usedNames.codeOf(name);
      }),
      flow: Uint32Array.from(rows, (row) => packets.part[row] as number),
    };
    this.#packetCount += rows.length;
    this.#queryCount += trace.name.reduce((queries, name) => queries + Number(name > 0), 0);
    return trace;
  }

  /** Packets of rows of the device's flows, in order of time; `part` is the row then. */
  #chooseRows(packets: TracePackets, starts: readonly number[], order: Uint32Array): Uint32Array {
    const rowOf = new Uint32Array(order.reduce((most, index) => Math.max(most, index + 1), 0)).fill(noFlow);
    for (let row = 0; row < order.length; row++) rowOf[order[row] as number] = row;
    const all = sortByTime(Uint32Array.from({ length: packets.count }, (_, i) => i), packets.timeMs);
    // Questions at home of one time, with the first packet that asks each.
    const asked = new Map<string, number>();
    let askedMs = Number.NaN;
    return all.filter((packet) => {
      const index = packets.part[packet] as number;
      const row = index === noFlow ? noFlow : rowOf[index] ?? noFlow;
      packets.part[packet] = row;
      let isCopy = row === noFlow;
      if (index === noFlow) {
        if (packets.timeMs[packet] !== askedMs) asked.clear();
        askedMs = packets.timeMs[packet] as number;
        const query = `${packets.ipId[packet]} ${packets.destination[packet]} ${packets.name[packet]}`;
        const first = asked.get(query);
        // Two of one capture are two, as when a device asks for both kinds of addresses at once: the meter rejects what
        // one capture has twice.
        isCopy = first !== undefined && isOfEarlier(starts, first, packet);
        if (first === undefined) asked.set(query, packet);
      }
      this.#duplicateCount += Number(isCopy);
      return !isCopy;
    });
  }

  /** What the codes of the traces stand for; call it last. */
  texts(): TraceTexts {
    const words = new Uint32Array(addressWords);
    words[2] = mappedWord;
    return {
      destinations: ['', ...this.#usedDestinations.keys().map((address) => {
        words[3] = address;
        return formatAddress(words, 0);
      })],
      names: ['', ...this.#usedNames.keys().map((code) => this.#names.decode(code))],
    };
  }

  /** Counts, when all traces are made. */
  counts(): TraceCounts {
    return {
      packets: this.#packetCount, queries: this.#queryCount,
      leftOut: {
        'no-flow': this.#noFlowCount,
        'silent-device': [...this.#byDevice.values()].reduce((sum, { packets: { count } }) => sum + count, 0),
        'duplicate': this.#duplicateCount, 'ipv6-query': this.#ipv6QueryCount,
      },
      unreadableQueries: this.#tap.unreadableCount, incompleteFlows: this.#incompleteFlows,
    };
  }
}

/** Codes from 1 in the order of first use. */
class TextCodes<Key> {
  readonly #codes = new Map<Key, number>();

  codeOf(key: Key): number {
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    this.#codes.set(key, this.#codes.size + 1);
    return this.#codes.size;
  }

  keys(): Key[] {
    return [...this.#codes.keys()];
  }
}

/** Whether a packet is of an earlier capture than another. @param starts  first packet of each capture, ascending */
function isOfEarlier(starts: readonly number[], one: number, other: number): boolean {
  return starts.some((start) => one < start && start <= other);
}
