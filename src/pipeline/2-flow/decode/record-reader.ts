/**
 * Runs the plan of a template over the records of a data set and fills a FlowBatch, field by field over all records.
 * Records of fixed length are read by the kernel as far as it knows their fields, all else by the readable code;
 * columns that no field fills stay at their defaults. Never keeps bytes.
 */
import type { KernelKind } from '#base';
import { createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import type { EmitFlows } from '../l7/namer.ts';
import { schema } from '../schema.ts';
import {
  readRun16, readRun32, readRun8, readRunDouble, readRunIPv4, readRunIPv6, readRunMac, type Run,
} from './field-kernels.ts';
import type { DatagramHash } from './datagram-hash.ts';
import { isStepReadable, planFields, type FieldPlan, type PlanStep, type ScratchName } from './field-plan.ts';
import type { DataSetReader, DataSetPlace, DataSetResult } from './export-walker.ts';
import { finishRows, type FinishContext, type Scratch } from './finish-rows.ts';
import { NameReader } from './name-reader.ts';
import { DecodeMemory, inputBytesMax, type RecordProgram, writeProgram } from './record-program.ts';
import { rowBytes, StaleColumns } from './stale-columns.ts';
import { locateFields } from './template.ts';
import {
  microsecondFractionMask, nanosecondFractionMask, readRunDelta, readRunNtp, readRunUptime, type UptimeClock,
} from './times.ts';

export type RecordReaderOptions = {
  readonly batchRows: number;
  readonly renormalise: boolean;
  readonly kernel: KernelKind;
};

const scratchNames: readonly ScratchName[] = [
  'durationMs', 'observedMs', 'systemInitMs', 'sampler', 'interval', 'packets', 'space', 'icmpType4', 'icmpCode4',
  'icmpType6', 'icmpCode6', 'biflowDirection',
];

/** Bytes that a column may be moved by to begin where the memory wants it. */
const columnAlignment = 64;

export class RecordReader implements DataSetReader {
  readonly #memory: DecodeMemory;
  readonly #batch: FlowBatch;
  readonly #stale: StaleColumns;
  readonly #emit: EmitFlows;
  readonly #names: NameReader;
  readonly #scratch: Scratch;
  readonly #context: FinishContext;
  readonly #run: Run = { bytes: new Uint8Array(0), at: 0, lengthBytes: 0, stride: 0, count: 0, row: 0 };
  readonly #result: DataSetResult = { end: 0, records: 0, flows: 0 };
  readonly #clock: { -readonly [K in keyof UptimeClock]: number } = { uptimeMs: 0, unixMs: 0 };
  #spans = new Uint32Array(128);
  /** Flows that could only be placed at the export time. */
  placedAtExport = 0;

  constructor(options: RecordReaderOptions, emit: EmitFlows, dictionaries?: Dictionaries) {
    const columnBytes = options.batchRows * rowBytes + schema.length * columnAlignment;
    this.#memory = new DecodeMemory(options.kernel, columnBytes);
    this.#batch = createFlowBatch(options.batchRows, dictionaries, (bytes) => this.#memory.allocate(bytes));
    this.#stale = new StaleColumns(this.#batch);
    this.#emit = emit;
    this.#names = new NameReader(this.#batch);
    const rows = this.#batch.capacity;
    this.#scratch = {
      ...Object.fromEntries(scratchNames.map((name) => [name, new Float64Array(rows)])),
      sourceIPv4: new Uint32Array(rows * 4), destinationIPv4: new Uint32Array(rows * 4),
    } as Scratch;
    this.#context = {
      batch: this.#batch, scratch: this.#scratch, renormalise: options.renormalise, exportMs: 0, isPlaced: true,
      isAddressed: false, isFilled: false, hasIcmp: true,
    };
  }

  /** Flows with an application id that has no name. */
  get unexplainedApplications(): number {
    return this.#names.unexplainedCount;
  }

  /** Goes on with counts of a saved state. */
  resumeCounts(placedAtExport: number, unexplainedApplications: number): void {
    this.placedAtExport = placedAtExport;
    this.#names.unexplainedCount = unexplainedApplications;
  }

  /** Reads the records of a set; what is behind `end` of the result was not read. Valid until the next call. */
  read(place: DataSetPlace): DataSetResult {
    const { cached, domain, start, end } = place;
    const { template } = cached;
    const plan = cached.plan ??= planFields(domain.version, template);
    const result = this.#result;
    result.records = 0;
    result.flows = 0;
    if (template.isFixed) {
      result.records = Math.floor((end - start) / template.recordBytesMin);
      result.end = start + result.records * template.recordBytesMin;
      if (plan.isFlow) this.#readFixed(plan, place, result.records);
    } else result.end = this.#readVariable(plan, place);
    if (plan.isFlow) result.flows = result.records;
    return result;
  }

  hash(bytes: Uint8Array, out: DatagramHash): void {
    this.#memory.hash(bytes, out);
  }

  /** Emits the rows that are there. */
  flush(): void {
    if (this.#batch.rowCount === 0) return;
    this.#emit(this.#batch);
    this.#stale.empty();
  }

  #readFixed(plan: FieldPlan, place: DataSetPlace, records: number): void {
    const { cached, start } = place;
    const stride = cached.template.recordBytesMin;
    const clock = this.#begin(plan, place);
    const { kernel } = this.#memory;
    const program = kernel === undefined ? undefined : cached.program ??= writeProgram(plan, this.#batch);
    const steps = program?.rest ?? plan.steps;
    const run = this.#run;
    run.stride = stride;
    // To store an object of the moment in one that stays costs a tenth of a datagram's time: only when it is read.
    if (steps.length > 0) run.bytes = place.bytes;
    let at = start;
    for (let left = records; left > 0;) {
      this.#stale.prepare(plan);
      const room = Math.min(left, this.#batch.capacity - this.#batch.rowCount);
      run.row = this.#batch.rowCount;
      run.count = program === undefined ? room : this.#runKernel(program, place, at, room);
      for (const step of steps) {
        run.at = at + step.offset;
        run.lengthBytes = step.lengthBytes;
        this.#readStep(step, clock, place);
      }
      this.#finish(plan, place, run.count);
      at += run.count * stride;
      left -= run.count;
    }
  }

  /** Lets the kernel read what it knows. @returns the number of records, as many as fit into its memory */
  #runKernel(program: RecordProgram, { bytes, cached, isKnown }: DataSetPlace, at: number, room: number): number {
    const memory = this.#memory;
    const stride = cached.template.recordBytesMin;
    let count = room;
    let from = at;
    // The usual datagram is copied whole, which is cheaper than to make a view of a part, or lies there since it was
    // hashed.
    if (bytes.length <= inputBytesMax && (isKnown || bytes.length <= 2 * room * stride)) {
      if (!isKnown) memory.input.set(bytes);
    } else {
      count = Math.min(room, Math.floor(inputBytesMax / stride));
      memory.input.set(bytes.subarray(at, at + count * stride));
      from = 0;
    }
    const hasIcmp = memory.run(memory.kernel as never, program, from, stride, count, this.#batch.rowCount);
    const context = this.#context;
    context.isFilled = true;
    context.isAddressed = program.isAddressed;
    context.hasIcmp = hasIcmp || !program.readsProtocol;
    return count;
  }

  /** Returns where reading stopped. */
  #readVariable(plan: FieldPlan, place: DataSetPlace): number {
    const { cached: { template }, bytes, start, end } = place;
    if (this.#spans.length < template.fields.length * 2) this.#spans = new Uint32Array(template.fields.length * 2);
    const clock = this.#begin(plan, place);
    const run = this.#run;
    run.bytes = bytes;
    run.stride = 0;
    run.count = 1;
    let at = start;
    while (end - at >= template.recordBytesMin) {
      const next = locateFields(template, bytes, at, end, this.#spans);
      if (next < 0) return at;
      at = next;
      this.#result.records++;
      if (!plan.isFlow) continue;
      this.#stale.prepare(plan);
      run.row = this.#batch.rowCount;
      for (const step of plan.steps) {
        run.at = this.#spans[2 * step.fieldIndex] as number;
        run.lengthBytes = this.#spans[2 * step.fieldIndex + 1] as number;
        if (run.lengthBytes > 0 && isStepReadable(step, run.lengthBytes)) this.#readStep(step, clock, place);
        else this.#clearStep(step, run.row);
      }
      this.#finish(plan, place, 1);
    }
    // What is shorter than the shortest record is padding (RFC 7011 §3.3.1).
    return end;
  }

  /** A scratch value of the row before must not be taken for this row's. */
  #clearStep(step: PlanStep, row: number): void {
    const scratch = this.#scratch[step.target as ScratchName] as Float64Array | Uint32Array | undefined;
    if (scratch === undefined) return;
    const width = step.kind === 'ipv4' ? 4 : 1;
    scratch.fill(0, row * width, (row + 1) * width);
  }

  #begin(plan: FieldPlan, { domain, header }: DataSetPlace): UptimeClock {
    const context = this.#context;
    context.exportMs = header.exportMs;
    context.isPlaced = true;
    context.isFilled = false;
    context.isAddressed = false;
    context.hasIcmp = true;
    if (plan.needsUptime) this.#setClock(plan, domain, header);
    this.#memory.begin(domain.exporter, domain.domain, this.#clock.uptimeMs, this.#clock.unixMs);
    return this.#clock;
  }

  #setClock(plan: FieldPlan, domain: DataSetPlace['domain'], header: DataSetPlace['header']): void {
    const clock = this.#clock;
    const { systemInitMs } = domain.options;
    clock.unixMs = header.exportMs;
    if (header.version !== 10) clock.uptimeMs = header.uptimeMs;
    else if (systemInitMs !== undefined && !plan.targets.has('systemInitMs')) {
      // Modulo 2^32, as uptimes are: whatever a hostile start of the clock says, the kernel reads the same.
      clock.uptimeMs = (header.exportMs - systemInitMs) | 0;
    } else {
      // Unix time 0 at uptime 0 leaves an uptime as it is, until it is placed otherwise.
      clock.uptimeMs = 0;
      clock.unixMs = 0;
      this.#context.isPlaced = false;
    }
  }

  #finish(plan: FieldPlan, place: DataSetPlace, count: number): void {
    const first = this.#batch.rowCount;
    this.placedAtExport += finishRows(plan, this.#context, place.domain, first, first + count);
    this.#batch.rowCount += count;
    if (this.#batch.rowCount === this.#batch.capacity) this.flush();
  }

  #readStep(step: PlanStep, clock: UptimeClock, place: DataSetPlace): void {
    const run = this.#run;
    const scratch = this.#scratch[step.target as ScratchName] as Float64Array | Uint32Array | undefined;
    const target = scratch ?? this.#batch.columns[step.target as keyof FlowBatch['columns']];
    switch (step.kind) {
      case 'u8': return readRun8(run, target as Uint8Array);
      case 'u16': return readRun16(run, target as Uint16Array);
      case 'u32': return readRun32(run, target as Uint32Array);
      case 'f64': return readRunDouble(run, target as Float64Array, step.scale);
      case 'ipv4': return readRunIPv4(run, target as Uint32Array);
      case 'ipv6': return readRunIPv6(run, target as Uint32Array);
      case 'mac': return readRunMac(run, target as Uint32Array);
      case 'uptime': return readRunUptime(run, target as Float64Array, clock);
      case 'delta': return readRunDelta(run, target as Float64Array, place.header.exportMs);
      case 'microseconds': return readRunNtp(run, target as Float64Array, microsecondFractionMask);
      case 'nanoseconds': return readRunNtp(run, target as Float64Array, nanosecondFractionMask);
      case 'name': return this.#names.readNames(run, target as Uint32Array);
      case 'application': return this.#names.readApplications(run, target as Uint32Array, place.domain.options);
    }
  }
}

