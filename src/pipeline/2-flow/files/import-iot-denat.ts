/**
 * The public IoT-deNAT table (Zenodo 3924770, of the paper arXiv 1905.13430) as flow records: nProbe's names, a record
 * for each outbound flow, with the device model and the data set's own partition. Column names in any order and case.
 * Quirk: start and end stand on two clocks; FIRST_SWITCHED lies 4,200 s after LAST_SWITCHED. The offset is measured on
 * the first rows (test: 'the clock offset is found, repaired and reported') and the start moved back by it; the end,
 * nearer to when the record was exported, is believed. Rows that still end before they start are rejected.
 */
import { limits } from '#base';
import { elementsPerRow, schema } from '../schema.ts';
import type { FlowBatch } from '../flow-batch.ts';
import { AddressTexts } from './cells.ts';
import {
  chooseDelimiter, fitFields, normaliseNames, planColumns, storeFields, type NprobePlan,
} from './import-nprobe.ts';
import { badColumns } from './own-text.ts';
import type { FlowReadReport } from './read-report.ts';
import { splitFields } from './text-records.ts';
import { isNothing, isRow, type RecordReader } from './text-table.ts';

/** Names that the label columns may have; the published description names `device_model` and `partition`. */
const labelNames = {
  device_model: ['DEVICE_MODEL', 'DEVICE MODEL', 'MODEL'],
  partition: ['PARTITION', 'SET'],
  device: ['DEVICE', 'DEVICE_ID', 'DEVICE_NAME', 'MAC', 'MAC_ADDRESS', 'IN_SRC_MAC'],
} as const;

/** Two clocks differ by one offset when at least this share of the rows would end before they start... */
const backwardShareMin = 0.9;
/** ...and this share of them, and so many, by the same whole second: flows of one packet, which have no duration... */
const sameSecondShareMin = 0.02;
const sameSecondRowsMin = 3;
/** ...and this share by no more than that and no less than the longest flow that an exporter keeps. */
const explainedShareMin = 0.9;
const durationMsMax = 3_600_000;
/** Fewer rows prove nothing. */
const sampleRowsMin = 20;

/** Offset between the clocks of starts and ends, or 0 when the rows do not show one. */
export function findClockOffsetMs(startMs: Float64Array, endMs: Float64Array, rowCount: number): number {
  const gaps = Array.from(startMs.subarray(0, rowCount), (start, row) => start - endMs[row]!);
  const backward = gaps.filter((gap) => gap > 0);
  if (rowCount < sampleRowsMin || backward.length < rowCount * backwardShareMin) return 0;
  const rowsOfSecond = new Map<number, number>();
  for (const gap of backward) {
    const second = Math.round(gap / 1_000);
    rowsOfSecond.set(second, (rowsOfSecond.get(second) ?? 0) + 1);
  }
  const commonMin = Math.max(sameSecondRowsMin, rowCount * sameSecondShareMin);
  const common = [...rowsOfSecond].filter(([, rows]) => rows >= commonMin).map(([second]) => second);
  const offsetSecond = Math.max(...common, 0);
  const offsetMs = Math.max(0, ...backward.filter((gap) => Math.round(gap / 1_000) === offsetSecond));
  const explained = backward.filter((gap) => gap <= offsetMs && gap >= offsetMs - durationMsMax);
  return explained.length >= rowCount * explainedShareMin ? offsetMs : 0;
}

/** Reader of the table. @param sampleRowsMax  rows, of the first batch, on which the clock offset is decided */
export function createIotDenatReader(
  report: FlowReadReport, sampleRowsMax: number = limits.clockSampleRows,
): RecordReader {
  return new IotDenatReader(report, sampleRowsMax);
}

class IotDenatReader implements RecordReader {
  readonly quoted = true;
  readonly #report: FlowReadReport;
  readonly #sampleRowsMax: number;
  readonly #addresses = new AddressTexts();
  #delimiter = '';
  #plan: NprobePlan | undefined;
  #labels: readonly { readonly name: keyof typeof labelNames; readonly at: number }[] = [];
  /** Undefined until the first rows have decided it. */
  #offsetMs: number | undefined;
  /** Line of each row of the batch, for rejections that come later. */
  #lines: number[] = [];

  constructor(report: FlowReadReport, sampleRowsMax: number) {
    this.#report = report;
    this.#sampleRowsMax = sampleRowsMax;
  }

  read(text: string, batch: FlowBatch, row: number, line: number): string {
    if (this.#plan === undefined) {
      this.#readHeader(text);
      return isNothing;
    }
    const fields = fitFields(text, this.#delimiter, this.#plan.fieldCount);
    if (typeof fields === 'string') return fields;
    const problem = storeFields(batch, row, fields, this.#plan, this.#addresses, this.#report);
    if (problem !== '') return problem;
    for (const { name, at } of this.#labels) {
      batch.columns[name][row] = batch.dictionaries[name].encode(fields[at]!.trim());
    }
    this.#lines[row] = line;
    return isRow;
  }

  #readHeader(text: string): void {
    this.#delimiter = chooseDelimiter(text);
    const names = normaliseNames(splitFields(text, this.#delimiter, true) ?? text.split(this.#delimiter));
    this.#plan = planColumns(names, 'IoT-deNAT table', false, this.#report);
    this.#labels = (['device_model', 'partition', 'device'] as const).flatMap((name) => {
      const found = labelNames[name].find((candidate) => names.includes(candidate));
      return found === undefined ? [] : [{ name, at: names.indexOf(found) }];
    });
    const hasLabel = (label: string): boolean => this.#labels.some(({ name }) => name === label);
    if (!hasLabel('device_model')) throw badColumns('IoT-deNAT table', ['device_model']);
    if (!hasLabel('partition')) this.#report.note('There is no partition column.');
    if (this.#plan.source[0]! < 0) this.#report.note('There is no column IPV4_SRC_ADDR: sourceAddress is empty.');
  }

  settle(batch: FlowBatch): void {
    const { flowStartMilliseconds, flowEndMilliseconds } = batch.columns;
    if (this.#offsetMs === undefined) {
      const sampleRows = Math.min(batch.rowCount, this.#sampleRowsMax);
      this.#offsetMs = findClockOffsetMs(flowStartMilliseconds, flowEndMilliseconds, sampleRows);
      if (this.#offsetMs > 0) {
        const seconds = this.#offsetMs / 1_000;
        this.#report.note(`Flows start ${seconds} s after they end: two clocks; all starts are moved back by that.`);
      }
    }
    let kept = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      flowStartMilliseconds[row]! -= this.#offsetMs;
      if (flowEndMilliseconds[row]! >= flowStartMilliseconds[row]!) moveRow(batch, row, kept++);
      else this.#report.reject(`line ${this.#lines[row]}`, 'the flow ends before it starts');
    }
    batch.rowCount = kept;
    if (this.#offsetMs > 0) this.#report.repaired.add('clock-offset', kept);
  }
}

function moveRow(batch: FlowBatch, from: number, to: number): void {
  if (from === to) return;
  for (const column of schema) {
    const width = elementsPerRow(column.storage);
    batch.columns[column.name].copyWithin(to * width, from * width, (from + 1) * width);
  }
}
