/** The door of `#score/parallel`: scoring on several cores. Apart from `#score`, because it starts threads. */
export * from './score-pool.ts';
export { serveScores } from './serve-scores.ts';
