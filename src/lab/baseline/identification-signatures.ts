/**
 * Signatures of device models by the identifications of their packets, what they would be worth as a veto, and the
 * points of the paper's Fig. 4b to 4d (Meidan et al. 2019).
 */
import type { WorldUnit } from '../homes/lab-world.ts';
import { homeResolver, noFlow, type DeviceTrace } from './device-trace.ts';
import type { IdSeries, IncrementCounts, IdentificationStudy, SignatureRow } from './identification-study.ts';
import { gatherIncrements, joinIncrements, type IncrementOptions } from './ipid-increments.ts';
import {
  describeIncrements, isCounting, isTicking, learnSignature, matchSignature, roundMs, stepsMin, type IdSignature,
} from './ipid-slope.ts';
import { listIdWindows } from './ipid-windows.ts';
import type { WorldTraces } from './world-traces.ts';

const hourMs = 3_600_000;
/** Steps of a device model that are kept, evenly by rank: quantiles in hundredths stay where they are. */
const stepsKept = 500;
/** A series is of so many queries at the most, as many as a figure can show. */
const pointsMax = 400;
/**
 * Of a host that counts the hour with most queries is shown; of one that follows ticks half an hour at most, without a
 * pause of half the time after which identifications begin again, so that they can be unwrapped.
 */
const countingMs = hourMs;
const tickingMs = hourMs / 2;
const roundShareMax = 0.5;
/** Hosts of one kind that an eye can follow, and the least queries that show a line. */
const seriesMax = 4;
const seriesPointsMin = 10;

type Basis = SignatureRow['basis'];
const optionsOf: Readonly<Record<Basis, Partial<IncrementOptions>>> = {
  queries: { queriesOnly: true }, packets: { queriesOnly: false },
};

type Findings = Pick<IdentificationStudy, 'signatures' | 'increments' | 'series'>;

export function studySignatures(units: readonly WorldUnit[], traces: WorldTraces): Findings {
  const whole = (unit: WorldUnit): DeviceTrace => traces.traceOf(unit.unit, 'whole');
  const models = [...Map.groupBy(units.filter((unit) => whole(unit).timeMs.length > 0),
    ({ deviceModel }) => deviceModel)].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    signatures: models.map(([deviceModel, own]) => {
      const [queries, packets] = (['queries', 'packets'] as const).map((basis) =>
        ({ basis, signature: learnSignature(own.map(whole), optionsOf[basis]) })) as [Described, Described];
      const isClear = queries.signature.idClass !== undefined || packets.signature.idClass === undefined;
      const { basis, signature } = isClear ? queries : packets;
      return { deviceModel, basis, ...rowOf(signature), ...countVetoes(deviceModel, units, basis, traces) };
    }),
    increments: models.flatMap(([deviceModel, own]) => countIncrements(deviceModel, own.map(whole))),
    series: chooseSeries(units.flatMap((unit) => listSeries(unit, whole(unit)))),
  };
}

type Described = { readonly basis: Basis; readonly signature: IdSignature };

function rowOf({ idClass, slope, slopeQuartiles, nextShare, steps }: IdSignature):
Pick<SignatureRow, 'idClass' | 'slope' | 'slopeQuartiles' | 'nextShare' | 'steps'> {
  const hasSlope = !Number.isNaN(slope);
  return {
    idClass: idClass ?? null, slope: hasSlope ? slope : null, slopeQuartiles: hasSlope ? slopeQuartiles : null,
    nextShare: Number.isNaN(nextShare) ? null : nextShare, steps,
  };
}

/** What a signature of the training parts says of hours that it has not seen. */
function countVetoes(
  deviceModel: string, units: readonly WorldUnit[], basis: Basis, traces: WorldTraces,
): Pick<SignatureRow, 'ownVetoed' | 'othersVetoed'> {
  const own = units.filter((unit) => unit.deviceModel === deviceModel);
  const training = own.map(({ unit }) => traces.traceOf(unit, 'training'));
  const { idClass } = learnSignature(training, optionsOf[basis]);
  const trainedUntilMs = new Map(own.map((unit, i) => [unit, training[i]?.timeMs.at(-1) ?? -Infinity]));
  const hours = { own: 0, others: 0 };
  const vetoed = { own: 0, others: 0 };
  for (const unit of units) {
    const whose = unit.deviceModel === deviceModel ? 'own' : 'others';
    const fromMs = trainedUntilMs.get(unit) ?? -Infinity;
    for (const { firstMs, weights } of listIdWindows(traces.traceOf(unit.unit, 'whole'), optionsOf[basis], hourMs)) {
      if (firstMs <= fromMs) continue;
      if (idClass === undefined || weights.steps < stepsMin) continue;
      hours[whose]++;
      if (matchSignature({ idClass }, weights).outcome === 'vetoed') vetoed[whose]++;
    }
  }
  const shareOf = (whose: 'own' | 'others'): number | null => hours[whose] === 0 ? null : vetoed[whose] / hours[whose];
  return { ownVetoed: shareOf('own'), othersVetoed: shareOf('others') };
}

function countIncrements(deviceModel: string, traces: readonly DeviceTrace[]): IncrementCounts[] {
  const { step } = joinIncrements(traces.map((trace) => gatherIncrements(trace, optionsOf.queries)));
  if (step.length === 0) return [];
  const sorted = step.toSorted();
  const kept = Math.min(sorted.length, stepsKept);
  const counts = new Map<number, number>();
  for (let i = 0; i < kept; i++) {
    const from = Math.floor(i * sorted.length / kept);
    const to = Math.floor((i + 1) * sorted.length / kept);
    const one = sorted[(from + to) >> 1] as number;
    counts.set(one, (counts.get(one) ?? 0) + to - from);
  }
  return [{ deviceModel, counts: [...counts] }];
}

/** Queries to the resolver that a unit asked most, of the time with most of them. */
function listSeries({ device, deviceModel }: WorldUnit, trace: DeviceTrace): IdSeries[] {
  const queries = [...trace.name.keys()].filter((i) => trace.name[i] !== 0);
  const resolverOf = (i: number): number => trace.flow[i] === noFlow ? homeResolver : trace.destination[i] as number;
  const [asked = []] = [...Map.groupBy(queries, resolverOf).values()].sort((a, b) => b.length - a.length);
  const { idClass, slope } = describeIncrements(gatherIncrements(trace, optionsOf.queries));
  if (idClass === undefined) return [];
  const timeOf = (i: number): number => trace.timeMs[i] as number;
  const busiest = findBusiest(asked, timeOf, isTicking(idClass)
    ? { lengthMs: tickingMs, gapMaxMs: roundShareMax * roundMs(idClass) }
    : { lengthMs: countingMs, gapMaxMs: countingMs });
  if (busiest.length < seriesPointsMin) return [];
  const startMs = timeOf(busiest[0] as number);
  const minutesOf = (i: number): number => Math.round((timeOf(i) - startMs) / 60) / 1_000;
  // A stretch that is cut, unlike one that is thinned, can be unwrapped.
  const points = busiest.slice(0, pointsMax).map((i) => [minutesOf(i), trace.ipId[i] as number] as const);
  return [{ device, deviceModel, idClass, slope: Number.isNaN(slope) ? null : slope, points }];
}

/** The most of them in a row within a time and without a pause. */
function findBusiest(
  asked: readonly number[], timeOf: (i: number) => number,
  { lengthMs, gapMaxMs }: { readonly lengthMs: number; readonly gapMaxMs: number },
): readonly number[] {
  let [from, to] = [0, 0];
  for (let first = 0, end = 1; first < asked.length; first++) {
    const untilMs = timeOf(asked[first] as number) + lengthMs;
    end = Math.max(end, first + 1);
    while (end < asked.length && timeOf(asked[end] as number) < untilMs &&
      timeOf(asked[end] as number) - timeOf(asked[end - 1] as number) <= gapMaxMs) end++;
    if (end - first > to - from) [from, to] = [first, end];
  }
  return asked.slice(from, to);
}

/** Of each kind that the paper shows, units of as many classes, then of as many device models, with most queries. */
function chooseSeries(all: readonly IdSeries[]): IdSeries[] {
  const sorted = all.toSorted((a, b) => b.points.length - a.points.length || (a.device < b.device ? -1 : 1));
  const models = new Set<string>();
  const ofModels = sorted.filter(({ deviceModel }) => !models.has(deviceModel) && models.add(deviceModel));
  const placeInClass = (one: IdSeries): number =>
    ofModels.filter(({ idClass }) => idClass === one.idClass).indexOf(one);
  const ranked = ofModels.toSorted((a, b) => placeInClass(a) - placeInClass(b));
  return [isCounting, isTicking].flatMap((isKind) =>
    ranked.filter(({ idClass }) => idClass !== null && isKind(idClass)).slice(0, seriesMax));
}
