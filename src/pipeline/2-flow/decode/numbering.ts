/**
 * How an IPFIX exporter numbers its messages. RFC 7011 §3.1: with the number of data records sent before. Some give the
 * number behind their own flows (quirk `numbersAfter`), which by the RFC's rule looks like a loss or a restart whenever
 * two messages differ in size. Both accounts are kept; the exporter's is the one that makes sense of its numbers.
 */
import type { OpenMessage, OpenUnits } from './open-message.ts';
import { SequenceAccount, type SequencePlace, type SequenceVerdict } from './sequence.ts';

/** `open` and `isAfter` of the place are set here. */
export type NumberedPlace = SequencePlace & {
  isIpfix: boolean;
  /** Data records of the message without those of options, -1 when not known. */
  flowUnits: number;
  /** Of them, those that were decoded. */
  flowsDecoded: number;
  message: OpenMessage | undefined;
};

/** An empty place, to be filled again and again. */
export function createNumberedPlace(): NumberedPlace {
  return {
    sequence: 0, units: 0, decoded: 0, fate: undefined, open: undefined, isAfter: false, drops: 0, exportMs: 0,
    sentMs: 0, startedMs: Number.NaN, isIpfix: false, flowUnits: 0, flowsDecoded: 0, message: undefined,
  };
}

/** Misfits of the usual account from which on the other one is looked at. */
const misfitsMin = 3;
/** How many times fewer misfits the other one must have: loss makes some of the right one too. */
const clearly = 2;

export class SequenceNumbering {
  readonly usual = new SequenceAccount();
  readonly after = new SequenceAccount();
  isIpfix = false;

  /** True when a message with this number may be a copy of an earlier one, whichever way the exporter numbers. */
  mayBeCopy(sequence: number): boolean {
    return this.usual.mayBeCopy(sequence) || this.numbersAfter && !this.after.isAhead(sequence);
  }

  /**
   * Accounts for a message that is not a copy of another.
   *
   * @param place  written to, so that one object serves both accounts
   * @returns what the account says that makes sense of the exporter's numbers
   */
  observe(place: NumberedPlace): SequenceVerdict {
    const { message, isIpfix } = place;
    this.isIpfix = isIpfix;
    place.open = message?.usual;
    place.isAfter = false;
    const verdict = this.usual.observe(place);
    if (!isIpfix) return verdict;
    const { sequence, units, decoded } = place;
    place.open = message?.after;
    place.isAfter = true;
    place.sequence = (sequence - place.flowsDecoded) >>> 0;
    place.units = place.flowUnits;
    place.decoded = place.flowsDecoded;
    const other = this.after.observe(place);
    place.sequence = sequence;
    place.units = units;
    place.decoded = decoded;
    return this.numbersAfter ? other : verdict;
  }

  /** A set of an open message was decoded, after all. @param options  records of them that are of options */
  decodeWaiting(message: OpenMessage, records: number, options: number): void {
    if (message.isCounted) return;
    decodeOpen(message.usual, records);
    if (this.isIpfix) decodeOpen(message.after, records - options);
  }

  /** Nothing of an open message waits any more. */
  close(message: OpenMessage): void {
    message.usual.run?.close(message.usual);
    if (this.isIpfix) message.after.run?.close(message.after);
  }

  /** The exporter gives the number behind its flows. */
  get numbersAfter(): boolean {
    const { misfits } = this.usual;
    return this.isIpfix && misfits >= misfitsMin && this.after.misfits * clearly <= misfits;
  }

  /** The account that makes sense of the exporter's numbers. */
  get account(): SequenceAccount {
    return this.numbersAfter ? this.after : this.usual;
  }
}

function decodeOpen(open: OpenUnits, units: number): void {
  open.run?.decodeWaiting(open, units);
}
