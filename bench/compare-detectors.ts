/**
 * How well detectors and catalogs find a device model's flows on real captures: the figures of docs/detectors.md. Run
 * by hand: `node bench/compare-detectors.ts [--data FOLDER] [--set captures|tables] [--part inner|test] [--only TEXT]
 * [--others all|known|unknown] [--seeds N] [--models] [--variants]`. FOLDER holds `data` and `oracle`, by default those
 * beside the project; --models tells of each device model, --variants tries other options too.
 *
 * Of each unit the earliest 70 % of its flows train, the next 10 % validate, the latest 20 % test. `--part inner`, the
 * default, plays the same game within the first 80 % and never reads the test part: detectors, catalogs and options are
 * chosen there. `--part test` makes the final table. No detector ever sees another device model's flows. `--others
 * known` judges by every second of the other device models only, `unknown` by the rest.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readCaptures, readTables, type LabFlows } from './compare-flows.ts';
import { listContenders } from './compare-contenders.ts';
import { meanFigures, type Figures } from './compare-metrics.ts';
import { LabFeatures, pickOthers, runContender, splitUnits, type Others, type Outcome } from './compare-run.ts';

/** Flows that a unit's device model needs to be judged. */
const flowsMin = 500;

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: fileURLToPath(new URL('../../shared', import.meta.url)) },
    set: { type: 'string', default: 'captures,tables' },
    part: { type: 'string', default: 'inner' },
    others: { type: 'string', default: 'all' },
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '5' },
    models: { type: 'boolean', default: false },
    variants: { type: 'boolean', default: false },
  },
});

const readers: Readonly<Record<string, () => Promise<LabFlows>>> = {
  captures: () => readCaptures(join(values.data, 'data')),
  tables: async () => readTables(join(values.data, 'oracle/flows')),
};

const titles = ['AUC', 'AUC, IoT only', 'default TPR', 'FPR', 'P10 TPR', 'FPR', 'FPR at TPR .9'];

function formatFigures(figures: Figures): string {
  const { auc, aucIot, defaultTpr, defaultFpr, p10Tpr, p10Fpr, fprAtTpr90 } = figures;
  return [auc, aucIot, defaultTpr, defaultFpr, p10Tpr, p10Fpr, fprAtTpr90].map((value) => value.toFixed(3)).join(' | ');
}

function formatCosts({ fitMs, bytes, microsecondsPerRow }: Omit<Outcome, 'figures'>): string {
  return [fitMs.toFixed(0), (bytes / 1000).toFixed(1), microsecondsPerRow.toFixed(2)].join(' | ');
}

function printOutcome(name: string, models: ReadonlyMap<string, Outcome>): void {
  const all = [...models.values()];
  const mean = (read: (outcome: Outcome) => number): number =>
    all.reduce((sum, one) => sum + read(one), 0) / all.length;
  const figures = meanFigures(all.map((outcome) => outcome.figures));
  const least = Math.min(...all.map((outcome) => outcome.figures.auc));
  const costs = formatCosts({
    fitMs: mean(({ fitMs }) => fitMs), bytes: mean(({ bytes }) => bytes),
    microsecondsPerRow: mean(({ microsecondsPerRow }) => microsecondsPerRow),
  });
  console.log(`| ${name} | ${formatFigures(figures)} | ${least.toFixed(3)} | ${costs} |`);
  if (!values.models) return;
  for (const [model, outcome] of models) {
    console.log(`| — ${model} | ${formatFigures(outcome.figures)} | | ${formatCosts(outcome)} |`);
  }
}

function readOthers(text: string): Others {
  if (text === 'all' || text === 'known' || text === 'unknown') return text;
  throw new Error(`--others is all, known or unknown, not ${text}`);
}

if (!existsSync(values.data)) {
  console.log(`Skipped: there is no folder ${values.data} with captures; --data names another.`);
} else {
  const seeds = Array.from({ length: Number(values.seeds) }, (_, seed) => seed);
  for (const set of values.set.split(',')) {
    const flows = await (readers[set] ?? (() => { throw new Error(`there is no set ${set}`); }))();
    const parts = splitUnits(flows, values.part === 'test' ? 1 : 0.8, flowsMin);
    const lab = { features: new LabFeatures(flows.batch), parts, others: pickOthers(parts, readOthers(values.others)) };
    console.log(`\n${set}, ${values.part} part, ${values.others} others: ` +
      `${parts.judged.length} flows of ${flows.units.length} units are judged, ` +
      `${parts.models.length} device models (${parts.models.map(({ model }) => model).join(', ')}), ` +
      `means of ${seeds.length} seeds\n`);
    console.log(`| detector | ${titles.join(' | ')} | least AUC | fit, ms | kB | µs a flow |`);
    console.log(`|---|${titles.map(() => '---|').join('')}---|---|---|---|`);
    for (const contender of listContenders(values.variants)) {
      if (!contender.name.includes(values.only)) continue;
      printOutcome(contender.name, new Map(parts.models.map((model) =>
        [model.model, runContender(contender, lab, model, seeds)])));
    }
  }
}
