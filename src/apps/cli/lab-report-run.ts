/** One run of `natlens lab report`: reads, draws, writes, prints if asked to, and says where things are. */
import { dirname, join } from 'node:path';
import { formatBytes, formatCount, OperatorError } from '#base';
import { dropTemporaryFiles, standardOutput } from '#flow/files';
import { drawReport, printPdf, readReport, stopPrinting } from '#lab';
import { writeWholeFile } from './classifier-files.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { LabReportOptions } from './lab-report-command.ts';
import { Progress } from './progress.ts';

/** How often a line about a long step may be due. */
const tickEveryMs = 250;

/**
 * Runs `natlens lab report`.
 *
 * @param experiment  folder of an experiment, or its report.json
 * @throws OperatorError     the input is none, an output cannot be written
 * @throws EnvironmentError  Chromium is absent or failed, the disk failed
 */
export async function runLabReport(experiment: string, { output, pdf, json, quiet }: LabReportOptions): Promise<void> {
  if (pdf === standardOutput) throw new OperatorError('bad-option', '--pdf needs the name of a file.');
  if (output === standardOutput && json === true) {
    throw new OperatorError('bad-option', 'Standard output takes the page (-o -) or the summary (--json), not both.');
  }
  const progress = new Progress(quiet === true);
  const forgetCleanUp = cleanUpOnSignal(() => {
    stopPrinting();
    dropTemporaryFiles();
  });
  let step = 'reading';
  const timer = setInterval(() => progress.tick(() => `natlens: ${step}, ${formatCount(progress.seconds)} s`),
    tickEveryMs);
  try {
    const { path, report } = await readReport(experiment);
    const target = output ?? join(dirname(path), 'report.html');
    step = 'drawing';
    const html = await drawReport(report);
    const bytes = Buffer.from(html);
    step = 'printing';
    const printed = pdf === undefined ? undefined : await printPdf(html);
    await writeWholeFile(target, bytes);
    if (printed !== undefined && pdf !== undefined) await writeWholeFile(pdf, printed);
    progress.end();
    if (target === standardOutput) return;
    const deviceModels = new Set(report.results.map(({ deviceModel }) => deviceModel)).size;
    const summary = {
      input: path, output: target, bytes: bytes.length, pdf: pdf ?? null, pdfBytes: printed?.length ?? null,
      results: report.results.length, deviceModels, isSimulated: report.dataset.isSimulated,
    };
    process.stdout.write(json === true ? `${JSON.stringify(summary, null, 2)}\n` : formatSummary(summary));
  } finally {
    clearInterval(timer);
    progress.end();
    forgetCleanUp();
  }
}

type Summary = {
  readonly output: string; readonly bytes: number; readonly pdf: string | null; readonly pdfBytes: number | null;
  readonly results: number; readonly deviceModels: number; readonly isSimulated: boolean;
};

function formatSummary({ output, bytes, pdf, pdfBytes, results, deviceModels, isSimulated }: Summary): string {
  const origin = isSimulated ? ' of simulated data' : '';
  return `${formatCount(results)} results${origin}, ${formatCount(deviceModels)} device models\n` +
    `written to ${output} (${formatBytes(bytes)})\n` +
    (pdf === null ? '' : `printed to ${pdf} (${formatBytes(pdfBytes ?? 0)})\n`);
}
