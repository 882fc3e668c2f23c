/** Encoders from bytes: a fitted one is sound, and each way to be broken is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { catalogs } from './catalogs.ts';
import { paperCatalog } from './catalogs/paper.ts';
import { arbitraryFlow, featuresOf } from './feature-samples.test.ts';
import { fitEncoder } from './fit/encoder-builder.ts';
import type { FittedEncoder } from './fitted-encoder.ts';
import { describeUnsoundEncoder } from './sound-encoder.ts';

const range = { min: 0, max: 1 };
const sound: FittedEncoder = {
  catalog: 'paper', catalogVersion: paperCatalog.version, numeric: [range, range, range],
  categories: [['0'], ['0', '16'], ['6', '17'], ['53', '443', '4294967295'], ['', 'DNS', '\uffee', '\u{1f3e0}']],
};

test('what was fitted is sound', () => {
  assert.equal(describeUnsoundEncoder(sound), undefined);
  fc.assert(fc.property(fc.constantFrom(...catalogs), fc.array(arbitraryFlow, { minLength: 1 }), (catalog, flows) => {
    assert.equal(describeUnsoundEncoder(fitEncoder(catalog, [featuresOf(catalog, flows)])), undefined);
  }));
});

const withPorts = (...ports: string[]): FittedEncoder =>
  ({ ...sound, categories: sound.categories.with(3, ports) });
const withNames = (...names: string[]): FittedEncoder =>
  ({ ...sound, categories: sound.categories.with(4, names) });
const withRange = (min: number, max: number): FittedEncoder =>
  ({ ...sound, numeric: [{ min, max }, range, range] });

const plants: readonly (readonly [string, FittedEncoder, RegExp])[] = [
  ['a catalog that there is not', { ...sound, catalog: 'constructor' }, /no catalog constructor/],
  ['a version to come', { ...sound, catalogVersion: 9 }, /in version 9/],
  ['too few numbers', { ...sound, numeric: [range] }, /1 numeric/],
  ['too many categories', { ...sound, categories: [...sound.categories, []] }, /6 categorical/],
  ['NaN', withRange(Number.NaN, 1), /range from NaN/],
  ['an open range', withRange(0, Infinity), /to Infinity/],
  ['a range that is none', withRange(2, 1), /from 2 to 1/],
  ['a range wider than numbers', withRange(-1e308, 1e308), /from -1e\+308/],
  ['no number', withPorts('http'), /no number below/],
  ['an empty text for a number', withPorts(''), /no number below/],
  ['a number in another spelling', withPorts('053'), /no number below/],
  ['a number of 33 bits', withPorts('4294967296'), /no number below/],
  ['numbers as texts are ordered', withPorts('443', '53'), /not in order/],
  ['a number twice', withPorts('53', '53'), /not in order/],
  ['texts as UTF-16 orders them', withNames('\u{1f3e0}', '\uffee'), /not in order/],
  ['what stands for any text', withNames('(other)', 'DNS'), /stands for any text/],
  ['a text twice', withNames('DNS', 'DNS'), /not in order/],
  ['very many', withPorts(...Array.from({ length: 1_025 }, (_, i) => `${i}`)), /more than 1024/],
];

for (const [name, planted, expected] of plants) {
  test(`refused: ${name}`, () => {
    assert.match(describeUnsoundEncoder(planted) ?? '', expected);
  });
}
