/**
 * The one interface of everything that names the layer 7 of flows. A namer stands between the meter and the output:
 * it may look at packets as they pass, is given finished flow records, and emits them named, in the order they came.
 */
import type { PacketBatch } from '#capture';
import type { FlowBatch, L7Source } from '../flow-batch.ts';
import type { HeaderSlab } from '../meter/header-slab.ts';

export type Namer = {
  readonly source: L7Source;
  /** Version of the naming library or table, '' when there is none. */
  readonly version: string;
  /**
   * Sees the packets of one batch in capture order, before the flows that they belong to are finished.
   * Only a namer that inspects packets does anything here.
   *
   * @param packets  bytes, valid during the call only; read only
   * @param headers  read only
   * @param slots    [slotCount] slots of the headers, in capture order; `headers.packetRow[slot]` is the row in
   *     `packets`
   */
  observe(packets: PacketBatch, headers: HeaderSlab, slots: Uint32Array, slotCount: number): void;
  /**
   * Takes finished flows. Rows that must wait for their name are copied; the batch may be reused after the call.
   * Sets `applicationName` and `applicationNameSource`.
   */
  name(flows: FlowBatch): void;
  /**
   * Time has come this far, with or without packets; a namer that holds flows back for a time lets them go by it.
   * Absent where time is nothing to it.
   */
  advance?(nowMs: number): void;
  /** A promise when the caller should wait before going on (too much is under way), else undefined. */
  whenReady(): Promise<void> | undefined;
  /** Emits everything that still waits. Resolves when the last row was emitted. */
  end(): Promise<void>;
  /** Counts for the summary: `named`, `unnamed` by reason. Valid at any time. */
  counts(): Record<string, number>;
};

/** Receives named flows; the batch is valid during the call only. */
export type EmitFlows = (flows: FlowBatch) => void;
