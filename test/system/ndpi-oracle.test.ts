/**
 * `--l7 ndpi` beside ndpiReader of the same version: the same name for every conversation of every shared capture, with
 * and without the removal of mirrored copies.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareCapture, oracleNeeds } from './ndpi-reader.ts';
import { findCaptures, missing, sharedData } from './shared-data.ts';

for (const [folder, options] of [['l7/captures', {}], ['l7/captures', { duplicateWindowMs: 0 }],
  ['captures', {}]] as const) {
  const skip = missing({ data: [folder], programs: oracleNeeds });
  const variant = 'duplicateWindowMs' in options ? ', copies kept' : '';
  test(`${folder}: names equal ndpiReader's${variant}`, { skip }, async (context) => {
    const captures = findCaptures(`${folder}/**/*`);
    assert.ok(captures.length > 0, 'no capture found');
    let comparedCount = 0;
    for (const path of captures) {
      const { comparedCount: count, ...rest } = await compareCapture(path, options);
      assert.deepEqual({ ...rest, capture: '' }, { capture: '', differing: [], missing: [], absentKnown: 0 },
        path.slice(sharedData.length));
      comparedCount += count;
    }
    context.diagnostic(`${captures.length} captures, ${comparedCount} conversations of the same name`);
  });
}
