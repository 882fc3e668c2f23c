/**
 * The one table of the collector's config: every section and every key with its kind, default, meaning and example. It
 * drives reading, `--check`, docs/collector-config.md and deploy/collector.toml. Only tables.
 */
import { limits, parsePrefix, type Prefix } from '#base';
import { flowPairerDefaults } from '#flow';
import {
  choice, duration, flag, keyRowsOf, listOf, networkKinds as net, size, text, wholeNumber, type ConfigSection,
  type ConfigTable, type KeyRows,
} from '#service';

export const configSections = [
  { name: '', kind: 'table', meaning: 'Keys above all sections.' },
  { name: 'input', kind: 'table', meaning: 'Where export messages come in, and from whom.' },
  { name: 'tls', kind: 'optional', meaning: 'Who we are for exporters that come by TLS, and who they must be; needed ' +
    'when input.listen names a place of tls.' },
  { name: 'flows', kind: 'table', meaning: 'What is made of the records.' },
  { name: 'output', kind: 'optional', meaning: 'Files of flow records (Parquet); without it none is written.' },
  { name: 'forward', kind: 'optional', meaning: 'Hands every message on as it came, to other collectors.' },
  { name: 'detector', kind: 'optional', meaning: 'A detector in the same process, which is given every message.' },
  { name: 'metrics', kind: 'table', meaning: 'Metrics for Prometheus, and the health endpoint.' },
  { name: 'log', kind: 'table', meaning: 'Log lines (JSON) on standard error.' },
] as const satisfies readonly ConfigSection[];

type SectionName = (typeof configSections)[number]['name'];

/** Rows of one section. */
const rowsOf = <S extends SectionName>(section: S): KeyRows<S> => keyRowsOf(section);

const secondMs = 1_000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;
const examplePrefix = (written: string): Prefix => parsePrefix(written) as Prefix;

const listenAddress = net.listenAddress(['udp', 'tcp', 'tls'],
  '"udp://0.0.0.0:2055", "tcp://[::]:4739" or "tls://0.0.0.0:4740"');
const subject = text({ name: 'name', expected: 'a name of a certificate, such as "router-1.example.net"' });

const top = rowsOf('');
const input = rowsOf('input');
const tls = rowsOf('tls');
const flows = rowsOf('flows');
const output = rowsOf('output');

/** Every key, in the order in which pages show them. */
export const configKeys = [
  top.withDefault('state_folder', net.path('folder'), 'collector-state',
    'Where templates, sampling rates, sequence numbers and accounts are kept over restarts. Made when it is not there',
    '/var/lib/natlens-collector'),
  top.withDefault('checkpoint', duration({ min: secondMs, max: hourMs }), 30 * secondMs,
    'How often the state is saved; also with every finished file and at the end'),

  input.withDefault('listen', listOf(listenAddress, { countMin: 1, countMax: 16 }),
    [{ transport: 'udp', address: '0.0.0.0', port: 2055 }],
    'Where messages come in: NetFlow v5, v9 and IPFIX by udp, IPFIX by tcp and tls. IPv6 takes IPv4, too, where the ' +
    'system lets it'),
  input.withDefault('exporters', listOf(net.prefix), [],
    'Who may send; messages of others are counted and dropped. Empty: everybody, which is warned about',
    [examplePrefix('192.0.2.0/24')]),
  input.withDefault('rate_limit', wholeNumber({ min: 0, max: 10_000_000 }), 0,
    'Datagrams a second that one exporter may send; what is above is counted as limited and not decoded, so that one ' +
    'cannot starve the others. 0: as many as come', 5_000),
  input.withDefault('rate_burst', wholeNumber({ min: 0, max: 10_000_000 }), 0,
    'Datagrams that it may send at once; 0: those of two seconds', 20_000),
  input.withDefault('receive_buffer', size({ min: 64 << 10, max: 1 << 30 }), 32 << 20,
    'Asked of the system for each UDP socket; without CAP_NET_ADMIN net.core.rmem_max may allow less, which is told'),
  input.withDefault('ring', size({ min: 1 << 20, max: 1 << 30 }), limits.receiveRingBytes,
    'Memory between the thread that receives and the one that decodes'),
  input.withDefault('fast_path', flag, true,
    'Receives many datagrams in one call of the system (recvmmsg); false, or where that cannot be: one by one'),

  tls.required('key_file', net.path('file'), 'Our private key (PEM)', '/etc/natlens/collector.key'),
  tls.required('certificate_file', net.path('file'), 'Our certificate, and those between it and its authority (PEM)',
    '/etc/natlens/collector.crt'),
  tls.required('authorities_file', net.path('file'),
    'Authorities that the certificate of an exporter must descend from (PEM)', '/etc/natlens/exporters-ca.crt'),
  tls.withDefault('names', listOf(subject), [],
    'Names of certificates that may come in; empty: all that the authorities signed', ['router-1.example.net']),

  flows.withDefault('renormalise', flag, false,
    'Multiplies the counters of sampled flows by the sampling interval'),
  flows.withDefault('pair', flag, false, 'Joins one-way records to biflows'),
  flows.withDefault('pair_wait', duration({ min: 0, max: hourMs }), flowPairerDefaults.pairWaitMs,
    'How long a one-way record waits for its other direction'),
  flows.withDefault('l7', choice(['none', 'prefix', 'exporter']), 'none',
    'Who names layer 7: nobody, natlens by addresses and ports, or the exporter'),

  output.required('folder', net.path('folder'), 'Where files go. Made when it is not there',
    '/var/lib/natlens-collector/flows'),
  output.withDefault('rotate', duration({ min: secondMs, max: dayMs }), 5 * minuteMs,
    'How much time one file has; a kill loses the file that is being written'),
  output.withDefault('file_size', size({ min: 1 << 20, max: 1 << 30 }), 1 << 30,
    'A file of so many bytes is followed by the next at once'),
  output.withDefault('compression', choice(['none', 'zstd']), 'none',
    'zstd makes files half as large, for as much work again as writing them'),
  output.optional('keep_size', size({ min: 1 << 20, max: 2 ** 50 }), 'all are kept',
    'Bytes of all files together; beyond, the oldest are deleted', 500 * 2 ** 30),
  output.optional('keep', duration({ min: minuteMs, max: 3_650 * dayMs }), 'all are kept',
    'Older files are deleted', 30 * dayMs),

  rowsOf('forward').required('to', listOf(net.endpoint, { countMin: 1, countMax: limits.collectorForwardsMax }),
    'Addresses and ports, by UDP. They see this machine as the sender', [{ address: '192.0.2.9', port: 2055 }]),
  rowsOf('detector').required('config', net.path('file'),
    'Config of the detector; its own input.listen is not opened', '/etc/natlens/detector.toml'),
  rowsOf('metrics').optional('listen', net.endpoint, 'no endpoint',
    'Address and port of /metrics and /healthz (HTTP)', { address: '127.0.0.1', port: 9465 }),
  rowsOf('log').withDefault('level', choice(['debug', 'info', 'warn', 'error']), 'info', 'Least level that is written'),
] as const;

export type KeyRow = (typeof configKeys)[number];

/** What the machinery of configs works on. */
export const configTable: ConfigTable = { sections: configSections, keys: configKeys, entriesMax: {} };
