/**
 * Names in a made-up world: covered device models are found in every window and no other home, as published; what is
 * published as the weakness shows as well: too few names, shared ones, and the price of not filtering.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeUnit, mergeHome, shareWhere, type UnitPlan } from '../../../test/support/name-world.ts';
import {
  guoHeidemann, learnDomainRule, oneDedicatedName, relaxedDomains, type DomainForm, type DomainRule,
} from './dns-domains.ts';
import { createNameKinds } from './name-kinds.ts';
import { defaultNameLists } from './name-lists.ts';
import type { TermCounts, TermUnit } from './name-windows.ts';

const everyone = { '0.pool.ntp.org': 1, 'b1.s3.amazonaws.com': 1, 'clients3.google.com': 1 };
const plans: readonly UnitPlan[] = [
  // Of four names of its own one is asked for once in a while.
  { name: 'own-1', deviceModel: 'webcam.Acme.One', asks: {
    'hub.acme-cams.com': 1, 'stun.acme-cams.com': 1, 'log.acme-cams.com': 1, 'fw.acme-cams.com': 0.1, ...everyone } },
  // Two siblings that ask for the same, with one name between them.
  { name: 'twin-1', deviceModel: 'socket.Birch.A', asks: {
    'a.birchcloud.net': 1, 'b.birchcloud.net': 1, 'c.birchcloud.net': 1, 'a-only.birchcloud.net': 1, ...everyone } },
  { name: 'twin-2', deviceModel: 'socket.Birch.B', asks: {
    'a.birchcloud.net': 1, 'b.birchcloud.net': 1, 'c.birchcloud.net': 1, ...everyone } },
  // Two names only, and all else is rented or browsed.
  { name: 'few-1', deviceModel: 'bulb.Cedar.X', asks: {
    'api.cedar-light.com': 1, 'time.cedar-light.com': 1, 'www.cedar-light.com': 1, ...everyone } },
  // Nothing but what everyone asks for.
  { name: 'none-1', deviceModel: 'hub.Elm.Y', asks: everyone },
  { name: 'laptop-1', deviceModel: 'laptop', kind: 'non-iot', asks: {
    'api.browsed.org': 0.5, 'www.acme-cams.com': 0.5, ...everyone } },
];
const units = plans.map((plan, i) => makeUnit(plan, 40, i));
/** The same device models again, as other devices. */
const others = plans.map((plan, i) => makeUnit(plan, 200, 100 + i));
const unitOf = (deviceModel: string): TermUnit => {
  const unit = others.find((candidate) => candidate.deviceModel === deviceModel);
  assert.ok(unit !== undefined);
  return unit;
};
const kinds = createNameKinds(defaultNameLists);
const learn = (deviceModel: string, form: DomainForm, from = units): DomainRule =>
  learnDomainRule(deviceModel, from, form, kinds);
const iotModels = plans.filter(({ kind }) => kind === undefined).map(({ deviceModel }) => deviceModel);
/** Whether a window shows as many of the rule's names as it takes. */
const holdsIn = ({ names, namesMin, unfit }: DomainRule) => (window: TermCounts): boolean =>
  unfit === undefined && names.filter((name) => window.has(name)).length >= namesMin;

test('as published: a covered device model is found in every window of its homes, in none of others', () => {
  const deviceModel = 'webcam.Acme.One';
  const rule = learn(deviceModel, guoHeidemann);
  assert.deepEqual(rule, {
    namesMin: 2, group: [], unfit: undefined,
    names: ['hub.acme-cams.com', 'log.acme-cams.com', 'stun.acme-cams.com'],
  });
  const rest = others.filter((unit) => unit.deviceModel !== deviceModel);
  assert.equal(shareWhere(mergeHome([...rest, unitOf(deviceModel)]), holdsIn(rule)), 1);
  assert.equal(shareWhere(mergeHome(rest), holdsIn(rule)), 0);
});

test('what is asked for once in a while counts where every name counts, and empty windows say nothing', () => {
  const every = learn('webcam.Acme.One', { ...guoHeidemann, regularShare: 0 });
  assert.deepEqual([every.names.length, every.namesMin, every.names[0]], [4, 3, 'fw.acme-cams.com']);
  const asleep = units.map((unit) => ({ ...unit, windows: [...unit.windows, ...unit.windows.map(() => new Map())] }));
  assert.deepEqual(learn('webcam.Acme.One', guoHeidemann, asleep), learn('webcam.Acme.One', guoHeidemann));
});

test('as published: fewer than three names are no rule, and what is rented or browsed is no name', () => {
  assert.deepEqual(learn('bulb.Cedar.X', guoHeidemann).names, ['api.cedar-light.com', 'time.cedar-light.com']);
  for (const deviceModel of ['bulb.Cedar.X', 'hub.Elm.Y']) {
    assert.equal(learn(deviceModel, guoHeidemann).unfit, 'few-names');
  }
  assert.deepEqual([learn('laptop', guoHeidemann).names, learn('laptop', guoHeidemann).unfit], [[], 'few-names']);
});

test('as published: shared names say "at least one of", names of one\'s own say more', () => {
  const twins = ['socket.Birch.A', 'socket.Birch.B'];
  assert.deepEqual(learn('socket.Birch.B', guoHeidemann).group, twins);
  // Three of four names are enough for A, and B asks for as many.
  assert.deepEqual(learn('socket.Birch.A', guoHeidemann).group, twins);

  const withOwn = plans.map((plan, i) => makeUnit(plan.name !== 'twin-1' ? plan : {
    ...plan, asks: { ...plan.asks, 'x.birchcloud.net': 1, 'y.birchcloud.net': 1 },
  }, 40, i));
  const rule = learn('socket.Birch.A', guoHeidemann, withOwn);
  assert.deepEqual([rule.group, rule.names],
    [[], ['a-only.birchcloud.net', 'x.birchcloud.net', 'y.birchcloud.net']]);
  assert.equal(shareWhere(unitOf('socket.Birch.B').windows, holdsIn(rule)), 0);
});

test('relaxed: more device models are covered, and windows of others are taken for theirs', () => {
  for (const deviceModel of iotModels) {
    const rule = learn(deviceModel, relaxedDomains);
    assert.equal(rule.unfit, undefined);
    assert.equal(shareWhere(unitOf(deviceModel).windows, holdsIn(rule)), 1, deviceModel);
  }
  // Nothing of the hub's is its own: every home that asks for the time and the cloud has one.
  const rule = learn('hub.Elm.Y', relaxedDomains);
  assert.equal(shareWhere(unitOf('laptop').windows, holdsIn(rule)), 1);
  assert.deepEqual(rule.group, []);
});

test('one dedicated name: two names are enough, none is not, and a shared one does not count', () => {
  assert.deepEqual(iotModels.map((deviceModel) => learn(deviceModel, oneDedicatedName))
    .map(({ names, namesMin, unfit }) => [names.length, namesMin, unfit]), [
    [4, 1, undefined], [1, 1, undefined], [0, 1, 'few-names'], [2, 1, undefined], [0, 1, 'few-names'],
  ]);
});

test('what a laptop asks for, too, is no device\'s name', () => {
  const asks = { 'hub.acme-cams.com': 1 };
  const laptop = makeUnit({ name: 'l', deviceModel: 'laptop', kind: 'non-iot', asks }, 3, 1);
  const namesOf = (form: DomainForm): readonly string[] => learn('webcam.Acme.One', form, [...units, laptop]).names;
  assert.equal(namesOf(guoHeidemann).includes('hub.acme-cams.com'), false);
  assert.equal(namesOf(relaxedDomains).includes('hub.acme-cams.com'), true);
});
