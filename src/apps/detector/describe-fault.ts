/** Why a classifier's verdicts do not keep to a stated rate, in words for operators and help desks, and what to do. */
import type { FalseAlarmBudget, UncalibratedCode } from '#verdict';

/** `2026-01-02 03:04 UTC`. */
export function formatMinute(timeMs: number): string {
  if (!Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15) return 'an unknown time';
  return `${new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** `3 in 1,000`. */
export function formatShare(share: number): string {
  const digits = Math.max(0, Math.ceil(-Math.log10(share) - 1e-9));
  return `${(Math.round(share * 10 ** digits * 100) / 100).toLocaleString('en')} in ${
    (10 ** digits).toLocaleString('en')}`;
}

/** @param expiresMs  of its calibration, on the wall clock; undefined: it has none */
export function describeFault(
  fault: UncalibratedCode, expiresMs: number | undefined, { perMonth }: FalseAlarmBudget,
): string {
  switch (fault) {
    case 'not-calibrated':
      return 'It carries no calibration, so that nobody knows how often it is wrong: it decides by distinct tokens. ' +
        'Calibrate it (natlens calibrate), or put a calibrated release of it into the folder.';
    case 'few-home-days':
      return `It was calibrated on too few homes for a rate of ${formatShare(perMonth)} homes a month. Calibrate it ` +
        'on more (natlens detect sketch, natlens calibrate), or allow more with verdict.false_alarms.';
    case 'not-separable':
      return `Homes without its device model show as much as homes with it, so that no rate of ${
        formatShare(perMonth)} homes a month can be kept. Allow more with verdict.false_alarms, or take a classifier ` +
        'that was trained against what these homes have.';
    case 'expired':
      return `It is out of date${expiresMs === undefined ? '' : ` since ${formatMinute(expiresMs)}`}: device models ` +
        'and their servers change. Put a newer release of it into the folder, or calibrate it anew.';
    case 'drifted':
      return 'Homes that have its device model show less of it than they did: the device model or its servers ' +
        'changed. Put a newer release of it into the folder (natlens lab drift shows since when).';
    default:
      return fault satisfies never;
  }
}
