/**
 * An exporter over hours: flows are held back until a timeout ends them, go out in messages of NetFlow v9 or IPFIX, and
 * what is held when it restarts is lost. It restarts with new sequence numbers and new template ids, and its clock
 * jumps as it is told. What each message holds is known, so that whoever loses it knows what was lost.
 */
import { assertInvariant, type Random } from '#base';
import { copyRows, createFlowBatch, FlowEncoder, type FlowBatch } from '#flow';
import { moveTemplateIds } from './template-ids.ts';

/** One record: of both directions of a conversation, or of one of them. */
export type ExportedRecord = {
  /** Of the flows that the exporter saw. */
  readonly row: number;
  readonly direction: 'both' | 'forward' | 'reverse';
};

export type ExportedMessage = {
  readonly bytes: Uint8Array;
  /** When it left, in true time. */
  readonly sentMs: number;
  /** What its clock was ahead. */
  readonly clockAheadMs: number;
  /** Times that the exporter started before. */
  readonly run: number;
  /** Number within the run. */
  readonly index: number;
  readonly records: readonly ExportedRecord[];
  readonly hasTemplates: boolean;
};

export type Restart = { readonly atMs: number; readonly downMs: number };

export type ExporterDay = {
  readonly version: 9 | 10;
  /** Sends one record for each direction instead of biflows. */
  readonly isOneWay: boolean;
  readonly startMs: number;
  readonly endMs: number;
  /** Ascending. */
  readonly restarts: readonly Restart[];
  readonly templateEveryMs: number;
  /** Longest time that a flow is held back after its end. */
  readonly holdMsMax: number;
  /** How far its clock is ahead of the true time. */
  readonly clockAhead: (trueMs: number) => number;
};

/** Flows that are ready go out so often. */
const sendEveryMs = 10_000;
/** Template ids of two runs are apart by so many. */
const idsPerRun = 16;

/**
 * Exports flows.
 *
 * @param flows  ascending by end; read only
 * @returns the messages in order, and rows that were never sent
 */
export function exportDay(flows: FlowBatch, day: ExporterDay, random: Random): {
  messages: ExportedMessage[]; unsentRows: number[];
} {
  const messages: ExportedMessage[] = [];
  const unsentRows: number[] = [];
  const ready = scheduleRows(flows, day, random, unsentRows);
  const scratch = createFlowBatch(Math.max(1, flows.rowCount), flows.dictionaries);
  let next = 0;
  for (let run = 0; run <= day.restarts.length; run++) {
    const before = day.restarts[run - 1];
    const bootMs = before === undefined ? day.startMs : before.atMs + before.downMs;
    const endMs = day.restarts[run]?.atMs ?? day.endMs + day.holdMsMax + sendEveryMs;
    const exporter = new RunningExporter(day, { run, bootMs }, messages);
    exporter.announce(bootMs);
    for (let nowMs = bootMs + sendEveryMs; nowMs < endMs; nowMs += sendEveryMs) {
      const rows: number[] = [];
      for (; next < ready.length && (ready[next] as { dueMs: number }).dueMs <= nowMs; next++) {
        rows.push((ready[next] as { row: number }).row);
      }
      if (rows.length > 0) exporter.send(flows, rows, scratch, nowMs);
    }
    // What is due and was not sent, the restart has cost.
    const upMs = day.restarts[run] === undefined ? Infinity : (day.restarts[run] as Restart).atMs;
    for (; next < ready.length && (ready[next] as { endMs: number }).endMs <= upMs; next++) {
      unsentRows.push((ready[next] as { row: number }).row);
    }
  }
  return { messages, unsentRows };
}

/** Rows by the time at which they are ready; those that end while the exporter is down are never seen. */
function scheduleRows({ columns: { flowEndMilliseconds }, rowCount }: FlowBatch,
  { restarts, holdMsMax }: ExporterDay, random: Random, unsentRows: number[]):
  { row: number; endMs: number; dueMs: number }[] {
  const ready: { row: number; endMs: number; dueMs: number; run: number }[] = [];
  for (let row = 0; row < rowCount; row++) {
    const endMs = flowEndMilliseconds[row] as number;
    const holdMs = random.integer(0, holdMsMax);
    const isDown = restarts.some(({ atMs, downMs }) => endMs > atMs && endMs <= atMs + downMs);
    if (isDown) unsentRows.push(row);
    else ready.push({ row, endMs, dueMs: endMs + holdMs, run: restarts.filter(({ atMs }) => atMs < endMs).length });
  }
  return ready.sort((a, b) => a.run - b.run || a.dueMs - b.dueMs);
}

/** The exporter between two restarts. */
class RunningExporter {
  readonly #day: ExporterDay;
  readonly #run: number;
  readonly #bootMs: number;
  readonly #encoder: FlowEncoder;
  readonly #queue: ExportedRecord[] = [];
  #index = 0;
  #sentMs = 0;
  #templateSends = 0;

  constructor(day: ExporterDay, { run, bootMs }: { run: number; bootMs: number }, messages: ExportedMessage[]) {
    this.#day = day;
    this.#run = run;
    this.#bootMs = bootMs;
    this.#encoder = new FlowEncoder({ version: day.version, templateEveryMs: day.templateEveryMs },
      (datagram, records) => messages.push(this.#describe(datagram, records)));
  }

  announce(nowMs: number): void {
    this.#sentMs = nowMs;
    this.#encoder.announce(nowMs + this.#day.clockAhead(nowMs));
  }

  send(flows: FlowBatch, rows: readonly number[], scratch: FlowBatch, nowMs: number): void {
    this.#sentMs = nowMs;
    // The directions go apart, as they do from exporters that keep a flow for each: one of them may be lost.
    const directions = this.#day.isOneWay ? ['forward', 'reverse'] as const : ['both'] as const;
    for (const direction of directions) this.#sendRecords(flows, rows.map((row) => ({ row, direction })), scratch);
  }

  #sendRecords(flows: FlowBatch, records: readonly ExportedRecord[], scratch: FlowBatch): void {
    const nowMs = this.#sentMs;
    const aheadMs = this.#day.clockAhead(nowMs);
    scratch.rowCount = 0;
    for (const record of records) putRecord(flows, record, scratch);
    this.#queue.push(...records);
    const { flowStartMilliseconds, flowEndMilliseconds } = scratch.columns;
    for (let row = 0; row < scratch.rowCount; row++) {
      flowStartMilliseconds[row] = (flowStartMilliseconds[row] as number) + aheadMs;
      flowEndMilliseconds[row] = (flowEndMilliseconds[row] as number) + aheadMs;
    }
    this.#encoder.encode(scratch, nowMs + aheadMs);
    this.#encoder.flush(nowMs + aheadMs);
    assertInvariant(this.#queue.length === 0, 'a record is in no message');
  }

  #describe(datagram: Uint8Array, records: number): ExportedMessage {
    const bytes = new Uint8Array(datagram);
    const { version } = this.#day;
    moveTemplateIds(bytes, version, idsPerRun * this.#run);
    // RFC 3954 §5.1: uptime is of a clock that does not jump, whatever the wall clock does.
    if (version === 9) new DataView(bytes.buffer).setUint32(4, this.#sentMs - this.#bootMs);
    const { templateSends } = this.#encoder.counts();
    const hasTemplates = templateSends > this.#templateSends;
    this.#templateSends = templateSends;
    return {
      bytes, sentMs: this.#sentMs, clockAheadMs: this.#day.clockAhead(this.#sentMs), run: this.#run,
      index: this.#index++, records: this.#queue.splice(0, records), hasTemplates,
    };
  }
}

/** Appends what a record says of a flow, at its true times; a direction that it does not say is left at zero. */
export function putRecord(flows: FlowBatch, { row, direction }: ExportedRecord, to: FlowBatch): void {
  const at = to.rowCount;
  copyRows(flows, row, row + 1, to);
  const { columns } = to;
  if (direction === 'reverse') {
    for (const [one, other] of turned) {
      const kept = columns[one][at] as number;
      columns[one][at] = columns[other][at] as number;
      columns[other][at] = kept;
    }
    const source = columns.sourceAddress.slice(4 * at, 4 * at + 4);
    columns.sourceAddress.set(columns.destinationAddress.subarray(4 * at, 4 * at + 4), 4 * at);
    columns.destinationAddress.set(source, 4 * at);
  }
  if (direction !== 'both') forgetResponder(to, at);
}

/** Makes a row say nothing of what the responder sent. */
export function forgetResponder({ columns }: FlowBatch, row: number): void {
  for (const name of ofResponder) columns[name][row] = 0;
}

/** Makes a row say nothing of what the initiator sent. */
export function forgetInitiator({ columns }: FlowBatch, row: number): void {
  for (const name of ofInitiator) columns[name][row] = 0;
}

const turned = [
  ['sourceTransportPort', 'destinationTransportPort'], ['initiatorPackets', 'responderPackets'],
  ['initiatorOctets', 'responderOctets'], ['ipClassOfService', 'reverseIpClassOfService'],
  ['tcpControlBits', 'reverseTcpControlBits'],
] as const;
const ofInitiator = turned.slice(1).map(([name]) => name);
const ofResponder = turned.slice(1).map(([, name]) => name);
