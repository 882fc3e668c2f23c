/** The collector's config from files and options: values, faults with their lines, and what does not fit together. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits, OperatorError } from '#base';
import { pathOf, ValueFault, writePrefix } from '#service';
import { parse } from 'smol-toml';
import { configKeys } from './config-keys.ts';
import type { CollectorConfig } from './collector-config.ts';
import { explainConfig } from './explain-config.ts';
import { parseConfig, readConfig, type OptionValues } from './read-config.ts';

const read = (text: string, options?: OptionValues): CollectorConfig =>
  parseConfig(text, { folder: '/etc/natlens', ...options === undefined ? {} : { options } });
const faultOf = (text: string, options?: OptionValues): string => {
  try {
    read(text, options);
  } catch (thrown) {
    assert.ok(thrown instanceof OperatorError && thrown.code === 'bad-config');
    return thrown.message;
  }
  return assert.fail(`no fault in: ${text}`);
};
const option = (key: string, name: string, value: unknown): OptionValues => new Map([[key, { option: name, value }]]);

const full = `state_folder = "state"
checkpoint = "10s"
[input]
listen = ["udp://0.0.0.0:2055", "udp://[::]:2055", "tcp://0.0.0.0:4739", "tls://0.0.0.0:4740"]
exporters = ["192.0.2.0/24", "2001:db8::1"]
rate_limit = 1000
receive_buffer = "8MiB"
ring = "16MiB"
fast_path = false
[tls]
key_file = "collector.key"
certificate_file = "/etc/ssl/collector.crt"
authorities_file = "ca.crt"
names = ["router-1"]
[flows]
pair = true
pair_wait = "1m"
l7 = "prefix"
renormalise = true
[output]
folder = "flows"
rotate = "1m"
file_size = "1MiB"
compression = "zstd"
keep_size = "10MiB"
keep = "7d"
[forward]
to = ["192.0.2.99:2055", "[2001:db8::9]:9995"]
[detector]
config = "detector.toml"
[metrics]
listen = "127.0.0.1:9465"
[log]
level = "warn"
`;

test('nothing has to be said: by default it listens at the customary port and only counts', () => {
  const config = read('');
  assert.deepEqual(config.input.listen, [{ transport: 'udp', address: '0.0.0.0', port: 2055 }]);
  assert.deepEqual([config.output, config.tls, config.metrics, config.detectorConfig], Array(4).fill(undefined));
  assert.deepEqual(config.forward, []);
  assert.equal(config.stateFolder, '/etc/natlens/collector-state');
  assert.deepEqual([config.input.rateLimit, config.input.rateBurst], [0, 1]);
  assert.deepEqual([config.flows.pair, config.flows.l7], [false, 'none']);
});

test('every key of a full config arrives', () => {
  const { given, input, ...rest } = read(full);
  assert.deepEqual(rest, {
    file: '', stateFolder: '/etc/natlens/state', checkpointMs: 10_000,
    tls: { keyFile: '/etc/natlens/collector.key', certificateFile: '/etc/ssl/collector.crt',
      authoritiesFile: '/etc/natlens/ca.crt', names: ['router-1'] },
    flows: { renormalise: true, pair: true, pairWaitMs: 60_000, l7: 'prefix' },
    output: { folder: '/etc/natlens/flows', rotateMs: 60_000, fileBytesMax: 1 << 20, compression: 'zstd',
      keepBytesMax: 10 << 20, keepMs: 7 * 86_400_000 },
    forward: [{ address: '192.0.2.99', port: 2055 }, { address: '2001:db8::9', port: 9995 }],
    detectorConfig: '/etc/natlens/detector.toml', metrics: { address: '127.0.0.1', port: 9465 }, logLevel: 'warn',
  });
  const { exporters, listen, ...numbers } = input;
  assert.deepEqual(exporters.map(writePrefix), ['192.0.2.0/24', '2001:db8::1']);
  assert.equal(listen.length, 4);
  assert.deepEqual(numbers, {
    rateLimit: 1_000, rateBurst: 2_000, receiveBufferBytes: 8 << 20, ringBytes: 16 << 20, isNative: false,
  });
  const missing = configKeys.map(pathOf).filter((path) => !given.has(path));
  assert.deepEqual(missing, ['input.rate_burst']);
});

test('examples of the table are values of their kind', () => {
  for (const { kind, example, ...key } of configKeys) {
    const value = parse(`key = ${(kind.write as (value: unknown) => string)(example)}`).key;
    assert.ok(!(kind.read(value) instanceof ValueFault), pathOf(key));
  }
});

test('options win over the file, and their faults go by their names', () => {
  const more = new Map([...option('output.folder', '--out', 'x'), ...option('input.rate_limit', '--rate-limit', 5)]);
  const config = read('input.rate_limit = 7\ninput.rate_burst = 9\n', more);
  assert.equal(config.input.rateLimit, 5);
  assert.equal(config.input.rateBurst, 9);
  assert.equal(config.output?.folder, join(process.cwd(), 'x'), 'an option is taken from the working folder');
  assert.equal(faultOf('', option('input.rate_limit', '--rate-limit', 'many')),
    'The command, --rate-limit is a whole number from 0 to 10000000, not "many".');
  assert.match(faultOf('', option('input.listen', '--listen', ['udp://host:1'])),
    /^The command, --listen \(entry 1\) is transport, address and port such as "udp:\/\/0\.0\.0\.0:2055"/);
});

test('unknown keys are refused with the nearest, all faults at once with their lines', () => {
  assert.match(faultOf('[input]\nlissen = ["udp://0.0.0.0:2055"]'),
    /line 2: input\.lissen: .*did you mean input\.listen\?/);
  assert.match(faultOf('[outptu]\nfolder = "x"'),
    /line 1: outptu: there is no such section; did you mean \[output\]\?/);
  const message = faultOf('checkpoint = 5\n[output]\nrotate = "5m"\n[log]\nlevel = "loud"');
  assert.match(message, /has 3 faults/);
  assert.match(message, /line 1: checkpoint is a duration with its unit.*"5s"/);
  assert.match(message, /line 2: output\.folder is missing/);
  assert.match(message, /line 5: log\.level is "debug"/);
});

test('what does not fit together is refused', () => {
  const receivers = Array.from({ length: limits.collectorForwardsMax + 1 }, (_, i) => `"192.0.2.9:${i + 1}"`);
  const cases: readonly (readonly [string, RegExp])[] = [
    ['input.listen = ["tls://0.0.0.0:4740"]', /input\.listen names a place of tls: give \[tls\]/],
    ['[tls]\nkey_file="a"\ncertificate_file="b"\nauthorities_file="c"',
      /tls is given, but input\.listen names no place/],
    ['input.rate_burst = 5', /input\.rate_burst has no meaning without input\.rate_limit/],
    ['flows.pair_wait = "5s"', /flows\.pair_wait has no meaning/],
    ['[output]\nfolder = "x"\nrotate = "1h"\nkeep = "5m"', /output\.keep is shorter than output\.rotate/],
    ['[output]\nfolder = "x"\nfile_size = "10MiB"\nkeep_size = "5MiB"', /output\.keep_size is less/],
    ['input.listen = ["udp://0.0.0.0:2055"]\nforward.to = ["127.0.0.1:2055"]', /forward\.to .*round for ever/],
    [`forward.to = [${receivers.join()}]`, /forward\.to has 17 entries; 16 are the most/],
    ['input.listen = ["tcp://0.0.0.0:1", "tls://0.0.0.0:1"]', /input\.listen names port 1 of 0\.0\.0\.0 twice/],
  ];
  for (const [text, expected] of cases) assert.match(faultOf(text), expected, text);
});

test('a file is read from its folder; one that is not there is told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-collect-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'collector.toml'), full);
  const config = await readConfig(join(folder, 'collector.toml'));
  assert.equal(config.output?.folder, join(folder, 'flows'));
  await assert.rejects(readConfig(join(folder, 'none.toml')), /Cannot read .*none\.toml: there is no such file/);
});

test('--check says what would be done, and what is worth a second look', () => {
  const text = explainConfig(read(full));
  for (const expected of [/the config is sound/, /udp:\/\/\[::\]:2055, tcp:\/\/0\.0\.0\.0:4739/,
    /Only these may send: 192\.0\.2\.0\/24/, /1000 datagrams a second by udp, 2000 of them at once/,
    /By tls router-1 may come/, /handed on, as they came, to 192\.0\.2\.99:2055, \[2001:db8::9\]:9995/,
    /joined to biflows within 1m; natlens names layer 7; sampled counters are multiplied/,
    /one for every 1m or 1MiB\. Kept are files of the last 7d, at most 10MiB/, /A detector in the same process/,
    /Warnings\n {2}none/]) assert.match(text, expected);
  const bare = explainConfig(read('metrics.listen = "0.0.0.0:9465"'));
  for (const expected of [/! input\.exporters is empty/, /! There is no \[output\]/, /! metrics\.listen can be asked/,
    /input\.rate_limit = 0/]) assert.match(bare, expected);
  const json = JSON.parse(explainConfig(read(full), { json: true })) as {
    config: { input: { exporters: string[] } }; warnings: string[]; defaults: string[];
  };
  assert.deepEqual(json.config.input.exporters, ['192.0.2.0/24', '2001:db8::1']);
  assert.deepEqual([json.warnings, json.defaults], [[], ['input.rate_burst']]);
});
