/** Main of the worker threads of `natlens score`: classifiers are artifacts, and checked here as everywhere. */
import { readClassifier } from '#classifier/artifact';
import { serveScores } from '#score/parallel';

serveScores(readClassifier);
