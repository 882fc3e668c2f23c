/** Slopes as a sign of device models: found where the kernel is, whosever it is; silent where nothing is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostOptions, Numbering } from '../../../test/support/identified-homes.ts';
import { makeIdentifiedWorld } from '../../../test/support/identified-world.ts';
import type { CalibrationInput, FittedPackets, LearnContext } from './home-method.ts';
import { dnsSlope, learnSlopeRule, packetSlope } from './ipid-slope-homes.ts';

const hourMs = 3_600_000;
const linux: Numbering = { kind: 'linux', ticksPerSecond: 250 };
const hostOf = (numbering: Numbering, seed: number, rest: Partial<HostOptions> = {}): HostOptions =>
  ({ numbering, seed, durationMs: 10 * hourMs, ...rest });
const { units, traces } = makeIdentifiedWorld([
  { deviceModel: 'webcam.Test.Own', host: hostOf(linux, 1) },
  { deviceModel: 'plug.Other.Linux', host: hostOf(linux, 2, { packetsMax: 5 }) },
  { deviceModel: 'hub.Other.Slow', host: hostOf({ kind: 'linux', ticksPerSecond: 100 }, 3) },
  { deviceModel: 'laptop.Other.Counting', host: hostOf({ kind: 'perDestination' }, 4) },
  { deviceModel: 'phone.Other.Random', host: hostOf({ kind: 'random' }, 5) },
  { deviceModel: 'scale.Test.Silent', host: hostOf(linux, 6, { questionMeanMs: 30 * hourMs, packetsMax: 2 }) },
]);

function learn(method: typeof dnsSlope, deviceModel: string): FittedPackets {
  const ownUnits = units.filter((unit) => unit.deviceModel === deviceModel).map(({ unit }) => unit);
  return method.learn({ deviceModel, ownUnits } as unknown as LearnContext,
    { windowMs: hourMs, bucketMs: 60_000 }, traces);
}

/** Hours of each device model that are taken for the one looked for. */
function countHours({ eventsOf }: FittedPackets): Record<string, number> {
  return Object.fromEntries(units.map(({ deviceModel, unit }) => {
    const trace = traces.traceOf(unit, 'whole');
    const { timeMs, token } = eventsOf(trace, unit);
    assert.deepEqual([...timeMs], [...timeMs].sort((a, b) => a - b));
    assert.ok(timeMs.every((time) => trace.timeMs.includes(time)) && token.every((one) => one === 0));
    return [deviceModel, timeMs.length];
  }));
}

const input = undefined as unknown as CalibrationInput;

for (const method of [dnsSlope, packetSlope]) {
  test(`${method.name} finds the kernel, on whatever device, and no other kernel`, () => {
    const fitted = learn(method, 'webcam.Test.Own');
    const hours = countHours(fitted);
    assert.ok((hours['webcam.Test.Own'] ?? 0) >= 8, JSON.stringify(hours));
    // What makes it useless: another device model with the same kernel.
    assert.ok((hours['plug.Other.Linux'] ?? 0) >= 5, JSON.stringify(hours));
    assert.deepEqual(['hub.Other.Slow', 'laptop.Other.Counting', 'phone.Other.Random'].map((model) => hours[model]),
      [0, 0, 0]);
    const { isPresent, unfit } = fitted.decide(input);
    const score = fitted.createScore();
    assert.ok(!isPresent(score.read(), 100) && unfit === undefined);
    score.add(0);
    assert.ok(isPresent(score.read(), 100));
    score.remove(0);
    assert.ok(!isPresent(score.read(), 100));
  });

  test(`${method.name} says nothing where too little is known`, () => {
    const fitted = learn(method, 'scale.Test.Silent');
    assert.ok(Object.values(countHours(fitted)).every((hours) => hours === 0));
    const decision = fitted.decide(input);
    assert.equal(decision.unfit, 'few-steps');
    assert.ok(!decision.isPresent(1, 100));
  });
}

test('a rule has slopes where identifications rise, and none where they are drawn', () => {
  const rule = (deviceModel: string): ReturnType<typeof learnSlopeRule> => learnSlopeRule(
    units.filter((unit) => unit.deviceModel === deviceModel).map(({ unit }) => traces.traceOf(unit, 'training')),
    { queriesOnly: true });
  const { slopes = [Number.NaN, Number.NaN] } = rule('webcam.Test.Own');
  assert.ok(slopes[0] < 125 && slopes[1] > 125 && slopes[0] > 50 && slopes[1] < 220, String(slopes));
  assert.deepEqual(rule('phone.Other.Random'), { idClass: 'random', slopes: undefined, unfit: undefined });
  assert.equal(rule('laptop.Other.Counting').idClass, 'counter');
});
