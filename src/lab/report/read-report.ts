/**
 * Reads `report.json` of an experiment. It may come from elsewhere, so every field that is drawn is looked at first; a
 * number that is not known (`null`: JSON has no NaN) is drawn as unknown.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, limits, OperatorError } from '#base';
import type { DeviceTimeline, ExperimentDetails, ExperimentReport, ExperimentResult,
  Rates } from '../evaluate/results.ts';

export type FoundReport = { readonly path: string; readonly report: ExperimentReport };

/**
 * The report's data.
 *
 * @param path  `report.json`, or the folder of an experiment, which holds it
 * @throws OperatorError  `input-unreadable`, or `input-unknown-kind`: it is something else
 */
export async function readReport(path: string): Promise<FoundReport> {
  const found = await stat(path).catch(() => undefined);
  const file = found?.isDirectory() === true ? join(path, 'report.json') : path;
  let text: string;
  try {
    if ((await stat(file)).size > limits.reportBytesMax) throw new Error('it is larger than a report may be');
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    const isAbsent = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    const why = !isAbsent ? describeError(thrown) : file === path ? 'there is no such file'
      : 'there is no such file; natlens lab experiment writes it';
    throw new OperatorError('input-unreadable', `Cannot read ${file}: ${why}.`, thrown);
  }
  try {
    return { path: file, report: parseReport(JSON.parse(text)) };
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError || thrown instanceof ShapeError)) throw thrown;
    // Node quotes the text that it stumbled over, which may be long.
    const why = thrown instanceof ShapeError ? thrown.message : 'it is not valid JSON';
    throw new OperatorError('input-unknown-kind', `${file} is no report of natlens lab experiment: ${why}.`, thrown);
  }
}

class ShapeError extends Error {}

/** A value as a report. @throws ShapeError  it is none; the message names the field */
export function parseReport(value: unknown): ExperimentReport {
  const report = new Fields(value, 'the file');
  const dataset = report.inner('dataset');
  return {
    dataset: {
      name: dataset.text('name'), isSimulated: dataset.flag('isSimulated'), devices: dataset.number('devices'),
      flows: dataset.number('flows'), note: dataset.text('note'),
      deviceModels: dataset.list('deviceModels').map((model) => ({
        deviceModel: model.text('deviceModel'), kind: model.text('kind') === 'iot' ? 'iot' : 'non-iot',
        devices: model.number('devices'), flows: model.number('flows'),
      })),
    },
    results: report.list('results').map(parseResult),
    details: report.list('details').map(parseDetails),
    timelines: report.list('timelines').map(parseTimeline),
  };
}

function parseResult(fields: Fields): ExperimentResult {
  const flows = fields.inner('flows');
  const [low = Number.NaN, high = Number.NaN] = fields.numbers('aucInterval');
  return {
    ...parseCell(fields),
    flows: { train: flows.number('train'), validation: flows.number('validation'), test: flows.number('test') },
    auc: fields.number('auc'), aucInterval: [low, high], default: parseRates(fields.inner('default')),
    percentiles: fields.list('percentiles').map((point) => ({ p: point.number('p'), ...parseRates(point) })),
    fprAtTpr90: fields.number('fprAtTpr90'), deviceMacroFpr: fields.number('deviceMacroFpr'),
    trainSeconds: fields.number('trainSeconds'), artifactBytes: fields.number('artifactBytes'),
    interArrivalSeconds: fields.knownNumber('interArrivalSeconds'),
      durationSeconds: fields.knownNumber('durationSeconds'),
    timeToDetectSeconds: fields.knownNumber('timeToDetectSeconds'),
    homesAlarmedByOneFlow: fields.number('homesAlarmedByOneFlow'),
    confusers: fields.list('confusers').map((one) =>
      ({ deviceModel: one.text('deviceModel'), share: one.number('share'), because: one.texts('because') })),
    unfit: fields.texts('unfit'),
  };
}

type Cell = Pick<ExperimentResult, 'deviceModel' | 'algorithm' | 'catalog' | 'seed'>;

function parseCell(fields: Fields): Cell {
  return { deviceModel: fields.text('deviceModel'), algorithm: fields.text('algorithm'),
    catalog: fields.text('catalog'),
    seed: fields.number('seed') };
}

function parseRates(fields: Fields): Rates {
  return { tpr: fields.number('tpr'), fpr: fields.number('fpr') };
}

function parseDetails(fields: Fields): ExperimentDetails {
  const shares = fields.inner('acceptedShare');
  return {
    ...parseCell(fields),
    roc: fields.pairs('roc'), ownScores: fields.numbers('ownScores'), otherScores: fields.numbers('otherScores'),
    acceptedShare: Object.fromEntries(shares.names().map((name) => [name, shares.number(name)])),
  };
}

function parseTimeline(fields: Fields): DeviceTimeline {
  const startMs = fields.number('startMs');
  const sliceMs = fields.number('sliceMs');
  const flows = fields.numbers('flows');
  // What a date can hold (ECMA-262, 21.4.1.1); beyond it there is nothing to draw.
  if (!(Math.abs(startMs) <= 8.64e15 && sliceMs > 0 && startMs + sliceMs * flows.length <= 8.64e15)) {
    throw new ShapeError('the times of a timeline are no times');
  }
  return { device: fields.text('device'), deviceModel: fields.text('deviceModel'), startMs, sliceMs, flows,
    octets: fields.numbers('octets') };
}

/** An object of unknown shape whose fields are asked for by name and kind. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null ||
      Array.isArray(value)) throw new ShapeError(`${where} is no object`);
    this.#values = value as Readonly<Record<string, unknown>>;
    this.#where = where;
  }

  names(): string[] {
    return Object.keys(this.#values);
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  #fail(name: string, kind: string): never {
    throw new ShapeError(`${name} of ${this.#where} is no ${kind}`);
  }

  text(name: string): string {
    const value = this.#get(name);
    return typeof value === 'string' ? value : this.#fail(name, 'text');
  }

  flag(name: string): boolean {
    const value = this.#get(name);
    return typeof value === 'boolean' ? value : this.#fail(name, 'true or false');
  }

  /** NaN where it is not known: left out, or `null`. */
  number(name: string): number {
    return this.knownNumber(name) ?? Number.NaN;
  }

  knownNumber(name: string): number | null {
    const value = this.#get(name) ?? null;
    return value === null || typeof value === 'number' ? value : this.#fail(name, 'number');
  }

  #array(name: string): unknown[] {
    const value = this.#get(name);
    return Array.isArray(value) ? value : this.#fail(name, 'list');
  }

  inner(name: string): Fields {
    return new Fields(this.#get(name), `${name} of ${this.#where}`);
  }

  list(name: string): Fields[] {
    return this.#array(name).map((value, i) => new Fields(value, `${name}[${i}]`));
  }

  texts(name: string): string[] {
    return this.#array(name).map((value) => typeof value === 'string' ? value : this.#fail(name, 'list of texts'));
  }

  numbers(name: string): number[] {
    return this.#array(name).map((value) => typeof value === 'number' ? value : this.#fail(name, 'list of numbers'));
  }

  pairs(name: string): [number, number][] {
    return this.#array(name).map((value) => {
      const pair: unknown[] = Array.isArray(value) ? value : [];
      const [x, y] = pair;
      return pair.length === 2 && typeof x === 'number' && typeof y === 'number' ? [x, y]
        : this.#fail(name, 'list of pairs of numbers');
    });
  }
}
