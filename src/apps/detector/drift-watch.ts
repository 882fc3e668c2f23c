/**
 * Does a device model still show what its classifier knows of it? Judged by homes in which it was found before: of
 * each, day by day, whether any window reached what the device model's own windows reach in nineteen of twenty hours (a
 * share of it, `ownFloor`, which is fixed in the artifact). Devices are switched off and given away one by one; when
 * many homes fall silent on one day, the device model or its servers changed.
 *
 * The homes of one detector say little about explained flows, which is what the lab holds against its reference
 * (`natlens lab drift`): behind a NAT nobody knows which flows are the device's.
 */
import { clopperPearsonUpper } from '#verdict';

/** Share of the homes with a device model in which it may well be switched off all day. */
const silentShareMax = 0.25;
/** Confidence that it is more, from which on the classifier has drifted: once in 10,000 days by chance. */
const confidence = 0.9999;
/** Homes below which nothing is said, and the share of silent ones up to which all is well again. */
const homesMin = 5;
const silentShareWell = 0.1;

export type DriftFinding = { readonly digest: string; readonly isDrifted: boolean };

export class DriftWatch {
  /** By digest, of the days since the last look. */
  readonly #homes = new Map<string, { known: number; silent: number }>();

  /** A day of a home is over in which the device model was known to be. */
  note(digest: string, isSilent: boolean): void {
    let counts = this.#homes.get(digest);
    if (counts === undefined) this.#homes.set(digest, counts = { known: 0, silent: 0 });
    counts.known++;
    if (isSilent) counts.silent++;
  }

  /** What these days say; of classifiers that they say nothing about, nothing. Begins anew. */
  look(): DriftFinding[] {
    const findings: DriftFinding[] = [];
    for (const [digest, { known, silent }] of this.#homes) {
      if (known < homesMin) continue;
      const leastShare = silent === 0 ? 0 : 1 - clopperPearsonUpper(known - silent, known, confidence);
      if (leastShare > silentShareMax) findings.push({ digest, isDrifted: true });
      else if (silent <= silentShareWell * known) findings.push({ digest, isDrifted: false });
    }
    this.#homes.clear();
    return findings;
  }
}
