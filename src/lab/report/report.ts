/** The report of an experiment, for the door: the library that draws is loaded when something is drawn. */
import type { ExperimentReport } from '../evaluate/results.ts';

export { readReport, type FoundReport } from './read-report.ts';
export { printPdf, stopPrinting } from './print-pdf.ts';

/** A report as one HTML file that needs nothing else. @param report  read only; results in any order */
export async function drawReport(report: ExperimentReport): Promise<string> {
  const { renderReport } = await import('./render-report.ts');
  return renderReport(report);
}
