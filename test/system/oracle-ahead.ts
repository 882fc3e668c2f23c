/**
 * Oracles that work ahead: while we meter one capture, the program that we are compared with reads the next ones on
 * another processor. Every capture is still asked for, once.
 */

/** Answers that are waited for at once: the one that is asked for, and those after it. */
const aheadMax = 3;

/**
 * @param items  in the order in which they will be asked for
 * @returns      the answer on an item; known from then on, so that asking again runs nothing
 */
export function askAhead<Answer>(items: readonly string[], ask: (item: string) => Promise<Answer>):
(item: string) => Promise<Answer> {
  const answers = new Map<string, Promise<Answer>>();
  const start = (item: string): Promise<Answer> => {
    const known = answers.get(item);
    if (known !== undefined) return known;
    const answer = ask(item);
    // Who asks for it is told of a failure; nobody is before.
    answer.catch(() => undefined);
    answers.set(item, answer);
    return answer;
  };
  return (item) => {
    const at = items.indexOf(item);
    for (const next of at === -1 ? [] : items.slice(at, at + aheadMax)) start(next);
    return start(item);
  };
}
