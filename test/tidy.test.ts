/** The house is tidy: no file breaks a rule, and every rule finds the breaches that are planted for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSourceTree } from './support/source-tree.ts';
import { scanSource } from './support/source-scan.ts';
import { plants } from './tidy-plants.ts';
import { rooms } from './tidy-rooms.ts';
import { columnsMax, rules, wideFiles } from './tidy-rules.ts';

const tree = readSourceTree();

test('every rule has breaches planted for it, and every plant a rule', () => {
  assert.deepEqual(Object.keys(plants).sort(), rules.map(({ name }) => name).sort());
});

for (const rule of rules) {
  test(`${rule.name}: planted breaches are found`, () => {
    const { breaks, keeps } = plants[rule.name] ?? { breaks: [], keeps: [] };
    assert.ok(breaks.length > 0 && keeps.length > 0);
    for (const file of breaks) assert.notDeepEqual(rule.find(file), [], `not found: ${file.path}\n${file.text}`);
    for (const file of keeps) assert.deepEqual(rule.find(file), [], `found without cause: ${file.path}\n${file.text}`);
  });

  test(`${rule.name}: the house keeps it`, () => {
    const found = tree.flatMap((file) => rule.find(file).map((what) => `${file.path}: ${what}`));
    assert.deepEqual(found, [], rule.reason);
  });
}

test('the tree that was read is the whole house', () => {
  const paths = tree.map(({ path }) => path);
  for (const path of ['package.json', 'bin/natlens.cjs', 'src/base/index.ts', 'sim/index.ts', 'test/tidy.test.ts']) {
    assert.ok(paths.includes(path), path);
  }
  assert.ok(paths.every((path) => !path.includes('node_modules')));
  const folders = new Set(rooms.map(({ folder }) => folder));
  assert.equal(folders.size, rooms.length);
});

test('an exception that is no longer needed must go', () => {
  for (const { path, reason } of wideFiles) {
    const file = tree.find((candidate) => candidate.path === path);
    assert.ok(file?.text.split('\n').some((line) => line.length > columnsMax), path);
    assert.ok(reason.length > 20, path);
  }
});

test('the scanner keeps code, comments and text apart', () => {
  const text = [
    "const a = 'it''s // not' + \"a \\\" b\"; // yes 'quoted'",
    'const b = `x ${f(`inner // ${1 + 1} /* */`)} y`; /* block `',
    'still */ const c = /[/"\'`]\\/\\/x/g.test(d) ? 4 / 2 : 1 / e;',
  ].join('\n');
  const { code, comments } = scanSource(text);
  assert.equal(code.length, text.length);
  assert.equal(code.replace(/\s+/g, ' ').trim(),
    "const a = ' '' ' + \" \"; const b = ` ${f(` ${1 + 1} `)} `; const c = / /g.test(d) ? 4 / 2 : 1 / e;");
  assert.equal(comments.replace(/\s+/g, ' ').trim(), "// yes 'quoted' /* block ` still */");
});
