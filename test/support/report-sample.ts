/**
 * A made-up experiment in the shape of a real one: 7 device models, 3 algorithms, 2 catalogs, 5 seeds, the curves,
 * scores, confusions and timelines that go with them. For tests of the report; no number in it was measured.
 */
import { Random } from '#base';
import type { ExperimentDetails, ExperimentReport, ExperimentResult } from '#lab';

export type SampleOptions = {
  readonly seed?: number;
  readonly deviceModels?: number;
  readonly algorithms?: readonly string[];
  readonly catalogs?: readonly string[];
  readonly seeds?: number;
  readonly hasDetails?: boolean;
  readonly isSimulated?: boolean;
};

const iotModels = ['webcam.Example.Cam_100', 'webcam.Sample_Works.IPC_723S', 'plug.Example.Socket_2',
  'light.Bright.Bulb_A19', 'hub.Example.Bridge_3', 'speaker.Sample_Works.Tone_5', 'lock.Bright.Secure_Link'];
const otherModels = ['pc.Any.Desktop', 'phone.Any.Handset', 'printer.Any.Laser_1', 'tv.Any.Smart_55'];

/** A report, the same for the same options. */
export function makeReportSample(options: SampleOptions = {}): ExperimentReport {
  const random = new Random(options.seed ?? 1);
  const models = iotModels.slice(0, options.deviceModels ?? iotModels.length);
  const flows = new Map([...models, ...otherModels].map((name, i) => [name, Math.round(24_000 / (i + 1)) + 613]));
  const results: ExperimentResult[] = [];
  const details: ExperimentDetails[] = [];
  for (const algorithm of options.algorithms ?? ['isolation-forest', 'chow-liu-tree', 'one-class-svm']) {
    for (const catalog of options.catalogs ?? ['paper', 'portable']) {
      for (const [index, deviceModel] of models.entries()) {
        // How far own and others' scores lie apart: better with the tree, better with the portable catalog.
        const gap = (algorithm === 'chow-liu-tree' ? 0.30 : 0.17) + (catalog === 'portable' ? 0.08 : 0) - 0.012 * index;
        for (let seed = 1; seed <= (options.seeds ?? 5); seed++) {
          const cell = { deviceModel, algorithm, catalog, seed };
          const made = makeCell({ random, gap: gap + random.normal(0, 0.01), own: flows.get(deviceModel) ?? 0,
            all: [...flows.values()].reduce((sum, count) => sum + count, 0) });
          results.push({ ...cell, ...made.result, confusers: index === 1 && models.length > 1
            ? [{ deviceModel: models[0] as string, share: 0.19, because: ['destinationPortClass', 'serverOwner'] }]
              : [],
          unfit: index === 6 ? ['validation-drift'] : [] });
          if (options.hasDetails !== false && seed === 1) {
            details.push({ ...cell, ...made.drawn, acceptedShare: makeShares(random, [...flows.keys()], index) });
          }
        }
      }
    }
  }
  return {
    dataset: {
      name: 'sample lab', isSimulated: options.isSimulated ?? true, devices: flows.size * 2,
      flows: [...flows.values()].reduce((sum, count) => sum + count, 0), note: 'Made by a test from a seed.',
      deviceModels: [...flows].map(([deviceModel, count]) =>
        ({ deviceModel, kind: iotModels.includes(deviceModel) ? 'iot' : 'non-iot', devices: 2, flows: count })),
    },
    results, details,
    timelines: [...flows.keys()].map((deviceModel, i) => makeTimeline(random, deviceModel, i)),
  };
}

type CellOptions = { readonly random: Random; readonly gap: number; readonly own: number; readonly all: number };

/** Scores drawn from two bells, and every number that follows from them. */
function makeCell({ random, gap, own, all }: CellOptions) {
  const bins = 50;
  const [ownTest, otherTest] = [Math.round(own * 0.2), Math.round((all - own) * 0.2)];
  const draw = (count: number, center: number): number[] => {
    const counts = Array.from({ length: bins }, () => 0);
    for (let i = 0; i < count; i++) {
      const bin = Math.min(bins - 1, Math.max(0, Math.floor(random.normal(center, 0.09) * bins)));
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    return counts;
  };
  const [ownScores, otherScores] = [draw(ownTest, 0.38), draw(otherTest, 0.38 + gap)];
  const roc: [number, number][] = [[0, 0]];
  let [tpr, fpr, auc] = [0, 0, 0];
  for (let i = 0; i < bins; i++) {
    const before = { tpr, fpr };
    tpr += (ownScores[i] ?? 0) / ownTest;
    fpr += (otherScores[i] ?? 0) / otherTest;
    auc += (fpr - before.fpr) * (tpr + before.tpr) / 2;
    roc.push([fpr, tpr]);
  }
  const fprAt = (wanted: number): number => roc.find(([, rate]) => rate >= wanted)?.[0] ?? 1;
  const percentiles = Array.from({ length: 31 }, (_, p) => {
    const rate = Math.max(0.02, 1 - p / 100 - 0.03);
    return { p, tpr: rate, fpr: fprAt(rate) };
  });
  return {
    result: {
      flows: { train: Math.round(own * 0.7), validation: Math.round(own * 0.1), test: ownTest },
      auc, aucInterval: [auc - 0.006, Math.min(1, auc + 0.005)] as const,
      default: { tpr: 0.8, fpr: fprAt(0.8) }, percentiles, fprAtTpr90: fprAt(0.9), deviceMacroFpr: fprAt(0.87) * 0.8,
      trainSeconds: 0.05 + random.uniform(), artifactBytes: 3000 + random.integer(0, 900_000),
      interArrivalSeconds: 200 + random.integer(0, 300), durationSeconds: 20, timeToDetectSeconds: 220 +
        random.integer(0, 300),
      homesAlarmedByOneFlow: Math.min(1, fprAt(0.87) * 3),
    },
    drawn: { roc, ownScores, otherScores },
  };
}

function makeShares(random: Random, names: readonly string[], own: number): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name,
    i === own ? 0.85 + random.uniform() * 0.1 : random.chance(0.4) ? 0 : own === 1 &&
      i === 0 ? 0.19 : random.uniform() * 0.04]));
}

/** Two days in half hours, busier by day. */
function makeTimeline(random: Random, deviceModel: string, index: number) {
  const flows = Array.from({ length: 96 }, (_, slice) =>
    Math.max(0, Math.round(random.normal(20 + 18 * Math.sin(slice / 48 * 2 * Math.PI), 5))));
  return {
    device: `02:00:00:00:00:${String(index + 10)}`, deviceModel, startMs: 1_700_000_000_000, sliceMs: 1_800_000,
    flows, octets: flows.map((count) => count * random.integer(400, 9000)),
  };
}
