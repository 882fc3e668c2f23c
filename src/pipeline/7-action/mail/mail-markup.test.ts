/** Blocks of a mail: both forms say the same, lines have an end, and no value becomes markup. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanValue, formatHtml, formatText, markValue, parseMarkup } from './mail-markup.ts';

const sample = `# A title

A paragraph
over two lines.
## A heading
Name :: a value
  that goes on
Other name :: <https://example.net/a?b=1&c=2>

- one
- two
1. first
2. second,
   longer

~ small`;

test('every mark begins its block', () => {
  assert.deepEqual(parseMarkup(sample), [
    { kind: 'title', text: 'A title' },
    { kind: 'paragraph', text: 'A paragraph over two lines.' },
    { kind: 'heading', text: 'A heading' },
    { kind: 'facts', facts: [
      { name: 'Name', value: 'a value that goes on' },
      { name: 'Other name', value: '<https://example.net/a?b=1&c=2>' },
    ] },
    { kind: 'list', items: ['one', 'two'] },
    { kind: 'steps', items: ['first', 'second, longer'] },
    { kind: 'small', text: 'small' },
  ]);
});

test('text and HTML of every block', () => {
  const blocks = parseMarkup(sample);
  assert.equal(formatText(blocks), [
    'A title', '=======', '', 'A paragraph over two lines.', '', 'A heading', '---------', '',
    'Name: a value that goes on', 'Other name: https://example.net/a?b=1&c=2', '', '  - one', '  - two', '',
    '  1. first', '  2. second, longer', '', 'small', '',
  ].join('\n'));
  assert.equal(formatHtml(blocks, new Set(['https://example.net/a?b=1&c=2'])), [
    '<h1>A title</h1>', '<p>A paragraph over two lines.</p>', '<h2>A heading</h2>', '<table class="facts">',
    '<tr><th scope="row">Name</th><td>a value that goes on</td></tr>',
    '<tr><th scope="row">Other name</th><td>'
      + '<a href="https://example.net/a?b=1&amp;c=2">https://example.net/a?b=1&amp;c=2</a></td></tr>',
    '</table>', '<ul>', '<li>one</li>', '<li>two</li>', '</ul>', '<ol>', '<li>first</li>', '<li>second, longer</li>',
    '</ol>', '<p class="small">small</p>',
  ].join('\n'));
});

test('only an address that is allowed becomes a link', () => {
  const blocks = parseMarkup('See <https://evil.example/x> and <javascript:alert(1)> and <b>this</b>.');
  assert.equal(formatHtml(blocks, new Set(['https://example.net/'])),
    '<p>See https://evil.example/x and &lt;javascript:alert(1)&gt; and &lt;b&gt;this&lt;/b&gt;.</p>');
});

test('a value is never markup, whatever is in it', () => {
  const values = ['# title', '## heading', '- item', '1. step', 'a :: b', '~ small', 'a\n\n# b',
    '\uE001# c', '\u202Ex'];
  for (const value of values) {
    const blocks = parseMarkup(`${markValue(value)}\n\nName :: ${markValue(value)}`);
    assert.deepEqual(blocks.map(({ kind }) => kind), ['paragraph', 'facts'], JSON.stringify(value));
    assert.ok(formatText(blocks).startsWith(`${cleanValue(value).replace(/\s+/g, ' ')}\n\n`), JSON.stringify(value));
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (value) => {
    const html = formatHtml(parseMarkup(`x ${markValue(value)} y`), new Set());
    assert.match(html.replace(/\s+/g, ' '), /^<p>x [^<>"']*y<\/p>$/);
  }));
});

test('lines of text end before column 77, but for a word that is longer', () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), { minLength: 1 }),
    fc.constantFrom('', '# ', '## ', '- ', '12. ', '~ ', 'Name :: '), (words, mark) => {
      const text = formatText(parseMarkup(`${mark}${markValue(words.join(' '))}`));
      for (const line of text.split('\n')) {
        if (line.trim().split(' ').length > 1) assert.ok([...line].length <= 76, line);
      }
    }));
});
