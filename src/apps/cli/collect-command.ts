/** `natlens collect`: receives flow records of many exporters, keeps them, and accounts for every one. */
import type { Command } from 'commander';
import { OperatorError } from '#base';
import {
  explainCollectorConfig, formatCollectorStatus, readCollectorConfig, type CollectorConfig, type CollectorOptions,
  type CollectorStatus,
} from '#collector';
import { askRunning, forTerminal, jsonForTerminal, notRunning } from '#service';
import type { ReportExit } from './main.ts';

type CollectOptions = Readonly<Record<string, unknown>> & {
  readonly check?: boolean;
  readonly json?: boolean;
};

type Row = {
  readonly flag: string;
  readonly about: string;
  /** Key of the config that it stands for; both are checked by the same rules. */
  readonly key: string;
  readonly read?: (given: string) => unknown;
};

const wholeNumber = (given: string): unknown => given.trim() === '' || Number.isNaN(Number(given)) ? given
  : Number(given);

/** Options that stand for keys of the config. */
const rows: readonly Row[] = [
  { flag: '--listen <url...>', about: 'where messages come in: udp://…, tcp://…, tls://…', key: 'input.listen' },
  { flag: '--exporters <prefix...>', about: 'who may send', key: 'input.exporters' },
  { flag: '--rate-limit <number>', about: 'datagrams a second of one exporter', key: 'input.rate_limit',
    read: wholeNumber },
  { flag: '--receive-buffer <size>', about: 'asked for each UDP socket, such as 64MiB', key: 'input.receive_buffer' },
  { flag: '--no-fast-path', about: 'receive datagrams one by one', key: 'input.fast_path' },
  { flag: '--out <folder>', about: 'write Parquet files there', key: 'output.folder' },
  { flag: '--rotate <duration>', about: 'time of one file, such as 5m', key: 'output.rotate' },
  { flag: '--keep <duration>', about: 'delete older files', key: 'output.keep' },
  { flag: '--keep-size <size>', about: 'delete the oldest files beyond this size', key: 'output.keep_size' },
  { flag: '--forward <address:port...>', about: 'hand messages on, as they came', key: 'forward.to' },
  { flag: '--detector <config>', about: 'run a detector of this config in the same process', key: 'detector.config' },
  { flag: '--tls-key <file>', about: 'our private key (PEM)', key: 'tls.key_file' },
  { flag: '--tls-certificate <file>', about: 'our certificate (PEM)', key: 'tls.certificate_file' },
  { flag: '--tls-authorities <file>', about: 'authorities of exporters\' certificates (PEM)',
    key: 'tls.authorities_file' },
  { flag: '--tls-names <name...>', about: 'names of certificates that may come in', key: 'tls.names' },
  { flag: '--l7 <source>', about: 'who names layer 7: none, prefix or exporter', key: 'flows.l7' },
  { flag: '--pair', about: 'join one-way records to biflows', key: 'flows.pair' },
  { flag: '--renormalise', about: 'multiply sampled counters by the sampling interval', key: 'flows.renormalise' },
  { flag: '--state <folder>', about: 'where templates and accounts are kept over restarts', key: 'state_folder' },
  { flag: '--metrics <address:port>', about: 'serve /metrics and /healthz there', key: 'metrics.listen' },
];

const nameOf = ({ flag }: Row): string => flag.split(' ', 1)[0] ?? '';

/** What commander calls the value of an option: `--rate-limit` is `rateLimit`, `--no-fast-path` is `fastPath`. */
const fieldOf = (row: Row): string => nameOf(row).replace(/^--(?:no-)?/, '')
  .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Gives the verb its options, its sub-verb and its action. */
export function configureCollect(command: Command, reportExit: ReportExit): void {
  command
    .description('Receives NetFlow v5, v9 and IPFIX of many exporters at once, by UDP, TCP and TLS, writes flow ' +
      'records to files that rotate, and says of every exporter what became of all that it sent. Ctrl-C ends it; ' +
      'templates and counts are kept for the next run.')
    .argument('[config]', 'a config file (TOML); options win over it');
  for (const { flag, about } of rows) command.option(flag, about);
  command
    .option('--check', 'explain what a collector of this config would do, and end')
    .option('--json', 'with --check: print JSON')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens collect --out flows\n' +
      '  natlens collect --out flows --listen udp://0.0.0.0:2055 tcp://0.0.0.0:4739\n' +
      '  natlens collect collector.toml --check\n' +
      '  natlens collect status\n')
    .action(async (path: string | undefined, options: CollectOptions) => {
      const config = await readCollectorConfig(path, optionsOf(options));
      if (options.check === true) {
        process.stdout.write(`${explainCollectorConfig(config, { json: options.json === true })}\n`);
        return;
      }
      const { runCollector } = await import('./collect-run.ts');
      reportExit(await runCollector(config));
    });
  command.command('status').description('Shows what a running collector receives, of whom, and what became of it.')
    .option('--state <folder>', 'state folder of the collector')
    .option('-c, --config <file>', 'the config of the collector, instead of --state')
    .option('--json', 'print JSON')
    .action(async (options: { readonly state?: string; readonly config?: string; readonly json?: boolean },
      asked: Command) => {
      // Commander gives options to the verb when it knows them, too.
      const all = asked.optsWithGlobals<typeof options>();
      const config = await readCollectorConfig(options.config, optionsOf(
        all.state === undefined ? {} : { state: all.state }));
      await printStatus(config, all.json === true);
    });
}

async function printStatus(config: CollectorConfig, isJson: boolean): Promise<void> {
  const { stateFolder } = config;
  const status = await askRunning('collector', { stateFolder, method: 'GET', path: '/status' });
  if (status === notRunning) throw new OperatorError('bad-option', `No collector runs on ${stateFolder}; --state or ` +
    '--config says where another one has its state.');
  process.stdout.write(`${isJson ? jsonForTerminal(status)
    : forTerminal(formatCollectorStatus(status as CollectorStatus))}\n`);
}

function optionsOf(options: Readonly<Record<string, unknown>>): CollectorOptions {
  return new Map(rows.flatMap((row) => {
    const value = options[fieldOf(row)];
    const isDefault = value === undefined || (row.flag.startsWith('--no-') && value === true);
    return isDefault ? []
      : [[row.key, { option: nameOf(row), value: typeof value === 'string' ? row.read?.(value) ?? value : value }]];
  }));
}
