/** Data sets of captures with the namer of prefixes, which needs no program of the machine. */
import { createPrefixNamer } from '#flow';
import { buildDataset } from '../../src/lab/dataset/build-dataset.ts';
import type { DatasetManifest } from '../../src/lab/dataset/manifest.ts';

/** @param inventory, out  paths */
export async function buildByPrefix(inventory: string, out: string, traces: boolean): Promise<DatasetManifest> {
  return buildDataset({
    inventory, out, traces, flows: [], name: 'lab', natlensVersion: '0', l7Source: 'prefix',
    activeTimeoutMs: 120_000, idleTimeoutMs: 60_000, openNamer: async (_, emit) => createPrefixNamer(emit),
  });
}
