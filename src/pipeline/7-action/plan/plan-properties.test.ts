/** What must hold of every plan, whatever verdicts, histories, hits and options come together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress, parsePrefix, isInPrefix, type Prefix } from '#base';
import type { IndicatorHit } from '#evidence';
import type { Verdict } from '#verdict';
import { sampleLadder } from '../../../../test/support/outbox-plans.ts';
import { sampleStartMs, sampleVerdict } from '../../../../test/support/outbox-sample.ts';
import type { LadderOptions } from '../action-options.ts';
import { rungs, type PlannedAction } from '../action.ts';
import { actionId } from './action-id.ts';
import { planActions } from './plan-actions.ts';
import type { OperatorOrder, OutboxState, PastAction, PlanInput } from './plan-input.ts';

const hourMs = 3_600_000;
// Few of each, so that they meet.
const home = fc.constantFrom('a', '["a"');
const deviceModel = fc.constantFrom('m', 'm', 'm', 'n');
const episode = fc.constantFrom(1, 1, 1, 1, 2, 0);
const timeMs = fc.oneof(
  { arbitrary: fc.integer({ min: -40, max: 2 }).map((hours) => sampleStartMs + hours * hourMs), weight: 9 },
  { arbitrary: fc.constantFrom(0, -1, Number.NaN, Infinity, -Infinity, 1e300), weight: 1 });
const address = fc.constantFrom('192.0.2.7', '192.168.1.20', '203.0.113.9', '203.0.113.200', '198.51.100.1',
  '2001:db8::7', '2001:db8:1::9', '::', 'nobody', '');
const optionalDestination = fc.option(
  fc.oneof(address, fc.constantFrom('203.0.113.0/24', '0.0.0.0/0', '::/0', '128.0.0.0/1', '192.0.2.0/16')),
  { nil: undefined });
const protocol = fc.constantFrom('tcp' as const, 'udp' as const);
const port = fc.constantFrom(23, 443, 6_667, 0, -1, 70_000, 1.5);
const prefix = fc.constantFrom('203.0.113.0/24', '203.0.113.9', '192.0.2.7', '198.51.100.0/30', '2001:db8:1::/48')
  .map((text) => parsePrefix(text) as Prefix);
const someRungs = fc.subarray([...rungs]);

const verdict: fc.Arbitrary<Verdict> = fc.record({
  home, deviceModel, state: fc.constantFrom('present' as const, 'present' as const, 'not yet' as const),
  episode, sinceMs: timeMs,
}).map((changed) => sampleVerdict(changed));

const states: readonly OutboxState[] = ['planned', 'attempting', 'committing', 'done', 'failed', 'expired', 'uncertain',
  'dry-run', 'cancelled', 'damaged'];
const past: fc.Arbitrary<PastAction> = fc.record({
  home, deviceModel, episode, step: fc.constantFrom(0, 0, 1, 2),
  what: fc.constantFrom(
    ['verify', 'verify', 'command'] as const, ['notify', 'mail', 'en'] as const, ['remind', 'mail', 'de'] as const,
    ['notify', 'webhook', 'crm'] as const, ['observe', 'syslog', 'siem'] as const,
    ['mitigate', 'block', 'ipv4_port 192.0.2.7 . tcp . 23'] as const, ['mitigate', 'webhook', 'crm'] as const),
  isDryRun: fc.boolean(), state: fc.constantFrom(...states), plannedMs: timeMs, endMs: timeMs,
  answer: fc.constantFrom('confirmed' as const, 'refuted' as const, 'unsure' as const, undefined),
  isOrdered: fc.boolean(),
}).map(({ what: [rung, kind, channel], endMs, isOrdered, ...rest }) => {
  const key = { ...rest, rung, kind, channel };
  const isOpen = ['planned', 'attempting', 'committing'].includes(rest.state);
  return {
    ...key, id: actionId(key), finishedMs: isOpen ? undefined : endMs,
    reasonCodes: [isOrdered ? 'operator-order' : 'presence'],
  };
});

const hit: fc.Arbitrary<IndicatorHit> = fc.record({
  home, indicator: fc.constantFrom('of-port', 'of-destination', 'gone'), deviceModels: fc.subarray(['m', 'n']),
  homeAddress: address, destination: address, protocol, port, flowMs: timeMs,
});
const order: fc.Arbitrary<OperatorOrder> = fc.record({
  id: fc.constant('o'), home, deviceModel, note: fc.string(), givenMs: timeMs,
  target: fc.record({
    homeAddress: address, destination: optionalDestination, protocol, port: fc.option(port, { nil: undefined }),
  }),
});

const ladder: fc.Arbitrary<LadderOptions> = fc.record({
  verify: fc.record({
    isOn: fc.boolean(), classifierFolder: fc.constantFrom(undefined, 'two'),
    command: fc.constantFrom(undefined, ['ask']), timeoutMs: fc.constant(1),
    onFailure: fc.constantFrom('hold', 'go-on'),
  }),
  notify: fc.record({ isOn: fc.boolean(), afterMs: fc.constantFrom(0, hourMs) }),
  remind: fc.record({
    isOn: fc.boolean(), afterMs: fc.constantFrom(0, hourMs), timesMax: fc.integer({ min: 0, max: 3 }),
  }),
  mitigate: fc.record({ isOn: fc.boolean(), reasons: fc.subarray([...sampleLadder.mitigate.reasons]) }),
  rates: fc.record({
    mailsPerHome: fc.integer({ min: 0, max: 3 }), perHomeMs: fc.constant(hourMs),
    actionsOverall: fc.constantFrom(0, 1, 2, 5, 50), overallMs: fc.constant(hourMs),
  }),
  giveUpMs: fc.integer({ min: 1, max: hourMs }),
});

const input: fc.Arbitrary<PlanInput> = fc.record({
  nowMs: fc.constantFrom(sampleStartMs, sampleStartMs + hourMs), isDryRun: fc.boolean(), ladder,
  channels: fc.record({
    mail: fc.boolean(), webhooks: fc.uniqueArray(fc.record({ name: fc.constantFrom('crm', 'x'), rungs: someRungs }),
      { selector: ({ name }) => name, maxLength: 2 }),
    syslogs: fc.array(fc.record({ name: fc.constant('siem'), rungs: someRungs }), { maxLength: 1 }),
    block: fc.option(fc.record({ durationMs: fc.constantFrom(hourMs, 24 * hourMs), allow: fc.array(prefix) }),
      { nil: undefined }),
  }),
  verdicts: fc.uniqueArray(verdict, { selector: (one) => `${one.home} ${one.deviceModel}`, maxLength: 5 }),
  contacts: fc.array(fc.record({
    home, mail: fc.constantFrom(undefined, 'c@example.net', 'd@example.net'), name: fc.constant(undefined),
    language: fc.constantFrom('en', 'de'), addresses: fc.array(address, { maxLength: 2 }),
  })).map((contacts) => new Map(contacts.map((contact) => [contact.home, contact]))),
  indicators: fc.constant([
    { name: 'of-port', deviceModels: [], destination: undefined, protocol: 'tcp' as const, port: 23 },
    {
      name: 'of-destination', deviceModels: [], destination: parsePrefix('203.0.113.0/24'), protocol: 'tcp' as const,
      port: undefined,
    },
  ]),
  hits: fc.array(hit, { maxLength: 6 }), orders: fc.array(order, { maxLength: 3 }),
  optOuts: fc.array(fc.record({ home, deviceModel: fc.option(deviceModel, { nil: undefined }) }), { maxLength: 1 }),
  history: fc.uniqueArray(past, {
    selector: ({ id }) => id, maxLength: 12, size: 'max',
  }),
  usage: fc.record({
    mailsByHome: fc.array(fc.tuple(home, fc.nat(2))).map((entries) => new Map(entries)), noticed: fc.nat(4),
    messages: fc.nat(4),
  }),
});

const isOrdered = ({ reasons }: PlannedAction): boolean => reasons.some(({ code }) => code === 'operator-order');
const isSame = (a: Pick<Verdict, 'home' | 'deviceModel'>, b: Pick<Verdict, 'home' | 'deviceModel'>): boolean =>
  a.home === b.home && a.deviceModel === b.deviceModel;
const isRevivable = ({ state }: PastAction): boolean => state === 'cancelled' || state === 'expired';
/** What stands of an action's episode. */
const standing = (given: PlanInput, action: Pick<PlannedAction, 'home' | 'deviceModel' | 'episode'>): PastAction[] =>
  given.history.filter((entry) => isSame(entry, action) && entry.episode === action.episode &&
    entry.isDryRun === given.isDryRun && !isRevivable(entry));

function check(name: string, property: (given: PlanInput, plan: ReturnType<typeof planActions>) => void): void {
  test(name, () => {
    fc.assert(fc.property(input, (given) => property(given, planActions(given))), { numRuns: 3_000, seed: 7 });
  });
}

check('nothing is planned but for who is present, in the episode that goes on', (given, { actions }) => {
  for (const action of actions) {
    const found = given.verdicts.find((one) => isSame(one, action));
    assert.equal(found?.state, 'present');
    assert.equal(action.episode, found?.episode);
    assert.equal(action.isDryRun, given.isDryRun);
    assert.equal(action.id, actionId(action));
    assert.ok(action.expiresMs > action.dueMs && action.dueMs <= given.nowMs);
  }
});

check('presence alone goes no further than reminding', (given, { actions }) => {
  for (const action of actions) {
    const isBeyond = action.rung === 'mitigate' || action.kind === 'block' || action.block !== undefined;
    if (!isBeyond) continue;
    const codes = action.reasons.map(({ code }) => code)
      .filter((code) => code === 'indicator' || code === 'operator-order');
    assert.ok(codes.length > 0);
    assert.ok(given.ladder.mitigate.isOn && given.channels.block !== undefined);
    assert.ok(codes.every((code) => given.ladder.mitigate.reasons.includes(code)));
    const causes = [...given.hits, ...given.orders].filter((one) => one.home === action.home);
    assert.ok(causes.length > 0);
  }
});

check('no block is without destination and port, or of anybody on the allow list', (given, { actions }) => {
  for (const { block, kind } of actions) {
    if (kind !== 'block') continue;
    assert.ok(block !== undefined && (block.destination !== undefined || block.port !== undefined));
    assert.ok(parseAddress(block.homeAddress) !== undefined);
    for (const text of [block.homeAddress, block.destination]) {
      if (text === undefined) continue;
      const target = parsePrefix(text) as Prefix;
      for (const allowed of given.channels.block?.allow ?? []) {
        assert.ok(!isInPrefix(Uint32Array.from(target.words), 0, allowed), `${text} is on the list`);
        assert.ok(!isInPrefix(Uint32Array.from(allowed.words), 0, target), `${text} holds what is on the list`);
      }
    }
  }
});

check('verification comes first, and a refutation stops what no person ordered', (given, { actions }) => {
  const { verify } = given.ladder;
  for (const action of actions) {
    if (!verify.isOn || action.rung === 'observe' || action.rung === 'verify' || isOrdered(action)) continue;
    const asked = standing(given, action).find(({ kind, step }) => kind === 'verify' && step === 0);
    if (asked === undefined) {
      assert.ok(verify.onFailure === 'go-on' && verify.command === undefined && verify.classifierFolder === undefined);
      continue;
    }
    assert.ok(!['planned', 'attempting', 'committing'].includes(asked.state), asked.state);
    if (asked.state === 'done') assert.notEqual(asked.answer, 'refuted');
    const isConfirmed = asked.state === 'dry-run' || (asked.state === 'done' && asked.answer === 'confirmed');
    assert.ok(isConfirmed || verify.onFailure === 'go-on');
  }
});

check('who opted out is left alone unless a person orders a block', (given, { actions }) => {
  for (const action of actions) {
    const isOut = given.optOuts.some((out) => out.home === action.home &&
      (out.deviceModel === undefined || out.deviceModel === action.deviceModel));
    assert.ok(!isOut || isOrdered(action));
  }
});

check('nothing is planned twice, and no mail is sent twice for one thing', (given, { actions }) => {
  assert.equal(new Set(actions.map(({ id }) => id)).size, actions.length);
  for (const action of actions) {
    const before = standing(given, action);
    assert.ok(!before.some(({ id }) => id === action.id));
    if (action.kind === 'mail') {
      const mails = before.filter(({ kind }) => kind === 'mail');
      assert.ok(!mails.some((entry) => entry.rung === action.rung && entry.step === action.step));
    }
  }
});

check('a reminder follows a notice by its pause, and there are only so many', (given, { actions }) => {
  const { timesMax, afterMs, isOn } = given.ladder.remind;
  for (const action of actions) {
    if (action.rung !== 'remind') continue;
    assert.ok(isOn && action.step >= 1 && action.step <= timesMax);
    const told = standing(given, action).filter(({ rung, step }) =>
      action.step === 1 ? rung === 'notify' && step === 0 : rung === 'remind' && step === action.step - 1);
    assert.ok(told.some(({ finishedMs }) => finishedMs !== undefined && given.nowMs >= finishedMs + afterMs));
  }
});

check('the rates hold', (given, { actions }) => {
  const { mailsPerHome, actionsOverall } = given.ladder.rates;
  const mails = actions.filter(({ kind }) => kind === 'mail');
  for (const { home: of } of mails) {
    const count = mails.filter((mail) => mail.home === of).length;
    assert.ok(count + (given.usage.mailsByHome.get(of) ?? 0) <= mailsPerHome);
  }
  const noticed = actions.filter(({ kind }) => kind === 'mail' || kind === 'block').length;
  assert.ok(noticed === 0 || given.usage.noticed + noticed <= actionsOverall);
  const messages = actions.filter(({ kind, rung }) => (kind === 'webhook' || kind === 'syslog') && rung !== 'mitigate');
  assert.ok(messages.length === 0 || given.usage.messages + messages.length <= actionsOverall);
});

check('mails go to homes with an address', (given, { actions }) => {
  for (const { kind, home: of, channel } of actions) {
    if (kind !== 'mail') continue;
    assert.ok(given.channels.mail && given.contacts.get(of)?.mail !== undefined);
    assert.equal(channel, given.contacts.get(of)?.language);
  }
});

check('what the ladder asks for is planned, was planned, or is withheld', (given, { actions, withheld }) => {
  const isAnswered = (one: Verdict, kind: PlannedAction['kind'], rung: PlannedAction['rung']): boolean =>
    [...actions, ...withheld, ...standing(given, one)].some((entry) =>
      isSame(entry, one) && entry.kind === kind && entry.rung === rung);
  for (const one of given.verdicts.filter(({ state }) => state === 'present')) {
    const { notify, remind, verify, mitigate } = given.ladder;
    if (notify.isOn && given.channels.mail) assert.ok(isAnswered(one, 'mail', 'notify'));
    if (notify.isOn && given.channels.mail && remind.isOn && remind.timesMax > 0) {
      assert.ok(isAnswered(one, 'mail', 'remind'));
    }
    if (verify.isOn) assert.ok(isAnswered(one, 'verify', 'verify'));
    if (mitigate.isOn) assert.ok(isAnswered(one, 'block', 'mitigate') || hasStandingCause(given, one));
    for (const { name, rungs: told } of given.channels.webhooks) {
      if (told.includes('observe')) assert.ok(isAnswered(one, 'webhook', 'observe'), name);
    }
  }
});

/** A block whose cause is older than the last block's end is neither due nor withheld. */
function hasStandingCause(given: PlanInput, one: Verdict): boolean {
  return standing(given, one).some(({ kind }) => kind === 'block');
}

check('in a dry run everything that is planned is said to be withheld', (given, { actions, withheld }) => {
  if (!given.isDryRun) assert.ok(!withheld.some(({ code }) => code === 'dry-run'));
  else for (const action of actions) {
    assert.ok(withheld.some((one) => isSame(one, action) && one.kind === action.kind && one.code === 'dry-run'));
  }
});

check('only what waits is cancelled, and only for a reason', (given, { cancelled }) => {
  for (const { id, code } of cancelled) {
    const entry = given.history.find((one) => one.id === id);
    assert.equal(entry?.state, 'planned');
    const found = given.verdicts.find((one) => entry !== undefined && isSame(one, entry));
    assert.ok(found !== undefined);
    const isOver = found.state !== 'present' || found.episode !== entry?.episode;
    assert.equal(code === 'ended', isOver);
  }
});

test('a plan depends on nothing but what is in its input, and not on the order of that', () => {
  fc.assert(fc.property(input, (given) => {
    const frozen = JSON.stringify(given);
    const plan = planActions(given);
    assert.deepEqual(planActions(given), plan);
    assert.equal(JSON.stringify(given), frozen);
    const turned = planActions({
      ...given, verdicts: [...given.verdicts].reverse(), history: [...given.history].reverse(),
    });
    assert.deepEqual(new Set(turned.actions.map(({ id }) => id)), new Set(plan.actions.map(({ id }) => id)));
    assert.deepEqual(turned.actions, plan.actions);
  }), { numRuns: 2_000, seed: 7 });
});
