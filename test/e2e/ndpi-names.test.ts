/**
 * `--l7 ndpi` beside ndpiReader on some forty captures of all kinds; test/system/ndpi-oracle.test.ts takes them all.
 */
import assert from 'node:assert/strict';
import { parse } from 'node:path';
import { test } from 'node:test';
import { compareCapture, oracleNeeds } from '../system/ndpi-reader.ts';
import { findCaptures, missing, sharedData } from '../system/shared-data.ts';

/** Tunnels, link types, fragments, broken packets, caches between conversations, long inspections. */
const special: ReadonlySet<string> = new Set([
  '4in4tunnel', '4in6tunnel', '6in6tunnel', 'syslog', 'BGP_redist', 'dlt_ppp', 'dns_fragmented',
  'fuzz-2006-09-29-28586', 'reasm_crash_anon', 'lru_ipv6_caches', 'stun', 'ajp', 'sctp',
  'quic_frags_ch_in_multiple_packets', 'tls_verylong_certificate', 'ossfuzz_seed_fake_traces_1', 'xiaomi',
  'whatsapp_login_chat', 'http_ipv6', 'bt-dns', 'gtp_c', 'esp', 'gre', 'ospfv2_add_new_prefix',
  'rsh-syslog-false-positive',
]);
/** Of the others, one in so many. */
const everyNth = 40;

const skip = missing({ data: ['l7/captures', 'captures'], programs: oracleNeeds });
test('names equal ndpiReader\'s on a sample of captures', { skip }, async (context) => {
  const captures = [...findCaptures('l7/captures/*'), ...findCaptures('captures/{sentinel,nku}/**/*')]
    .filter((path, i) => special.has(parse(path).name) || i % everyNth === 0);
  assert.ok(captures.length >= 40, `only ${captures.length} captures`);
  let comparedCount = 0;
  for (const path of captures) {
    const { comparedCount: count, ...rest } = await compareCapture(path);
    assert.deepEqual({ ...rest, capture: '' }, { capture: '', differing: [], missing: [], absentKnown: 0 },
      path.slice(sharedData.length));
    comparedCount += count;
  }
  assert.ok(comparedCount > 300, `only ${comparedCount} conversations`);
  context.diagnostic(`${captures.length} captures, ${comparedCount} conversations of the same name`);
});
