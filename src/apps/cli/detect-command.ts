/** `natlens detect`: the detector, with what only the command has, reading files for `--replay`. */
import type { Command } from 'commander';
import { configureDetect as configure } from '#detector';
import { replayPart } from './detect-replay-part.ts';
import type { ReportExit } from './main.ts';

/** Gives the verb its options and its action. */
export function configureDetect(command: Command, reportExit: ReportExit): void | Promise<void> {
  return configure(command, reportExit, { replay: replayPart });
}
