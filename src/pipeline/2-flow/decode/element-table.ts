/**
 * Information elements by enterprise number and id: IANA's, reverse ones (RFC 5103 §6.1), and those of vendors that
 * real exporters send. NetFlow v9 field types above 32767 are kept as elements of enterprise 0, where IPFIX has none.
 * An element that is not here is still read: as bytes, and as an unsigned number when a column wants it.
 */
import { reverseEnterprise } from '../schema.ts';
import { ianaElements } from './iana-elements.ts';
import { ntopEnterprise, vendorElements } from './vendor-elements.ts';

/** Abstract data types of RFC 7012 §3.1, RFC 6313 §4.1 and RFC 9740 §8.3.1 (`unsigned256`). */
export type ElementType =
  | 'unsigned8' | 'unsigned16' | 'unsigned32' | 'unsigned64' | 'unsigned256'
  | 'signed8' | 'signed16' | 'signed32' | 'signed64' | 'float32' | 'float64' | 'boolean'
  | 'macAddress' | 'octetArray' | 'string' | 'ipv4Address' | 'ipv6Address'
  | 'dateTimeSeconds' | 'dateTimeMilliseconds' | 'dateTimeMicroseconds' | 'dateTimeNanoseconds'
  | 'basicList' | 'subTemplateList' | 'subTemplateMultiList';

export type ElementDefinition = {
  readonly enterprise: number;
  readonly elementId: number;
  readonly name: string;
  readonly type: ElementType;
};

const elements = new Map<number, Map<number, ElementDefinition>>();
parseTable(0, ianaElements);
for (const [enterprise, text] of vendorElements) parseTable(enterprise, text);

function parseTable(enterprise: number, text: string): void {
  const known = elements.get(enterprise) ?? new Map<number, ElementDefinition>();
  elements.set(enterprise, known);
  let type: ElementType = 'octetArray';
  let elementId = 0;
  for (const word of text.trim().split(/\s+/)) {
    if (word.endsWith(':')) type = word.slice(0, -1) as ElementType;
    else if (/^\d+$/.test(word)) elementId = Number(word);
    else known.set(elementId, { enterprise, elementId, name: word, type });
  }
}

/** The definition of an element, or undefined when the tables have none. */
export function findElement(enterprise: number, elementId: number): ElementDefinition | undefined {
  const known = elements.get(enterprise)?.get(elementId);
  if (known !== undefined || enterprise !== reverseEnterprise) return known;
  const forward = elements.get(0)?.get(elementId);
  if (forward === undefined) return undefined;
  const name = `reverse${forward.name.charAt(0).toUpperCase()}${forward.name.slice(1)}`;
  return { enterprise, elementId, name, type: forward.type };
}

/** Every element of an enterprise, in the order of the table. */
export function listElements(enterprise: number): readonly ElementDefinition[] {
  return [...elements.get(enterprise)?.values() ?? []];
}

/** First NetFlow v9 field type that ntop took for its own: type = 57472 + id of PEN 35632. */
const ntopFirstFieldType = 57_472;

/** Enterprise number that a NetFlow v9 field type stands for; 0 for all but ntop's. */
export function enterpriseOfFieldType(fieldType: number): number {
  return fieldType >= ntopFirstFieldType ? ntopEnterprise : 0;
}

/** Element id that a NetFlow v9 field type stands for in that enterprise. */
export function elementOfFieldType(fieldType: number): number {
  return fieldType >= ntopFirstFieldType ? fieldType - ntopFirstFieldType : fieldType;
}

/** Scope field types of NetFlow v9 have numbers of their own (RFC 3954 §6.1). */
const scopeNames: ReadonlyMap<number, string> = new Map([
  [1, 'scopeSystem'], [2, 'scopeInterface'], [3, 'scopeLineCard'], [4, 'scopeCache'], [5, 'scopeTemplate'],
]);

/** Name of a NetFlow v9 scope field, or undefined for a number that RFC 3954 does not have. */
export function nameScope(scopeType: number): string | undefined {
  return scopeNames.get(scopeType);
}
