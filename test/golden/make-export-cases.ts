/**
 * Writes the golden cases that `export-cases/` describes into their folders: `node test/golden/make-export-cases.ts`.
 * It never runs the decoder: expected files come from rows and counts written by hand. Folders that it does not know
 * (recorded from other exporters, dropped in) are left alone.
 */
import { fileURLToPath } from 'node:url';
import { describeCase } from './export-cases/case.ts';
import { damagedCases } from './export-cases/damaged.ts';
import { encodedCases } from './export-cases/encoded.ts';
import { exporterCases } from './export-cases/exporters.ts';
import { ipfixCases } from './export-cases/ipfix.ts';
import { lossCases } from './export-cases/loss.ts';
import { netflow5Cases } from './export-cases/netflow5.ts';
import { netflow9Cases } from './export-cases/netflow9.ts';
import { structuredCases } from './export-cases/structured.ts';
import { timeCases } from './export-cases/times.ts';
import { valueCases } from './export-cases/values.ts';
import { type DescribedCase, writeCases } from './golden-folder.ts';

/** Every described case. */
export const describedExportCases: readonly DescribedCase[] = [
  ...netflow5Cases, ...netflow9Cases, ...exporterCases, ...lossCases, ...ipfixCases, ...structuredCases, ...timeCases,
  ...valueCases, ...damagedCases, ...encodedCases,
].map(describeCase);

if (import.meta.main) writeCases(fileURLToPath(new URL('exports/', import.meta.url)), describedExportCases);
