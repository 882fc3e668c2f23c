/** The door of `apps/service`: what every app that runs for years has: config, control socket, health, ending. */
export * from './config/config-file.ts';
export * from './config/config-kinds.ts';
export * from './config/config-table.ts';
export * from './config/config-values.ts';
export * from './config/nearest-key.ts';
export * from './config/toml-lines.ts';
export { maskWords, writeAddress, writeHostPort, writePrefix } from './config/network-kinds.ts';
export * as networkKinds from './config/network-kinds.ts';
export * from './control/ask-running.ts';
export * from './control/control-protocol.ts';
export * from './control/control-server.ts';
export * from './health-server.ts';
export * from './make-folders.ts';
export * from './recent-rises.ts';
export * from './run-until-signal.ts';
export * from './terminal-text.ts';
