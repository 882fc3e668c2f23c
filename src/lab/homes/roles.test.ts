/** Roles: nobody has two, units of a device model stay together, a smaller library is a part of the larger one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvariantError } from '#base';
import { assertDisjoint, assignRoles, unitsOfRole, type RoleUnit, type UnitRole } from './roles.ts';

const wanted = 'hub.Test.Wanted';
const units: RoleUnit[] = [
  ...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].flatMap((name): RoleUnit[] => [1, 2].map((unit) =>
    ({ device: `${name}${unit}`, deviceModel: `plug.Test.${name}`, kind: 'iot' }))),
  ...[1, 2, 3, 4].map((unit): RoleUnit => ({ device: `pc${unit}`, deviceModel: 'computer', kind: 'non-iot' })),
  { device: 'wanted', deviceModel: wanted, kind: 'iot' },
];
const countOf = (roles: ReadonlyMap<string, UnitRole>, role: UnitRole): number =>
  unitsOfRole(units, roles, role).length;

test('any seed deals half, a quarter and a quarter, device models whole, machines to everybody', () => {
  fc.assert(fc.property(fc.nat(), (seed) => {
    const roles = assignRoles(units, { deviceModel: wanted, seed });
    assert.equal(roles.size, units.length - 1);
    // Of nine device models 5, 2 and 2; of four machines 2, 1 and 1.
    assert.deepEqual([countOf(roles, 'library'), countOf(roles, 'calibration'), countOf(roles, 'test')], [12, 5, 5]);
    for (const role of ['library', 'calibration', 'test'] as const) {
      assert.ok(unitsOfRole(units, roles, role).some(({ kind }) => kind === 'non-iot'));
      const names = new Set(unitsOfRole(units, roles, role).map(({ deviceModel }) => deviceModel));
      for (const { device, deviceModel, kind } of units) {
        if (kind === 'iot' && names.has(deviceModel)) assert.equal(roles.get(device), role);
      }
    }
    assert.deepEqual(assignRoles(units.toReversed(), { deviceModel: wanted, seed }), new Map(
      units.toReversed().filter(({ device }) => roles.has(device)).map(({ device }) => [device, roles.get(device)])));
  }), { numRuns: 50 });
});

test('seeds deal differently', () => {
  const dealt = [1, 2, 3, 4].map((seed) =>
    JSON.stringify([...assignRoles(units, { deviceModel: wanted, seed })].sort()));
  assert.equal(new Set(dealt).size, 4);
});

test('a smaller library is a part of the larger one; what it lacks is in homes that test, unknown to all', () => {
  const whole = assignRoles(units, { deviceModel: wanted, seed: 3 });
  const half = assignRoles(units, { deviceModel: wanted, seed: 3, libraryShare: 0.5 });
  assert.ok(countOf(half, 'library') < countOf(whole, 'library') && countOf(half, 'library') > 0);
  assert.equal(half.size, whole.size);
  for (const [device, role] of half) {
    const before = whole.get(device);
    assert.ok(before === role || (before === 'library' && role === 'test'), `${device}: ${before} and ${role}`);
  }
});

test('planted faults are found: two roles of a device model, a role of the one looked for, a name twice', () => {
  const roles = new Map(assignRoles(units, { deviceModel: wanted, seed: 1 }));
  assertDisjoint(units, roles, wanted);
  const moved = new Map(roles).set('a1', roles.get('a1') === 'test' ? 'library' : 'test');
  assert.throws(() => assertDisjoint(units, moved, wanted), InvariantError);
  assert.throws(() => assertDisjoint(units, new Map(roles).set('wanted', 'test'), wanted), InvariantError);
  assert.throws(() => assertDisjoint([...units, units[0] as RoleUnit], roles, wanted), InvariantError);
});
