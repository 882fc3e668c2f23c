/** Verdicts out of JSON: what `judge` makes comes back the same, everything else is refused with a sentence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noVerdict } from './judge.ts';
import { parseVerdict } from './parse-verdict.ts';
import type { Verdict } from './verdict.ts';

const present: Verdict = {
  home: 'home', deviceModel: 'webcam.Test.One', classifier: 'c1', state: 'present', episode: 2, sinceMs: 9_000,
  firstFlowMs: 5_000, supportedMs: 12_000,
  evidence: {
    home: 'home', deviceModel: 'webcam.Test.One', classifier: 'c1', windowStartMs: 4_000, windowEndMs: 9_000, score: 3,
    tokens: [
      { text: 'tcp/443 private 2^1', weight: 1, buckets: 4 }, { text: 'tcp/80 private 2^1', weight: 2, buckets: 1 },
    ],
  },
};
const expired: Verdict = { ...present, state: 'not yet', sinceMs: 99_000 };
const grouped: Verdict = { ...present, p: 1 / 12_001, group: ['plug.Test.One', 'webcam.Test.One'] };

/** Every property of every object in a value, as paths. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsOf(inner, [...path, key])]);
}

function changeAt(path: readonly string[], change: (holder: Record<string, unknown>, key: string) => void): string {
  const copy = JSON.parse(JSON.stringify(present)) as Record<string, unknown>;
  let holder = copy;
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  change(holder, path.at(-1) as string);
  return JSON.stringify(copy);
}

test('a verdict comes back as it was, frozen, to the same text', () => {
  for (const verdict of [present, expired, grouped, noVerdict(present)]) {
    const parsed = parseVerdict(JSON.stringify(verdict));
    assert.deepEqual(parsed, verdict);
    assert.equal(JSON.stringify(parsed), JSON.stringify(verdict));
    assert.ok(Object.isFrozen(parsed));
  }
  const parsed = parseVerdict(JSON.stringify(present)) as Verdict;
  assert.ok(Object.isFrozen(parsed.evidence) && Object.isFrozen(parsed.evidence?.tokens));
});

test('the order of keys in the text does not matter', () => {
  const turned = Object.fromEntries(Object.entries(present).reverse());
  assert.equal(JSON.stringify(parseVerdict(JSON.stringify(turned))), JSON.stringify(present));
});

test('a verdict that lacks anything, or has anything more, is refused', () => {
  for (const path of pathsOf(present)) {
    const [what] = path;
    const without = parseVerdict(changeAt(path, (holder, key) => {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
    }));
    assert.equal(typeof without, 'string', `without ${path.join('.')}`);
    const strange = parseVerdict(changeAt(path, (holder, key) => {
      holder[key] = [null];
    }));
    assert.equal(typeof strange, 'string', `another ${path.join('.')}`);
    assert.ok(what !== undefined);
  }
  assert.match(String(parseVerdict(JSON.stringify({ ...present, more: 1 }))), /no 'more'/);
  assert.match(String(parseVerdict(`{"__proto__": 1, ${JSON.stringify(present).slice(1)}`)), /__proto__/);
});

const contradictions: readonly (readonly [string, object, RegExp])[] = [
  ['another home', { home: 'other' }, /something else/],
  ['another device model', { deviceModel: 'x' }, /something else/],
  ['another classifier', { classifier: 'x' }, /something else/],
  ['no episode', { episode: 0 }, /episode/],
  ['half an episode', { episode: 1.5 }, /'episode'/],
  ['another time', { sinceMs: 9_001 }, /another time/],
  ['expired while it was supported', { state: 'not yet', sinceMs: 12_000 }, /another time/],
  ['supported before it began', { supportedMs: 8_999 }, /no order/],
  ['flows after the window', { firstFlowMs: 9_000 }, /no order/],
  ['flows before the window', { firstFlowMs: 3_999 }, /no order/],
  ['an unknown state', { state: 'group' }, /'state'/],
  ['presence of nothing', { evidence: undefined }, /without evidence/],
  ['p of nothing', { evidence: undefined, state: 'not yet', episode: 0, p: 0.1 }, /without evidence/],
  ['a wrong score', { evidence: { ...present.evidence, score: 4 } }, /sum/],
  ['tokens that descend', { evidence: { ...present.evidence, tokens: [...present.evidence?.tokens ?? []].reverse() } },
    /ascend/],
  ['no tokens', { evidence: { ...present.evidence, score: 0, tokens: [] } }, /at least one/],
  ['a share of nothing', { p: 0 }, /'p'/],
  ['more than all', { p: 1.5 }, /'p'/],
  ['a group of one', { group: ['webcam.Test.One'] }, /group/],
  ['a group without it', { group: ['a', 'b'] }, /group/],
  ['a group that descends', { group: ['webcam.Test.One', 'a'] }, /group/],
  ['a group of numbers', { group: [1, 2] }, /'group'/],
  ['a window of no length', { evidence: { ...present.evidence, windowStartMs: 9_000 } }, /before it begins/],
];

for (const [what, change, sentence] of contradictions) {
  test(`refused: ${what}`, () => {
    assert.match(String(parseVerdict(JSON.stringify({ ...present, ...change }))), sentence);
  });
}

test('anything that is no verdict is refused with a sentence', () => {
  assert.match(String(parseVerdict('{')), /JSON/);
  fc.assert(fc.property(fc.json(), (text) => {
    assert.match(String(parseVerdict(text)), /\.$/);
  }));
});
