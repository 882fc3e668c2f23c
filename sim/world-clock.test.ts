/** The queue of processes: order, fairness at equal times, the end, and its limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError, Random } from '#base';
import { WorldClock, type Process } from './world-clock.ts';

test('processes run in the order of their times, whatever order they start in', () => {
  const random = new Random(1);
  const clock = new WorldClock(1_000);
  const seen: number[] = [];
  const sleeper = function* (): Process {
    for (let i = 0; i < 20; i++) {
      seen.push(clock.nowMicroseconds);
      yield random.integer(0, 500);
    }
  };
  for (let i = 0; i < 40; i++) clock.start(sleeper(), random.integer(0, 3_000));
  while (clock.step(Infinity));
  assert.equal(seen.length, 800);
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  assert.equal(clock.processCount, 0);
});

test('processes of the same time run in the order in which they went to sleep', () => {
  const clock = new WorldClock(0);
  const seen: string[] = [];
  const speaker = function* (name: string): Process {
    for (let i = 0; i < 3; i++) {
      seen.push(`${name}${i}`);
      yield 10;
    }
  };
  for (const name of ['a', 'b', 'c', 'd', 'e']) clock.start(speaker(name), 5);
  while (clock.step(Infinity));
  assert.equal(seen.join(' '), 'a0 b0 c0 d0 e0 a1 b1 c1 d1 e1 a2 b2 c2 d2 e2');
});

test('nothing happens at or after the end', () => {
  const clock = new WorldClock(0);
  const seen: number[] = [];
  clock.start((function* (): Process {
    for (;;) {
      seen.push(clock.nowMicroseconds);
      yield 10;
    }
  })());
  while (clock.step(30));
  assert.deepEqual(seen, [0, 10, 20]);
});

test('a world has a limit of processes', () => {
  const clock = new WorldClock(0, 3);
  const idle = function* (): Process {
    yield 1;
  };
  for (let i = 0; i < 3; i++) clock.start(idle());
  assert.throws(() => clock.start(idle()), InvariantError);
});
