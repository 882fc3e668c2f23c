/** The `natlens` command: names the verbs, turns failures into one sentence and an exit code (0, 1, 2, 3). */
import { Command, CommanderError } from 'commander';
import { EnvironmentError, OperatorError, readVersion } from '#base';

/** 0: done; 1: ran, and the answer is no; 2: the input must change; 3: the environment failed; 70: our own bug. */
export type ExitCode = 0 | 1 | 2 | 3 | 70;

/** What a verb reports back once it ran. */
export type ReportExit = (code: ExitCode) => void;

/** The verbs. What one needs is loaded when it is named, so that `--version` and a mistyped verb answer at once. */
const verbs: readonly {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<(command: Command, reportExit: ReportExit, argv: readonly string[]) =>
    void | Promise<void>>;
}[] = [
  {
    name: 'flows', summary: 'turn captures and flow files into flow records',
    load: async () => (await import('./flows-command.ts')).configureFlows,
  },
  {
    name: 'export', summary: 'send flow records to a collector as NetFlow v9 or IPFIX',
    load: async () => (await import('./export-command.ts')).configureExport,
  },
  {
    name: 'probe', summary: 'meter packets of an interface, and send flows on',
    load: async () => (await import('./probe-command.ts')).configureProbe,
  },
  {
    name: 'train', summary: 'train the classifier of a device model on its flows',
    load: async () => (await import('./train-command.ts')).configureTrain,
  },
  {
    name: 'calibrate', summary: 'find out what classifiers may promise about homes',
    load: async () => (await import('./calibrate-command.ts')).configureCalibrate,
  },
  {
    name: 'score', summary: 'score flows with classifiers',
    load: async () => (await import('./score-command.ts')).configureScore,
  },
  {
    name: 'classifier', summary: 'inspect, verify or export classifiers',
    load: async () => (await import('./classifier-command.ts')).configureClassifier,
  },
  {
    name: 'detect', summary: 'find device models in live flows, and act',
    load: async () => (await import('./detect-command.ts')).configureDetect,
  },
  {
    name: 'collect', summary: 'receive flow records of many exporters, and account for every one',
    load: async () => (await import('./collect-command.ts')).configureCollect,
  },
  {
    name: 'lab', summary: 'make data sets of captures, and try classifiers on them',
    load: async () => (await import('./lab-command.ts')).configureLab,
  },
  {
    name: 'simulate', summary: 'write the traffic of a simulated home to a capture',
    load: async () => (await import('./simulate-command.ts')).configureSimulate,
  },
  {
    name: 'demo', summary: 'simulate a home, meter its traffic and show the flows',
    load: async () => (await import('./demo-command.ts')).configureDemo,
  },
];

/**
 * Runs one command.
 *
 * @param argv  the arguments after the program's name
 * @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const reportExit: ReportExit = (code) => {
    exitCode = code;
  };
  const program = new Command('natlens')
    .description('Finds homes with a vulnerable IoT device model behind their NAT, from flow records alone.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('(natlens --help shows the verbs and their options)')
    .exitOverride()
    .addHelpText('after', '\nExample:\n  natlens flows home.pcap -o home.parquet\n\nExit codes: ' +
      '0 done, 1 ran but the answer is no (or the input broke off), 2 your input, 3 the environment.');
  watchOutput();
  try {
    for (const { name, summary, load } of verbs) {
      const command = program.command(name).summary(summary);
      if (argv.includes(name)) await (await load())(command, reportExit, argv);
    }
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    exitCode = describeFailure(thrown);
  }
  // Also after `--help` and `--version`, which commander ends by throwing. One failure is told, and the first counts.
  return exitCode > 1 ? exitCode : await flushOutput().then(() => exitCode, describeFailure);
}

let outputFailure: NodeJS.ErrnoException | undefined;

/** A reader that goes away (`| head`) is no failure; without a listener Node would end with a stack. */
function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    outputFailure ??= error;
  });
  process.stderr.on('error', () => undefined);
}

/** Waits until standard output took everything. @throws EnvironmentError  it did not */
async function flushOutput(): Promise<void> {
  await new Promise<void>((resolve) => void process.stdout.write('', () => resolve()));
  if (outputFailure !== undefined && outputFailure.code !== 'EPIPE') {
    throw new EnvironmentError('disk', `Writing standard output failed: ${outputFailure.message}.`, outputFailure);
  }
}

function describeFailure(thrown: unknown): ExitCode {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  if (thrown instanceof OperatorError) {
    process.stderr.write(`natlens: ${thrown.message}\n`);
    return 2;
  }
  if (thrown instanceof EnvironmentError) {
    process.stderr.write(`natlens: ${thrown.message}\n`);
    return 3;
  }
  const detail = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
  process.stderr.write(`natlens: this is a bug in natlens, please report it:\n${detail}\n`);
  return 70;
}
