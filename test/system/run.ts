/**
 * `npm run test:system`: the tests that need other programs, the shared data or much time. Most go one file after the
 * other, for they measure memory and rates; those that mostly wait go beside those that mostly compute. Arguments are
 * further options of Node's test runner. The exit code is the runner's own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A minute of a block's life, and mails that wait for evidence. */
const waiting = ['detector-home.test.ts'];
/** Other programs are asked about hundreds of captures. */
const computing = ['metering-oracle.test.ts', 'ndpi-oracle.test.ts'];

const folder = fileURLToPath(new URL('.', import.meta.url));
const all = globSync('*.test.ts', { cwd: folder }).sort();
// One at a time: the programs that they compare us with take all processors.
const options = ['--test', '--test-reporter=spec', '--test-concurrency=1', ...process.argv.slice(2)];

/** Runs files one after the other. @param isAlone  prints while it runs, otherwise at its end; @returns an exit code */
async function runFiles(names: readonly string[], isAlone: boolean): Promise<number> {
  if (names.length === 0) return 0;
  const child = spawn(process.execPath, [...options, ...names.map((name) => `${folder}${name}`)],
    { stdio: ['inherit', isAlone ? 'inherit' : 'pipe', 'inherit'] });
  const printed: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => void printed.push(chunk));
  try {
    const [status, signal] = await once(child, 'close') as [number | null, string | null];
    process.stdout.write(Buffer.concat(printed));
    if (signal !== null) process.stderr.write(`test:system: the test runner was ended by ${signal}\n`);
    return status ?? 1;
  } catch (thrown) {
    process.stderr.write(`test:system: the test runner does not start (${(thrown as Error).message})\n`);
    return 1;
  }
}

const beside = await Promise.all([waiting, computing].map((names) =>
  runFiles(names.filter((name) => all.includes(name)), false)));
const rest = await runFiles(all.filter((name) => !waiting.includes(name) && !computing.includes(name)), true);
process.exitCode = Math.max(...beside, rest);
