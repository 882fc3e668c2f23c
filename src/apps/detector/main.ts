/** The detector as a program of its own: the entry of the bundle `natlens-detector.mjs`. */
import { Command, CommanderError } from 'commander';
import { EnvironmentError, OperatorError, readVersion } from '#base';
import { configureDetect } from './command.ts';
import { describeBug } from '#service';

/** @returns the exit code: 0, 2 (the input must change), 3 (the environment failed), 70 (our own bug) */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command('natlens-detector')
    .version(readVersion(), '-V, --version', 'print the version')
    .exitOverride();
  configureDetect(program, (code) => {
    exitCode = code;
  }, {});
  // Whoever reads may go away, and the disk under a log may be full: neither ends a detector.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    if (thrown instanceof OperatorError || thrown instanceof EnvironmentError) {
      process.stderr.write(`natlens-detector: ${thrown.message}\n`);
      return thrown instanceof OperatorError ? 2 : 3;
    }
    process.stderr.write(`natlens-detector: this is a bug in natlens, please report it:\n${describeBug(thrown)}\n`);
    return 70;
  }
}

process.exitCode = await main(process.argv.slice(2));
