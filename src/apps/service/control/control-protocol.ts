/**
 * How commands talk to a program that runs, a detector or a collector: JSON over HTTP/1.1 over a Unix socket in the
 * state folder. Only who may read the state may ask: the socket has mode 0600, and nothing of this is reachable from a
 * network.
 */
import { join } from 'node:path';
import { OperatorError } from '#base';

/** Who is asked, in sentences. */
export type ProgramName = 'detector' | 'collector';

/** File of the socket within the state folder. */
export const controlSocketName = 'control.sock';

/**
 * Bytes of a path that a Unix socket may have (`sun_path` less its zero, unix(7)); longer ones are cut by some systems.
 */
const pathBytesMax = 107;

/** The socket of a state folder. @throws OperatorError  its path is too long */
export function controlSocketPath(stateFolder: string): string {
  const path = join(stateFolder, controlSocketName);
  if (Buffer.byteLength(path) <= pathBytesMax) return path;
  throw new OperatorError('bad-option', `The path of the state folder is too long for the socket in it: ${path} has ` +
    `${Buffer.byteLength(path)} bytes, and a socket's may have ${pathBytesMax}; choose a shorter state folder.`);
}

export type ControlMethod = 'GET' | 'POST';

/** Body of an answer that is none: what went wrong, in the words of the error. */
export type ControlFailure = { readonly kind: 'operator' | 'environment' | 'bug'; readonly code: string;
  readonly error: string };

/** Who asks waits no longer; a handler that takes longer is answered 503. */
export const answerMs = 10_000;
