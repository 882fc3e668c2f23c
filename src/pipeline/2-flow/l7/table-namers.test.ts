/** Tests of the namers that need no library: prefix, exporter, none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#base';
import type { PacketBatch } from '#capture';
import { createDictionaries, createFlowBatch, type FlowBatch } from '../flow-batch.ts';
import type { HeaderSlab } from '../meter/header-slab.ts';
import { canonicalizeName, createExporterNamer } from './exporter-namer.ts';
import type { EmitFlows, Namer } from './namer.ts';
import { createNoneNamer } from './none-namer.ts';
import { createPrefixNamer } from './prefix-namer.ts';

type Row = { from?: string; to: string; protocol: number; port?: number; fromPort?: number; name?: string };

function fill(batch: FlowBatch, rows: readonly Row[]): FlowBatch {
  batch.rowCount = rows.length;
  for (const [index, row] of rows.entries()) {
    const { from = '192.168.1.2', to, protocol, port = 0, fromPort = 50_000, name = '' } = row;
    batch.columns.sourceAddress.set(parseAddress(from) ?? [], index * 4);
    batch.columns.destinationAddress.set(parseAddress(to) ?? [], index * 4);
    batch.columns.protocolIdentifier[index] = protocol;
    batch.columns.destinationTransportPort[index] = port;
    batch.columns.sourceTransportPort[index] = fromPort;
    batch.columns.applicationName[index] = batch.dictionaries.applicationName.encode(name);
  }
  return batch;
}

const textsOf = (batch: FlowBatch, column: 'applicationName' | 'applicationNameSource'): string[] =>
  Array.from(batch.columns[column].subarray(0, batch.rowCount), (code) => batch.dictionaries[column].decode(code));
const namesOf = (batch: FlowBatch): string[] => textsOf(batch, 'applicationName');
const sourcesOf = (batch: FlowBatch): string[] => textsOf(batch, 'applicationNameSource');

const flows: readonly Row[] = [
  { to: '52.70.158.224', protocol: 6, port: 443 },
  { to: '192.168.1.1', protocol: 17, port: 53 },
  { to: '17.253.14.125', protocol: 17, port: 123, fromPort: 123 },
  { from: '2003:c0::5', to: '2606:4700:4700::1111', protocol: 17, port: 443 },
  { to: '8.8.8.8', protocol: 6, port: 40_001 },
  { to: '192.168.1.77', protocol: 6, port: 40_001 },
  { to: '224.0.0.22', protocol: 2 },
  { to: '80.128.0.1', protocol: 6, port: 443 },
  { from: '8.8.8.8', to: '192.168.1.2', protocol: 6, port: 554 },
  { to: '47.88.1.1', protocol: 6, port: 9_999 },
  { to: '192.168.1.77', protocol: 6, port: 9_999 },
];

test('the prefix namer names services and owners', () => {
  const emitted: FlowBatch[] = [];
  const namer = createPrefixNamer((batch) => void emitted.push(batch));
  const batch = fill(createFlowBatch(flows.length), flows);
  namer.name(batch);
  assert.deepEqual(namesOf(batch),
    ['TLS.Amazon', 'DNS', 'NTP.Apple', 'QUIC.Cloudflare', 'Unknown.Google', 'Unknown', 'IGMP', 'TLS', 'RTSP.Google',
      'Unknown.Alibaba', 'TPLINK_SHP']);
  assert.deepEqual(sourcesOf(batch), flows.map(() => 'prefix'));
  assert.deepEqual(emitted, [batch], 'the same batch, at once');
  assert.deepEqual(namer.counts(), { named: 10, namedUnknown: 1 });
  assert.match(namer.version, /^services [0-9a-f]{8}, owners 20\d\d-\d\d-\d\d\.[0-9a-f]{8}$/);
});

test('codes are right when batches change their dictionaries', () => {
  const namer = createPrefixNamer(() => {});
  const first = fill(createFlowBatch(flows.length), flows);
  const dictionaries = createDictionaries();
  dictionaries.applicationName.encode('something else');
  const second = fill(createFlowBatch(flows.length, dictionaries), flows.toReversed());
  for (let round = 0; round < 2; round++) {
    namer.name(first);
    namer.name(second);
    assert.deepEqual(namesOf(second), namesOf(first).toReversed());
  }
  assert.equal(dictionaries.applicationName.size, 2 + flows.length, 'each name is entered once');
});

test('the exporter namer keeps names and spells SSL as TLS', () => {
  const names = ['SSL.Amazon', 'TLS.Amazon', 'SSL', 'DNS', '', 'SSLX', 'SSL_No_Cert.Google', 'HTTP.SSL'];
  const batch = fill(createFlowBatch(8), names.map((name) => ({ to: '8.8.8.8', protocol: 6, port: 443, name })));
  const namer = createExporterNamer(() => {});
  namer.name(batch);
  assert.deepEqual(namesOf(batch), ['TLS.Amazon', 'TLS.Amazon', 'TLS', 'DNS', '', 'SSLX', 'TLS.Google', 'HTTP.SSL']);
  assert.deepEqual(sourcesOf(batch), names.map(() => 'exporter'));
  assert.deepEqual(namer.counts(), { named: 7, unnamed: 1 });
  assert.equal(canonicalizeName('SSL.'), 'TLS.');
});

test('the exporter namer follows batches that change their dictionaries', () => {
  const namer = createExporterNamer(() => {});
  const dictionaries = createDictionaries();
  dictionaries.applicationName.encode('NTP');
  const first = fill(createFlowBatch(1), [{ to: '8.8.8.8', protocol: 6, name: 'SSL' }]);
  const second = fill(createFlowBatch(1, dictionaries), [{ to: '8.8.8.8', protocol: 6, name: 'NTP' }]);
  namer.name(first);
  namer.name(second);
  assert.deepEqual([namesOf(first), namesOf(second)], [['TLS'], ['NTP']]);
});

test('the none namer leaves no name', () => {
  const rows = [{ to: '8.8.8.8', protocol: 6, port: 443, name: 'TLS' }, { to: '8.8.8.8', protocol: 1 }];
  const batch = fill(createFlowBatch(2), rows);
  const namer = createNoneNamer(() => {});
  namer.name(batch);
  assert.deepEqual(namesOf(batch), ['', '']);
  assert.deepEqual(sourcesOf(batch), ['none', 'none']);
  assert.deepEqual(namer.counts(), { named: 0, unnamed: 2 });
});

/** An object of which not even the existence of a property may be asked. */
function untouchable<T extends object>(what: string): T {
  const refuse = (): never => {
    throw new Error(`${what} was looked at`);
  };
  return new Proxy({} as T, { get: refuse, has: refuse, getOwnPropertyDescriptor: refuse, ownKeys: refuse });
}

const namers: Record<string, (emit: EmitFlows) => Namer> = {
  prefix: createPrefixNamer, exporter: createExporterNamer, none: createNoneNamer,
};
for (const [source, create] of Object.entries(namers)) {
  test(`the ${source} namer never looks at a packet`, async () => {
    assert.throws(() => untouchable<PacketBatch>('the packet').data, /was looked at/);
    let emittedCount = 0;
    const namer = create((batch) => void (emittedCount += batch.rowCount));
    namer.observe(untouchable<PacketBatch>('the packet'), untouchable<HeaderSlab>('a header'), Uint32Array.of(0, 1), 2);
    namer.name(fill(createFlowBatch(flows.length), flows));
    namer.observe(untouchable<PacketBatch>('the packet'), untouchable<HeaderSlab>('a header'), Uint32Array.of(0, 1), 2);
    await namer.end();
    assert.equal(namer.source, source);
    assert.equal(namer.whenReady(), undefined);
    assert.equal(emittedCount, flows.length);
    const counted = Object.values(namer.counts()).reduce((sum, count) => sum + count, 0);
    assert.equal(counted, flows.length, 'every row is counted once');
  });
}
