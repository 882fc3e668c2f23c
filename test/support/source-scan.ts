/**
 * Takes TypeScript apart as far as the rules of the house need: code without comments and text, the comments alone,
 * and the imports. It is a scanner, not a parser: it knows strings, templates, comments and regular expressions.
 */

export type SourceScan = {
  /** The text with comments and the insides of strings, templates and regular expressions blanked; offsets are kept. */
  readonly code: string;
  /** The comments, everything else blanked; offsets are kept. */
  readonly comments: string;
};

/** Words after which a slash begins a regular expression. */
const wordsBeforeRegex = /(?:^|[^\w$.])(?:return|typeof|case|of|in|do|else|void|delete|throw|new|yield|await)$/;

/** Sorts every character of a source text into code and comments. */
export function scanSource(text: string): SourceScan {
  const code = text.split('');
  const comments = blank(text, 0, text.length).split('');
  const templateDepths: number[] = [];
  let depth = 0;
  let at = 0;
  const hide = (from: number, end: number): void => {
    for (let i = from; i < end; i++) if (text[i] !== '\n') code[i] = ' ';
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] as string;
    if (two === '//' || two === '/*') {
      const end = endOfComment(text, at, two);
      for (let i = at; i < end; i++) comments[i] = text[i] as string;
      hide(at, end);
      at = end;
    } else if (one === "'" || one === '"') {
      const end = endOfQuoted(text, at + 1, one);
      hide(at + 1, end - 1);
      at = end;
    } else if (one === '`' || (one === '}' && templateDepths.at(-1) === depth)) {
      if (one === '}') templateDepths.pop();
      const end = endOfTemplatePart(text, at + 1);
      hide(at + 1, text[end - 1] === '{' ? end - 2 : end - 1);
      if (text[end - 1] === '{') templateDepths.push(depth);
      at = end;
    } else if (one === '/' && isRegexStart(code.slice(Math.max(0, at - 40), at).join(''))) {
      const end = endOfRegex(text, at + 1);
      hide(at + 1, end - 1);
      at = end;
    } else {
      if (one === '{') depth++;
      if (one === '}') depth--;
      at++;
    }
  }
  return { code: code.join(''), comments: comments.join('') };
}

function blank(text: string, from: number, end: number): string {
  return text.slice(from, end).replace(/[^\n]/g, ' ');
}

function endOfComment(text: string, at: number, opening: string): number {
  const end = opening === '//' ? text.indexOf('\n', at) : text.indexOf('*/', at + 2) + 2;
  return end < 2 ? text.length : end;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return Math.min(at + 1, text.length);
}

/** Offset after the closing backtick, or after the `${` that interrupts the template. */
function endOfTemplatePart(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '`') {
    if (text.startsWith('${', at)) return at + 2;
    at += text[at] === '\\' ? 2 : 1;
  }
  return Math.min(at + 1, text.length);
}

function isRegexStart(before: string): boolean {
  const trimmed = before.trimEnd();
  const last = trimmed.at(-1);
  return last === undefined || '(,=:[!&|?{};+-*%~^<>'.includes(last) || wordsBeforeRegex.test(trimmed);
}

function endOfRegex(text: string, from: number): number {
  let isInClass = false;
  let at = from;
  for (; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') isInClass = true;
    else if (text[at] === ']') isInClass = false;
    else if (text[at] === '/' && !isInClass) break;
  }
  return Math.min(at + 1, text.length);
}

export type Import = {
  /** As written: `./x.ts`, `#base`, `node:fs`, `koffi`. */
  readonly specifier: string;
  /** Types alone: gone at run time. */
  readonly isTypeOnly: boolean;
  /** Loaded only when that line runs. */
  readonly isDynamic: boolean;
  readonly line: number;
};

const staticImport = /\b(?:import|export)\s+(type\s+)?(?:[\w$*{},\s]+?\s*from\s*)?(?=['"])/g;
/** With one literal name; a name that is put together cannot be seen. */
const dynamicImport = /\b(?:import|require|require\.resolve)\s*\(\s*(?=(['"`])\s*\1\s*[),])/g;
/** An import clause in braces each of whose names is a type. */
const typesInBraces = /^(?:import|export)\s*\{(?:\s*type\s[^,}]*,?)+\s*\}\s*from\s*$/;

/** All imports, re-exports and dynamic imports of a source text. */
export function findImports(text: string): Import[] {
  const { code } = scanSource(text);
  const read = (match: RegExpExecArray, isDynamic: boolean): Import => {
    const at = match.index + match[0].length;
    const specifier = text.slice(at + 1, text.indexOf(text[at] as string, at + 1));
    const isTypeOnly = !isDynamic && (match[1] !== undefined || typesInBraces.test(match[0]));
    return { specifier, isTypeOnly, isDynamic, line: text.slice(0, at).split('\n').length };
  };
  return [
    ...[...code.matchAll(staticImport)].map((match) => read(match, false)),
    ...[...code.matchAll(dynamicImport)].map((match) => read(match, true)),
  ];
}
