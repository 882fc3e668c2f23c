/**
 * How an IPFIX exporter numbers its messages. RFC 7011 §3.1: with the number of data records sent before. Some give the
 * number behind their own flows (quirk `numbersAfter`), which by the RFC's rule looks like a loss or a restart whenever
 * two messages differ in size. Both accounts are kept; the exporter's is the one that makes sense of its numbers.
 */
import { SequenceAccount, type SequencePlace, type SequenceVerdict } from './sequence.ts';

export type NumberedPlace = SequencePlace & {
  readonly isIpfix: boolean;
  /** Data records of the message without those of options, -1 when not known. */
  readonly flowUnits: number;
};

/** Faults of the usual account from which on the other one is looked at. */
const faultsMin = 3;
/** How many times fewer faults the other one must have. */
const clearly = 4;

export class SequenceNumbering {
  readonly #usual = new SequenceAccount();
  readonly #after = new SequenceAccount();
  #isIpfix = false;

  /**
   * True when a message with this number may be a copy of an earlier one. By the RFC's rule: others give
   * lower numbers, so no copy is missed.
   */
  mayBeCopy(sequence: number): boolean {
    return this.#usual.mayBeCopy(sequence);
  }

  /** Accounts for a message that is not a copy of another. */
  observe(place: NumberedPlace): SequenceVerdict {
    this.#isIpfix = place.isIpfix;
    if (place.isIpfix) {
      const { flowUnits } = place;
      this.#after.observe({
        ...place, sequence: (place.sequence - Math.max(flowUnits, 0)) >>> 0, units: flowUnits,
      });
    }
    return this.#usual.observe(place);
  }

  /** The exporter gives the number behind its flows. */
  get numbersAfter(): boolean {
    const usual = faultsOf(this.#usual);
    return this.#isIpfix && usual >= faultsMin && faultsOf(this.#after) * clearly <= usual;
  }

  /** The account that makes sense of the exporter's numbers. */
  get account(): Readonly<Pick<SequenceAccount, 'gaps' | 'lostUnits' | 'reordered' | 'restarts'>> {
    return this.numbersAfter ? this.#after : this.#usual;
  }
}

function faultsOf({ gaps, restarts, reordered }: SequenceAccount): number {
  return gaps + restarts + reordered;
}
