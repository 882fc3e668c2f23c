/**
 * Whether the homes of the config can be told apart: each entry says what its mapping needs, no two claim the same,
 * none has the name that an unlisted home would get. Pure.
 */
import { parsePrefix } from '#base';
import { writeAddress, writePrefix, type ConfigFault } from '#service';
import type { DetectorConfig, HomeEntry, HomeMapping } from './detector-config.ts';

/** What an entry says, by key. */
const claims: Readonly<Record<string, (home: HomeEntry) => boolean>> = {
  exporter: (home) => home.exporter !== undefined,
  interface: (home) => home.interfaceIndex !== undefined,
  prefixes: (home) => home.prefixes.length > 0,
};

const claimsOf: Readonly<Record<HomeMapping, readonly string[]>> = {
  single: [], exporter: ['exporter'], interface: ['exporter', 'interface'], address: ['prefixes'],
};

/** Faults of `[homes]` and all `[[home]]`. */
export function findHomeFaults({ homes, evidence }: DetectorConfig): ConfigFault[] {
  const { map, list, unlisted } = homes;
  const faults: ConfigFault[] = [];
  const add = (path: string, text: string): void => {
    faults.push({ path, text: ` ${text}` });
  };
  if (map !== 'single' && list.length === 0 && unlisted === 'ignore') {
    add('homes.unlisted', 'is "ignore", and no [[home]] is listed: no flow would belong to a home');
  }
  if (list.length > evidence.homesMax) {
    add('evidence.homes_max', `is ${evidence.homesMax}, and ${list.length} homes are listed`);
  }
  const names = new Map<string, number>();
  const places = new Map<string, number>();
  for (const [i, home] of list.entries()) {
    const path = `home[${i + 1}]`;
    const same = names.get(home.home);
    if (same === undefined) names.set(home.home, i);
    else add(`${path}.name`, `is "${home.home}" as in home[${same + 1}]`);
    for (const [claim, isMade] of Object.entries(claims)) {
      const isNeeded = claimsOf[map].includes(claim);
      if (isNeeded && !isMade(home)) add(`${path}.${claim}`, `is missing: homes.map = "${map}" needs it`);
      if (!isNeeded && isMade(home)) add(`${path}.${claim}`, `has no meaning with homes.map = "${map}"`);
    }
    for (const place of placesOf(home, map)) {
      const other = places.get(place);
      if (other === undefined) places.set(place, i);
      else if (other !== i) add(path, `claims ${place}, as does home[${other + 1}] ("${list[other]?.home}")`);
    }
    if (map === 'single' && home.home !== homes.name) {
      add(`${path}.name`, `is "${home.home}", but homes.map = "single" knows one home, "${homes.name}"`);
    }
    if (map !== 'single' && unlisted === 'observe' && isMadeName(home.home)) {
      add(`${path}.name`, `is "${home.home}", which an unlisted home may get as its name; choose another`);
    }
  }
  return faults;
}

/** What no other home may claim, as text. */
function placesOf(home: HomeEntry, map: HomeMapping): string[] {
  if (map === 'address') return home.prefixes.map((prefix) => writePrefix(prefix));
  if (home.exporter === undefined || map === 'single') return [];
  const exporter = `exporter ${writeAddress(home.exporter)}`;
  if (map === 'exporter') return [exporter];
  return home.interfaceIndex === undefined ? [] : [`interface ${home.interfaceIndex} of ${exporter}`];
}

/** Is it the name of a home that is named by its address, prefix, or exporter and interface? */
function isMadeName(name: string): boolean {
  return parsePrefix(name.replace(/ interface \d+$/, '')) !== undefined;
}
