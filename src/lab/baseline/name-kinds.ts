/**
 * Which names can tell devices apart (Guo and Heidemann 2018, 2020): only device-facing ones, of servers that a device
 * model's maker runs for its devices. Left out are names of third parties, who serve many makers, and human-facing
 * names, which people's browsers ask for. There owners were looked up and pages fetched; here lists say it, the public
 * suffix list (tldts), and the form of the name.
 */
import { assertInvariant } from '#base';
import { parse } from 'tldts';
import type { ListedDomain, NameLists } from './name-lists.ts';
import { makeOf } from './name-windows.ts';

export type NameKind = 'device-facing' | 'third-party' | 'human-facing';

/** Endings within the Internet's names that no server has: reverse look-ups, RFC 8375, and a router's own. */
const localEndings: ReadonlySet<string> = new Set(['arpa', 'fritz.box']);
/** RFC 2606: made-up names end so, those of simulated labs among them. */
const madeUpEnding = 'example';
const hostsOfPages: ReadonlySet<string> = new Set(['www', 'm', 'support', 'shop', 'store', 'blog', 'forum', 'help']);
/** A shorter make is part of too many words. */
const makeLettersMin = 3;

/**
 * A name as methods compare it: lower case, without the root's dot. The empty text for what is the name of no server in
 * the Internet: names whose last label nobody registers (`printer.local`, and names with the search list of a home
 * behind them, as `api.vendor.com.router`), reverse look-ups, services (RFC 6763), single words, addresses.
 */
export function serverNameOf(asked: string): string {
  const name = asked.toLowerCase().replace(/\.$/, '');
  const labels = name.split('.');
  const last = labels.at(-1) ?? '';
  const isLocal = localEndings.has(last) || localEndings.has(labels.slice(-2).join('.'));
  if (isLocal || name.startsWith('_') || name.includes('._')) return '';
  const { domain, isIcann } = parse(name);
  return domain !== null && (isIcann === true || last === madeUpEnding) ? name : '';
}

/** The domain that somebody registered for a name, by the ICANN part of the public suffix list; else the name. */
export function registrableDomainOf(name: string): string {
  return parse(name).domain ?? name;
}

export type NameKinds = {
  /** @param name  as `serverNameOf` gives it */
  kindOf(name: string, deviceModel: string): NameKind;
};

/** Names are asked about again and again: what the lists say of one is worked out once for each make. */
export function createNameKinds(lists: NameLists): NameKinds {
  const thirdParty = new Map(lists.thirdParty.map((row) => [row.domain, row]));
  const humanFacing = new Map(lists.humanFacing.map((row) => [row.domain, row]));
  const kinds = new Map<string, NameKind>();
  return {
    kindOf: (name, deviceModel) => {
      assertInvariant(name !== '', 'the name of no server');
      const make = lettersOf(makeOf(deviceModel));
      const key = `${make} ${name}`;
      const known = kinds.get(key);
      if (known !== undefined) return known;
      const kind = findKind(name, make);
      kinds.set(key, kind);
      return kind;
    },
  };

  function findKind(name: string, make: string): NameKind {
    const { domain, domainWithoutSuffix, isPrivate } = parse(name, { allowPrivateDomains: true });
    const registrable = registrableDomainOf(name);
    const rented = findListed(thirdParty, name);
    if (rented !== undefined && !isRunBy(rented, make)) return 'third-party';
    if (name === registrable || isHostOfPages(name, registrable)) return 'human-facing';
    // The make within the domain, as in `tplinkcloud.com`, was Guo's and Heidemann's sign of a maker's own server, too.
    const isOwn = make.length >= makeLettersMin && lettersOf(registrable.split('.')[0] ?? '').includes(make);
    if (isOwn || rented !== undefined) return 'device-facing';
    const browsed = findListed(humanFacing, name);
    if (browsed !== undefined) return isRunBy(browsed, make) ? 'device-facing' : 'human-facing';
    // Below a private suffix stand customers of whoever runs it, unless the customer's part names the make.
    const isOwnBelow = domain !== null && make.length >= makeLettersMin &&
      lettersOf(domainWithoutSuffix ?? '').includes(make);
    return isPrivate === true && !isOwnBelow ? 'third-party' : 'device-facing';
  }

  function isRunBy({ operator }: ListedDomain, make: string): boolean {
    return operator === make || (lists.makesOfOperators.get(operator) ?? []).includes(make);
  }
}

/** A page's host stands right below the domain: `www.api.vendor.com` is a server like others. */
function isHostOfPages(name: string, registrable: string): boolean {
  const [host = ''] = name.split('.');
  return hostsOfPages.has(host) && name.length === host.length + 1 + registrable.length;
}

/** The row of the longest listed domain that a name is, or lies below. */
function findListed(listed: ReadonlyMap<string, ListedDomain>, name: string): ListedDomain | undefined {
  for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1) {
    const row = listed.get(name.slice(at));
    if (row !== undefined) return row;
  }
  return undefined;
}

function lettersOf(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}
