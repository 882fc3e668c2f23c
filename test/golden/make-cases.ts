/**
 * Writes the golden cases that `meter-cases.ts` describes into their folders: `node test/golden/make-cases.ts`. It
 * never runs the meter: expected files come from the hand-written flows. Folders that it does not know are left alone.
 */
import { fileURLToPath } from 'node:url';
import { formatExpected } from './frames.ts';
import { type DescribedCase, writeCases } from './golden-folder.ts';
import { meterCases } from './meter-cases.ts';

/** What `meter-cases.ts` describes, as files. */
export const describedMeterCases: readonly DescribedCase[] = meterCases.map(({ capture, flows, ...rest }) =>
  ({ ...rest, input: capture, expected: formatExpected(flows) }));

if (import.meta.main) writeCases(fileURLToPath(new URL('meter/', import.meta.url)), describedMeterCases);
