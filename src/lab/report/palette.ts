/**
 * Colours of a report, light and dark, and dashes and symbols that tell the same without colour. Series are those of
 * Okabe and Ito 2008, darkened or lightened until they stand 3:1 from the paper behind them (WCAG 2.1, 1.4.11).
 */

export type ColorName = 'paper' | 'ink' | 'quiet' | 'line' | 'tint' | 'warn' | 'worst' | 'heat' | 'on-heat' |
  's1' | 's2' | 's3' | 's4' | 's5' | 's6';

export const lightColors: Readonly<Record<ColorName, string>> = {
  paper: '#ffffff', ink: '#1a1d21', quiet: '#555c66', line: '#d5d9de', tint: '#f3f5f7', warn: '#9a3412',
  worst: '#c4122f', heat: '#0061a1', 'on-heat': '#ffffff',
  s1: '#0072b2', s2: '#c25200', s3: '#00795a', s4: '#a3457f', s5: '#7d6600', s6: '#4b5563',
};

export const darkColors: Readonly<Record<ColorName, string>> = {
  paper: '#14171b', ink: '#e8eaed', quiet: '#a8b0ba', line: '#3a4048', tint: '#1e2227', warn: '#fdba74',
  worst: '#ff7081', heat: '#6cc0f5', 'on-heat': '#0b1116',
  s1: '#56b4e9', s2: '#f59b4a', s3: '#35c99f', s4: '#e6a3cb', s5: '#e8d94a', s6: '#c3c9d1',
};

const seriesColors: readonly ColorName[] = ['s1', 's2', 's3', 's4', 's5', 's6'];
const dashes = ['', '6 3', '2 3', '9 3 2 3', '12 4', '4 2 1 2 1 2', '1 2', '14 3 3 3'];
const symbols = ['circle', 'square', 'triangle', 'diamond', 'star', 'wye'] as const;

/** How a series is drawn: its colour, its dashes and its symbol, all three its own as long as they last. */
export type SeriesStyle = {
  readonly color: string;
  readonly dash: string;
  readonly symbol: typeof symbols[number];
};

export function seriesStyle(index: number): SeriesStyle {
  const dash = index < dashes.length ? index : (index + 1) % dashes.length;
  return {
    color: colorOf(seriesColors[index % seriesColors.length] as ColorName),
    dash: dashes[dash] as string,
    symbol: symbols[index % symbols.length] as typeof symbols[number],
  };
}

/** A colour that follows the page, light or dark. */
export function colorOf(name: ColorName): string {
  return `var(--${name})`;
}

/** The same drawing with colours of its own: for a file that stands alone. */
export function fixColors(svg: string): string {
  return svg.replace(/var\(--([a-z0-9-]+)\)/g, (whole, name: string) => lightColors[name as ColorName] ?? whole);
}
