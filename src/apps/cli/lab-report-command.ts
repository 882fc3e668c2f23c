/** `natlens lab report`: what an experiment found out, as one page to read, to print and to take figures from. */
import type { Command } from 'commander';
import { runLabReport } from './lab-report-run.ts';

export type LabReportOptions = {
  readonly output?: string;
  readonly pdf?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Gives the verb its options and its action. */
export function configureLabReport(command: Command): void {
  command
    .description('Draws what natlens lab experiment found out as one HTML file: the paper\'s Table 3 beside its published ' +
      'means, ROC curves, thresholds, confusion, scores and traffic. The file has no scripts and fetches nothing.')
    .argument('<experiment>', 'folder of an experiment, or its report.json')
    .option('-o, --output <file>', 'HTML to write; - is standard output (default: report.html beside report.json)')
    .option('--pdf <file>', 'print it as PDF too; needs Chromium')
    .option('--json', 'print a summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab report results\n' +
      '  natlens lab report results/report.json -o lab.html --pdf lab.pdf\n')
    .action(runLabReport);
}
