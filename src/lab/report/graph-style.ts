/** What the graph's page adds to the style sheet of all pages. Sizes of texts follow `--zoom`, set by its script. */
export const graphStyle = `
.graph-tools{display:flex;flex-wrap:wrap;gap:8px 14px;align-items:center;margin:12px 0}
.graph-tools button,.graph-panel button{font:inherit;font-size:14px;color:var(--ink);background:var(--tint);
border:1px solid var(--quiet);border-radius:4px;padding:3px 10px;cursor:pointer}
.graph-tools input[type=search]{font:inherit;font-size:15px;color:var(--ink);background:var(--paper);
border:1px solid var(--quiet);border-radius:4px;padding:4px 8px;width:min(320px,80vw)}
button:focus-visible,input:focus-visible,#graph-view:focus-visible{outline:2px solid var(--s1);outline-offset:2px}
.graph-legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px;margin:8px 0;border:0;padding:0}
.graph-legend label,.graph-legend span{display:inline-flex;gap:5px;align-items:center}
.sign{flex:none}
.graph-box{display:grid;grid-template-columns:minmax(0,1fr) 280px;gap:14px;height:min(86vh,960px);min-height:440px}
#graph-view{width:100%;height:100%;border:1px solid var(--line);border-radius:6px;touch-action:none;cursor:grab;
user-select:none;-webkit-user-select:none}
#graph-view.dragged{cursor:grabbing}
.graph-panel{overflow-y:auto;font-size:14px;border:1px solid var(--line);border-radius:6px;padding:8px 12px}
.graph-panel h3{margin:4px 0;font-size:15px;overflow-wrap:anywhere}
.graph-panel ul{list-style:none;margin:6px 0;padding:0}
.graph-panel li button{display:flex;gap:6px;align-items:center;width:100%;text-align:left;border:0;background:none;
padding:2px;overflow-wrap:anywhere;font-size:13px}
.graph-panel li button:hover{background:var(--tint)}
.node{cursor:pointer;transition:opacity .2s}
.edge{pointer-events:none;transition:opacity .2s}
.node .mark{transform:scale(clamp(.5,calc(.62/var(--zoom,1)),1.5))}
.node.model text{font-size:clamp(calc(11.5px/var(--zoom,1)),13px,calc(17px/var(--zoom,1)))}
.node.name text{font-size:min(11px,calc(15px/var(--zoom,1)))}
.small .node.name text{display:none}
.tiny .node.model:not(.near) text{display:none}
.chosen .node:not(.near){opacity:.13}
.chosen .edge:not(.near){opacity:.06}
.chosen .edge.near{stroke-opacity:.9}
.small .node.name.near text,.small .node.name.found text{display:inline}
.node.name.inner.near text,.node.name.inner.found text{
font-size:max(calc(10px/var(--zoom,1)),min(11px,calc(15px/var(--zoom,1))))}
.small .node.name.near:not(.inner) text{font-size:13.5px}
.node.at .mark,.node.found .mark{stroke:var(--warn);stroke-width:3px}
.node.at text{text-decoration:underline}
.hide-unique [data-mark=unique],.hide-device-facing [data-mark=device-facing],
.hide-third-party [data-mark=third-party],.hide-human-facing [data-mark=human-facing]{display:none}
section[aria-labelledby=names] td.text:last-child{min-width:280px}
@media (prefers-reduced-motion:reduce){.node,.edge{transition:none}}
@media (max-width:800px){
.graph-box{grid-template-columns:1fr;grid-template-rows:minmax(0,1fr) 200px;height:92vh}
}
@media print{
.graph-tools,.graph-panel{display:none}
.graph-box{display:block;height:auto}
#graph-view{border:0;height:auto}
}`;
