/** The `natlens` command: names the verbs, turns failures into one sentence and an exit code (0, 1, 2, 3). */
import { Command, CommanderError } from 'commander';
import { EnvironmentError, OperatorError } from '#base';
import { addDemoCommand } from './demo-command.ts';
import { addFlowsCommand } from './flows-command.ts';
import { addSimulateCommand } from './simulate-command.ts';
import { readVersion } from './version.ts';

/** 0: done; 1: ran, and the answer is no; 2: the input must change; 3: the environment failed; 70: our own bug. */
export type ExitCode = 0 | 1 | 2 | 3 | 70;

/** What a verb reports back once it ran. */
export type ReportExit = (code: ExitCode) => void;

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
    .addHelpText('after', '\nExample:\n  natlens flows home.pcap -o home.parquet\n\nExit codes: 0 done, 1 ran but the answer is no ' +
      '(or the input broke off), 2 your input, 3 the environment.');
  addFlowsCommand(program, reportExit);
  addSimulateCommand(program);
  addDemoCommand(program, reportExit);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    return describeFailure(thrown);
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
