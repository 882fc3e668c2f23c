/**
 * What the lab's pages share: one file each, nothing fetched, and no script but one that the page names, all of which
 * their own policy enforces.
 */
import { createHash } from 'node:crypto';
import { escapeText } from './markup.ts';
import { styleSheet } from './style.ts';

/** What a page adds: rules after those of all pages, and, if it is interactive, a script that runs when it is there. */
export type PageExtras = { readonly style: string; readonly script?: string };

/**
 * From the document type to the end of the head.
 *
 * @param generator  what made the page; undefined: it is not said
 */
export function renderHead(title: string, generator?: string, extras?: PageExtras): string {
  const style = extras === undefined ? styleSheet : `${styleSheet}\n${extras.style}`;
  const script = extras?.script === undefined ? '' : `script-src 'sha256-${digestOf(extras.script)}'; `;
  const policy = `default-src 'none'; style-src 'sha256-${digestOf(style)}'; ${script}` +
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
<style>${style}</style>
</head>`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

/** What a page says of made-up data. */
export const simulatedNote = '<p class="note"><strong>Simulated data.</strong> All traffic in this report was made by ' +
  'a simulator. It shows that the method runs, not how well it does on real devices.</p>';

export type PageSection = { readonly id: string; readonly title: string; readonly html: string };

export type ReportParts = {
  readonly title: string;
  /** The command that made it. */
  readonly generator: string;
  /** HTML below the title. */
  readonly intro: string;
  /** Beside each other, above all sections: what it is, its value, and more of it in small letters. */
  readonly facts: readonly (readonly string[])[];
  readonly sections: readonly PageSection[];
  readonly extras?: PageExtras;
};

/** A whole page: title, facts, contents, sections. */
export function renderPage({ title, generator, intro, facts, sections, extras }: ReportParts): string {
  return `${renderHead(title, generator, extras)}
<body>
<a class="skip" href="#main">Skip to the results</a>
<header>
<h1>${escapeText(title)}</h1>
${intro}
${formatFacts(facts)}
</header>
<nav aria-label="Contents"><strong>Contents</strong><ol>
${sections.map(({ id, title: name }) => `<li><a href="#${id}">${escapeText(name)}</a></li>`).join('\n')}
</ol></nav>
<main id="main">
${sections.map(({ id, title: name, html }) =>
    `<section aria-labelledby="${id}">\n<h2 id="${id}">${escapeText(name)}</h2>\n${html}\n</section>`).join('\n')}
</main>
<footer>Made by ${escapeText(generator)}. This file is whole: it has ${
  extras?.script === undefined ? 'no scripts' : 'one script, its own,'} and fetches nothing.</footer>
${extras?.script === undefined ? '' : `<script>${extras.script}</script>\n`}</body>
</html>
`;
}

function formatFacts(facts: ReportParts['facts']): string {
  return `<dl class="facts">${facts.map(([name = '', value = '', more = '']) => `<div><dt>${escapeText(name)}</dt>` +
    `<dd>${escapeText(value)}<small>${escapeText(more)}</small></dd></div>`).join('')}</dl>`;
}
