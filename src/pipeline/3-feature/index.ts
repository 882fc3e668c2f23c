/** The door of `3-feature`. */
export * from './feature-matrix.ts';
export * from './encoded-rows.ts';
export * from './fitted-encoder.ts';
export { catalogs, findCatalog } from './catalogs.ts';
export { createFeatureMatrix, readFeatures } from './read-features.ts';
export { createEncoder, createEncoderOf, layoutOf, scalingOf, type Encoder, type Scaling } from './encoder.ts';
export { describeUnsoundEncoder } from './sound-encoder.ts';
export { checkNeeds, needsOf } from './flow-needs.ts';
export { dynamicPort, icmpBase, icmpv6Base, prefixOf, privatePrefix, readPortClass } from './catalogs/destination.ts';
