/** The account of twin labelling: everything that came in is a label or a counted reason, on both sides. */
import { assertInvariant, Counts, formatAddress, type AddressWords } from '#base';
import type { PortPolicy } from './tap-clock.ts';
import type { TwinMatcher } from './twin-matcher.ts';
import { ambiguousReasons, type Evidence, type InsideSighting, type LeftOut, type Sighting } from './twins.ts';

/** As `--json` prints it; documented in docs/commands/lab-label.md. */
export type LabelSummary = {
  readonly router: string;
  readonly outside: {
    readonly total: number; readonly notFromRouter: number; readonly labelled: number;
    readonly evidence: Record<string, number>; readonly ambiguous: Record<string, number>;
    readonly unmatched: Record<string, number>;
  };
  readonly inside: { readonly total: number; readonly twins: number; readonly withoutTwin: number };
  readonly clock: { readonly offsetMs: number; readonly driftPpm: number; readonly toleranceMs: number;
    readonly pairs: number };
  readonly portPolicy: PortPolicy;
  readonly cutShort: number;
  readonly devices: Record<string, number>;
};

/** Counts while labelling runs; `summary` is complete after `close`. */
export class LabelAccount {
  outside = 0;
  notFromRouter = 0;
  labelled = 0;
  inside = 0;
  twins = 0;
  insideWithoutTwin = 0;
  readonly evidence = new Counts<Evidence>();
  readonly ambiguous = new Counts<LeftOut>();
  readonly unmatched = new Counts<LeftOut>();
  readonly devices = new Counts();
  summary: LabelSummary | undefined;

  /** Checks that the account balances, and draws it up. @throws InvariantError */
  close<O extends Sighting, I extends InsideSighting>(
    { clock, cutShortCount }: TwinMatcher<O, I>, router: AddressWords | undefined,
  ): void {
    assertInvariant(this.outside === this.notFromRouter + this.labelled + this.ambiguous.total() +
      this.unmatched.total(), 'outside sightings are neither labelled nor counted');
    assertInvariant(this.inside === this.twins + this.insideWithoutTwin && this.twins === this.labelled,
      'inside sightings are neither twins nor counted');
    this.summary = {
      router: router === undefined ? '' : formatAddress(Uint32Array.from(router), 0),
      outside: { total: this.outside, notFromRouter: this.notFromRouter, labelled: this.labelled,
        evidence: this.evidence.toJSON(), ambiguous: this.ambiguous.toJSON(), unmatched: this.unmatched.toJSON() },
      inside: { total: this.inside, twins: this.twins, withoutTwin: this.insideWithoutTwin },
      clock: { offsetMs: clock.offsetMs, driftPpm: clock.slope * 1e6, toleranceMs: clock.toleranceMs,
        pairs: clock.pairCount },
      portPolicy: clock.portPolicy, cutShort: cutShortCount, devices: this.devices.toJSON(),
    };
  }
}

/** Counts what got no label, as ambiguous or as without a twin. */
export function noteLeftOut(account: LabelAccount, reason: LeftOut): void {
  (ambiguousReasons.includes(reason) ? account.ambiguous : account.unmatched).add(reason);
}
