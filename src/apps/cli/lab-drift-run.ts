/** One run of `natlens lab drift`: collects the device model's flows, and lets the lab look at them day by day. */
import { formatCount, formatTable, OperatorError } from '#base';
import { FlowsByUnit } from '#classifier/train';
import { checkNeeds } from '#feature';
import type { FlowBatch } from '#flow';
import { dropTemporaryFiles, type FlowSink } from '#flow/files';
import {
  createRecording, cutHours, drawDrift, loadCalibrationUnits, readTokens, watchDrift, type CalibrationUnit,
  type DriftHistory,
} from '#lab';
import {
  driftDefaults, leastSeenFall, measureReference, referenceHoursMin, type DriftHour, type DriftOptions,
} from '#verdict';
import { loadArtifact, writeWholeFile, type LoadedArtifact } from './classifier-files.ts';
import { readingOptions, settleFlowSet } from './classifier-flows.ts';
import { runFlows } from './flows-run.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { LabDriftOptions } from './lab-drift-command.ts';
import { joinUnit } from './unit-batches.ts';

/** As `--json` prints it; documented in docs/commands/lab-drift.md. */
export type DriftSummary = {
  readonly file: string;
  readonly deviceModel: string;
  readonly classifier: string;
  readonly devices: readonly string[];
  readonly test: DriftOptions;
  readonly reference: {
    readonly hours: number; readonly explainedShare: number; readonly tokenWeight: number | null;
    /** Smallest fall of the explained share that half a day shows; `null`: none. */
    readonly leastSeenFall: number | null;
  };
  readonly days: readonly {
    readonly day: string; readonly hours: number; readonly flows: number; readonly explainedShare: number;
    readonly tokenRecall: number | null; readonly p: number | null; readonly isDrifted: boolean;
  }[];
  /** When it was said first, UTC; `null`: it did not drift. */
  readonly drifted: string | null;
  readonly output: string | null;
};

/** Hours of the reference, and those that are held against it. */
type Parts = { readonly reference: readonly DriftHour[]; readonly looked: readonly DriftHour[] };
/** A unit, and the row from which on it is looked at. Those of `reference` come before. */
type SplitUnit = { readonly unit: CalibrationUnit; readonly referenceFrom: number; readonly lookedFrom: number };

/**
 * Runs the verb.
 *
 * @returns the summary, and false when an input was cut or damaged
 * @throws OperatorError     there are no flows of the device model, or too few for a reference
 * @throws EnvironmentError  the disk failed
 */
export async function runLabDrift(file: string, options: LabDriftOptions):
Promise<{ summary: DriftSummary; isComplete: boolean }> {
  const { dataset, flows, output } = options;
  if (dataset === undefined && flows.length === 0) {
    throw new OperatorError('bad-option', 'Name a --dataset, or --flows, with flows of the device model.');
  }
  const loaded = await loadArtifact(file);
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  try {
    const fromDataset = dataset === undefined ? [] : await unitsOfDataset(loaded, dataset);
    const read = flows.length === 0 ? { units: [], isComplete: true } : await readUnits(loaded, options);
    const units = [...fromDataset, ...read.units];
    const { deviceModel } = loaded.classifier;
    if (units.length === 0) throw new OperatorError('input-empty', `There are no flows of ${deviceModel}.`);
    const history = watch(deviceModel, cutParts(loaded, units, options), options);
    if (output !== undefined) await draw(output, deviceModel, history, units);
    return { isComplete: read.isComplete, summary: summarise({ file, loaded, units, history, options }) };
  } finally {
    forgetCleanUp();
  }
}

async function unitsOfDataset({ classifier }: LoadedArtifact, folder: string): Promise<SplitUnit[]> {
  const { units } = await loadCalibrationUnits(folder, [classifier]);
  return units.filter(({ deviceModel }) => deviceModel === classifier.deviceModel).map((unit) => (
    { unit, referenceFrom: unit.train, lookedFrom: unit.train + unit.validation }));
}

/** Units of flow files; all later than a data set, or begun by their own reference. */
async function readUnits({ classifier }: LoadedArtifact, { flows, dataset, reference, madeAs, quiet }: LabDriftOptions):
Promise<{ units: SplitUnit[]; isComplete: boolean }> {
  const kept = new FlowsByUnit();
  const run = await runFlows(flows, readingOptions(quiet === true), collectModel(kept, classifier.deviceModel));
  const fault = checkNeeds(classifier.needs, settleFlowSet(run.infos, madeAs));
  if (fault !== undefined) throw new OperatorError('bad-option', `The flows do not fit the classifier. ${fault}`);
  const units = kept.units().map((each): SplitUnit => {
    const joined = joinUnit(each);
    // A unit of the data set has gone on: its later flows are one more unit here.
    const unit: CalibrationUnit = { ...joined, device: `${joined.device} (--flows)`, kind: 'iot', source: 'lab' };
    return { unit, referenceFrom: 0, lookedFrom: dataset === undefined ? firstAfter(joined.flows, reference) : 0 };
  });
  return { units, isComplete: run.isComplete };
}

/** Row of the first flow that begins so long after the first one. */
function firstAfter({ columns: { flowStartMilliseconds }, rowCount }: FlowBatch, durationMs: number): number {
  const endMs = (flowStartMilliseconds[0] as number) + durationMs;
  let row = 0;
  while (row < rowCount && (flowStartMilliseconds[row] as number) < endMs) row++;
  return row;
}

function collectModel(kept: FlowsByUnit, deviceModel: string): FlowSink {
  return {
    readerGone: false, bytesWritten: 0,
    async write(batch) {
      const { columns, dictionaries } = batch;
      for (let row = 0; row < batch.rowCount; row++) {
        const name = dictionaries.device_model.decode(columns.device_model[row] as number);
        if (name === deviceModel) kept.add(batch, row);
      }
    },
    async end() {},
    async abandon() {},
  };
}

function cutParts(loaded: LoadedArtifact, units: readonly SplitUnit[], { threshold }: LabDriftOptions): Parts {
  const [tokens] = readTokens([loaded], units.map(({ unit }) => unit), threshold);
  const weights = loaded.fingerprint === undefined ? undefined : tokens?.weights;
  const cut = ({ unit }: SplitUnit, first: number, end: number): DriftHour[] => {
    const recording = createRecording(unit, unit.flows, first, end);
    return recording === undefined || tokens === undefined ? []
      : cutHours(recording, tokens.rowsOf(unit.device), weights);
  };
  return {
    reference: units.flatMap((each) => cut(each, each.referenceFrom, each.lookedFrom)),
    looked: units.flatMap((each) => cut(each, each.lookedFrom, each.unit.flows.rowCount)),
  };
}

function watch(deviceModel: string, { reference, looked }: Parts, { level, fall }: LabDriftOptions): DriftHistory {
  const measured = measureReference(reference);
  if (measured === undefined) {
    throw new OperatorError('input-empty', `The reference of ${deviceModel} has ${reference.length} recorded hours, ` +
      `and it takes ${referenceHoursMin}: record it for longer, or name a longer --reference.`);
  }
  if (looked.length === 0) {
    throw new OperatorError('input-empty', `There are no flows of ${deviceModel} after the reference.`);
  }
  return watchDrift(measured, looked, { ...driftDefaults, levelADay: level, fallMin: fall });
}

async function draw(path: string, deviceModel: string, history: DriftHistory, units: readonly SplitUnit[]):
Promise<void> {
  const isSimulated = units.some(({ unit }) => unit.source === 'simulator');
  const devices = `${units.length} ${units.length === 1 ? 'device' : 'devices'}`;
  await writeWholeFile(path, Buffer.from(drawDrift(deviceModel, history,
    `natlens lab drift, ${devices}${isSimulated ? ', simulated' : ''}`)));
}

type Found = {
  readonly file: string; readonly loaded: LoadedArtifact; readonly units: readonly SplitUnit[];
  readonly history: DriftHistory; readonly options: LabDriftOptions;
};

function summarise({ file, loaded, units, history, options }: Found): DriftSummary {
  const { reference, days, driftedMs } = history;
  return {
    file, deviceModel: loaded.classifier.deviceModel, classifier: loaded.digest,
    devices: units.map(({ unit: { device } }) => device), test: history.options,
    reference: {
      hours: reference.hours, explainedShare: reference.explained.mean,
      tokenWeight: reference.tokenWeight?.mean ?? null,
      leastSeenFall: leastSeenFall(reference, history.options) ?? null,
    },
    days: days.map(({ dayMs, tokenRecall, p, ...day }) => ({
      day: new Date(dayMs).toISOString().slice(0, 10), ...day, tokenRecall: tokenRecall ?? null, p: p ?? null,
    })),
    drifted: driftedMs === undefined ? null : new Date(driftedMs).toISOString(), output: options.output ?? null,
  };
}

/** What silence means. */
function describePower({ leastSeenFall: fall }: DriftSummary['reference']): string {
  return fall === null ? 'The reference is too short or too restless to show any fall of the explained share.'
    : `This reference shows falls of the explained share from ${fall.toFixed(2)} on within half a day.`;
}

/** The summary for people. */
export function formatDrift({ deviceModel, days, drifted, reference, test, output }: DriftSummary): string {
  const share = (value: number | null): string => (value === null ? '' : value.toFixed(3));
  const rows = days.map(({ day, hours, flows, explainedShare, tokenRecall, p, isDrifted }) => [
    day, formatCount(hours), formatCount(flows), share(explainedShare), share(tokenRecall),
    p === null ? 'too few hours' : p.toExponential(1), isDrifted ? 'drift' : '',
  ]);
  return [
    `${deviceModel}: of the reference's flows ${share(reference.explainedShare)} are explained ` +
    `(${formatCount(reference.hours)} hours)`,
    '',
    formatTable(['day (UTC)', 'hours', 'flows', 'explained', 'token recall', 'p', ''], rows),
    '',
    drifted === null ? 'It did not drift.' : `DRIFTED: said at ${drifted.slice(0, 16).replace('T', ' ')} UTC. Train ` +
      'a classifier on the new flows, and let both decide.',
    `Level ${test.levelADay} a day; falls below ${test.fallMin} are none that matter. ${describePower(reference)}`,
    ...output === null ? [] : [`drawn to ${output}`],
  ].join('\n');
}
