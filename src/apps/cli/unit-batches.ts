/** Flows of one unit in one batch, ascending in time and cut as data sets are, for verbs that look at units. */
import type { UnitFlows } from '#classifier/train';
import { copyRows, createDictionaries, createFlowBatch, type FlowBatch } from '#flow';
import { splitCounts } from '#lab';

export type JoinedUnit = {
  readonly device: string;
  readonly deviceModel: string;
  readonly flows: FlowBatch;
  readonly train: number;
  readonly validation: number;
};

export function joinUnit({ device, deviceModel, flows: pieces }: UnitFlows): JoinedUnit {
  const places = pieces.flatMap((batch) => Array.from({ length: batch.rowCount }, (_, row) =>
    ({ batch, row, startMs: batch.columns.flowStartMilliseconds[row] as number })));
  places.sort((a, b) => a.startMs - b.startMs);
  const flows = createFlowBatch(Math.max(1, places.length), pieces[0]?.dictionaries ?? createDictionaries());
  for (const { batch, row } of places) copyRows(batch, row, row + 1, flows);
  const { train, validation } = splitCounts(flows.rowCount);
  return { device, deviceModel, flows, train, validation };
}
