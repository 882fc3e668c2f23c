/** The door of `base`: what every room may use. */
export * from './assert.ts';
export * from './bytes.ts';
export * from './clock.ts';
export * from './duration.ts';
export * from './errors.ts';
export * from './kernel.ts';
export * from './limits.ts';
export * from './log.ts';
export * from './metrics.ts';
export * from './protocols.ts';
export * from './random.ts';
export * from './shipped-file.ts';
export * from './version.ts';
export * from './text-table.ts';
