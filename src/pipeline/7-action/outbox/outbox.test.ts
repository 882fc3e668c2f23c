/**
 * The outbox: what is in it happens once, waits as it should, ends, is erased, and survives rows and disks that fail.
 */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { EnvironmentError, OperatorError } from '#base';
import {
  openSampleOutbox, sampleAction, sampleStartMs, sampleVerdict,
} from '../../../../test/support/outbox-sample.ts';
import type { Plan, PlannedAction, Withheld } from '../action.ts';
import { Outbox } from './outbox.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const planOf = (actions: readonly PlannedAction[], rest: Partial<Plan> = {}): Plan =>
  ({ plannedMs: sampleStartMs, actions, withheld: [], cancelled: [], ...rest });
const states = (outbox: Outbox): string[] => outbox.list().map(({ state }) => state);
const events = (outbox: Outbox): string[] => outbox.audit().map(({ event }) => event);

test('what goes in comes out as it was', () => {
  const { outbox } = openSampleOutbox();
  const mail = sampleAction();
  const block = sampleAction({
    rung: 'mitigate', kind: 'block', channel: 'ipv4_port 192.0.2.7 . tcp . 23',
    verdict: sampleVerdict({ evidence: undefined }),
    block: { homeAddress: '192.0.2.7', destination: undefined, protocol: 'tcp', port: 23 },
  });
  outbox.admit(planOf([mail, block]));
  assert.deepEqual(outbox.take('mail', sampleStartMs), mail);
  assert.deepEqual(outbox.take('block', sampleStartMs), block);
  assert.equal(outbox.take('block', sampleStartMs), undefined);
});

test('admitted twice is admitted once, in whatever state it is', () => {
  for (const end of ['planned', 'attempting', 'committing', 'done', 'failed', 'uncertain'] as const) {
    const { outbox } = openSampleOutbox();
    const action = sampleAction();
    outbox.admit(planOf([action, action]));
    if (end !== 'planned') outbox.take('mail', sampleStartMs);
    if (end === 'committing') outbox.commit(action.id);
    if (end === 'done' || end === 'failed' || end === 'uncertain') {
      outbox.finish(action.id, { status: end, detail: '' }, sampleStartMs);
    }
    outbox.admit(planOf([action]));
    assert.deepEqual(states(outbox), [end]);
    assert.equal(events(outbox).filter((event) => event === 'planned').length, 1);
  }
});

test('what was never done may be asked for again: cancelled, or too late', () => {
  const { outbox } = openSampleOutbox();
  const action = sampleAction();
  outbox.admit(planOf([action]));
  outbox.admit(planOf([], { cancelled: [{ id: action.id, code: 'opted-out', detail: 'asked' }] }));
  assert.deepEqual(states(outbox), ['cancelled']);
  outbox.admit(planOf([action]));
  assert.deepEqual(states(outbox), ['planned']);
  outbox.settle(action.expiresMs);
  assert.deepEqual(states(outbox), ['expired']);
  const lateMs = action.expiresMs;
  const later = { ...action, plannedMs: lateMs, dueMs: lateMs, expiresMs: lateMs + dayMs };
  outbox.admit(planOf([later]));
  assert.deepEqual(outbox.take('mail', later.dueMs), later);
  outbox.admit(planOf([], { cancelled: [{ id: action.id, code: 'ended', detail: 'too late' }] }));
  assert.deepEqual(states(outbox), ['attempting'], 'what is under way is not cancelled');
  assert.deepEqual(events(outbox), ['planned', 'cancelled', 'planned-again', 'expired', 'planned-again']);
});

test('a plan is part of the transaction of whoever admits it', () => {
  const { db, outbox } = openSampleOutbox();
  db.exec('BEGIN');
  outbox.admit(planOf([sampleAction()]));
  db.exec('ROLLBACK');
  assert.deepEqual(states(outbox), []);
  db.exec('BEGIN');
  outbox.admit(planOf([sampleAction()]));
  db.exec('COMMIT');
  assert.deepEqual(states(outbox), ['planned']);
});

test('pauses grow without chance, receivers may ask for longer ones, and in the end it is given up', () => {
  const { outbox } = openSampleOutbox();
  const action = sampleAction({ expiresMs: sampleStartMs + dayMs });
  outbox.admit(planOf([action]));
  const pauses: number[] = [];
  let nowMs = sampleStartMs;
  while (states(outbox)[0] === 'planned') {
    assert.equal(outbox.take('mail', nowMs - 1), undefined);
    assert.deepEqual(outbox.take('mail', nowMs), action, 'the times of the plan stay');
    outbox.finish(action.id, { status: 'retry', detail: 'refused' }, nowMs);
    const dueMs = outbox.nextDueMs();
    if (dueMs === undefined) break;
    pauses.push(dueMs - nowMs);
    nowMs = dueMs;
  }
  assert.deepEqual(pauses.slice(0, 9), [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600].map((s) => s * 1_000));
  assert.equal(outbox.list()[0]?.state, 'failed');
  assert.match(outbox.list()[0]?.detail ?? '', /given up after 30 attempts: refused/);
  assert.ok(nowMs < action.expiresMs);
});

test('a receiver asks for a pause, in vain for one without end', () => {
  for (const [afterMs, expected] of [
    [10 * minuteMs, 10 * minuteMs], [1, 30_000], [Infinity, dayMs], [Number.NaN, 30_000], [-5, 30_000],
  ] as const) {
    const { outbox } = openSampleOutbox();
    outbox.admit(planOf([sampleAction()]));
    const action = outbox.take('mail', sampleStartMs) as PlannedAction;
    outbox.finish(action.id, { status: 'retry', detail: '', afterMs }, sampleStartMs);
    assert.equal(outbox.nextDueMs(), sampleStartMs + expected);
  }
});

test('after a kill, what may be repeated is, and what may not is of uncertain fate and said to be', () => {
  const { outbox } = openSampleOutbox();
  const attempted = sampleAction({ home: 'attempted' });
  const committed = sampleAction({ home: 'committed' });
  const hook = sampleAction({ home: 'hook', kind: 'webhook', channel: 'crm' });
  outbox.admit(planOf([attempted, committed, hook]));
  outbox.take('mail', sampleStartMs);
  outbox.take('mail', sampleStartMs);
  outbox.take('webhook', sampleStartMs);
  assert.equal(outbox.commit(committed.id), true);
  assert.equal(outbox.commit(hook.id), true);
  const uncertain = outbox.recover(sampleStartMs, ['webhook']);
  assert.deepEqual(uncertain.map(({ home, state }) => [home, state]), [['committed', 'uncertain']]);
  const byHome = Object.fromEntries(outbox.list().map(({ home, state }) => [home, state]));
  assert.deepEqual(byHome, { attempted: 'planned', committed: 'uncertain', hook: 'planned' });
  assert.equal(outbox.nextDueMs(), sampleStartMs + 30_000, 'what killed us does not do so in a loop');
  assert.deepEqual(outbox.recover(sampleStartMs, []), [], 'a second time there is nothing');
  outbox.admit(planOf([committed]));
  assert.equal(outbox.take('mail', sampleStartMs + dayMs)?.home, 'attempted');
  assert.equal(outbox.take('mail', sampleStartMs + dayMs), undefined);
});

test('a person may send again what failed or is uncertain, and nothing else', () => {
  const { outbox } = openSampleOutbox();
  const action = sampleAction();
  const dry = sampleAction({ isDryRun: true });
  outbox.admit(planOf([action, dry]));
  outbox.settle(sampleStartMs);
  const resend = (id: string): void => outbox.resend(id, sampleStartMs + dayMs, sampleStartMs + 2 * dayMs);
  assert.throws(() => resend('x'), OperatorError);
  assert.throws(() => resend(action.id), /is planned/);
  assert.throws(() => resend(dry.id), /is dry-run/);
  outbox.take('mail', sampleStartMs);
  outbox.commit(action.id);
  outbox.recover(sampleStartMs, []);
  resend(action.id);
  assert.equal(outbox.take('mail', sampleStartMs + dayMs)?.id, action.id);
  assert.ok(events(outbox).includes('resent'));
});

test('a damaged row is set aside and counted, and the others go on', () => {
  const damages = [
    `content = ''`, `content = '{'`, `content = 'null'`, `content = '[]'`, `content = '{"reasons":[],"block":null}'`,
    `content = replace(content, '"home":"home-1"', '"home":"home-9"')`,
    `content = replace(content, '"tokens":[', '"tokens":[7,')`, `content = replace(content, '"state"', '"stat"')`,
    `content = replace(content, '"code"', '"cod"')`, `kind = 'block'`,
  ];
  for (const damage of damages) {
    const { db, outbox } = openSampleOutbox();
    outbox.admit(planOf([sampleAction({ dueMs: sampleStartMs - 1 })]));
    db.exec(`UPDATE outbox_action SET ${damage}`);
    outbox.admit(planOf([sampleAction({ home: 'home-2' })]));
    assert.equal(outbox.take('block', sampleStartMs), undefined);
    assert.equal(outbox.due(sampleStartMs, 9).length, 1, damage);
    assert.equal(outbox.take('mail', sampleStartMs)?.home, 'home-2', damage);
    assert.deepEqual(outbox.counts().byState, { attempting: 1, damaged: 1 }, damage);
    assert.equal(outbox.counts().counts.damaged, 1);
    outbox.admit(planOf([sampleAction()]));
    assert.equal(outbox.history('home-1')[0]?.state, 'damaged');
  }
});

test('whatever stands in a row, nothing throws', () => {
  const { db, outbox } = openSampleOutbox();
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), fc.string(), (content, text) => {
    db.exec('DELETE FROM outbox_action');
    outbox.admit(planOf([sampleAction()]));
    db.prepare('UPDATE outbox_action SET content = ?, rung = ?, reason_codes = ?, answer = ?')
      .run(content, text, text, text);
    outbox.history();
    outbox.list();
    assert.equal(outbox.take('mail', sampleStartMs), undefined);
    assert.deepEqual(states(outbox), ['damaged']);
  }), { numRuns: 200, seed: 3 });
});

test('usage counts what was admitted within the windows, dry and real apart', () => {
  const { outbox } = openSampleOutbox();
  const at = (plannedMs: number, changed: Partial<PlannedAction> = {}): PlannedAction =>
    sampleAction({ plannedMs, dueMs: plannedMs, deviceModel: `m${plannedMs}`, ...changed });
  const cancelled = at(5);
  outbox.admit(planOf([
    at(0), at(1), at(2), at(2, { home: 'home-2' }), at(3, { kind: 'webhook', channel: 'crm' }),
    at(3, { kind: 'block', channel: 'x' }), at(4, { isDryRun: true }), cancelled,
    at(3, { kind: 'verify', channel: 'v' }),
  ]));
  outbox.admit(planOf([], { cancelled: [{ id: cancelled.id, code: 'ended', detail: '' }] }));
  const rates = { mailsPerHome: 1, perHomeMs: 10, actionsOverall: 1, overallMs: 9 };
  assert.deepEqual(outbox.usage(10, rates, false),
    { mailsByHome: new Map([['home-1', 2], ['home-2', 1]]), noticed: 3, messages: 1 });
  assert.deepEqual(outbox.usage(10, rates, false, 'home-2'),
    { mailsByHome: new Map([['home-2', 1]]), noticed: 3, messages: 1 });
  assert.deepEqual(outbox.usage(10, rates, true), { mailsByHome: new Map([['home-1', 1]]), noticed: 1, messages: 0 });
});

test('the audit is only added to, has its limit, and its rows go with time', () => {
  const { db, outbox } = openSampleOutbox({ auditRowsMax: 4 });
  for (let i = 0; i < 6; i++) outbox.admit(planOf([sampleAction({ home: `home-${i}`, plannedMs: i })]));
  assert.deepEqual(outbox.audit().map(({ home }) => home), ['home-2', 'home-3', 'home-4', 'home-5']);
  assert.equal(outbox.counts().counts['audit-rows-dropped'], 2);
  assert.throws(() => db.exec(`UPDATE outbox_audit SET detail = ''`), /never changed/);
  outbox.prune({ actionsMs: 0, auditMs: 4 }, () => false);
  assert.deepEqual(outbox.audit().map(({ home }) => home), ['home-4', 'home-5']);
  assert.equal(outbox.counts().counts['pruned-audit-rows'], 2);
  outbox.admit(planOf(['home-7', 'home-8', 'home-9'].map((home) => sampleAction({ home }))));
  assert.deepEqual(outbox.audit().map(({ home }) => home), ['home-5', 'home-7', 'home-8', 'home-9']);
  assert.deepEqual(outbox.audit(undefined, 1).map(({ home }) => home), ['home-9']);
});

test('what is withheld is audited when it begins, not in every plan', () => {
  const { outbox } = openSampleOutbox({ withheldMax: 1 });
  const withheld = (code: Withheld['code'], home = 'home-1'): Withheld =>
    ({ home, deviceModel: 'm', rung: 'notify', kind: 'mail', code, detail: 'x' });
  for (const code of ['not-due', 'not-due', 'overall-rate', 'overall-rate', 'not-due'] as const) {
    outbox.admit(planOf([], { withheld: [withheld(code)] }));
  }
  assert.deepEqual(outbox.audit().map(({ detail }) => detail),
    ['notify mail not-due: x', 'notify mail overall-rate: x', 'notify mail not-due: x']);
  outbox.admit(planOf([], { withheld: [withheld('not-due', 'home-2')] }));
  outbox.admit(planOf([], { withheld: [withheld('not-due')] }));
  assert.equal(outbox.audit('home-1').length, 4, 'whom there is no memory for is audited again');
});

test('finished actions go with time, but not those that keep a customer from being told twice', () => {
  const { outbox } = openSampleOutbox();
  const actions = ['gone', 'goes-on'].map((home) => sampleAction({ home }));
  const waiting = sampleAction({ home: 'waits', dueMs: sampleStartMs + dayMs });
  outbox.admit(planOf([...actions, waiting]));
  for (const _ of actions) outbox.take('mail', sampleStartMs);
  for (const { id } of actions) {
    outbox.finish(id, { status: 'done', detail: '' }, sampleStartMs);
  }
  const prune = (actionsMs: number): void => outbox.prune({ actionsMs, auditMs: 0 }, ({ home }) => home === 'goes-on');
  prune(sampleStartMs);
  assert.equal(outbox.list().length, 3);
  prune(sampleStartMs + 1);
  assert.deepEqual(outbox.list().map(({ home }) => home).sort(), ['goes-on', 'waits']);
  assert.equal(outbox.counts().counts['pruned-actions'], 1);
});

test('forgetting a home leaves a number and nothing else', () => {
  const { db, outbox } = openSampleOutbox();
  const home = 'House at the lake';
  outbox.admit(planOf([sampleAction({ home }), sampleAction({ home, episode: 2 }), sampleAction({ home: 'home-2' })],
    { withheld: [{ home, deviceModel: 'm', rung: 'remind', kind: 'mail', code: 'not-due', detail: 'soon' }] }));
  outbox.optOut(home, undefined, true, 1);
  outbox.order({
    home, deviceModel: 'm', note: 'n', givenMs: 1,
    target: { homeAddress: '192.0.2.7', destination: undefined, protocol: 'tcp', port: 23 },
  });
  outbox.take('mail', sampleStartMs);
  assert.deepEqual(outbox.forget(home, sampleStartMs), { actions: 2, auditRows: 5 });
  const tables = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`).all() as { name: string }[];
  assert.ok(tables.length > 4);
  for (const { name } of tables) {
    assert.ok(!JSON.stringify(db.prepare(`SELECT * FROM ${name}`).all()).includes(home), name);
  }
  const bytes = Buffer.from(db.serialize());
  assert.ok(!bytes.includes(home), 'not in free pages either');
  assert.ok(bytes.includes('home-2'));
  assert.deepEqual([outbox.counts().counts['forgotten-homes'], outbox.counts().counts['forgotten-actions']], [1, 2]);
  assert.deepEqual(outbox.audit().at(-1)?.event, 'forgotten');
});

test('who is forgotten while being written to is written to no further, and nothing is noted of it', () => {
  const { outbox } = openSampleOutbox();
  const action = sampleAction();
  outbox.admit(planOf([action]));
  outbox.take('mail', sampleStartMs);
  outbox.forget(action.home, sampleStartMs);
  assert.equal(outbox.commit(action.id), false);
  outbox.finish(action.id, { status: 'done', detail: 'sent' }, sampleStartMs);
  assert.deepEqual(outbox.list(), []);
  assert.deepEqual(outbox.audit(action.home), []);
});

test('orders and opt-outs are kept, each once, up to their limits', () => {
  const { outbox } = openSampleOutbox({ ordersMax: 2, optOutsMax: 2 });
  const order = (givenMs: number, port: number | undefined = 23): string => outbox.order({
    home: 'home-1', deviceModel: 'm', note: 'ticket', givenMs,
    target: { homeAddress: '192.0.2.7', destination: undefined, protocol: 'tcp', port },
  });
  const id = order(1);
  assert.equal(order(1), id);
  assert.deepEqual(outbox.orders('home-1'), [{
    id, home: 'home-1', deviceModel: 'm', note: 'ticket', givenMs: 1,
    target: { homeAddress: '192.0.2.7', destination: undefined, protocol: 'tcp', port: 23 },
  }]);
  assert.throws(() => outbox.order({
    home: 'home-1', deviceModel: 'm', note: '', givenMs: 1,
    target: { homeAddress: '192.0.2.7', destination: undefined, protocol: 'tcp', port: undefined },
  }), /whole home is never blocked/);
  order(2);
  assert.throws(() => order(3), OperatorError);
  outbox.prune({ actionsMs: 2, auditMs: 0 }, () => true);
  assert.equal(outbox.orders().length, 1);
  assert.deepEqual(outbox.orders('home-2'), []);
  outbox.optOut('home-1', undefined, true, 1);
  outbox.optOut('home-1', undefined, true, 2);
  outbox.optOut('home-1', 'm', true, 3);
  assert.throws(() => outbox.optOut('home-2', 'm', true, 4), OperatorError);
  assert.deepEqual(outbox.optOuts(),
    [{ home: 'home-1', deviceModel: undefined }, { home: 'home-1', deviceModel: 'm' }]);
  outbox.optOut('home-1', undefined, false, 5);
  outbox.optOut('home-1', undefined, false, 6);
  assert.deepEqual(outbox.optOuts(), [{ home: 'home-1', deviceModel: 'm' }]);
  assert.deepEqual(events(outbox), ['ordered', 'ordered', 'opted-out', 'opted-out', 'opted-in']);
});

test('a full outbox refuses, says so once, and has room again', () => {
  const { outbox } = openSampleOutbox({ actionsMax: 2 });
  const actions = [1, 2, 3, 4].map((n) => sampleAction({ home: `home-${n}` }));
  outbox.admit(planOf(actions));
  outbox.admit(planOf(actions));
  assert.equal(outbox.list().length, 2);
  assert.equal(outbox.counts().counts['refused-full'], 4);
  assert.equal(events(outbox).filter((event) => event === 'outbox-full').length, 1);
  outbox.forget('home-1', sampleStartMs);
  outbox.admit(planOf(actions.slice(2)));
  assert.deepEqual(outbox.list().map(({ home }) => home).sort(), ['home-2', 'home-3']);
});

test('a full disk is an error of the environment; nothing was changed, and with room it goes on', () => {
  const { db, outbox } = openSampleOutbox();
  outbox.admit(planOf([sampleAction()]));
  const { page_count: pages } = db.prepare('PRAGMA page_count').get() as { page_count: number };
  db.exec(`PRAGMA max_page_count = ${pages + 1}`);
  const many = Array.from({ length: 200 }, (_, n) => sampleAction({ home: `home-${n}` }));
  assert.throws(() => outbox.admit(planOf(many)), (error: unknown) =>
    error instanceof EnvironmentError && error.code === 'disk' && error.message.includes('the disk is full'));
  assert.equal(outbox.list().length, 1);
  assert.equal(outbox.audit().length, 1);
  db.exec('PRAGMA max_page_count = 100000');
  outbox.admit(planOf(many));
  assert.equal(outbox.list().length, 200);
  assert.equal(outbox.audit().length, 200);
});

test('what another process holds, and what is no database, is an error of the environment, too', () => {
  const { db, outbox } = openSampleOutbox();
  db.exec('PRAGMA query_only = ON');
  assert.throws(() => outbox.admit(planOf([sampleAction()])), EnvironmentError);
  const readOnly = new DatabaseSync(':memory:');
  readOnly.exec('PRAGMA query_only = ON');
  assert.throws(() => new Outbox(readOnly), EnvironmentError);
});
