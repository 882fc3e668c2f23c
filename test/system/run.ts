/**
 * `npm run test:system`: the tests that need other programs, the shared data or much time, one file after the other.
 * Arguments are further options of Node's test runner. The exit code is the runner's own.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const files = globSync('*.test.ts', { cwd: folder }).sort().map((name) => `${folder}${name}`);
// One at a time: they measure memory and rates, and the programs that they compare us with take all processors.
const options = ['--test', '--test-reporter=spec', '--test-concurrency=1', ...process.argv.slice(2)];
const { status, signal, error } = spawnSync(process.execPath, [...options, ...files], { stdio: 'inherit' });
if (error !== undefined) process.stderr.write(`test:system: the test runner does not start (${error.message})\n`);
if (signal !== null) process.stderr.write(`test:system: the test runner was ended by ${signal}\n`);
process.exitCode = status ?? 1;
