/**
 * The values that the encoder is compared with are scikit-learn's: the checked-in script, run here, prints the file
 * that src/pipeline/3-feature/encoder.test.ts reads. Another version of scikit-learn must say the same of these flows.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { findSklearnPython, oracleFolder, runOracle } from './sklearn.ts';

const python = findSklearnPython();
const skip = python === undefined ? 'no Python here has scikit-learn' : false;

test('test/oracle/encoder.json is what scikit-learn says', { skip }, () => {
  const printed = JSON.parse(runOracle(python as string, 'encoder.py')) as { cases: unknown[] };
  const kept = JSON.parse(readFileSync(`${oracleFolder}encoder.json`, 'utf8')) as { cases: unknown[] };
  assert.ok(kept.cases.length > 2);
  assert.deepEqual(printed.cases, kept.cases);
});

test('a script that fails is told of', { skip }, () => {
  assert.throws(() => runOracle(python as string, 'no-such-script.py'), /no-such-script.py failed/);
});
