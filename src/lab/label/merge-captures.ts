/** Packets of several captures in the order of their time, one after the other, in bounded memory. */
import type { Problem } from '#base';
import { readCapture, type ByteSource, type CaptureReading, type PacketBatch } from '#capture';

/** The next packet: row `rowIndex` of a batch that is valid until the next packet is asked for. */
export type MergedPacket = {
  /** Which capture it is of. */
  readonly captureIndex: number;
  readonly batch: PacketBatch;
  readonly rowIndex: number;
  /** Moved with its capture. */
  readonly timeMicroseconds: number;
};

export type MergeOptions = {
  /** Move every capture in time so that it begins when the first one does: one home out of several days. */
  readonly isAligned: boolean;
};

type Head = {
  readonly captureIndex: number; readonly batches: AsyncGenerator<PacketBatch>; batch: PacketBatch; rowIndex: number;
  shiftMicroseconds: number;
};

/** Reads captures side by side. */
export class CaptureMerger {
  readonly readings: readonly CaptureReading[];
  readonly #isAligned: boolean;

  /** @param sources  stay the caller's. @throws OperatorError  one is no capture */
  constructor(sources: readonly ByteSource[], { isAligned }: MergeOptions) {
    this.readings = sources.map((source) => readCapture(source));
    this.#isAligned = isAligned;
  }

  /** What the captures ended early for; complete once all packets were read. */
  get problems(): readonly { readonly captureIndex: number; readonly problem: Problem }[] {
    return this.readings.flatMap(({ problems }, captureIndex) =>
      problems.map((problem) => ({ captureIndex, problem })));
  }

  async *packets(): AsyncGenerator<MergedPacket, void, void> {
    const heads: Head[] = [];
    for (const [captureIndex, reading] of this.readings.entries()) {
      const batches = reading.batches();
      const first = await batches.next();
      if (first.done !== true) {
        heads.push({ captureIndex, batches, batch: first.value, rowIndex: 0, shiftMicroseconds: 0 });
      }
    }
    const originMicroseconds = heads[0] === undefined ? 0 : timeOf(heads[0]);
    for (const head of heads) if (this.#isAligned) head.shiftMicroseconds = originMicroseconds - timeOf(head);
    while (heads.length > 0) {
      let head = heads[0] as Head;
      for (const other of heads) if (timeOf(other) < timeOf(head)) head = other;
      const { captureIndex, batch, rowIndex } = head;
      yield { captureIndex, batch, rowIndex, timeMicroseconds: timeOf(head) };
      if (++head.rowIndex < head.batch.rowCount) continue;
      const next = await head.batches.next();
      if (next.done === true) heads.splice(heads.indexOf(head), 1);
      else {
        head.batch = next.value;
        head.rowIndex = 0;
      }
    }
  }
}

function timeOf({ batch, rowIndex, shiftMicroseconds }: Head): number {
  return (batch.timeMicroseconds[rowIndex] as number) + shiftMicroseconds;
}
