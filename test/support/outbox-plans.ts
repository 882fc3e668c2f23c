/**
 * Inputs of plans, and a machine that plans step by step in virtual time: what it plans becomes history as the outbox
 * would make it, without an outbox. For tests of the ladder.
 */
import { planActions, type LadderOptions, type PastAction, type Plan, type PlanInput, type VerificationAnswer }
  from '#action';
import { sampleStartMs, sampleVerdict } from './outbox-sample.ts';

type Changed<Options> = { readonly [Key in keyof Options]?: Partial<Options[Key]> | Options[Key] };

export type PlanChanges = Partial<Omit<PlanInput, 'ladder' | 'channels'>> & {
  readonly ladder?: Changed<LadderOptions>;
  readonly channels?: Partial<PlanInput['channels']>;
};

export const sampleLadder: LadderOptions = {
  verify: { isOn: false, classifierFolder: undefined, command: undefined, timeoutMs: 30_000, onFailure: 'hold' },
  notify: { isOn: true, afterMs: 0 },
  remind: { isOn: true, afterMs: 7 * 86_400_000, timesMax: 2 },
  mitigate: { isOn: false, reasons: ['indicator', 'operator-order'] },
  rates: { mailsPerHome: 5, perHomeMs: 86_400_000, actionsOverall: 100, overallMs: 3_600_000 },
  giveUpMs: 3 * 86_400_000,
};

/** One home with one device model that is present, a mail address, and nothing else switched on. */
export function samplePlanInput(changes: PlanChanges = {}): PlanInput {
  const { ladder: ladderChanges = {}, channels, ...rest } = changes;
  const ladder = Object.fromEntries(Object.entries(sampleLadder).map(([part, value]) => {
    const changed = ladderChanges[part as keyof LadderOptions];
    return [part, typeof value === 'object' ? { ...value, ...changed as object } : changed ?? value];
  })) as LadderOptions;
  const homes = ['home-1', 'home-2', 'home-3', 'home-4'];
  return {
    nowMs: sampleStartMs, isDryRun: false, verdicts: [sampleVerdict()], indicators: [], hits: [], orders: [],
    optOuts: [], history: [], usage: { mailsByHome: new Map(), noticed: 0, messages: 0 },
    contacts: new Map(homes.map((home) => [home, {
      home, mail: `${home}@example.net`, name: undefined, language: 'en', addresses: [],
    }])),
    ...rest, ladder, channels: { mail: true, webhooks: [], syslogs: [], block: undefined, ...channels },
  };
}

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

/** How an action ends that the machine executes. */
export type PlannedEnd = { readonly state: PastAction['state']; readonly answer?: VerificationAnswer };

export type PlanMachine = {
  /** What the next plan is made from; time, history and usage are the machine's. */
  readonly input: Mutable<PlanInput>;
  /** What verification answers. */
  answer: VerificationAnswer;
  /** Ids of real actions that were executed. */
  readonly executed: string[];
  /** Time goes on, a plan is made, and its actions end at once if the machine executes. */
  readonly step: (durationMs: number) => Plan;
  /** Ends actions of a kind that wait. */
  readonly finish: (kind: PastAction['kind'], end: PlannedEnd) => void;
};

export function samplePlanMachine(changes: PlanChanges & { readonly isExecuting?: boolean } = {}): PlanMachine {
  const { isExecuting = true, ...inputChanges } = changes;
  const history = new Map<string, PastAction>();
  const input: Mutable<PlanInput> = samplePlanInput(inputChanges);
  const end = (past: PastAction, { state, answer }: PlannedEnd): void => {
    history.set(past.id, { ...past, state, answer, finishedMs: input.nowMs });
  };
  const countUsage = (): PlanInput['usage'] => {
    const mailsByHome = new Map<string, number>();
    const counts = { noticed: 0, messages: 0 };
    for (const past of history.values()) {
      if (past.isDryRun !== input.isDryRun || past.state === 'cancelled') continue;
      const isRecent = (windowMs: number): boolean => past.plannedMs > input.nowMs - windowMs;
      const { perHomeMs, overallMs } = input.ladder.rates;
      const isMail = past.kind === 'mail';
      if (isMail && isRecent(perHomeMs)) mailsByHome.set(past.home, (mailsByHome.get(past.home) ?? 0) + 1);
      if (past.kind !== 'verify' && isRecent(overallMs)) {
        counts[isMail || past.kind === 'block' ? 'noticed' : 'messages']++;
      }
    }
    return { mailsByHome, ...counts };
  };
  const machine: PlanMachine = {
    input, answer: 'confirmed', executed: [],
    step: (durationMs) => {
      input.nowMs += durationMs;
      input.history = [...history.values()];
      input.usage = countUsage();
      const plan = planActions(input);
      for (const { id, code } of plan.cancelled) end(history.get(id) as PastAction, { state: code && 'cancelled' });
      for (const action of plan.actions) {
        const past: PastAction = {
          ...action, state: 'planned', reasonCodes: action.reasons.map(({ code }) => code), finishedMs: undefined,
          answer: undefined,
        };
        history.set(past.id, past);
        if (!isExecuting) continue;
        if (past.isDryRun) end(past, { state: 'dry-run' });
        else {
          machine.executed.push(past.id);
          end(past, past.kind === 'verify' ? { state: 'done', answer: machine.answer } : { state: 'done' });
        }
      }
      return plan;
    },
    finish: (kind, ending) => {
      for (const past of history.values()) if (past.kind === kind && past.state === 'planned') end(past, ending);
    },
  };
  return machine;
}
