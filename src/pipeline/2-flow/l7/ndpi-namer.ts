/**
 * Names flows by asking libndpi in a child process: packets that the detection still needs go there, verdicts come
 * back, and flow records wait for the verdict on their conversation. The names are those of `ndpiReader -I -v 2 -C`.
 * It never lets the child's fate touch the flows: a record without a name is handed on and counted.
 */
import { assertInvariant, Counts, limits, protocolTcp, protocolUdp } from '#base';
import type { PacketBatch } from '#capture';
import type { Dictionaries, FlowBatch } from '../flow-batch.ts';
import * as header from '../meter/header-slab.ts';
import type { EmitFlows, Namer } from './namer.ts';
import {
  ConversationTable, noConversation, stateClosing, stateFinal, stateInspecting, stateLost,
} from './ndpi-conversations.ts';
import { createInspectable, findInspectable } from './ndpi-inspectable.ts';
import { formatVerdict } from './ndpi-names.ts';
import { ndpiChildFile, NdpiProcess, type NdpiProcessOptions } from './ndpi-process.ts';
import { recordBegins, recordGivesUp, recordIsLast } from './ndpi-protocol.ts';
import { WaitingFlows } from './ndpi-waiting-flows.ts';

/**
 * Packets of a conversation that are inspected at most: ndpiReader's defaults (`-U 24`, `-T 80`), which it exceeds by
 * one.
 */
const udpPacketsMax = 25;
const otherPacketsMax = 81;
/** In `packets` of a conversation: its verdict is due, nothing more is sent. */
const verdictDue = 255;
/** Oldest rows whose conversations are given up together. */
const rowsGivenUpTogether = 1_024;

/** Why a flow has no name. */
export type UnnamedReason = 'unnamedNotInspected' | 'unnamedChildDied' | 'unnamedChildGone' | 'unnamedChildBehind' |
  'unnamedWaitingFull';
type CountName = UnnamedReason | 'named' | 'namedUnknown' | 'conversations' | 'conversationsEvicted' |
  'conversationsHeldTooLong' | 'conversationsWaitingFull';

/** Codes of `lostReason`. */
const lostReasons: readonly UnnamedReason[] = ['unnamedNotInspected', 'unnamedChildDied', 'unnamedChildGone',
  'unnamedChildBehind'];
const lostByDeath = 1;
const lostForGood = 2;
const lostBehind = 3;

export type NdpiNamerOptions = Partial<NdpiProcessOptions> & {
  /** Flow records that may wait for a name. */
  readonly waitingFlowsMax?: number;
  /** Rows of a batch of waiting flows. */
  readonly waitingBatchRows?: number;
  /** How long a flow record may wait for its name, by flow time. Absent (files): until the verdict or the end. */
  readonly holdMsMax?: number;
};

/** A namer that also lets tests kill its child. */
export type NdpiNamer = Namer & { killChild(): void };

const defaults = {
  childFile: ndpiChildFile,
  conversationsMax: limits.ndpiConversationsMax,
  blockBytes: 256 * 1024,
  queueBytesMax: limits.ndpiQueueBytesMax,
  restartPauseMs: 20,
  restartPauseMsMax: 5_000,
  fruitlessStartsMax: 8,
  silenceMsMax: 30_000,
  waitingFlowsMax: limits.unnamedFlowsMax,
  waitingBatchRows: limits.flowBatchRows,
} as const;

/**
 * Starts the nDPI child and resolves when it is ready.
 *
 * @param emit  receives the named flows, in the order in which they came
 * @throws EnvironmentError  `ndpi-absent`, `ndpi-unknown-version` or `ndpi-failed`, before any flow was taken
 */
export async function createNdpiNamer(options: NdpiNamerOptions, emit: EmitFlows): Promise<NdpiNamer> {
  const namer = new ProcessNamer({ ...defaults, ...options }, emit);
  await namer.start();
  return namer;
}

type Settings = NdpiProcessOptions & Required<Pick<NdpiNamerOptions, 'waitingFlowsMax' | 'waitingBatchRows'>> &
  Pick<NdpiNamerOptions, 'holdMsMax'>;

class ProcessNamer implements NdpiNamer {
  readonly source = 'ndpi' as const;
  readonly #settings: Settings;
  readonly #emit: EmitFlows;
  readonly #process: NdpiProcess;
  readonly #conversations: ConversationTable;
  readonly #counts = new Counts<CountName>();
  readonly #inspectable = createInspectable();
  #dictionaries: Dictionaries | undefined;
  #waiting: WaitingFlows | undefined;
  /** Dictionary code by verdict. */
  readonly #nameCodes = new Map<number, number>();
  #unknownCode = -1;
  #sourceCode = 0;
  #noSourceCode = 0;
  /** [rows of a batch] conversation that each row waits for. */
  #waitsFor = new Uint32Array(0);
  /** Conversations under inspection: verdicts that the child owes. */
  #owedCount = 0;
  #packetsInspected = 0;
  #packetsRefused = 0;
  #nowMs = 0;
  #isEnding = false;
  #waiters: (() => void)[] = [];

  constructor(settings: Settings, emit: EmitFlows) {
    this.#settings = settings;
    this.#emit = emit;
    this.#conversations = new ConversationTable(settings.conversationsMax);
    this.#process = new NdpiProcess({ ...settings, conversationsMax: this.#conversations.capacity }, {
      onVerdict: (conversation, verdict) => this.#takeVerdict(conversation, verdict),
      onDeath: () => this.#loseAll(),
      onProgress: () => this.#moveOn(),
    });
  }

  /** Flows are wanted soon: also parts of a batch are handed on. */
  get #isLive(): boolean {
    return this.#settings.holdMsMax !== undefined;
  }

  get version(): string {
    return this.#process.version;
  }

  async start(): Promise<void> {
    try {
      await this.#process.start();
    } catch (thrown) {
      await this.#process.close();
      throw thrown;
    }
  }

  killChild(): void {
    this.#process.killChild();
  }

  observe(packets: PacketBatch, headers: header.HeaderSlab, slots: Uint32Array, slotCount: number): void {
    const bytes = Buffer.from(packets.data.buffer, packets.data.byteOffset, packets.data.byteLength);
    const table = this.#conversations;
    const { words } = headers;
    for (let i = 0; i < slotCount; i++) {
      const at = (slots[i] as number) * header.headerWords;
      if (words[at + header.hState] === header.slotLaterFragment) continue;
      const protocol = (words[at + header.hProtocol] as number) & 255;
      const ports = protocol === protocolTcp || protocol === protocolUdp ? words[at + header.hPorts] as number : 0;
      const index = table.find(words, at + header.hSource, words, at + header.hDestination, ports, protocol);
      const isDone = index !== noConversation &&
        (table.stateOf(index) === stateFinal || table.packetsOf(index) === verdictDue);
      if (isDone) continue;
      const row = words[at + header.hPacketRow] as number;
      const found = findInspectable(packets.data, packets.networkOffset[row] as number,
        packets.networkBytes[row] as number, this.#inspectable);
      if (found) this.#inspect(index, bytes, (packets.timeMicroseconds[row] as number) / 1000);
    }
    if (slotCount === 0) return;
    const last = slots[slotCount - 1] as number;
    this.advance((headers.doubles[last * header.headerDoubles + header.hTime] as number) / 1000);
  }

  name(flows: FlowBatch): void {
    const waiting = this.#prepare(flows);
    const table = this.#conversations;
    const columns = flows.columns;
    const waitsFor = this.#waitsFor;
    let waitCount = 0;
    for (let row = 0; row < flows.rowCount; row++) {
      const protocol = columns.protocolIdentifier[row] as number;
      const ports = protocol === protocolTcp || protocol === protocolUdp
        ? ((columns.sourceTransportPort[row] as number) << 16) | (columns.destinationTransportPort[row] as number) : 0;
      const index = table.find(columns.sourceAddress, row * 4, columns.destinationAddress, row * 4, ports, protocol);
      const mustWait = index !== noConversation && table.stateOf(index) === stateInspecting;
      waitsFor[row] = mustWait ? index : noConversation;
      if (mustWait) waitCount++;
      else this.#nameRow(flows, row, index);
    }
    waiting.emitNamed(waiting.pendingCount === 0 || this.#isLive);
    if (waitCount === 0 && waiting.rowCount === 0) {
      if (flows.rowCount > 0) this.#emit(flows);
      return;
    }
    this.#enqueue(waiting, flows);
  }

  whenReady(): Promise<void> | undefined {
    if (!this.#mustWait()) return undefined;
    this.#process.flush();
    return this.#until(() => !this.#mustWait());
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    const table = this.#conversations;
    for (let index = 0; index < table.capacity; index++) {
      if (table.stateOf(index) === stateInspecting) this.#giveUp(index);
    }
    this.#process.flush();
    this.#process.awaitsVerdicts = true;
    if (this.#owedCount > 0) await this.#until(() => this.#owedCount === 0);
    this.#process.awaitsVerdicts = false;
    this.#waiting?.emitNamed(true);
    await this.#process.close();
    assertInvariant(this.#waiting === undefined || this.#waiting.rowCount === 0,
      'flows still wait for a name at the end');
  }

  counts(): Record<string, number> {
    return {
      ...this.#counts.toJSON(),
      packetsInspected: this.#packetsInspected,
      packetsRefused: this.#packetsRefused,
      childRestarts: this.#process.restartCount,
    };
  }

  /** Sends what `#inspectable` holds, for a conversation or a new one. */
  #inspect(known: number, bytes: Buffer, timeMs: number): void {
    const table = this.#conversations;
    const { offset, bytes: packetBytes, protocol, tunnelHash } = this.#inspectable;
    const index = known === noConversation ? this.#addConversation() : known;
    if (index === noConversation || packetBytes > 0xffff) return;
    if (this.#process.isGone) return this.#lose(index, lostForGood);
    let flags = 0;
    if (table.stateOf(index) !== stateInspecting) {
      if (this.#process.isOverfull) return this.#lose(index, lostBehind);
      table.setState(index, stateInspecting);
      table.setPackets(index, 0);
      table.setTunnelHash(index, tunnelHash);
      this.#owedCount++;
      flags = recordBegins;
    } else if (table.tunnelHashOf(index) !== tunnelHash || this.#process.isOverfull) {
      // Another conversation inside the same tunnel (the flow is named for the first), or a child that is far behind.
      if (table.tunnelHashOf(index) === tunnelHash) this.#packetsRefused++;
      return;
    }
    const count = table.packetsOf(index) + 1;
    table.setPackets(index, count);
    if (count >= (protocol === protocolUdp ? udpPacketsMax : otherPacketsMax)) {
      flags |= recordIsLast;
      table.setPackets(index, verdictDue);
    }
    this.#packetsInspected++;
    this.#process.append(index, flags, Math.max(0, Math.floor(timeMs)), bytes, offset, packetBytes);
  }

  /** A new conversation, for which the oldest makes room if need be. */
  #addConversation(): number {
    const table = this.#conversations;
    if (table.isFull()) {
      const oldest = table.chooseOldest();
      this.#counts.add('conversationsEvicted');
      table.unlink(oldest);
      if (table.stateOf(oldest) === stateInspecting) {
        this.#giveUp(oldest);
        table.setState(oldest, stateClosing);
      } else {
        table.release(oldest);
      }
    }
    const index = table.add();
    if (index === noConversation) return index;
    this.#counts.add('conversations');
    table.setState(index, stateLost);
    table.setLostReason(index, 0);
    return index;
  }

  /** Asks for the verdict from what was seen, once. */
  #giveUp(index: number): boolean {
    const table = this.#conversations;
    if (table.packetsOf(index) === verdictDue || this.#process.isGone) return false;
    table.setPackets(index, verdictDue);
    this.#process.append(index, recordGivesUp, 0, emptyPacket, 0, 0);
    return true;
  }

  #takeVerdict(index: number, verdict: number): void {
    const table = this.#conversations;
    const state = table.stateOf(index);
    if (state !== stateInspecting && state !== stateClosing) return;
    this.#owedCount--;
    table.setVerdict(index, verdict);
    this.#resolve(index, this.#codeOf(verdict));
    if (state === stateClosing) table.release(index);
    else table.setState(index, stateFinal);
  }

  /** The child died: what it had under inspection has no name; later packets begin anew. */
  #loseAll(): void {
    const table = this.#conversations;
    for (let index = 0; index < table.capacity; index++) {
      const state = table.stateOf(index);
      if (state !== stateInspecting && state !== stateClosing) continue;
      this.#owedCount--;
      table.setPackets(index, 0);
      this.#leaveUnnamed(index, 'unnamedChildDied');
      if (state === stateClosing) table.release(index);
      else this.#lose(index, lostByDeath);
    }
    assertInvariant(this.#owedCount === 0, 'verdicts are owed by a dead child');
    if (!this.#isEnding) this.#waiting?.emitNamed(this.#isLive);
  }

  #lose(index: number, reason: number): void {
    this.#conversations.setState(index, stateLost);
    this.#conversations.setLostReason(index, reason);
  }

  #resolve(index: number, code: number): void {
    const count = this.#waiting?.resolve(index, code, this.#sourceCode) ?? 0;
    this.#counts.add(code === this.#unknownCode ? 'namedUnknown' : 'named', count);
  }

  #leaveUnnamed(index: number, reason: UnnamedReason): void {
    this.#counts.add(reason, this.#waiting?.resolve(index, 0, this.#noSourceCode) ?? 0);
  }

  /** Names a row that needs not wait. */
  #nameRow(flows: FlowBatch, row: number, index: number): void {
    const table = this.#conversations;
    if (index !== noConversation && table.stateOf(index) === stateFinal) {
      const code = this.#codeOf(table.verdictOf(index));
      flows.columns.applicationName[row] = code;
      flows.columns.applicationNameSource[row] = this.#sourceCode;
      this.#counts.add(code === this.#unknownCode ? 'namedUnknown' : 'named');
      return;
    }
    flows.columns.applicationName[row] = 0;
    flows.columns.applicationNameSource[row] = this.#noSourceCode;
    this.#counts.add(index === noConversation ? 'unnamedNotInspected'
      : lostReasons[table.lostReasonOf(index)] as UnnamedReason);
  }

  #codeOf(verdict: number): number {
    const known = this.#nameCodes.get(verdict);
    if (known !== undefined) return known;
    const code = this.#dictionaries?.applicationName.encode(formatVerdict(verdict, this.#process.protocolNames)) ?? 0;
    if (this.#dictionaries === undefined) return code;
    this.#nameCodes.set(verdict, code);
    if (verdict === 0) this.#unknownCode = code;
    return code;
  }

  /** Structures that need the dictionaries of the flows, made with the first batch. */
  #prepare(flows: FlowBatch): WaitingFlows {
    if (this.#waitsFor.length < flows.rowCount) this.#waitsFor = new Uint32Array(flows.capacity);
    if (this.#waiting !== undefined) {
      assertInvariant(flows.dictionaries === this.#dictionaries, 'flow batches to be named must share dictionaries');
      return this.#waiting;
    }
    const { waitingFlowsMax, waitingBatchRows } = this.#settings;
    this.#dictionaries = flows.dictionaries;
    this.#sourceCode = flows.dictionaries.applicationNameSource.encode('ndpi');
    this.#noSourceCode = flows.dictionaries.applicationNameSource.encode('none');
    this.#waiting = new WaitingFlows({
      conversations: this.#conversations,
      dictionaries: flows.dictionaries,
      emit: this.#emit,
      chunkRows: waitingBatchRows,
      // Twice the limit: above it the caller is asked to wait, and only one that does not can fill the rest.
      chunkCount: Math.ceil(waitingFlowsMax * 2 / waitingBatchRows) + 1,
    });
    return this.#waiting;
  }

  #enqueue(waiting: WaitingFlows, flows: FlowBatch): void {
    let first = 0;
    while (first < flows.rowCount) {
      if (waiting.room === 0) this.#abandonOldest(waiting);
      const end = Math.min(flows.rowCount, first + waiting.room);
      waiting.push(flows, first, end, this.#waitsFor, this.#nowMs);
      first = end;
    }
    waiting.emitNamed(this.#isLive);
    if (waiting.rowCount > this.#settings.waitingFlowsMax) this.#giveUpOldest(Infinity, 'conversationsWaitingFull');
  }

  /** The ring is full because the caller does not wait: the rows that have waited for longest go without a name. */
  #abandonOldest(waiting: WaitingFlows): void {
    waiting.forEachOldest(this.#settings.waitingBatchRows, Infinity,
      (index) => this.#leaveUnnamed(index, 'unnamedWaitingFull'));
    waiting.emitNamed(true);
  }

  /** Asks for the verdicts that the oldest rows wait for, of those that began to wait by `startedMs`. */
  #giveUpOldest(startedMs: number, reason: CountName): void {
    let count = 0;
    this.#waiting?.forEachOldest(rowsGivenUpTogether, startedMs, (index) => {
      if (this.#giveUp(index)) count++;
    });
    this.#counts.add(reason, count);
    if (count > 0) this.#process.flush();
  }

  advance(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const { holdMsMax } = this.#settings;
    if (holdMsMax === undefined) return;
    this.#process.flush();
    this.#giveUpOldest(this.#nowMs - holdMsMax, 'conversationsHeldTooLong');
    this.#waiting?.emitNamed(true);
  }

  #mustWait(): boolean {
    return this.#process.isBehind || this.#conversations.isExhausted ||
      (this.#waiting !== undefined && this.#waiting.rowCount > this.#settings.waitingFlowsMax);
  }

  async #until(isMet: () => boolean): Promise<void> {
    this.#process.hold();
    while (!isMet()) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    this.#process.letGo();
  }

  /** The child did something: flows may have their names, and the caller may go on. */
  #moveOn(): void {
    if (this.#isLive) this.#waiting?.emitNamed(true);
    if (this.#waiting !== undefined && this.#waiting.rowCount > this.#settings.waitingFlowsMax) {
      this.#waiting.emitNamed(true);
      this.#giveUpOldest(Infinity, 'conversationsWaitingFull');
    }
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}

const emptyPacket = Buffer.alloc(0);
