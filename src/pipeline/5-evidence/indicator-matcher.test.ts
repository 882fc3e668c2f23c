/** Indicators and flows: what fits, what is told once, and the bounds; a slow and plain matcher is the oracle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isInPrefix, parseAddress, parsePrefix, type AddressWords } from '#base';
import { createFlowBatch, type FlowBatch } from '#flow';
import { EvidenceStore } from './evidence-store.ts';
import { IndicatorMatcher, type IndicatorLimits } from './indicator-matcher.ts';
import type { Indicator, IndicatorHit } from './indicator.ts';

const startMs = Date.UTC(2026, 2, 1, 12);
type Row = { home?: number; to?: string; protocol?: number; port?: number; endMs?: number };

type Written = Partial<Omit<Indicator, 'destination'>> & { destination?: string };

function indicator(name: string, changed: Written): Indicator {
  const { destination, ...rest } = changed;
  return { name, deviceModels: [], protocol: 'tcp', port: undefined, ...rest,
    destination: destination === undefined ? undefined : parsePrefix(destination) };
}

function batchOf(rows: readonly Row[]): { batch: FlowBatch; homes: Uint32Array; endMs: Float64Array } {
  const batch = createFlowBatch(Math.max(1, rows.length));
  batch.rowCount = rows.length;
  const { columns } = batch;
  for (const [i, { to = '198.51.100.9', protocol = 6, port = 443 }] of rows.entries()) {
    columns.sourceAddress.set(parseAddress(to.includes(':') ? '2001:db8::2' : '203.0.113.1') as AddressWords, i * 4);
    columns.destinationAddress.set(parseAddress(to) as AddressWords, i * 4);
    columns.protocolIdentifier[i] = protocol;
    columns.destinationTransportPort[i] = port;
  }
  return {
    batch, homes: Uint32Array.from(rows, ({ home = 0 }) => home),
    endMs: Float64Array.from(rows, ({ endMs = startMs }) => endMs),
  };
}

function match(matcher: IndicatorMatcher, rows: readonly Row[]): IndicatorHit[] {
  const { batch, ...beside } = batchOf(rows);
  return matcher.match(batch, beside, (home) => `home-${home}`);
}

const named = (hits: readonly IndicatorHit[]): string[] =>
  hits.map(({ home, indicator: name, destination, port }) => `${home} ${name} ${destination} ${port}`);

test('prefixes of both families, protocols and ports', () => {
  const matcher = new IndicatorMatcher([
    indicator('net', { destination: '198.51.100.0/24' }), indicator('host', { destination: '198.51.100.9', port: 443 }),
    indicator('telnet', { port: 23 }), indicator('udp', { destination: '198.51.100.9', protocol: 'udp' }),
    indicator('six', { destination: '2001:db8:5::/48', port: 443 }),
    indicator('all-six', { destination: '::/0', port: 7 }),
    indicator('all-four', { destination: '0.0.0.0/0', port: 7 }),
  ]);
  const cases: [Row, string[]][] = [
    [{}, ['net', 'host']], [{ port: 80 }, ['net']], [{ to: '198.51.101.9' }, []],
    [{ to: '192.0.2.1', port: 23 }, ['telnet']],
    [{ port: 23 }, ['net', 'telnet']], [{ protocol: 17 }, ['udp']], [{ protocol: 1 }, []],
    [{ protocol: 17, to: '192.0.2.1' }, []],
    [{ to: '2001:db8:5:9::1' }, ['six']], [{ to: '2001:db8:6::1' }, []], [{ to: '2001:db8:5::1', port: 80 }, []],
    [{ to: '2001:db8:6::1', port: 23 }, ['telnet']], [{ to: '2001:db8:6::1', port: 7 }, ['all-six']],
    [{ to: '192.0.2.7', port: 7 }, ['all-four']], [{ home: EvidenceStore.noHome }, []],
  ];
  for (const [i, [row, names]] of cases.entries()) {
    const hits = match(matcher, [{ endMs: startMs + i * 3_600_000, ...row }]);
    assert.deepEqual(hits.map((hit) => hit.indicator), names, JSON.stringify(row));
  }
  const [hit] = match(new IndicatorMatcher([indicator('one', { port: 443, deviceModels: ['a.b.c'] })]), [{ home: 5 }]);
  assert.deepEqual(hit, {
    home: 'home-5', indicator: 'one', deviceModels: ['a.b.c'], homeAddress: '203.0.113.1', destination: '198.51.100.9',
    protocol: 'tcp', port: 443, flowMs: startMs,
  });
});

test('told once an hour for each home, indicator and destination', () => {
  const matcher = new IndicatorMatcher([indicator('net', { destination: '198.51.100.0/24' })]);
  const later = { endMs: startMs + 3_599_999 };
  assert.deepEqual(named(match(matcher, [{}, {}, { port: 80 }, later, { home: 1 }, { to: '198.51.100.8' }])),
    ['home-0 net 198.51.100.9 443', 'home-1 net 198.51.100.9 443', 'home-0 net 198.51.100.8 443']);
  assert.deepEqual(named(match(matcher, [{}, { endMs: startMs + 3_600_000 }, { endMs: startMs - 1 }])),
    ['home-0 net 198.51.100.9 443', 'home-0 net 198.51.100.9 443']);
  assert.deepEqual(matcher.counts(), { flows: 9, matches: 9, hits: 5, repeats: 4, overDestinations: 0 });
  matcher.forget('home-0');
  assert.deepEqual(named(match(matcher, [{}, { home: 1 }])), ['home-0 net 198.51.100.9 443']);
});

test('a scanner is told of few destinations, and what is remembered is bounded', () => {
  const scan = new IndicatorMatcher([indicator('telnet', { port: 23 })], { destinationsMax: 3 });
  const rows = Array.from({ length: 200 }, (_, i) => ({ to: `198.51.100.${i}`, port: 23 }));
  assert.equal(match(scan, rows).length, 3);
  assert.equal(match(scan, rows.map((row) => ({ ...row, endMs: startMs + 3_600_000 }))).length, 3);
  assert.deepEqual(scan.counts(), { flows: 400, matches: 400, hits: 6, repeats: 0, overDestinations: 394 });
  const forgetful = new IndicatorMatcher([indicator('net', { destination: '198.51.100.0/24' })], { memoryEntries: 2 });
  const three = ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((to) => ({ to }));
  assert.equal(match(forgetful, three).length, 3);
  // The oldest was forgotten and is told again; the others are not.
  assert.deepEqual(named(match(forgetful, three.toReversed())), ['home-0 net 198.51.100.1 443']);
});

test('without indicators nothing is looked at, and an indicator of everything is our own bug', () => {
  const none = new IndicatorMatcher([]);
  assert.deepEqual(match(none, [{}]), []);
  assert.equal(none.counts().flows, 0);
  assert.throws(() => new IndicatorMatcher([indicator('all', {})]), /about every flow/);
});

const address = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 })).map(([a, b]) => `198.51.${a}.${b}`),
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 9 })).map(([a, b]) => `2001:db8:${a}::${b}`));
const anyIndicator = fc.record({
  destination: fc.option(fc.tuple(address, fc.integer({ min: 0, max: 128 })), { nil: undefined }),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  port: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
}).filter(({ destination, port }) => destination !== undefined || port !== undefined);
const anyRow: fc.Arbitrary<Row> = fc.record({
  home: fc.constantFrom(0, 1, EvidenceStore.noHome), to: address, protocol: fc.constantFrom(1, 6, 17),
  port: fc.integer({ min: 1, max: 4 }), endMs: fc.integer({ min: 0, max: 3 }).map((hour) => startMs + hour * 3_600_000),
});

test('hits are those of a matcher that tries everything', () => {
  const unlimited: IndicatorLimits = { memoryEntries: 1e6, destinationsMax: 1e6 };
  const [someIndicators, someRows] = [fc.array(anyIndicator, { maxLength: 8 }), fc.array(anyRow, { maxLength: 40 })];
  fc.assert(fc.property(someIndicators, someRows, (plain, rows) => {
    const indicators = plain.map(({ destination, ...rest }, i) => {
      if (destination === undefined) return indicator(`i${i}`, rest);
      const [text, bits] = destination;
      return indicator(`i${i}`, { ...rest, destination: `${text}/${text.includes(':') ? bits : bits % 33}` });
    });
    const expected = new Set<string>();
    for (const row of rows) {
      if (row.home === EvidenceStore.noHome) continue;
      const words = Uint32Array.from(parseAddress(row.to as string) as AddressWords);
      for (const one of indicators) {
        const isFamily = one.destination === undefined ||
          (one.destination.words[2] === 0xffff) === !row.to?.includes(':');
        if (!isFamily || (one.destination !== undefined && !isInPrefix(words, 0, one.destination))) continue;
        if ((one.protocol === 'tcp' ? 6 : 17) !== row.protocol || (one.port ?? row.port) !== row.port) continue;
        expected.add(`home-${row.home} ${one.name} ${row.to} ${row.endMs}`);
      }
    }
    const hits = match(new IndicatorMatcher(indicators, unlimited), rows);
    assert.deepEqual(hits.map((hit) => `${hit.home} ${hit.indicator} ${hit.destination} ${hit.flowMs}`).sort(),
      [...expected].sort());
  }), { numRuns: 300 });
});
