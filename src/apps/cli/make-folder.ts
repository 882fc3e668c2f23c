/** Makes the folder that a verb writes to, and says in one sentence when it cannot. */
import { describeError, OperatorError } from '#base';
import { makeFolders } from '#service';

/** @throws OperatorError  it cannot be made */
export function makeFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (thrown) {
    throw new OperatorError('output-unwritable', `Cannot make the folder ${path}: ${describeError(thrown)}.`, thrown);
  }
}
