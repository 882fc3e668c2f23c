/** A command's side of the control socket: asks the program that runs on a state, or says that none does. */
import { request, type IncomingMessage } from 'node:http';
import { describeError, EnvironmentError, limits, OperatorError } from '#base';
import {
  answerMs, controlSocketPath, type ControlFailure, type ControlMethod, type ProgramName,
} from './control-protocol.ts';

/** Nothing runs on this state, so the command may open it itself. */
export const notRunning = Symbol('nothing runs');

export type RunningQuestion = {
  /** Of the program that is asked. */
  readonly stateFolder: string;
  readonly method: ControlMethod;
  readonly path: string;
  /** Sent as JSON; undefined: none. */
  readonly body?: unknown;
};

/**
 * Asks a program that runs.
 *
 * @returns  the answer, or `notRunning`
 * @throws OperatorError     what the program's route threw; or no permission to ask
 * @throws EnvironmentError  what the route threw; or the program gave no answer
 */
export async function askRunning(program: ProgramName, question: RunningQuestion): Promise<unknown> {
  const { stateFolder, method, path, body } = question;
  const socketPath = controlSocketPath(stateFolder);
  const { status, text } = await exchange(program, { socketPath, method, path, body: JSON.stringify(body) })
    .catch((thrown: NodeJS.ErrnoException) => describeSilence(program, thrown, socketPath));
  if (status === 0) return notRunning;
  const answer = parseAnswer(program, text);
  if (status === 200) return answer;
  const { kind, code, error } = answer as Partial<ControlFailure>;
  const sentence = error ?? `The ${program} answered with status ${status}.`;
  // Codes travel, so that what the command prints and ends with is the same as if it had done the work itself.
  if (kind === 'operator') throw new OperatorError((code ?? 'bad-option') as OperatorError['code'], sentence);
  throw new EnvironmentError(
    (kind === 'environment' ? code ?? 'network' : 'network') as EnvironmentError['code'], sentence);
}

type Answer = { readonly status: number; readonly text: string };

function describeSilence(program: ProgramName, thrown: NodeJS.ErrnoException, socketPath: string): Answer {
  if (thrown.code === 'ENOENT' || thrown.code === 'ECONNREFUSED') return { status: 0, text: '' };
  if (thrown.code === 'EACCES' || thrown.code === 'EPERM') throw new OperatorError('bad-option',
    `No permission to ask the ${program} at ${socketPath}: run this as the user that the ${program} runs as.`, thrown);
  if (thrown instanceof EnvironmentError) throw thrown;
  throw new EnvironmentError('network',
    `The ${program} at ${socketPath} gave no answer: ${describeError(thrown)}; its log may say why.`, thrown);
}

function parseAnswer(program: ProgramName, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    throw new EnvironmentError('network', `The ${program}'s answer is cut: it was stopped meanwhile.`, thrown);
  }
}

function exchange(program: ProgramName, options: {
  readonly socketPath: string; readonly method: string; readonly path: string; readonly body: string | undefined;
}): Promise<Answer> {
  const { socketPath, method, path, body } = options;
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, agent: false, timeout: answerMs + 2_000,
      headers: body === undefined ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }, (response) => {
      readText(program, response).then((text) => resolve({ status: response.statusCode ?? 500, text }), reject);
    });
    asking.once('timeout', () =>
      asking.destroy(new EnvironmentError('network', `The ${program} gives no answer.`)));
    asking.once('error', reject);
    asking.end(body);
  });
}

async function readText(program: ProgramName, response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > limits.controlBytesMax) {
      throw new EnvironmentError('network', `The ${program}'s answer is too large.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
