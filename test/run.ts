/**
 * `npm test`: every test that needs nothing but this package, as many files at once as there are processors, and two at
 * least, for some wait. Arguments are further options of Node's test runner. The exit code is the runner's own.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const patterns = ['src/**/*.test.ts', 'sim/**/*.test.ts', 'test/*.test.ts', 'test/golden/*.test.ts',
  'test/e2e/*.test.ts'];
// Node itself leaves one processor free: of two it would use one.
const concurrency = Math.max(2, availableParallelism());
const { status, signal, error } = spawnSync(process.execPath, ['--test', '--test-reporter=spec',
  `--test-concurrency=${concurrency}`, ...process.argv.slice(2), ...patterns],
{ stdio: 'inherit', cwd: fileURLToPath(new URL('..', import.meta.url)) });
if (error !== undefined) process.stderr.write(`test: the test runner does not start (${error.message})\n`);
if (signal !== null) process.stderr.write(`test: the test runner was ended by ${signal}\n`);
process.exitCode = status ?? 1;
