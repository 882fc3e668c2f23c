/** Packets as terms: windows and tokens say the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceTrace } from './device-trace.ts';
import { learnDomainRule, oneDedicatedName } from './dns-domains.ts';
import { createNameKinds } from './name-kinds.ts';
import { defaultNameLists } from './name-lists.ts';
import { cutNames, listNameTokens, listTraceTerms } from './trace-terms.ts';

const terms = listTraceTerms({
  names: ['', 'Hub.Acme.com.', 'hub.acme.com', 'gw.lan', '0.pool.ntp.org', 'log.acme.com'],
});
const names = [1, 0, 2, 3, 4, 0, 5];
const trace: DeviceTrace = {
  timeMs: Float64Array.from(names, (_, i) => 1_000 * i),
  ipId: new Uint16Array(names.length),
  destination: Uint32Array.from(names, (code) => code === 0 ? 1 : 2),
  name: Uint32Array.from(names),
  flow: Uint32Array.from(names.keys()),
};

test('windows of names', () => {
  assert.deepEqual(cutNames(trace, terms, 3_500).map((window) => [...window]),
    [[['hub.acme.com', 2]], [['0.pool.ntp.org', 1], ['log.acme.com', 1]]]);
});

test('tokens are the places of a rule\'s names; packets without one are left out', () => {
  assert.deepEqual(listNameTokens(trace, terms, ['log.acme.com', 'hub.acme.com']),
    { timeMs: Float64Array.of(0, 2_000, 6_000), token: Uint32Array.of(1, 1, 0) });
});

test('what a rule was learned from shows all of its tokens', () => {
  const windows = cutNames(trace, terms, 3_500);
  const deviceModel = 'webcam.Acme.One';
  const rule = learnDomainRule(deviceModel, [{ name: 'one', deviceModel, kind: 'iot', windows }], oneDedicatedName,
    createNameKinds(defaultNameLists));
  assert.deepEqual([...new Set(listNameTokens(trace, terms, rule.names).token)].sort(), [...rule.names.keys()]);
});
