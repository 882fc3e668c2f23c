/**
 * `natlens detect`: runs a detector, and asks or orders one that runs. The bundle has this as its whole command; the
 * full natlens adds replays.
 */
import { writeFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { describeError, EnvironmentError, formatCount, OperatorError, systemClock } from '#base';
import { forTerminal, jsonForTerminal, type ControlMethod } from '#service';
import { explainConfig } from './config/explain-config.ts';
import { readConfig } from './config/read-config.ts';
import type { DetectorConfig } from './config/detector-config.ts';
import { askDetector, notRunning } from './control/ask-detector.ts';
import { openCore } from './core.ts';
import type { DetectParts } from './flow-receiver.ts';
import { formatExplanation, formatForgotten } from './format-explanation.ts';
import { formatStatus } from './format-status.ts';
import {
  explainHome, forgetHome, releaseBlocks, resendAction, setOptOut, type DetectorCore, type ForgetReport,
  type HomeExplanation,
} from './home-desk.ts';
import { openReplay } from './replay.ts';
import { runService } from './run-service.ts';
import { sketchHomes, type SketchAnswer } from './sketch-desk.ts';
import { hasState, StateStore } from './state-store.ts';
import type { DetectorStatus } from './status.ts';
import { SteadyClock } from './steady-clock.ts';

export type ReportDetectExit = (code: 0 | 1 | 2 | 3 | 70) => void;

/** Where a packaged detector has its config. */
const usualConfig = '/etc/natlens/detector.toml';

type RunOptions = { readonly check?: boolean; readonly json?: boolean; readonly replay?: readonly string[] };
type AskOptions = { readonly config: string; readonly json?: boolean };

/** Gives the verb its options, its sub-verbs and its action. */
export function configureDetect(command: Command, reportExit: ReportDetectExit, parts: DetectParts): void {
  command
    .description('Runs a detector: receives NetFlow v5, v9 and IPFIX, decides for each home whether it has a device ' +
      'model, and acts as the config says. Ctrl-C ends it; what it found is kept.')
    .argument('[config]', `the config file (TOML); by default ${usualConfig}`)
    .option('--check', 'explain what a detector of this config would do, and end')
    .option('--json', 'with --check or --replay: print JSON');
  parts.replay?.addOptions(command);
  command
    .addHelpText('after', '\nExamples:\n' +
      '  natlens detect detector.toml --check\n' +
      '  natlens detect detector.toml\n' +
      (parts.replay === undefined ? '' : '  natlens detect detector.toml --replay home.parquet\n') +
      '  natlens detect status\n  natlens detect explain home-17\n  natlens detect forget home-17\n')
    .action(async (path: string | undefined, options: RunOptions) => {
      const config = await readConfig(path ?? usualConfig);
      if (options.check === true) {
        process.stdout.write(`${explainConfig(config, { json: options.json === true })}\n`);
      } else if (parts.replay !== undefined && options.replay !== undefined) {
        reportExit(await parts.replay.run(config, options, openReplay));
      } else {
        reportExit(await runService(config));
      }
    });
  configureQuestions(command);
  configureSketch(command);
  configureOrders(command);
}

/** A sub-verb that is asked of a running detector. */
function addVerb(command: Command, usage: string, description: string): Command {
  return command.command(usage).description(description)
    .option('-c, --config <file>', 'the config of the detector', usualConfig)
    .option('--json', 'print JSON');
}

function configureQuestions(command: Command): void {
  addVerb(command, 'status', 'Shows what a running detector receives, finds and does.')
    .action(async (options: AskOptions) => {
      const config = await readConfig(options.config);
      const status = await askDetector(config.stateFolder, 'GET', '/status');
      if (status === notRunning) throw new OperatorError('bad-option', `No detector runs on ${config.stateFolder}.`);
      print(options, status, () => formatStatus(status as DetectorStatus), command);
    });
  addVerb(command, 'explain <home>', 'Shows what is known of a home, what was found there and why, and what was done. A ' +
    'home goes by its name, by its pseudonym of the log, or by the reference of a mail.')
    .action(async (home: string, options: AskOptions) => {
      const answer = await ask(await readConfig(options.config), { path: '/explain', body: { home } },
        (core) => explainHome(core, home));
      print(options, answer, () => formatExplanation(answer as HomeExplanation), command);
    });
}

/** Counts for calibrating classifiers, with no home in them. */
function configureSketch(command: Command): void {
  addVerb(command, 'sketch', 'Writes how strong evidence got in the homes of this detector, day by day, as counts for ' +
    'natlens calibrate. No home, address or date is in it.')
    .option('-o, --output <file>', 'write it there instead of standard output')
    .action(async (options: AskOptions & { readonly output?: string }) => {
      const answer = await ask(await readConfig(options.config), { path: '/sketch', body: undefined, method: 'GET' },
        sketchHomes) as SketchAnswer;
      const { text, classifiers, homeDays, heldBack } = answer;
      if (options.output === undefined) return void process.stdout.write(text);
      try {
        writeFileSync(options.output, text);
      } catch (thrown) {
        throw new EnvironmentError('disk', `${options.output} cannot be written: ${describeError(thrown)}.`, thrown);
      }
      const told = { output: options.output, classifiers, homeDays, heldBack };
      print(options, told, () => [
        `${options.output}: ${formatCount(homeDays)} home-days of ${formatCount(classifiers)} classifiers`,
        ...(heldBack.length === 0 ? [] : [`held back, with too few home-days: ${heldBack.join(', ')}`]),
      ].join('\n'), command);
    });
}

function configureOrders(command: Command): void {
  addVerb(command, 'forget <home>', 'Erases everything about a home, and ends its blocks.')
    .action(async (home: string, options: AskOptions) => {
      const answer = await ask(await readConfig(options.config), { path: '/forget', body: { home } },
        async (core) => await forgetHome(core, home));
      print(options, answer, () => formatForgotten(answer as ForgetReport, 'forgotten'), command);
    });
  addVerb(command, 'release <home>', 'Ends the blocks of a home.')
    .action(async (home: string, options: AskOptions) => {
      const answer = await ask(await readConfig(options.config), { path: '/release', body: { home } },
        async (core) => await releaseBlocks(core, home));
      print(options, answer, () => formatForgotten(answer as ForgetReport, 'released'), command);
    });
  addVerb(command, 'opt-out <home>', 'Tells a home nothing more, as its customer wishes.')
    .option('--device-model <name>', 'about this device model only: "not mine"')
    .option('--undo', 'tells it again')
    .action(async (home: string, options: AskOptions & { readonly deviceModel?: string; readonly undo?: boolean }) => {
      const isOut = options.undo !== true;
      const answer = await ask(await readConfig(options.config),
        { path: '/opt-out', body: { home, deviceModel: options.deviceModel, isOut } },
        (core) => ({ home: setOptOut(core, home, options.deviceModel, isOut) }));
      const done = isOut ? 'opted out' : 'opted in';
      print(options, answer, () => `${done}: ${(answer as { home: string }).home}`, command);
    });
  addVerb(command, 'block <home> <model>', 'Orders to block a destination or a port for a home in which a ' +
    'device model is present; a running detector does it at once, for the time that the config says.')
    .option('--destination <address>', 'address or prefix to block')
    .option('--port <port>', 'port to block')
    .addOption(new Option('--protocol <protocol>', 'of the port').choices(['tcp', 'udp']).default('tcp'))
    .requiredOption('--note <text>', 'why, for the audit')
    .action(async (home: string, deviceModel: string, options: AskOptions &
      { readonly destination?: string; readonly port?: string; readonly protocol: string; readonly note: string }) => {
      const { destination, protocol, note } = options;
      const port = options.port === undefined ? undefined : Number(options.port);
      const config = await readConfig(options.config);
      const answer = await askDetector(config.stateFolder, 'POST', '/block',
        { home, deviceModel, destination, protocol, port, note });
      if (answer === notRunning) throw new OperatorError('bad-option',
        `No detector runs on ${config.stateFolder}: only a running one blocks.`);
      print(options, answer, () => `ordered: ${(answer as { ids: string[] }).ids.join(', ')}`, command);
    });
  addVerb(command, 'resend <action>', 'Has an action done again that failed or is of uncertain fate, by its id, by ' +
    'the reference of its mail, or by its name of the log (a-…).')
    .action(async (action: string, options: AskOptions) => {
      const answer = await ask(await readConfig(options.config), { path: '/resend', body: { action } },
        (core) => ({ id: resendAction(core, action) }));
      print(options, answer, () => `waits to be sent: ${(answer as { id: string }).id}`, command);
    });
}

/** `--json` may stand before the sub-verb or after it; commander gives it to whom it was said to. */
function print(options: AskOptions, answer: unknown, format: () => string, command: Command): void {
  const isJson = options.json === true || command.opts<{ json?: boolean }>().json === true;
  process.stdout.write(`${isJson ? jsonForTerminal(answer) : forTerminal(format())}\n`);
}

/** Asks the detector that runs; where none does, works on its state. */
async function ask(
  config: DetectorConfig, question: { readonly path: string; readonly body: unknown; readonly method?: ControlMethod },
  work: (core: DetectorCore) => unknown,
): Promise<unknown> {
  const answer = await askDetector(config.stateFolder, question.method ?? 'POST', question.path, question.body);
  if (answer !== notRunning) return answer;
  if (!hasState(config.stateFolder)) throw new OperatorError('bad-option',
    `No detector ran on ${config.stateFolder} yet: there is no state in it.`);
  const store = StateStore.open(config.stateFolder);
  try {
    const core = await openCore(config, store, new SteadyClock(systemClock, store.savedTime()));
    return await work(core);
  } finally {
    store.close();
  }
}
