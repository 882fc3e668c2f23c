/**
 * The pairer: one-way flow records in, biflows (RFC 5103) out. For exporters that send two records per conversation, as
 * those of NetFlow v5, v9 and IPFIX without biflow support do. Decides by the records and their times alone, never by
 * how they were batched or by the machine's clock; adds and loses no packet (docs/flow-records.md, "Pairing").
 */
import { assertInvariant, limits, type Prefix } from '#base';
import { createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import type { EmitFlows } from '../l7/namer.ts';
import {
  compareConversation, conversationPorts, hashConversation, isWithItself, oppositeDirection, stranger,
} from './conversation-key.ts';
import { Conversation, nobody } from './conversation.ts';
import { ExportClocks } from './export-clocks.ts';
import {
  addReverse, addSlice, endOf, initiatorOfRecord, isInitiator, sideInside, startOf, turnRound,
} from './join-records.ts';
import * as record from './record-layout.ts';
import { WaitingTable } from './waiting-table.ts';

export type FlowPairerOptions = {
  /** Prefixes of the home; empty: private addresses are the home. */
  readonly home: readonly Prefix[];
  /** Longest gap between two records that still are the two directions of one biflow. */
  readonly pairWindowMs: number;
  /** How long a record waits for its partner after it came. */
  readonly pairWaitMs: number;
  /**
   * What records wait by. `flows`: each exporter's latest flow end; right for records in about the order of their ends.
   * `told`: the time given to `advance`, which must be called as time goes by, and before the first rows.
   */
  readonly clock: 'flows' | 'told';
  /** A record that ends so far before the exporter's latest says that the exporter's clock stepped back. */
  readonly clockStepMs: number;
  readonly unpairedRecordsMax: number;
  /** At least 1. */
  readonly unpairedOfConversationMax: number;
  readonly pairClocksMax: number;
};

export const flowPairerDefaults: FlowPairerOptions = {
  home: [],
  pairWindowMs: 5_000,
  // The active timeout of most exporters: one direction may be cut that much later than the other.
  pairWaitMs: 120_000,
  clock: 'flows',
  // Exporters report a flow when it is idle, softflowd by default after an hour.
  clockStepMs: 7_200_000,
  unpairedRecordsMax: limits.unpairedRecordsMax,
  unpairedOfConversationMax: limits.unpairedOfConversationMax,
  pairClocksMax: limits.pairClocksMax,
};

/** At any time, `records` = 2 · `paired` + `joined` + `single` + `alreadyBiflow` + `waiting`. */
export type FlowPairerCounts = {
  /** Rows taken in. */
  readonly records: number;
  /** Biflows made of two records. */
  readonly paired: number;
  /** Further records that became part of such a biflow: slices of one direction within the other. */
  readonly joined: number;
  /** Records that found no partner. */
  readonly single: number;
  /** Records that had both directions when they came; they are only turned round if the home is their destination. */
  readonly alreadyBiflow: number;
  /** Records that wait now. */
  readonly waiting: number;
  /** Records decided early because too many waited. */
  readonly endedForRoom: number;
  /** Records decided early because too many of their conversation waited. */
  readonly endedForCrowd: number;
  /** Times an exporter's clock stepped back. */
  readonly clockSteps: number;
};

/** Rows that are worked on together. */
const chunkRows = 1_024;

export class FlowPairer {
  readonly #options: FlowPairerOptions;
  readonly #emit: EmitFlows;
  readonly #table: WaitingTable;
  readonly #clocks: ExportClocks;
  readonly #conversation: Conversation;
  readonly #incoming = new Uint32Array(chunkRows);
  /** [leavingCount] records that are decided and not yet emitted. */
  readonly #leaving = new Uint32Array(limits.flowBatchRows);
  #leavingCount = 0;
  readonly #marks: Uint8Array;
  readonly #pair: [number, number] = [nobody, nobody];
  #out: FlowBatch | undefined;
  #recordCount = 0;
  #pairedCount = 0;
  #joinedCount = 0;
  #singleCount = 0;
  #biflowCount = 0;
  #endedForRoomCount = 0;
  #endedForCrowdCount = 0;
  #clockStepCount = 0;

  /**
   * @param emit               receives biflows and single records; the batch is valid during the call only
   * @param more.dictionaries  those of the batches to come; else the first batch's
   */
  constructor(options: Partial<FlowPairerOptions>, emit: EmitFlows, more: { dictionaries?: Dictionaries } = {}) {
    const all = { ...flowPairerDefaults, ...options };
    this.#options = all;
    this.#emit = emit;
    this.#table = new WaitingTable(all.unpairedRecordsMax + chunkRows + limits.flowBatchRows, all.pairClocksMax + 1);
    this.#clocks = new ExportClocks(all.pairClocksMax);
    // A record is let in before the oldest is decided.
    this.#marks = new Uint8Array(all.unpairedOfConversationMax + 1);
    this.#conversation = new Conversation(this.#table, all.pairWindowMs, all.unpairedOfConversationMax + 1);
    if (more.dictionaries !== undefined) this.#out = createFlowBatch(limits.flowBatchRows, more.dictionaries);
  }

  counts(): FlowPairerCounts {
    return {
      records: this.#recordCount,
      paired: this.#pairedCount,
      joined: this.#joinedCount,
      single: this.#singleCount,
      alreadyBiflow: this.#biflowCount,
      waiting: this.#table.waitingCount,
      endedForRoom: this.#endedForRoomCount,
      endedForCrowd: this.#endedForCrowdCount,
      clockSteps: this.#clockStepCount,
    };
  }

  /**
   * Takes the rows of a batch, which is not changed and may be reused after the call; decided records may be emitted
   * during it.
   *
   * @throws InvariantError  the batch has other dictionaries than those before
   */
  add(flows: FlowBatch): void {
    this.#out ??= createFlowBatch(limits.flowBatchRows, flows.dictionaries);
    assertInvariant(this.#out.dictionaries === flows.dictionaries, 'batches to be paired must share dictionaries');
    for (let first = 0; first < flows.rowCount; first += chunkRows) {
      const end = Math.min(first + chunkRows, flows.rowCount);
      this.#table.put(flows, first, end, this.#incoming);
      for (let i = 0; i < end - first; i++) this.#admit(this.#incoming[i] as number);
    }
  }

  /**
   * Says how late it is: for records that wait by told time, and for exporters that fell silent. Records whose wait is
   * over are decided, and all that are decided are emitted.
   *
   * @param timeMs  time of export or arrival, Unix epoch
   */
  advance(timeMs: number): void {
    const { timeMs: clocks, count } = this.#clocks;
    if (this.#options.clock === 'told') {
      // Told time is one for all; an exporter that comes later begins with it.
      if (timeMs < (clocks[0] as number) - this.#options.clockStepMs) this.#stepBack(timeMs);
      clocks.fill(Math.max(timeMs, clocks[0] as number), count);
    }
    for (let clock = 0; clock < count; clock++) {
      if (timeMs > (clocks[clock] as number)) this.#setClock(clock, timeMs);
    }
    this.#flush();
  }

  #stepBack(timeMs: number): void {
    this.#clockStepCount++;
    for (let clock = 0; clock < this.#clocks.count; clock++) this.#decideAll(clock);
    this.#clocks.timeMs.fill(timeMs);
  }

  /** Decides and emits everything that waits. */
  end(): void {
    for (let clock = 0; clock < this.#clocks.count; clock++) this.#decideAll(clock);
    this.#flush();
    assertInvariant(this.#table.waitingCount === 0, 'records left waiting after the end');
  }

  /** Lets one record in: passed on, paired at once, or left to wait. */
  #admit(slot: number): void {
    const { words, doubles } = this.#table;
    const at = slot * record.recordWords;
    this.#recordCount++;
    const clock = this.#clocks.find(words, at);
    if (this.#options.clock === 'flows') this.#noteTime(clock, endOf(this.#table, slot));
    if (doubles[slot * record.recordDoubles + record.dResponderPackets] !== 0 ||
      doubles[slot * record.recordDoubles + record.dResponderOctets] !== 0) {
      this.#biflowCount++;
      if (sideInside(words, at, this.#options.home) < 0) turnRound(this.#table, slot);
      this.#leave(slot);
      return;
    }
    words[at + record.wOriginals] ||= 1;
    words[at + record.wPorts] = conversationPorts(words, at);
    words[at + record.wHash] = hashConversation(words, at);
    words[at + record.wClock] = clock;
    if (isWithItself(words, at)) {
      this.#leaveSingle(slot);
      return;
    }
    doubles[slot * record.recordDoubles + record.dDeadline] =
      (this.#clocks.timeMs[clock] as number) + this.#options.pairWaitMs;
    this.#meetOthers(slot);
  }

  /** Looks at the record's conversation: a partner of the very same lifetime can have no better one. */
  #meetOthers(slot: number): void {
    const table = this.#table;
    const { words } = table;
    const at = slot * record.recordWords;
    const start = startOf(table, slot);
    const end = endOf(table, slot);
    let twin: number = record.none;
    let oldest = slot;
    let count = 1;
    for (let walker = table.chainOf(words[at + record.wHash] as number); walker !== record.none;
      walker = words[walker * record.recordWords + record.wChain] as number) {
      const relation = compareConversation(words, at, walker * record.recordWords);
      if (relation === stranger) continue;
      count++;
      oldest = walker;
      if (relation === oppositeDirection && startOf(table, walker) === start && endOf(table, walker) === end) {
        twin = walker;
      }
    }
    if (twin !== record.none) {
      table.unlink(twin);
      this.#pairedCount++;
      this.#joinDirections(twin, slot);
      return;
    }
    table.link(slot);
    if (count > this.#options.unpairedOfConversationMax) {
      this.#endedForCrowdCount++;
      this.#decide(oldest);
    } else if (table.waitingCount > this.#options.unpairedRecordsMax) {
      this.#endedForRoomCount++;
      this.#decide(table.oldest[this.#fullestClock()] as number);
    }
  }

  /** The clock that most records wait by: an exporter that sends too much makes room itself. */
  #fullestClock(): number {
    const { waitingOf } = this.#table;
    let fullest = 0;
    for (let clock = 1; clock < this.#clocks.count; clock++) {
      if ((waitingOf[clock] as number) > (waitingOf[fullest] as number)) fullest = clock;
    }
    return fullest;
  }

  #noteTime(clock: number, timeMs: number): void {
    const now = this.#clocks.timeMs[clock] as number;
    if (timeMs > now) {
      this.#setClock(clock, timeMs);
    } else if (timeMs < now - this.#options.clockStepMs) {
      this.#clockStepCount++;
      this.#decideAll(clock);
      this.#clocks.timeMs[clock] = timeMs;
    }
  }

  #setClock(clock: number, timeMs: number): void {
    this.#clocks.timeMs[clock] = timeMs;
    const { oldest, doubles } = this.#table;
    let slot = oldest[clock] as number;
    while (slot !== record.none && (doubles[slot * record.recordDoubles + record.dDeadline] as number) < timeMs) {
      this.#decide(slot);
      slot = oldest[clock] as number;
    }
  }

  #decideAll(clock: number): void {
    const { oldest } = this.#table;
    while (oldest[clock] !== record.none) this.#decide(oldest[clock] as number);
  }

  /** Ends the wait of a record: it is paired, or leaves alone. Others of its conversation may be paired on the way. */
  #decide(slot: number): void {
    const conversation = this.#conversation;
    let member = conversation.gather(slot);
    while (member !== nobody && conversation.findPair(member, this.#pair)) {
      const [first, second] = this.#pair;
      conversation.markBiflow(first, second, this.#marks);
      const isDone = this.#marks[member] !== 0;
      this.#joinMarked(first, second);
      if (isDone) return;
      conversation.drop(this.#marks);
      member = conversation.indexOf(slot);
    }
    this.#table.unlink(slot);
    this.#leaveSingle(slot);
  }

  /** Makes one biflow of the marked members. */
  #joinMarked(first: number, second: number): void {
    const table = this.#table;
    const { slots, count } = this.#conversation;
    for (let i = 0; i < count; i++) {
      if (this.#marks[i] === 0) continue;
      const slot = slots[i] as number;
      table.unlink(slot);
      if (i === first || i === second) continue;
      addSlice(table, slots[this.#conversation.areParallel(i, first) ? first : second] as number, slot);
      table.free(slot);
      this.#joinedCount++;
    }
    this.#pairedCount++;
    this.#joinDirections(slots[first] as number, slots[second] as number);
  }

  /** @param first, second  unlinked records of opposite directions */
  #joinDirections(first: number, second: number): void {
    const isFirst = isInitiator(this.#table, first, second, this.#options.home);
    const initiator = isFirst ? first : second;
    const responder = isFirst ? second : first;
    addReverse(this.#table, initiator, responder);
    this.#table.free(responder);
    this.#leave(initiator);
  }

  #leaveSingle(slot: number): void {
    if (initiatorOfRecord(this.#table, slot, this.#options.home) < 0) turnRound(this.#table, slot);
    this.#singleCount++;
    this.#leave(slot);
  }

  #leave(slot: number): void {
    this.#leaving[this.#leavingCount++] = slot;
    if (this.#leavingCount === this.#leaving.length) this.#flush();
  }

  #flush(): void {
    if (this.#leavingCount === 0 || this.#out === undefined) return;
    this.#out.rowCount = 0;
    this.#table.take(this.#leaving, this.#leavingCount, this.#out);
    this.#leavingCount = 0;
    this.#emit(this.#out);
  }
}
