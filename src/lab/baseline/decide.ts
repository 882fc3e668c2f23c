/** Decisions that methods share: a score of their own, or the score that hardly any home without the device reaches. */
import { budgetDays } from '#verdict';
import type { CalibrationInput, HomeDecision } from './home-method.ts';

/**
 * Present from a score on that the method brings along.
 *
 * @param group  as `HomeDecision` has it
 */
export function decideByRule(presentFrom: number, group: readonly string[] = []): HomeDecision {
  return { isPresent: (score) => score >= presentFrom, group, unfit: undefined };
}

/** Present in no home. @param unfit  why, in a word for reports */
export function decideNever(unfit: string): HomeDecision {
  return { isPresent: () => false, group: [], unfit };
}

/**
 * Present where the conformal p-value (Vovk, Gammerman, Shafer 2005) of a home and day is within the budget of a day.
 * Ties count against it: with few homes no score is high enough.
 */
export function decideConformally(
  { nullScores, budget: { perMonth } }: Pick<CalibrationInput, 'nullScores' | 'budget'>,
): HomeDecision {
  const ascending = nullScores();
  // p(s) = (1 + homes with s or more) / (homes + 1) must be at most the budget of a day.
  const above = Math.floor(perMonth / budgetDays * (ascending.length + 1) + 1e-9) - 1;
  if (above < 0) return decideNever('few-home-days');
  const highestRefused = ascending[ascending.length - 1 - above] ?? 0;
  return { isPresent: (score) => score > highestRefused && score > 0, group: [], unfit: undefined };
}
