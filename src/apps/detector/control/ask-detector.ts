/** A command's side of the control socket: asks the detector that runs on a state, or says that none does. */
import { request, type IncomingMessage } from 'node:http';
import { describeError, EnvironmentError, limits, OperatorError } from '#base';
import { answerMs, controlSocketPath, type ControlFailure, type ControlMethod } from './control-protocol.ts';

/** No detector runs on this state, so the command may open it itself. */
export const notRunning = Symbol('no detector runs');

/**
 * Asks a running detector.
 *
 * @param stateFolder  of the detector
 * @param body         sent as JSON; undefined: none
 * @returns            the answer, or `notRunning`
 * @throws OperatorError     what the detector's route threw; or no permission to ask
 * @throws EnvironmentError  what the route threw; or the detector gave no answer
 */
export async function askDetector(
  stateFolder: string, method: ControlMethod, path: string, body?: unknown,
): Promise<unknown> {
  const socketPath = controlSocketPath(stateFolder);
  const { status, text } = await exchange({ socketPath, method, path, body: JSON.stringify(body) })
    .catch((thrown: NodeJS.ErrnoException) => describeSilence(thrown, socketPath));
  if (status === 0) return notRunning;
  const answer = parseAnswer(text);
  if (status === 200) return answer;
  const { kind, code, error } = answer as Partial<ControlFailure>;
  const sentence = error ?? `The detector answered with status ${status}.`;
  // Codes travel, so that what the command prints and ends with is the same as if it had done the work itself.
  if (kind === 'operator') throw new OperatorError((code ?? 'bad-option') as OperatorError['code'], sentence);
  throw new EnvironmentError(
    (kind === 'environment' ? code ?? 'network' : 'network') as EnvironmentError['code'], sentence);
}

type Answer = { readonly status: number; readonly text: string };

function describeSilence(thrown: NodeJS.ErrnoException, socketPath: string): Answer {
  if (thrown.code === 'ENOENT' || thrown.code === 'ECONNREFUSED') return { status: 0, text: '' };
  if (thrown.code === 'EACCES' || thrown.code === 'EPERM') throw new OperatorError('bad-option',
    `No permission to ask the detector at ${socketPath}: run this as the user that the detector runs as.`, thrown);
  if (thrown instanceof EnvironmentError) throw thrown;
  throw new EnvironmentError('network',
    `The detector at ${socketPath} gave no answer: ${describeError(thrown)}; its log may say why.`, thrown);
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    throw new EnvironmentError('network', 'The detector\'s answer is cut: it was stopped meanwhile.', thrown);
  }
}

function exchange(options: {
  readonly socketPath: string; readonly method: string; readonly path: string; readonly body: string | undefined;
}): Promise<Answer> {
  const { socketPath, method, path, body } = options;
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, agent: false, timeout: answerMs + 2_000,
      headers: body === undefined ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }, (response) => {
      readText(response).then((text) => resolve({ status: response.statusCode ?? 500, text }), reject);
    });
    asking.once('timeout', () => asking.destroy(new EnvironmentError('network', 'The detector gives no answer.')));
    asking.once('error', reject);
    asking.end(body);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > limits.controlBytesMax) throw new EnvironmentError('network', 'The detector\'s answer is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
