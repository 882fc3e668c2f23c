/**
 * What twin labelling works on: a flow or packet that the tap outside a NAT saw, and one that the tap inside saw,
 * reduced to what a NAT leaves alone. Why something was left out is told by the closed lists here.
 */

/** One sighting, by the clock of its own tap. */
export type Sighting = {
  readonly timeMs: number;
  /** Of a flow, the time of its last packet; of a packet, the same time again. */
  readonly endMs: number;
  /** What every NAT leaves alone and a tap cannot miscount: peer, its port, protocol, direction. */
  readonly key: string;
  /** What both taps saw alike unless something was lost between them: counters, or a packet's own numbers. */
  readonly signature: string;
  /** The port (or ICMP identifier) on the home's side; −1 where there is none. */
  readonly port: number;
};

export type InsideSighting = Sighting & {
  /** The unit that it belongs to. */
  readonly device: string;
};

/** What decided a label, beside key and time; the last is for flows of which the way lost a little. */
export type Evidence = 'counters' | 'port' | 'duration' | 'time-order' | 'port-order' | 'losses';

/** Why an outside sighting got no label. The first three are ambiguous, the others have no twin. */
export type LeftOut = 'same-instant' | 'surplus' | 'clock' | 'counters-differ' | 'no-twin' | 'late';
export const ambiguousReasons: readonly LeftOut[] = ['same-instant', 'surplus', 'clock'];

/** What is to be done with each sighting; every one added is told exactly once. */
export type TwinReceiver<O extends Sighting, I extends InsideSighting> = {
  readonly label: (outside: O, twin: I, evidence: Evidence) => void;
  readonly leaveOut: (outside: O, reason: LeftOut) => void;
  /** An inside sighting that became nobody's twin. */
  readonly leaveInside: (inside: I) => void;
  /** Could this be the same traffic, some packets of which were lost on its way? */
  readonly isNear: (outside: O, inside: I) => boolean;
};
