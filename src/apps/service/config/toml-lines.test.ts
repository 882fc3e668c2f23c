/** Lines of keys: found in documents that are put together here, so that the lines are known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { findLines } from './toml-lines.ts';

const values = ['1', '"a = [b]"', "'x'", '"""\n[not.a.head]\nkey = 2\n"""', "'''\n'' = 1\n'''",
  '[\n  1, # one\n  2,\n]', '[[1], [2]]', '{ inner = 1 }', '1979-05-27', '"\\"#"'];
const between = ['', '# key = 1', '   ', '# """', "\t# '''"];

test('keys stand where they were put, whatever stands around them', () => {
  const statements = fc.array(fc.record({
    value: fc.constantFrom(...values), before: fc.array(fc.constantFrom(...between), { maxLength: 2 }),
    head: fc.constantFrom('', '', '[section]', '[[list]]', '[ "quoted" . part ]'), comment: fc.boolean(),
  }), { minLength: 1, maxLength: 12 });
  fc.assert(fc.property(statements, fc.constantFrom('\n', '\r\n'), (chosen, lineEnd) => {
    const lines: string[] = [];
    const expected = new Map<string, number>();
    const counts = new Map<string, number>();
    let place = '';
    const used = new Set<string>();
    chosen.forEach(({ value, before, head, comment }, i) => {
      lines.push(...before);
      const path = head.replace(/[[\]" ]/g, '');
      if (head !== '' && (head.startsWith('[[') || !used.has(path))) {
        used.add(path);
        counts.set(path, (counts.get(path) ?? 0) + 1);
        place = head.startsWith('[[') ? `${path}[${counts.get(path)}]` : path;
        lines.push(head);
        expected.set(place, lines.length);
      }
      const key = `key${i}`;
      expected.set(place === '' ? key : `${place}.${key}`, lines.length + 1);
      lines.push(...`  ${key} = ${value}${comment ? ' # end' : ''}`.split('\n'));
    });
    const text = lines.join(lineEnd);
    assert.doesNotThrow(() => parse(text));
    const found = findLines(text);
    for (const [path, line] of expected) assert.equal(found.get(path), line, `${path}\n${text}`);
  }), { numRuns: 300 });
});

test('keys within inline tables stand where the table begins', () => {
  const found = findLines('a = 1\nhome = [{ name = "a" }, { name = "b" }]\nmail.dkim = { domain = "c" }\n');
  assert.deepEqual([...found], [['a', 1], ['home', 2], ['home[1]', 2], ['home[1].name', 2], ['home[2]', 2],
    ['home[2].name', 2], ['mail', 3], ['mail.dkim', 3], ['mail.dkim.domain', 3]]);
});

test('a value over very many lines costs its own line, and no other', () => {
  const found = findLines(`a = 1\nlong = [\n${'  1,\n'.repeat(200)}]\nb = 2\n`);
  assert.equal(found.get('a'), 1);
  assert.equal(found.get('long'), undefined);
  assert.equal(found.get('b'), 204);
});
