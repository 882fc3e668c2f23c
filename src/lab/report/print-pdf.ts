/**
 * Prints a page as PDF with the Chromium that is installed. It runs without a network profile of the user's, on a file
 * that we made, in a folder that is removed again.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EnvironmentError } from '#base';

/** Names of the program in the order in which it is looked for in PATH. */
export const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome'] as const;

/** Seven device models and six methods take 2 s. */
const printTimeoutMs = 120_000;
const complaintMax = 4_000;

/** Browsers that are printing now, to be ended when the command is. */
const running = new Set<ChildProcess>();

/** The first of the programs in PATH, or undefined. */
export function findChromium(path = process.env['PATH'] ?? ''): string | undefined {
  for (const name of chromiumNames) {
    for (const folder of path.split(delimiter)) {
      if (folder !== '' && isProgram(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Ends browsers at once. Whoever calls it ends then. */
export function stopPrinting(): void {
  for (const child of running) child.kill('SIGKILL');
}

/**
 * Prints HTML.
 *
 * @param html  a page that needs nothing but itself
 * @returns     the PDF
 * @throws EnvironmentError  `browser-absent`, or `browser-failed`: it ended otherwise than it should, or not in time
 */
export async function printPdf(html: string): Promise<Uint8Array> {
  const program = findChromium();
  if (program === undefined) {
    throw new EnvironmentError('browser-absent',
      `--pdf needs Chromium, and none of ${chromiumNames.join(', ')} is in ` +
      'PATH. Install it (Debian: apt-get install chromium), or print the HTML from any browser.');
  }
  const folder = await mkdtemp(join(tmpdir(), 'natlens-pdf-'));
  try {
    const [page, pdf] = [join(folder, 'report.html'), join(folder, 'report.pdf')];
    await writeFile(page, html);
    await runChromium(program, ['--headless', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
      '--disable-background-networking', '--no-pdf-header-footer', `--user-data-dir=${join(folder, 'profile')}`,
      // Chromium refuses to run as root with its sandbox; the page is our own and has no scripts.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      `--print-to-pdf=${pdf}`, pathToFileURL(page).href]);
    return await readFile(pdf).catch((thrown: unknown) => {
      throw new EnvironmentError('browser-failed', `${program} printed nothing.`, thrown);
    });
  } finally {
    // Its helpers may still be writing to the profile when it ends.
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }).catch(() => undefined);
  }
}

function runChromium(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: printTimeoutMs,
      killSignal: 'SIGKILL' });
    running.add(child);
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-complaintMax);
    });
    const fail = (why: string, cause?: unknown): void => {
      running.delete(child);
      reject(new EnvironmentError('browser-failed', `${program} did not print the report: ${why}.`, cause));
    };
    child.once('error', (error) => fail(error.message, error));
    child.once('close', (code, signal) => {
      running.delete(child);
      if (code === 0) resolve();
      else if (signal !== null) fail(`it was ended by ${signal}, or took longer than ${printTimeoutMs / 1000} s`);
      else fail(complaint.trim().split('\n').at(-1) ?? `exit code ${code}`);
    });
  });
}
