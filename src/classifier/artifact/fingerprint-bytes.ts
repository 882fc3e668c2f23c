/**
 * The fingerprint section of an artifact. Texts of tokens are not in it: they follow from the rest, so none can tell
 * something else than what is looked for. What does not read back to the same bytes is refused.
 *
 *   count tokens · count units of the library · count names · every name: count of its bytes, UTF-8; ascending
 *   every token, ascending by text: u8 family · u8 protocol · count class of port · count words 0 and 1 of its prefix,
 *     or count index of its name · sizes that the family has, a count each · count weight in 1/64 · f64 recall ·
 *     f64 prevalence
 *
 * A count is a number of seven bits a byte, the lowest first.
 */
import { assertInvariant, limits } from '#base';
import {
  describeUnsoundFingerprint, familyParts, formatFingerprintToken, tokenFamilies, weightsPerNat, type Fingerprint,
  type FingerprintToken,
} from '#evidence';
import { isSameBytes, SectionReader, SectionWriter } from './section-cursor.ts';

export function writeFingerprint({ tokens, libraryUnits }: Fingerprint): Uint8Array<ArrayBuffer> {
  const names = [...new Set(tokens.flatMap(({ name }) => name ?? []))].sort();
  const writer = new SectionWriter().count(tokens.length).count(libraryUnits).count(names.length);
  for (const name of names) writer.text(name);
  const nameIndexes = new Map(names.map((name, i) => [name, i]));
  for (const token of tokens) {
    writer.byte(tokenFamilies.indexOf(token.family)).byte(token.protocol).count(token.portClass);
    if (token.prefix !== undefined) writer.count(token.prefix[0]).count(token.prefix[1]);
    if (token.name !== undefined) writer.count(nameIndexes.get(token.name) as number);
    if (token.initiatorSize !== undefined) writer.count(token.initiatorSize);
    if (token.responderSize !== undefined) writer.count(token.responderSize);
    writer.count(token.weight * weightsPerNat).float(token.recall).float(token.prevalence);
  }
  return writer.bytes();
}

/**
 * The same fingerprint kept as its bytes, in a tenth of the memory: who has a hundred of them reads tokens rarely.
 * Each look at `tokens` reads them anew, so whoever needs several looks once.
 *
 * @param fingerprint  sound
 */
export function packFingerprint(fingerprint: Fingerprint): Fingerprint {
  const bytes = writeFingerprint(fingerprint);
  return {
    libraryUnits: fingerprint.libraryUnits,
    get tokens() {
      const read = readParts(bytes);
      assertInvariant(typeof read !== 'string', 'a packed fingerprint does not read back');
      return read.tokens;
    },
  };
}

/** @returns the fingerprint, or one sentence that says what is wrong with the bytes */
export function readFingerprint(bytes: Uint8Array): Fingerprint | string {
  const fingerprint = readParts(bytes);
  if (typeof fingerprint === 'string') return fingerprint;
  const fault = describeUnsoundFingerprint(fingerprint);
  if (fault !== undefined) return fault;
  // Numbers in more bytes than they need, names in another order or of no token: there is one way to write it.
  const again = writeFingerprint(fingerprint);
  return isSameBytes(again, bytes) ? fingerprint : 'The fingerprint is not written as natlens writes it.';
}

/** What the bytes say, sound or not. */
function readParts(bytes: Uint8Array): Fingerprint | string {
  const reader = new SectionReader(bytes);
  const [tokenCount, libraryUnits, nameCount] = [reader.count(), reader.count(), reader.count()];
  if (reader.fault !== undefined) return `The fingerprint ${reader.fault}.`;
  if (tokenCount > limits.fingerprintTokensMax || nameCount > tokenCount) {
    return `The fingerprint claims ${tokenCount} tokens with ${nameCount} names; ` +
      `${limits.fingerprintTokensMax} tokens are the most.`;
  }
  const names = Array.from({ length: nameCount }, () => reader.text());
  const tokens: FingerprintToken[] = [];
  for (let i = 0; i < tokenCount && reader.fault === undefined; i++) {
    const token = readToken(reader, names);
    if (typeof token === 'string') return token;
    tokens.push(token);
  }
  if (reader.fault !== undefined) return `The fingerprint ${reader.fault}.`;
  if (reader.bytesLeft > 0) return `${reader.bytesLeft} bytes behind the tokens of the fingerprint.`;
  return { tokens, libraryUnits };
}

function readToken(reader: SectionReader, names: readonly string[]): FingerprintToken | string {
  const family = tokenFamilies[reader.byte()];
  if (family === undefined) return 'A token of the fingerprint is of a family that this natlens does not know.';
  const parts = familyParts[family];
  const [protocol, portClass] = [reader.byte(), reader.count()];
  const prefix = parts.peer === 'prefix' ? [reader.count(), reader.count()] as const : undefined;
  const name = parts.peer === 'name' ? names[reader.count()] : undefined;
  if (parts.peer === 'name' && name === undefined) return 'A token of the fingerprint has a name that is not there.';
  const initiatorSize = parts.initiator === 'none' ? undefined : reader.count();
  const responderSize = parts.responder === 'none' ? undefined : reader.count();
  const described = {
    family, protocol, portClass, ...prefix === undefined ? {} : { prefix }, ...name === undefined ? {} : { name },
    ...initiatorSize === undefined ? {} : { initiatorSize }, ...responderSize === undefined ? {} : { responderSize },
  };
  const [weight, recall, prevalence] = [reader.count() / weightsPerNat, reader.float(), reader.float()];
  return { ...described, text: formatFingerprintToken(described), weight, recall, prevalence };
}
