/**
 * Verification: before anybody is told, ask again. A second opinion is asked of classifiers over the same flows, an
 * external program of whatever the operator knows. Whoever refutes wins; who confirms needs no refutation beside it.
 */
import { limits } from '#base';
import type { ExecutionContext, Executor, Outcome, PlannedAction, VerificationAnswer } from '../action.ts';
import { oneLine, runProgram } from '../run-program.ts';

export type VerifyParts = {
  /** Program and arguments; undefined: none. */
  readonly command: readonly string[] | undefined;
  readonly timeoutMs: number;
  /** What classifiers of second opinion say of the same flows; undefined: there are none. */
  readonly secondOpinion?:
    ((home: string, deviceModel: string) => VerificationAnswer | Promise<VerificationAnswer>) | undefined;
  /** Addresses of a home as the operator's config names them. */
  readonly addressesOf?: ((home: string) => readonly string[]) | undefined;
  readonly outputBytesMax?: number;
};

/** By exit code; any other says that the program could not answer. */
const answersByCode: readonly VerificationAnswer[] = ['confirmed', 'refuted', 'unsure'];
/** Version of the JSON on the program's standard input. */
const inputVersion = 1;
const commentCharactersMax = 200;
const stopping = 'the detector stops';

type Opinion = { readonly answer: VerificationAnswer; readonly detail: string };

/**
 * The executor of `verify`. Asking twice is the same as asking once: the external program must be so.
 *
 * An answer is an outcome `done` with that answer. A program that does not start, dies, takes too long or exits with
 * any other code is asked again later.
 */
export function createVerifyExecutor(parts: VerifyParts): Executor {
  return {
    kind: 'verify', isIdempotent: true,
    execute: async (action, context) => {
      if (context.signal.aborted) return retry(stopping);
      const opinions: Opinion[] = [];
      if (parts.secondOpinion !== undefined) {
        const answer = await parts.secondOpinion(action.home, action.deviceModel);
        opinions.push({ answer, detail: `second opinion: ${answer}` });
      }
      // A refutation stands: the program need not be told of this home.
      const isRefuted = opinions.some(({ answer }) => answer === 'refuted');
      if (parts.command !== undefined && !isRefuted) {
        const asked = await askProgram(parts.command, parts, action, context);
        if ('status' in asked) return asked;
        opinions.push(asked);
      }
      if (opinions.length === 0) {
        return { status: 'failed', detail: 'nothing is configured that could verify: name a command or classifiers ' +
          'of second opinion in [verify], or turn it off' };
      }
      const detail = opinions.map((opinion) => opinion.detail).join('; ');
      return { status: 'done', detail, answer: combineAnswers(opinions.map(({ answer }) => answer)) };
    },
  };
}

/** One answer of several: refuted by one is refuted, confirmed by one and refuted by none is confirmed. */
export function combineAnswers(answers: readonly VerificationAnswer[]): VerificationAnswer {
  if (answers.includes('refuted')) return 'refuted';
  return answers.includes('confirmed') ? 'confirmed' : 'unsure';
}

async function askProgram(command: readonly string[], parts: VerifyParts, action: PlannedAction,
  context: ExecutionContext): Promise<Opinion | Outcome> {
  const [program = '', ...args] = command;
  const addresses = parts.addressesOf?.(action.home) ?? [];
  const ended = await runProgram({
    program, args, input: `${JSON.stringify(factsOf(action, addresses))}\n`, timeoutMs: parts.timeoutMs,
    environment: environmentOf(action, addresses), signal: context.signal,
    outputBytesMax: parts.outputBytesMax ?? limits.verifyOutputBytesMax,
  });
  if (ended.end === 'not-started') return retry(`${program} does not start (${ended.code})`);
  if (ended.end === 'timed-out') return retry(`${program} took longer than ${parts.timeoutMs} ms and was ended`);
  if (ended.end === 'killed') return retry(`${program} was ended by ${ended.signal}`);
  if (ended.end === 'stopped') return retry(stopping);
  const comment = oneLine(ended.stdout, commentCharactersMax) || oneLine(ended.stderr, commentCharactersMax);
  const said = comment === '' ? '' : ` (${comment})`;
  const answer = answersByCode[ended.code];
  if (answer === undefined) return retry(`${program} exited with ${ended.code}${said}`);
  return { answer, detail: `command: ${answer}${said}` };
}

function retry(detail: string): Outcome {
  return { status: 'retry', detail };
}

function environmentOf(action: PlannedAction, addresses: readonly string[]): Record<string, string> {
  const facts = {
    NATLENS_HOME: action.home,
    NATLENS_DEVICE_MODEL: action.deviceModel,
    NATLENS_EPISODE: String(action.episode),
    NATLENS_ACTION_ID: action.id,
    NATLENS_ADDRESSES: addresses.join(' '),
    NATLENS_SCORE: String(action.verdict.evidence?.score ?? ''),
  };
  // A text with a zero byte cannot be handed over; names from files could have one.
  return Object.fromEntries(Object.entries(facts).map(([name, text]) => [name, text.replaceAll('\0', '')]));
}

/** What the program reads: the evidence as the verdict has it. */
function factsOf(action: PlannedAction, addresses: readonly string[]): unknown {
  const { verdict } = action;
  return {
    version: inputVersion, action: action.id, home: action.home, deviceModel: action.deviceModel,
    classifier: verdict.classifier, episode: action.episode, addresses, sinceMs: verdict.sinceMs,
    firstFlowMs: verdict.firstFlowMs, supportedMs: verdict.supportedMs, evidence: verdict.evidence ?? null,
  };
}
