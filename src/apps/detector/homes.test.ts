/** Homes of flows: each mapping, unlisted homes, limits, a memory that is full; every row is mapped or counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isInPrefix, parseAddress, type AddressWords } from '#base';
import { isOutward } from '#evidence';
import { createFlowBatch, type FlowBatch } from '#flow';
import type { DetectorConfig } from './config/detector-config.ts';
import { smallestConfig } from './config/config-samples.ts';
import { parseConfig } from './config/read-config.ts';
import { HomeMapper, noHome, type HomeNumbers } from './homes.ts';

type Row = { source: string; destination?: string; exporter?: string; interfaceIndex?: number };

const wordsOf = (text: string): AddressWords => parseAddress(text) ?? assert.fail(text);

function batchOf(rows: readonly Row[]): FlowBatch {
  const batch = createFlowBatch(Math.max(1, rows.length));
  batch.rowCount = rows.length;
  rows.forEach(({ source, destination = '8.8.8.8', exporter = '192.0.2.1', interfaceIndex = 0 }, row) => {
    batch.columns.sourceAddress.set(wordsOf(source), row * 4);
    batch.columns.destinationAddress.set(wordsOf(destination), row * 4);
    batch.columns.exporterAddress.set(wordsOf(exporter), row * 4);
    batch.columns.ingressInterface[row] = interfaceIndex;
  });
  return batch;
}

/** Numbers homes as they come, up to a limit. */
class Numbers implements HomeNumbers {
  readonly names: string[] = [];
  readonly #homesMax: number;
  constructor(homesMax = Infinity) {
    this.#homesMax = homesMax;
  }
  readonly internHome = (name: string): number => {
    const known = this.names.indexOf(name);
    if (known >= 0) return known;
    return this.names.length < this.#homesMax ? this.names.push(name) - 1 : noHome;
  };
}

const homesOf = (toml: string): DetectorConfig['homes'] =>
  parseConfig(`${smallestConfig}${toml}`, { folder: '/' }).homes;

/** Names of the homes of rows; undefined: none. */
function map(toml: string, rows: readonly Row[], { memoryEntries = 100, homesMax = Infinity } = {}): {
  names: (string | undefined)[]; mapper: HomeMapper;
} {
  const numbers = new Numbers(homesMax);
  const mapper = new HomeMapper(homesOf(toml), numbers, { memoryEntries });
  const out = new Uint32Array(rows.length + 1).fill(7);
  mapper.map(batchOf(rows), out);
  assert.equal(out[rows.length], 7, 'wrote behind the batch');
  return { names: [...out.subarray(0, rows.length)].map((index) => numbers.names[index]), mapper };
}

test('single: outward flows are of the one home', () => {
  const { names, mapper } = map('homes.name = "mine"', [
    { source: '192.168.1.2' }, { source: '8.8.4.4', destination: '192.168.1.2' },
    { source: '192.168.1.2', destination: '224.0.0.251' }, { source: '2001:db8::1', destination: '2001:4860::1' },
  ]);
  assert.deepEqual(names, ['mine', undefined, undefined, 'mine']);
  assert.deepEqual(mapper.counts(), { rows: 4, mapped: 2, unmapped: { inward: 2, 'no-home': 0, 'home-limit': 0 } });
});

test('exporter: listed ones by their name, others by their address', () => {
  const toml = '[homes]\nmap = "exporter"\n[[home]]\nname = "a"\nexporter = "192.0.2.1"\n';
  const rows = [{ source: '10.0.0.1' }, { source: '10.0.0.1', exporter: '192.0.2.2' },
    { source: '10.0.0.1', exporter: '2001:db8::2', interfaceIndex: 4 }];
  assert.deepEqual(map(toml, rows).names, ['a', '192.0.2.2', '2001:db8::2']);
  const { names, mapper } = map(toml.replace('[[', 'unlisted = "ignore"\n[['), rows);
  assert.deepEqual(names, ['a', undefined, undefined]);
  assert.equal(mapper.counts().unmapped['no-home'], 2);
});

test('interface: exporter and interface together', () => {
  const toml = '[homes]\nmap = "interface"\n[[home]]\nname = "a"\nexporter = "192.0.2.1"\ninterface = 3\n' +
    '[[home]]\nname = "b"\nexporter = "192.0.2.1"\ninterface = 4294967295\n';
  const rows = [[3, '192.0.2.1'], [4, '192.0.2.1'], [3, '192.0.2.2'], [0xffff_ffff, '192.0.2.1'],
    [0x1f_ffff, '192.0.2.1'], [3, '2001:db8::1']] as const;
  const flows = rows.map(([interfaceIndex, exporter]) => ({ source: '10.0.0.1', exporter, interfaceIndex }));
  assert.deepEqual(map(toml, flows).names, ['a', '192.0.2.1 interface 4', '192.0.2.2 interface 3', 'b',
    '192.0.2.1 interface 2097151', '2001:db8::1 interface 3']);
});

const byAddress = '[homes]\nmap = "address"\n[[home]]\nname = "net"\nprefixes = ["198.51.0.0/16", "2001:db8::/32"]\n' +
  '[[home]]\nname = "one"\nprefixes = ["198.51.100.17", "2001:db8:17::/56"]\n';

test('address: the longest prefix, else the address or its /64', () => {
  const rows = ['198.51.100.17', '198.51.100.18', '203.0.113.5', '2001:db8:17:ff::1', '2001:db8:17:100::1',
    '2a00:1:2:3:4:5:6:7', '2a00:1:2:3::9'].map((source) =>
    ({ source, destination: source.includes(':') ? '2001:4860::1' : '8.8.8.8' }));
  assert.deepEqual(map(byAddress, rows).names,
    ['one', 'net', '203.0.113.5', 'one', 'net', '2a00:1:2:3::/64', '2a00:1:2:3::/64']);
});

test('at the limit of homes, known ones go on', () => {
  const rows = ['203.0.113.5', '203.0.113.6', '203.0.113.7', '203.0.113.5'].map((source) => ({ source }));
  const { names, mapper } = map(byAddress, rows, { homesMax: 2 });
  assert.deepEqual(names, ['203.0.113.5', '203.0.113.6', undefined, '203.0.113.5']);
  assert.equal(mapper.counts().unmapped['home-limit'], 1);
});

test('a home that was forgotten gets the number that it has now', () => {
  let numbered = 5;
  const mapper = new HomeMapper(homesOf(byAddress), { internHome: () => numbered });
  const batch = batchOf([{ source: '203.0.113.5' }]);
  const out = new Uint32Array(1);
  mapper.map(batch, out);
  assert.equal(out[0], 5);
  numbered = 9;
  mapper.map(batch, out);
  assert.equal(out[0], 9);
});

test('contacts by the name of the home', () => {
  const { mapper } = map(`${byAddress}mail = "a@example.net"\nopted_out = true\n` +
    '[mail]\nserver = "smtps://a.example"\nfrom = "b@example.net"\nprovider_name = "B"\nlanguage = "de"\n', []);
  assert.equal(mapper.contactOf('one')?.mail, 'a@example.net');
  assert.equal(mapper.contactOf('one')?.language, 'de');
  assert.equal(mapper.entryOf('one')?.optedOut, true);
  assert.equal(mapper.contactOf('203.0.113.5'), undefined);
});

const addresses = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('198.51.100.17', '198.51.100.18', '203.0.113.5',
  '192.168.0.9', '2001:db8:17::1', '2001:db8:18::1', '224.0.0.1', '0.0.0.0', '::', '::ffff:198.51.100.17'));

test('any flow is mapped as the plain search says, whatever is remembered', () => {
  const rows = fc.array(fc.record({ source: addresses, destination: addresses }), { maxLength: 40 });
  const mappings = fc.constantFrom('address', 'exporter', 'interface', 'single');
  const memory = fc.integer({ min: 1, max: 3 });
  fc.assert(fc.property(rows, mappings, fc.boolean(), memory, (chosen, mapping, ignore, memoryEntries) => {
    const toml = mapping === 'address' ? byAddress : `[homes]\nmap = "${mapping}"\n`;
    const unlisted = ignore && mapping === 'address' ? 'ignore' : 'observe';
    const settings = toml.replace('[homes]\n', `[homes]\nunlisted = "${unlisted}"\n`);
    const homes = homesOf(settings);
    const { names, mapper } = map(settings, chosen, { memoryEntries });
    const batch = batchOf(chosen);
    names.forEach((name, row) => assert.equal(name, searchHome(homes, batch, row), JSON.stringify(chosen[row])));
    const { rows: rowCount, mapped, unmapped } = mapper.counts();
    assert.equal(rowCount, chosen.length);
    assert.equal(mapped, names.filter((name) => name !== undefined).length);
    assert.equal(mapped + Object.values(unmapped).reduce((sum, count) => sum + count, 0), rowCount);
  }));
});

/** The home of a row without tables and memory. */
function searchHome(homes: DetectorConfig['homes'], batch: FlowBatch, row: number): string | undefined {
  if (!isOutward(batch, row, homes.inside)) return undefined;
  if (homes.map === 'single') return 'home';
  if (homes.map !== 'address') return homes.map === 'exporter' ? '192.0.2.1' : '192.0.2.1 interface 0';
  const column = batch.columns.sourceAddress;
  const [longest] = homes.list.flatMap(({ home, prefixes }) => prefixes.map((prefix) => ({ home, prefix })))
    .filter(({ prefix }) => isInPrefix(column, row * 4, prefix))
    .sort((a, b) => b.prefix.lengthBits - a.prefix.lengthBits);
  if (longest !== undefined) return longest.home;
  if (homes.unlisted === 'ignore') return undefined;
  const [first, second, third, last] = column.subarray(row * 4, row * 4 + 4) as unknown as AddressWords;
  if (first === 0 && second === 0 && third === 0xffff) {
    return [24, 16, 8, 0].map((bits) => (last >>> bits) & 255).join('.');
  }
  const groups = [first >>> 16, first & 0xffff, second >>> 16, second & 0xffff];
  return `${new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}::]`).hostname.slice(1, -1)}/64`;
}
