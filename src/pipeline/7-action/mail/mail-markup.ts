/**
 * What a mail says, as blocks, and both forms of it: plain text of at most 76 columns, and HTML in which everything is
 * escaped. Both come from the same blocks, so neither can say what the other does not.
 */

export type Block =
  | { readonly kind: 'title' | 'heading' | 'paragraph' | 'small'; readonly text: string }
  | { readonly kind: 'list' | 'steps'; readonly items: readonly string[] }
  | { readonly kind: 'facts'; readonly facts: readonly { readonly name: string; readonly value: string }[] };

const textColumns = 76;
/** Around every value that was filled in: what is between them is never markup. Private use, so in no real text. */
const valueBegin = '\uE000';
const valueEnd = '\uE001';
/** Controls, line ends, marks that turn text round or hide it, and our own two. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2069\uE000\uE001\uFEFF]+/gu;
const address = /<(https?:\/\/[^\s<>"]+)>/g;
const values = /[\uE000\uE001]/g;

/** A value on one line, without anything that is not seen. */
export function cleanValue(value: string): string {
  return value.replace(unseen, ' ').trim();
}

/** A value as it is put into a template: clean, and told apart from the template's own text. */
export function markValue(value: string): string {
  return `${valueBegin}${cleanValue(value)}${valueEnd}`;
}

/** The text without the marks of values. */
export function withoutMarks(text: string): string {
  return text.replace(values, '');
}

/**
 * The blocks of a filled template: `# ` a title, `## ` a heading, `- ` an item, `1. ` a step, `name :: value` a fact,
 * `~ ` small print, anything else a paragraph. A block ends at an empty line or where the next begins.
 */
export function parseMarkup(source: string): Block[] {
  const blocks: Block[] = [];
  let isOpen = false;
  for (const line of source.split(/\r?\n/).map((text) => text.trim())) {
    if (line === '') {
      isOpen = false;
      continue;
    }
    const begun = beginBlock(line);
    const last = blocks.at(-1);
    if (begun === undefined && isOpen && last !== undefined) blocks[blocks.length - 1] = continued(last, line);
    else if (begun !== undefined && last !== undefined) {
      const joined = joinBlocks(last, begun);
      if (joined === undefined) blocks.push(begun);
      else blocks[blocks.length - 1] = joined;
    } else blocks.push(begun ?? { kind: 'paragraph', text: line });
    isOpen = true;
  }
  return blocks;
}

/** The block that a line begins by its mark. */
function beginBlock(line: string): Block | undefined {
  const match = /^(?:(#{1,2}|-|\d{1,2}\.|~)\s+(.*)|([^\uE000]{1,60}?)\s+::\s+(.*))$/u.exec(line);
  if (match === null) return undefined;
  const [, mark, text = '', name, value = ''] = match;
  if (name !== undefined) return { kind: 'facts', facts: [{ name, value }] };
  if (mark === '#') return { kind: 'title', text };
  if (mark === '##') return { kind: 'heading', text };
  if (mark === '~') return { kind: 'small', text };
  return { kind: mark === '-' ? 'list' : 'steps', items: [text] };
}

function joinBlocks(last: Block, next: Block): Block | undefined {
  if (last.kind === 'facts' && next.kind === 'facts') return { kind: 'facts', facts: [...last.facts, ...next.facts] };
  if (!('items' in last && 'items' in next) || last.kind !== next.kind) return undefined;
  return { kind: last.kind, items: [...last.items, ...next.items] };
}

/** A block with a further line of its last text. */
function continued(block: Block, line: string): Block {
  if (block.kind === 'facts') {
    const last = block.facts.at(-1) as { name: string; value: string };
    return { kind: 'facts', facts: [...block.facts.slice(0, -1), { ...last, value: `${last.value} ${line}` }] };
  }
  if ('items' in block) {
    return { kind: block.kind, items: [...block.items.slice(0, -1), `${block.items.at(-1)} ${line}`] };
  }
  return { kind: block.kind, text: `${block.text} ${line}` };
}

/** The plain text of a mail; lines end in LF. Only an address too long for a line makes a longer one. */
export function formatText(blocks: readonly Block[]): string {
  return `${blocks.map(formatTextBlock).join('\n\n')}\n`;
}

function formatTextBlock(block: Block): string {
  if (block.kind === 'facts') {
    return block.facts.map(({ name, value }) => wrap(plain(`${name}: ${value}`), '', '    ')).join('\n');
  }
  if ('items' in block) {
    const isList = block.kind === 'list';
    return block.items.map((item, i) => wrap(plain(item), isList ? '  - ' : `  ${i + 1}. `, isList ? '    ' : '     '))
      .join('\n');
  }
  const text = plain(block.text);
  if (block.kind === 'title') return underline(text, '=');
  return block.kind === 'heading' ? underline(text, '-') : wrap(text, '', '');
}

const plain = (text: string): string => withoutMarks(withoutMarks(text).replace(address, '$1'));

function underline(text: string, mark: string): string {
  const wrapped = wrap(text, '', '');
  const columns = Math.max(...wrapped.split('\n').map((line) => [...line].length));
  return `${wrapped}\n${mark.repeat(columns)}`;
}

/** Words on lines of `textColumns` characters at most. */
function wrap(text: string, first: string, rest: string): string {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(/\s+/)) {
    if (!isEmpty && [...line].length + 1 + [...word].length > textColumns) {
      lines.push(line);
      line = rest;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].join('\n');
}

/**
 * The HTML of a mail's body, without the frame around it.
 *
 * @param links  the only addresses that become links; others stay text
 */
export function formatHtml(blocks: readonly Block[], links: ReadonlySet<string>): string {
  const inline = (text: string): string => escapeInline(withoutMarks(text), links);
  return blocks.map((block) => {
    if (block.kind === 'facts') {
      const rows = block.facts.map(({ name, value }) =>
        `<tr><th scope="row">${inline(name)}</th><td>${inline(value)}</td></tr>`);
      return `<table class="facts">\n${rows.join('\n')}\n</table>`;
    }
    if ('items' in block) {
      const tag = block.kind === 'list' ? 'ul' : 'ol';
      return `<${tag}>\n${block.items.map((item) => `<li>${inline(item)}</li>`).join('\n')}\n</${tag}>`;
    }
    if (block.kind === 'small') return `<p class="small">${inline(block.text)}</p>`;
    const tag = { title: 'h1', heading: 'h2', paragraph: 'p' }[block.kind];
    return `<${tag}>${inline(block.text)}</${tag}>`;
  }).join('\n');
}

function escapeInline(text: string, links: ReadonlySet<string>): string {
  let html = '';
  let at = 0;
  for (const match of text.matchAll(address)) {
    const url = match[1] as string;
    const shown = escapeHtml(url);
    html += escapeHtml(text.slice(at, match.index));
    html += links.has(url) ? `<a href="${shown}">${shown}</a>` : shown;
    at = match.index + match[0].length;
  }
  return html + escapeHtml(text.slice(at));
}

/** Text that is nothing but text in HTML, in an attribute in quotes too. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] as string);
}
