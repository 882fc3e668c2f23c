/**
 * The style sheet of a report: wide and narrow screens, light and dark, and paper. No address in it, so that nothing
 * is fetched; no style attributes in the page, so that the policy needs its digest alone.
 */
import { darkColors, lightColors, type ColorName } from './palette.ts';

function declare(colors: Readonly<Record<ColorName, string>>): string {
  return Object.entries(colors).map(([name, value]) => `--${name}:${value}`).join(';');
}

export const styleSheet = `
:root{color-scheme:light dark;${declare(lightColors)}}
@media (prefers-color-scheme:dark){:root{${declare(darkColors)}}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:1300px;padding:0 24px 64px;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
a{color:var(--s1)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--s1);outline-offset:2px}
.skip{position:absolute;left:-999px}
.skip:focus{left:8px;top:8px;background:var(--paper);padding:8px}
header{padding:32px 0 8px}
h1{font-size:28px;line-height:1.2;margin:0 0 8px;overflow-wrap:anywhere}
h2{font-size:21px;line-height:1.3;margin:56px 0 12px;padding-top:12px;border-top:1px solid var(--line)}
h3{font-size:17px;margin:32px 0 8px}
p{max-width:76ch;margin:8px 0}
.quiet,figcaption,caption,small{color:var(--quiet)}
.note{border-left:4px solid var(--warn);background:var(--tint);padding:10px 16px;margin:16px 0;max-width:80ch}
.note strong{color:var(--warn)}
nav{background:var(--tint);border-radius:6px;padding:12px 20px;margin:20px 0}
nav ol{margin:4px 0;padding-left:22px;columns:2;column-gap:40px}
nav li{break-inside:avoid;padding:2px 0}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}
dl.facts div{background:var(--tint);border-radius:6px;padding:10px 14px}
dl.facts dt{font-size:13px;color:var(--quiet)}
dl.facts dd{margin:0;font-size:21px;font-variant-numeric:tabular-nums}
dl.facts dd small{display:block;font-size:13px}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums;margin:12px 0}
caption{text-align:left;caption-side:top;padding-bottom:6px;font-size:14px;max-width:min(76ch,calc(100vw - 34px))}
th,td{padding:5px 7px;text-align:right;vertical-align:top;border-bottom:1px solid var(--line)}
td{white-space:nowrap}
th[scope=row],th:first-child,.text{text-align:left}
td.text{white-space:normal}
thead th{vertical-align:bottom;font-weight:600;border-bottom:2px solid var(--quiet)}
th small{font-weight:400}
td small,th small{display:block;font-size:11.5px;white-space:nowrap}
thead small{white-space:normal}
th[scope=row]{font-weight:500;position:sticky;left:0;background:var(--paper);min-width:132px}
tr.published th,tr.published td{background:var(--tint)}
.unfit{color:var(--warn);font-size:12px;display:block}
figure{margin:24px 0 36px}
figcaption{font-size:14px;margin-bottom:8px;max-width:86ch}
figcaption strong{color:var(--ink);font-size:16px;display:block}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:20px}
.panels svg{display:block;max-width:100%;height:auto}
.wide svg{display:block}
.legend{overflow-x:auto}
.legend svg{display:block;margin-bottom:8px}
svg text{white-space:pre}
.save{font-size:13px;margin-top:8px}
details{margin:12px 0}
summary{cursor:pointer;padding:4px 0}
footer{margin-top:56px;border-top:1px solid var(--line);padding-top:12px;font-size:14px;color:var(--quiet)}
@media (max-width:600px){
body{padding:0 16px 48px}
h1{font-size:23px}
nav ol{columns:1}
.panels{grid-template-columns:1fr}
th,td{padding:5px 7px}
}
@media print{
:root{${declare(lightColors)}}
@page{size:A4;margin:14mm}
body{max-width:none;padding:0;font-size:10.5pt}
nav,.save,.skip{display:none}
h2,h3{break-after:avoid}
h2{margin-top:28px}
.panels{grid-template-columns:repeat(2,1fr);gap:12px}
.panels svg{break-inside:avoid;width:100%}
.wide svg{max-width:100%;height:auto}
.scroll{overflow:visible}
table{font-size:7pt;width:100%}
th,td{padding:2px 4px}
th[scope=row]{position:static;min-width:0}
td small,th small{font-size:6pt;white-space:normal}
caption,figcaption{font-size:8.5pt}
.unfit{font-size:6pt}
tr,figure.single{break-inside:avoid}
details::details-content{content-visibility:visible;block-size:auto}
}`.trim();
