/**
 * The ladder: observe → verify → notify → remind → mitigate. A pure function from verdicts and what was done before to
 * what to do now, and to what the ladder asks for but must not be done, with its code. Presence alone never leads
 * beyond `remind`. Total: whatever comes in, it gives a plan.
 */
import { limits } from '#base';
import type { Verdict } from '#verdict';
import type { ActionKind, BlockTarget, Cancelled, Plan, PlannedAction, Reason, Rung, Withheld, WithheldCode }
  from '../action.ts';
import { actionId } from './action-id.ts';
import { findMitigations, type Mitigation } from './mitigation.ts';
import { isOpen, PastActions } from './past-actions.ts';
import { messageKinds, noticedKinds, type PastAction, type PlanInput } from './plan-input.ts';
import { timeText } from './time-text.ts';
import { readVerification, type Verification } from './verification.ts';

/** Something that the ladder asks for and that nothing but the rates could hold. */
type Candidate = {
  readonly action: PlannedAction;
  /** Receivers told of it, when it is admitted. */
  readonly followers: readonly PlannedAction[];
};

/** In this order rates are used up: what protects most comes first. */
const rateOrder: readonly Rung[] = ['mitigate', 'notify', 'remind', 'verify', 'observe'];

/**
 * What to do now.
 *
 * @param input  read only; the same input gives the same plan, in whatever order its verdicts and histories are
 */
export function planActions(input: PlanInput): Plan {
  const historyOf = groupByOwner(input.history);
  const verdicts = [...input.verdicts].sort(compareOwners);
  const plans = verdicts.map((verdict) => new EpisodePlan(input, verdict, historyOf.get(ownerOf(verdict)) ?? []));
  const candidates = plans.flatMap((plan) => plan.climb());
  const { admitted, held } = applyRates(input, candidates);
  const seen = new Set<string>();
  return {
    plannedMs: input.nowMs,
    actions: admitted.filter(({ id }) => !seen.has(id) && seen.add(id)),
    withheld: [...plans.flatMap(({ withheld }) => withheld), ...held],
    cancelled: plans.flatMap(({ cancelled }) => cancelled),
  };
}

function ownerOf({ home, deviceModel }: Pick<Verdict, 'home' | 'deviceModel'>): string {
  return JSON.stringify([home, deviceModel]);
}

function compareOwners(a: Verdict, b: Verdict): number {
  if (a.home !== b.home) return a.home < b.home ? -1 : 1;
  if (a.deviceModel !== b.deviceModel) return a.deviceModel < b.deviceModel ? -1 : 1;
  return a.episode - b.episode || a.sinceMs - b.sinceMs || 0;
}

function groupByOwner(history: readonly PastAction[]): Map<string, PastAction[]> {
  const groups = new Map<string, PastAction[]>();
  for (const past of history) {
    const owner = ownerOf(past);
    const group = groups.get(owner);
    if (group === undefined) groups.set(owner, [past]);
    else group.push(past);
  }
  return groups;
}

/** Lets through what the rates have room for. Everything else is held: it is asked for again by the next plan. */
function applyRates(input: PlanInput, candidates: readonly Candidate[]): {
  admitted: PlannedAction[]; held: Withheld[];
} {
  const refused = findRefused(input, candidates);
  const { mailsPerHome, actionsOverall } = input.ladder.rates;
  const admitted: PlannedAction[] = [];
  const held: Withheld[] = [];
  for (const { action, followers } of candidates) {
    const { home, deviceModel, rung, kind } = action;
    const code = refused.get(action);
    const rate = code === 'home-rate' ? `${mailsPerHome} mails to a home` : `${actionsOverall} actions of all homes`;
    if (code !== undefined) {
      held.push({ home, deviceModel, rung, kind, code, detail: `${rate} is the rate; it waits for room` });
      continue;
    }
    admitted.push(action, ...followers);
    if (!input.isDryRun) continue;
    for (const dry of [action, ...followers]) {
      held.push({ home, deviceModel, rung: dry.rung, kind: dry.kind, code: 'dry-run', detail: dryDetail(dry) });
    }
  }
  return { admitted, held };
}

function findRefused({ ladder, usage }: PlanInput, candidates: readonly Candidate[]): Map<PlannedAction, WithheldCode> {
  const { mailsPerHome, actionsOverall } = ladder.rates;
  const mails = new Map(usage.mailsByHome);
  let { noticed, messages } = usage;
  const refused = new Map<PlannedAction, WithheldCode>();
  const inOrder = [...candidates].sort(({ action: a }, { action: b }) =>
    rateOrder.indexOf(a.rung) - rateOrder.indexOf(b.rung) || a.verdict.sinceMs - b.verdict.sinceMs || 0);
  for (const { action, followers } of inOrder) {
    const { kind, home } = action;
    const mailCount = mails.get(home) ?? 0;
    if (kind === 'mail' && !(mailCount < mailsPerHome)) refused.set(action, 'home-rate');
    else if (noticedKinds.includes(kind) && !(noticed < actionsOverall)) refused.set(action, 'overall-rate');
    else if (messageKinds.includes(kind) && !(messages < actionsOverall)) refused.set(action, 'overall-rate');
    else {
      if (kind === 'mail') mails.set(home, mailCount + 1);
      if (noticedKinds.includes(kind)) noticed++;
      else if (messageKinds.includes(kind)) messages++;
      // What tells of a block goes with it.
      messages += followers.length;
    }
  }
  return refused;
}

function dryDetail({ kind, channel, step }: Pick<PlannedAction, 'kind' | 'channel' | 'step'>): string {
  return `${kind} ${channel}${step === 0 ? '' : `, step ${step}`}: would be done`;
}

/** The ladder for one home and device model. */
class EpisodePlan {
  readonly withheld: Withheld[] = [];
  readonly cancelled: Cancelled[] = [];
  readonly #input: PlanInput;
  readonly #verdict: Verdict;
  readonly #past: PastActions;
  readonly #candidates: Candidate[] = [];

  constructor(input: PlanInput, verdict: Verdict, history: readonly PastAction[]) {
    this.#input = input;
    this.#verdict = verdict;
    this.#past = new PastActions(history, verdict, input.isDryRun);
  }

  climb(): readonly Candidate[] {
    const { channels, ladder } = this.#input;
    const isOptedOut = this.#isOptedOut();
    const verification = readVerification(ladder.verify, this.#past);
    this.#cancelWaiting(isOptedOut, verification);
    if (this.#verdict.state !== 'present') {
      this.#refuseOrdersOfEnded();
      return [];
    }
    if (isOptedOut) this.#withholdAll('opted-out', 'the home asked for no more');
    else {
      this.#tellReceivers('observe', 0, this.#presence());
      this.#verify(verification);
      this.#notify(verification);
      this.#remind(verification);
    }
    if (ladder.mitigate.isOn) {
      if (channels.block === undefined) this.#withhold('mitigate', 'block', 'not-configured', 'no block is configured');
      else this.#mitigate(isOptedOut, verification);
    }
    return this.#candidates;
  }

  #isOptedOut(): boolean {
    const { home, deviceModel } = this.#verdict;
    return this.#input.optOuts.some((optOut) => optOut.home === home &&
      (optOut.deviceModel === undefined || optOut.deviceModel === deviceModel));
  }

  /** What waits in the outbox is kept from happening when its cause is gone. */
  #cancelWaiting(isOptedOut: boolean, verification: Verification): void {
    const { isDryRun, contacts } = this.#input;
    const { state, episode, home } = this.#verdict;
    for (const past of this.#past.waiting()) {
      const { id } = past;
      const cancel = (code: WithheldCode, detail: string): unknown => this.cancelled.push({ id, code, detail });
      const isOrdered = past.reasonCodes.includes('operator-order');
      const isBeyondVerify = past.rung !== 'observe' && past.rung !== 'verify';
      if (state !== 'present' || past.episode !== episode) cancel('ended', `episode ${past.episode} is over`);
      else if (isDryRun && !past.isDryRun) cancel('dry-run', 'dry_run was turned on');
      else if (isOptedOut && !isOrdered) cancel('opted-out', 'the home asked for no more');
      else if (isBeyondVerify && !isOrdered && verification.status === 'refuted') cancel('refuted', verification.text);
      else if (past.kind === 'mail' && contacts.get(home)?.mail === undefined) cancel('no-contact', 'no address now');
    }
  }

  #refuseOrdersOfEnded(): void {
    const { home, deviceModel } = this.#verdict;
    if (this.#input.orders.some((order) => order.home === home && order.deviceModel === deviceModel)) {
      this.#withhold('mitigate', 'block', 'ended', 'the device model is not present');
    }
  }

  #verify(verification: Verification): void {
    if (verification.status === 'not-asked') return;
    if (verification.channel === '') {
      this.#withhold('verify', 'verify', 'not-configured', 'neither classifiers nor a command are configured');
    } else if (this.#past.of('verify', 'verify', 0) === undefined) {
      this.#propose('verify', 'verify', verification.channel, 0, [this.#presence()]);
    } else if (this.#input.isDryRun) this.#withholdDry('verify', 'verify', verification.channel, 0);
    if (verification.status !== 'waiting' && verification.status !== 'assumed') {
      this.#tellReceivers('verify', 0, { code: verification.reasonCode, text: verification.text });
    }
  }

  #notify(verification: Verification): void {
    const { ladder, channels, nowMs } = this.#input;
    if (!ladder.notify.isOn) return;
    // A window ends up to a bucket after the flow that made it strong enough: that is no reason to wait.
    const dueMs = Math.min(this.#verdict.sinceMs, nowMs) + ladder.notify.afterMs;
    const isToldBeside = [...channels.webhooks, ...channels.syslogs].some(({ rungs }) => rungs.includes('notify'));
    if (!channels.mail && !isToldBeside) {
      this.#withhold('notify', 'mail', 'not-configured', 'nobody is configured to be told');
      return;
    }
    if (!this.#mayGoOn('notify', verification)) return;
    if (!(nowMs >= dueMs)) {
      this.#withholdTelling('notify', 'not-due', `due ${timeText(dueMs)}`);
      return;
    }
    const reasons = this.#tellingReasons(verification);
    if (channels.mail) this.#mail('notify', 0, reasons);
    this.#tellReceivers('notify', 0, ...reasons);
  }

  #remind(verification: Verification): void {
    const { ladder, channels } = this.#input;
    if (!ladder.remind.isOn || !ladder.notify.isOn || !this.#mayGoOn('remind', verification)) return;
    const reasons = this.#tellingReasons(verification);
    if (channels.mail) {
      const step = this.#nextReminder('mail');
      if (step !== undefined) this.#mail('remind', step, reasons);
    }
    for (const [kind, { name }] of this.#receiversOf('remind')) {
      const step = this.#nextReminder(kind, name);
      if (step !== undefined) this.#propose('remind', kind, name, step, reasons);
    }
  }

  /** Number of the reminder that is due by this way; undefined: none is. */
  #nextReminder(kind: ActionKind, channel?: string): number | undefined {
    const { afterMs, timesMax } = this.#input.ladder.remind;
    let step = 1;
    while (step <= timesMax && this.#past.of('remind', kind, step, channel) !== undefined) step++;
    if (!(step <= timesMax)) return undefined;
    const [rung, before] = step === 1 ? ['notify', 0] as const : ['remind', step - 1] as const;
    // A receiver that is told of reminders alone goes by what others were told.
    const own = this.#past.of(rung, kind, before, channel);
    const failedMs = rung === 'remind' && own !== undefined && !isOpen(own) ? own.finishedMs : undefined;
    const toldMs = own === undefined && kind !== 'mail' ? this.#past.lastToldMs(rung, before)
      : this.#past.toldMs(rung, kind, before, channel) ?? failedMs;
    if (toldMs === undefined) {
      this.#withhold('remind', kind, 'not-due', 'what comes before it has not been told');
      return undefined;
    }
    if (this.#input.nowMs >= toldMs + afterMs) return step;
    this.#withhold('remind', kind, 'not-due', `reminder ${step} is due ${timeText(toldMs + afterMs)}`);
    return undefined;
  }

  #mail(rung: Rung, step: number, reasons: readonly Reason[]): void {
    const contact = this.#input.contacts.get(this.#verdict.home);
    if (contact?.mail === undefined) this.#withhold(rung, 'mail', 'no-contact', 'no mail address is known');
    else this.#propose(rung, 'mail', contact.language, step, reasons);
  }

  #mitigate(isOptedOut: boolean, verification: Verification): void {
    const { mitigations, refused } = findMitigations(this.#input, this.#verdict);
    for (const { code, detail } of refused) this.#withhold('mitigate', 'block', code, detail);
    if (mitigations.length === 0 && refused.length === 0) {
      this.#withhold('mitigate', 'block', 'no-reason-beyond-presence', 'no indicator and no order');
    }
    let isHeld = false;
    for (const mitigation of mitigations) {
      const isOrdered = mitigation.causes.some(({ reason }) => reason.code === 'operator-order');
      if (!isOrdered && isOptedOut) {
        this.#withhold('mitigate', 'block', 'opted-out', 'the home asked for no more');
      } else if (isOrdered || (!isHeld && this.#mayGoOn('mitigate', verification))) this.#block(mitigation);
      else isHeld = true;
    }
  }

  /** One block; again only when something speaks for it that is later than the last one, and that one is over. */
  #block({ target, targetText, causes }: Mitigation): void {
    const durationMs = this.#input.channels.block?.durationMs ?? 0;
    const blocks = this.#past.allOf('mitigate', 'block', targetText);
    const last = blocks.length - 1;
    if (this.#input.isDryRun && last >= 0) this.#withholdDry('mitigate', 'block', targetText, last);
    // One that is still to come has no end yet.
    const lastMs = Math.max(-Infinity, ...blocks.map(({ finishedMs }) => finishedMs ?? Infinity));
    const isOver = this.#input.nowMs >= lastMs + durationMs || blocks.every(({ state }) => state === 'failed');
    const fresh = causes.filter(({ timeMs }) => timeMs > lastMs);
    // Who orders it again means now: it may have been released by hand, or shall last longer.
    const isOrdered = fresh.some(({ reason }) => reason.code === 'operator-order');
    if (fresh.length === 0 || !(isOver || isOrdered)) return;
    const reasons = [...fresh.map(({ reason }) => reason).slice(0, limits.blockReasonsMax), this.#presence()];
    const action = this.#makeAction('mitigate', 'block', targetText, blocks.length, reasons, target);
    const followers = this.#receiversOf('mitigate').map(([kind, { name }]) => {
      // Numbered through: several targets share a receiver.
      const told = this.#past.allOf('mitigate', kind, name).length + this.#followerCount(kind, name);
      return this.#makeAction('mitigate', kind, name, told, reasons, target);
    });
    this.#candidates.push({ action, followers });
  }

  #followerCount(kind: ActionKind, name: string): number {
    let count = 0;
    for (const { followers } of this.#candidates) {
      count += followers.filter((action) => action.kind === kind && action.channel === name).length;
    }
    return count;
  }

  /** Verification's word on a rung beyond it. */
  #mayGoOn(rung: Rung, verification: Verification): boolean {
    const codes: Partial<Record<Verification['status'], WithheldCode>> = {
      waiting: 'awaiting-verification', refuted: 'refuted',
    };
    const isHeld = verification.status === 'no-answer' && this.#input.ladder.verify.onFailure !== 'go-on';
    const code = isHeld ? 'verification-failed' : codes[verification.status];
    if (code === undefined) return true;
    if (rung === 'mitigate') this.#withhold(rung, 'block', code, verification.text);
    else this.#withholdTelling(rung, code, verification.text);
    return false;
  }

  #presence(): Reason {
    const { deviceModel, sinceMs, evidence } = this.#verdict;
    const score = evidence === undefined ? '' : `, score ${evidence.score} of ${evidence.tokens.length} tokens`;
    return { code: 'presence', text: `${deviceModel} present since ${timeText(sinceMs)}${score}` };
  }

  #tellingReasons({ status, text }: Verification): readonly Reason[] {
    return status === 'confirmed' ? [this.#presence(), { code: 'verified', text }] : [this.#presence()];
  }

  #receiversOf(rung: Rung): (readonly ['webhook' | 'syslog', { readonly name: string }])[] {
    const { webhooks, syslogs } = this.#input.channels;
    return [
      ...webhooks.filter(({ rungs }) => rungs.includes(rung)).map((receiver) => ['webhook', receiver] as const),
      ...syslogs.filter(({ rungs }) => rungs.includes(rung)).map((receiver) => ['syslog', receiver] as const),
    ];
  }

  #tellReceivers(rung: Rung, step: number, ...reasons: readonly Reason[]): void {
    for (const [kind, { name }] of this.#receiversOf(rung)) this.#propose(rung, kind, name, step, reasons);
  }

  /** Asks for an action unless it was asked for before. */
  #propose(rung: Rung, kind: ActionKind, channel: string, step: number, reasons: readonly Reason[]): void {
    if (this.#past.of(rung, kind, step, kind === 'mail' ? undefined : channel) === undefined) {
      this.#candidates.push({
        action: this.#makeAction(rung, kind, channel, step, reasons, undefined), followers: [],
      });
    } else if (this.#input.isDryRun) this.#withholdDry(rung, kind, channel, step);
  }

  #makeAction(rung: Rung, kind: ActionKind, channel: string, step: number, reasons: readonly Reason[],
    block: BlockTarget | undefined): PlannedAction {
    const { nowMs, isDryRun, ladder, channels } = this.#input;
    const { home, deviceModel, episode } = this.#verdict;
    const key = { home, deviceModel, episode, rung, kind, channel, step, isDryRun };
    // A block that comes later than it would have ended is of no use.
    const lifeMs = kind === 'block' ? Math.min(ladder.giveUpMs, channels.block?.durationMs ?? 0) : ladder.giveUpMs;
    return Object.freeze({
      id: actionId(key), ...key, plannedMs: nowMs, dueMs: nowMs, expiresMs: nowMs + lifeMs, reasons,
      verdict: this.#verdict, block,
    });
  }

  #withhold(rung: Rung, kind: ActionKind, code: WithheldCode, detail: string): void {
    const { home, deviceModel } = this.#verdict;
    this.withheld.push({ home, deviceModel, rung, kind, code, detail });
  }

  #withholdDry(rung: Rung, kind: ActionKind, channel: string, step: number): void {
    this.#withhold(rung, kind, 'dry-run', dryDetail({ kind, channel, step }));
  }

  /** Of everybody who would be told on this rung. */
  #withholdTelling(rung: Rung, code: WithheldCode, detail: string): void {
    if (this.#input.channels.mail) this.#withhold(rung, 'mail', code, detail);
    for (const [kind] of this.#receiversOf(rung)) this.#withhold(rung, kind, code, detail);
  }

  #withholdAll(code: WithheldCode, detail: string): void {
    const { verify, notify, remind } = this.#input.ladder;
    for (const [kind] of this.#receiversOf('observe')) this.#withhold('observe', kind, code, detail);
    if (verify.isOn) this.#withhold('verify', 'verify', code, detail);
    if (notify.isOn) this.#withholdTelling('notify', code, detail);
    if (notify.isOn && remind.isOn) this.#withholdTelling('remind', code, detail);
  }
}
