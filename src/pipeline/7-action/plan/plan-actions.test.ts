/**
 * The ladder, case by case: what is asked for when, what is withheld and why. Invariants over any input stand beside.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix, type Prefix } from '#base';
import type { IndicatorHit } from '#evidence';
import { samplePlanInput, samplePlanMachine } from '../../../../test/support/outbox-plans.ts';
import { sampleStartMs, sampleVerdict } from '../../../../test/support/outbox-sample.ts';
import type { Plan } from '../action.ts';
import { planActions } from './plan-actions.ts';
import type { OperatorOrder } from './plan-input.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** `rung kind channel step`, as planned. */
const asked = ({ actions }: Plan): string[] =>
  actions.map(({ rung, kind, channel, step }) => `${rung} ${kind} ${channel} ${step}`);
/** `rung kind code`. */
const held = ({ withheld }: Plan): string[] => withheld.map(({ rung, kind, code }) => `${rung} ${kind} ${code}`);

const hit: IndicatorHit = {
  home: 'home-1', indicator: 'botnet', deviceModels: [], homeAddress: '192.0.2.7', destination: '203.0.113.9',
  protocol: 'tcp', port: 6_667, flowMs: sampleStartMs,
};
const order: OperatorOrder = {
  id: 'o', home: 'home-1', deviceModel: 'webcam.D_Link.DCS_933L', note: 'ticket 7', givenMs: sampleStartMs,
  target: { homeAddress: '192.0.2.7', destination: undefined, protocol: 'tcp', port: 23 },
};
const prefix = (text: string): Prefix => parsePrefix(text) as Prefix;

test('who is present is told once, and reminded as long as they are present', () => {
  const machine = samplePlanMachine();
  assert.deepEqual(asked(machine.step(0)), ['notify mail en 0']);
  assert.deepEqual(asked(machine.step(hourMs)), []);
  assert.deepEqual(asked(machine.step(6 * dayMs)), []);
  assert.deepEqual(asked(machine.step(dayMs)), ['remind mail en 1']);
  assert.deepEqual(asked(machine.step(7 * dayMs)), ['remind mail en 2']);
  assert.deepEqual(asked(machine.step(70 * dayMs)), [], 'two reminders are all');
  assert.deepEqual(machine.executed.length, 3);
});

test('a new language is no new mail', () => {
  const machine = samplePlanMachine();
  machine.step(0);
  machine.input.contacts = new Map([...machine.input.contacts].map(([home, contact]) =>
    [home, { ...contact, language: 'de' }]));
  assert.deepEqual(asked(machine.step(hourMs)), []);
});

test('an ended episode is left alone, and what waits of it is cancelled; the next one is a new thing', () => {
  const machine = samplePlanMachine({ isExecuting: false });
  const [mail] = machine.step(0).actions;
  machine.input.verdicts = [sampleVerdict({ state: 'not yet' })];
  const ended = machine.step(dayMs);
  assert.deepEqual(asked(ended), []);
  assert.deepEqual(ended.cancelled.map(({ id, code }) => [id, code]), [[mail?.id, 'ended']]);
  machine.input.verdicts = [sampleVerdict({ episode: 2, sinceMs: sampleStartMs + 30 * dayMs })];
  const [again] = machine.step(30 * dayMs).actions;
  assert.equal(again?.rung, 'notify');
  assert.notEqual(again?.id, mail?.id);
});

test('notices wait as long as the operator says', () => {
  const input = samplePlanInput({ ladder: { notify: { isOn: true, afterMs: dayMs } } });
  assert.deepEqual(held(planActions(input)), ['notify mail not-due', 'remind mail not-due']);
  assert.deepEqual(asked(planActions({ ...input, nowMs: sampleStartMs + dayMs })), ['notify mail en 0']);
});

test('nobody is told before verification confirmed it', () => {
  const machine = samplePlanMachine({
    ladder: { verify: { isOn: true, command: ['ask'], onFailure: 'go-on' } }, isExecuting: false,
  });
  const first = machine.step(0);
  assert.deepEqual(asked(first), ['verify verify command 0']);
  assert.deepEqual(held(first), ['notify mail awaiting-verification', 'remind mail awaiting-verification']);
  assert.deepEqual(asked(machine.step(hourMs)), []);
  machine.finish('verify', { state: 'done', answer: 'confirmed' });
  const told = machine.step(hourMs);
  assert.deepEqual(asked(told), ['notify mail en 0']);
  assert.deepEqual(told.actions[0]?.reasons.map(({ code }) => code), ['presence', 'verified']);
});

test('a refutation stops everything but what a person orders', () => {
  const machine = samplePlanMachine({
    ladder: { verify: { isOn: true, command: ['ask'], classifierFolder: 'two' }, mitigate: { isOn: true } },
    channels: { block: { durationMs: dayMs, allow: [] } },
  });
  machine.answer = 'refuted';
  assert.deepEqual(asked(machine.step(0)), ['verify verify second-opinion+command 0']);
  machine.input.hits = [hit];
  const refuted = machine.step(hourMs);
  assert.deepEqual(asked(refuted), []);
  assert.deepEqual(held(refuted), ['notify mail refuted', 'remind mail refuted', 'mitigate block refuted']);
  machine.input.orders = [order];
  assert.deepEqual(asked(machine.step(1)), ['mitigate block ipv4_port 192.0.2.7 . tcp . 23 0']);
});

test('without an answer, the operator decides: hold or go on', () => {
  for (const [onFailure, expected] of [['hold', []], ['go-on', ['notify mail en 0']]] as const) {
    for (const end of [{ state: 'failed' }, { state: 'done', answer: 'unsure' }] as const) {
      const machine = samplePlanMachine({
        ladder: { verify: { isOn: true, command: ['ask'], onFailure } }, isExecuting: false,
      });
      machine.step(0);
      machine.finish('verify', end);
      const plan = machine.step(hourMs);
      assert.deepEqual(asked(plan), expected);
      assert.equal(held(plan).includes('notify mail verification-failed'), onFailure === 'hold');
    }
    const input = samplePlanInput({ ladder: { verify: { isOn: true, onFailure } } });
    assert.deepEqual(asked(planActions(input)), expected, 'nobody can be asked');
    assert.ok(held(planActions(input)).includes('verify verify not-configured'));
  }
});

test('presence alone blocks nothing', () => {
  const input = samplePlanInput({
    ladder: { mitigate: { isOn: true } }, channels: { block: { durationMs: hourMs, allow: [] } },
  });
  const plan = planActions(input);
  assert.deepEqual(asked(plan), ['notify mail en 0']);
  assert.ok(held(plan).includes('mitigate block no-reason-beyond-presence'));
  const unblocked = samplePlanInput({ ladder: { mitigate: { isOn: true } }, hits: [hit] });
  assert.ok(held(planActions(unblocked)).includes('mitigate block not-configured'));
});

test('a hit leads to a block of its destination and port, again only after a hit that is later than the block', () => {
  const machine = samplePlanMachine({
    ladder: { mitigate: { isOn: true } }, hits: [hit],
    channels: { block: { durationMs: dayMs, allow: [] }, mail: false },
  });
  const text = 'mitigate block ipv4_destination32_port 192.0.2.7 . 203.0.113.9 . tcp . 6667';
  const [block] = machine.step(0).actions;
  assert.deepEqual(block?.block,
    { homeAddress: '192.0.2.7', destination: '203.0.113.9', protocol: 'tcp', port: 6_667 });
  assert.deepEqual(block?.reasons.map(({ code }) => code), ['indicator', 'presence']);
  machine.input.hits = [hit, { ...hit, flowMs: sampleStartMs + hourMs }];
  assert.deepEqual(asked(machine.step(hourMs)), [], 'it stands');
  assert.deepEqual(asked(machine.step(22 * hourMs)), []);
  assert.deepEqual(asked(machine.step(hourMs)), [`${text} 1`]);
  assert.deepEqual(asked(machine.step(10 * dayMs)), [], 'nothing new happened');
});

test('hits of other homes, of other device models and from long ago block nothing', () => {
  for (const other of [{ home: 'home-2' }, { deviceModels: ['a.b.c'] }, { flowMs: sampleStartMs - hourMs - 1 }]) {
    const plan = planActions(samplePlanInput({
      ladder: { mitigate: { isOn: true } }, channels: { block: { durationMs: hourMs, allow: [] } },
      hits: [{ ...hit, ...other }],
    }));
    assert.ok(held(plan).includes('mitigate block no-reason-beyond-presence'), JSON.stringify(other));
  }
});

test('the block is as wide as its indicator: a port alone is one block, however many hosts were scanned', () => {
  const channels = { block: { durationMs: hourMs, allow: [] }, mail: false };
  const indicator = {
    name: 'botnet', deviceModels: [], destination: undefined, protocol: 'tcp', port: 23,
  } as const;
  const hits = [1, 2, 3].map((last) => ({ ...hit, port: 23, destination: `203.0.113.${last}` }));
  const mitigate = { ladder: { mitigate: { isOn: true } }, channels, hits };
  assert.deepEqual(asked(planActions(samplePlanInput({ ...mitigate, indicators: [indicator] }))),
    ['mitigate block ipv4_port 192.0.2.7 . tcp . 23 0']);
  const ofDestination = { ...indicator, destination: prefix('203.0.113.0/24'), port: undefined };
  assert.deepEqual(asked(planActions(samplePlanInput({ ...mitigate, indicators: [ofDestination] })))[0],
    'mitigate block ipv4_destination32 192.0.2.7 . 203.0.113.1 0');
});

test('what is blocked is what the blocking machine sees of the home', () => {
  const input = samplePlanInput({
    ladder: { mitigate: { isOn: true } }, channels: { block: { durationMs: hourMs, allow: [] }, mail: false },
    hits: [{ ...hit, homeAddress: '192.168.1.20' }],
  });
  const contacts = new Map([...input.contacts].map(([home, contact]) =>
    [home, { ...contact, addresses: ['198.51.100.4', '2001:db8::4'] }]));
  const { actions } = planActions({ ...input, contacts });
  assert.deepEqual(actions.map(({ block }) => block?.homeAddress), ['198.51.100.4']);
});

test('the allow list is never blocked, in whatever form, nor anything too wide or without destination and port', () => {
  const refuse = (allow: readonly Prefix[], target: Partial<OperatorOrder['target']>): string[] => held(planActions(
    samplePlanInput({
      ladder: { mitigate: { isOn: true } }, channels: { block: { durationMs: hourMs, allow }, mail: false },
      orders: [{ ...order, target: { ...order.target, ...target } }],
    })));
  const listed = 'mitigate block allow-listed';
  assert.ok(refuse([prefix('203.0.113.0/24')], { destination: '203.0.113.9' }).includes(listed));
  assert.ok(refuse([prefix('203.0.113.9')], { destination: '203.0.113.0/24' }).includes(listed));
  assert.ok(refuse([prefix('2001:db8::/32')], { homeAddress: '2001:db8:1::7', port: 80 }).includes(listed));
  assert.ok(refuse([prefix('192.0.2.7')], {}).includes(listed));
  assert.ok(!refuse([prefix('203.0.113.8')], { destination: '203.0.113.9' }).includes(listed));
  const unfit = 'mitigate block not-configured';
  assert.ok(refuse([], { port: undefined }).includes(unfit));
  assert.ok(refuse([], { destination: '0.0.0.0/0', port: undefined }).includes(unfit));
  assert.ok(refuse([], { homeAddress: 'everybody' }).includes(unfit));
});

test('mitigation needs its reason to be allowed', () => {
  for (const [reasons, count] of [[['indicator'], 1], [['operator-order'], 1], [[], 0]] as const) {
    const plan = planActions(samplePlanInput({
      ladder: { mitigate: { isOn: true, reasons: [...reasons] } }, hits: [hit], orders: [order],
      channels: { block: { durationMs: hourMs, allow: [] }, mail: false },
    }));
    assert.equal(plan.actions.length, count);
  }
});

test('a person may order a block again while it stands: it may have been released', () => {
  const machine = samplePlanMachine({
    ladder: { mitigate: { isOn: true } }, channels: { block: { durationMs: dayMs, allow: [] }, mail: false },
    orders: [order],
  });
  const text = 'mitigate block ipv4_port 192.0.2.7 . tcp . 23';
  assert.deepEqual(asked(machine.step(0)), [`${text} 0`]);
  assert.deepEqual(asked(machine.step(hourMs)), []);
  machine.input.orders = [order, { ...order, givenMs: machine.input.nowMs }];
  assert.deepEqual(asked(machine.step(0)), [`${text} 1`]);
  assert.deepEqual(asked(machine.step(hourMs)), []);
});

test('receivers are told of the rungs that they name, and of every block', () => {
  const machine = samplePlanMachine({
    ladder: { mitigate: { isOn: true }, verify: { isOn: true, command: ['ask'] } },
    channels: {
      block: { durationMs: dayMs, allow: [] },
      webhooks: [{ name: 'crm', rungs: ['verify', 'notify', 'remind', 'mitigate'] }],
      syslogs: [{ name: 'siem', rungs: ['observe', 'remind'] }],
    },
    hits: [hit, { ...hit, port: 6_668 }],
  });
  assert.deepEqual(asked(machine.step(0)), ['observe syslog siem 0', 'verify verify command 0']);
  assert.deepEqual(asked(machine.step(hourMs)).map((text) => text.replace(/ipv4.*tcp/, '…')), [
    'verify webhook crm 0', 'notify mail en 0', 'notify webhook crm 0',
    'mitigate block … . 6667 0', 'mitigate webhook crm 0', 'mitigate block … . 6668 0', 'mitigate webhook crm 1',
  ]);
  machine.input.hits = [];
  assert.deepEqual(asked(machine.step(7 * dayMs)),
    ['remind mail en 1', 'remind webhook crm 1', 'remind syslog siem 1']);
});

test('receivers of the rung are told what verification said', () => {
  for (const [answer, code] of [['confirmed', 'verified'], ['refuted', 'refuted'], ['unsure', 'unverified']] as const) {
    const machine = samplePlanMachine({
      ladder: { verify: { isOn: true, command: ['ask'] } },
      channels: { mail: false, syslogs: [{ name: 'siem', rungs: ['verify'] }] },
    });
    machine.answer = answer;
    machine.step(0);
    const told = machine.step(1).actions;
    assert.deepEqual(told.map(({ kind, rung, reasons }) => [kind, rung, reasons.map((reason) => reason.code)]),
      [['syslog', 'verify', [code]]]);
  }
});

test('who opted out is only watched; a person may still order a block', () => {
  for (const deviceModel of [undefined, 'webcam.D_Link.DCS_933L']) {
    const input = samplePlanInput({
      ladder: { mitigate: { isOn: true }, verify: { isOn: true, command: ['ask'] } }, hits: [hit],
      channels: {
        block: { durationMs: hourMs, allow: [] }, webhooks: [{ name: 'crm', rungs: ['observe', 'mitigate'] }],
      },
      optOuts: [{ home: 'home-1', deviceModel }],
    });
    assert.deepEqual(asked(planActions(input)), []);
    assert.deepEqual(new Set(planActions(input).withheld.map(({ code }) => code)), new Set(['opted-out']));
    assert.deepEqual(asked(planActions({ ...input, orders: [order] })),
      ['mitigate block ipv4_port 192.0.2.7 . tcp . 23 0', 'mitigate webhook crm 0']);
  }
  const others = samplePlanInput({
    optOuts: [{ home: 'home-1', deviceModel: 'a.b.c' }, { home: 'home-2', deviceModel: undefined }],
  });
  assert.deepEqual(asked(planActions(others)), ['notify mail en 0']);
});

test('opting out cancels what waits, and opting in asks for the same again', () => {
  const machine = samplePlanMachine({ isExecuting: false });
  const [mail] = machine.step(0).actions;
  machine.input.optOuts = [{ home: 'home-1', deviceModel: undefined }];
  assert.deepEqual(machine.step(1).cancelled.map(({ id, code }) => [id, code]), [[mail?.id, 'opted-out']]);
  machine.input.optOuts = [];
  assert.deepEqual(machine.step(1).actions.map(({ id }) => id), [mail?.id]);
});

test('without an address there is no mail until there is one', () => {
  const machine = samplePlanMachine();
  const { contacts } = machine.input;
  machine.input.contacts = new Map();
  assert.deepEqual(held(machine.step(0)), ['notify mail no-contact', 'remind mail not-due']);
  machine.input.contacts = contacts;
  assert.deepEqual(asked(machine.step(dayMs)), ['notify mail en 0']);
});

test('a dry run plans the same under other names, and the real thing still happens afterwards', () => {
  const machine = samplePlanMachine({ ladder: { verify: { isOn: true, command: ['ask'] } } });
  machine.input.isDryRun = true;
  const dry = machine.step(0);
  assert.deepEqual(asked(dry), ['verify verify command 0']);
  assert.deepEqual(asked(machine.step(hourMs)), ['notify mail en 0'], 'taken for confirmed');
  const still = machine.step(hourMs);
  assert.deepEqual(asked(still), []);
  assert.deepEqual(held(still).filter((text) => text.endsWith('dry-run')),
    ['verify verify dry-run', 'notify mail dry-run']);
  assert.deepEqual(machine.executed, []);
  machine.input.isDryRun = false;
  const real = machine.step(hourMs);
  assert.deepEqual(asked(real), ['verify verify command 0']);
  assert.notEqual(real.actions[0]?.id, dry.actions[0]?.id);
});

test('turning the dry run on keeps what waits from happening', () => {
  const machine = samplePlanMachine({ isExecuting: false });
  const [mail] = machine.step(0).actions;
  machine.input.isDryRun = true;
  assert.deepEqual(machine.step(1).cancelled.map(({ id, code }) => [id, code]), [[mail?.id, 'dry-run']]);
});

test('a home gets only so many mails, whatever it has', () => {
  const verdicts = ['a.b.c', 'd.e.f', 'g.h.i'].map((deviceModel, i) =>
    sampleVerdict({ deviceModel, sinceMs: sampleStartMs - i }));
  const plan = planActions(samplePlanInput({ verdicts, ladder: { rates: { mailsPerHome: 2 } } }));
  const models = plan.actions.map(({ deviceModel }) => deviceModel);
  assert.deepEqual(models, ['d.e.f', 'g.h.i'], 'who waited longer goes first');
  assert.deepEqual(held(plan).filter((text) => text.includes('rate')), ['notify mail home-rate']);
  const used = samplePlanInput({ usage: { mailsByHome: new Map([['home-1', 2]]), noticed: 0, messages: 0 } });
  assert.deepEqual(asked(planActions({ ...used, ladder: { ...used.ladder,
    rates: { ...used.ladder.rates, mailsPerHome: 2 } } })), []);
});

test('what the overall rate holds is asked for again; blocks come before mails, mails before reminders', () => {
  const machine = samplePlanMachine({
    verdicts: [1, 2, 3, 4].map((n) => sampleVerdict({ home: `home-${n}`, sinceMs: sampleStartMs - n })),
    ladder: { rates: { actionsOverall: 2, overallMs: hourMs }, mitigate: { isOn: true } }, hits: [hit],
    channels: {
      block: { durationMs: dayMs, allow: [] }, webhooks: [{ name: 'crm', rungs: ['notify'] }], syslogs: [],
    },
  });
  const first = machine.step(0);
  assert.deepEqual(first.actions.map(({ home, kind }) => `${home} ${kind}`),
    ['home-1 block', 'home-3 webhook', 'home-4 mail', 'home-4 webhook']);
  assert.equal(held(first).filter((text) => text === 'notify mail overall-rate').length, 3);
  assert.deepEqual(machine.step(hourMs / 2).actions, []);
  const seconds = machine.step(hourMs);
  assert.deepEqual(seconds.actions.map(({ home, kind }) => `${home} ${kind}`),
    ['home-1 webhook', 'home-2 mail', 'home-2 webhook', 'home-3 mail']);
});

test('a notice that failed is not followed by reminders of it, one of uncertain fate is', () => {
  for (const [state, expected] of [['failed', []], ['uncertain', ['remind mail en 1']]] as const) {
    const machine = samplePlanMachine({ isExecuting: false });
    machine.step(0);
    machine.finish('mail', { state });
    assert.deepEqual(asked(machine.step(8 * dayMs)), expected);
  }
});

test('what is switched off is not asked for', () => {
  const off = samplePlanInput({ ladder: { notify: { isOn: false }, remind: { isOn: true } } });
  assert.deepEqual(planActions(off), { plannedMs: sampleStartMs, actions: [], withheld: [], cancelled: [] });
  const mute = samplePlanInput({ channels: { mail: false } });
  assert.deepEqual(held(planActions(mute)), ['notify mail not-configured']);
});
