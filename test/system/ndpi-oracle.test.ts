/**
 * `--l7 ndpi` beside ndpiReader of the same version: the same name for every conversation of every shared capture, with
 * and without the removal of mirrored copies.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareCapture, oracleNeeds, runNdpiReader } from './ndpi-reader.ts';
import { askAhead } from './oracle-ahead.ts';
import { findCaptures, missing, sharedData } from './shared-data.ts';

const capturesOf = (folder: string): string[] => findCaptures(`${folder}/**/*`);
// What ndpiReader says of a capture does not depend on our options: both variants hold us against the same rows.
const askOracle = askAhead([...capturesOf('l7/captures'), ...capturesOf('captures')], runNdpiReader);

for (const [folder, options] of [['l7/captures', {}], ['l7/captures', { duplicateWindowMs: 0 }],
  ['captures', {}]] as const) {
  const skip = missing({ data: [folder], programs: oracleNeeds });
  const variant = 'duplicateWindowMs' in options ? ', copies kept' : '';
  test(`${folder}: names equal ndpiReader's${variant}`, { skip }, async (context) => {
    const captures = capturesOf(folder);
    assert.ok(captures.length > 0, 'no capture found');
    let comparedCount = 0;
    for (const path of captures) {
      const { comparedCount: count, ...rest } = await compareCapture(path, options, askOracle);
      assert.deepEqual({ ...rest, capture: '' }, { capture: '', differing: [], missing: [], absentKnown: 0 },
        path.slice(sharedData.length));
      comparedCount += count;
    }
    context.diagnostic(`${captures.length} captures, ${comparedCount} conversations of the same name`);
  });
}
