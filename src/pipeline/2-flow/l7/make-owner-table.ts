/**
 * Makes `owner-table.bin` from the address ranges of the npm package @ip-location-db/asn (a development dependency; see
 * NOTICE) and `owner-list.ts`. Run by hand when either changes: `node src/pipeline/2-flow/l7/make-owner-table.ts`.
 * Never imported by anything that natlens runs.
 */
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { InvariantError, assertInvariant } from '#base';
import { owners } from './owner-list.ts';
import { encodeOwnerTable, ownerTablePath } from './owner-table-file.ts';

type AddressRange = { readonly first: bigint; readonly last: bigint; readonly owner: number };
type Boundary = { readonly start: bigint; readonly owner: number };

const packageName = '@ip-location-db/asn';
const require = createRequire(import.meta.url);

/** Code of the owner of an autonomous system, 0 when no owner of the list has it; counts what matched. */
class OwnerMatcher {
  readonly #byOrganisation = new Map<string, number>();
  /** Per owner code: autonomous systems that matched, with their organisation. */
  readonly matched: Map<number, string>[] = [new Map(), ...owners.map(() => new Map<number, string>())];

  match(autonomousSystem: number, organisation: string): number {
    let code = this.#byOrganisation.get(organisation);
    if (code === undefined) {
      code = findOwnerCode(organisation.toLowerCase());
      this.#byOrganisation.set(organisation, code);
    }
    if (code === 0 || owners[code - 1]?.except.includes(autonomousSystem)) return 0;
    this.matched[code]?.set(autonomousSystem, organisation);
    return code;
  }
}

function findOwnerCode(organisation: string): number {
  const codes = owners.flatMap(({ organisations }, index) =>
    organisations.some((beginning) => organisation.startsWith(beginning)) ? [index + 1] : []);
  const names = codes.map((code) => owners[code - 1]?.name);
  if (codes.length > 1) throw new InvariantError(`${organisation} belongs to ${names.join(' and ')}`);
  return codes[0] ?? 0;
}

/** Ranges of listed owners in one of the package's files: `first,last,autonomous system,organisation`; ascending. */
async function readRanges(fileName: string, matcher: OwnerMatcher): Promise<AddressRange[]> {
  const ranges: AddressRange[] = [];
  const lines = createInterface({ input: createReadStream(require.resolve(`${packageName}/${fileName}`)) });
  for await (const line of lines) {
    const parts = /^(\d+),(\d+),(\d+),"?(.*?)"?$/.exec(line);
    if (parts === null) throw new InvariantError(`${fileName}: not a range: ${line}`);
    const [, first = '', last = '', autonomousSystem = '', organisation = ''] = parts;
    const owner = matcher.match(Number(autonomousSystem), organisation.replaceAll('""', '"'));
    if (owner !== 0) ranges.push({ first: BigInt(first), last: BigInt(last), owner });
  }
  return ranges;
}

/** Starts of runs of the same owner, with owner 0 where a run ends at nobody's address. */
function findBoundaries(ranges: readonly AddressRange[]): Boundary[] {
  const boundaries: Boundary[] = [{ start: 0n, owner: 0 }];
  let next = 0n;
  const begin = (start: bigint, owner: number): void => {
    if (boundaries.at(-1)?.start === start) boundaries.pop();
    if (boundaries.at(-1)?.owner !== owner) boundaries.push({ start, owner });
  };
  for (const { first, last, owner } of ranges) {
    assertInvariant(first >= next && last >= first, `ranges overlap or do not ascend at ${first}`);
    if (first > next) begin(next, 0);
    begin(first, owner);
    next = last + 1n;
  }
  begin(next, 0);
  return boundaries;
}

/** IPv6 ranges by their upper 64 bits; a part that covers less than a /64 is dropped. */
function cutToUpperHalf(ranges: readonly AddressRange[]): AddressRange[] {
  return ranges.flatMap(({ first, last, owner }) => {
    const cut = { first: (first + (1n << 64n) - 1n) >> 64n, last: ((last + 1n) >> 64n) - 1n, owner };
    return cut.first <= cut.last ? [cut] : [];
  });
}

const matcher = new OwnerMatcher();
const ipv4 = findBoundaries(await readRanges('asn-ipv4-num.csv', matcher)).filter(({ start }) => start < 1n << 32n);
const ipv6 = findBoundaries(cutToUpperHalf(await readRanges('asn-ipv6-num.csv', matcher)));
for (const [index, owner] of owners.entries()) {
  const matched = matcher.matched[index + 1] as Map<number, string>;
  for (const beginning of owner.organisations) {
    const isUsed = [...matched.values()].some((organisation) => organisation.toLowerCase().startsWith(beginning));
    assertInvariant(isUsed, `${owner.name}: no organisation begins with ${beginning}`);
  }
  if (process.argv.includes('--list')) {
    const systems = [...matched].map(([autonomousSystem, organisation]) => `${autonomousSystem} ${organisation}`);
    console.log(`${owner.name}: ${systems.join(' · ')}`);
  }
}
const manifest = readFileSync(require.resolve(`${packageName}/package.json`), 'utf8');
const { version } = JSON.parse(manifest) as { version: string };
const date = /\.(\d{8})\d*$/.exec(version)?.[1];
if (date === undefined) throw new InvariantError(`${packageName} ${version}: the version holds no date`);
const file = encodeOwnerTable({
  names: owners.map((owner) => owner.name),
  date: Number(date),
  ipv4: ipv4.map(({ start, owner }) => ({ start: Number(start), owner })),
  ipv6: ipv6.map(({ start, owner }) => ({ high: Number(start >> 32n), low: Number(start & 0xffffffffn), owner })),
});
writeFileSync(ownerTablePath, file);
console.log(`${ownerTablePath}: ${file.length} bytes, ${owners.length} owners, data of ${date}, ` +
  `${ipv4.length} IPv4 and ${ipv6.length} IPv6 ranges`);
