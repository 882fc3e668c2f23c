/**
 * A message of which not everything is known yet: sets of it wait for their template, or some bytes could not be read,
 * so that the number of its units is open (IPFIX). The next number in the row, and the template, settle it.
 */
import type { UnitFate } from './unit-parts.ts';
import type { NumberRun } from './number-run.ts';

/** What one way of numbering has booked for an open message. */
export class OpenUnits {
  readonly message: OpenMessage;
  /** The number tells where the message ends: its units lie before it. */
  readonly isBefore: boolean;
  /** Booked as waiting while sets of the message wait, else under its fate. */
  units = 0;
  /** The run of the exporter to whose numbers the message belongs. */
  run: NumberRun | undefined;
  /** The socket dropped datagrams in the stretch that was booked: what turns out to be lost is the kernel's. */
  isDropped = false;
  /** The stretch was found at the first number after a stop: what turns out to be lost was lost then. */
  isStopped = false;

  constructor(message: OpenMessage, isBefore: boolean) {
    this.message = message;
    this.isBefore = isBefore;
  }

  /** True while units are booked as waiting. */
  get isWaiting(): boolean {
    return this.message.waitingSets > 0;
  }
}

export class OpenMessage {
  waitingSets = 0;
  /** Why some of it was not understood; undefined while nothing is wrong. */
  fate: UnitFate | undefined;
  /** Most units that its unread bytes can hold: a record takes one byte or more. */
  unitsMax = 0;
  /** Its units are known, only what becomes of them is open (NetFlow v9: one datagram). */
  readonly isCounted: boolean;
  readonly usual = new OpenUnits(this, false);
  readonly after = new OpenUnits(this, true);

  constructor(isCounted: boolean) {
    this.isCounted = isCounted;
  }
}
