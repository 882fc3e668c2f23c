/** `natlens lab`: from labelled captures to results. Names the verbs of the lab; what one needs is loaded with it. */
import type { Command } from 'commander';
import type { ReportExit } from './main.ts';

type Configure = (command: Command, reportExit: ReportExit) => void;

/** The verbs, in the order in which one uses them. */
const verbs: readonly {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Configure>;
}[] = [
  {
    name: 'build', summary: 'make a data set of captures and an inventory of devices',
    load: async () => (await import('./lab-build-command.ts')).configureLabBuild,
  },
  {
    name: 'describe', summary: 'write the card of a data set',
    load: async () => (await import('./lab-describe-command.ts')).configureLabDescribe,
  },
  {
    name: 'query', summary: 'ask a data set in SQL',
    load: async () => (await import('./lab-describe-command.ts')).configureLabQuery,
  },
  {
    name: 'experiment', summary: 'train and test classifiers on a data set',
    load: async () => (await import('./lab-experiment-command.ts')).configureLabExperiment,
  },
  {
    name: 'report', summary: 'draw what an experiment found out as one page',
    load: async () => (await import('./lab-report-command.ts')).configureLabReport,
  },
  {
    name: 'evidence', summary: 'say what the flows of a home speak for',
    load: async () => (await import('./lab-evidence-command.ts')).configureLabEvidence,
  },
  {
    name: 'homes', summary: 'compare methods on whole homes, composed of the units of a data set',
    load: async () => (await import('./lab-homes-command.ts')).configureLabHomes,
  },
  {
    name: 'compare', summary: 'hold methods against each other, on packets and flows of the same homes',
    load: async () => (await import('./lab-compare-command.ts')).configureLabCompare,
  },
  {
    name: 'drift', summary: 'say since when a classifier does not fit its device model any more',
    load: async () => (await import('./lab-drift-command.ts')).configureLabDrift,
  },
  {
    name: 'nat', summary: 'merge captures of devices into one home behind a NAT',
    load: async () => (await import('./lab-nat-command.ts')).configureLabNat,
  },
  {
    name: 'label', summary: 'label flows from outside a NAT by their twins inside',
    load: async () => (await import('./lab-label-command.ts')).configureLabLabel,
  },
];

/** Gives the verb its subcommands. */
export async function configureLab(command: Command, reportExit: ReportExit, argv: readonly string[]): Promise<void> {
  command
    .description('Makes data sets of captures whose devices are known, and tries classifiers on them.')
    .addHelpText('after', '\nExample:\n  natlens lab build --inventory captures/inventory.csv --out lab\n');
  for (const { name, summary, load } of verbs) {
    const verb = command.command(name).summary(summary);
    if (argv.includes(name)) (await load())(verb, reportExit);
  }
}
