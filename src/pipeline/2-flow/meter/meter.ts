/**
 * The meter: packets in, biflows (RFC 5103) out. Puts the steps in a row: read headers, reject copies, put late packets
 * in order, count packets into flows. A capture in two pieces gives the flows of the whole.
 */
import { assertInvariant, limits, type Counts, type KernelKind, type Prefix, type ProblemCode } from '#base';
import type { PacketBatch } from '#capture';
import { createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import type { EmitFlows } from '../l7/namer.ts';
import { DuplicateMemory } from './duplicate-memory.ts';
import { FlowCounter } from './flow-counter.ts';
import { FlowTable } from './flow-table.ts';
import { FragmentCache } from './fragment-cache.ts';
import { HeaderParser } from './header-parser.ts';
import { createHeaderSlab, headerSlabBytes, type HeaderSlab } from './header-slab.ts';
import { KernelInput } from './kernel-input.ts';
import { MeterMemory, parameter } from './meter-memory.ts';
import { ReorderWindow } from './reorder-window.ts';

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
  /** Who runs the inner loops; the flows are the same. */
  readonly kernel: KernelKind;
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
  kernel: 'wasm',
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

/** A capture reader's window is twice its chunk. */
const captureWindowBytes = limits.readChunkBytes * 2;

export class Meter {
  readonly #emit: EmitFlows;
  readonly #observe: ObservePackets | undefined;
  readonly #slab: HeaderSlab;
  readonly #parsed: Uint32Array;
  readonly #ready: Uint32Array;
  readonly #parser: HeaderParser;
  readonly #window: ReorderWindow;
  readonly #counter: FlowCounter;
  readonly #out: FlowBatch;
  readonly #captureWindow: Uint8Array;
  #clockStepCount = 0;

  /**
   * @param emit     receives ended flows; the batch is valid during the call only
   * @param observe  sees every metered packet once, in capture order
   */
  constructor(options: Partial<MeterOptions>, emit: EmitFlows,
    more: { observe?: ObservePackets; dictionaries?: Dictionaries } = {}) {
    const all = { ...meterDefaults, ...options };
    this.#emit = emit;
    this.#observe = more.observe;
    const batchRows = limits.packetBatchRows;
    const slotCount = all.reorderPacketsMax + 2 * batchRows + 2;
    const memory = new MeterMemory(all.kernel,
      headerSlabBytes(slotCount) + slotCount * 8 + FlowTable.bytes(all.openFlowsMax) +
      KernelInput.bytes(batchRows) + captureWindowBytes + 4096);
    this.#captureWindow = memory.allocate(captureWindowBytes);
    this.#slab = createHeaderSlab(slotCount, memory.allocate(headerSlabBytes(slotCount)));
    this.#parsed = memory.words(batchRows);
    this.#ready = memory.words(all.reorderPacketsMax + batchRows + 1);
    memory.parameters[parameter.slab] = this.#slab.words.byteOffset;
    memory.parameters[parameter.slots] = this.#parsed.byteOffset;
    memory.parameters[parameter.ready] = this.#ready.byteOffset;
    this.#parser = new HeaderParser({
      memory,
      rowsMax: batchRows,
      slab: this.#slab,
      fragments: new FragmentCache(),
      duplicates: all.duplicateWindowMs > 0 ? new DuplicateMemory(all.duplicateWindowMs) : undefined,
    });
    this.#window = new ReorderWindow({
      windowMs: all.reorderWindowMs,
      packetsMax: all.reorderPacketsMax,
      stepMs: Math.max(all.idleTimeoutMs, all.reorderWindowMs),
    });
    this.#out = createFlowBatch(limits.flowBatchRows, more.dictionaries ?? createDictionaries());
    this.#counter = new FlowCounter(all, memory, this.#slab, this.#out, () => this.#flush());
  }

  counts(): MeterCounts {
    return {
      packets: this.#counter.packetCount,
      octets: this.#counter.octetCount,
      flows: this.#counter.flowCount,
      rejected: this.#parser.rejected,
      latePackets: this.#window.lateCount,
      clockSteps: this.#clockStepCount,
      unresolvedFragments: this.#parser.unresolvedFragmentCount,
      flowsEndedForRoom: this.#counter.endedForRoomCount,
    };
  }

  /**
   * Memory for a capture reader's window: packets that lie in it need not be copied for the kernel. It is the same
   * memory each time, so one reader at a time may use it.
   *
   * @returns bytes, or undefined when so many are not to be had here
   */
  readonly allocateWindow = (bytes: number): Uint8Array | undefined =>
    bytes <= captureWindowBytes ? this.#captureWindow.subarray(0, bytes) : undefined;

  /** Flows open now. */
  get openFlowCount(): number {
    return this.#counter.openCount;
  }

  /** Counts the packets of a batch; ended flows may be emitted during the call. */
  add(packets: PacketBatch): void {
    const batchRows = this.#parsed.length;
    for (let first = 0; first < packets.rowCount; first += batchRows) {
      this.#addRows(packets, first, Math.min(first + batchRows, packets.rowCount));
    }
  }

  /**
   * Time has come this far, so that flows end although no packet comes; emits those that have ended. A packet of this
   * time would do the same, so the flows are those of the packets alone, as long as none comes later by more than the
   * reorder window, and the table has room. A time well before the newest is a step of the clock, as in packets.
   *
   * @param nowMs  in the clock that stamps the packets
   */
  advance(nowMs: number): void {
    let readyCount = this.#window.advance(nowMs * 1000, this.#ready);
    if (readyCount < 0) {
      this.#clockStepCount++;
      this.#restart();
      readyCount = this.#window.advance(nowMs * 1000, this.#ready);
    }
    this.#counter.count(this.#ready, readyCount);
    this.#counter.advance(this.#window.passedMicroseconds);
    this.#flush();
  }

  /** Ends all flows (flowEndReason 4) and emits what is left. */
  end(): void {
    this.#restart();
    this.#flush();
    assertInvariant(this.#counter.openCount === 0, 'flows left in the table after the end');
  }

  #addRows(packets: PacketBatch, first: number, end: number): void {
    const parsed = this.#parsed;
    const parsedCount = this.#parser.parse(packets, first, end, parsed);
    this.#observe?.(packets, this.#slab, parsed, parsedCount);
    for (let taken = 0; taken < parsedCount; taken = this.#window.takenEnd) {
      this.#counter.count(this.#ready, this.#window.take(parsed, taken, parsedCount, this.#slab.doubles, this.#ready));
      if (this.#window.takenEnd < parsedCount) {
        this.#clockStepCount++;
        this.#restart();
      }
    }
  }

  /** Counts what is held back and ends all flows. */
  #restart(): void {
    this.#counter.count(this.#ready, this.#window.restart(this.#ready));
    this.#counter.endAll();
  }

  #flush(): void {
    if (this.#out.rowCount > 0) this.#emit(this.#out);
    this.#out.rowCount = 0;
  }
}
