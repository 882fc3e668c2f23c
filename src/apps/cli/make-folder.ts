/** Makes the folder that a verb writes to, and says in one sentence when it cannot. */
import { mkdir } from 'node:fs/promises';
import { describeError, OperatorError } from '#base';

/** @throws OperatorError  it cannot be made */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (thrown) {
    throw new OperatorError('output-unwritable', `Cannot make the folder ${path}: ${describeError(thrown)}.`, thrown);
  }
}
