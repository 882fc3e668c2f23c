/**
 * The truth about a made world (`account-world.ts`), worked out from what its messages hold and what became of them,
 * with no knowledge of how the decoder does it. Only tests use this file.
 */
import type { Arrival, Sent, World } from './account-world.ts';

export type Truth = {
  readonly sent: number;
  readonly decoded: number;
  readonly waiting: number;
  readonly undecodable: number;
  /** Lost, by the kernel and on the way; of a stretch of both all is the kernel's where units are not datagrams. */
  readonly kernel: number;
  readonly way: number;
  /** The exporter's numbers cannot tell a loss from units that nobody could count beside it. */
  readonly isAmbiguous: boolean;
};

/** What a collector can know at the end, when everything has arrived that ever will. */
export function tellTruth({ kind, sent, arrivals }: World): Truth {
  const known = new Set(arrivals.flatMap(({ message }) => message.defines));
  const truth = { sent: 0, decoded: 0, waiting: 0, undecodable: 0, kernel: 0, way: 0, isAmbiguous: false };
  const runs = Math.max(...sent.map(({ run }) => run)) + 1;
  for (let run = 0; run < runs; run++) {
    const ofRun = sent.filter((message) => message.run === run);
    const first = ofRun.indexOf(firstOf(arrivals, run) as Sent);
    const last = ofRun.findLastIndex(({ fate }) => fate === 'arrived');
    if (first < 0) continue;
    let missing: Sent[] = [];
    for (let i = first; i <= last; i++) {
      const message = ofRun[i] as Sent;
      if (message.fate !== 'arrived') {
        missing.push(message);
        continue;
      }
      addLoss(truth, missing, kind === 'v9');
      missing = [];
      const { decoded, waiting, cut } = fateOf(message, known, kind === 'v9');
      const isCounted = kind === 'v5' || kind === 'v9' || waiting + cut === 0;
      // Units before the first message, or behind the last, nobody can count while they are not decoded.
      const isEdge = kind === 'after' ? i === first : i === last;
      const uncounted = isCounted || !isEdge ? waiting + cut : 0;
      truth.decoded += decoded;
      truth.sent += decoded + uncounted;
      if (uncounted > 0) {
        truth.waiting += waiting;
        truth.undecodable += cut;
      }
      const next = ofRun[kind === 'after' ? i - 1 : i + 1];
      // Of a message with both, all that is left over goes by the fault.
      if (!isCounted && (cut > 0 && waiting > 0 || next !== undefined && next.fate !== 'arrived')) {
        truth.isAmbiguous = true;
      }
    }
  }
  return truth;
}

/** The first message of a run: the earliest of those that came, but for templates alone that were overtaken. */
function firstOf(arrivals: readonly Arrival[], run: number): Sent | undefined {
  const ofRun = arrivals.filter(({ message }) => message.run === run);
  const candidates = ofRun.filter(({ message }, i) => i === 0 || message.units > 0).map(({ message }) => message);
  return candidates.sort((a, b) => a.atMs - b.atMs)[0];
}

function addLoss(truth: { kernel: number; way: number; sent: number }, missing: readonly Sent[], isPackets: boolean):
void {
  const units = missing.reduce((sum, message) => sum + message.units, 0);
  const dropped = missing.filter(({ fate }) => fate === 'dropped').length;
  const kernel = isPackets ? dropped : dropped > 0 ? units : 0;
  truth.sent += units;
  truth.kernel += kernel;
  truth.way += units - kernel;
}

function fateOf(message: Sent, known: ReadonlySet<number>, isPacket: boolean):
{ decoded: number; waiting: number; cut: number } {
  const waiting = message.sets.reduce((sum, { id, units }) => sum + (known.has(id) ? 0 : units), 0);
  if (isPacket) {
    if (waiting > 0) return { decoded: 0, waiting: 1, cut: 0 };
    return message.cutUnits > 0 ? { decoded: 0, waiting: 0, cut: 1 } : { decoded: 1, waiting: 0, cut: 0 };
  }
  return { decoded: message.units - waiting - message.cutUnits, waiting, cut: message.cutUnits };
}
