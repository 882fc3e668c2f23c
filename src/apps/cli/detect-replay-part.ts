/**
 * `--replay` and the options that go with it. What reads files is loaded when a replay is asked for: a detector that
 * runs live from the same command does without.
 */
import type { Command } from 'commander';
import { OperatorError } from '#base';
import type { ReplayPart } from '#detector';
import { madeAsOption, parseMadeAs } from './classifier-flows.ts';
import type { ReplayOptions } from './detect-replay.ts';

export const replayPart: ReplayPart = {
  addOptions: addReplayOptions,
  run: async (config, options, open) => {
    const { printReplay } = await import('./detect-replay.ts');
    // Commander parsed them by what `addReplayOptions` declares.
    return printReplay(config, options as unknown as ReplayOptions, open);
  },
};

function addReplayOptions(command: Command): void {
  command
    .option('--replay <file...>', 'take the flows of files (all that natlens flows reads) instead of live ones; ' +
      'nothing is executed')
    .option('--speed <speed>', 'with --replay: max, real, or how many times faster than real time', parseSpeed, Infinity)
    .option('--exports', 'with --replay: captures carry NetFlow or IPFIX datagrams, which are decoded')
    .option(madeAsOption[0], `with --replay: ${madeAsOption[1]}; instead of what the config says`, parseMadeAs)
    .option('-q, --quiet', 'with --replay: show no progress');
  const speed = command.options.find(({ long }) => long === '--speed');
  if (speed !== undefined) speed.defaultValueDescription = 'max';
}

/** `max`, `real` or a number. @throws OperatorError */
export function parseSpeed(text: string): number {
  if (text === 'max') return Infinity;
  const speed = text === 'real' ? 1 : Number(text);
  if (text.trim() !== '' && speed > 0 && speed <= 1e6) return speed;
  throw new OperatorError('bad-option',
    `--speed is max, real, or how many times faster than real time (up to 1000000), not '${text}'.`);
}
