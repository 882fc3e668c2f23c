/** Rows that another classifier's encoder made must never be scored: the numbers would mean something else. */
import { assertInvariant } from '#base';
import { type EncodedRows, isSameLayout, type RowLayout } from '#feature';

/** @throws InvariantError  the rows are of another layout than the detector */
export function assertSameLayout({ layout }: EncodedRows, own: RowLayout): void {
  assertInvariant(layout === own || isSameLayout(layout, own),
    'rows of another layout than the detector\'s were to be scored');
}
