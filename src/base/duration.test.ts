/** Durations with their units, and what is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

test('durations have a unit, the largest first', () => {
  const cases = { '10m': 600_000, '1h30m': 5_400_000, '500ms': 500, '14d': 1_209_600_000, '0s': 0, '90s': 90_000 };
  for (const [written, ms] of Object.entries(cases)) assert.equal(parseDuration(written), ms, written);
  for (const written of ['', '10', 'm', '1 h', '30m1h', '1h1h', '-1s', '1.5h', '1w', '1H', '1e3s', '٣s']) {
    assert.equal(parseDuration(written), undefined, written);
  }
});
