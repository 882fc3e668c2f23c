/** Large batches in small pieces: who scores, or counts evidence, has memory for so many rows at once and no more. */
import { limits } from '#base';
import { copyRows, createFlowBatch, type FlowBatch } from './flow-batch.ts';

export class BatchSplitter {
  readonly #rowsMax: number;
  #piece: FlowBatch | undefined;

  constructor(rowsMax: number = limits.flowBatchRows) {
    this.#rowsMax = rowsMax;
  }

  /** The batch itself when it is small enough, else copies of its rows, each valid until the next one is asked for. */
  * split(batch: FlowBatch): Generator<FlowBatch, void, void> {
    if (batch.rowCount <= this.#rowsMax) {
      yield batch;
      return;
    }
    if (this.#piece?.dictionaries !== batch.dictionaries) {
      this.#piece = createFlowBatch(this.#rowsMax, batch.dictionaries);
    }
    for (let first = 0; first < batch.rowCount; first += this.#rowsMax) {
      this.#piece.rowCount = 0;
      copyRows(batch, first, Math.min(first + this.#rowsMax, batch.rowCount), this.#piece);
      yield this.#piece;
    }
  }
}
