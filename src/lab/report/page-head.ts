/** The head of the lab's pages: one file each, with no script and nothing fetched, which their own policy enforces. */
import { createHash } from 'node:crypto';
import { escapeText } from './markup.ts';
import { styleSheet } from './style.ts';

/**
 * From the document type to the end of the head.
 *
 * @param generator  what made the page; undefined: it is not said
 */
export function renderHead(title: string, generator?: string): string {
  const digest = createHash('sha256').update(styleSheet).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${digest}'; ` +
    'base-uri \'none\'; form-action \'none\'';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${generator === undefined ? '' : `<meta name="generator" content="${escapeText(generator)}">\n`}<title>${
  escapeText(title)}</title>
<style>${styleSheet}</style>
</head>`;
}
