/** What the inputs of one run add to its account, whatever their kind: rejections, problems, notes, origins. */
import { Counts, type Problem } from '#base';
import { nameProblems, type FlowSummary } from './flow-summary.ts';

export class RunLedger {
  readonly rejected = new Counts();
  readonly inputs: FlowSummary['inputs'][number][] = [];
  readonly problems: FlowSummary['problems'][number][] = [];
  /** Where flows come from, in the order in which the inputs were read. */
  readonly origins = new Set<string>();
  readonly notes: string[] = [];
  /** False when an input could not be read to its end. */
  isComplete = true;

  /** Notes what kept an input from being read to its end; without problems, nothing. */
  noteCut(path: string, problems: readonly Problem[]): void {
    this.problems.push(...nameProblems(path, problems));
    if (problems.length > 0) this.isComplete = false;
  }
}
