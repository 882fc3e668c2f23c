/** What verbs share that take a data set, or an inventory to build one from: which of both, and whole numbers. */
import type { Command } from 'commander';
import { OperatorError } from '#base';
import { addBuildOptions } from './lab-build-command.ts';

/** Options that say how a data set is made, by the names of their values. */
const buildOptions = ['flows', 'l7', 'active', 'idle', 'madeAs', 'name', 'note'];

/** Gives the verb the options of `lab build`; here a data set may stand in place of an inventory. */
export function addDatasetOptions(command: Command): Command {
  addBuildOptions(command);
  command.options.find(({ long }) => long === '--inventory')?.makeOptionMandatory(false);
  const flowsOption = command.options.find(({ long }) => long === '--flows');
  if (flowsOption !== undefined) flowsOption.defaultValueDescription = 'none';
  return command;
}

/** @throws OperatorError  there is no data set, or there are two, or options that build one without need */
export function checkDatasetInput(command: Command, dataset: string | undefined, inventory: string | undefined): void {
  if ((dataset === undefined) === (inventory === undefined)) {
    throw new OperatorError('bad-option', dataset === undefined
      ? 'Name the folder of a data set, before the options, or an --inventory to build one from.'
      : 'Name a data set or an --inventory to build one from, not both.');
  }
  const useless = buildOptions.find((name) => command.getOptionValueSource(name) === 'cli');
  if (dataset !== undefined && useless !== undefined) {
    throw new OperatorError('bad-option',
      `--${useless === 'madeAs' ? 'made-as' : useless} is for building a data set with --inventory: ${dataset} is ` +
      'built already.');
  }
}

export function parseWhole(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new OperatorError('bad-option', `${option} is a whole number from ${least} to ${most}, not '${text}'.`);
  };
}
