/**
 * Answers as they may be shown on a terminal. What mail servers, programs and classifiers called themselves is in them:
 * none of it can move the cursor, change what was printed before, or turn the direction of text.
 */

/** Controls but line ends, and marks that are not seen and turn or end lines. */
const steering = /[^\P{Cc}\n]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Text for people. */
export function forTerminal(text: string): string {
  return text.replace(steering, '\ufffd');
}

/** JSON, the same value as before. */
export function jsonForTerminal(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(steering, (character) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
