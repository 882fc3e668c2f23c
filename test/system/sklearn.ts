/** Finds a Python that has scikit-learn: Debian's own, or that of the search path. Tests skip where there is none. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const oracleFolder = fileURLToPath(new URL('../oracle/', import.meta.url));

const candidates = ['/usr/bin/python3', 'python3'];

/** Path of a Python with scikit-learn, or undefined. */
export function findSklearnPython(): string | undefined {
  return candidates.find((python) => spawnSync(python, ['-c', 'import sklearn'], { stdio: 'ignore' }).status === 0);
}

/** What a script of test/oracle prints. @throws Error  it fails */
export function runOracle(python: string, script: string, ...args: string[]): string {
  const run = spawnSync(python, [`${oracleFolder}${script}`, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${script} failed: ${run.error?.message ?? run.stderr}`);
  return run.stdout;
}
