/**
 * What the page of `natlens lab compare` adds to the style sheet of all pages: cells as dark as their numbers are high,
 * and a table of methods that stays readable on a phone.
 */
import { colorOf, darkColors, lightColors } from './palette.ts';

/** Steps of the shades of cells, from nothing to all. */
export const heatSteps = 10;
/**
 * Share of the darkest shade in a cell with a number of 1. Letters keep the colour of all text, and stand 4.5:1 from
 * every shade (WCAG 2.1, 1.4.3).
 */
const heatMost = { light: 0.55, dark: 0.42 } as const;

/** [step]: colours of cells. */
export function listShades(scheme: 'light' | 'dark'): string[] {
  const { heat, paper } = scheme === 'light' ? lightColors : darkColors;
  return Array.from({ length: heatSteps + 1 }, (_, step) =>
    mixColors(heat, paper, heatMost[scheme] * step / heatSteps));
}

function mixColors(a: string, b: string, share: number): string {
  const parts = [1, 3, 5].map((at) => Math.round(share * Number.parseInt(a.slice(at, at + 2), 16) +
    (1 - share) * Number.parseInt(b.slice(at, at + 2), 16)));
  return `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

function declareShades(scheme: 'light' | 'dark'): string {
  return listShades(scheme).map((color, step) => `.h${step}{background:${color}}`).join('\n');
}

export const compareStyle = `
.outcome{border-left:4px solid ${colorOf('s1')};background:${colorOf('tint')};padding:10px 16px 10px 34px;margin:16px 0;
max-width:98ch}
.outcome li+li{margin-top:6px}
tr.ours th,tr.ours td{background:${colorOf('tint')};font-weight:700}
tr.ours td.text,tr.ours small{font-weight:400}
.methods th[scope=row]{min-width:270px;max-width:300px;white-space:normal}
.methods th[scope=row] small,.methods td small{white-space:normal}
.methods td.text{min-width:78px}
.methods td.text:nth-last-child(2){min-width:170px}
${declareShades('light')}
@media (prefers-color-scheme:dark){
${declareShades('dark')}
}
.best{font-weight:700;text-decoration:underline}
.none{color:${colorOf('quiet')};text-align:center;
background:repeating-linear-gradient(45deg,transparent 0 5px,${colorOf('line')} 5px 6px)}
.shades span{color:${colorOf('ink')};display:inline-block;margin:0 2px 0 0;padding:1px 8px;font-size:13px}
.heats th,.heats td{padding:5px 4px}
.heats td,.heats thead th+th{text-align:center;min-width:44px}
.heats thead span{display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap}
.heats em{font-style:normal;color:${colorOf('s1')}}
.heats th[scope=row]{min-width:190px}
.names td.text{max-width:72ch}
.names td.text:last-child{min-width:280px}
@media (max-width:600px){
.methods th[scope=row],.heats th[scope=row]{min-width:116px;max-width:132px;font-size:12.5px}
.methods th[scope=row] .meaning{display:none}
}
@media print{
${declareShades('light')}
.heats td,.shades{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.methods th[scope=row]{min-width:0}
}`;
