/** What an operator probably meant by a key or section that does not exist. A pure function of the table of keys. */
import { headOf, pathOf, type ConfigSection, type ConfigTable } from './config-table.ts';

/** Edits (insert, delete, replace, swap neighbours) from one text to another: optimal string alignment. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((last[j] as number) + 1, (current[j - 1] as number) + 1, (last[j - 1] as number) + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] as number) + 1);
      }
      current.push(least);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length] as number;
}

/** Without case, hyphens and units at the end: `windowMs` is `window`. */
function foldName(name: string): string {
  return name.replace(/(?:_ms|Ms|_bytes|Bytes)$/, '').replace(/[-_]/g, '').toLowerCase();
}

const nameLengthMax = 64;

/** How far a name is from a candidate, or undefined when it is another word. */
function distanceOf(name: string, candidate: string): number | undefined {
  const [given, known] = [foldName(name.slice(0, nameLengthMax)), foldName(candidate)];
  const distance = editDistance(given, known);
  return distance <= Math.max(1, Math.floor(known.length / 3)) && distance < known.length ? distance : undefined;
}

/** "[mail], [[webhook]] and [[syslog]]". */
function listHeads({ sections }: ConfigTable, names: readonly string[]): string {
  const heads = names.map((name) =>
    name === '' ? 'the top, above all sections' : headOf(sections.find((one) => one.name === name) as ConfigSection));
  return heads.length < 2 ? heads.join('') : `${heads.slice(0, -1).join(', ')} and ${heads.at(-1)}`;
}

/**
 * A sentence's end about a key that there is not, with the nearest one.
 *
 * @param section  where it was found, by name
 */
export function describeUnknownKey(table: ConfigTable, section: string, name: string): string {
  const ranked = table.keys.flatMap((key) => {
    const distance = distanceOf(name, key.name);
    // Elsewhere counts as half an edit: what is here is meant rather than what is there.
    return distance === undefined ? [] : [{ key, rank: distance + (key.section === section ? 0 : 0.5) }];
  }).sort((a, b) => a.rank - b.rank);
  const [best] = ranked;
  if (best === undefined) {
    const names = table.keys.filter((key) => key.section === section).map((key) => key.name);
    return `there is no such key; keys here are ${names.join(', ')}`;
  }
  if (best.key.section === section) return `there is no such key; did you mean ${pathOf(best.key)}?`;
  const places = [...new Set(ranked.filter(({ key }) => key.name === best.key.name).map(({ key }) => key.section))];
  const nearest = foldName(best.key.name) === foldName(name) && best.key.name === name
    ? 'there is no such key here; it' : `there is no such key; ${best.key.name}`;
  return `${nearest} belongs into ${listHeads(table, places)}`;
}

/** The same of a section. @param path  with the sections that it lies in: `mail.dkin` */
export function describeUnknownSection(table: ConfigTable, path: string): string {
  const ranked = table.sections.filter(({ name }) => name !== '').flatMap((section) => {
    const distances = [distanceOf(path, section.name), distanceOf(path.split('.').at(-1) ?? '',
      section.name.split('.').at(-1) ?? '')].filter((distance) => distance !== undefined);
    return distances.length === 0 ? [] : [{ section, rank: Math.min(...distances) }];
  }).sort((a, b) => a.rank - b.rank);
  const [best] = ranked;
  if (best !== undefined) return `there is no such section; did you mean ${headOf(best.section)}?`;
  const heads = table.sections.filter(({ name }) => name !== '').map(headOf);
  return `there is no such section; sections are ${heads.join(', ')}`;
}
