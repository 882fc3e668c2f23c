/** What a page must not do: leave tags open, fetch or run something, or style itself past its policy. */

/** Tags that do not close, or close what is not open. HTML's void elements need no end. */
export function findUnbalanced(text: string): string[] {
  const open: string[] = [];
  const faults: string[] = [];
  for (const [, end, name = '', , selfEnd] of
    text.matchAll(/<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*(\/?)>/g)) {
    if (/^(?:meta|br|wbr|link|img)$/.test(name) || selfEnd === '/') continue;
    if (end === '') open.push(name);
    else if (open.pop() !== name) faults.push(`</${name}>`);
  }
  const stray = text.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '').replace(/^<!doctype html>/, '')
    .replace(/<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*(\/?)>/g, '');
  return [...faults, ...open.map((name) => `<${name}>`), ...(stray.match(/.{0,20}[<>].{0,20}/g) ?? [])];
}

/**
 * Where a page would fetch something, run something, or style itself past its policy. Saved figures are looked into.
 */
export function findOpenings(html: string): string[] {
  const files = savedFigures(html);
  return [html.replace(/href="data:[^"]*"/g, ''), ...files].flatMap((text) => [
    ...text.matchAll(/<(?:script|link|img|iframe|object|embed|base|form|image|use|foreignObject)\b[^>]*>/gi),
    ...text.matchAll(/\b(?:src|srcset|action|poster|data|xlink:href|on\w+|style)\s*=\s*"[^"]*"/gi),
    ...text.matchAll(/\bhref="(?!#)[^"]*"/gi),
    ...text.matchAll(/url\(|@import|javascript:|(?<!xmlns=")https?:\/\//gi),
  ].map(([found]) => found));
}

export function savedFigures(html: string): string[] {
  return [...html.matchAll(/<a download="[\w-]+\.svg" href="data:image\/svg\+xml;base64,([^"]+)"/g)]
    .map((match) => Buffer.from(match[1] as string, 'base64').toString());
}
