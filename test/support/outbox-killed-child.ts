/**
 * A process that runs the scenario of an outbox against a world in its parent, and kills itself at a given step.
 * Arguments: database file, address of the world, number of the step (0: none). Prints each step, and how it ended.
 */
import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { runOutboxScenario, scenarioDatabase } from './outbox-scenario.ts';

const [file = '', world = '', killedAt = '0'] = process.argv.slice(2);
const db = new DatabaseSync(file);
db.exec(scenarioDatabase);
let steps = 0;
const end = await runOutboxScenario({
  db,
  deliver: async (kind, id) => {
    const answer = await fetch(`${world}/${kind}/${id}`, { method: 'POST' });
    if (!answer.ok) throw new Error(`the world answered ${answer.status}`);
  },
  onStep: (step) => {
    steps++;
    // Written at once: what is in a buffer dies with the process.
    writeSync(1, `${step}\n`);
    if (steps === Number(killedAt)) process.kill(process.pid, 'SIGKILL');
  },
});
writeSync(1, `${JSON.stringify(end)}\n`);
