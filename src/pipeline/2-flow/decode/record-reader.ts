/**
 * Runs the plan of a template over the records of a data set and fills a FlowBatch, field by field over all records.
 * Columns that no field fills stay at their defaults: rows are cleared when a batch was emitted. Never keeps bytes.
 */
import { createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import type { EmitFlows } from '../l7/namer.ts';
import { schema } from '../schema.ts';
import {
  readRun16, readRun32, readRun8, readRunDouble, readRunIPv4, readRunIPv6, readRunMac, type Run,
} from './field-kernels.ts';
import { isStepReadable, planFields, type FieldPlan, type PlanStep, type ScratchName } from './field-plan.ts';
import type { DataSetReader, DataSetPlace, DataSetResult } from './export-walker.ts';
import { finishRows, type FinishContext, type Scratch } from './finish-rows.ts';
import { NameReader } from './name-reader.ts';
import { locateFields } from './template.ts';
import {
  microsecondFractionMask, nanosecondFractionMask, readRunDelta, readRunNtp, readRunUptime, type UptimeClock,
} from './times.ts';

export type RecordReaderOptions = { readonly batchRows: number; readonly renormalise: boolean };

const scratchNames: readonly ScratchName[] = [
  'durationMs', 'observedMs', 'systemInitMs', 'sampler', 'interval', 'packets', 'space', 'icmpType4', 'icmpCode4',
  'icmpType6', 'icmpCode6', 'biflowDirection',
];

/** Unix time 0 at uptime 0: leaves an uptime as it is, until it is placed otherwise. */
const noClock: UptimeClock = { uptimeMs: 0, unixMs: 0 };

export class RecordReader implements DataSetReader {
  readonly #batch: FlowBatch;
  readonly #emit: EmitFlows;
  readonly #names: NameReader;
  readonly #scratch: Scratch;
  readonly #context: FinishContext;
  readonly #run: Run = { bytes: new Uint8Array(0), at: 0, lengthBytes: 0, stride: 0, count: 0, row: 0 };
  readonly #result: DataSetResult = { end: 0, records: 0, flows: 0 };
  #spans = new Uint32Array(128);
  /** Flows that could only be placed at the export time. */
  placedAtExport = 0;

  constructor(options: RecordReaderOptions, emit: EmitFlows, dictionaries?: Dictionaries) {
    this.#batch = createFlowBatch(options.batchRows, dictionaries);
    this.#emit = emit;
    this.#names = new NameReader(this.#batch);
    const rows = this.#batch.capacity;
    this.#scratch = {
      ...Object.fromEntries(scratchNames.map((name) => [name, new Float64Array(rows)])),
      sourceIPv4: new Uint32Array(rows * 4), destinationIPv4: new Uint32Array(rows * 4),
    } as Scratch;
    this.#context = {
      batch: this.#batch, scratch: this.#scratch, renormalise: options.renormalise, exportMs: 0, isPlaced: true,
    };
  }

  /** Flows with an application id that has no name. */
  get unexplainedApplications(): number {
    return this.#names.unexplainedCount;
  }

  /** Reads the records of a set; what is behind `end` of the result was not read. Valid until the next call. */
  read(place: DataSetPlace): DataSetResult {
    const { cached, domain, bytes, start, end } = place;
    const plan = cached.plan ??= planFields(domain.version, cached.template);
    const result = this.#result;
    result.records = 0;
    result.flows = 0;
    if (cached.template.isFixed) this.#readFixed(plan, place);
    else result.end = this.#readVariable(plan, place);
    if (cached.template.isFixed) {
      const stride = cached.template.recordBytesMin;
      result.records = Math.floor((end - start) / stride);
      result.end = start + result.records * stride;
    }
    if (plan.isFlow) result.flows = result.records;
    this.#run.bytes = bytes;
    return result;
  }

  /** Emits the rows that are there. */
  flush(): void {
    const batch = this.#batch;
    if (batch.rowCount === 0) return;
    this.#emit(batch);
    for (const { name } of schema) batch.columns[name].fill(0);
    batch.rowCount = 0;
  }

  #readFixed(plan: FieldPlan, place: DataSetPlace): void {
    if (!plan.isFlow) return;
    const { cached, start, end } = place;
    const stride = cached.template.recordBytesMin;
    const clock = this.#begin(plan, place);
    let at = start;
    for (let left = Math.floor((end - start) / stride); left > 0;) {
      const count = Math.min(left, this.#batch.capacity - this.#batch.rowCount);
      const run = this.#run;
      run.stride = stride;
      run.count = count;
      run.row = this.#batch.rowCount;
      for (const step of plan.steps) {
        run.at = at + step.offset;
        run.lengthBytes = step.lengthBytes;
        this.#readStep(step, clock, place);
      }
      this.#finish(plan, place, count);
      at += count * stride;
      left -= count;
    }
  }

  /** Returns where reading stopped. */
  #readVariable(plan: FieldPlan, place: DataSetPlace): number {
    const { cached: { template }, bytes, start, end } = place;
    if (this.#spans.length < template.fields.length * 2) this.#spans = new Uint32Array(template.fields.length * 2);
    const clock = this.#begin(plan, place);
    const run = this.#run;
    run.stride = 0;
    run.count = 1;
    let at = start;
    while (end - at >= template.recordBytesMin) {
      const next = locateFields(template, bytes, at, end, this.#spans);
      if (next < 0) return at;
      at = next;
      this.#result.records++;
      if (!plan.isFlow) continue;
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

  #begin(plan: FieldPlan, { domain, header, bytes }: DataSetPlace): UptimeClock {
    const context = this.#context;
    this.#run.bytes = bytes;
    context.exportMs = header.exportMs;
    context.isPlaced = true;
    if (!plan.needsUptime) return noClock;
    if (header.version !== 10) return { uptimeMs: header.uptimeMs, unixMs: header.exportMs };
    const { systemInitMs } = domain.options;
    if (systemInitMs !== undefined && !plan.targets.has('systemInitMs')) {
      return { uptimeMs: header.exportMs - systemInitMs, unixMs: header.exportMs };
    }
    context.isPlaced = false;
    return noClock;
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

