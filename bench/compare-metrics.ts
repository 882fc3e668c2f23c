/** Figures of a detector on judged flows: how well scores tell a device model's own flows from those of others. */

export type Figures = {
  /** Area under the ROC curve: how often another flow scores higher than an own one, ties half. */
  readonly auc: number;
  /** The same against flows of other IoT device models alone. */
  readonly aucIot: number;
  readonly defaultTpr: number;
  readonly defaultFpr: number;
  readonly p10Tpr: number;
  readonly p10Fpr: number;
  /** Share of other flows accepted where the threshold accepts nine tenths of the judged own ones. */
  readonly fprAtTpr90: number;
};

/** @param own  scores of the device model's flows, `iot` and `computers` those of others; at least one each */
export function judgeScores(
  { own, iot, computers }: { own: Float64Array; iot: Float64Array; computers: Float64Array },
  { byDefault, p10 }: { byDefault: number; p10: number },
): Figures {
  const others = Float64Array.of(...iot, ...computers).sort();
  const ascending = own.toSorted();
  const accepted = (scores: Float64Array, threshold: number): number => upTo(scores, threshold) / scores.length;
  return {
    auc: areaUnder(ascending, others), aucIot: areaUnder(ascending, iot.toSorted()),
    defaultTpr: accepted(ascending, byDefault), defaultFpr: accepted(others, byDefault),
    p10Tpr: accepted(ascending, p10), p10Fpr: accepted(others, p10),
    fprAtTpr90: accepted(others, ascending[Math.ceil(own.length * 0.9) - 1] as number),
  };
}

/** How many of sorted scores are not above a threshold. */
function upTo(ascending: Float64Array, threshold: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) <= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

function areaUnder(own: Float64Array, others: Float64Array): number {
  let sum = 0;
  let [below, level] = [0, 0];
  for (const score of own) {
    while (below < others.length && (others[below] as number) < score) below++;
    if (level < below) level = below;
    while (level < others.length && (others[level] as number) === score) level++;
    sum += others.length - level + (level - below) / 2;
  }
  return sum / (own.length * others.length);
}

/** Means of figures, each by itself. */
export function meanFigures(all: readonly Figures[]): Figures {
  const mean = (read: (figures: Figures) => number): number =>
    all.reduce((sum, figures) => sum + read(figures), 0) / all.length;
  return {
    auc: mean(({ auc }) => auc), aucIot: mean(({ aucIot }) => aucIot),
    defaultTpr: mean(({ defaultTpr }) => defaultTpr), defaultFpr: mean(({ defaultFpr }) => defaultFpr),
    p10Tpr: mean(({ p10Tpr }) => p10Tpr), p10Fpr: mean(({ p10Fpr }) => p10Fpr),
    fprAtTpr90: mean(({ fprAtTpr90 }) => fprAtTpr90),
  };
}
