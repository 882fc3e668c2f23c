/** Assertions that stay on in production: a broken invariant is our bug and stops the program. */
import { InvariantError } from './errors.ts';

/**
 * Stops when a condition that our own code must uphold does not hold.
 *
 * @throws InvariantError  the condition is false
 */
export function assertInvariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
