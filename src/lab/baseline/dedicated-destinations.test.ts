/**
 * Dedicated destinations in a made-up world: ceil(0.4 N) of them find a product among others; shared ones tell the
 * maker or the platform alone, and who rents where everyone does has no rule.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeUnit, mergeHome, shareWhere, type UnitPlan } from '../../../test/support/name-world.ts';
import {
  destinationShareDefault, learnDestinationRule, type DestinationOptions, type DestinationRule,
} from './dedicated-destinations.ts';
import { ceilingShare, regularShare } from './name-windows.ts';

const everywhere = { '198.51.100.0/24 443 tcp': 1, '192.0.2.0/24 123 udp': 1 };
const fiveOwn = Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`203.0.113.${i}`, 0.9]));
const plans: readonly UnitPlan[] = [
  { name: 'cam', deviceModel: 'webcam.Acme.One', asks: {
    ...fiveOwn, 'seen-once': 0.03, 'acme-shared': 1, ...everywhere } },
  { name: 'bulb', deviceModel: 'bulb.Acme.Two', asks: { 'acme-shared': 1, ...everywhere } },
  { name: 'plug', deviceModel: 'socket.Birch.A', asks: { 'platform-1': 1, 'platform-2': 1, ...everywhere } },
  { name: 'fan', deviceModel: 'fan.Cedar.B', asks: { 'platform-1': 1, 'platform-2': 1, ...everywhere } },
  // It uses the platform, but too little of it to be taken for the others.
  { name: 'lamp', deviceModel: 'lamp.Elm.C', asks: { 'platform-2': 1, 'elm-own': 1, ...everywhere } },
  { name: 'rents', deviceModel: 'hub.Fir.D', asks: everywhere },
  { name: 'pc', deviceModel: 'laptop', kind: 'non-iot', asks: { ...everywhere, page: 1 } },
];
const units = plans.map((plan, i) => makeUnit(plan, 60, i));
const others = plans.map((plan, i) => makeUnit(plan, 400, 50 + i));
const usual: DestinationOptions = { share: destinationShareDefault, regularShare, isGeneric: () => false };
const learn = (deviceModel: string, options: Partial<DestinationOptions> = {}): DestinationRule | undefined =>
  learnDestinationRule(deviceModel, units, { ...usual, ...options });

test('a product with dedicated destinations is found, and nobody else is taken for it', () => {
  const rule = learn('webcam.Acme.One') ?? assert.fail();
  assert.deepEqual([rule.level, rule.destinations.length, rule.destinationsMin, rule.group], ['product', 5, 2, []]);
  const has = (window: ReadonlyMap<string, number>): boolean =>
    rule.destinations.filter((term) => window.has(term)).length >= rule.destinationsMin;
  // Three of five must be missing at once: one window in 2,000.
  assert.ok(shareWhere(mergeHome(others), has) > 0.99);
  assert.equal(shareWhere(mergeHome(others.slice(1)), has), 0);
});

test('destinations of siblings tell the maker, those of several makers the platform, those of everyone nothing', () => {
  assert.deepEqual(['bulb.Acme.Two', 'socket.Birch.A', 'lamp.Elm.C'].map((deviceModel) => learn(deviceModel)), [
    { level: 'manufacturer', destinations: ['acme-shared'], destinationsMin: 1,
      group: ['bulb.Acme.Two', 'webcam.Acme.One'] },
    { level: 'platform', destinations: ['platform-1', 'platform-2'], destinationsMin: 1,
      group: ['fan.Cedar.B', 'lamp.Elm.C', 'socket.Birch.A'] },
    { level: 'product', destinations: ['elm-own'], destinationsMin: 1, group: [] },
  ]);
  assert.equal(learn('hub.Fir.D'), undefined);
  assert.equal(learn('laptop'), undefined);
});

test('a stricter share makes smaller groups; generic and rare destinations are left out on wish', () => {
  assert.deepEqual(learn('socket.Birch.A', { share: 1 })?.group, ['fan.Cedar.B', 'socket.Birch.A']);
  assert.equal(learn('lamp.Elm.C', { isGeneric: (destination) => destination === 'elm-own' })?.level, 'platform');
  assert.deepEqual(learn('webcam.Acme.One', { regularShare: 0 })?.destinations.at(-1), 'seen-once');
});

test('0.4 of N, whole and at least one', () => {
  assert.deepEqual([1, 2, 3, 5, 6, 15, 35, 100].map((count) => ceilingShare(0.4, count)), [1, 1, 2, 2, 3, 6, 14, 40]);
  assert.equal(ceilingShare(2 / 3, 3), 2);
});
